/* Mistake: an op whose deadline has passed is dropped
 *
 * Nobody waits for the answer any more, so the driver gives none.  But the core does not know that
 * the op is over until it is completed, and keeps its memory and its place.
 *
 * Caught by: flight/ops_that_are_given_up_or_late_are_answered_once_and_truly (never completed)
 */
#include "bad.h"

static void get(void *instance, struct larder_op *op) {
    if (op->deadline_ns > the_host->now_ns())
        right->cache->get(instance, op);
}

const struct mistake mistake = {.cache.get = get};
