/* Mistake: a put over an entry leaves the time at which it goes
 *
 * An upsert that sets the columns of the value and not the one of the expiry.
 *
 * Caught by: times/a_new_put_brings_its_own_time
 */
#include "bad.h"
#include "memory.h"

static void put(void *instance, struct larder_op *op) {
    struct store *store = ((struct memory *)instance)->store;
    int64_t was = LARDER_UNSET;
    struct map_node *node = map_find(&store->entries, op->key);
    bool there = node != NULL;
    if (there)
        was = ((struct entry *)node->value)->expire_at_ms;
    struct larder_result res = ask(right->cache->put, instance, op);
    node = map_find(&store->entries, op->key);
    if (there && node)
        ((struct entry *)node->value)->expire_at_ms = was;
    the_host->complete(op, &res);
}

const struct mistake mistake = {.cache.put = put};
