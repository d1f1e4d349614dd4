/* Mistake: room for `limit` records is made before there are any
 *
 * The limit is a hint, and may be any number; it comes from a user's command line.
 *
 * Caught by: list/few_keys_are_listed_one_by_one
 */
#include <stdlib.h>

#include "bad.h"

static void list(void *instance, struct larder_op *op) {
    void *room = calloc(op->limit, sizeof(struct larder_bytes));
    if (room || op->limit == 0)
        right->cache->list(instance, op);
    else
        answer(op, LARDER_NOMEM, NULL);
    free(room);
}

const struct mistake mistake = {.cache.list = list};
