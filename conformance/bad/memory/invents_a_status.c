/* Mistake: a status that is not in driver.h
 *
 * An HTTP status, or errno with a minus, passed through.
 *
 * Caught by: limits/a_flag_of_the_future_is_refused_and_changes_nothing (a status that is not in driver.h)
 */
#include "bad.h"

static void complete(struct larder_op *op, const struct larder_result *res) {
    struct larder_result wrong = *res;
    if (res->status == LARDER_UNSUPPORTED)
        wrong.status = 501;
    the_host->complete(op, &wrong);
}

const struct mistake mistake = {.host.complete = complete};
