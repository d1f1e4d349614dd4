/* Mistake: bump shows the raised counter before the marks
 *
 * Two commands in one function, not one transaction.  Who looks in between notes the new epoch
 * and renders from what the marks should have outdated.
 *
 * Caught by: epoch/nobody_sees_the_counter_of_a_bump_without_its_marks
 */
#include <stdlib.h>

#include "bad.h"

struct request {
    void *instance;
    struct larder_op *op;
    int64_t epoch;
};

static struct larder_result write_marks(const struct request *request) {
    struct larder_op write = *request->op;
    struct larder_mark *marks = calloc(write.n_marks + 1, sizeof(*marks));
    struct larder_result res = {.size = sizeof(res), .status = LARDER_NOMEM};
    for (size_t i = 0; marks && i < write.n_marks; i++) {
        marks[i] = write.marks[i];
        if (marks[i].expired_epoch == LARDER_NEW_EPOCH)
            marks[i].expired_epoch = request->epoch;
        if (marks[i].stale_epoch == LARDER_NEW_EPOCH)
            marks[i].stale_epoch = request->epoch;
    }
    if (marks) {
        write.marks = marks;
        res = ask(right->tags->write, request->instance, &write);
        res.epoch = request->epoch;
    }
    free(marks);
    return res;
}

static void second_step(void *arg) {
    struct request *request = arg;
    struct larder_result res = write_marks(request);
    the_host->complete(request->op, &res);
    free(request);
}

static void bump(void *instance, struct larder_op *op) {
    struct larder_op raise = *op;
    raise.add = 1;
    struct larder_result res = ask(right->tags->advance, instance, &raise);
    if (res.status != LARDER_OK) {
        answer(op, res.status, NULL);
        return;
    }
    struct request *request = malloc(sizeof(*request));
    if (request)
        *request = (struct request){instance, op, res.epoch};
    if (!request || !later(instance, second_step, request)) {
        free(request);
        answer(op, LARDER_NOMEM, NULL);
    }
}

const struct mistake mistake = {.tags.bump = bump};
