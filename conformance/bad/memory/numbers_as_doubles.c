/* Mistake: epochs pass through a double
 *
 * JSON, Lua in Redis, JavaScript: numbers above 2^53 lose their last digits.  Times are far below
 * that, which is why it is not seen.
 *
 * Caught by: times/times_and_epochs_are_read_back_exactly
 */
#include "bad.h"

static void put(void *instance, struct larder_op *op) {
    struct larder_op copy = disguised(op);
    if (op->epoch > INT64_MIN / 2 && op->epoch < INT64_MAX / 2) /* beyond, the cast back is undefined */
        copy.epoch = (int64_t)(double)op->epoch;
    right->cache->put(instance, &copy);
}

const struct mistake mistake = {.cache.put = put};
