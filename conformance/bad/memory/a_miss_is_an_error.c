/* Mistake: a get that finds nothing is an error
 *
 * The store's own client throws "not found" (S3's 404, a file system's ENOENT), and whatever it
 * throws becomes an error.
 *
 * Caught by: basic/a_key_that_was_never_put_is_a_miss_without_a_value
 */
#include "bad.h"

static void complete(struct larder_op *op, const struct larder_result *res) {
    struct larder_result wrong = *res;
    if (op->code == LARDER_OP_GET && res->status == LARDER_MISS) {
        wrong.status = LARDER_RETRY;
        wrong.detail = "404 Not Found";
    }
    the_host->complete(op, &wrong);
}

const struct mistake mistake = {.host.complete = complete};
