/* Mistake: removing a key that is not there is never completed
 *
 * "There is nothing to do" is taken for "there is nothing to say".  It shows late: the caller runs
 * into its deadline, and the op counts as under way for ever.
 *
 * Caught by: basic/a_removed_key_is_a_miss_and_its_neighbours_stay (never completed)
 */
#include "bad.h"

static void remove_entry(void *instance, struct larder_op *op) {
    struct larder_result found = ask(right->cache->get, instance, op);
    the_host->buf_unref(found.value.owner);
    if (found.status != LARDER_MISS)
        right->cache->remove(instance, op);
}

const struct mistake mistake = {.cache.remove = remove_entry};
