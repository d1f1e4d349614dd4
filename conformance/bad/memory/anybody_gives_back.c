/* Mistake: a claim can be given back by anybody
 *
 * DEL.  Who worked for longer than his claim lasted gives back the claim of the next one, and a
 * third begins.
 *
 * Caught by: claims/only_the_owner_gives_a_claim_back
 */
#include <stdlib.h>

#include "bad.h"
#include "memory.h"

static void release(void *instance, struct larder_op *op) {
    struct store *store = ((struct memory *)instance)->store;
    if (op->flags == 0)
        free(map_remove(&store->claims, op->key));
    right->cache->release(instance, op);
}

const struct mistake mistake = {.cache.release = release};
