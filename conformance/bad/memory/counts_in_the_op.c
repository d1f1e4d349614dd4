/* Mistake: a member of the op is used as a variable
 *
 * `while (op->limit-- > 0)`.  A retry sends the same op again, and finds a limit of nothing.
 *
 * Caught by: list/a_limit_keeps_the_pages_small (op written)
 */
#include "bad.h"

static int32_t emit_key(struct larder_op *op, struct larder_bytes key) {
    if (op->limit > 0)
        op->limit--;
    return the_host->emit_key(op, key);
}

const struct mistake mistake = {.host.emit_key = emit_key};
