/* Mistake: a put that is too large is dropped and said to be done
 *
 * The limit is in the driver's own code, and dropping is how it keeps it.
 *
 * Caught by: values/a_value_beyond_the_limit_is_refused_as_too_big
 * With: max-value=1MB
 */
#include "bad.h"

static void complete(struct larder_op *op, const struct larder_result *res) {
    struct larder_result wrong = *res;
    if (res->status == LARDER_TOO_BIG)
        wrong.status = LARDER_OK;
    the_host->complete(op, &wrong);
}

const struct mistake mistake = {.host.complete = complete};
