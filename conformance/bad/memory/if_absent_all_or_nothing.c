/* Mistake: of several marks with LARDER_IF_ABSENT none is written when one is there
 *
 * A transaction with a condition on each item, which fails as a whole.
 *
 * Caught by: marks/marks_if_absent_are_looked_at_each_alone
 */
#include "bad.h"
#include "memory.h"

static void write(void *instance, struct larder_op *op) {
    struct store *store = ((struct memory *)instance)->store;
    for (size_t i = 0; i < op->n_marks && op->flags == LARDER_IF_ABSENT; i++) {
        if (map_find(&store->marks, op->marks[i].tag)) {
            answer(op, LARDER_MISS, NULL);
            return;
        }
    }
    right->tags->write(instance, op);
}

const struct mistake mistake = {.tags.write = write};
