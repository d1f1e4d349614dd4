/* Mistake: every page is the first one
 *
 * The cursor is given and never read.  With less than a page of keys it cannot be told.
 *
 * Caught by: list/many_keys_are_listed_page_by_page_from_either_instance
 */
#include "bad.h"

static void list(void *instance, struct larder_op *op) {
    struct larder_op copy = disguised(op);
    copy.cursor = (struct larder_bytes){0};
    right->cache->list(instance, &copy);
}

const struct mistake mistake = {.cache.list = list};
