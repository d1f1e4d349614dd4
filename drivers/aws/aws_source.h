/*
 * One attempt to get credentials, by one of the ways of aws_plan.h.  It ends by done(), once, never
 * inside the call that begins it, or by aws_source_stop().
 */
#ifndef AWS_SOURCE_H
#define AWS_SOURCE_H

#include "aws_endpoint.h"
#include "aws_files.h"
#include "aws_http.h"
#include "aws_plan.h"

/* OK: *keys are the receiver's to move.  Else detail is one line. */
typedef void aws_source_done(void *arg, int32_t status, struct aws_keys *keys, const char *detail);

struct aws_source { /* made by aws_credentials.c; what stands behind the line is the sources' own */
    const struct larder_host *host;
    struct larder_home *home;
    struct aws_http *http;
    const struct aws_environment *environment;
    const struct aws_plan *plan;
    const struct aws_endpoint *sts;
    const char *sts_region;
    int64_t now_ms;
    uint64_t deadline_ns;
    char *region; /* found on the way by the metadata service, where the plan has none */
    aws_source_done *done;
    void *arg;
    /* ---- */
    struct aws_http_call *call;
    struct aws_job *job;
    struct aws_text body; /* of the request under way, which borrows it */
    char *token;          /* of the metadata service */
    const struct aws_role *role;
    const char *action; /* of STS; NULL: none */
};

/* A status < 0: done is not called. */
int32_t aws_web_identity_begin(struct aws_source *source);
int32_t aws_process_begin(struct aws_source *source);
int32_t aws_container_begin(struct aws_source *source);
int32_t aws_imds_begin(struct aws_source *source);
/* Signed with keys, which are copied where they are needed longer. */
int32_t aws_assume_role_begin(struct aws_source *source, const struct aws_role *role,
                              const struct aws_keys *keys);

/* Ends what is under way and wipes what was read; source can be used again. */
void aws_source_stop(struct aws_source *source);

/* ---- for the sources -------------------------------------------------------------------------------------- */

void aws_source_got(struct aws_source *source, struct aws_keys *keys);
/* "WHAT: detail" */
void aws_source_failed(struct aws_source *source, int32_t status, const char *detail);
/* The request of source is over.  True: 200.  Else source has ended. */
bool aws_source_is_fine(struct aws_source *source, const struct aws_http_answer *answer);
/* GET, or PUT where the metadata service wants it; never by a proxy, and for at most most_ms. */
int32_t aws_source_ask(struct aws_source *source, const char *method, const char *url,
                       const struct aws_header *headers, size_t n, uint32_t most_ms, aws_http_done *done);
/* The common form of metadata service, containers and processes: a JSON object.  token_name is the
 * member that is the session token.  Ends source either way. */
void aws_source_json(struct aws_source *source, struct larder_bytes json, const char *token_name);

#endif
