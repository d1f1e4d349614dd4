/* One server and its connections. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "rds.h"

enum {
    FIRST_PAUSE_MS = 50,
    LONGEST_PAUSE_MS = 2000,
    NS_PER_MS = 1000000,
    BUSY = 8 /* requests on each connection before one more is made */
};

struct lane { /* one connection, and what waits until it is made */
    struct rds_node *node;
    struct rds_conn *conn;
    struct rds_requests waiting;
    uint64_t up_ns;
};

struct rds_node {
    struct rds *d;
    struct rds_node *next_retired;
    const struct rds_node_events *events;
    void *owner;
    struct rds_peer peer;
    char *host, *port, *path;
    uint32_t failures;        /* attempts that have failed, one after the other */
    uint64_t next_attempt_ns; /* not before */
    int32_t status;           /* of the last failure */
    char detail[160];
    size_t n_lanes;
    struct lane lanes[]; /* RDS_SMALL, RDS_SLOW, then those for RDS_BIG */
};

enum { SMALL_LANE, SLOW_LANE, FIRST_BIG_LANE };

/* ---- what waits ----------------------------------------------------------------------------------------------- */

static void fail_all(struct rds_requests *list, int32_t status, const char *detail) {
    struct rds_request *r;
    while ((r = rds_requests_take(list)))
        rds_request_fail(r, status, detail);
}

static void lane_write(struct lane *lane, struct rds_request *r) {
    if (!rds_conn_send(lane->conn, r))
        rds_request_fail(r, LARDER_NOMEM, NULL);
}

/* What waited for the connection is sent, but for what is too late by now. */
static void send_waiting(struct lane *lane) {
    struct rds_requests list = lane->waiting;
    const uint64_t now_ns = lane->node->d->host->now_ns();
    struct rds_request *r;
    lane->waiting = (struct rds_requests){0};
    while ((r = rds_requests_take(&list))) {
        if (r->deadline_ns <= now_ns)
            rds_request_fail(r, LARDER_DEADLINE, "the connection was not made in time");
        else
            rds_node_send(lane->node, r);
    }
}

/* ---- events of connections ------------------------------------------------------------------------------------- */

static void on_up(void *owner, __attribute__((unused)) struct rds_conn *conn) {
    struct lane *lane = owner;
    struct rds_node *node = lane->node;
    const bool was_gone = node->status != LARDER_OK;
    node->failures = 0;
    node->status = LARDER_OK;
    lane->up_ns = node->d->host->now_ns();
    if (was_gone)
        node->d->host->log(node->d->home, LARDER_LOG_INFO, "the server answers again");
    if (node->events && node->events->up)
        node->events->up(node->owner, node);
    send_waiting(lane);
}

/* Equal jitter: half of the pause is certain, so that a server that comes back is not asked by all at once. */
static uint64_t pause_ns(struct rds_node *node) {
    uint64_t ms = FIRST_PAUSE_MS;
    for (uint32_t i = 1; i < node->failures && ms < LONGEST_PAUSE_MS; i++)
        ms *= 2;
    return (ms / 2) * NS_PER_MS + rds_random(node->d) % (ms / 2 * NS_PER_MS);
}

static void log_failure(struct rds_node *node) {
    char line[320];
    const char *where = node->path ? node->path : node->host;
    snprintf(line, sizeof(line), "%.100s%s%s: %s", where, node->path ? "" : ":", node->path ? "" : node->port,
             node->detail);
    node->d->host->log(node->d->home, LARDER_LOG_WARN, line);
}

static void on_down(void *owner, __attribute__((unused)) struct rds_conn *conn, int32_t status,
                    const char *detail, struct rds_requests *left) {
    struct lane *lane = owner;
    struct rds_node *node = lane->node;
    const uint64_t now_ns = node->d->host->now_ns();
    const bool was_up = lane->up_ns != 0,
               was_short = now_ns - lane->up_ns < (uint64_t)LONGEST_PAUSE_MS * NS_PER_MS;
    const int32_t before = node->status;
    lane->up_ns = 0;
    snprintf(node->detail, sizeof(node->detail), "%s", detail ? detail : "");
    /* One that lasted is made again when it is next needed; one that did not is as one that failed. */
    if (!was_up || was_short) {
        node->failures++;
        node->next_attempt_ns = now_ns + pause_ns(node);
        node->status = status;
    }
    if (before == LARDER_OK)
        log_failure(node);
    struct rds_requests waiting = lane->waiting;
    lane->waiting = (struct rds_requests){0};
    if (node->events && node->events->down)
        node->events->down(node->owner, node, status, node->detail);
    fail_all(left, status, node->detail);
    fail_all(&waiting, status, node->detail);
}

static void on_reply(void *owner, __attribute__((unused)) struct rds_conn *conn, struct rds_request *r,
                     struct rds_answer *answer) {
    struct rds_node *node = ((struct lane *)owner)->node;
    if (node->events && node->events->reply)
        node->events->reply(node->owner, node, r, answer);
    else
        rds_node_answer(node, r, answer);
}

static const struct rds_conn_events conn_events = {.up = on_up, .down = on_down, .reply = on_reply};

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static bool is_up(const struct lane *lane) {
    return rds_conn_state(lane->conn) == RDS_UP;
}

static size_t load_of(const struct lane *lane) {
    return lane->waiting.n + rds_conn_waiting(lane->conn) + rds_conn_unsent(lane->conn) / (64 << 10);
}

static void lane_connect(struct lane *lane) {
    if (rds_conn_state(lane->conn) == RDS_DOWN)
        rds_conn_connect(lane->conn, &lane->node->peer);
}

static bool may_connect(const struct rds_node *node) {
    return node->status == LARDER_OK || node->d->host->now_ns() >= node->next_attempt_ns;
}

/* The one with least to do.  One more is made when all that are there are busy; nobody waits for it. */
static struct lane *big_lane(struct rds_node *node) {
    struct lane *best = NULL, *idle = NULL;
    for (size_t i = FIRST_BIG_LANE; i < node->n_lanes; i++) {
        struct lane *lane = &node->lanes[i];
        if (!is_up(lane))
            idle = idle ? idle : lane;
        else if (!best || load_of(lane) < load_of(best))
            best = lane;
    }
    if (!best)
        return idle ? idle : &node->lanes[FIRST_BIG_LANE];
    if (idle && load_of(best) >= BUSY && may_connect(node))
        lane_connect(idle);
    return best;
}

static struct lane *lane_of_connection(struct rds_node *node, uint64_t id) {
    for (size_t i = 0; i < node->n_lanes; i++) {
        if (is_up(&node->lanes[i]) && rds_conn_id(node->lanes[i].conn) == id)
            return &node->lanes[i];
    }
    return NULL;
}

void rds_node_send(struct rds_node *node, struct rds_request *r) {
    struct lane *lane;
    if (r->on != 0) {
        lane = lane_of_connection(node, r->on);
        if (!lane) {
            rds_request_fail(r, LARDER_RETRY, "the connection broke within a transaction");
            return;
        }
    } else {
        lane = r->kind == RDS_BIG ? big_lane(node)
                                  : &node->lanes[r->kind == RDS_SLOW ? SLOW_LANE : SMALL_LANE];
    }
    if (is_up(lane)) {
        lane_write(lane, r);
    } else if (rds_conn_state(lane->conn) != RDS_DOWN) {
        rds_requests_add(&lane->waiting, r);
    } else if (may_connect(node)) {
        rds_requests_add(&lane->waiting, r);
        lane_connect(lane);
    } else {
        rds_request_fail(r, node->status, node->detail);
    }
}

static void forbid_scripts(struct rds *d) {
    if (!d->has_no_scripts)
        d->host->log(
            d->home, LARDER_LOG_WARN,
            "the server allows no scripts: transactions are made instead, which take two round trips each");
    d->has_no_scripts = true;
}

/* All replies of a request come before it is sent again, so those between are dropped. */
void rds_node_answer(struct rds_node *node, struct rds_request *r, struct rds_answer *answer) {
    const struct rds_reply *reply = answer->reply;
    if (reply && reply->type == RDS_ERROR && !(r->flags & RDS_EVAL) && rds_begins(reply->text, "NOSCRIPT"))
        r->flags |= RDS_EVAL | RDS_AGAIN;
    if (reply && reply->type == RDS_ERROR && r->verb->without_script &&
        rds_error_forbids_scripts(reply->text)) {
        forbid_scripts(node->d);
        r->flags |= RDS_AGAIN;
    }
    if (!(r->flags & RDS_AGAIN)) {
        r->verb->done(r, answer);
        return;
    }
    node->d->host->buf_unref(answer->value.owner);
    if (r->seen + 1 == r->replies) {
        rds_request_again(r);
        if (r->verb->without_script && node->d->has_no_scripts)
            r->verb->without_script(r);
        else
            rds_node_send(node, r);
    }
}

/* ---- making and freeing -------------------------------------------------------------------------------------------- */

static bool copy(const char *from, char **ret) {
    *ret = from ? strdup(from) : NULL;
    return !from || *ret;
}

struct rds_node *rds_node_new(struct rds *d, const char *host, const char *port, const char *path,
                              const struct rds_node_events *events, void *owner) {
    const size_t n_lanes = FIRST_BIG_LANE + (size_t)d->config->connections;
    struct rds_node *node = calloc(1, sizeof(*node) + n_lanes * sizeof(node->lanes[0]));
    if (!node)
        return NULL;
    node->d = d;
    node->events = events;
    node->owner = owner;
    bool ok = copy(host, &node->host) && copy(port, &node->port) && copy(path, &node->path);
    for (; ok && node->n_lanes < n_lanes; node->n_lanes++) {
        struct lane *lane = &node->lanes[node->n_lanes];
        lane->node = node;
        lane->conn = rds_conn_new(d->host, d->home, &d->burst, &conn_events, lane);
        ok = lane->conn != NULL;
    }
    if (!ok) {
        rds_node_free(node);
        return NULL;
    }
    rds_peer_of(d, &node->peer);
    node->peer.host = node->host;
    node->peer.port = node->port;
    node->peer.path = node->path;
    return node;
}

static void end_all(struct rds_node *node) {
    node->events = NULL;
    for (size_t i = 0; i < node->n_lanes; i++) {
        struct lane *lane = &node->lanes[i];
        if (lane->conn)
            rds_conn_cut(lane->conn, LARDER_RETRY, "the server is not used any more");
        fail_all(&lane->waiting, LARDER_RETRY, "the server is not used any more");
    }
}

void rds_node_free(struct rds_node *node) {
    if (!node)
        return;
    end_all(node);
    for (size_t i = 0; i < node->n_lanes; i++)
        rds_conn_free(node->lanes[i].conn);
    free(node->host);
    free(node->port);
    free(node->path);
    free(node);
}

void rds_node_retire(struct rds_node *node) {
    end_all(node);
    node->next_retired = node->d->retired;
    node->d->retired = node;
}

void rds_node_reap(struct rds *d) {
    while (d->retired) {
        struct rds_node *node = d->retired;
        d->retired = node->next_retired;
        rds_node_free(node);
    }
}

const char *rds_node_host(const struct rds_node *node) {
    return node->host;
}

const char *rds_node_port(const struct rds_node *node) {
    return node->port;
}

void rds_node_ask(struct rds_node *node, const char *question,
                  int32_t (*is_right)(void *arg, const struct rds_reply *reply, char *detail, size_t size),
                  void *arg) {
    node->peer.question = question;
    node->peer.is_right = is_right;
    node->peer.arg = arg;
}

void rds_node_readonly(struct rds_node *node) {
    node->peer.readonly = true;
}

void rds_node_with(struct rds_node *node, const char *user, const char *password) {
    node->peer.user = user;
    node->peer.password = password;
    node->peer.db = 0;
}

uint64_t rds_node_silent_ns(const struct rds_node *node) {
    const uint64_t waits_ns = (uint64_t)node->d->config->wait_timeout_ms * NS_PER_MS;
    uint64_t longest_ns = 0;
    for (size_t i = 0; i < node->n_lanes; i++) {
        uint64_t silent_ns = rds_conn_silent_ns(node->lanes[i].conn);
        if (i == SLOW_LANE && silent_ns > 0) /* WAIT may take its time */
            silent_ns = silent_ns > waits_ns ? silent_ns - waits_ns : 1;
        longest_ns = silent_ns > longest_ns ? silent_ns : longest_ns;
    }
    return longest_ns;
}

uint64_t rds_node_marks_silent_ns(const struct rds_node *node) {
    return rds_conn_silent_ns(node->lanes[SMALL_LANE].conn);
}

bool rds_node_is_well(const struct rds_node *node) {
    return node->status == LARDER_OK;
}
