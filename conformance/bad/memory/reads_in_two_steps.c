/* Mistake: times and value of an entry are read one after the other
 *
 * They are two columns, two keys, or a file and its attributes, and a put between the two reads
 * makes an entry that never was: the new rendering under the old one's epoch.
 *
 * Caught by: flight/readers_see_one_value_or_the_other_never_a_mixture
 */
#include <stdlib.h>

#include "bad.h"

struct request {
    void *instance;
    struct larder_op *op;
    int64_t modified_ms, epoch;
};

static void second_step(void *arg) {
    struct request request = *(struct request *)arg;
    free(arg);
    struct larder_result res = ask(right->cache->get, request.instance, request.op);
    if (res.status == LARDER_OK) {
        res.modified_ms = request.modified_ms;
        res.epoch = request.epoch;
    }
    the_host->complete(request.op, &res);
}

static void get(void *instance, struct larder_op *op) {
    struct larder_result first = ask(right->cache->get, instance, op);
    the_host->buf_unref(first.value.owner);
    if (first.status != LARDER_OK) {
        answer(op, first.status, NULL);
        return;
    }
    struct request *request = malloc(sizeof(*request));
    if (request)
        *request = (struct request){instance, op, first.modified_ms, first.epoch};
    if (!request || !later(instance, second_step, request)) {
        free(request);
        answer(op, LARDER_NOMEM, NULL);
    }
}

const struct mistake mistake = {.cache.get = get};
