/*
 * URIs as AWS signs them: RFC 3986, every byte but the unreserved ones (A-Z a-z 0-9 - . _ ~) as %XX in
 * upper case.  What is sent is what is signed, so drivers build paths and queries with these.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
#ifndef AWS_URI_H
#define AWS_URI_H

#include "aws_text.h"

/* A path: `/` stays as it is. */
void aws_uri_add_path(struct aws_text *out, struct larder_bytes bytes);
/* A name or value: `/` is encoded. */
void aws_uri_add(struct aws_text *out, struct larder_bytes bytes);

struct aws_param { /* of a query or a form; any bytes, not encoded */
    struct larder_bytes name, value;
};
/* "a=1&b=2", in the order of signing: by encoded name, then by encoded value.  False: no memory. */
bool aws_uri_add_query(struct aws_text *out, const struct aws_param *params, size_t n);

/* Without "." and ".." and doubled slashes (RFC 3986, 5.2.4), and encoded once more: how every service
 * but S3 signs a path. */
void aws_uri_add_signed_path(struct aws_text *out, const char *path);

#endif
