/*
 * One server: its connections (a few for entries, one for what is small, one for what blocks), made when they
 * are first needed, made again after a pause that grows and is jittered, and what waits for them.
 *
 * While the first attempt is under way, requests wait.  When it fails they are answered, and so is at once what comes
 * before the next attempt: LARDER_RETRY (or LARDER_DENIED ...) with the reason of the last one.
 */
#ifndef REDIS_NODE_H
#define REDIS_NODE_H

#include "conn.h"

struct rds; /* the instance: rds.h */
struct rds_node;

struct rds_node_events {
    /* As in conn.h.  reply NULL: rds_node_answer() is called. */
    void (*reply)(void *owner, struct rds_node *node, struct rds_request *r, struct rds_answer *answer);
    /* An attempt to connect failed, or a connection was lost; for routers that look for another server then. */
    void (*down)(void *owner, struct rds_node *node, int32_t status, const char *detail);
    void (*up)(void *owner, struct rds_node *node);
};

/* host:port (or path) are copied; the rest of the peer comes from the settings (rds_peer_of()).  events may be
 * NULL.  NULL: no memory. */
struct rds_node *rds_node_new(struct rds *d, const char *host, const char *port, const char *path,
                              const struct rds_node_events *events, void *owner);
/* What waits is answered with LARDER_RETRY.  Not inside a call of events, but rds_node_retire().  Accepts NULL. */
void rds_node_free(struct rds_node *node);
/* The same, also inside events: it is freed soon, by the instance (rds_node_reap()). */
void rds_node_retire(struct rds_node *node);
void rds_node_reap(struct rds *d);

/* Gives r to one of the connections.  It is sent with the burst, for which nobody but redis.c and conn.c cares. */
void rds_node_send(struct rds_node *node, struct rds_request *r);

/* What a router does with a reply that is nobody else's: NOSCRIPT is sent again as EVAL, everything else goes to
 * verb->done(). */
void rds_node_answer(struct rds_node *node, struct rds_request *r, struct rds_answer *answer);

const char *rds_node_host(const struct rds_node *node); /* NULL: a unix socket */
const char *rds_node_port(const struct rds_node *node);
/* For how long a reply or a connection has been due there and nothing was heard; 0: nothing is due.  Of all its
 * connections, or of the one for marks alone (RDS_SMALL): a large value may take its time on its way out.  What may
 * block at the server (RDS_SLOW) has wait-timeout more. */
uint64_t rds_node_silent_ns(const struct rds_node *node);
uint64_t rds_node_marks_silent_ns(const struct rds_node *node);
/* The last attempt to connect, if there was any, did not fail. */
bool rds_node_is_well(const struct rds_node *node);
/* Before it is used: see rds_peer.  The texts must live as long as the node. */
void rds_node_ask(struct rds_node *node, const char *question,
                  int32_t (*is_right)(void *arg, const struct rds_reply *reply, char *detail, size_t size),
                  void *arg);
void rds_node_readonly(struct rds_node *node);
void rds_node_with(struct rds_node *node, const char *user,
                   const char *password); /* others than the settings' */

#endif
