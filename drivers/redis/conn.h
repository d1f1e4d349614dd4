/*
 * One connection to one server: name resolution, connecting, TLS, the greeting (AUTH, SELECT, CLIENT SETNAME),
 * then requests and their replies in order, pipelined.  It connects once; when it is lost it stays down until
 * rds_conn_connect() is called again: pauses between attempts, and whereto, are its owner's (node.h).
 *
 * It is lost by an error, by garbage, by the server's hanging up, and when nothing has been heard for
 * `silence` while a reply is due.  A deadline does not end it: the reply comes later and is given to done().
 */
#ifndef REDIS_CONN_H
#define REDIS_CONN_H

#include "request.h"

struct rds_peer {         /* how to reach and greet one server; all texts are the owner's */
    const char *host;     /* name or address; NULL: a unix socket */
    const char *port;     /* decimal */
    const char *path;     /* of the unix socket */
    const char *user;     /* NULL: AUTH with the password alone */
    const char *password; /* NULL: no AUTH */
    const char *name;     /* CLIENT SETNAME; NULL: none */
    int64_t db;           /* SELECT, where it is not 0 */
    struct rds_tls *tls;  /* NULL: none */
    bool readonly;        /* a replica of a cluster: READONLY */
    /* A question that the greeting ends with, and what its reply must be; NULL: none.  Sentinel: ROLE.  The
     * answer is LARDER_OK or a status with the reason in detail; then the connection is not used. */
    const char *question;
    int32_t (*is_right)(void *arg, const struct rds_reply *reply, char *detail, size_t size);
    void *arg;
    uint64_t connect_ns; /* for all of it */
    uint64_t silence_ns;
    int64_t keepalive_ms; /* TCP keepalive; 0: none */
};

struct rds_conn;

/* What was gathered and not sent yet, of all connections of an instance.  It is sent at the end of a burst of calls
 * by the core, and of what came in on a connection. */
struct rds_burst {
    struct rds_conn *first;
    uint64_t last_id; /* of a connection */
};
void rds_burst_send(struct rds_burst *burst);

struct rds_conn_events { /* the owner; all are called on the I/O thread, never inside a call of its own
                                      but rds_conn_cut() and rds_burst_send() */
    /* It is ready. */
    void (*up)(void *owner, struct rds_conn *conn);
    /* It could not be made, or is lost.  `left` are requests that were not answered to the end, in their order; what
     * they ask for may have happened.  The owner ends or moves them. */
    void (*down)(void *owner, struct rds_conn *conn, int32_t status, const char *detail,
                 struct rds_requests *left);
    /* A reply for r.  r->seen says which; r is out of the connection's lists with the last one
     * (r->seen == r->replies - 1).  The owner calls verb->done(), or keeps r to send it again. */
    void (*reply)(void *owner, struct rds_conn *conn, struct rds_request *r, struct rds_answer *answer);
    /* A message of a subscription (push.c); NULL: none is expected. */
    void (*message)(void *owner, struct rds_conn *conn, const struct rds_reply *reply);
};

enum rds_conn_state { RDS_DOWN, RDS_RESOLVING, RDS_CONNECTING, RDS_TLS, RDS_GREETING, RDS_UP };

/* Idle.  events and owner must live as long.  NULL: no memory. */
struct rds_conn *rds_conn_new(const struct larder_host *host, struct larder_home *home,
                              struct rds_burst *burst, const struct rds_conn_events *events, void *owner);
/* Also while it is up: without events; there must be no requests in it (rds_conn_cut() first).  Accepts NULL. */
void rds_conn_free(struct rds_conn *conn);
/* Begins, in RDS_DOWN.  peer is copied, what it points to is not.  up() or down() will follow. */
void rds_conn_connect(struct rds_conn *conn, const struct rds_peer *peer);
/* Ends it now, with down(), unless it is down already. */
void rds_conn_cut(struct rds_conn *conn, int32_t status, const char *detail);

/* Takes r, in RDS_UP; it is sent with the burst.  false: no memory, r is the caller's still. */
bool rds_conn_send(struct rds_conn *conn, struct rds_request *r) __attribute__((warn_unused_result));

enum rds_conn_state rds_conn_state(const struct rds_conn *conn);
uint64_t rds_conn_id(const struct rds_conn *conn);    /* of this time up; unique in the instance; for `on` */
size_t rds_conn_waiting(const struct rds_conn *conn); /* requests without their last reply */
size_t rds_conn_unsent(const struct rds_conn *conn);  /* bytes that the socket did not take yet */
/* For how long something has been due - a reply, or all of its making - and nothing has come; 0: nothing is due. */
uint64_t rds_conn_silent_ns(const struct rds_conn *conn);

#endif
