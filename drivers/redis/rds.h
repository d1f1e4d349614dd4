/*
 * The inside of the Redis driver.  README.md has the keys and what is in them, and why; each part says here what
 * it does:
 *
 *     reader.h           replies, as hiredis reads them
 *     reply.h, out.h     what is in a reply, commands as they are written; pure
 *     url.h, error.h     what the setting `url` says, what errors of the server mean; pure
 *     key.h              names of keys; pure
 *     request.h          what goes to a server and comes back
 *     intake.h           what comes in on a connection: small replies, and values straight into their slices
 *     transport.h        tcp.c, tls.c: bytes to and from a server
 *     conn.c, node.c     one connection; one server and its connections
 *     route.h            which server: single.c, cluster.c, sentinel.c
 *     task.c             one op on its way: refusals, failures, its completion
 *     script.h           what the server does in one step; txn.c, tags.c: the same where it allows no scripts
 *     push.h             news of marks, by publish and subscribe
 *     entry.c, claim.c, mark.c, counter.c, index.c, page.c, admin.c    the ops
 *
 * THREADS.  All of it runs on the core's I/O thread but name resolution (tcp.c), which is offloaded; nothing waits.
 */
#ifndef REDIS_RDS_H
#define REDIS_RDS_H

#include "key.h"
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
    const char *read_from;
    const char *wait_replicas; /* "auto" or a number */
    const char *client_name;
    const char *prefix;
    const char *ca_file;
    const char *cert_file;
    const char *key_file;
    const char *server_name;
    int64_t connections;
    int64_t connect_timeout_ms;
    int64_t server_timeout_ms;
    int64_t keepalive_ms;
    int64_t mark_max_age_ms;
    int64_t wait_timeout_ms;
    int64_t scripts;
    int64_t push;
};

struct rds_task;
struct rds_tls;

struct rds_txns { /* txn.c: one at a time */
    struct rds_requests waiting;
    bool is_busy, is_starting;
};

struct rds {
    const struct larder_host *host;
    struct larder_home *home;
    const struct rds_config *config;
    const struct rds_router_ops *router_ops;
    void *router;
    struct rds_burst burst;
    struct rds_node *retired;
    struct rds_tls *tls; /* NULL: none */
    struct rds_url url;
    struct rds_script_sha shas[RDS_SCRIPTS];
    struct rds_names names;
    struct rds_task *free_tasks; /* kept for the next op */
    size_t n_free_tasks;
    uint64_t random_state;
    bool has_no_scripts; /* a setting, or the server has said so */
    struct rds_txns txns;
    struct rds_push *push; /* NULL: no news */
    int32_t wait_replicas; /* -1: one, where there is any */
    bool cannot_wait;      /* the server has said so */
};

uint64_t rds_random(struct rds *d);
void rds_random_hex(struct rds *d, char *to, size_t n);

/* What the settings say about every server: a peer without host, port and path. */
void rds_peer_of(const struct rds *d, struct rds_peer *ret);

/* A request on its way.  The op's parts call this, never the router itself. */
static inline void rds_submit(struct rds *d, struct rds_request *r) {
    if (d->has_no_scripts && r->verb->without_script)
        r->verb->without_script(r);
    else
        d->router_ops->submit(d->router, r);
}

/* The slot of what belongs to an entry's key or a tag; 0 where nobody asks. */
static inline uint16_t rds_slot(const struct rds *d, struct larder_bytes key) {
    return d->router_ops->is_slotted ? rds_key_slot(key) : 0;
}

/* Sends what was gathered; for what the core's flush() does not follow. */
void rds_flush(void *instance);

/* ---- task.c ---------------------------------------------------------------------------------------- */

enum { RDS_TASK_BYTES = 512 };

struct rds_task { /* the first member of what is kept for an op */
    struct rds *d;
    struct larder_op *op;
    struct rds_task *next_free;
    size_t size;
    uint32_t waiting; /* the part's own: requests that are under way */
    int32_t status;   /* the first failure, told by res and detail; LARDER_OK */
    struct larder_result res;
    char detail[160];
};

/* A flag that is not known completes the op. */
bool rds_accepts(struct rds *d, struct larder_op *op, uint32_t flags);
void rds_complete(struct rds *d, struct larder_op *op, int32_t status, const char *detail);
/* Zeroed but for the head.  NULL: no memory, and the op is completed. */
void *rds_task_new(struct rds *d, struct larder_op *op, size_t size);
/* Completes the op with task->res and this status, or the failure that was kept, and frees the task. */
void rds_task_end(struct rds_task *task, int32_t status);
/* Keeps a failure, the first of several; returns its status. */
int32_t rds_task_refused(struct rds_task *task, int32_t status, const char *detail);
/* Looks whether the answer is a reply of this type (several: a text like ":$"); what is not is kept as a failure. */
bool rds_task_got(struct rds_task *task, const struct rds_answer *answer, const char *types);
void rds_tasks_done(struct rds *d);

/* The struct that a request is a member of. */
#define RDS_OF(type, member, request) \
    ((type *)(void *)((uint8_t *)(uintptr_t)(request)-offsetof(type, member)))

void rds_request_init(struct rds_request *r, const struct rds_verb *verb, const struct larder_op *op,
                      uint16_t slot, enum rds_kind kind);

/* What is over after ttl_ms is over at this time; LARDER_UNSET: never. */
int64_t rds_expiry_ms(int64_t now_ms, int64_t ttl_ms);
/* How long the server keeps it, by its own clock: longer, for what is over is told by the op's; 0: for ever. */
int64_t rds_kept_ms(int64_t ttl_ms);

/* ---- entry.c --------------------------------------------------------------------------------------- */

enum rds_entry_state { RDS_ENTRY_THERE, RDS_ENTRY_OVER, RDS_ENTRY_FOREIGN };
/* By the first RDS_HEAD bytes of a stored entry. */
enum rds_entry_state rds_entry_look(struct larder_bytes head, int64_t now_ms);

/* ---- mark.c ---------------------------------------------------------------------------------------- */

enum { RDS_MARK_BYTES = 3 * RDS_NUMBER_BYTES }; /* of a stored mark, at least */
void rds_mark_write(const struct larder_mark *mark, uint8_t to[RDS_MARK_BYTES]);
struct larder_mark rds_mark_read(const uint8_t from[RDS_MARK_BYTES]); /* without its tag */
/* Emits a mark as it is stored; LARDER_CORRUPT: it is none. */
int32_t rds_mark_emit(struct rds *d, struct larder_op *op, struct larder_bytes tag,
                      struct larder_bytes stored);

/* Whether a put may replace what has this head. */
bool rds_entry_may_put(struct larder_bytes head, const struct larder_op *op);

/* ---- tags.c: marks and counters, without scripts ----------------------------------------------------- */

struct rds_tags_want {
    size_t begin, n; /* of op->marks */
    bool is_counter; /* the counter op->key is looked at, and made ... */
    bool raises;     /* ... or raised */
    void (*over)(struct rds_request *of, int64_t epoch, bool missed);
};
void rds_tags_txn(struct rds_task *task, struct rds_request *of, const struct rds_tags_want *want);

/* ---- txn.c ----------------------------------------------------------------------------------------- */

/*
 * What a script does, where there are none: WATCH what it is about, read it, decide here, and write between MULTI and
 * EXEC, which does nothing where somebody else has written meanwhile; then it begins again.
 */
struct rds_txn;
enum { RDS_TXN_KEEP, RDS_TXN_WRITE, RDS_TXN_MISS }; /* verdicts that most ops use */
struct rds_txn_ops {
    /* WATCH with all keys; then the commands that read. */
    void (*read)(const struct rds_txn *txn, struct rds_out *out);
    /* Reply `which` of those, from 0.  A failure is kept in the task. */
    void (*heard)(struct rds_txn *txn, uint32_t which, const struct rds_answer *answer);
    /* Whether there is something to write. */
    bool (*decide)(struct rds_txn *txn);
    void (*write)(const struct rds_txn *txn, struct rds_out *out);
    /* It is over: completes the op.  The state is freed afterwards. */
    void (*end)(struct rds_txn *txn);
};

struct rds_txn {
    struct rds_request r;
    struct rds *d;
    struct rds_task *task;
    struct rds_request *of; /* what it is instead of */
    const struct rds_txn_ops *ops;
    bool conflict;
    int32_t verdict;           /* the ops' own */
    struct rds_tags_want want; /* tags.c */
    void *state;               /* the ops' own, from malloc() */
};

/* In the place of the request.  Where there is no memory for it, verb->done() is called. */
void rds_txn_start(struct rds_task *task, struct rds_request *of, const struct rds_txn_ops *ops,
                   const struct rds_tags_want *want);

/* ---- the ops ---------------------------------------------------------------------------------------- */

larder_op_fn rds_get, rds_put, rds_remove, rds_claim, rds_release;
larder_op_fn rds_read, rds_write, rds_advance, rds_bump, rds_link, rds_tags_of;
larder_op_fn rds_list, rds_keys_of, rds_list_marks;
larder_op_fn rds_ping, rds_provision, rds_explain;

/* ---- wait.c ---------------------------------------------------------------------------------------------- */

/* The connection for what writes marks or counters. */
enum rds_kind rds_wait_kind(const struct rds *d);
/* WAIT, behind the command that writes, where there is something to wait for. */
void rds_wait_write(const struct rds_task *task, struct rds_out *out);
/* The reply to it: a failure of the task where the replicas have not got it. */
void rds_wait_done(struct rds_task *task, const struct rds_answer *answer);
/* Whether this is that reply: of a request of rds_wait_kind() with one command before WAIT. */
static inline bool rds_is_wait(const struct rds_request *r) {
    return r->kind == RDS_SLOW && r->seen == 1;
}

#endif
