/*
 * The inside of the Redis driver.  README.md has the keys and what is in them, and why; each part says here what
 * it does:
 *
 *     reply.h, out.h     replies as they are read, commands as they are written; pure
 *     url.h, error.h     what the setting `url` says, what errors of the server mean; pure
 *     key.h              names of keys; pure
 *     request.h          what goes to a server and comes back
 *     intake.h           what comes in on a connection: small replies, and values straight into their slices
 *     transport.h        tcp.c, tls.c: bytes to and from a server
 *     conn.c, node.c     one connection; one server and its connections
 *     route.h            which server: single.c, cluster.c, sentinel.c
 *     task.c             one op on its way: refusals, failures, its completion
 *     script.h           what the server does in one step
 *     entry.c, claim.c, mark.c, counter.c, index.c, page.c, admin.c    the ops
 *
 * THREADS.  All of it runs on the core's I/O thread but name resolution (tcp.c), which is offloaded; nothing waits.
 */
#ifndef REDIS_RDS_H
#define REDIS_RDS_H

#include "larder/merge.h"
#include "route.h"
#include "script.h"
#include "url.h"

struct rds_config { /* table: params[] in redis.c */
    const char *url;
    const char *username;
    const char *password;
    const char *sentinel_username;
    const char *sentinel_password;
    const char *client_name;
    const char *prefix;
    const char *ca_file;
    const char *cert_file;
    const char *key_file;
    const char *server_name;
    const char *wait_replicas; /* "auto" or a number */
    const char *read_from;     /* "master" or "replica" (entries) */
    int64_t db;
    int64_t connections;
    int64_t connect_timeout_ms;
    int64_t server_timeout_ms;
    int64_t wait_timeout_ms;
    int64_t keepalive_ms;
    int64_t mark_max_age_ms;
    int64_t scripts;
    int64_t push;
};

struct rds_task;
struct rds_tls;

struct rds {
    const struct larder_host *host;
    struct larder_home *home;
    const struct rds_config *config;
    const struct rds_router_ops *router_ops;
    void *router;
    struct rds_burst burst;
    struct rds_node *retired;
    struct rds_tls *tls;       /* NULL: none */
    struct rds_url url;
    struct rds_script_sha shas[RDS_SCRIPTS];
    struct rds_task *free_tasks; /* kept for the next op */
    size_t n_free_tasks;
    uint64_t random_state;
    int32_t wait_replicas;     /* -1: as many as the server has, at most 1 */
    bool scripts_forbidden;    /* the server has said so */
};

uint64_t rds_random(struct rds *d);

/* What the settings say about every server: a peer without host, port and path. */
void rds_peer_of(const struct rds *d, struct rds_peer *ret);

/* A request on its way.  The op's parts call these, never the router itself. */
static inline void rds_submit(struct rds *d, struct rds_request *r) {
    d->router_ops->submit(d->router, r);
}

/* ---- task.c ---------------------------------------------------------------------------------------- */

enum { RDS_TASK_BYTES = 512 };

struct rds_task { /* the first member of what is kept for an op */
    struct rds *d;
    struct larder_op *op;
    struct rds_task *next_free;
    int32_t status;            /* the first failure */
    uint32_t waiting;          /* requests that are under way */
    struct larder_result res;
    char detail[160];
};

/* A flag that is not known, or a key that is too long, completes the op with the reason. */
bool rds_accepts(struct rds *d, struct larder_op *op, uint32_t flags);
void rds_answer_op(struct rds *d, struct larder_op *op, int32_t status, const char *detail);

#endif
