/*
 * Programs from a seed.  Few names, so that ops meet; each program has its own mixture of ops
 * and often lacks some kinds altogether: a mixture of everything hides what two kinds do alone.
 */
#include <string.h>

#include "model.h"
#include "random.h"

/* Beyond all times of a program, and before all of them. */
enum { NEVER_MS = 100000000, PAST_MS = 0 };

struct mixture {
    uint64_t *random;
    uint32_t weights[N_MODEL_KINDS], sum;
    uint32_t names; /* in use: 1 .. MODEL_NAMES */
    bool in_order;
    const struct model_step *last; /* NULL: none yet */
    uint32_t pace;                 /* one in `pace` steps moves the time */
    uint32_t next_id;              /* of values */
    int64_t at_ms;
};

static uint32_t below(struct mixture *m, uint32_t n) {
    return random_below(m->random, n);
}
static bool one_in(struct mixture *m, uint32_t n) {
    return below(m, n) == 0;
}

/* What a program is about: most are about one thing, or its ops would hardly meet. */
static uint32_t any_subject(struct mixture *m, uint32_t can) {
    static const uint32_t subjects[] = {1u << MODEL_GET | 1u << MODEL_PUT | 1u << MODEL_REMOVE |
                                            1u << MODEL_LIST,
                                        1u << MODEL_READ | 1u << MODEL_WRITE | 1u << MODEL_LOOK |
                                            1u << MODEL_RAISE | 1u << MODEL_BUMP | 1u << MODEL_LIST_MARKS,
                                        1u << MODEL_CLAIM | 1u << MODEL_RELEASE,
                                        1u << MODEL_LINK | 1u << MODEL_KEYS_OF | 1u << MODEL_TAGS_OF};
    static const uint8_t draws[] = {0, 0, 0, 1, 1, 1, 2, 3, 4, 4};
    uint8_t draw = draws[below(m, sizeof(draws))];
    uint32_t subject = draw < 4 ? subjects[draw] & can : can;
    return subject != 0 ? subject : can;
}

static void mixture_init(struct mixture *m, uint64_t *random, uint32_t can, bool in_order) {
    static const uint8_t usual[N_MODEL_KINDS] = {
        [MODEL_GET] = 8,     [MODEL_PUT] = 8,     [MODEL_REMOVE] = 3,    [MODEL_LIST] = 2,
        [MODEL_CLAIM] = 3,   [MODEL_RELEASE] = 2, [MODEL_READ] = 8,      [MODEL_WRITE] = 8,
        [MODEL_LOOK] = 3,    [MODEL_RAISE] = 4,   [MODEL_BUMP] = 4,      [MODEL_LINK] = 4,
        [MODEL_KEYS_OF] = 3, [MODEL_TAGS_OF] = 2, [MODEL_LIST_MARKS] = 1};
    static const uint8_t factors[] = {0, 1, 1, 4};
    *m = (struct mixture){.random = random, .in_order = in_order, .next_id = 1};
    can = any_subject(m, can);
    m->names = 1 + below(m, 1 + below(m, MODEL_NAMES));
    m->pace = in_order ? 2 + below(m, 12) : 8 + below(m, 30);
    for (int tries = 0; m->sum == 0; tries++) {
        for (unsigned i = 0; i < N_MODEL_KINDS; i++) {
            uint32_t factor = tries < 10 ? factors[below(m, sizeof(factors))] : 1;
            m->weights[i] = can & 1u << i ? usual[i] * factor : 0;
            m->sum += m->weights[i];
        }
    }
}

static enum model_kind any_kind(struct mixture *m) {
    uint32_t at = below(m, m->sum);
    unsigned kind = 0;
    while (at >= m->weights[kind])
        at -= m->weights[kind++];
    return (enum model_kind)kind;
}

/* Epochs that are written as numbers are negative, those that counters give are not: so it shows
 * where a mark came from. */
static int64_t old_epoch(struct mixture *m) {
    return -1 - (int64_t)below(m, 8);
}

static int64_t any_expiry(struct mixture *m) {
    if (one_in(m, 3))
        return LARDER_UNSET;
    if (m->in_order) /* soon, and sometimes due already */
        return m->at_ms + (int64_t)below(m, 40) - 5;
    return one_in(m, 3) ? PAST_MS : NEVER_MS + (int64_t)below(m, 5); /* the order does not matter */
}

static struct model_mark any_mark(struct mixture *m, unsigned tag, bool bump) {
    struct model_mark mark = {(uint8_t)tag, LARDER_UNSET, LARDER_UNSET, LARDER_UNSET};
    bool given = bump && one_in(m, 5);
    if (one_in(m, 2))
        mark.expired = bump && !given ? LARDER_NEW_EPOCH : old_epoch(m);
    if (mark.expired == LARDER_UNSET || one_in(m, 3)) {
        mark.stale = bump && !given ? LARDER_NEW_EPOCH : old_epoch(m);
        mark.expire_at_ms = any_expiry(m);
    }
    return mark;
}

static void any_marks(struct mixture *m, struct model_step *s) {
    bool values = s->kind == MODEL_WRITE || s->kind == MODEL_BUMP;
    s->if_absent = s->kind == MODEL_WRITE && one_in(m, 4);
    unsigned first = below(m, m->names), n = 1 + below(m, m->names);
    if (s->if_absent && !m->in_order)
        n = 1; /* of several, the answer does not say which were written */
    if (s->kind == MODEL_LINK && one_in(m, 4))
        n = 0;
    for (unsigned i = 0; i < n; i++) {
        unsigned tag = (first + i) % m->names;
        s->marks[s->n_marks++] = values ? any_mark(m, tag, s->kind == MODEL_BUMP)
                                        : (struct model_mark){(uint8_t)tag, LARDER_UNSET, LARDER_UNSET,
                                                              LARDER_UNSET};
    }
}

static void any_put(struct mixture *m, struct model_step *s) {
    static const uint32_t lens[] = {0, 1, 9, 200, 5000, 70000};
    s->len = lens[below(m, one_in(m, 8) ? 6 : 4)];
    s->id = m->next_id++;
    static const int64_t large[] = {INT64_MAX - 1, (INT64_C(1) << 53) + 1, -(INT64_C(1) << 53) - 1};
    s->epoch = one_in(m, 12) ? large[below(m, 3)] : (int64_t)below(m, 5) - 1;
    s->if_absent = one_in(m, 4);
    if (one_in(m, 3))
        s->ttl_ms = one_in(m, 8) ? INT64_MAX : 1 + (int64_t)below(m, 30);
}

static struct model_step any_step(struct mixture *m) {
    struct model_step s = {.kind = any_kind(m)};
    s.instance = (uint8_t)below(m, 2);
    s.name = (uint8_t)below(m, m->names);
    if (m->last && !m->in_order && one_in(m, 4)) { /* twice at once is where races show */
        s.kind = m->last->kind;
        s.name = m->last->name;
    }
    if (one_in(m, m->pace)) { /* forwards, and sometimes a clock that is behind */
        int64_t by = one_in(m, 6) ? -(int64_t)below(m, 15) : (int64_t)below(m, one_in(m, 4) ? 60 : 8);
        m->at_ms = m->at_ms + by > 0 ? m->at_ms + by : 0;
    }
    s.at_ms = m->at_ms;
    s.alone = !m->in_order && one_in(m, 12);
    switch (s.kind) {
    case MODEL_PUT: any_put(m, &s); break;
    case MODEL_CLAIM:
        s.ttl_ms = 1 + (int64_t)below(m, 40);
        s.owner = (uint8_t)below(m, 3);
        break;
    case MODEL_RELEASE: s.owner = (uint8_t)below(m, 3); break;
    case MODEL_LIST:
    case MODEL_KEYS_OF:
    case MODEL_LIST_MARKS: s.limit = below(m, 4); break;
    case MODEL_READ:
    case MODEL_WRITE:
    case MODEL_BUMP:
    case MODEL_LINK: any_marks(m, &s); break;
    default: break;
    }
    return s;
}

void model_generate(struct model_program *p, uint64_t seed, unsigned window, uint32_t can) {
    uint64_t random = seed;
    struct mixture m;
    mixture_init(&m, &random, can, window == 1);
    memset(p, 0, sizeof(*p));
    p->window = window;
    p->n = 20 + random_below(&random, MODEL_STEPS - 19);
    for (size_t i = 0; i < p->n; i++) {
        p->steps[i] = any_step(&m);
        m.last = &p->steps[i];
    }
}
