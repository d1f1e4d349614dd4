/* Mistake: the prefix of a list is a pattern
 *
 * SCAN MATCH prefix*, LIKE 'prefix%': what stands in a key is read as part of the pattern.
 *
 * Caught by: list/a_prefix_may_end_in_any_byte
 */
#include "bad.h"

static bool matches(struct larder_bytes key, struct larder_bytes pattern) {
    bool same = key.len >= pattern.len;
    for (size_t i = 0; i < pattern.len && same; i++)
        same = pattern.ptr[i] == '_' || pattern.ptr[i] == key.ptr[i];
    return same;
}

static int32_t emit_key(struct larder_op *op, struct larder_bytes key) {
    return op->code != LARDER_OP_LIST || matches(key, op->key) ? the_host->emit_key(op, key) : LARDER_OK;
}

static void list(void *instance, struct larder_op *op) {
    struct larder_op copy = disguised(op);
    const uint8_t *any = op->key.len > 0 ? memchr(op->key.ptr, '_', op->key.len) : NULL;
    if (any)
        copy.key.len = (size_t)(any - op->key.ptr);
    right->cache->list(instance, &copy);
}

const struct mistake mistake = {.host.emit_key = emit_key, .cache.list = list};
