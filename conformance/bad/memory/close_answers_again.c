/* Mistake: close() completes an op that was completed long ago
 *
 * "Whatever is still in the table is cancelled", and an op that found nothing is still in the
 * table: that branch forgets to take it out.
 *
 * Caught by: basic/a_key_that_was_never_put_is_a_miss_without_a_value (completed twice)
 */
#include "bad.h"

static struct larder_op *under_way;

static void complete(struct larder_op *op, const struct larder_result *res) {
    under_way = op->code == LARDER_OP_GET && res->status == LARDER_MISS ? op : NULL;
    the_host->complete(op, res);
}

static void close_instance(void *instance) {
    if (under_way)
        answer(under_way, LARDER_CANCELLED, "the store is being closed");
    under_way = NULL;
    right->close(instance);
}

const struct mistake mistake = {.host.complete = complete, .driver.close = close_instance};
