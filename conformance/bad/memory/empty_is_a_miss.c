/* Mistake: an entry with an empty value is a miss
 *
 * `if (len)` tells a reply with a value from one without.
 *
 * Caught by: values/values_of_every_size_are_read_back_byte_for_byte
 */
#include "bad.h"

static void complete(struct larder_op *op, const struct larder_result *res) {
    struct larder_result wrong = *res;
    if (op->code == LARDER_OP_GET && res->status == LARDER_OK && res->value.len == 0) {
        the_host->buf_unref(res->value.owner);
        wrong = (struct larder_result){.size = sizeof(wrong), .status = LARDER_MISS};
    }
    the_host->complete(op, &wrong);
}

const struct mistake mistake = {.host.complete = complete};
