/* Mistake: an entry comes back with the epoch of now, not with the one it was put with
 *
 * The epoch is thought to be the time of writing.  It is the time that the rendering began; an
 * entry that was rendered before a revalidation and written after it now counts as fresh.
 *
 * Caught by: times/times_and_epochs_are_read_back_exactly
 */
#include "bad.h"

static void put(void *instance, struct larder_op *op) {
    struct larder_op copy = disguised(op);
    copy.epoch = op->now_ms;
    right->cache->put(instance, &copy);
}

const struct mistake mistake = {.cache.put = put};
