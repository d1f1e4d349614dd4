/* One op on its way, whatever it asks for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws_error.h"
#include "s3.h"

void s3_answer(struct s3 *s, struct larder_op *op, int32_t status, const char *detail) {
    s->host->complete(op, &(struct larder_result){
                              .size = sizeof(struct larder_result), .status = status, .detail = detail});
}

bool s3_accepts(struct s3 *s, struct larder_op *op, uint32_t flags) {
    if ((op->flags & ~flags) != 0) {
        s3_answer(s, op, LARDER_UNSUPPORTED, NULL);
        return false;
    }
    if (op->key.len > s3_max_key(strlen(s->prefix))) {
        s3_answer(s, op, LARDER_TOO_BIG, "the key is longer than the names of objects allow");
        return false;
    }
    return true;
}

/* ---- tasks ------------------------------------------------------------------------------------------- */

void *s3_task_new(struct s3 *s, struct larder_op *op, size_t size) {
    struct s3_task *task = calloc(1, size);
    if (!task) {
        s3_answer(s, op, LARDER_NOMEM, NULL);
        return NULL;
    }
    task->s = s;
    task->op = op;
    task->res.size = sizeof(task->res);
    op->scratch[0] = task;
    return task;
}

static void pump(struct s3 *s);

void s3_task_end(struct s3_task *task, int32_t status) {
    struct s3 *s = task->s;
    task->res.status = status;
    if (task->detail[0] != '\0' && status < 0)
        task->res.detail = task->detail;
    s->host->complete(task->op, &task->res);
    s->bytes_under_way -= task->bytes;
    aws_text_done(&task->body);
    free(task->conversion);
    free(task);
    pump(s);
}

void s3_task_refuse(struct s3_task *task, int32_t status, const char *detail) {
    snprintf(task->detail, sizeof(task->detail), "%s", detail);
    s3_task_end(task, status);
}

void s3_task_fail(struct s3_task *task, const struct aws_answer *answer) {
    int32_t status = s3_status(answer);
    task->res.retry_after_ms = answer->retry_after_ms;
    task->res.native_code = answer->http_status;
    if (status == S3_NO_BUCKET)
        snprintf(task->detail, sizeof(task->detail), "there is no bucket %s: larder provision creates it",
                 task->s->bucket);
    else
        snprintf(task->detail, sizeof(task->detail), "%s", aws_or_empty(answer->detail));
    if (status == S3_NOT_IMPLEMENTED)
        status = LARDER_UNSUPPORTED;
    if (status == S3_CONFLICT)
        status = LARDER_RETRY;
    s3_task_end(task, status < 0 ? status : LARDER_INVALID);
}

void s3_task_call(struct s3_task *task, const struct s3_request *request, aws_client_done *done) {
    task->call = NULL;
    const int32_t status = s3_call(task->s, task->op, request, done, task, &task->call);
    if (status != LARDER_OK)
        s3_task_refuse(task, status, status == LARDER_NOMEM ? "" : "the request cannot be made");
}

void s3_cancel(void *instance, struct larder_op *op) {
    struct s3_task *task = op->scratch[0];
    (void)instance;
    if (op->code != LARDER_OP_GET || !task || !task->call) /* what was written may have happened */
        return;
    aws_client_cancel(task->call);
    s3_task_end(task, LARDER_CANCELLED);
}

/* ---- what is under way --------------------------------------------------------------------------------- */

void s3_queue_add(struct s3_queue *queue, struct s3_task *task) {
    task->next = NULL;
    *(queue->last ? &queue->last->next : &queue->first) = task;
    queue->last = task;
}

struct s3_task *s3_queue_take(struct s3_queue *queue) {
    struct s3_task *task = queue->first;
    if (!task)
        return NULL;
    queue->first = task->next;
    if (!queue->first)
        queue->last = NULL;
    task->next = NULL;
    return task;
}

/* Bodies that come all at once share the memory's caches, and push each other out of them before they are
 * whole; what is larger than all the room goes alone. */
static bool has_room(const struct s3 *s, int64_t bytes) {
    return s->bytes_under_way == 0 || s->bytes_under_way + bytes <= s->config->bytes_under_way;
}

static void start(struct s3_task *task) {
    task->s->bytes_under_way += task->bytes;
    task->start(task);
}

static void pump(struct s3 *s) {
    if (s->pumping) /* a task that could not even start has ended within the loop below */
        return;
    s->pumping = true;
    while (s->waiting.first && has_room(s, s->waiting.first->bytes))
        start(s3_queue_take(&s->waiting));
    s->pumping = false;
}

void s3_task_enter(struct s3_task *task, int64_t bytes, void (*start_fn)(struct s3_task *task)) {
    task->bytes = bytes;
    task->start = start_fn;
    if (!task->s->waiting.first && has_room(task->s, bytes))
        start(task);
    else
        s3_queue_add(&task->s->waiting, task);
}

/* ---- names and numbers ---------------------------------------------------------------------------------- */

bool s3_name(struct s3 *s, const char *what, struct larder_bytes key) {
    aws_text_clear(&s->name);
    aws_text_adds(&s->name, s->prefix);
    aws_text_adds(&s->name, "/");
    aws_text_adds(&s->name, what);
    aws_text_adds(&s->name, "/");
    s3_name_add_key(&s->name, key);
    aws_text_adds(&s->name, "~");
    return !s->name.failed;
}

int64_t s3_expiry_ms(int64_t now_ms, int64_t ttl_ms) {
    int64_t ms;
    if (ttl_ms <= 0)
        return LARDER_UNSET;
    return __builtin_add_overflow(now_ms, ttl_ms, &ms) ? INT64_MAX : ms;
}

bool s3_etag_read(struct s3 *s, struct larder_bytes headers, bool refused, struct s3_etag *ret) {
    const struct larder_bytes told = aws_header_of(headers, "etag");
    struct s3_etag found = {0};
    if (told.len == 0 || told.len >= sizeof(found.text))
        return false;
    aws_one_line(found.text, sizeof(found.text), told);
    if (refused && !s->etags_held && strcmp(found.text, ret->text) == 0)
        s->bare_etags = !ret->sent_bare;
    *ret = found;
    return true;
}

void s3_etag_form(const struct s3 *s, struct s3_etag *etag, char out[S3_ETAG_SIZE]) {
    const size_t len = strlen(etag->text);
    etag->sent_bare = s->bare_etags;
    const bool strip = s->bare_etags && len > 2 && etag->text[0] == '"' && etag->text[len - 1] == '"';
    snprintf(out, S3_ETAG_SIZE, "%.*s", (int)(strip ? len - 2 : len), etag->text + strip);
}

bool s3_is_of_s3(const struct aws_answer *answer) {
    return aws_header_of(answer->headers, "etag").len > 0;
}

bool s3_meta_read(struct larder_bytes headers, struct s3_meta *ret) {
    const struct larder_bytes expires = aws_header_of(headers, "x-amz-meta-expires");
    ret->expires_ms = LARDER_UNSET;
    return s3_number(aws_header_of(headers, "x-amz-meta-modified"), &ret->modified_ms) &&
           s3_number(aws_header_of(headers, "x-amz-meta-epoch"), &ret->epoch) &&
           (expires.len == 0 || s3_number(expires, &ret->expires_ms));
}
