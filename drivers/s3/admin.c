/* What has to do with the bucket as a whole: whether it answers, creating it, and what one must be allowed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3.h"
#include "xml.h"

enum { DAY_MS = 86400000 };

static int32_t say(struct s3 *s, struct larder_op *op, const char *line) {
    struct aws_text text = {0};
    aws_text_adds(&text, line);
    aws_text_adds(&text, "\n");
    const int32_t status = text.failed ? LARDER_NOMEM
                                       : s->host->emit_text(
                                             op, (struct larder_bytes){(const uint8_t *)text.ptr, text.len});
    aws_text_done(&text);
    return status;
}

/* ---- ping ---------------------------------------------------------------------------------------------------- */

static void no_bucket(struct s3_task *task) {
    char detail[320];
    snprintf(detail, sizeof(detail), "there is no bucket %s: larder provision creates it", task->s->bucket);
    s3_task_refuse(task, LARDER_INVALID, detail);
}

static void on_ping(void *arg, const struct aws_answer *answer) {
    struct s3_task *task = arg;
    const int32_t status = s3_status(answer);
    task->res.native_code = answer->http_status;
    if (status == LARDER_OK)
        s3_task_end(task, LARDER_OK);
    else if (status == S3_NO_KEY || status == S3_NO_BUCKET)
        no_bucket(task);
    else
        s3_task_fail(task, answer);
}

void s3_ping(void *instance, struct larder_op *op) {
    struct s3_task *task;
    const struct s3_request request = {.method = "HEAD", .max_body = S3_MAX_ANSWER};
    if (s3_accepts(instance, op, 0) && (task = s3_task_new(instance, op, sizeof(*task))))
        s3_task_call(task, &request, on_ping);
}

/* ---- provision ------------------------------------------------------------------------------------------------ */

/*
 * HEAD tells whether the bucket is there; it is made where it is not.  Then its lifecycle rules are read,
 * and written with ours among them if it was not.  Every step may be taken by two processes at once, and by the
 * same one again.
 */
struct provision {
    struct s3_task task;
    struct aws_text body;
    char id[S3_MAX_PREFIX + 16], prefix[S3_MAX_PREFIX + 2];
    struct s3_rule rule;
};

static void end(struct provision *p, int32_t status) {
    aws_text_done(&p->body);
    s3_task_end(&p->task, status);
}

static void fail(struct provision *p, const struct aws_answer *answer) {
    aws_text_done(&p->body);
    s3_task_fail(&p->task, answer);
}

static void send(struct provision *p, const struct s3_request *request, aws_client_done *done) {
    const int32_t status = p->body.failed ? LARDER_NOMEM
                                          : s3_call(p->task.s, p->task.op, request, done, p, NULL);
    if (status != LARDER_OK)
        end(p, status);
}

static void tell_rule(struct provision *p) {
    char line[256];
    snprintf(line, sizeof(line), "lifecycle: what begins with %s is deleted after %u days", p->rule.prefix,
             p->rule.days);
    end(p, say(p->task.s, p->task.op, line));
}

static void on_rule(void *arg, const struct aws_answer *answer) {
    struct provision *p = arg;
    const int32_t status = s3_status(answer);
    if (status == LARDER_OK)
        tell_rule(p);
    else if (status == S3_NOT_IMPLEMENTED)
        end(p, say(p->task.s, p->task.op,
                   "warning: this server has no lifecycle rules: what is over stays in the bucket"));
    else
        fail(p, answer);
}

static void on_rules(void *arg, const struct aws_answer *answer) {
    struct provision *p = arg;
    const int32_t status = s3_status(answer);
    const bool none = strcmp(answer->code, "NoSuchLifecycleConfiguration") == 0;
    struct larder_bytes old = {answer->body.ptr, answer->body.len};
    bool changed = false;
    char sum[S3_MD5_SIZE];
    if (status == S3_NOT_IMPLEMENTED) {
        on_rule(p, answer);
        return;
    }
    if (status != LARDER_OK && !none) {
        fail(p, answer);
        return;
    }
    if (none)
        old.len = 0;
    aws_text_clear(&p->body);
    if (!s3_lifecycle_with(old, &p->rule, &p->body, &changed)) {
        aws_text_done(&p->body);
        s3_task_refuse(&p->task, LARDER_RETRY, "the answer is none of S3's");
        return;
    }
    if (!changed) {
        tell_rule(p);
        return;
    }
    const struct larder_bytes body = {(const uint8_t *)p->body.ptr, p->body.len};
    s3_md5(body, sum);
    const struct aws_header headers[] = {{"content-md5", sum}, {"content-type", "application/xml"}};
    const struct s3_request request = {.method = "PUT",
                                       .query = "lifecycle=",
                                       .headers = headers,
                                       .n_headers = 2,
                                       .body = body,
                                       .sign_payload = true,
                                       .max_body = S3_MAX_ANSWER};
    send(p, &request, on_rule);
}

static void read_rules(struct provision *p, const char *what) {
    struct s3 *s = p->task.s;
    char line[400];
    snprintf(line, sizeof(line), "bucket %s %s", s->bucket, what);
    const int32_t status = say(s, p->task.op, line);
    const struct s3_request request = {.method = "GET", .query = "lifecycle=", .max_body = S3_MAX_ANSWER};
    if (status == LARDER_OK)
        send(p, &request, on_rules);
    else
        end(p, status);
}

static void on_created(void *arg, const struct aws_answer *answer) {
    struct provision *p = arg;
    if (answer->status == LARDER_OK)
        read_rules(p, "was created");
    else if (strcmp(answer->code, "BucketAlreadyOwnedByYou") == 0) /* another process was faster */
        read_rules(p, "is there");
    else
        fail(p, answer);
}

/* AWS wants to be told the region, but for its first one; others have regions of their own making. */
static void create(struct provision *p) {
    bool is_own;
    const char *region = aws_client_region(p->task.s->client, &is_own);
    aws_text_clear(&p->body);
    if (is_own && region && strcmp(region, "us-east-1") != 0) {
        aws_text_adds(&p->body,
                      "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                      "<LocationConstraint>");
        aws_text_adds(&p->body, region);
        aws_text_adds(&p->body, "</LocationConstraint></CreateBucketConfiguration>");
    }
    const struct s3_request request = {.method = "PUT",
                                       .body = {(const uint8_t *)p->body.ptr, p->body.len},
                                       .sign_payload = true,
                                       .max_body = S3_MAX_ANSWER};
    send(p, &request, on_created);
}

static void on_looked(void *arg, const struct aws_answer *answer) {
    struct provision *p = arg;
    const int32_t status = s3_status(answer);
    if (status == LARDER_OK) {
        read_rules(p, "is there");
    } else if (status == S3_NO_KEY || status == S3_NO_BUCKET) {
        create(p);
    } else if (answer->http_status == 403) {
        aws_text_done(&p->body);
        s3_task_refuse(&p->task, LARDER_DENIED,
                       "the bucket is somebody else's, or these credentials may not see it (s3:ListBucket)");
    } else {
        fail(p, answer);
    }
}

static unsigned days_of(const struct s3 *s) {
    return (unsigned)((s->config->max_age_ms + DAY_MS - 1) / DAY_MS);
}

static void tell_requests(struct s3 *s, struct larder_op *op) {
    char line[600];
    snprintf(
        line, sizeof(line),
        "CreateBucket %s, unless it is there\nPutBucketLifecycleConfiguration: the rule larder-%s, by which "
        "what begins with %s/ is deleted after %u days",
        s->bucket, s->prefix, s->prefix, days_of(s));
    s3_answer(s, op, say(s, op, line), NULL);
}

void s3_provision(void *instance, struct larder_op *op) {
    struct s3 *s = instance;
    struct provision *p;
    if (!s3_accepts(s, op, LARDER_DRY_RUN))
        return;
    if (op->flags & LARDER_DRY_RUN) {
        tell_requests(s, op);
        return;
    }
    if (!(p = s3_task_new(s, op, sizeof(*p))))
        return;
    snprintf(p->id, sizeof(p->id), "larder-%s", s->prefix);
    snprintf(p->prefix, sizeof(p->prefix), "%s/", s->prefix);
    p->rule = (struct s3_rule){.id = p->id, .prefix = p->prefix, .days = days_of(s)};
    const struct s3_request request = {.method = "HEAD", .max_body = S3_MAX_ANSWER};
    send(p, &request, on_looked);
}

/* ---- explain -------------------------------------------------------------------------------------------------- */

/* ListBucket has no condition on the prefix: a get has none, and would be told 403 in place of 404. */
static void text_iam(struct aws_text *t, const struct s3 *s) {
    char text[3000], of_opennext[400] = "";
    if (s->is_opennext) /* of any build: a policy outlives many */
        snprintf(of_opennext, sizeof(of_opennext), ", \"arn:*:s3:::%s/%s%s*\"", s->bucket, s->key_prefix,
                 s->key_prefix[0] != '\0' ? "/" : "");
    const char *kms = s->config->kms_key[0] != '\0' ? s->config->kms_key : "*";
    snprintf(text, sizeof(text),
             "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n"
             "    {\n      \"Sid\": \"LarderObjects\",\n      \"Effect\": \"Allow\",\n      \"Action\": [\n"
             "        \"s3:GetObject\",\n        \"s3:PutObject\",\n        \"s3:DeleteObject\"\n      ],\n"
             "      \"Resource\": [\"arn:*:s3:::%s/%s/*\"%s]\n    },\n"
             "    {\n      \"Sid\": \"LarderBucket\",\n      \"Effect\": \"Allow\",\n"
             "      \"Action\": \"s3:ListBucket\",\n      \"Resource\": \"arn:*:s3:::%s\"\n    },\n",
             s->bucket, s->prefix, of_opennext, s->bucket);
    aws_text_adds(t, text);
    if (strncmp(s->config->sse, "aws:kms", 7) == 0) {
        snprintf(text, sizeof(text),
                 "    {\n      \"Sid\": \"LarderKey\",\n      \"Effect\": \"Allow\",\n      \"Action\": [\n"
                 "        \"kms:GenerateDataKey\",\n        \"kms:Decrypt\"\n      ],\n"
                 "      \"Resource\": \"%.2000s\"\n    },\n",
                 kms);
        aws_text_adds(t, text);
    }
    snprintf(
        text, sizeof(text),
        "    {\n      \"Sid\": \"LarderProvision\",\n      \"Effect\": \"Allow\",\n      \"Action\": [\n"
        "        \"s3:CreateBucket\",\n        \"s3:GetLifecycleConfiguration\",\n"
        "        \"s3:PutLifecycleConfiguration\"\n      ],\n      \"Resource\": \"arn:*:s3:::%s\"\n    }\n"
        "  ]\n}",
        s->bucket);
    aws_text_adds(t, text);
}

void s3_explain(void *instance, struct larder_op *op) {
    struct s3 *s = instance;
    struct aws_text text = {0};
    if ((op->flags) != 0) {
        s3_answer(s, op, LARDER_UNSUPPORTED, NULL);
        return;
    }
    if (!aws_is(op->key, "iam")) {
        s3_answer(s, op, LARDER_INVALID, "there is something to say about: iam");
        return;
    }
    text_iam(&text, s);
    s3_answer(s, op, text.failed ? LARDER_NOMEM : say(s, op, text.ptr), NULL);
    aws_text_done(&text);
}
