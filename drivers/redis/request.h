/*
 * A request: one or several commands that go to one connection together, and what becomes of their replies.
 *
 * A request is written by its verb as late as possible, and may be written again: on another connection after a
 * redirection, with EVAL in the place of EVALSHA after NOSCRIPT.  So write() takes all it needs from the op, and
 * changes nothing.  The request lives in its task (rds.h) and is linked by `next` into exactly one list at a
 * time; whoever has it ends it by verb->done().
 */
#ifndef REDIS_REQUEST_H
#define REDIS_REQUEST_H

#include "out.h"
#include "reply.h"

struct rds_request;

/* What done() is given: a reply, or why there is none. */
struct rds_answer {
    int32_t status;                /* LARDER_OK: there is a reply, which may be an error of the server's */
    const struct rds_reply *reply; /* NULL where status is not LARDER_OK; valid during the call */
    struct larder_slice value;     /* verb->is_value and reply->type RDS_BULK: what stands behind the first
                                      RDS_HEAD bytes, which are reply->text; a reference passes to done() */
    const char *detail;            /* of a status < 0; may be NULL */
    uint64_t connection;           /* where it came from: see rds_request.on */
    uint64_t silence_ns;           /* for how long nothing had come there before, though something was due */
};

enum { RDS_HEAD = 32 }; /* bytes before the value in a stored entry (entry.c) */

struct rds_verb {
    void (*write)(const struct rds_request *r, struct rds_out *out);
    /* Called for each reply, r->seen (0, 1 ...) being which; and once, and no more, with a status < 0 where
     * replies are missing.  After the last one the request is done()'s own: it may be freed. */
    void (*done)(struct rds_request *r, const struct rds_answer *answer);
    /* Instead of a script, where the server allows none: ends the request in another way.  NULL: it is none. */
    void (*without_script)(struct rds_request *r);
    bool is_value; /* the reply is a bulk that goes straight into a slice (GET of an entry) */
};

enum rds_kind {            /* which of a server's connections */
                RDS_SMALL, /* marks, epochs, index: nothing that takes long */
                RDS_BIG,   /* entries */
                RDS_SLOW,  /* what blocks the connection at the server: WAIT; transactions (WATCH) */
                RDS_KINDS
};

enum {                         /* rds_request.flags */
       RDS_MAY_LAG = 1 << 0,   /* a replica may answer */
       RDS_EVAL = 1 << 1,      /* the server does not know the script: send it whole */
       RDS_ASKING = 1 << 2,    /* this attempt follows an ASK redirection */
       RDS_AGAIN = 1 << 3,     /* a reply said that it has to be sent again, when all have come */
       RDS_ELSEWHERE = 1 << 4, /* the router's: the same, but it decides where and when ... */
       RDS_LATER = 1 << 5,     /* ... not at once ... */
       RDS_TO_ASK = 1 << 6     /* ... where ASK said */
};

enum { RDS_SLOTS = 16384 };

struct rds_request {
    struct rds_request *next;
    const struct rds_verb *verb;
    uint64_t deadline_ns; /* what is not written by then is not written any more */
    uint64_t on;          /* 0, or the one connection that it is for (a transaction): if that is gone,
                                      the answer is LARDER_RETRY */
    uint64_t sent_ns;     /* the connection's: when it was given to it */
    uint16_t slot;        /* of its keys; routers that know one server do not look at it */
    uint8_t kind;         /* enum rds_kind */
    uint8_t flags;
    uint8_t attempts; /* redirections and repetitions so far; the router's */
    uint16_t seen;    /* replies that have come */
    uint16_t replies; /* how many will come: the number of its commands; the connection's */
    uint32_t got;     /* the connection's: with RDS_ASKING, each reply is preceded by one for ASKING */
};

struct rds_requests { /* a list; first in, first out */
    struct rds_request *first, *last;
    size_t n;
};

static inline void rds_requests_add(struct rds_requests *list, struct rds_request *r) {
    r->next = NULL;
    if (list->last)
        list->last->next = r;
    else
        list->first = r;
    list->last = r;
    list->n++;
}

static inline struct rds_request *rds_requests_take(struct rds_requests *list) {
    struct rds_request *r = list->first;
    if (r) {
        list->first = r->next;
        if (!list->first)
            list->last = NULL;
        list->n--;
    }
    return r;
}

/* Ends a request that gets no (more) reply. */
static inline void rds_request_fail(struct rds_request *r, int32_t status, const char *detail) {
    r->verb->done(r, &(struct rds_answer){.status = status, .detail = detail});
}

#endif
