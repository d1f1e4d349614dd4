/* Mistake: a list that fails has a cursor in its answer
 *
 * "Go on from here when it works again."  Nobody reads it, and so nobody gives it back.
 *
 * Caught by: list/a_cursor_that_the_driver_did_not_make_does_no_harm (a cursor where there is none)
 */
#include "bad.h"

static void complete(struct larder_op *op, const struct larder_result *res) {
    struct larder_result wrong = *res;
    if (op->code == LARDER_OP_LIST && res->status < 0)
        (void)copy_of(op->cursor, 0, &wrong.cursor);
    the_host->complete(op, &wrong);
}

const struct mistake mistake = {.host.complete = complete};
