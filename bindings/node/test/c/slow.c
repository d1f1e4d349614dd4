/*
 * A driver for the addon's tests: it stores nothing and takes `delay` for every get, put and
 * remove, so that a test can hold calls for as long as it likes.  Marks and epochs are answered
 * at once: every tag has a mark that is older than all entries, and the counter is the clock.
 */
#include "larder/driver.h"

#include <stdlib.h>

struct slow_config {
    int64_t delay_ms;
};

struct slow {
    const struct larder_host *host;
    struct larder_home *home;
    const struct slow_config *config;
};

static const struct larder_param params[] = {
    {.name = "delay",
     .type = LARDER_P_MS,
     .offset = LARDER_AT(struct slow_config, delay_ms),
     .preset = "100ms",
     .min = 0,
     .max = 3600000,
     .help = "how long a get, a put or a remove takes"},
};

static const struct larder_host *the_host; /* the same for every instance of a process */

static void finish(struct larder_op *op, int32_t status) {
    struct larder_result result = {.size = sizeof(result), .status = status};
    the_host->complete(op, &result);
}

static void on_due(void *arg) {
    struct larder_op *op = arg;
    the_host->timer_free(op->scratch[0]);
    finish(op, op->code == LARDER_OP_GET ? LARDER_MISS : LARDER_OK);
}

static void slow_later(void *instance, struct larder_op *op) {
    struct slow *slow = instance;
    struct larder_timer *timer = slow->host->timer(slow->home, on_due, op);
    if (!timer) {
        finish(op, LARDER_NOMEM);
        return;
    }
    op->scratch[0] = timer;
    slow->host->timer_set(timer, slow->host->now_ns() + (uint64_t)slow->config->delay_ms * 1000000);
}

static void slow_ok(void *instance, struct larder_op *op) {
    (void)instance;
    finish(op, LARDER_OK);
}

/* The core wants to find the mark of the namespace that it wrote; older than all is good enough. */
static void slow_read(void *instance, struct larder_op *op) {
    (void)instance;
    for (size_t i = 0; i < op->n_marks; i++) {
        struct larder_mark mark = {op->marks[i].tag, 1, LARDER_UNSET, LARDER_UNSET};
        if (the_host->emit_mark(op, &mark) != LARDER_OK) {
            finish(op, LARDER_NOMEM);
            return;
        }
    }
    finish(op, LARDER_OK);
}

static void slow_advance(void *instance, struct larder_op *op) {
    (void)instance;
    struct larder_result result = {
        .size = sizeof(result), .status = LARDER_OK, .epoch = op->now_ms + op->add};
    the_host->complete(op, &result);
}

static int32_t slow_open(const struct larder_host *host, struct larder_home *home, const void *config,
                         struct larder_info *info, void **instance, char *error) {
    (void)error;
    (void)info;
    struct slow *slow = malloc(sizeof(*slow));
    if (!slow)
        return LARDER_NOMEM;
    *slow = (struct slow){host, home, config};
    the_host = host;
    *instance = slow;
    return LARDER_OK;
}

static void slow_close(void *instance) {
    free(instance);
}

static const struct larder_cache_ops cache_ops = {
    .size = sizeof(cache_ops), .get = slow_later, .put = slow_later, .remove = slow_later};
static const struct larder_tag_ops tag_ops = {
    .size = sizeof(tag_ops), .read = slow_read, .write = slow_ok, .advance = slow_advance};

static const struct larder_driver slow_driver = {
    .size = sizeof(slow_driver),
    .abi = LARDER_ABI,
    .name = "slow",
    .version = "0",
    .summary = "takes its time (for tests)",
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .param_size = sizeof(params[0]),
    .config_size = sizeof(struct slow_config),
    .cache = &cache_ops,
    .tags = &tag_ops,
    .open = slow_open,
    .close = slow_close,
    .ping = slow_ok,
};
LARDER_EXPORT_DRIVER(slow_driver);
