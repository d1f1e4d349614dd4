/* Mistake: a key ends at its first NUL byte
 *
 * The store's client library takes C strings.
 *
 * Caught by: keys/every_byte_may_stand_in_a_key
 */
#include "bad.h"

static struct larder_op as_text(struct larder_op *op) {
    struct larder_op text = disguised(op);
    if (op->key.len > 0)
        text.key.len = strnlen((const char *)op->key.ptr, op->key.len);
    return text;
}

static void get(void *instance, struct larder_op *op) {
    struct larder_op text = as_text(op);
    right->cache->get(instance, &text);
}

static void put(void *instance, struct larder_op *op) {
    struct larder_op text = as_text(op);
    right->cache->put(instance, &text);
}

static void remove_entry(void *instance, struct larder_op *op) {
    struct larder_op text = as_text(op);
    right->cache->remove(instance, &text);
}

const struct mistake mistake = {.cache = {.get = get, .put = put, .remove = remove_entry}};
