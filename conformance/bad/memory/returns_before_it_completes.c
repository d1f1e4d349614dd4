/* Mistake: a blocking driver returns from an op before completing it
 *
 * It has threads of its own, and says LARDER_BLOCKING because its library blocks.  The lane is
 * taken for free, and given to the next op.
 *
 * Caught by: basic/a_key_that_was_never_put_is_a_miss_without_a_value (a blocking call returned before its completion)
 */
#include <stdlib.h>

#include "bad.h"

struct request {
    void *instance;
    struct larder_op *op;
};

static void work(void *arg) {
    struct request request = *(struct request *)arg;
    free(arg);
    right->cache->get(request.instance, request.op);
}

/* On the I/O thread. */
static void send_request(void *arg) {
    struct request *request = arg;
    if (!later(request->instance, work, request))
        work(request);
}

static void get(void *instance, struct larder_op *op) {
    struct request *request = malloc(sizeof(*request));
    if (request)
        *request = (struct request){instance, op};
    if (!request || the_host->post(home_of(instance), send_request, request) != LARDER_OK) {
        free(request);
        answer(op, LARDER_NOMEM, NULL);
    }
}

const struct mistake mistake = {.cache.get = get, .claims_more = LARDER_BLOCKING};
