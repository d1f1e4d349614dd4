/*
 * The namespace is one segment before every key, tag and counter.  It is escaped as build ids
 * are, so that no namespace is the beginning of another and a store of any key_bytes takes it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"
#include "forward.h"
#include "key.h"
#include "layers.h"

struct space {
    struct backend *below;
    struct larder_bytes prefix; /* "<namespace>/" */
    /* Where prefixed inputs are put together; op_new() copies them from here. */
    struct larder_mark *marks;
    size_t room_marks;
    uint8_t *text;
    size_t room_text;
};

/* Whether key of an op lives in the namespace; a topic of explain does not. */
static bool has_key(const struct larder_op *pub) {
    switch (pub->code) {
    case LARDER_OP_TAGS_WRITE: return pub->key.len > 0; /* a counter, or none */
    case LARDER_OP_TAGS_READ:
    case LARDER_OP_PING:
    case LARDER_OP_PROVISION:
    case LARDER_OP_EXPLAIN: return false;
    default: return true;
    }
}

static bool make_room(struct space *space, const struct larder_op *pub) {
    size_t text, each = pub->key.len;
    bool fits = !__builtin_mul_overflow(space->prefix.len, pub->n_marks + 1, &text);

    for (size_t i = 0; fits && i < pub->n_marks; i++)
        fits = !__builtin_add_overflow(each, pub->marks[i].tag.len, &each);
    if (!fits || __builtin_add_overflow(text, each, &text))
        return false;
    if (text > space->room_text) {
        uint8_t *bigger = realloc(space->text, text);
        if (bigger == NULL)
            return false;
        space->text = bigger;
        space->room_text = text;
    }
    if (pub->n_marks > space->room_marks) {
        struct larder_mark *bigger = reallocarray(space->marks, pub->n_marks, sizeof(*bigger));
        if (bigger == NULL)
            return false;
        space->marks = bigger;
        space->room_marks = pub->n_marks;
    }
    return true;
}

static struct larder_bytes prefixed(const struct space *space, struct larder_bytes name, uint8_t **at) {
    struct larder_bytes out = {*at, space->prefix.len + name.len};

    *at = bytes_put(bytes_put(*at, space->prefix), name);
    return out;
}

/* Takes the prefix off; false: a record of another namespace, which the driver should not have
 * told us of. */
static bool strip(const struct space *space, struct larder_bytes *name) {
    if (!bytes_begin_with(*name, space->prefix))
        return false;
    name->ptr += space->prefix.len;
    name->len -= space->prefix.len;
    return true;
}

static void strip_records(void *arg, struct op *child) {
    struct larder_op *pub = arg;
    const struct space *space = pub->scratch[FORWARD_LAYER];
    size_t kept = 0;

    for (size_t i = 0; i < child->n_marks; i++) {
        struct larder_mark mark = child->marks[i];
        if (strip(space, &mark.tag))
            child->marks[kept++] = mark;
    }
    child->n_marks = kept;
    kept = 0;
    for (size_t i = 0; i < child->n_keys; i++) {
        struct larder_bytes key = child->keys[i];
        if (strip(space, &key))
            child->keys[kept++] = key;
    }
    child->n_keys = kept;
    forward_done(arg, child);
}

static void call(void *instance, struct larder_op *pub) {
    struct space *space = instance;
    struct op_inputs in = op_inputs_of(pub);
    uint8_t *at;

    pub->scratch[FORWARD_LAYER] = space;
    if (!make_room(space, pub)) {
        op_fail(pub, LARDER_NOMEM, "out of memory");
        return;
    }
    at = space->text;
    if (has_key(pub))
        in.key = prefixed(space, pub->key, &at);
    for (size_t i = 0; i < pub->n_marks; i++) {
        space->marks[i] = pub->marks[i];
        space->marks[i].tag = prefixed(space, pub->marks[i].tag, &at);
    }
    in.marks = space->marks;
    forward_call(space->below, pub, &in, strip_records);
}

static void cancel(void *instance, struct larder_op *pub) {
    (void)instance;
    forward_cancel(pub);
}

static void close_space(void *instance) {
    struct space *space = instance;

    free((void *)(uintptr_t)space->prefix.ptr);
    free(space->marks);
    free(space->text);
    free(space);
}

static int32_t open_space(const struct larder_host *host, struct larder_home *home, const void *config,
                          struct larder_info *info, void **instance, char *error) {
    const struct layer_config *layer = config;
    const struct layer_namespace_settings *settings = layer->settings;
    struct larder_bytes ns = bytes_of(settings->ns);
    struct larder_info of_below = forward_info(layer->below);
    size_t len = key_segment_len(ns) + 1;

    (void)host;
    (void)home;
    if (of_below.max_key != 0) {
        /* Less than this, and some key would have no name at all. */
        if (of_below.max_key < len || of_below.max_key - len < KEY_LEAST) {
            snprintf(
                error, LARDER_ERROR_SIZE,
                "namespace '%.40s' takes %zu of the %llu bytes of a key in this store, which must leave %d",
                settings->ns, len, (unsigned long long)of_below.max_key, (int)KEY_LEAST);
            return LARDER_INVALID;
        }
        of_below.max_key -= len;
    }
    struct space *space = calloc(1, sizeof(*space));
    uint8_t *prefix = malloc(len);
    if (space == NULL || prefix == NULL) {
        free(space);
        free(prefix);
        return LARDER_NOMEM;
    }
    *key_segment_put(ns, prefix) = '/';
    space->below = layer->below;
    space->prefix = (struct larder_bytes){prefix, len};
    *info = of_below;
    *instance = space;
    return LARDER_OK;
}

static const struct larder_cache_ops cache_ops = FORWARD_CACHE_OPS(call);
static const struct larder_tag_ops tag_ops = FORWARD_TAG_OPS(call);

const struct larder_driver layer_namespace = {
    .size = sizeof(struct larder_driver),
    .abi = LARDER_ABI,
    .name = "namespace",
    .version = LARDER_VERSION,
    .summary = "Keeps the keys, tags and counters of one namespace apart.",
    .param_size = sizeof(struct larder_param),
    .config_size = sizeof(struct layer_namespace_settings),
    .cache = &cache_ops,
    .tags = &tag_ops,
    .open = open_space,
    .close = close_space,
    .ping = call,
    .provision = call,
    .explain = call,
    .cancel = cancel,
};
