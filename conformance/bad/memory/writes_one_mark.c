/* Mistake: of several marks in one write the first is written
 *
 * Next.js revalidates one tag at a time, so that is what was tried.
 *
 * Caught by: tags/a_thousand_tags_are_written_and_read_in_one_op
 */
#include "bad.h"

static void write(void *instance, struct larder_op *op) {
    struct larder_op copy = disguised(op);
    if (copy.n_marks > 1)
        copy.n_marks = 1;
    right->tags->write(instance, &copy);
}

const struct mistake mistake = {.tags.write = write};
