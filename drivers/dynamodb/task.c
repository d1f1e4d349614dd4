/* One op on its way, whatever it asks for. */
#include <stdio.h>
#include <stdlib.h>

#include "ddb.h"

void ddb_answer(struct ddb *d, struct larder_op *op, int32_t status, const char *detail) {
    d->host->complete(op, &(struct larder_result){
                              .size = sizeof(struct larder_result), .status = status, .detail = detail});
}

/* ---- what is refused --------------------------------------------------------------------------------- */

static const char *name_refusal(struct larder_bytes name, int32_t *ret_status) {
    if (name.len > DDB_MAX_NAME) {
        *ret_status = LARDER_TOO_BIG;
        return "a key or tag is longer than 1023 bytes";
    }
    *ret_status = LARDER_INVALID;
    return ddb_utf8_len(name) < name.len ? "a key or tag is not UTF-8" : NULL;
}

bool ddb_accepts(struct ddb *d, struct larder_op *op, uint32_t flags) {
    if ((op->flags & ~flags) != 0) {
        ddb_answer(d, op, LARDER_UNSUPPORTED, NULL);
        return false;
    }
    int32_t status;
    const char *refusal = name_refusal(op->key, &status);
    for (size_t i = 0; i < op->n_marks && !refusal; i++)
        refusal = name_refusal(op->marks[i].tag, &status);
    if (refusal)
        ddb_answer(d, op, status, refusal);
    return !refusal;
}

/* ---- tasks ------------------------------------------------------------------------------------------- */

void *ddb_task_new(struct ddb *d, struct larder_op *op, size_t size) {
    struct ddb_task *task = calloc(1, size);
    if (!task) {
        ddb_answer(d, op, LARDER_NOMEM, NULL);
        return NULL;
    }
    task->d = d;
    task->op = op;
    task->res.size = sizeof(task->res);
    return task;
}

void ddb_task_end(struct ddb_task *task, int32_t status) {
    task->res.status = status;
    if (task->detail[0] != '\0' && status < 0)
        task->res.detail = task->detail;
    task->d->host->complete(task->op, &task->res);
    free(task);
}

int32_t ddb_task_failed(struct ddb_task *task, const struct ddb_reply *reply) {
    if (task->res.status < 0)
        return task->res.status;
    task->res.status = reply->status < 0 ? reply->status : LARDER_INVALID;
    task->res.retry_after_ms = reply->retry_after_ms;
    task->res.native_code = reply->native_code;
    if (reply->status == DDB_NO_TABLE)
        snprintf(task->detail, sizeof(task->detail), "there is no table %s: larder provision creates it",
                 task->d->names.table);
    else
        snprintf(task->detail, sizeof(task->detail), "%s", reply->detail ? reply->detail : "");
    return task->res.status;
}

int32_t ddb_task_refused(struct ddb_task *task, int32_t status, const char *detail) {
    return ddb_task_failed(task, &(struct ddb_reply){.status = status, .detail = detail});
}

int32_t ddb_task_unreadable(struct ddb_task *task, struct larder_bytes body) {
    struct ddb_json j = ddb_json_of(body);
    if (ddb_json_skip(&j, NULL) && ddb_json_ended(&j))
        return ddb_task_refused(task, LARDER_CORRUPT, "the table holds an item that is not of this driver's");
    return ddb_task_refused(task, LARDER_RETRY, "the answer is none of DynamoDB's");
}

void ddb_task_call(struct ddb_task *task, const char *operation, struct ddb_text *body, ddb_reply_fn *fn) {
    int32_t status = ddb_call(task->d, task->op, operation, body, fn, task);
    if (status != LARDER_OK)
        ddb_task_end(task, status);
}

/* ---- numbers and texts that many need ------------------------------------------------------------------ */

uint64_t ddb_random(struct ddb *d) { /* splitmix64 */
    uint64_t z = d->random_state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

int64_t ddb_expiry_ms(int64_t now_ms, int64_t ttl_ms) {
    int64_t ms;
    if (ttl_ms <= 0)
        return LARDER_UNSET;
    return __builtin_add_overflow(now_ms, ttl_ms, &ms) ? INT64_MAX : ms;
}

int64_t ddb_seconds(int64_t ms) {
    return ms / 1000 + (ms % 1000 > 0);
}

void ddb_text_key_of(struct ddb_text *t, const struct ddb *d, const struct ddb_name *name) {
    ddb_text_json(t, ",'Key':{");
    ddb_text_key(t, &d->names, name);
    ddb_text_json(t, "}");
}
