/*
 * Keys by their beginning: ListObjectsV2, a request for each page.  The cursor is the last name of the
 * page, without what all begin with, and the next page starts behind it: a continuation token of S3's is
 * good for its own list alone, and for how long nobody says.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
 */
#include <stdio.h>
#include <string.h>

#include "aws_uri.h"
#include "s3.h"
#include "xml.h"

enum { MOST_NAMES = 1000 };

static int32_t emit_key(struct s3_task *task, struct larder_bytes name) {
    uint8_t key[S3_MAX_NAME];
    size_t len;
    if (name.len > sizeof(key) || !s3_name_read_key(name, key, &len))
        return LARDER_OK; /* somebody else's */
    return task->s->host->emit_key(task->op, (struct larder_bytes){key, len});
}

static int32_t make_cursor(struct s3_task *task, struct larder_bytes name) {
    uint8_t *to = name.len > 0 ? task->s->host->buf_new(name.len, &task->res.cursor) : NULL;
    if (!to) {
        task->res.cursor = (struct larder_slice){0};
        return name.len > 0 ? LARDER_NOMEM : LARDER_RETRY; /* more, behind nothing */
    }
    memcpy(to, name.ptr, name.len);
    return LARDER_OK;
}

static int32_t emit_page(struct s3_task *task, struct larder_bytes xml) {
    struct s3_page page;
    struct aws_text name = {0};
    const size_t root = strlen(task->s->prefix) + 3; /* PREFIX/e/ */
    int32_t status = LARDER_OK;
    struct larder_bytes last = {0};
    if (!s3_page_read(xml, &page)) {
        snprintf(task->detail, sizeof(task->detail), "the answer is none of S3's");
        return LARDER_RETRY;
    }
    while (status == LARDER_OK && s3_page_next(&page, &name)) {
        if (name.failed)
            status = LARDER_NOMEM;
        if (status != LARDER_OK || name.len <= root)
            continue;
        last = (struct larder_bytes){(const uint8_t *)name.ptr + root, name.len - root};
        status = emit_key(task, last);
    }
    if (status == LARDER_OK && page.is_truncated)
        status = make_cursor(task, last);
    aws_text_done(&name);
    return status;
}

static void on_listed(void *arg, const struct aws_answer *answer) {
    struct s3_task *task = arg;
    if (s3_status(answer) != LARDER_OK)
        s3_task_fail(task, answer);
    else
        s3_task_end(task, emit_page(task, (struct larder_bytes){answer->body.ptr, answer->body.len}));
}

static bool make_query(struct s3 *s, const struct larder_op *op, struct aws_text *query) {
    struct aws_text after = {0};
    char count[24];
    const uint64_t n = op->limit > 0 && op->limit < MOST_NAMES ? op->limit : MOST_NAMES;
    snprintf(count, sizeof(count), "%llu", (unsigned long long)n);
    bool ok = s3_name(s, "e", op->key);
    struct larder_bytes begins = s3_name_bytes(s);
    begins.len -= ok; /* without the `~` */
    aws_text_adds(&after, s->prefix);
    aws_text_adds(&after, "/e/");
    aws_text_add(&after, op->cursor.ptr, op->cursor.len);
    const struct aws_param params[] = {
        {aws_bytes("list-type"), aws_bytes("2")},
        {aws_bytes("encoding-type"), aws_bytes("url")},
        {aws_bytes("max-keys"), aws_bytes(count)},
        {aws_bytes("prefix"), begins},
        {aws_bytes("start-after"), {(const uint8_t *)after.ptr, after.len}},
    };
    ok = ok && !after.failed && aws_uri_add_query(query, params, op->cursor.len > 0 ? 5 : 4);
    aws_text_done(&after);
    return ok;
}

void s3_list(void *instance, struct larder_op *op) {
    struct s3 *s = instance;
    struct s3_task *task;
    struct aws_text query = {0};
    if (!s3_accepts(s, op, 0))
        return;
    if (op->cursor.len > S3_MAX_NAME) {
        s3_answer(s, op, LARDER_INVALID, "this driver never made that cursor");
        return;
    }
    if (!(task = s3_task_new(s, op, sizeof(*task))))
        return;
    const struct s3_request request = {
        .method = "GET", .query = make_query(s, op, &query) ? query.ptr : NULL, .max_body = S3_MAX_ANSWER};
    if (request.query)
        s3_task_call(task, &request, on_listed);
    else
        s3_task_end(task, LARDER_NOMEM);
    aws_text_done(&query);
}
