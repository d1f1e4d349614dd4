/* Mistake: of more than 100 tags the first 100 are read
 *
 * The store takes 100 keys in one request, and the driver makes one request.
 *
 * Caught by: tags/no_tag_of_many_is_left_out
 */
#include "bad.h"

static void read(void *instance, struct larder_op *op) {
    struct larder_op copy = disguised(op);
    if (copy.n_marks > 100)
        copy.n_marks = 100;
    right->tags->read(instance, &copy);
}

const struct mistake mistake = {.tags.read = read};
