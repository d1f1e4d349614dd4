/* Mistake: a value is in the driver's own memory
 *
 * owner must not be NULL, so some buffer of the host's is named; but the bytes lie in the driver's
 * receive buffer, which the next reply overwrites.  buf_wrap() is there for that.
 *
 * Caught by: basic/what_was_put_is_there_each_time_that_it_is_read (a value that lies in no buffer of the host)
 */
#include "bad.h"

static uint8_t received[4096];

static void complete(struct larder_op *op, const struct larder_result *res) {
    struct larder_result wrong = *res;
    if (op->code == LARDER_OP_GET && res->value.len > 0 && res->value.len <= sizeof(received)) {
        memcpy(received, res->value.ptr, res->value.len);
        wrong.value.ptr = received;
    }
    the_host->complete(op, &wrong);
}

const struct mistake mistake = {.host.complete = complete};
