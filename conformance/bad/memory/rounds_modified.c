/* Mistake: modified_ms comes back in whole seconds
 *
 * Kept in a column or a header that counts seconds (Last-Modified, DynamoDB's TTL, time_t).
 *
 * Caught by: times/every_millisecond_counts
 */
#include "bad.h"

static void complete(struct larder_op *op, const struct larder_result *res) {
    struct larder_result wrong = *res;
    wrong.modified_ms -= wrong.modified_ms % 1000;
    the_host->complete(op, &wrong);
}

const struct mistake mistake = {.host.complete = complete};
