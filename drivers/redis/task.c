/* One op on its way, whatever it asks for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "rds.h"

enum { MOST_FREE_TASKS = 256 };

void rds_complete(struct rds *d, struct larder_op *op, int32_t status, const char *detail) {
    d->host->complete(op, &(struct larder_result){
                              .size = sizeof(struct larder_result), .status = status, .detail = detail});
}

bool rds_accepts(struct rds *d, struct larder_op *op, uint32_t flags) {
    if ((op->flags & ~flags) == 0)
        return true;
    rds_complete(d, op, LARDER_UNSUPPORTED, NULL);
    return false;
}

/* Tasks of the usual size are used again: the busiest ops allocate nothing. */
void *rds_task_new(struct rds *d, struct larder_op *op, size_t size) {
    struct rds_task *task = size <= RDS_TASK_BYTES ? d->free_tasks : NULL;
    if (task) {
        d->free_tasks = task->next_free;
        d->n_free_tasks--;
    } else {
        task = malloc(size > RDS_TASK_BYTES ? size : RDS_TASK_BYTES);
    }
    if (!task) {
        rds_complete(d, op, LARDER_NOMEM, NULL);
        return NULL;
    }
    memset(task, 0, size);
    task->d = d;
    task->op = op;
    task->size = size;
    task->res.size = sizeof(task->res);
    return task;
}

void rds_task_end(struct rds_task *task, int32_t status) {
    struct rds *d = task->d;
    if (task->status != LARDER_OK) {
        d->host->buf_unref(task->res.value.owner);
        task->res.value = (struct larder_slice){0};
        task->res.detail = task->detail[0] != '\0' ? task->detail : NULL;
        status = task->status;
    }
    task->res.status = status;
    d->host->complete(task->op, &task->res);
    if (task->size <= RDS_TASK_BYTES && d->n_free_tasks < MOST_FREE_TASKS) {
        task->next_free = d->free_tasks;
        d->free_tasks = task;
        d->n_free_tasks++;
    } else {
        free(task);
    }
}

void rds_tasks_done(struct rds *d) {
    while (d->free_tasks) {
        struct rds_task *task = d->free_tasks;
        d->free_tasks = task->next_free;
        free(task);
    }
    d->n_free_tasks = 0;
}

int32_t rds_task_refused(struct rds_task *task, int32_t status, const char *detail) {
    if (task->status == LARDER_OK) {
        task->status = status;
        snprintf(task->detail, sizeof(task->detail), "%s", detail ? detail : "");
    }
    return task->status;
}

bool rds_task_got(struct rds_task *task, const struct rds_answer *answer, const char *types) {
    if (answer->status != LARDER_OK) {
        rds_task_refused(task, answer->status, answer->detail);
        return false;
    }
    if (strchr(types, answer->reply->type))
        return true;
    if (answer->reply->type != RDS_ERROR) {
        rds_task_refused(task, LARDER_RETRY, "the answer is not of the kind that belongs to the command");
        return false;
    }
    const struct rds_error error = rds_error_of(answer->reply->text);
    char line[sizeof(task->detail)];
    rds_error_line(answer->reply->text, line, sizeof(line));
    if (task->status == LARDER_OK)
        task->res.retry_after_ms = error.retry_after_ms;
    rds_task_refused(task, error.status, line);
    return false;
}

void rds_request_init(struct rds_request *r, const struct rds_verb *verb, const struct larder_op *op,
                      uint16_t slot, enum rds_kind kind) {
    *r = (struct rds_request){
        .verb = verb, .deadline_ns = op->deadline_ns, .slot = slot, .kind = (uint8_t)kind};
}

/* ---- times ---------------------------------------------------------------------------------------------------- */

/* The clocks of processes differ, and the server's is another one.  So the server forgets later. */
enum { GRACE_MS = 60000 };
static const int64_t FOR_EVER_MS = INT64_C(1000) * 365 * 24 * 3600 * 1000;

int64_t rds_expiry_ms(int64_t now_ms, int64_t ttl_ms) {
    int64_t ms;
    if (ttl_ms <= 0)
        return LARDER_UNSET;
    return __builtin_add_overflow(now_ms, ttl_ms, &ms) ? INT64_MAX : ms;
}

int64_t rds_kept_ms(int64_t ttl_ms) {
    return ttl_ms <= 0 || ttl_ms > FOR_EVER_MS ? 0 : ttl_ms + GRACE_MS;
}
