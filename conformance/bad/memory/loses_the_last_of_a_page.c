/* Mistake: the last key of each page is lost
 *
 * One more than the limit is read, to know whether there is more, and the next page begins behind
 * that one instead of with it.
 *
 * Caught by: list/few_keys_are_listed_one_by_one
 */
#include "bad.h"

static uint64_t left;

static int32_t emit_key(struct larder_op *op, struct larder_bytes key) {
    if (op->code == LARDER_OP_LIST && op->limit > 0 && left-- == 0)
        return LARDER_OK;
    return the_host->emit_key(op, key);
}

static void list(void *instance, struct larder_op *op) {
    struct larder_op copy = disguised(op);
    left = op->limit;
    if (op->limit > 0 && op->limit < UINT64_MAX)
        copy.limit++;
    right->cache->list(instance, &copy);
}

const struct mistake mistake = {.host.emit_key = emit_key, .cache.list = list};
