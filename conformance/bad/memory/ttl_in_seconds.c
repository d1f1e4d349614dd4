/* Mistake: ttl_ms is taken for seconds
 *
 * EX, not PX: entries stay a thousand times as long as they may.
 *
 * Caught by: times/a_ttl_counts_in_milliseconds
 */
#include "bad.h"

static void put(void *instance, struct larder_op *op) {
    struct larder_op copy = disguised(op);
    if (__builtin_mul_overflow(op->ttl_ms, 1000, &copy.ttl_ms))
        copy.ttl_ms = INT64_MAX;
    right->cache->put(instance, &copy);
}

const struct mistake mistake = {.cache.put = put};
