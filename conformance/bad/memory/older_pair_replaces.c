/* Mistake: a pair of stale epoch and expiry replaces the stored pair, also by an older one
 *
 * The two belong together, so they are replaced together; which of the two pairs is the stricter
 * is not asked.
 *
 * Caught by: marks/the_greater_epoch_and_the_sooner_expiry_win
 */
#include "bad.h"
#include "memory.h"

static void write(void *instance, struct larder_op *op) {
    struct store *store = ((struct memory *)instance)->store;
    struct larder_result res = ask(right->tags->write, instance, op);
    for (size_t i = 0; i < op->n_marks && res.status == LARDER_OK; i++) {
        struct larder_mark *stored = map_find(&store->marks, op->marks[i].tag)->value;
        if (op->marks[i].stale_epoch != LARDER_UNSET) {
            stored->stale_epoch = op->marks[i].stale_epoch;
            stored->expire_at_ms = op->marks[i].expire_at_ms;
        }
    }
    the_host->complete(op, &res);
}

const struct mistake mistake = {.tags.write = write};
