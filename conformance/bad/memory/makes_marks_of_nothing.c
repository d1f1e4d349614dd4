/* Mistake: a lossy store makes a mark that is not there with no more than it is given
 *
 * That is all there is to merging, where marks are never lost.  Here a write that lands late, after a newer
 * mark has come and gone, brings back what that one had outdated.
 *
 * Caught by: claims/a_lossy_store_makes_no_mark_with_less_than_its_counter_says
 * With: lossy=1000000000000
 */
#include "bad.h"
#include "memory.h"

static void write(void *instance, struct larder_op *op) {
    struct larder_op copy = disguised(op);
    copy.key = (struct larder_bytes){0};
    right->tags->write(instance, &copy);
}

const struct mistake mistake = {.tags.write = write};
