/* Mistake: says LARDER_NEWEST, and the last put wins
 *
 * The trait was copied with the rest of open() from another driver.
 *
 * Caught by: claims/a_late_put_of_an_older_rendering_replaces_nothing
 */
#include "bad.h"

static void put(void *instance, struct larder_op *op) {
    if (op->flags == 0) {
        struct larder_op look = *op;
        ask(right->cache->remove, instance, &look);
    }
    right->cache->put(instance, op);
}

const struct mistake mistake = {.cache.put = put};
