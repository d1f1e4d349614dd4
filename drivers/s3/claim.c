/*
 * Claims: an object beside the entry, "EXPIRES\nOWNER", written on conditions.  No two claims have one
 * text, so an ETag tells one from the other.
 */
#include <stdio.h>
#include <string.h>

#include "aws_error.h"
#include "s3.h"

enum { MOST_TRIES = 8 };

struct claim {
    struct s3_task task;
    bool releases;
    unsigned tries;
    bool refused;        /* the write on the condition of etag was */
    struct s3_etag etag; /* of the one that is there */
    struct aws_text body;
};

static void look(struct claim *claim);

static void end(struct claim *claim, int32_t status) {
    aws_text_done(&claim->body);
    s3_task_end(&claim->task, status);
}

static void fail(struct claim *claim, const struct aws_answer *answer) {
    aws_text_done(&claim->body);
    s3_task_fail(&claim->task, answer);
}

static void send(struct claim *claim, const char *method, const struct aws_header *headers, size_t n,
                 aws_client_done *done) {
    struct s3 *s = claim->task.s;
    int32_t status = LARDER_NOMEM;
    if (!claim->body.failed && s3_name(s, "c", claim->task.op->key)) {
        const struct s3_request request = {.method = method,
                                           .name = s3_name_bytes(s),
                                           .headers = headers,
                                           .n_headers = n,
                                           .body = {(const uint8_t *)claim->body.ptr, claim->body.len},
                                           .max_body = S3_MAX_ANSWER};
        status = s3_call(s, claim->task.op, &request, done, claim, NULL);
    }
    if (status != LARDER_OK)
        end(claim, status);
}

/* ---- taking it ------------------------------------------------------------------------------------------ */

static void on_written(void *arg, const struct aws_answer *answer) {
    struct claim *claim = arg;
    const int32_t status = s3_status(answer);
    if (status == LARDER_OK && claim->etag.text[0] != '\0')
        claim->task.s->etags_held = true;
    if (status == LARDER_OK)
        end(claim, s3_is_of_s3(answer) ? LARDER_OK : LARDER_RETRY);
    else if (status == S3_NOT_IMPLEMENTED)
        end(claim, LARDER_UNSUPPORTED);
    else if (status != S3_CONDITION && status != S3_CONFLICT && status != S3_NO_KEY)
        fail(claim, answer);
    else if (++claim->tries == MOST_TRIES)
        end(claim, LARDER_MISS); /* there are many who want it, and one of them has it */
    else {
        claim->refused = claim->etag.text[0] != '\0';
        look(claim);
    }
}

static void write_it(struct claim *claim) {
    const struct larder_op *op = claim->task.op;
    const int64_t expires_ms = s3_expiry_ms(op->now_ms, op->ttl_ms);
    const bool over = claim->etag.text[0] != '\0';
    char line[S3_NUMBER_SIZE + 1], etag[S3_ETAG_SIZE];
    s3_etag_form(claim->task.s, &claim->etag, etag);
    const struct aws_header header = {over ? "if-match" : "if-none-match", over ? etag : "*"};
    snprintf(line, sizeof(line), "%lld\n", (long long)(expires_ms == LARDER_UNSET ? INT64_MAX : expires_ms));
    aws_text_clear(&claim->body);
    aws_text_adds(&claim->body, line);
    aws_text_add(&claim->body, op->value.ptr, op->value.len);
    send(claim, "PUT", &header, 1, on_written);
}

/* ---- giving it back -------------------------------------------------------------------------------------- */

static void on_removed(void *arg, const struct aws_answer *answer) {
    struct claim *claim = arg;
    const int32_t status = s3_status(answer);
    if (status == LARDER_OK || status == S3_NO_KEY || status == S3_CONDITION)
        end(claim, LARDER_OK);
    else if (status == S3_NOT_IMPLEMENTED && claim->tries++ == 0)
        send(claim, "DELETE", NULL, 0, on_removed); /* this one deletes without conditions alone */
    else
        fail(claim, answer);
}

static void remove_it(struct claim *claim) {
    char etag[S3_ETAG_SIZE];
    s3_etag_form(claim->task.s, &claim->etag, etag);
    const struct aws_header header = {"if-match", etag};
    send(claim, "DELETE", &header, 1, on_removed);
}

/* ---- whose it is ------------------------------------------------------------------------------------------ */

/* What is no claim is nobody's. */
static bool is_of_another(const struct claim *claim, struct larder_bytes body) {
    const struct larder_op *op = claim->task.op;
    const uint8_t *line = body.len > 0 ? memchr(body.ptr, '\n', body.len) : NULL;
    int64_t expires_ms;
    if (!line || !s3_number((struct larder_bytes){body.ptr, (size_t)(line - body.ptr)}, &expires_ms))
        return false;
    const size_t owner_len = body.len - (size_t)(line - body.ptr) - 1;
    const bool same = owner_len == op->value.len &&
                      (owner_len == 0 || memcmp(line + 1, op->value.ptr, owner_len) == 0);
    return !same && (claim->releases || expires_ms > op->now_ms);
}

static void on_looked(void *arg, const struct aws_answer *answer) {
    struct claim *claim = arg;
    const int32_t status = s3_status(answer);
    const bool is_there = status == LARDER_OK;
    if (!is_there && status != S3_NO_KEY) {
        fail(claim, answer);
        return;
    }
    if (is_there && !s3_etag_read(claim->task.s, answer->headers, claim->refused, &claim->etag)) {
        end(claim, LARDER_RETRY);
        return;
    }
    claim->refused = false;
    if (!is_there)
        claim->etag.text[0] = '\0';
    const bool other = is_there &&
                       is_of_another(claim, (struct larder_bytes){answer->body.ptr, answer->body.len});
    if (!claim->releases && !other)
        write_it(claim);
    else if (!claim->releases)
        end(claim, LARDER_MISS);
    else if (is_there && !other)
        remove_it(claim);
    else
        end(claim, LARDER_OK);
}

static void look(struct claim *claim) {
    aws_text_clear(&claim->body);
    send(claim, "GET", NULL, 0, on_looked);
}

static struct claim *begin(struct s3 *s, struct larder_op *op) {
    struct claim *claim;
    if (!s3_accepts(s, op, 0))
        return NULL;
    if (!s->conditional) {
        s3_answer(s, op, LARDER_UNSUPPORTED, "claims need a server that writes on conditions");
        return NULL;
    }
    claim = s3_task_new(s, op, sizeof(*claim));
    return claim;
}

void s3_claim(void *instance, struct larder_op *op) {
    struct claim *claim = begin(instance, op);
    if (claim)
        write_it(claim);
}

void s3_release(void *instance, struct larder_op *op) {
    struct claim *claim = begin(instance, op);
    if (!claim)
        return;
    claim->releases = true;
    look(claim);
}
