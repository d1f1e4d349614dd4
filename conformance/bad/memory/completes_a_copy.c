/* Mistake: a copy of the op is completed, not the op
 *
 * Requests are kept by value, in a queue or a struct of the driver's own.  An op is known by its
 * address.
 *
 * Caught by: life/ping_answers (an op that it was never given)
 */
#include "bad.h"

static void ping(void *instance, struct larder_op *op) {
    struct larder_op queued = *op;
    (void)instance;
    answer(&queued, LARDER_OK, NULL);
}

const struct mistake mistake = {.driver.ping = ping};
