/* Mistake: modified_ms is not stored
 *
 * Next.js shows nothing of it at once; it is what `revalidate` counts from.
 *
 * Caught by: times/times_and_epochs_are_read_back_exactly
 */
#include "bad.h"

static void complete(struct larder_op *op, const struct larder_result *res) {
    struct larder_result wrong = *res;
    wrong.modified_ms = 0;
    the_host->complete(op, &wrong);
}

const struct mistake mistake = {.host.complete = complete};
