/* Mistake: looking at a counter that is not there creates none
 *
 * A read should not write.  But then two processes that look see two numbers, each its own time,
 * and the greater one was never in the store.
 *
 * Caught by: epoch/looking_at_an_absent_counter_creates_it_from_the_time
 */
#include "bad.h"
#include "memory.h"

static void advance(void *instance, struct larder_op *op) {
    struct store *store = ((struct memory *)instance)->store;
    if (op->add == 0 && op->flags == 0 && !map_find(&store->counters, op->key)) {
        struct larder_result res = {.size = sizeof(res), .epoch = op->now_ms};
        the_host->complete(op, &res);
        return;
    }
    right->tags->advance(instance, op);
}

const struct mistake mistake = {.tags.advance = advance};
