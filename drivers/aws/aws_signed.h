/* A request to a service: its URL put together, signed, sent. */
#ifndef AWS_SIGNED_H
#define AWS_SIGNED_H

#include "aws_endpoint.h"
#include "aws_http.h"

enum { AWS_OWN_HEADERS = 5 }; /* host, x-amz-date, -security-token, -content-sha256, authorization */

struct aws_signed_request {
    const char *method;
    const struct aws_endpoint *endpoint;
    const char *path;  /* begins with "/"; encoded (aws_uri_add_path) */
    const char *query; /* aws_uri_add_query(); NULL or "": none */
    const struct aws_header *headers;
    size_t n_headers; /* at most AWS_MOST_HEADERS - AWS_OWN_HEADERS */
    struct larder_bytes body;
    const char *payload_hash; /* NULL: of body, computed here */
    int64_t time_ms;
    uint64_t deadline_ns;
    size_t max_body;
    bool is_s3; /* its ways: the path is signed as it is, x-amz-content-sha256 is sent */
};

/* keys NULL: not signed.  As aws_http_send(). */
int32_t aws_send_signed(struct aws_http *http, struct aws_signer *signer, const struct aws_keys *keys,
                        const struct aws_signed_request *request, aws_http_done *done, void *arg,
                        struct aws_http_call **ret_call);

#endif
