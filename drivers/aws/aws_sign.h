/*
 * AWS Signature Version 4 in the Authorization header.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
#ifndef AWS_SIGN_H
#define AWS_SIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "aws_keys.h"
#include "aws_time.h"

enum { AWS_HASH = 32, AWS_HASH_HEX = 65, AWS_MOST_HEADERS = 48 };

struct aws_header { /* both without CR and LF */
    const char *name, *value;
};

/* Lower-case hexadecimal SHA-256 of a body. */
void aws_hash_hex(char out[AWS_HASH_HEX], struct larder_bytes body);

/* The key that is derived from a secret for a day, a region and a service: four HMACs that need not
 * be made anew for each request.  One per client; all zero: nothing is derived yet. */
struct aws_signer {
    const char *region, *service; /* borrowed, and the same for the signer's life */
    char day[9];                  /* that key is for; "": none */
    uint8_t key[AWS_HASH];
};

/* Other keys are in use: the next signature derives anew. */
void aws_signer_forget(struct aws_signer *signer);

struct aws_to_sign {
    const char *method;
    const char *path;                 /* as it is sent, without the query */
    const char *query;                /* as aws_uri_add_query() made it; NULL or "": none */
    const struct aws_header *headers; /* all of them are signed; host and x-amz-date are among them */
    size_t n_headers;
    const char *payload_hash; /* hexadecimal, or "UNSIGNED-PAYLOAD" */
    const char *stamp;        /* what x-amz-date says */
    bool path_as_sent;        /* S3: the path is signed as it is, not normalized and encoded again */
};

/* Adds "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=..." to out.  False: no memory,
 * or more than AWS_MOST_HEADERS headers. */
bool aws_sign(struct aws_signer *signer, const struct aws_keys *keys, const struct aws_to_sign *request,
              struct aws_text *out);

#endif
