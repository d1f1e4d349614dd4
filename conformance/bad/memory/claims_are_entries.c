/* Mistake: a claim is an entry
 *
 * SET NX under the key itself.  A get during the rendering finds the owner's name, and serves it.
 *
 * Caught by: claims/a_claimed_key_is_held_until_it_is_given_back
 */
#include "bad.h"

static void claim(void *instance, struct larder_op *op) {
    struct larder_result res = ask(right->cache->claim, instance, op);
    if (res.status == LARDER_OK)
        ask(right->cache->put, instance, op);
    the_host->complete(op, &res);
}

const struct mistake mistake = {.cache.claim = claim};
