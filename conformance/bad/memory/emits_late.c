/* Mistake: the last key of a list is emitted after the list was completed
 *
 * Keys are passed on one behind, to know which is the last, and the one that is left is passed on
 * when the loop is over, which is where the answer was given.
 *
 * Caught by: list/few_keys_are_listed_one_by_one (emitted after completion)
 */
#include <stdlib.h>

#include "bad.h"

static struct {
    uint8_t *copy;
    size_t len;
} last;

static void keep(struct larder_bytes key) {
    free(last.copy);
    last.copy = malloc(key.len + 1);
    last.len = key.len;
    if (last.copy && key.len > 0)
        memcpy(last.copy, key.ptr, key.len);
}

static int32_t emit_key(struct larder_op *op, struct larder_bytes key) {
    int32_t status = LARDER_OK;
    if (op->code == LARDER_OP_LIST && last.copy)
        status = the_host->emit_key(op, (struct larder_bytes){last.copy, last.len});
    else if (op->code != LARDER_OP_LIST)
        return the_host->emit_key(op, key);
    keep(key);
    return status;
}

static void list(void *instance, struct larder_op *op) {
    right->cache->list(instance, op);
    if (last.copy)
        (void)the_host->emit_key(op, (struct larder_bytes){last.copy, last.len});
    free(last.copy);
    last.copy = NULL;
}

const struct mistake mistake = {.host.emit_key = emit_key, .cache.list = list};
