/* Mistake: raising a counter adds one, whatever the time is
 *
 * INCR.  The time is in the rule for the day on which the counter is lost: it must come back
 * greater than it was.
 *
 * Caught by: epoch/raising_a_counter_gives_the_greater_of_its_next_number_and_the_time
 */
#include "bad.h"

static void advance(void *instance, struct larder_op *op) {
    struct larder_op copy = disguised(op);
    copy.now_ms = 1;
    right->tags->advance(instance, &copy);
}

const struct mistake mistake = {.tags.advance = advance};
