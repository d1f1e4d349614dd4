/*
 * Repeats what failed in passing (LARDER_RETRY, LARDER_THROTTLED), with full jitter, within the
 * op's own deadline, and only while a bucket of tokens lasts: an outage of the backend makes at
 * most a hundred extra calls and then one for every five that succeed.
 *
 * Repeating is right for every op, also when the first attempt had its effect and only its
 * answer was lost:
 *
 *   put, remove, link, release, provision   do the same again
 *   put, write with LARDER_IF_ABSENT        say LARDER_MISS of what the first attempt stored; callers
 *                                           take that for "it is there", which is so
 *   write of marks                          merging a mark twice is merging it once
 *   advance, bump                           raise the counter once more; the number between is
 *                                           nobody's, and what noted it is older than the mark:
 *                                           a render more, never a stale one less
 *   claim                                   is told LARDER_OK: the owner holds it already
 *   reads                                   drop what the first attempt emitted
 *
 * A put may be repeated after another process's newer one: see "LARDER_NEWEST" in docs/semantics.md.
 *
 * Throttling slows all calls of the instance down: each such answer doubles the least time between
 * two calls, each success takes an eighth of it off, and a half once nothing was throttled for a second:
 * where calls are far apart, successes are, too, and eighths would take eight times the last distance.
 */
#include <stdio.h>
#include <stdlib.h>

#include "forward.h"
#include "jitter.h"
#include "layers.h"

enum { TOKENS = 500, RETRY_COST = 5, SUCCESS_GAIN = 1 };
static const uint64_t MS = 1000000u;
/* An attempt that has less time than this is not worth its call. */
static const uint64_t LEAST_NS = 5000000u;
static const uint64_t PACE_FIRST_NS = 1000000u, PACE_LAST_NS = 125000u, PACE_MOST_NS = 1000000000u;
static const uint64_t QUIET_NS = 1000000000u;

struct retry {
    struct backend *below;
    struct larder_retry_metrics *m;
    uint32_t most; /* attempts */
    uint64_t base_ns, cap_ns;
    uint64_t random;
    uint64_t pace_ns; /* least time between two calls; 0: none */
    uint64_t slot_ns; /* the last call that was given a turn; the next comes pace_ns later */
    uint64_t n_sent;
    uint64_t paced_at;     /* n_sent when the pace was last slowed */
    uint64_t throttled_ns; /* when a call last was */
};

/* An op that waits, or that has failed before.  Ordinary ops have none. */
struct attempt {
    struct larder_timer timer;
    struct retry *layer;
    struct op *op;
    uint32_t made;
};

/* ---- waiting and sending ---------------------------------------------------------------- */

static void back(void *arg, struct op *op);

static void send(struct retry *layer, struct op *op, struct attempt *attempt) {
    struct op_level *level = forward_lend(&op->pub, back, layer);

    if (level == NULL) {
        free(attempt);
        return;
    }
    level->note[0] = attempt;
    level->at_ns = ++layer->n_sent;
    backend_call(layer->below, op);
}

/* ends the wait; the attempt is the op's still */
static void stop_waiting(struct attempt *attempt) {
    timer_done(&attempt->timer);
    attempt->op->pub.scratch[FORWARD_OWN] = NULL;
    COUNT_SET(attempt->layer->m->waiting, attempt->layer->m->waiting - 1);
}

static void due(void *arg) {
    struct attempt *attempt = arg;

    stop_waiting(attempt);
    attempt->made++;
    send(attempt->layer, attempt->op, attempt);
}

/* The op's attempt, with its timer set; *attempt may be there from before.  false: no memory. */
static bool set_attempt(struct retry *layer, struct op *op, uint64_t due_ns, struct attempt **attempt) {
    if (*attempt == NULL) {
        struct attempt *made = malloc(sizeof(*made));
        if (made == NULL)
            return false;
        *made = (struct attempt){.layer = layer, .op = op};
        timer_init(&made->timer, op->reactor, due, made);
        *attempt = made;
    }
    return timer_set(&(*attempt)->timer, due_ns) == LARDER_OK;
}

/* The layer has the op: until the timer fires, or cancel(). */
static void wait_for_timer(struct attempt *attempt) {
    attempt->op->pub.scratch[FORWARD_OWN] = attempt;
    COUNT_ADD(attempt->layer->m->waiting, 1);
}

static bool in_time(const struct op *op, uint64_t due_ns) {
    return op->pub.deadline_ns == UINT64_MAX ||
           (op->pub.deadline_ns >= LEAST_NS && due_ns <= op->pub.deadline_ns - LEAST_NS);
}

/* ---- the pace ----------------------------------------------------------------------------- */

static void set_pace(struct retry *layer, uint64_t pace_ns) {
    layer->pace_ns = pace_ns;
    COUNT_SET(layer->m->pace_ns, pace_ns);
}

/* Answers to calls that were sent before the last slowing say nothing about the new pace. */
static void slow_down(struct retry *layer, uint64_t sent, uint32_t retry_after_ms, uint64_t now_ns) {
    uint64_t not_before_ns = now_ns + retry_after_ms * MS;

    COUNT_ADD(layer->m->throttled, 1);
    layer->throttled_ns = now_ns;
    if (not_before_ns > layer->slot_ns)
        layer->slot_ns = not_before_ns;
    if (sent <= layer->paced_at)
        return;
    layer->paced_at = layer->n_sent;
    if (layer->pace_ns == 0)
        set_pace(layer, PACE_FIRST_NS);
    else
        set_pace(layer, layer->pace_ns < PACE_MOST_NS / 2 ? layer->pace_ns * 2 : PACE_MOST_NS);
}

static void speed_up(struct retry *layer, uint64_t now_ns) {
    uint64_t part = now_ns - layer->throttled_ns < QUIET_NS ? 8 : 2;
    uint64_t pace_ns = layer->pace_ns - layer->pace_ns / part;

    set_pace(layer, pace_ns < PACE_LAST_NS ? 0 : pace_ns);
}

/* When the next call may be sent: not taken yet. */
static uint64_t next_slot(const struct retry *layer, uint64_t now_ns) {
    uint64_t slot_ns = layer->slot_ns + layer->pace_ns;

    return slot_ns > now_ns ? slot_ns : now_ns;
}

static void call_paced(struct retry *layer, struct op *op) {
    uint64_t now_ns = reactor_now_ns(op->reactor), slot_ns = next_slot(layer, now_ns);
    struct attempt *attempt = NULL;

    if (slot_ns > now_ns && !in_time(op, slot_ns)) {
        struct larder_result res = {.size = sizeof(res),
                                    .status = LARDER_THROTTLED,
                                    .retry_after_ms = (uint32_t)((slot_ns - now_ns) / MS + 1),
                                    .detail = "held back: the store asked for fewer calls"};
        op_complete(&op->pub, &res);
        return;
    }
    layer->slot_ns = slot_ns;
    if (slot_ns == now_ns) {
        send(layer, op, NULL);
    } else if (set_attempt(layer, op, slot_ns, &attempt)) {
        TRACE(op->trace, "retry: %s is held back for %llu ms, the store asked for fewer calls",
              larder_op_name(op->pub.code), (unsigned long long)((slot_ns - now_ns) / MS));
        wait_for_timer(attempt);
    } else {
        free(attempt);
        op_fail(&op->pub, LARDER_NOMEM, "out of memory");
    }
}

/* ---- tokens -------------------------------------------------------------------------------- */

static void gain(struct retry *layer, uint64_t n) {
    uint64_t tokens = layer->m->tokens + n;

    if (layer->m->tokens < TOKENS)
        COUNT_SET(layer->m->tokens, tokens < TOKENS ? tokens : TOKENS);
}

/* ---- failing and trying again -------------------------------------------------------------- */

/* Full jitter; a time that the backend named is the least. */
static uint64_t backoff_ns(struct retry *layer, const struct op *op, uint32_t made) {
    uint64_t least_ns = op->result.retry_after_ms * MS;
    uint64_t ceiling_ns = layer->base_ns;

    /* Asked for less without a time: two doublings ahead. */
    if (op->result.status == LARDER_THROTTLED && least_ns == 0)
        made += 2;
    for (uint32_t i = 1; i < made && ceiling_ns < layer->cap_ns; i++)
        ceiling_ns *= 2;
    if (ceiling_ns > layer->cap_ns)
        ceiling_ns = layer->cap_ns;
    return least_ns + jitter_upto(&layer->random, ceiling_ns);
}

/* True: the op waits for its next attempt.  False: the failure stands. */
static bool try_again(struct retry *layer, struct op *op, struct attempt **attempt, uint64_t now_ns) {
    uint32_t made = *attempt != NULL ? (*attempt)->made : 1;
    bool was_there = *attempt != NULL;

    if (made >= layer->most)
        return false;
    uint64_t due_ns = now_ns + backoff_ns(layer, op, made);
    if (layer->pace_ns > 0 && due_ns < next_slot(layer, now_ns))
        due_ns = next_slot(layer, now_ns);
    if (!in_time(op, due_ns))
        return false;
    if (layer->m->tokens < RETRY_COST) {
        COUNT_ADD(layer->m->without_tokens, 1);
        return false;
    }
    if (!set_attempt(layer, op, due_ns, attempt))
        return false;
    if (!was_there)
        (*attempt)->made = 1;
    if (layer->pace_ns > 0)
        layer->slot_ns = due_ns;
    COUNT_SET(layer->m->tokens, layer->m->tokens - RETRY_COST);
    COUNT_ADD(layer->m->retries, 1);
    TRACE(op->trace, "retry: %s again in %llu ms, attempt %u of %u", larder_op_name(op->pub.code),
          (unsigned long long)((due_ns - now_ns) / MS), made + 1, layer->most);
    op_take_back(op);
    op_renew(op);
    wait_for_timer(*attempt);
    return true;
}

static bool is_passing(int32_t status) {
    return status == LARDER_RETRY || status == LARDER_THROTTLED;
}

static void back(void *arg, struct op *op) {
    struct retry *layer = arg;
    const struct op_level *level = op_top_level(op);
    struct attempt *attempt = level->note[0];

    if (op->result.status >= 0) {
        bool repeated = attempt != NULL && attempt->made > 1;
        gain(layer, repeated ? RETRY_COST : SUCCESS_GAIN);
        if (repeated)
            COUNT_ADD(layer->m->recovered, 1);
        if (layer->pace_ns > 0)
            speed_up(layer, reactor_now_ns(op->reactor));
    } else if (is_passing(op->result.status) && op->unwanted) {
        op->result.status = LARDER_CANCELLED; /* what would follow is what nobody wants */
    } else if (is_passing(op->result.status) && !op->refused) {
        uint64_t now_ns = reactor_now_ns(op->reactor);
        if (op->result.status == LARDER_THROTTLED)
            slow_down(layer, level->at_ns, op->result.retry_after_ms, now_ns);
        if (try_again(layer, op, &attempt, now_ns))
            return;
        COUNT_ADD(layer->m->exhausted, 1);
        TRACE(op->trace, "retry: %s is not tried again", larder_op_name(op->pub.code));
    }
    free(attempt);
    op_return(op);
}

/* ---- the driver's shape --------------------------------------------------------------------- */

static void call(void *instance, struct larder_op *pub) {
    struct retry *layer = instance;

    if (layer->pace_ns > 0)
        call_paced(layer, (struct op *)pub);
    else
        send(layer, (struct op *)pub, NULL);
}

/* Only for an op that waits here: one that is below is cancelled there. */
static void cancel(void *instance, struct larder_op *pub) {
    struct attempt *attempt = pub->scratch[FORWARD_OWN];

    (void)instance;
    if (attempt == NULL)
        return;
    stop_waiting(attempt);
    free(attempt);
    op_fail(pub, LARDER_CANCELLED, NULL);
}

static void close_retry(void *instance) {
    free(instance);
}

static int32_t open_retry(const struct larder_host *host, struct larder_home *home, const void *config,
                          struct larder_info *info, void **instance, char *error) {
    const struct layer_config *layer_config = config;
    const struct layer_retry_settings *settings = layer_config->settings;
    struct retry *layer = calloc(1, sizeof(*layer));

    (void)host;
    (void)home;
    if (layer == NULL) {
        snprintf(error, LARDER_ERROR_SIZE, "retry: out of memory");
        return LARDER_NOMEM;
    }
    layer->below = layer_config->below;
    layer->m = settings->counters;
    layer->most = layer->below->info.max_attempts > 0 ? layer->below->info.max_attempts
                                                      : (uint32_t)settings->retries + 1;
    layer->base_ns = (uint64_t)settings->base_ms * MS;
    layer->cap_ns = (uint64_t)settings->cap_ms * MS;
    layer->random = settings->seed;
    COUNT_SET(layer->m->tokens, TOKENS);
    *info = forward_info(layer->below);
    *instance = layer;
    return LARDER_OK;
}

static const struct larder_cache_ops cache_ops = FORWARD_CACHE_OPS(call);
static const struct larder_tag_ops tag_ops = FORWARD_TAG_OPS(call);

const struct larder_driver layer_retry = {
    .size = sizeof(struct larder_driver),
    .abi = LARDER_ABI,
    .name = "retry",
    .version = LARDER_VERSION,
    .summary = "Repeats what failed in passing.",
    .param_size = sizeof(struct larder_param),
    .config_size = sizeof(struct layer_retry_settings),
    .cache = &cache_ops,
    .tags = &tag_ops,
    .open = open_retry,
    .close = close_retry,
    .ping = call,
    .provision = call,
    .explain = call,
    .cancel = cancel,
};
