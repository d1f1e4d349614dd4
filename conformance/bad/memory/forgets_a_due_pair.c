/* Mistake: a pair that is due is overwritten by the next one
 *
 * Greater and sooner are taken member by member, and the time is left out: what was gone by the
 * first pair is merely stale by the second, and comes back.
 *
 * Caught by: marks/a_pair_that_is_due_makes_room_and_brings_nothing_back
 */
#include "bad.h"

static void write(void *instance, struct larder_op *op) {
    struct larder_op copy = disguised(op);
    copy.now_ms = LARDER_UNSET + 1; /* nothing is ever due */
    right->tags->write(instance, &copy);
}

const struct mistake mistake = {.tags.write = write};
