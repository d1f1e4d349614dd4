#include "route_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

struct rig rig;

/* ---- host ----------------------------------------------------------------------------------------------- */

static uint64_t now_ns(void) {
    return rig.now_ns;
}

static struct larder_timer *timer(struct larder_home *home, larder_fn *fn, void *arg) {
    (void)home;
    rig.on_timer = fn;
    rig.timer_arg = arg;
    rig.timer_ns = UINT64_MAX;
    return (struct larder_timer *)(void *)&rig.timer_ns;
}

static void timer_set(struct larder_timer *t, uint64_t due_ns) {
    (void)t;
    rig.timer_ns = due_ns;
}

static void timer_free(struct larder_timer *t) {
    (void)t;
    rig.timer_ns = UINT64_MAX;
}

static void unref(struct larder_buf *buf) {
    CU_ASSERT(buf == NULL);
}

static void no_log(struct larder_home *home, int32_t level, const char *line) {
    (void)home;
    (void)level;
    (void)line;
}

static const struct larder_host host = {.size = sizeof(host),
                                        .now_ns = now_ns,
                                        .timer = timer,
                                        .timer_set = timer_set,
                                        .timer_free = timer_free,
                                        .buf_unref = unref,
                                        .log = no_log};

void rig_pass_ms(uint64_t ms) {
    for (uint64_t i = 0; i < ms; i++) {
        rig.now_ns += 1000000;
        for (unsigned k = 0; k < 100 && rig.timer_ns <= rig.now_ns; k++) {
            rig.timer_ns = UINT64_MAX;
            rig.on_timer(rig.timer_arg);
        }
    }
}

/* Pauses as long as they can be, all alike. */
uint64_t rds_random(struct rds *d) {
    (void)d;
    return 0;
}

void rds_peer_of(const struct rds *d, struct rds_peer *ret) {
    (void)d;
    *ret = (struct rds_peer){.user = "app", .password = "secret", .db = 3};
}

void rds_burst_send(struct rds_burst *burst) {
    (void)burst;
}

/* ---- nodes ---------------------------------------------------------------------------------------------- */

/* What the compiler and clang-tidy do not know: CU_ASSERT_FATAL() does not come back. */
static void *must(void *p) {
    CU_ASSERT_FATAL(p != NULL);
    if (!p)
        abort();
    return p;
}

struct rds_node *rds_node_new(struct rds *d, const char *at, const char *port, const char *path,
                              const struct rds_node_events *events, void *owner) {
    struct rds_node *node = must(calloc(1, sizeof(*node)));
    (void)d;
    CU_ASSERT(path == NULL);
    snprintf(node->at, sizeof(node->at), "%.60s:%.7s", at, port);
    snprintf(node->host, sizeof(node->host), "%s", at);
    snprintf(node->port, sizeof(node->port), "%s", port);
    node->events = events;
    node->owner = owner;
    for (size_t i = 0; i < RIG_NODES; i++) {
        if (!rig.nodes[i]) {
            rig.nodes[i] = node;
            return node;
        }
    }
    CU_FAIL_FATAL("too many nodes");
    return NULL;
}

void rds_node_free(struct rds_node *node) {
    struct rds_request *r;
    if (!node)
        return;
    for (size_t i = 0; i < RIG_NODES; i++)
        if (rig.nodes[i] == node)
            rig.nodes[i] = NULL;
    node->events = NULL;
    while ((r = rds_requests_take(&node->given)))
        rds_request_fail(r, LARDER_RETRY, "retired");
    free(node);
}

void rds_node_retire(struct rds_node *node) {
    struct rds_request *r;
    for (size_t i = 0; i < RIG_NODES; i++)
        if (rig.nodes[i] == node)
            rig.nodes[i] = NULL;
    while ((r = rds_requests_take(&node->given)))
        rds_request_fail(r, LARDER_RETRY, "retired");
    node->is_retired = true;
    node->owner = rig.d.retired;
    rig.d.retired = node;
}

void rds_node_send(struct rds_node *node, struct rds_request *r) {
    CU_ASSERT_FATAL(!node->is_retired);
    if (node->is_ill)
        rds_request_fail(r, LARDER_RETRY, "refused");
    else
        rds_requests_add(&node->given, r);
}

void rds_node_answer(struct rds_node *node, struct rds_request *r, struct rds_answer *answer) {
    (void)node;
    r->verb->done(r, answer);
}

const char *rds_node_host(const struct rds_node *node) {
    return node->host;
}

const char *rds_node_port(const struct rds_node *node) {
    return node->port;
}

uint64_t rds_node_silent_ns(const struct rds_node *node) {
    return node->silent_ns;
}

uint64_t rds_node_marks_silent_ns(const struct rds_node *node) {
    return node->silent_ns;
}

bool rds_node_is_well(const struct rds_node *node) {
    return !node->is_ill;
}

void rds_node_ask(struct rds_node *node, const char *question,
                  int32_t (*is_right)(void *arg, const struct rds_reply *reply, char *detail, size_t size),
                  void *arg) {
    (void)arg;
    node->has_question = question && is_right;
}

void rds_node_readonly(struct rds_node *node) {
    node->is_readonly = true;
}

void rds_node_with(struct rds_node *node, const char *user, const char *password) {
    node->user = user;
    node->password = password;
}

/* ---- connections ------------------------------------------------------------------------------------------- */

struct rds_conn *rds_conn_new(const struct larder_host *h, struct larder_home *home, struct rds_burst *burst,
                              const struct rds_conn_events *events, void *owner) {
    struct rds_conn *conn = must(calloc(1, sizeof(*conn)));
    (void)h;
    (void)home;
    (void)burst;
    conn->events = events;
    conn->owner = owner;
    for (size_t i = 0; i < RIG_CONNS; i++) {
        if (!rig.conns[i]) {
            rig.conns[i] = conn;
            return conn;
        }
    }
    CU_FAIL_FATAL("too many connections");
    return NULL;
}

void rds_conn_free(struct rds_conn *conn) {
    for (size_t i = 0; i < RIG_CONNS; i++)
        if (rig.conns[i] == conn)
            rig.conns[i] = NULL;
    free(conn);
}

void rds_conn_connect(struct rds_conn *conn, const struct rds_peer *peer) {
    conn->peer = peer;
}

void rds_conn_cut(struct rds_conn *conn, int32_t status, const char *detail) {
    struct rds_requests left = {0};
    if (!conn->peer)
        return;
    conn->peer = NULL;
    conn->is_up = false;
    conn->events->down(conn->owner, conn, status, detail, &left);
}

bool rds_conn_send(struct rds_conn *conn, struct rds_request *r) {
    conn->given = r;
    return true;
}

/* ---- the test's side -------------------------------------------------------------------------------------------- */

void rig_begin(const struct rds_router_ops *ops, const char *url, const char *read_from) {
    char error[LARDER_ERROR_SIZE] = "";
    rig = (struct rig){.now_ns = 1000000000000, .timer_ns = UINT64_MAX};
    rig.config = (struct rds_config){
        .read_from = read_from, .sentinel_username = "", .sentinel_password = "sesame"};
    rig.d = (struct rds){.host = &host, .config = &rig.config, .router_ops = ops};
    CU_ASSERT_TRUE_FATAL(rds_url_read(url, &rig.url, error, sizeof(error)));
    CU_ASSERT_EQUAL_FATAL(ops->open(&rig.d, &rig.url, &rig.router, error), LARDER_OK);
}

void rig_end(void) {
    rig.d.router_ops->close(rig.router);
    for (size_t i = 0; i < RIG_NODES; i++)
        CU_ASSERT(rig.nodes[i] == NULL);
    for (size_t i = 0; i < RIG_CONNS; i++)
        CU_ASSERT(rig.conns[i] == NULL);
    while (rig.d.retired) {
        struct rds_node *node = rig.d.retired;
        rig.d.retired = node->owner;
        free(node);
    }
}

static void asked_write(const struct rds_request *r, struct rds_out *out) {
    (void)r;
    (void)out;
}

static void asked_done(struct rds_request *r, const struct rds_answer *answer) {
    struct asked *a = (struct asked *)(void *)r;
    a->n++;
    a->status = answer->status;
    if (answer->reply && answer->reply->type == RDS_INTEGER)
        snprintf(a->text, sizeof(a->text), "%lld", (long long)answer->reply->integer);
    else if (answer->reply)
        snprintf(a->text, sizeof(a->text), "%.*s", (int)answer->reply->text.len,
                 (const char *)answer->reply->text.ptr);
    else
        snprintf(a->text, sizeof(a->text), "%s", answer->detail ? answer->detail : "");
}

struct asked *rig_ask(uint16_t slot, uint16_t commands, uint8_t flags) {
    static const struct rds_verb verb = {.write = asked_write, .done = asked_done};
    static struct asked all[RIG_ASKED];
    static size_t next;
    struct asked *a = &all[next++ % RIG_ASKED];
    *a = (struct asked){.r = {.verb = &verb,
                              .deadline_ns = rig.now_ns + 500000000,
                              .slot = slot,
                              .replies = commands,
                              .flags = flags}};
    rds_submit(&(struct rds){.router_ops = rig.d.router_ops, .router = rig.router}, &a->r);
    return a;
}

struct rds_node *rig_node(const char *at, bool readonly) {
    for (size_t i = 0; i < RIG_NODES; i++)
        if (rig.nodes[i] && strcmp(rig.nodes[i]->at, at) == 0 && rig.nodes[i]->is_readonly == readonly)
            return rig.nodes[i];
    return NULL;
}

size_t rig_given(const char *at, bool readonly) {
    const struct rds_node *node = rig_node(at, readonly);
    return node ? node->given.n : 0;
}

const char *rig_written(const struct rds_node *node) {
    static char text[1000];
    struct rds_out out = {0};
    const struct rds_request *r = must(node->given.first);
    r->verb->write(r, &out);
    snprintf(text, sizeof(text), "%.*s", (int)out.len, (const char *)out.text);
    rds_out_done(&out);
    return text;
}

/* The number of commands is the connection's to count, as they are written. */
static uint16_t commands_of(const struct rds_request *r) {
    struct rds_out out = {0};
    r->verb->write(r, &out);
    const uint16_t n = r->replies > 0 ? r->replies : (uint16_t)out.commands;
    rds_out_done(&out);
    return n;
}

const struct rds_reply *rig_read(struct rds_reader *reader, const char *wire, size_t *ret_len) {
    const struct rds_reply *reply = NULL;
    size_t len;
    CU_ASSERT_EQUAL_FATAL(
        rds_reader_next(reader, (struct larder_bytes){(const uint8_t *)wire, strlen(wire)}, &len, &reply),
        RDS_WHOLE);
    if (ret_len)
        *ret_len = len;
    else
        CU_ASSERT_EQUAL(len, strlen(wire));
    return reply;
}

void rig_reply(struct rds_node *node, const char *wire) {
    struct rds_request *r = must(((struct rds_node *)must(node))->given.first);
    r->replies = commands_of(r);
    while (*wire) {
        struct rds_reader reader = {0};
        size_t len;
        struct rds_answer answer = {.reply = rig_read(&reader, wire, &len), .silence_ns = rig.silence_ns};
        rig.silence_ns = 0;
        r->seen = (uint8_t)r->got++;
        if (r->got == r->replies)
            (void)rds_requests_take(&node->given);
        if (node->events && node->events->reply)
            node->events->reply(node->owner, node, r, &answer);
        else
            r->verb->done(r, &answer);
        rds_reader_done(&reader);
        wire += len;
    }
}

void rig_lose(struct rds_node *node, const char *why) {
    struct rds_requests left = node->given;
    struct rds_request *r;
    node->given = (struct rds_requests){0};
    node->is_ill = true;
    if (node->events && node->events->down)
        node->events->down(node->owner, node, LARDER_RETRY, why);
    while ((r = rds_requests_take(&left)))
        rds_request_fail(r, LARDER_RETRY, why);
}

void rig_message(struct rds_conn *conn, const char *wire) {
    struct rds_reader reader = {0};
    size_t len;
    conn->events->message(conn->owner, conn, rig_read(&reader, wire, &len));
    rds_reader_done(&reader);
}
