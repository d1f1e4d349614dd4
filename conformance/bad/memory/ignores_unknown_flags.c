/* Mistake: flags that the driver does not know are ignored
 *
 * Tolerance.  A flag changes what an op means; who ignores LARDER_IF_ABSENT overwrites.
 *
 * Caught by: limits/a_flag_of_the_future_is_refused_and_changes_nothing
 */
#include "bad.h"

static void get(void *instance, struct larder_op *op) {
    struct larder_op copy = disguised(op);
    copy.flags = 0;
    right->cache->get(instance, &copy);
}

const struct mistake mistake = {.cache.get = get};
