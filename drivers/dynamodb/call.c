/* One call of DynamoDB: a POST whose header names the operation.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws_client.h"
#include "aws_error.h"
#include "ddb.h"

enum { MOST_BODY = 8 << 20 }; /* of an answer: a page of 1 MB with all that JSON adds, and room */

struct call {
    struct ddb *d;
    struct ddb_text body; /* of the request */
    ddb_reply_fn *fn;
    void *arg;
};

static void call_free(struct call *call) {
    ddb_text_done(&call->body);
    free(call);
}

/* Errors that say something to this driver; what all others come to, drivers/aws knows. */
static int32_t status_of(const struct aws_answer *answer) {
    static const struct {
        const char *code;
        int32_t status;
    } codes[] = {
        {"ConditionalCheckFailedException", DDB_CONDITION},
        {"ResourceNotFoundException", DDB_NO_TABLE},
        {"ResourceInUseException", DDB_IN_USE},
        {"UnknownOperationException", DDB_UNKNOWN_OPERATION},
    };
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]) && answer->status != LARDER_OK; i++) {
        if (strcmp(answer->code, codes[i].code) == 0)
            return codes[i].status;
    }
    return answer->status;
}

/* Whether the body is not what DynamoDB says it has sent.  (Not all that is like DynamoDB says so.) */
static bool is_damaged(const struct ddb *d, const struct aws_answer *answer) {
    struct larder_bytes told = aws_header_of(answer->headers, "x-amz-crc32");
    uint64_t number = 0;
    if (told.len == 0 || told.len > 10)
        return told.len > 0;
    for (size_t i = 0; i < told.len; i++) {
        if (told.ptr[i] < '0' || told.ptr[i] > '9')
            return true;
        number = number * 10 + (told.ptr[i] - '0');
    }
    return number != ddb_crc32(&d->crc, (struct larder_bytes){answer->body.ptr, answer->body.len});
}

static void on_answer(void *arg, const struct aws_answer *answer) {
    struct call *call = arg;
    struct ddb_reply reply = {.status = status_of(answer),
                              .retry_after_ms = answer->retry_after_ms,
                              .native_code = answer->http_status,
                              .detail = answer->detail};
    /* What is stored may be good: all ops may be repeated, and then what comes is another answer. */
    if (answer->http_status != 0 && is_damaged(call->d, answer))
        reply = (struct ddb_reply){.status = LARDER_RETRY,
                                   .native_code = answer->http_status,
                                   .detail = "the answer was damaged on its way (x-amz-crc32)"};
    if (reply.status == LARDER_OK)
        reply.body = (struct larder_bytes){answer->body.ptr, answer->body.len};
    call->fn(call->arg, &reply);
    call_free(call);
}

int32_t ddb_call(struct ddb *d, const struct larder_op *op, const char *operation, struct ddb_text *body,
                 ddb_reply_fn *fn, void *arg) {
    char target[64];
    snprintf(target, sizeof(target), "DynamoDB_20120810.%s", operation);
    struct call *call = body->failed ? NULL : calloc(1, sizeof(*call));
    if (!call) {
        ddb_text_done(body);
        return LARDER_NOMEM;
    }
    *call = (struct call){.d = d, .body = *body, .fn = fn, .arg = arg};
    *body = (struct ddb_text){0};
    const struct aws_header headers[] = {{"content-type", "application/x-amz-json-1.0"},
                                         {"x-amz-target", target}};
    const struct aws_request request = {.method = "POST",
                                        .path = "/",
                                        .headers = headers,
                                        .n_headers = sizeof(headers) / sizeof(headers[0]),
                                        .body = {call->body.ptr, call->body.len},
                                        .now_ms = op->now_ms,
                                        .deadline_ns = op->deadline_ns,
                                        .max_body = MOST_BODY};
    int32_t status = aws_client_send(d->client, &request, on_answer, call, NULL);
    if (status != LARDER_OK)
        call_free(call);
    return status;
}

/* ---- an instance ------------------------------------------------------------------------------------------------ */

/* Names that other cache handlers read the region from come last. */
static void choose_region(struct ddb *d) {
    d->aws = d->config->aws;
    if (d->aws.region[0] == '\0' && !getenv("AWS_REGION") && !getenv("AWS_DEFAULT_REGION"))
        d->aws.region = d->config->default_region;
}

int32_t ddb_call_init(struct ddb *d, char *error) {
    ddb_crc_init(&d->crc);
    choose_region(d);
    const struct aws_client_options options = {
        .host = d->host, .home = d->home, .settings = &d->aws, .service = "dynamodb"};
    return aws_client_new(&options, &d->client, error);
}

void ddb_call_done(struct ddb *d) {
    aws_client_free(d->client);
}
