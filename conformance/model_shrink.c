/*
 * The shortest program that still fails: steps go, first many at once, then single ones; then
 * what is left of each step becomes as plain as it can.
 */
#include <stdlib.h>
#include <string.h>

#include "model.h"

struct shrinker {
    struct model_program *best, *next;
    unsigned budget;
    model_fails_fn *fails;
    void *arg;
};

/* Whether `next` fails too; then it is the best. */
static bool attempt(struct shrinker *s) {
    if (s->budget == 0)
        return false;
    s->budget--;
    if (!s->fails(s->arg, s->next))
        return false;
    *s->best = *s->next;
    return true;
}

static bool attempt_without(struct shrinker *s, size_t at, size_t n) {
    *s->next = *s->best;
    memmove(&s->next->steps[at], &s->next->steps[at + n], (s->next->n - at - n) * sizeof(s->next->steps[0]));
    s->next->n -= n;
    return attempt(s);
}

static bool delete_steps(struct shrinker *s) {
    bool any = false;
    for (size_t chunk = s->best->n; chunk > 0; chunk /= 2) {
        for (size_t at = s->best->n; at > 0;) { /* from the end: the failure is there */
            size_t n = chunk < at ? chunk : at;
            at -= n;
            any |= attempt_without(s, at, n);
        }
    }
    return any;
}

enum plainer { NO_SUCH_WAY, PLAIN_ALREADY, PLAINER };

/* Sets a member of a step, and tells whether that changed it. */
#define MAKE(member, value) \
    (was = (int64_t)(member), (member) = (value), was != (int64_t)(member) ? PLAINER : PLAIN_ALREADY)

static enum plainer make_mark_plainer(struct model_step *s, size_t at, unsigned way) {
    struct model_mark *m = &s->marks[at];
    int64_t was;
    switch (way) {
    case 0:
        memmove(m, m + 1, (s->n_marks - at - 1) * sizeof(*m));
        s->n_marks--;
        return PLAINER;
    case 1: return MAKE(m->expire_at_ms, LARDER_UNSET);
    /* A mark that says nothing need not be kept. */
    case 2:
        m->expire_at_ms = m->expired != LARDER_UNSET ? LARDER_UNSET : m->expire_at_ms;
        return m->expired != LARDER_UNSET ? MAKE(m->stale, LARDER_UNSET) : PLAIN_ALREADY;
    default: return m->stale != LARDER_UNSET ? MAKE(m->expired, LARDER_UNSET) : PLAIN_ALREADY;
    }
}

/* The i-th way to make a step plainer. */
static enum plainer make_plainer(struct model_step *s, unsigned i) {
    enum { WAYS = 10, MARK_WAYS = 4 };
    int64_t was;
    switch (i) {
    case 0: return MAKE(s->at_ms, 0);
    case 1: return MAKE(s->instance, 0);
    case 2: return MAKE(s->alone, false);
    case 3: return MAKE(s->if_absent, false);
    case 4: return MAKE(s->ttl_ms, s->kind == MODEL_CLAIM ? s->ttl_ms : 0);
    case 5: return MAKE(s->len, s->len > 9 ? 9 : s->len);
    case 6: return MAKE(s->epoch, 0);
    case 7: return MAKE(s->limit, 0);
    case 8: return MAKE(s->owner, 0);
    case 9: return MAKE(s->name, 0);
    default: break;
    }
    size_t mark = (i - WAYS) / MARK_WAYS;
    return mark < s->n_marks ? make_mark_plainer(s, mark, (i - WAYS) % MARK_WAYS) : NO_SUCH_WAY;
}

static bool simplify_steps(struct shrinker *s) {
    bool any = false;
    for (size_t at = 0; at < s->best->n; at++) {
        enum plainer how = PLAINER;
        for (unsigned i = 0; how != NO_SUCH_WAY; i++) {
            *s->next = *s->best;
            how = make_plainer(&s->next->steps[at], i);
            if (how == PLAINER)
                any |= attempt(s);
        }
    }
    return any;
}

static void narrow_window(struct shrinker *s) {
    for (unsigned window = 1; window < s->best->window; window++) {
        *s->next = *s->best;
        s->next->window = window;
        if (attempt(s))
            return;
    }
}

void model_shrink(struct model_program *p, unsigned budget, model_fails_fn *fails, void *arg) {
    struct shrinker s = {
        .best = p, .next = malloc(sizeof(*s.next)), .budget = budget, .fails = fails, .arg = arg};
    if (!s.next)
        return; /* long, but true */
    bool any = true;
    while (any && s.budget > 0) {
        any = delete_steps(&s);
        narrow_window(&s);
        any |= simplify_steps(&s);
    }
    free(s.next);
}
