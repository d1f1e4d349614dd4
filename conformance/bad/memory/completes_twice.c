/* Mistake: a get that finds nothing is completed twice
 *
 * The branch that answers early has no `return`, and the end of the function answers again.  In C
 * a completion is a call like any other; nothing but the author counts them.
 *
 * Caught by: basic/a_key_that_was_never_put_is_a_miss_without_a_value (completed twice)
 */
#include "bad.h"

static void complete(struct larder_op *op, const struct larder_result *res) {
    bool again = op->code == LARDER_OP_GET && res->status == LARDER_MISS;
    struct larder_result copy = *res;
    the_host->complete(op, &copy);
    if (again)
        the_host->complete(op, &copy);
}

const struct mistake mistake = {.host.complete = complete};
