/* Mistake: cancel() completes the op, and so does the answer that comes after all
 *
 * The request stays in the driver's table of requests under way when it is cancelled, because the
 * reply has to be read from the connection anyway.
 *
 * Caught by: flight/ops_that_are_given_up_or_late_are_answered_once_and_truly
 */
#include <stdlib.h>

#include "bad.h"

struct request {
    void *instance;
    struct larder_op *op;
};

static void reply(void *arg) {
    struct request request = *(struct request *)arg;
    free(arg);
    right->cache->get(request.instance, request.op);
}

static void get(void *instance, struct larder_op *op) {
    struct request *request = malloc(sizeof(*request));
    if (!request) {
        answer(op, LARDER_NOMEM, NULL);
        return;
    }
    *request = (struct request){instance, op};
    if (the_host->post(home_of(instance), reply, request) != LARDER_OK) {
        free(request);
        answer(op, LARDER_NOMEM, NULL);
    }
}

static void cancel(void *instance, struct larder_op *op) {
    (void)instance;
    if (op->code == LARDER_OP_GET)
        answer(op, LARDER_CANCELLED, NULL);
}

const struct mistake mistake = {.cache.get = get, .driver.cancel = cancel};
