/*
 * The keys of an instance: found when they are first needed, replaced before they expire, asked for
 * again where the service refuses them.  One attempt at a time; whoever needs keys meanwhile waits.
 */
#ifndef AWS_CREDENTIALS_H
#define AWS_CREDENTIALS_H

#include "aws_http.h"
#include "aws_plan.h"
#include "aws_settings.h"

struct aws_credentials;

/* Everything is borrowed for the life of the result.  NULL: out of memory. */
struct aws_credentials *aws_credentials_new(const struct larder_host *host, struct larder_home *home,
                                            struct aws_http *http, const struct aws_settings *settings,
                                            const struct aws_environment *environment);
/* Whoever waits is forgotten.  NULL is allowed. */
void aws_credentials_free(struct aws_credentials *credentials);

struct aws_waiter { /* in memory of the one who waits */
    struct aws_waiter *prev, *next;
    larder_fn *ready; /* called once, on the I/O thread: ask again */
    void *arg;
    bool waits;
};

struct aws_identity { /* valid until the I/O thread's turn ends */
    const struct aws_keys *keys;
    uint64_t generation; /* another number: other keys */
    const struct aws_plan *plan;
    const char *region; /* NULL: nobody says one */
};

/* LARDER_OK: *ret_identity.  LARDER_MISS: waiter waits.  Else the failure of an attempt not long ago, with
 * *ret_detail, one line that is good until the next call.  now_ms: the time of day. */
int32_t aws_credentials_get(struct aws_credentials *credentials, int64_t now_ms, struct aws_waiter *waiter,
                            struct aws_identity *ret_identity, const char **ret_detail);
/* waiter does not wait any more. */
void aws_credentials_leave(struct aws_credentials *credentials, struct aws_waiter *waiter);
/* The service does not take the keys of this generation.  False: new ones have been asked for only just
 * now, and it is no use to do it again. */
bool aws_credentials_refused(struct aws_credentials *credentials, uint64_t generation);

#endif
