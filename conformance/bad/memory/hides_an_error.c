/* Mistake: a get that fails is answered as a miss
 *
 * "It is only a cache."  The page is rendered again, and nobody sees that the store is broken: no
 * log, no retry, no breaker; and a store that hides errors of its marks serves what is stale.
 *
 * Caught by: starve/whichever_allocation_fails_what_is_answered_is_true
 */
#include "bad.h"

static void get(void *instance, struct larder_op *op) {
    struct larder_result res = ask(right->cache->get, instance, op);
    struct larder_slice stored = res.value;
    if (res.status == LARDER_OK && stored.len > 0) {
        if (!copy_of((struct larder_bytes){stored.ptr, stored.len}, 0, &res.value)) {
            res = (struct larder_result){.size = sizeof(res), .status = LARDER_MISS};
        }
        the_host->buf_unref(stored.owner);
    }
    the_host->complete(op, &res);
}

const struct mistake mistake = {.cache.get = get};
