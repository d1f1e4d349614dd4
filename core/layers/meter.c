/*
 * Counts and times every attempt that passes, in memory that other threads read meanwhile.  The
 * reactor's thread is the only writer, so an addition is a plain load and a relaxed store: no
 * lock, no atomic read-modify-write.  Two readings of the clock are most of what it costs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "forward.h"
#include "histogram.h"
#include "layers.h"
#include "phrase.h"

struct metered {
    struct backend *below;
    struct meter *meter;
};

/* A driver may make up a status that no header has. */
static uint32_t class_of(int32_t status) {
    uint32_t class = LARDER_CLASS(status);

    return class < LARDER_N_CLASSES ? class : LARDER_CLASS(LARDER_INTERNAL);
}

/* For the trace of a request. */
static void tell(const struct op *op, const char *driver, uint64_t took_ns) {
    char text[96];
    struct phrase what = phrase_begin(text, sizeof(text));
    if (op->result.value.len > 0)
        phrase_add(&what, ", bytes %zu", op->result.value.len);
    if (op->n_marks + op->n_keys > 0)
        phrase_add(&what, ", records %zu", op->n_marks + op->n_keys);
    if (op->result.epoch != 0 && (op->pub.code == LARDER_OP_ADVANCE || op->pub.code == LARDER_OP_BUMP))
        phrase_add(&what, ", epoch %lld", (long long)op->result.epoch);
    if (op->result.detail[0] != '\0')
        phrase_add(&what, ", %.60s", op->result.detail);
    trace_step(op->trace, "driver %s: %s is answered after %llu us: %s%s", driver,
               larder_op_name(op->pub.code), (unsigned long long)(took_ns / 1000u),
               larder_status_name(op->result.status), text);
}

static void back(void *arg, struct op *op) {
    struct metered *layer = arg;
    struct meter *meter = layer->meter;
    struct larder_op_metrics *m = &meter->ops[op->pub.code < LARDER_N_OPS ? op->pub.code : 0];
    uint64_t began_ns = op_top_level(op)->at_ns, now_ns = reactor_now_ns(op->reactor);

    op->back_ns = now_ns;
    histogram_note(&m->latency, now_ns > began_ns ? now_ns - began_ns : 0);
    COUNT_ADD(m->answers[class_of(op->result.status)], 1);
    if (op->pub.value.len > 0)
        COUNT_ADD(m->bytes_sent, op->pub.value.len);
    if (op->result.value.len > 0)
        COUNT_ADD(m->bytes_received, op->result.value.len);
    if (op->n_marks + op->n_keys > 0)
        COUNT_ADD(m->records, op->n_marks + op->n_keys);
    COUNT_SET(meter->inflight, meter->inflight - 1);
    if (now_ns >= op->pub.deadline_ns)
        COUNT_ADD(meter->late, 1);
    if (op->trace != NULL)
        tell(op, layer->below->driver->name, now_ns - began_ns);
    op_return(op);
}

static void call(void *instance, struct larder_op *pub) {
    struct metered *layer = instance;
    struct op_level *level = forward_lend(pub, back, layer);

    if (level == NULL)
        return;
    level->at_ns = reactor_now_ns(layer->below->reactor);
    COUNT_ADD(layer->meter->inflight, 1);
    backend_call(layer->below, (struct op *)pub);
}

static void close_meter(void *instance) {
    free(instance);
}

static int32_t open_meter(const struct larder_host *host, struct larder_home *home, const void *config,
                          struct larder_info *info, void **instance, char *error) {
    const struct layer_config *layer_config = config;
    const struct layer_meter_settings *settings = layer_config->settings;
    struct metered *layer = calloc(1, sizeof(*layer));

    (void)host;
    (void)home;
    if (layer == NULL) {
        snprintf(error, LARDER_ERROR_SIZE, "meter: out of memory");
        return LARDER_NOMEM;
    }
    layer->below = layer_config->below;
    layer->meter = settings->meter;
    *info = forward_info(layer->below);
    *instance = layer;
    return LARDER_OK;
}

static const struct larder_cache_ops cache_ops = FORWARD_CACHE_OPS(call);
static const struct larder_tag_ops tag_ops = FORWARD_TAG_OPS(call);

const struct larder_driver layer_meter = {
    .size = sizeof(struct larder_driver),
    .abi = LARDER_ABI,
    .name = "meter",
    .version = LARDER_VERSION,
    .summary = "Counts and times what the driver does.",
    .param_size = sizeof(struct larder_param),
    .config_size = sizeof(struct layer_meter_settings),
    .cache = &cache_ops,
    .tags = &tag_ops,
    .open = open_meter,
    .close = close_meter,
    .ping = call,
    .provision = call,
    .explain = call,
};
