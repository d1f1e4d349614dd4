/*
 * Answers at once for a driver that fails or hangs.
 *
 *   closed      everything passes.  Opens when, of at least `calls` calls in the window, `rate`
 *               percent failed; or when SILENCE calls had no answer by their deadline since the
 *               driver last gave a good one - so a hung store that is hardly used is found too.
 *   open        everything is refused with LARDER_RETRY, marks and revalidations as well: they could
 *               not complete either, and whoever keeps them for later learns that at once.  Only
 *               ping, provision and explain pass: somebody asks for the truth.
 *   half-open   one ping is on its way.  A good answer closes; another, or none, opens again for
 *               a longer pause.
 *
 * A failure is LARDER_RETRY, LARDER_DEADLINE or LARDER_INTERNAL, or silence past the deadline,
 * which the breaker sees by a timer of its own: the driver need not even answer.  A driver that
 * refuses (LARDER_DENIED), throttles, or finds a request wrong has answered and is well; opening would
 * hide the reason, and stop what is allowed.  LARDER_NOMEM says nothing, nor does the failure of a call
 * that was given up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forward.h"
#include "jitter.h"
#include "layers.h"
#include "log.h"
#include "phrase.h"

enum { N_SLICES = 10, SILENCE = 5, MAX_PINGS = 3, MAX_DOUBLINGS = 16 };
static const uint64_t MS = 1000000u;
static const uint64_t PAUSE_MOST_NS = 5000000000u;
/* A call that is given less time than this says nothing about the driver by being late: the process
 * may have been stopped, and its calls with it. */
static const uint64_t CHANCE_NS = 2000000u;
static const uint64_t SWEEP_LEAST_NS = 10000000u; /* between two looks at what is out */

struct slice { /* a tenth of the window */
    uint64_t number;
    uint32_t good, bad;
};

struct breaker {
    struct backend *below;
    const char *driver; /* whose breaker this is */
    struct larder_breaker_metrics *m;
    pthread_mutex_t *lock; /* of m->reason */
    uint64_t rate, calls, slice_ns, pause_ns, ping_ns, random;

    struct slice window[N_SLICES];
    uint32_t silent;     /* calls without an answer since the last good one */
    struct op_level out; /* ring of calls below that are not overdue yet: note[OLDER], note[NEWER] */
    struct larder_timer sweep;

    struct larder_timer next; /* open: the next ping is due; half-open: this one is overdue */
    uint32_t doublings;       /* of the pause */
    uint32_t n_pings;         /* not back yet */
    uint64_t opened_ns, closed_ns;
    char last_error[96];
    char detail[256]; /* what refused calls are told */
};

enum { OLDER, NEWER, ITS_OP };     /* level->note[] */
static const uint64_t COUNTED = 0; /* level->at_ns of a call that is judged already */

static bool is_open(const struct breaker *b) {
    return b->m->state != LARDER_BREAKER_CLOSED;
}

/* ---- the window ------------------------------------------------------------------------- */

static struct slice *slice_at(struct breaker *b, uint64_t now_ns) {
    uint64_t number = now_ns / b->slice_ns + 1; /* 0: never used */
    struct slice *s = &b->window[number % N_SLICES];

    if (s->number != number)
        *s = (struct slice){.number = number};
    return s;
}

/* Calls in the window, and how many of them failed. */
static void sum_window(const struct breaker *b, uint64_t now_ns, uint64_t *ret_calls, uint64_t *ret_bad) {
    uint64_t number = now_ns / b->slice_ns + 1;

    *ret_calls = *ret_bad = 0;
    for (size_t i = 0; i < N_SLICES; i++) {
        const struct slice *s = &b->window[i];
        if (s->number + N_SLICES <= number)
            continue;
        *ret_calls += (uint64_t)s->good + s->bad;
        *ret_bad += s->bad;
    }
}

static void forget_window(struct breaker *b) {
    memset(b->window, 0, sizeof(b->window));
    b->silent = 0;
}

/* ---- calls that are out ---------------------------------------------------------------------- */

static void ring_add(struct breaker *b, struct op_level *level) {
    struct op_level *last = b->out.note[OLDER];

    level->note[OLDER] = last;
    level->note[NEWER] = &b->out;
    last->note[NEWER] = level;
    b->out.note[OLDER] = level;
}

/* Harmless for one that is out of the ring. */
static void ring_remove(struct op_level *level) {
    struct op_level *older = level->note[OLDER], *newer = level->note[NEWER];

    older->note[NEWER] = newer;
    newer->note[OLDER] = older;
    level->note[OLDER] = level->note[NEWER] = level;
}

/* A call that was out when the breaker opened says nothing about the time after. */
static void ring_forget(struct breaker *b) {
    while (b->out.note[NEWER] != &b->out) {
        struct op_level *level = b->out.note[NEWER];
        ring_remove(level);
        level->at_ns = COUNTED;
    }
}

/* ---- changing state ----------------------------------------------------------------------- */

static void set_state(struct breaker *b, uint64_t state) {
    COUNT_SET(b->m->state, state);
    COUNT_SET(b->m->since_ms, reactor_now_ms(b->below->reactor));
}

/* Where a timer cannot be set, the next call does it: see call(). */
static void set_timer(struct larder_timer *timer, uint64_t due_ns) {
    if (timer_set(timer, due_ns) != LARDER_OK)
        log_line(LARDER_LOG_WARN, "breaker: out of memory for a timer");
}

/* The pause doubles with each ping in vain, and with each opening soon after a closing.  Half
 * of it is jitter, or all processes would ping together. */
static void wait_to_ping(struct breaker *b, uint64_t now_ns) {
    uint64_t most_ns = b->pause_ns > PAUSE_MOST_NS ? b->pause_ns : PAUSE_MOST_NS;
    uint64_t pause_ns = b->pause_ns;

    for (uint32_t i = 0; i < b->doublings && pause_ns < most_ns; i++)
        pause_ns *= 2;
    if (pause_ns > most_ns)
        pause_ns = most_ns;
    set_timer(&b->next, now_ns + pause_ns - jitter_upto(&b->random, pause_ns / 2));
}

static void more_patience(struct breaker *b) {
    if (b->doublings < MAX_DOUBLINGS)
        b->doublings++;
}

static void open_now(struct breaker *b, uint64_t now_ns, const char *why) {
    int64_t second = reactor_now_ms(b->below->reactor) / 1000 % 86400;

    if (b->closed_ns != 0 && now_ns - b->closed_ns < N_SLICES * b->slice_ns)
        more_patience(b);
    else
        b->doublings = 0;
    b->opened_ns = now_ns;
    forget_window(b);
    ring_forget(b);
    set_state(b, LARDER_BREAKER_OPEN);
    COUNT_ADD(b->m->opened, 1);
    struct phrase detail = phrase_begin(b->detail, sizeof(b->detail));
    phrase_add(&detail, "the breaker of %s is open since %02d:%02d:%02d UTC", b->driver, (int)(second / 3600),
               (int)(second / 60 % 60), (int)(second % 60));
    phrase_add(&detail, " (%s); last error: %s", why, b->last_error);
    pthread_mutex_lock(b->lock);
    memcpy(b->m->reason, b->detail, sizeof(b->m->reason));
    pthread_mutex_unlock(b->lock);
    log_line(LARDER_LOG_WARN, "%s", b->detail);
    wait_to_ping(b, now_ns);
}

static void close_now(struct breaker *b, uint64_t now_ns) {
    timer_done(&b->next);
    forget_window(b);
    b->closed_ns = now_ns;
    set_state(b, LARDER_BREAKER_CLOSED);
    log_line(LARDER_LOG_WARN, "the breaker of %.32s is closed again after %llu ms", b->driver,
             (unsigned long long)((now_ns - b->opened_ns) / MS));
}

/* ---- what an answer says -------------------------------------------------------------------- */

enum verdict { GOOD, BAD, NOTHING };

static enum verdict judge(int32_t status) {
    switch (status) {
    case LARDER_RETRY:
    case LARDER_DEADLINE:
    case LARDER_INTERNAL: return BAD;
    case LARDER_CANCELLED:
    case LARDER_NOMEM: return NOTHING;
    default: return GOOD;
    }
}

static void open_if_bad(struct breaker *b, uint64_t now_ns) {
    uint64_t calls, bad;
    char why[96];

    if (is_open(b))
        return;
    sum_window(b, now_ns, &calls, &bad);
    if (b->silent >= SILENCE)
        snprintf(why, sizeof(why), "%u calls in a row had no answer by their deadline", b->silent);
    else if (calls >= b->calls && bad * 100 >= calls * b->rate)
        snprintf(why, sizeof(why), "%llu of %llu calls failed", (unsigned long long)bad,
                 (unsigned long long)calls);
    else
        return;
    open_now(b, now_ns, why);
}

/* One failure, with one line about it. */
static void fail(struct breaker *b, uint64_t now_ns, bool silence, const char *name, const char *detail) {
    COUNT_ADD(b->m->failures, 1);
    if (silence) {
        COUNT_ADD(b->m->stuck, 1);
        b->silent++;
    }
    struct phrase error = phrase_begin(b->last_error, sizeof(b->last_error));
    phrase_add(&error, "%s%s%s", name, *detail != '\0' ? ": " : "", detail);
    if (!is_open(b))
        slice_at(b, now_ns)->bad++;
    open_if_bad(b, now_ns);
}

/* ---- answers and silence ----------------------------------------------------------------------- */

/* Counts those whose time is up, each once; they leave the ring.  That somebody gave one up changes
 * nothing: the driver had its time. */
static void sweep(void *arg) {
    struct breaker *b = arg;
    uint64_t now_ns = reactor_now_ns(b->below->reactor), first_ns = UINT64_MAX;
    const char *silent = NULL;
    size_t n_silent = 0;

    for (struct op_level *level = b->out.note[NEWER], *newer; level != &b->out; level = newer) {
        const struct op *op = level->note[ITS_OP];
        newer = level->note[NEWER];
        if (level->at_ns > now_ns) {
            first_ns = level->at_ns < first_ns ? level->at_ns : first_ns;
            continue;
        }
        ring_remove(level);
        level->at_ns = COUNTED;
        silent = larder_op_name(op->pub.code);
        n_silent++;
    }
    for (; n_silent > 0; n_silent--)
        fail(b, now_ns, true, silent, "no answer by its deadline");
    if (first_ns != UINT64_MAX)
        set_timer(&b->sweep, first_ns > now_ns + SWEEP_LEAST_NS ? first_ns : now_ns + SWEEP_LEAST_NS);
}

static void back(void *arg, struct op *op) {
    struct breaker *b = arg;
    struct op_level *level = op_top_level(op);
    uint64_t now_ns = op->back_ns != 0 ? op->back_ns : reactor_now_ns(op->reactor);
    bool late = level->at_ns == COUNTED;
    int32_t status = op->result.status;
    enum verdict verdict = judge(status);

    ring_remove(level);
    if (late || op->unwanted)
        verdict = verdict == BAD ? NOTHING : verdict;
    if (verdict == BAD) {
        fail(b, now_ns, status == LARDER_DEADLINE, larder_status_name(status), op->result.detail);
    } else if (verdict == GOOD && !is_open(b) && !late) {
        slice_at(b, now_ns)->good++;
        b->silent = 0;
    } else if (verdict == GOOD && is_open(b) && op->pub.code == LARDER_OP_PING) {
        close_now(b, now_ns);
    }
    op_return(op);
}

/* ---- pings -------------------------------------------------------------------------------------- */

static void ping_back(void *arg, struct op *op) {
    struct breaker *b = arg;
    uint64_t now_ns = reactor_now_ns(op->reactor);
    enum verdict verdict = judge(op->result.status);

    b->n_pings--;
    if (verdict == GOOD && is_open(b)) {
        close_now(b, now_ns);
    } else if (verdict != GOOD && b->m->state == LARDER_BREAKER_HALF_OPEN) {
        set_state(b, LARDER_BREAKER_OPEN);
        more_patience(b);
        wait_to_ping(b, now_ns);
    }
    op_free(op);
}

/* Whoever is stuck for good must not keep the breaker open: a few pings may be out at once. */
static void next_step(void *arg) {
    struct breaker *b = arg;
    uint64_t now_ns = reactor_now_ns(b->below->reactor), deadline_ns = now_ns + b->ping_ns;
    struct op_inputs in = {0};
    struct op *ping = NULL;

    if (b->m->state == LARDER_BREAKER_OPEN && b->n_pings < MAX_PINGS)
        ping = op_new(b->below->reactor, LARDER_OP_PING, &in, deadline_ns, ping_back, b);
    if (ping == NULL) { /* silence so far, or no memory */
        set_state(b, LARDER_BREAKER_OPEN);
        more_patience(b);
        wait_to_ping(b, now_ns);
        return;
    }
    set_state(b, LARDER_BREAKER_HALF_OPEN);
    COUNT_ADD(b->m->probes, 1);
    b->n_pings++;
    set_timer(&b->next, deadline_ns);
    backend_call(b->below, ping);
}

/* ---- the driver's shape ---------------------------------------------------------------------------- */

static void refuse(struct breaker *b, struct op *op) {
    uint64_t now_ns = reactor_now_ns(op->reactor);
    struct larder_result res = {.size = sizeof(res), .status = LARDER_RETRY, .detail = b->detail};

    if (b->next.due_ns == UINT64_MAX) /* it could not be set */
        set_timer(&b->next, now_ns);
    else if (b->next.due_ns > now_ns)
        res.retry_after_ms = (uint32_t)((b->next.due_ns - now_ns) / MS + 1);
    COUNT_ADD(b->m->refused, 1);
    TRACE(op->trace, "breaker: open, so %s is refused", larder_op_name(op->pub.code));
    op->refused = true;
    op_complete(&op->pub, &res);
}

static bool passes_always(uint32_t code) {
    return code == LARDER_OP_PING || code == LARDER_OP_PROVISION || code == LARDER_OP_EXPLAIN;
}

static void call(void *instance, struct larder_op *pub) {
    struct breaker *b = instance;
    struct op *op = (struct op *)pub;
    struct op_level *level;

    if (is_open(b) && !passes_always(pub->code)) {
        refuse(b, op);
        return;
    }
    level = forward_lend(pub, back, b);
    if (level == NULL)
        return;
    level->note[ITS_OP] = op;
    if (pub->deadline_ns < reactor_turn_ns(op->reactor) + CHANCE_NS) {
        level->at_ns = COUNTED;
        level->note[OLDER] = level->note[NEWER] = level;
    } else {
        level->at_ns = pub->deadline_ns;
        ring_add(b, level);
        if (pub->deadline_ns < b->sweep.due_ns)
            set_timer(&b->sweep, pub->deadline_ns);
    }
    backend_call(b->below, op);
}

static void close_breaker(void *instance) {
    struct breaker *b = instance;

    timer_done(&b->sweep);
    timer_done(&b->next);
    free(b);
}

static int32_t open_breaker(const struct larder_host *host, struct larder_home *home, const void *config,
                            struct larder_info *info, void **instance, char *error) {
    const struct layer_config *layer_config = config;
    const struct layer_breaker_settings *settings = layer_config->settings;
    const struct backend *driver = layer_config->below;
    struct breaker *b = calloc(1, sizeof(*b));

    (void)host;
    (void)home;
    if (b == NULL) {
        snprintf(error, LARDER_ERROR_SIZE, "breaker: out of memory");
        return LARDER_NOMEM;
    }
    while (driver->layer.below != NULL)
        driver = driver->layer.below;
    b->below = layer_config->below;
    b->driver = driver->driver->name;
    b->m = &settings->counters->m;
    b->lock = &settings->counters->lock;
    b->rate = (uint64_t)settings->rate;
    b->calls = (uint64_t)settings->calls;
    b->slice_ns = (uint64_t)settings->window_ms * MS / N_SLICES;
    b->pause_ns = (uint64_t)settings->pause_ms * MS;
    b->ping_ns = (uint64_t)settings->ping_ms * MS;
    b->random = settings->seed;
    b->out.note[OLDER] = b->out.note[NEWER] = &b->out;
    timer_init(&b->sweep, b->below->reactor, sweep, b);
    timer_init(&b->next, b->below->reactor, next_step, b);
    COUNT_SET(b->m->state, LARDER_BREAKER_CLOSED);
    *info = forward_info(b->below);
    *instance = b;
    return LARDER_OK;
}

static const struct larder_cache_ops cache_ops = FORWARD_CACHE_OPS(call);
static const struct larder_tag_ops tag_ops = FORWARD_TAG_OPS(call);

const struct larder_driver layer_breaker = {
    .size = sizeof(struct larder_driver),
    .abi = LARDER_ABI,
    .name = "breaker",
    .version = LARDER_VERSION,
    .summary = "Answers at once for a driver that fails or hangs.",
    .param_size = sizeof(struct larder_param),
    .config_size = sizeof(struct layer_breaker_settings),
    .cache = &cache_ops,
    .tags = &tag_ops,
    .open = open_breaker,
    .close = close_breaker,
    .ping = call,
    .provision = call,
    .explain = call,
};
