#include "aws_signed.h"

#include <string.h>

static bool sign(struct aws_signer *signer, const struct aws_keys *keys, const struct aws_signed_request *r,
                 const struct aws_header *headers, size_t n, const char *payload_hash, const char *stamp,
                 struct aws_text *authorization) {
    struct aws_text path = {0};
    aws_text_adds(&path, r->endpoint->path);
    aws_text_adds(&path, r->path);
    const struct aws_to_sign to_sign = {.method = r->method,
                                        .path = path.ptr,
                                        .query = r->query,
                                        .headers = headers,
                                        .n_headers = n,
                                        .payload_hash = payload_hash,
                                        .stamp = stamp,
                                        .path_as_sent = r->is_s3};
    const bool ok = !path.failed && aws_sign(signer, keys, &to_sign, authorization);
    aws_text_done(&path);
    return ok;
}

int32_t aws_send_signed(struct aws_http *http, struct aws_signer *signer, const struct aws_keys *keys,
                        const struct aws_signed_request *r, aws_http_done *done, void *arg,
                        struct aws_http_call **ret_call) {
    struct aws_header headers[AWS_MOST_HEADERS];
    struct aws_text url = {0}, authorization = {0};
    char stamp[AWS_STAMP_SIZE], hash[AWS_HASH_HEX];
    const char *payload_hash = r->payload_hash;
    int32_t status = LARDER_NOMEM;
    size_t n = 0;

    if (r->n_headers > AWS_MOST_HEADERS - AWS_OWN_HEADERS)
        return LARDER_INVALID;
    aws_text_adds(&url, r->endpoint->origin);
    aws_text_adds(&url, r->endpoint->path);
    aws_text_adds(&url, r->path);
    aws_text_adds(&url, aws_given(r->query) ? "?" : "");
    aws_text_adds(&url, aws_or_empty(r->query));
    headers[n++] = (struct aws_header){"host", r->endpoint->host};
    for (size_t i = 0; i < r->n_headers; i++)
        headers[n++] = r->headers[i];
    bool ok = !url.failed;
    if (keys) {
        if (!payload_hash) {
            aws_hash_hex(hash, r->body);
            payload_hash = hash;
        }
        aws_stamp(stamp, r->time_ms);
        headers[n++] = (struct aws_header){"x-amz-date", stamp};
        if (keys->token)
            headers[n++] = (struct aws_header){"x-amz-security-token", keys->token};
        if (r->is_s3)
            headers[n++] = (struct aws_header){"x-amz-content-sha256", payload_hash};
        ok = ok && sign(signer, keys, r, headers, n, payload_hash, stamp, &authorization);
        headers[n++] = (struct aws_header){"authorization", aws_or_empty(authorization.ptr)};
    }
    const struct aws_http_request request = {.method = r->method,
                                             .url = url.ptr,
                                             .headers = headers,
                                             .n_headers = n,
                                             .body = r->body,
                                             .deadline_ns = r->deadline_ns,
                                             .max_body = r->max_body};
    if (ok)
        status = aws_http_send(http, &request, done, arg, ret_call);
    aws_text_done(&url);
    aws_text_done(&authorization);
    return status;
}
