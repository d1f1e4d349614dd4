/*
 * Where a service answers.
 * https://docs.aws.amazon.com/general/latest/gr/rande.html
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
 */
#ifndef AWS_ENDPOINT_H
#define AWS_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "aws_text.h"

struct aws_endpoint { /* all zero: none */
    char *
        origin; /* "https://dynamodb.eu-west-1.amazonaws.com", "http://127.0.0.1:8000": what stands before a path */
    char *host;  /* as the Host header says it: with a port that is not the scheme's own */
    char *path;  /* what an endpoint URL had as its path, without a slash at its end; "" */
    bool is_own; /* it is AWS's own, by a region's name */
};

void aws_endpoint_done(struct aws_endpoint *endpoint);

/* A URL that somebody has set: http or https, host, port, path.  No user, query or fragment.
 * LARDER_INVALID with the reason in error, or LARDER_NOMEM. */
int32_t aws_endpoint_of_url(struct aws_endpoint *endpoint, const char *url, char error[LARDER_ERROR_SIZE]);

/* The public one: "dynamodb" in "eu-west-1".  fips: where the federal standard is kept.
 * LARDER_INVALID where region is not the name of one. */
int32_t aws_endpoint_of_region(struct aws_endpoint *endpoint, const char *service, const char *region,
                               bool fips, char error[LARDER_ERROR_SIZE]);

/* The same service for one bucket: "https://bucket.s3.eu-west-1.amazonaws.com".  False: no memory. */
bool aws_endpoint_prefix(struct aws_endpoint *endpoint, const char *prefix);
/* The same by path: "http://127.0.0.1:9000", "/bucket".  False: no memory. */
bool aws_endpoint_below(struct aws_endpoint *endpoint, const char *segment);

#endif
