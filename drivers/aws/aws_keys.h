/* A set of keys: what signs a request.  Secrets are overwritten before their memory is given back. */
#ifndef AWS_KEYS_H
#define AWS_KEYS_H

#include "aws_text.h"

struct aws_keys { /* all zero: none */
    char *id;     /* "AKIA..." */
    char *secret;
    char *token;       /* of a session; NULL: long-lived keys */
    int64_t expire_ms; /* 0: never */
};

static inline void aws_keys_done(struct aws_keys *keys) {
    aws_wipe(&keys->id);
    aws_wipe(&keys->secret);
    aws_wipe(&keys->token);
    keys->expire_ms = 0;
}

/* The old ones of `to` go, those of `from` are moved. */
static inline void aws_keys_move(struct aws_keys *to, struct aws_keys *from) {
    aws_keys_done(to);
    *to = *from;
    *from = (struct aws_keys){0};
}

#endif
