/*
 * HTTP/1.1 over libcurl, on the reactor of the host: connections that are used again, a limit to them,
 * answers read into slices.  Everything here is called on the I/O thread.
 */
#ifndef AWS_HTTP_H
#define AWS_HTTP_H

#include <stdbool.h>

#include "aws_environment.h"
#include "aws_sign.h"
#include "larder/driver.h"

struct aws_http;      /* one per instance */
struct aws_http_call; /* one request under way */

struct aws_http_options { /* copied, but for host and home */
    const struct larder_host *host;
    struct larder_home *home;
    const struct aws_environment *environment; /* proxies, AWS_CA_BUNDLE */
    const char *ca_file;                       /* PEM; NULL: AWS_CA_BUNDLE, else what libcurl trusts */
    uint32_t max_connections;                  /* requests at once, others wait; idle connections kept */
    uint32_t connect_timeout_ms;
    uint32_t longest_ms; /* a request without a nearer deadline is given up after this: LARDER_RETRY */
};

/* NULL: out of memory.  Starts nothing: the first request does. */
struct aws_http *aws_http_new(const struct aws_http_options *options);
/* Requests under way end without a word.  Not from inside a done function.  NULL is allowed. */
void aws_http_free(struct aws_http *http);

struct aws_http_request {
    const char *method;               /* GET, HEAD, PUT, POST, DELETE */
    const char *url;                  /* http or https, already encoded; sent as it is */
    const struct aws_header *headers; /* content-length is libcurl's to add; host as it is given here */
    size_t n_headers;                 /* at most AWS_MOST_HEADERS */
    struct larder_bytes body;         /* borrowed until done; everything else is copied */
    uint64_t deadline_ns;             /* UINT64_MAX: none */
    size_t max_body;                  /* of the answer, in bytes */
    bool direct;                      /* never by a proxy: an address of this machine or network */
};

struct aws_http_answer { /* lent to the done function */
    int32_t status;      /* LARDER_OK: the server has answered, with whatever code.  RETRY, DEADLINE, TOO_BIG
                            (the answer), DENIED (its certificate), INVALID, NOMEM: it has not */
    int32_t code;        /* HTTP status; 0: none came */
    struct larder_bytes headers; /* lines "Name: value\r\n"; see aws_header_of() */
    struct larder_slice body;    /* host->buf_ref() to keep it */
    const char *detail;          /* one line; NULL where status is LARDER_OK */
};
typedef void aws_http_done(void *arg, const struct aws_http_answer *answer);

/* done is called exactly once, later, unless the request is cancelled; it may send others.  A status
 * < 0: nothing was sent and done is not called (LARDER_NOMEM, or LARDER_INVALID for a line break in a
 * header, too many headers, or a URL that is none). */
int32_t aws_http_send(struct aws_http *http, const struct aws_http_request *request, aws_http_done *done,
                      void *arg, struct aws_http_call **ret_call);
/* done is not called any more; the body is no longer borrowed. */
void aws_http_cancel(struct aws_http_call *call);

#endif
