/* Mistake: bump shows the raised counter before the marks
 *
 * Two commands in one function, not one transaction.  Who looks in between notes the new epoch
 * and renders from what the marks should have outdated.
 *
 * Caught by:
 */
#include <stdlib.h>

#include "bad.h"

struct request {
    void *instance;
    struct larder_op *op;
    int64_t epoch;
};

static void second_step(void *arg) {
    struct request request = *(struct request *)arg;
    free(arg);
    struct larder_op marks = *request.op;
    struct larder_mark *resolved = calloc(marks.n_marks + 1, sizeof(*resolved));
    struct larder_result res = {.size = sizeof(res), .status = LARDER_NOMEM};
    for (size_t i = 0; resolved && i < marks.n_marks; i++) {
        resolved[i] = marks.marks[i];
        if (resolved[i].expired_epoch == LARDER_NEW_EPOCH)
            resolved[i].expired_epoch = request.epoch;
        if (resolved[i].stale_epoch == LARDER_NEW_EPOCH)
            resolved[i].stale_epoch = request.epoch;
    }
    if (resolved) {
        marks.marks = resolved;
        res = ask(right->tags->write, request.instance, &marks);
        res.epoch = request.epoch;
    }
    free(resolved);
    the_host->complete(request.op, &res);
}

static void bump(void *instance, struct larder_op *op) {
    struct larder_op raise = *op;
    raise.add = 1;
    raise.n_marks = 0;
    struct larder_result res = ask(right->tags->advance, instance, &raise);
    if (res.status != LARDER_OK) {
        answer(op, res.status, NULL);
        return;
    }
    struct request *request = malloc(sizeof(*request));
    if (request)
        *request = (struct request){instance, op, res.epoch};
    if (!request || the_host->post(home_of(instance), second_step, request) != LARDER_OK) {
        free(request);
        answer(op, LARDER_NOMEM, NULL);
    }
}

const struct mistake mistake = {.tags.bump = bump};
