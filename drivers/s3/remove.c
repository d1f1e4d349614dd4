/*
 * Removes.  A burst of them is gathered until flush(): one is a DELETE, more are DeleteObjects, up to a
 * thousand names in one request.  https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3.h"
#include "xml.h"

enum { MOST_NAMES = 1000 };

struct batch {
    struct s3 *s;
    struct s3_task **tasks; /* in the order of their names in the request */
    size_t n, n_ended;
    struct aws_text body;
    struct larder_op op; /* what the request needs of one: the latest deadline */
};

static void on_removed(void *arg, const struct aws_answer *answer) {
    struct s3_task *task = arg;
    const int32_t status = s3_status(answer);
    /* 204; a page of somebody between is 200 and has a body. */
    if (status == S3_NO_KEY || (status == LARDER_OK && answer->body.len == 0))
        s3_task_end(task, LARDER_OK);
    else if (status == LARDER_OK)
        s3_task_refuse(task, LARDER_RETRY, "the answer is none of S3's");
    else
        s3_task_fail(task, answer);
}

static void remove_one(struct s3_task *task) {
    struct s3 *s = task->s;
    struct larder_bytes key;
    uint32_t kind;
    if (!s3_object(s, task->op->key, &kind, &key)) {
        s3_task_end(task, LARDER_NOMEM);
        return;
    }
    const struct s3_request request = {
        .method = "DELETE", .name = s3_name_bytes(s), .max_body = S3_MAX_ANSWER};
    s3_task_call(task, &request, on_removed);
}

/* ---- many ---------------------------------------------------------------------------------------------- */

static void batch_free(struct batch *batch) {
    aws_text_done(&batch->body);
    free(batch->tasks);
    free(batch);
}

/* The code of one name's failure, as if it had come alone. */
static int32_t status_of_code(const char *code) {
    static const struct {
        const char *code;
        int32_t status;
    } codes[] = {{"NoSuchKey", LARDER_OK}, {"AccessDenied", LARDER_DENIED}, {"SlowDown", LARDER_THROTTLED}};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(code, codes[i].code) == 0)
            return codes[i].status;
    }
    return LARDER_RETRY;
}

/* The place of this key among the tasks; batch->n: it is not there. */
static size_t find(const struct batch *batch, struct larder_bytes key) {
    for (size_t i = 0; i < batch->n; i++) {
        const struct larder_bytes own = batch->tasks[i] ? batch->tasks[i]->op->key : (struct larder_bytes){0};
        if (batch->tasks[i] && own.len == key.len && (key.len == 0 || memcmp(own.ptr, key.ptr, key.len) == 0))
            return i;
    }
    return batch->n;
}

/* Ends the tasks that have a failure of their own.  False: no memory, and which have is not known. */
static bool end_failed(struct batch *batch, struct larder_bytes xml) {
    const size_t root = strlen(batch->s->prefix) + 3; /* PREFIX/e/ */
    struct aws_text name = {0}, code = {0};
    uint8_t key[S3_MAX_NAME];
    size_t at = 0, len;
    bool ok = true;
    while (ok && s3_deleted_next(xml, &at, &name, &code)) {
        const char *text = code.ptr ? code.ptr : "";
        ok = !name.failed && !code.failed;
        if (!ok || name.len <= root || name.len > sizeof(key) ||
            !s3_name_read_key((struct larder_bytes){(const uint8_t *)name.ptr + root, name.len - root}, key,
                              &len))
            continue;
        const size_t i = find(batch, (struct larder_bytes){key, len});
        if (i == batch->n)
            continue;
        struct s3_task *task = batch->tasks[i];
        batch->tasks[i] = NULL;
        snprintf(task->detail, sizeof(task->detail), "DeleteObjects: %.80s", text);
        if (status_of_code(text) == LARDER_RETRY) /* Ceph's gateway fails so where two remove one object */
            remove_one(task);
        else
            s3_task_end(task, status_of_code(text));
    }
    aws_text_done(&name);
    aws_text_done(&code);
    return ok;
}

static void on_batch(void *arg, const struct aws_answer *answer) {
    struct batch *batch = arg;
    const struct larder_bytes xml = {answer->body.ptr, answer->body.len};
    const int32_t status = s3_status(answer);
    const bool is_read = status == LARDER_OK && s3_deleted_read(xml);
    const bool is_known = is_read && end_failed(batch, xml);
    for (size_t i = 0; i < batch->n; i++) {
        struct s3_task *task = batch->tasks[i];
        if (!task)
            continue;
        if (status == S3_NOT_IMPLEMENTED)
            remove_one(task);
        else if (status != LARDER_OK)
            s3_task_fail(task, answer);
        else if (is_read)
            s3_task_end(task, is_known ? LARDER_OK : LARDER_NOMEM);
        else
            s3_task_refuse(task, LARDER_RETRY, "the answer is none of S3's");
    }
    batch_free(batch);
}

/* Names are in ASCII, and of what XML escapes there is nothing in them (name.h). */
static struct batch *gather(struct s3 *s, struct s3_queue *from) {
    struct batch *batch = calloc(1, sizeof(*batch));
    if (!batch)
        return NULL;
    batch->s = s;
    batch->tasks = calloc(MOST_NAMES, sizeof(batch->tasks[0]));
    if (!batch->tasks) {
        batch_free(batch);
        return NULL;
    }
    aws_text_adds(&batch->body,
                  "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>");
    while (from->first && batch->n < MOST_NAMES) {
        struct s3_task *task = s3_queue_take(from);
        const struct larder_op *op = task->op;
        batch->tasks[batch->n++] = task;
        if (op->deadline_ns > batch->op.deadline_ns)
            batch->op.deadline_ns = op->deadline_ns;
        batch->op.now_ms = op->now_ms;
        if (!s3_name(s, "e", op->key))
            batch->body.failed = true;
        aws_text_adds(&batch->body, "<Object><Key>");
        aws_text_add(&batch->body, s->name.ptr, s->name.len);
        aws_text_adds(&batch->body, "</Key></Object>");
    }
    aws_text_adds(&batch->body, "</Delete>");
    return batch;
}

static void remove_many(struct s3 *s, struct s3_queue *from) {
    struct batch *batch = gather(s, from);
    if (!batch) { /* no memory for doing it together */
        remove_one(s3_queue_take(from));
        return;
    }
    char sum[S3_MD5_SIZE];
    const struct larder_bytes body = {(const uint8_t *)batch->body.ptr, batch->body.len};
    int32_t status = LARDER_NOMEM;
    if (!batch->body.failed) {
        s3_md5(body, sum);
        const struct aws_header headers[] = {{"content-md5", sum}, {"content-type", "application/xml"}};
        const struct s3_request request = {.method = "POST",
                                           .query = "delete=",
                                           .headers = headers,
                                           .n_headers = 2,
                                           .body = body,
                                           .sign_payload = true,
                                           .max_body = S3_MAX_ANSWER};
        status = s3_call(s, &batch->op, &request, on_batch, batch, NULL);
    }
    if (status == LARDER_OK)
        return;
    for (size_t i = 0; i < batch->n; i++)
        s3_task_end(batch->tasks[i], status);
    batch_free(batch);
}

void s3_flush(void *instance) {
    struct s3 *s = instance;
    struct s3_queue all = s->removes;
    s->removes = (struct s3_queue){0};
    while (all.first) {
        if (all.first->next && s->config->batch_removes)
            remove_many(s, &all);
        else
            remove_one(s3_queue_take(&all));
    }
}

/* OpenNext's names may have bytes that XML has no form for: they are removed one by one. */
void s3_remove(void *instance, struct larder_op *op) {
    struct s3 *s = instance;
    struct s3_task *task;
    struct larder_bytes key;
    uint32_t kind;
    if (!s3_accepts(s, op, 0) || !(task = s3_task_new(s, op, sizeof(*task))))
        return;
    if (s3_object(s, op->key, &kind, &key) && kind != 0)
        remove_one(task);
    else
        s3_queue_add(&s->removes, task);
}
