/*
 * A router without servers: the nodes here keep what they are given, and a test says what they answer, and what time
 * it is.
 */
#ifndef REDIS_ROUTE_RIG_H
#define REDIS_ROUTE_RIG_H

#include "../rds.h"
#include "../reader.h"

struct rds_node { /* in the place of node.c */
    char at[80];  /* "host:port" */
    char host[64], port[8];
    const struct rds_node_events *events;
    void *owner;
    struct rds_requests given;
    bool is_readonly, is_ill, is_retired, has_question;
    uint64_t silent_ns;
    const char *user, *password;
};

struct rds_conn { /* in the place of conn.c */
    const struct rds_conn_events *events;
    void *owner;
    const struct rds_peer *peer; /* NULL: nobody has asked for a connection */
    struct rds_request *given;
    bool is_up;
};

enum { RIG_NODES = 64, RIG_CONNS = 8, RIG_ASKED = 64 };

struct rig {
    struct rds d;
    struct rds_config config;
    struct rds_url url;
    void *router;
    uint64_t now_ns, timer_ns;
    uint64_t silence_ns; /* before the next replies */
    larder_fn *on_timer;
    void *timer_arg;
    struct rds_node *nodes[RIG_NODES]; /* those that are not retired */
    struct rds_conn *conns[RIG_CONNS];
};
extern struct rig rig;

/* Fresh, with the router for this URL. */
void rig_begin(const struct rds_router_ops *ops, const char *url, const char *read_from);
void rig_end(void);
/* Time passes, and timers go off; in steps of a millisecond. */
void rig_pass_ms(uint64_t ms);

/* A request of the test's. */
struct asked {
    struct rds_request r;
    int32_t status; /* of what came last */
    char text[200]; /* error, status, bulk or detail */
    unsigned n;     /* answers */
};
/* Submits one with so many commands. */
struct asked *rig_ask(uint16_t slot, uint16_t commands, uint8_t flags);

/* A reply as a server writes it, all of wire, or the first of several: then *ret_len is its length. */
const struct rds_reply *rig_read(struct rds_reader *reader, const char *wire, size_t *ret_len);

/* The node at "host:port" that is or is not one for reading from a replica; NULL: there is none. */
struct rds_node *rig_node(const char *at, bool readonly);
/* The first request that it was given gets these replies, whole or in part. */
void rig_reply(struct rds_node *node, const char *wire);
/* It fails all that it was given, as one whose connection is lost. */
void rig_lose(struct rds_node *node, const char *why);
/* What its first request would write; for one look. */
const char *rig_written(const struct rds_node *node);
size_t rig_given(const char *at, bool readonly);
/* The message of a subscription. */
void rig_message(struct rds_conn *conn, const char *wire);

#endif
