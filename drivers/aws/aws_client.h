/*
 * A client of one service: what a driver uses of all this.
 *
 *     struct aws_client_options options = {.host = host, .home = home, .settings = &config->aws,
 *                                          .service = "dynamodb"};
 *     status = aws_client_new(&options, &client, error);          in open()
 *     status = aws_client_send(client, &request, on_answer, op, NULL);   for an op
 *     aws_client_free(client);                                    in close()
 *
 * Credentials, region and endpoint are found when the first request is made.  A request is signed, sent
 * and its answer classified; it is repeated here only for expired keys, for a clock that is wrong and for a
 * bucket of another region, once each.  All other repetition is the core's: hand on status and retry_after_ms.
 *
 * Everything is called on the I/O thread.
 */
#ifndef AWS_CLIENT_H
#define AWS_CLIENT_H

#include "aws_environment.h"
#include "aws_settings.h"
#include "aws_sign.h"
#include "larder/driver.h"

struct aws_client; /* one per instance */
struct aws_call;   /* one request under way */

enum aws_addressing {
    AWS_ADDRESS_AUTO, /* VIRTUAL at AWS, but for a bucket with a dot, which no certificate covers; else PATH */
    AWS_ADDRESS_PATH,   /* https://host/bucket/key */
    AWS_ADDRESS_VIRTUAL /* https://bucket.host/key */
};

struct aws_client_options {
    const struct larder_host *host;
    struct larder_home *home;
    const struct aws_settings *settings;       /* borrowed for the client's life */
    const char *service;                       /* "dynamodb", "s3": of host names and signatures */
    bool is_s3;                                /* sign as S3 wants it: aws_signed.h */
    const char *bucket;                        /* S3: paths of requests are within it; NULL: none */
    enum aws_addressing addressing;            /* of that bucket */
    const struct aws_environment *environment; /* for tests; NULL: the process's own, read now */
};

/* Makes no request and reads no file.  On failure a status < 0 and the reason in error. */
int32_t aws_client_new(const struct aws_client_options *options, struct aws_client **ret_client,
                       char error[LARDER_ERROR_SIZE]);
/* Requests under way end without a word.  Not from inside a done function.  NULL is allowed. */
void aws_client_free(struct aws_client *client);

struct aws_request { /* copied, but for body */
    const char *method;
    const char *path;                 /* begins with "/"; encoded (aws_uri_add_path) */
    const char *query;                /* aws_uri_add_query(); NULL: none */
    const struct aws_header *headers; /* besides those of the signature, host and content-length */
    size_t n_headers;                 /* at most 40 */
    struct larder_bytes body;         /* borrowed until done */
    const char *payload_hash;         /* NULL: of body, computed here, 0.6 us per KB; "UNSIGNED-PAYLOAD" */
    int64_t now_ms;                   /* op->now_ms */
    uint64_t deadline_ns;             /* op->deadline_ns */
    size_t max_body;                  /* of the answer */
};

struct aws_answer { /* lent to the done function */
    int32_t status; /* LARDER_OK: 2xx.  Else for the core, or for a closer look at code */
    uint32_t retry_after_ms;
    int32_t http_status;         /* 0: no answer came.  For larder_result.native_code */
    const char *code;            /* of an error: "ConditionalCheckFailedException"; else "" */
    const char *detail;          /* one line without secrets; NULL where status is LARDER_OK */
    struct larder_bytes headers; /* aws_header_of() */
    struct larder_slice body;    /* also of an error; host->buf_ref() to keep it */
};
typedef void aws_client_done(void *arg, const struct aws_answer *answer);

/* done is called exactly once, later, unless the call is cancelled; it may send others.  A status < 0:
 * LARDER_NOMEM or LARDER_INVALID (more headers than allowed), and done is not called.  ret_call: NULL, or
 * valid until done. */
int32_t aws_client_send(struct aws_client *client, const struct aws_request *request, aws_client_done *done,
                        void *arg, struct aws_call **ret_call);
/* The region of the last request, good until the next one; NULL: there was none.  is_own: it went to the
 * endpoint that AWS has for that region, and not to somebody else's. */
const char *aws_client_region(const struct aws_client *client, bool *ret_is_own);
/* done is not called any more; the body is no longer borrowed. */
void aws_client_cancel(struct aws_call *call);

#endif
