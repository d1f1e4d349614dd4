/* Mistake: the pointer to a key is kept after the op, not a copy
 *
 * The last key that was a miss is remembered, so that the next get of it is quick.  A value may be
 * kept by a reference; the key looks the same, but it is the op's own and goes with it.
 *
 * Caught by: basic/a_removed_key_is_a_miss_and_its_neighbours_stay (op touched after completion)
 */
#include "bad.h"

static struct larder_bytes last_miss;

static void complete(struct larder_op *op, const struct larder_result *res) {
    if (op->code == LARDER_OP_GET && res->status == LARDER_MISS)
        last_miss = op->key;
    the_host->complete(op, res);
}

static void get(void *instance, struct larder_op *op) {
    if (last_miss.ptr && same_bytes(last_miss, op->key))
        answer(op, LARDER_MISS, NULL);
    else
        right->cache->get(instance, op);
}

static void put(void *instance, struct larder_op *op) {
    if (last_miss.ptr && same_bytes(last_miss, op->key))
        last_miss.ptr = NULL;
    right->cache->put(instance, op);
}

const struct mistake mistake = {.host.complete = complete, .cache = {.get = get, .put = put}};
