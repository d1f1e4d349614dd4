/* Mistake: a put with LARDER_IF_ABSENT overwrites
 *
 * The flag was added to the list of known ones, so that the op is not refused, and to nothing else.
 *
 * Caught by: basic/a_put_if_absent_leaves_what_is_stored
 */
#include "bad.h"

static void put(void *instance, struct larder_op *op) {
    struct larder_op copy = disguised(op);
    copy.flags &= ~(uint32_t)LARDER_IF_ABSENT;
    right->cache->put(instance, &copy);
}

const struct mistake mistake = {.cache.put = put};
