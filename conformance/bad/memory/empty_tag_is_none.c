/* Mistake: a mark for the empty tag is not stored
 *
 * A tag of no bytes looks like a mistake of the caller's.  It is the tag of the namespace, and its
 * mark tells a tag store that was wiped from one that was not.
 *
 * Caught by: tags/the_empty_tag_is_a_tag
 */
#include <stdlib.h>

#include "bad.h"

static void write(void *instance, struct larder_op *op) {
    struct larder_op copy = disguised(op);
    struct larder_mark *marks = calloc(op->n_marks + 1, sizeof(*marks));
    if (!marks) {
        answer(op, LARDER_NOMEM, NULL);
        return;
    }
    copy.n_marks = 0;
    copy.marks = marks;
    for (size_t i = 0; i < op->n_marks; i++) {
        if (op->marks[i].tag.len > 0)
            marks[copy.n_marks++] = op->marks[i];
    }
    right->tags->write(instance, &copy);
    free(marks);
}

const struct mistake mistake = {.tags.write = write};
