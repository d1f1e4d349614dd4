/*
 * A driver outside Larder's tree: an incremental cache of one slot.  It knows nothing but
 * larder/driver.h.
 */
#include <larder/driver.h>
#include <stdlib.h>
#include <string.h>

struct tiny_config {
    int64_t max_value;
};

struct tiny {
    const struct larder_host *host;
    uint8_t *key;
    size_t key_len;
    struct larder_slice value; /* one reference while key is set */
    int64_t modified_ms;
    int64_t epoch;
};

static void finish(struct tiny *t, struct larder_op *op, int32_t status) {
    const struct larder_result res = {.size = sizeof(res), .status = status};
    t->host->complete(op, &res);
}

static int holds(const struct tiny *t, struct larder_bytes key) {
    return t->key != NULL && t->key_len == key.len && memcmp(t->key, key.ptr, key.len) == 0;
}

static void forget(struct tiny *t) {
    free(t->key);
    t->key = NULL;
    t->host->buf_unref(t->value.owner);
    t->value = (struct larder_slice){0};
}

static void tiny_get(void *instance, struct larder_op *op) {
    struct tiny *t = instance;
    if (!holds(t, op->key)) {
        finish(t, op, LARDER_MISS);
        return;
    }
    struct larder_result res = {.size = sizeof(res),
                                .status = LARDER_OK,
                                .value = t->value,
                                .modified_ms = t->modified_ms,
                                .epoch = t->epoch};
    t->host->buf_ref(t->value.owner); /* passes to the core */
    t->host->complete(op, &res);
}

static void tiny_put(void *instance, struct larder_op *op) {
    struct tiny *t = instance;
    if ((op->flags & ~(uint32_t)LARDER_IF_ABSENT) != 0) {
        finish(t, op, LARDER_UNSUPPORTED);
        return;
    }
    if ((op->flags & LARDER_IF_ABSENT) != 0 && holds(t, op->key)) {
        finish(t, op, LARDER_MISS);
        return;
    }
    uint8_t *key = malloc(op->key.len + 1); /* + 1: an empty key has memory too */
    if (key == NULL) {
        finish(t, op, LARDER_NOMEM);
        return;
    }
    if (op->key.len > 0)
        memcpy(key, op->key.ptr, op->key.len);
    forget(t);
    t->key = key;
    t->key_len = op->key.len;
    t->value = op->value;
    t->host->buf_ref(t->value.owner);
    t->modified_ms = op->modified_ms;
    t->epoch = op->epoch;
    finish(t, op, LARDER_OK);
}

static void tiny_remove(void *instance, struct larder_op *op) {
    struct tiny *t = instance;
    if (holds(t, op->key))
        forget(t);
    finish(t, op, LARDER_OK);
}

static void tiny_ping(void *instance, struct larder_op *op) {
    finish(instance, op, LARDER_OK);
}

static int32_t tiny_open(const struct larder_host *host, struct larder_home *home, const void *config,
                         struct larder_info *info, void **instance, char *error) {
    (void)home;
    (void)error;
    const struct tiny_config *c = config;
    struct tiny *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return LARDER_NOMEM;
    t->host = host;
    info->max_value = (uint64_t)c->max_value;
    *instance = t;
    return LARDER_OK;
}

static void tiny_close(void *instance) {
    forget(instance);
    free(instance);
}

static const struct larder_cache_ops tiny_cache = {
    .size = sizeof(tiny_cache), .get = tiny_get, .put = tiny_put, .remove = tiny_remove};

static const struct larder_param tiny_params[] = {
    {.name = "max-value",
     .type = LARDER_P_BYTES,
     .offset = LARDER_AT(struct tiny_config, max_value),
     .preset = "1MB",
     .min = 1,
     .max = 1 << 30,
     .help = "largest value that is stored"},
};

static const struct larder_driver tiny = {
    .size = sizeof(tiny),
    .abi = LARDER_ABI,
    .name = "tiny",
    .version = "1.0",
    .summary = "one entry, in memory",
    .params = tiny_params,
    .n_params = sizeof(tiny_params) / sizeof(tiny_params[0]),
    .param_size = sizeof(tiny_params[0]),
    .config_size = sizeof(struct tiny_config),
    .cache = &tiny_cache,
    .open = tiny_open,
    .close = tiny_close,
    .ping = tiny_ping,
};

LARDER_EXPORT_DRIVER(tiny);
