/* Mistake: an op that comes too late is answered as cancelled
 *
 * Whoever is told LARDER_CANCELLED asked for it, and looks no further; a store that is too slow is
 * seen by nobody.
 *
 * Caught by: flight/ops_that_are_given_up_or_late_are_answered_once_and_truly (CANCELLED without cancel())
 */
#include "bad.h"

static void get(void *instance, struct larder_op *op) {
    if (op->deadline_ns > the_host->now_ns())
        right->cache->get(instance, op);
    else
        answer(op, LARDER_CANCELLED, NULL);
}

const struct mistake mistake = {.cache.get = get};
