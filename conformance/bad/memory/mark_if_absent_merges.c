/* Mistake: a mark with LARDER_IF_ABSENT is merged into the one that is there
 *
 * Merging does no harm to marks, it seems.  But this is how the mark of a namespace is created,
 * and each process that starts would make everything older than itself go.
 *
 * Caught by: marks/a_mark_if_absent_leaves_what_is_stored
 */
#include "bad.h"

static void write(void *instance, struct larder_op *op) {
    struct larder_op copy = disguised(op);
    copy.flags &= ~(uint32_t)LARDER_IF_ABSENT;
    right->tags->write(instance, &copy);
}

const struct mistake mistake = {.tags.write = write};
