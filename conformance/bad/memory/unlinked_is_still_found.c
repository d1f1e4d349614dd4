/* Mistake: a key that was unlinked is still found by its tags
 *
 * link() with no tags has an empty loop, and that is all it does.
 *
 * Caught by: index/linking_to_no_tag_forgets_the_key
 */
#include "bad.h"

static void link(void *instance, struct larder_op *op) {
    if (op->n_marks == 0 && op->flags == 0)
        answer(op, LARDER_OK, NULL);
    else
        right->tags->link(instance, op);
}

const struct mistake mistake = {.tags.link = link};
