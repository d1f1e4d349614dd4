/* Mistake: removing what is not there is a miss
 *
 * The store tells how many it removed.  Ops are repeated after a fault, and the second remove has
 * done its work as well as the first.
 *
 * Caught by: basic/a_removed_key_is_a_miss_and_its_neighbours_stay (MISS where it is no answer)
 */
#include "bad.h"

static void remove_entry(void *instance, struct larder_op *op) {
    struct larder_result found = ask(right->cache->get, instance, op);
    the_host->buf_unref(found.value.owner);
    if (found.status == LARDER_MISS)
        answer(op, LARDER_MISS, NULL);
    else
        right->cache->remove(instance, op);
}

const struct mistake mistake = {.cache.remove = remove_entry};
