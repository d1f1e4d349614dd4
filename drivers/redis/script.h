/* What the server does in one step: short scripts in Lua, known to it by their SHA-1 (EVALSHA). */
#ifndef REDIS_SCRIPT_H
#define REDIS_SCRIPT_H

#include "request.h"

enum rds_script {
    RDS_PUT,   /* an entry, unless a newer one is there */
    RDS_PLACE, /* the same, of a value that was sent to a key beside it before */
    RDS_TAKE,  /* a claim */
    RDS_GIVE,  /* it back */
    RDS_MERGE, /* marks */
    RDS_BUMP,  /* a counter and marks */
    RDS_ADVANCE,
    RDS_SCRIPTS
};

struct rds_script_sha {
    char hex[41];
};

/* For all scripts.  false: OpenSSL has no SHA-1. */
bool rds_script_shas(struct rds_script_sha ret[RDS_SCRIPTS]);

/* "EVALSHA sha n_keys", or EVAL and the script where r->flags says so; n_keys keys and n_args arguments follow. */
void rds_script_begin(struct rds_out *out, const struct rds_script_sha *shas, const struct rds_request *r,
                      enum rds_script which, size_t n_keys, size_t n_args);

#endif
