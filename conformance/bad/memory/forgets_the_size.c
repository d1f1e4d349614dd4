/* Mistake: the result's size is not set
 *
 * `struct larder_result res; memset(...)`: the core then reads no member at all, or of the next
 * release's members what lay on the stack.
 *
 * Caught by: life/ping_answers (a result without its size)
 */
#include "bad.h"

static void complete(struct larder_op *op, const struct larder_result *res) {
    struct larder_result wrong = *res;
    if (op->code == LARDER_OP_PING)
        wrong.size = 0;
    the_host->complete(op, &wrong);
}

const struct mistake mistake = {.host.complete = complete};
