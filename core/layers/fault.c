/*
 * Does harm on purpose, by the plan of the setting `fault` (fault.h): for tests and for drills.  It
 * stands directly above the driver, so that all other layers meet the harm as if the driver did it.
 * Whatever it does, each op is completed exactly once.
 */
#include <stdio.h>
#include <stdlib.h>

#include "buf.h"
#include "bytes.h"
#include "fault.h"
#include "forward.h"
#include "jitter.h"
#include "layers.h"
#include "log.h"

static const uint64_t DROP_NS = 10000000000u;        /* an op without a deadline is answered after this */
static const uint64_t AFTER_DEADLINE_NS = 50000000u; /* and one with a deadline, so long after it */
static const uint64_t AGAIN_NS = 10000000000u;       /* deadline of what is done once more */

struct fault {
    struct backend *below;
    struct fault_plan plan;
    uint64_t random, opened_ns;
    uint64_t *counter;
    struct harm *repeats; /* ops to be done again that wait for their time */
};

/* What happens to one op. */
struct harm {
    struct larder_timer timer;
    struct fault *layer;
    struct op *op;
    struct harm **at, *next; /* in layer->repeats */
    uint64_t delay_ns, late_ns, again_ns;
    int32_t error, lost;
    bool delay, late, again, drop, corrupt, shorten;
    bool answered; /* by the driver; it waits for going up */
};

/* ---- the plan ----------------------------------------------------------------------------- */

static void add_rule(struct fault *layer, struct harm *harm, const struct fault_rule *rule) {
    uint64_t time_ns = rule->low_ns + jitter_upto(&layer->random, rule->high_ns - rule->low_ns);

    switch (rule->kind) {
    case FAULT_DELAY:
        harm->delay = true;
        harm->delay_ns += time_ns;
        break;
    case FAULT_LATE:
        harm->late = true;
        harm->late_ns += time_ns;
        break;
    case FAULT_AGAIN:
        harm->again = true;
        harm->again_ns = time_ns;
        break;
    case FAULT_ERROR: harm->error = rule->status; break;
    case FAULT_LOST: harm->lost = rule->status; break;
    case FAULT_DROP: harm->drop = true; break;
    case FAULT_CORRUPT: harm->corrupt = true; break;
    case FAULT_SHORT: harm->shorten = true; break;
    }
}

/* NULL: nothing happens to it, or there is no memory for that. */
static struct harm *harm_of(struct fault *layer, struct op *op) {
    uint64_t elapsed_ns = reactor_now_ns(op->reactor) - layer->opened_ns;
    struct harm harm = {.layer = layer, .op = op}, *made;
    size_t n = 0;

    for (size_t i = 0; i < layer->plan.n; i++) {
        const struct fault_rule *rule = &layer->plan.rules[i];
        if (!(rule->ops >> op->pub.code & 1) || !fault_is_on(rule, elapsed_ns) ||
            jitter_next(&layer->random) % 1000000 >= rule->ppm)
            continue;
        add_rule(layer, &harm, rule);
        n++;
    }
    if (n == 0 || (made = malloc(sizeof(*made))) == NULL)
        return NULL;
    *made = harm;
    COUNT_ADD(*layer->counter, 1);
    return made;
}

/* ---- holding an op ---------------------------------------------------------------------------- */

static void go_on(void *arg);

/* Without memory for the timer it goes on in the next turn: an op's task is free while it is held. */
static void hold(struct harm *harm, uint64_t due_ns) {
    struct op *op = harm->op;

    timer_init(&harm->timer, op->reactor, go_on, harm);
    op->pub.scratch[FORWARD_OWN] = harm;
    if (timer_set(&harm->timer, due_ns) == LARDER_OK)
        return;
    op->task = (struct task){.fn = go_on, .arg = harm};
    reactor_post(op->reactor, &op->task);
}

static void fail_harmed(struct harm *harm, int32_t status, const char *detail) {
    struct op *op = harm->op;

    op->pub.scratch[FORWARD_OWN] = NULL;
    free(harm);
    op_fail(&op->pub, status, detail);
}

/* ---- after the driver --------------------------------------------------------------------------- */

static void remove_repeat(struct harm *harm) {
    *harm->at = harm->next;
    if (harm->next != NULL)
        harm->next->at = harm->at;
}

static void repeated(void *arg, struct op *op) {
    (void)arg;
    op_free(op);
}

static void repeat(void *arg) {
    struct harm *harm = arg;
    struct backend *below = harm->layer->below;
    struct op *op = harm->op;

    remove_repeat(harm);
    free(harm);
    backend_call(below, op);
}

/* A copy of op is done later; nobody waits for it. */
static void plan_repeat(struct fault *layer, struct op *op, uint64_t wait_ns) {
    struct op_inputs in = op_inputs_of(&op->pub);
    uint64_t due_ns = reactor_now_ns(op->reactor) + wait_ns;
    struct harm *harm = calloc(1, sizeof(*harm));
    struct op *copy = op_new(op->reactor, op->pub.code, &in, due_ns + AGAIN_NS, repeated, NULL);

    if (harm == NULL || copy == NULL) {
        free(harm);
        op_free(copy);
        return;
    }
    copy->pub.now_ms = op->pub.now_ms;
    *harm = (struct harm){.layer = layer, .op = copy, .at = &layer->repeats, .next = layer->repeats};
    if (harm->next != NULL)
        harm->next->at = &harm->next;
    layer->repeats = harm;
    timer_init(&harm->timer, op->reactor, repeat, harm);
    if (timer_set(&harm->timer, due_ns) != LARDER_OK) {
        remove_repeat(harm);
        free(harm);
        op_free(copy);
    }
}

/* The value with one bit wrong; the driver's own stays as it is. */
static void corrupt(struct fault *layer, struct larder_slice *value) {
    struct larder_slice copy;
    uint8_t *bytes = value->len > 0 ? buf_new(value->len, &copy) : NULL;

    if (bytes == NULL)
        return;
    bytes_put(bytes, slice_bytes(*value));
    uint64_t bit = jitter_upto(&layer->random, value->len * 8 - 1);
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    slice_done(value);
    *value = copy;
}

static void spoil(struct harm *harm, struct op *op) {
    struct larder_slice *value = &op->result.value;

    if (harm->again)
        plan_repeat(harm->layer, op, harm->again_ns);
    if (harm->corrupt)
        corrupt(harm->layer, value);
    if (harm->shorten && value->len > 0)
        value->len = (size_t)jitter_upto(&harm->layer->random, value->len - 1);
    if (harm->lost != LARDER_OK) {
        static const char detail[] = "fault: the answer was lost";
        op_renew(op);
        op->result.status = harm->lost;
        memcpy(op->detail, detail, sizeof(detail));
    }
}

static void back(void *arg, struct op *op) {
    struct harm *harm = op_top_level(op)->note[0];

    (void)arg;
    if (harm == NULL) {
        op_return(op);
        return;
    }
    spoil(harm, op);
    if (harm->late) {
        op_take_back(op);
        harm->answered = true;
        hold(harm, reactor_now_ns(op->reactor) + harm->late_ns);
        return;
    }
    free(harm);
    op_return(op);
}

/* ---- before the driver ----------------------------------------------------------------------------- */

static void send(struct fault *layer, struct op *op, struct harm *harm) {
    struct op_level *level = forward_lend(&op->pub, back, layer);

    if (level == NULL) {
        free(harm);
        return;
    }
    level->note[0] = harm;
    backend_call(layer->below, op);
}

/* Delayed, dropped or late: its time has come. */
static void go_on(void *arg) {
    struct harm *harm = arg;
    struct op *op = harm->op;

    op->pub.scratch[FORWARD_OWN] = NULL;
    if (harm->answered) {
        free(harm);
        op_go_up(op);
    } else if (harm->drop) {
        fail_harmed(harm, LARDER_DEADLINE, "fault: dropped");
    } else if (harm->error != LARDER_OK) {
        fail_harmed(harm, harm->error, "fault: as the plan says");
    } else {
        send(harm->layer, op, harm);
    }
}

static void call(void *instance, struct larder_op *pub) {
    struct fault *layer = instance;
    struct op *op = (struct op *)pub;
    struct harm *harm = harm_of(layer, op);
    uint64_t now_ns = reactor_now_ns(op->reactor);

    if (harm == NULL)
        send(layer, op, NULL);
    else if (harm->drop)
        hold(harm, pub->deadline_ns == UINT64_MAX ? now_ns + DROP_NS : pub->deadline_ns + AFTER_DEADLINE_NS);
    else if (harm->delay)
        hold(harm, now_ns + harm->delay_ns);
    else
        go_on(harm);
}

/* An answer that is on its way only comes late. */
static void cancel(void *instance, struct larder_op *pub) {
    struct harm *harm = pub->scratch[FORWARD_OWN];

    (void)instance;
    if (harm == NULL || harm->answered || harm->timer.due_ns == UINT64_MAX)
        return;
    timer_done(&harm->timer);
    fail_harmed(harm, LARDER_CANCELLED, NULL);
}

/* ---- the driver's shape --------------------------------------------------------------------------------- */

static void close_fault(void *instance) {
    struct fault *layer = instance;

    for (struct harm *harm = layer->repeats, *next; harm != NULL; harm = next) {
        next = harm->next;
        timer_done(&harm->timer);
        op_free(harm->op);
        free(harm);
    }
    free(layer);
}

static int32_t open_fault(const struct larder_host *host, struct larder_home *home, const void *config,
                          struct larder_info *info, void **instance, char *error) {
    const struct layer_config *layer_config = config;
    const struct layer_fault_settings *settings = layer_config->settings;
    struct fault *layer = calloc(1, sizeof(*layer));
    char why[FAULT_WHY];

    (void)host;
    (void)home;
    if (layer == NULL)
        return LARDER_NOMEM;
    if (!fault_parse(settings->plan, &layer->plan, why)) {
        snprintf(error, LARDER_ERROR_SIZE, "fault: %s", why);
        free(layer);
        return LARDER_INVALID;
    }
    layer->below = layer_config->below;
    layer->random = layer->plan.seed;
    layer->opened_ns = reactor_now_ns(layer->below->reactor);
    layer->counter = settings->counter;
    log_line(LARDER_LOG_WARN, "FAULTS ARE ON: the setting `fault` harms operations of driver %s (%s): %s",
             layer->below->driver->name, settings->role, settings->plan);
    *info = forward_info(layer->below);
    *instance = layer;
    return LARDER_OK;
}

static const struct larder_cache_ops cache_ops = FORWARD_CACHE_OPS(call);
static const struct larder_tag_ops tag_ops = FORWARD_TAG_OPS(call);

const struct larder_driver layer_fault = {
    .size = sizeof(struct larder_driver),
    .abi = LARDER_ABI,
    .name = "fault",
    .version = LARDER_VERSION,
    .summary = "Does harm on purpose.",
    .param_size = sizeof(struct larder_param),
    .config_size = sizeof(struct layer_fault_settings),
    .cache = &cache_ops,
    .tags = &tag_ops,
    .open = open_fault,
    .close = close_fault,
    .ping = call,
    .provision = call,
    .explain = call,
    .cancel = cancel,
};
