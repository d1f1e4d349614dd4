/* Mistake: marks go when there is no room for entries
 *
 * One cache with one limit, and the least recently used goes first, whatever it is (Redis with
 * allkeys-lru).  A revalidation that is forgotten brings back what it outdated.
 *
 * Caught by: limits/marks_and_counters_stay_when_entries_are_pushed_out
 * With: max-size=24MB
 */
#include <stdlib.h>

#include "bad.h"
#include "memory.h"

static void put(void *instance, struct larder_op *op) {
    struct store *store = ((struct memory *)instance)->store;
    size_t before = store->entries.n;
    struct larder_op look = *op;
    look.flags = 0;
    struct larder_result found = ask(right->cache->get, instance, &look);
    the_host->buf_unref(found.value.owner);
    struct larder_result res = ask(right->cache->put, instance, op);
    bool room_was_made = found.status == LARDER_MISS && store->entries.n <= before;
    if (res.status == LARDER_OK && room_was_made && store->marks.head[0])
        free(map_remove(&store->marks, store->marks.head[0]->key));
    the_host->complete(op, &res);
}

const struct mistake mistake = {.cache.put = put};
