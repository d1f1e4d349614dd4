/* Mistake: LARDER_IF_ABSENT looks, and then writes
 *
 * Two steps to the store, and two renderings of one page that come at the same time both find
 * nothing.
 *
 * Caught by: basic/of_many_that_put_if_absent_at_once_one_succeeds
 */
#include <stdlib.h>

#include "bad.h"

struct request {
    void *instance;
    struct larder_op *op;
};

static void second_step(void *arg) {
    struct request request = *(struct request *)arg;
    free(arg);
    struct larder_op copy = disguised(request.op);
    copy.flags &= ~(uint32_t)LARDER_IF_ABSENT;
    right->cache->put(request.instance, &copy);
}

static void put(void *instance, struct larder_op *op) {
    if (op->flags != LARDER_IF_ABSENT) {
        right->cache->put(instance, op);
        return;
    }
    struct larder_op look = *op;
    look.flags = 0;
    struct larder_result found = ask(right->cache->get, instance, &look);
    the_host->buf_unref(found.value.owner);
    if (found.status == LARDER_OK) {
        answer(op, LARDER_MISS, NULL);
        return;
    }
    struct request *request = malloc(sizeof(*request));
    if (request)
        *request = (struct request){instance, op};
    if (!request || !later(instance, second_step, request)) {
        free(request);
        answer(op, LARDER_NOMEM, NULL);
    }
}

const struct mistake mistake = {.cache.put = put};
