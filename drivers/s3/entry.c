/*
 * Entries.  A get is one request.  A put first asks what is there (HEAD), for an entry of a greater epoch stays;
 * then it writes on the condition that this is still so: that nothing is there, or what had that ETag.
 * Where the condition does not hold somebody was faster, and it looks again.  LARDER_IF_ABSENT needs
 * no look, unless something is there: it may be over.
 */
#include <stdio.h>
#include <string.h>

#include "aws_error.h"
#include "s3.h"

enum { MOST_TRIES = 200 };

/* ---- get --------------------------------------------------------------------------------------------- */

static bool has_wrong_sum(const struct s3 *s, const struct aws_answer *answer) {
    const struct larder_bytes told = aws_header_of(answer->headers, "x-amz-meta-crc32");
    char sum[S3_CRC_SIZE];
    if (!s->crc || told.len == 0)
        return false;
    s3_crc_of(s->crc, (struct larder_bytes){answer->body.ptr, answer->body.len}, sum);
    return !aws_is(told, sum);
}

struct get {
    struct s3_task task;
    uint32_t kind; /* of OpenNext's; 0: Larder's own layout */
    struct larder_bytes key;
};

static void on_got(void *arg, const struct aws_answer *answer) {
    struct get *get = arg;
    struct s3_task *task = &get->task;
    struct s3 *s = task->s;
    struct s3_meta meta;
    const int32_t status = s3_status(answer);
    if (status == S3_NO_KEY) {
        s3_task_end(task, LARDER_MISS);
        return;
    }
    if (status != LARDER_OK) {
        s3_task_fail(task, answer);
        return;
    }
    if (!s3_is_of_s3(answer)) {
        s3_task_refuse(task, LARDER_RETRY, "the answer is none of S3's");
        return;
    }
    s->usual_bytes += ((int64_t)answer->body.len - s->usual_bytes) / 8;
    if (get->kind != 0) {
        s3_read_opennext(task, answer, get->kind, get->key);
        return;
    }
    if (!s3_meta_read(answer->headers, &meta)) {
        s3_task_refuse(task, LARDER_CORRUPT, "the object has not the metadata of an entry");
        return;
    }
    if (s3_is_over(meta.expires_ms, task->op->now_ms)) {
        s3_task_end(task, LARDER_MISS);
        return;
    }
    if (has_wrong_sum(s, answer)) {
        s3_task_refuse(task, LARDER_CORRUPT, "the value does not have its checksum");
        return;
    }
    task->res.value = answer->body;
    if (answer->body.owner) /* NULL for an empty value */
        s->host->buf_ref(answer->body.owner);
    task->res.modified_ms = meta.modified_ms;
    task->res.epoch = meta.epoch;
    s3_task_end(task, LARDER_OK);
}

static void start_get(struct s3_task *task) {
    struct s3 *s = task->s;
    struct get *get = (struct get *)task;
    if (!s3_object(s, task->op->key, &get->kind, &get->key)) {
        s3_task_end(task, LARDER_NOMEM);
        return;
    }
    const struct s3_request request = {.method = "GET", .name = s3_name_bytes(s), .max_body = S3_MAX_VALUE};
    s3_task_call(task, &request, on_got);
}

void s3_get(void *instance, struct larder_op *op) {
    struct s3 *s = instance;
    struct get *get;
    if (s3_accepts(s, op, 0) && (get = s3_task_new(s, op, sizeof(*get))))
        s3_task_enter(&get->task, s->usual_bytes, start_get);
}

/* ---- put --------------------------------------------------------------------------------------------- */

enum condition { WHATEVER, ABSENT, SAME };

struct put {
    struct s3_task task;
    enum condition condition; /* of the write that is under way */
    uint32_t kind;            /* of OpenNext's; 0: Larder's own layout */
    unsigned tries;
    struct s3_etag etag; /* of what is there */
};

static void look(struct put *put);

/* Another one has come between; or the server does not know conditions, and from now on is asked without. */
static bool may_try_again(struct put *put, int32_t status) {
    struct s3 *s = put->task.s;
    if (status == S3_NOT_IMPLEMENTED && put->condition != WHATEVER && s->conditional) {
        s->conditional = false;
        s->host->log(s->home, LARDER_LOG_WARN,
                     "s3: this server does not write on conditions: of two writers at once the later one "
                     "wins (conditional=off says so from the beginning)");
        return true;
    }
    if (status == S3_NOT_IMPLEMENTED)
        return put->condition != WHATEVER; /* another op has found out meanwhile */
    /* A key that is missing: it was removed meanwhile; to Ceph's gateway also where nothing was to be there. */
    if (status == S3_CONFLICT || status == S3_NO_KEY)
        return put->condition != WHATEVER;
    return status == S3_CONDITION;
}

static void on_written(void *arg, const struct aws_answer *answer) {
    struct put *put = arg;
    const int32_t status = s3_status(answer);
    if (status == LARDER_OK && put->condition == SAME)
        put->task.s->etags_held = true;
    if (status == LARDER_OK && !s3_is_of_s3(answer))
        s3_task_refuse(&put->task, LARDER_RETRY, "the answer is none of S3's");
    else if (status == LARDER_OK)
        s3_task_end(&put->task, LARDER_OK);
    else if (!may_try_again(put, status))
        s3_task_fail(&put->task, answer);
    else if (++put->tries == MOST_TRIES)
        s3_task_refuse(&put->task, LARDER_RETRY, "others write this entry all the time");
    else
        look(put);
}

static void write_it(struct put *put, enum condition condition) {
    struct s3 *s = put->task.s;
    const struct s3_config *config = s->config;
    const struct larder_op *op = put->task.op;
    const int64_t expires_ms = s3_expiry_ms(op->now_ms, op->ttl_ms);
    struct larder_bytes key, value = {op->value.ptr, op->value.len};
    char modified[S3_NUMBER_SIZE], epoch[S3_NUMBER_SIZE], expires[S3_NUMBER_SIZE], sum[S3_CRC_SIZE],
        etag[S3_ETAG_SIZE];
    struct aws_header headers[S3_MOST_HEADERS] = {
        {"content-type", put->kind ? "application/json" : "application/octet-stream"},
        {"x-amz-meta-modified", modified},
        {"x-amz-meta-epoch", epoch}};
    size_t n = 3;
    snprintf(modified, sizeof(modified), "%lld", (long long)op->modified_ms);
    snprintf(epoch, sizeof(epoch), "%lld", (long long)op->epoch);
    snprintf(expires, sizeof(expires), "%lld", (long long)expires_ms);
    if (expires_ms != LARDER_UNSET)
        headers[n++] = (struct aws_header){"x-amz-meta-expires", expires};
    if (put->kind != 0)
        value = (struct larder_bytes){(const uint8_t *)put->task.body.ptr, put->task.body.len};
    if (s->crc) {
        s3_crc_of(s->crc, value, sum);
        headers[n++] = (struct aws_header){"x-amz-checksum-crc32", sum};
        headers[n++] = (struct aws_header){"x-amz-meta-crc32", sum};
    }
    if (config->storage_class[0] != '\0')
        headers[n++] = (struct aws_header){"x-amz-storage-class", config->storage_class};
    if (config->sse[0] != '\0')
        headers[n++] = (struct aws_header){"x-amz-server-side-encryption", config->sse};
    if (config->kms_key[0] != '\0')
        headers[n++] = (struct aws_header){"x-amz-server-side-encryption-aws-kms-key-id", config->kms_key};
    if (condition == ABSENT)
        headers[n++] = (struct aws_header){"if-none-match", "*"};
    s3_etag_form(s, &put->etag, etag);
    if (condition == SAME)
        headers[n++] = (struct aws_header){"if-match", etag};
    put->condition = condition;
    if (!s3_object(s, op->key, &put->kind, &key)) {
        s3_task_end(&put->task, LARDER_NOMEM);
        return;
    }
    const struct s3_request request = {.method = "PUT",
                                       .name = s3_name_bytes(s),
                                       .headers = headers,
                                       .n_headers = n,
                                       .body = value,
                                       .max_body = S3_MAX_ANSWER};
    s3_task_call(&put->task, &request, on_written);
}

static void on_looked(void *arg, const struct aws_answer *answer) {
    struct put *put = arg;
    const struct larder_op *op = put->task.op;
    const bool conditional = put->task.s->conditional;
    const int32_t status = s3_status(answer);
    struct s3_meta meta;
    if (status == S3_NO_KEY) {
        write_it(put, conditional ? ABSENT : WHATEVER);
        return;
    }
    if (status != LARDER_OK) {
        s3_task_fail(&put->task, answer);
        return;
    }
    if (!s3_etag_read(put->task.s, answer->headers, put->condition == SAME, &put->etag)) {
        s3_task_refuse(&put->task, LARDER_RETRY, "the answer is none of S3's");
        return;
    }
    bool is_there = s3_meta_read(answer->headers, &meta) && !s3_is_over(meta.expires_ms, op->now_ms);
    if (put->kind != 0 && aws_header_of(answer->headers, "x-amz-meta-epoch").len == 0) {
        is_there = true; /* OpenNext's: an entry, which has no epoch that a put could be older than */
        meta.epoch = 0;
    }
    if (is_there && (op->flags & LARDER_IF_ABSENT))
        s3_task_end(&put->task, LARDER_MISS);
    else if (is_there && meta.epoch > op->epoch)
        s3_task_end(&put->task, LARDER_OK);
    else
        write_it(put, conditional ? SAME : WHATEVER);
}

static void look(struct put *put) {
    struct s3 *s = put->task.s;
    struct larder_bytes key;
    if (!s3_object(s, put->task.op->key, &put->kind, &key)) {
        s3_task_end(&put->task, LARDER_NOMEM);
        return;
    }
    const struct s3_request request = {.method = "HEAD", .name = s3_name_bytes(s), .max_body = S3_MAX_ANSWER};
    s3_task_call(&put->task, &request, on_looked);
}

static void begin(struct s3_task *task) {
    struct put *put = (struct put *)task;
    const bool if_absent = task->op->flags & LARDER_IF_ABSENT;
    if (if_absent && task->s->conditional)
        write_it(put, ABSENT);
    else if (!if_absent && strcmp(task->s->config->conditional, "off") == 0)
        write_it(put, WHATEVER);
    else
        look(put);
}

static void start_put(struct s3_task *task) {
    struct put *put = (struct put *)task;
    struct larder_bytes key;
    if (!s3_object(task->s, task->op->key, &put->kind, &key))
        s3_task_end(task, LARDER_NOMEM);
    else if (put->kind != 0)
        s3_make_opennext(task, begin);
    else
        begin(task);
}

void s3_put(void *instance, struct larder_op *op) {
    struct s3 *s = instance;
    struct put *put;
    if (!s3_accepts(s, op, LARDER_IF_ABSENT))
        return;
    if (op->value.len > S3_MAX_VALUE)
        s3_answer(s, op, LARDER_TOO_BIG, "the value is larger than 64 MB");
    else if ((put = s3_task_new(s, op, sizeof(*put))))
        s3_task_enter(&put->task, (int64_t)op->value.len, start_put);
}
