/* Mistake: the expired epoch of a mark can become smaller
 *
 * Members that are set replace those that are stored: the upsert that every database offers.
 *
 * Caught by: marks/no_epoch_of_a_mark_ever_goes_down
 */
#include "bad.h"
#include "memory.h"

static void write(void *instance, struct larder_op *op) {
    struct store *store = ((struct memory *)instance)->store;
    struct larder_result res = ask(right->tags->write, instance, op);
    for (size_t i = 0; i < op->n_marks && res.status == LARDER_OK; i++) {
        struct larder_mark *stored = map_find(&store->marks, op->marks[i].tag)->value;
        if (op->marks[i].expired_epoch != LARDER_UNSET)
            stored->expired_epoch = op->marks[i].expired_epoch;
    }
    the_host->complete(op, &res);
}

const struct mistake mistake = {.tags.write = write};
