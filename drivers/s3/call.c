/* One request: its path and its signature, and what its errors mean.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
#include <stdlib.h>
#include <string.h>

#include "aws_uri.h"
#include "s3.h"

int32_t s3_status(const struct aws_answer *answer) {
    static const struct {
        const char *code;
        int32_t status;
    } codes[] = {{"NoSuchKey", S3_NO_KEY},
                 {"NoSuchBucket", S3_NO_BUCKET},
                 {"PreconditionFailed", S3_CONDITION},
                 {"ConditionalRequestConflict", S3_CONDITION},
                 /* Of two writes at once on conditions Ceph's gateway refuses one so, with 500. */
                 {"UnknownError", S3_CONFLICT},
                 {"NotImplemented", S3_NOT_IMPLEMENTED},
                 {"XNotImplemented", S3_NOT_IMPLEMENTED}};
    if (answer->status == LARDER_OK)
        return LARDER_OK;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(answer->code, codes[i].code) == 0)
            return codes[i].status;
    }
    if (answer->code[0] != '\0')
        return answer->status;
    switch (answer->http_status) { /* HEAD has no body, and so no code */
    case 307: return LARDER_RETRY; /* a bucket of a moment ago, whose name is still on its way */
    case 404: return answer->body.len == 0 ? S3_NO_KEY : LARDER_INVALID;
    case 412: return S3_CONDITION;
    case 501: return S3_NOT_IMPLEMENTED;
    default: return answer->status;
    }
}

int32_t s3_call(struct s3 *s, const struct larder_op *op, const struct s3_request *r, aws_client_done *done,
                void *arg, struct aws_call **ret_call) {
    aws_text_clear(&s->path);
    aws_text_adds(&s->path, "/");
    aws_uri_add_path(&s->path, r->name);
    if (s->path.failed)
        return LARDER_NOMEM;
    const bool sign_payload = r->sign_payload || s->config->sign_payload;
    const struct aws_request request = {.method = r->method,
                                        .path = s->path.ptr,
                                        .query = r->query,
                                        .headers = r->headers,
                                        .n_headers = r->n_headers,
                                        .body = r->body,
                                        .payload_hash = sign_payload ? NULL : "UNSIGNED-PAYLOAD",
                                        .now_ms = op->now_ms,
                                        .deadline_ns = op->deadline_ns,
                                        .max_body = r->max_body};
    return aws_client_send(s->client, &request, done, arg, ret_call);
}

/* ---- an instance ------------------------------------------------------------------------------------ */

/* Names that other cache handlers read the region from come last. */
static void choose_region(struct s3 *s) {
    s->aws = s->config->aws;
    if (s->aws.region[0] == '\0' && !getenv("AWS_REGION") && !getenv("AWS_DEFAULT_REGION"))
        s->aws.region = s->config->default_region;
}

static enum aws_addressing addressing_of(const char *text) {
    if (strcmp(text, "path") == 0)
        return AWS_ADDRESS_PATH;
    return strcmp(text, "virtual") == 0 ? AWS_ADDRESS_VIRTUAL : AWS_ADDRESS_AUTO;
}

int32_t s3_call_init(struct s3 *s, char *error) {
    choose_region(s);
    const struct aws_client_options options = {.host = s->host,
                                               .home = s->home,
                                               .settings = &s->aws,
                                               .service = "s3",
                                               .is_s3 = true,
                                               .bucket = s->bucket,
                                               .addressing = addressing_of(s->config->addressing)};
    return aws_client_new(&options, &s->client, error);
}

void s3_call_done(struct s3 *s) {
    aws_client_free(s->client);
    aws_text_done(&s->name);
    aws_text_done(&s->path);
}
