/* Mistake: the op is written to after it has been completed
 *
 * Tidying up at the end of the function: the pointer to what was just freed is cleared.  By then
 * the op belongs to the core again, or to nobody.
 *
 * Caught by: basic/a_removed_key_is_a_miss_and_its_neighbours_stay (op touched after completion)
 */
#include "bad.h"

static void remove_entry(void *instance, struct larder_op *op) {
    right->cache->remove(instance, op);
    op->scratch[0] = NULL;
}

const struct mistake mistake = {.cache.remove = remove_entry};
