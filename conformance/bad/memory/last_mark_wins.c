/* Mistake: a mark is stored as it arrives, in place of the one that is there
 *
 * SET.  What the new mark leaves unset is gone, and a revalidation that is on its way for longer
 * takes back one that came after it.
 *
 * Caught by: marks/what_a_mark_leaves_unset_stays_as_it_is_stored
 */
#include "bad.h"
#include "memory.h"

static void write(void *instance, struct larder_op *op) {
    struct store *store = ((struct memory *)instance)->store;
    struct larder_result res = ask(right->tags->write, instance, op);
    for (size_t i = 0; i < op->n_marks && res.status == LARDER_OK; i++) {
        struct larder_mark *stored = map_find(&store->marks, op->marks[i].tag)->value;
        struct larder_bytes own = stored->tag;
        *stored = op->marks[i];
        stored->tag = own;
    }
    the_host->complete(op, &res);
}

const struct mistake mistake = {.tags.write = write};
