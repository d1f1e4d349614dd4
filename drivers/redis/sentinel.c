/*
 * A master that sentinels watch.  They are asked who it is, all at once; what those that answer soon have to say is
 * compared by the epoch of the failover that made it the master, and the latest counts.  Nobody is believed whose
 * epoch is before the one that is known: a master that was cut off, and the sentinel beside it, go on as if nothing
 * had happened.
 *
 * They are asked anew when a connection to the master is lost, when it says that it is none (ROLE in the greeting,
 * READONLY), when it is silent, and when one of them announces a failover: each has a subscription to +switch-master,
 * for a master that was replaced may go on answering, and nothing else would tell.
 *
 * https://redis.io/docs/latest/develop/reference/sentinel-clients/
 */
#include "sentinel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t MS = 1000000;

enum {
    ANSWER_MS = 100,    /* so long answers are gathered, where not all have come before */
    PATIENCE_MS = 2000, /* then nobody has answered */
    PAUSE_MIN_MS = 100, /* between two rounds of questions */
    PAUSE_MAX_MS = 1000,
    TROUBLE_MS = 10000,  /* after a sign of trouble they are asked from time to time, for so long */
    LOOK_EVERY_MS = 100, /* whether the master is silent, while there are requests under way */
    SILENT_MS = 300,
    DOUBT_MS = 10000,  /* so long an epoch that went back is not believed, while the master is out of reach */
    HOLD_MS = 20,      /* so long a request waits for the next round to begin */
    RELISTEN_MS = 1000 /* a subscription that was lost is made again */
};

struct sentinel {
    struct group *g;
    struct rds_request ask;  /* what it is asked */
    struct rds_node *node;   /* for that */
    struct rds_conn *listen; /* the subscription */
    struct rds_request subscribe;
    struct rds_peer peer;
    uint64_t listen_ns;   /* when that is to be made again; UINT64_MAX: it is there or being made */
    bool is_out;          /* a question */
    bool has_answered;    /* in this round */
    bool was_heard;       /* it knows the master */
    struct rds_told told; /* what it answers just now */
    struct rds_server replicas[SENTINEL_REPLICAS];
    size_t n_replicas;
};

struct group {
    struct rds *d;
    const char *name;
    bool reads_replicas, is_closing, in_timer;
    struct rds_told known; /* host "": nobody yet */
    struct rds_node *master;
    struct rds_server replicas[SENTINEL_REPLICAS];
    struct rds_node *readers[SENTINEL_REPLICAS];
    size_t n_replicas;
    unsigned turn;
    struct rds_requests waiting;

    bool is_wanted, in_round, asked_for;
    bool is_doubted; /* the master was silent, or lost: it may have been replaced, and not know it ... */
    uint64_t doubt;  /* ... until a round behind this one says otherwise */
    uint64_t round;  /* rounds so far */
    uint64_t round_ns, next_round_ns, pause_ms, trouble_until_ns, look_ns;
    uint64_t doubted_ns; /* since when they say what is older than what is known; 0: they do not */
    uint64_t failed_ns;  /* when nobody knew the master; 0: somebody did */
    int32_t failed_status;
    char failed_detail[160];

    struct larder_timer *timer;
    uint64_t timer_ns;
    size_t n_sentinels;
    struct sentinel sentinels[];
};

static void set_timer(struct group *g);

static uint64_t now(const struct group *g) {
    return g->d->host->now_ns();
}

static void want_master(struct group *g) {
    g->is_wanted = true;
    set_timer(g);
}

static void trouble(struct group *g) {
    g->trouble_until_ns = now(g) + TROUBLE_MS * MS;
    want_master(g);
}

/* What the master says is not believed before the sentinels, asked from now on, say that it is still the master. */
static void doubt(struct group *g) {
    g->is_doubted = true;
    g->doubt = g->round;
    trouble(g);
}

/* ---- the servers -------------------------------------------------------------------------------------------- */

static void on_reply(void *owner, struct rds_node *node, struct rds_request *r, struct rds_answer *answer) {
    struct group *g = owner;
    if (node == g->master && r->kind == RDS_SMALL && answer->silence_ns > SILENT_MS * MS)
        doubt(g);
    if (node == g->master && g->is_doubted &&
        r->kind != RDS_BIG) { /* entries are judged by marks: they may be old */
        g->d->host->buf_unref(answer->value.owner);
        if (r->seen == r->replies - 1)
            rds_request_fail(r, LARDER_RETRY, "the master was silent or lost, and may have been replaced");
        return;
    }
    if (answer->reply && answer->reply->type == RDS_ERROR) {
        const struct larder_bytes error = answer->reply->text;
        if (rds_begins(error, "READONLY") || rds_begins(error, "LOADING") || rds_begins(error, "MASTERDOWN"))
            trouble(g);
    }
    rds_node_answer(node, r, answer);
}

static void on_down(void *owner, struct rds_node *node, __attribute__((unused)) int32_t status,
                    __attribute__((unused)) const char *detail) {
    struct group *g = owner;
    if (node == g->master)
        doubt(g);
    else
        trouble(g);
}

static const struct rds_node_events server_events = {.reply = on_reply, .down = on_down};

static void retire(struct rds_node **node) {
    struct rds_node *old = *node;
    *node = NULL;
    if (old)
        rds_node_retire(old);
}

/* A replica that is well; NULL: none. */
static struct rds_node *reader_of(struct group *g) {
    for (size_t i = 0; i < g->n_replicas; i++) {
        const size_t k = (g->turn + i) % g->n_replicas;
        const struct rds_server *at = &g->replicas[k];
        if (!g->readers[k])
            g->readers[k] = rds_node_new(g->d, at->host, at->port, NULL, &server_events, g);
        if (g->readers[k] && rds_node_is_well(g->readers[k]) &&
            rds_node_silent_ns(g->readers[k]) < SILENT_MS * MS) {
            g->turn++;
            return g->readers[k];
        }
    }
    return NULL;
}

static void submit(void *router, struct rds_request *r) {
    struct group *g = router;
    struct rds_node *node = NULL;
    g->asked_for = true;
    if (g->master && (r->flags & RDS_MAY_LAG) && g->reads_replicas && r->on == 0)
        node = reader_of(g);
    if (!node && g->master && (!g->is_doubted || r->kind == RDS_BIG))
        node = g->master;
    if (node) {
        set_timer(g);
        rds_node_send(node, r);
        return;
    }
    want_master(g);
    if (g->master && !g->in_round && g->next_round_ns > now(g) + HOLD_MS * MS) {
        rds_request_fail(r, LARDER_RETRY, "the master was silent or lost, and may have been replaced");
    } else if (!g->master && g->failed_ns != 0 && !g->in_round) { /* and it is not yet time to ask again */
        rds_request_fail(r, g->failed_status, g->failed_detail);
    } else {
        rds_requests_add(&g->waiting, r);
        set_timer(g);
    }
}

static void fail_all(struct rds_requests *list, int32_t status, const char *detail) {
    struct rds_requests taken = *list;
    struct rds_request *r;
    *list = (struct rds_requests){0};
    while ((r = rds_requests_take(&taken)))
        rds_request_fail(r, status, detail);
}

static void resubmit(struct group *g) {
    struct rds_requests waiting = g->waiting;
    struct rds_request *r;
    g->waiting = (struct rds_requests){0};
    while ((r = rds_requests_take(&waiting)))
        submit(g, r);
}

static void use_replicas(struct group *g, const struct rds_server *replicas, size_t n) {
    struct rds_node *old[SENTINEL_REPLICAS];
    struct rds_server were[SENTINEL_REPLICAS];
    const size_t n_were = g->n_replicas;
    memcpy(old, g->readers, sizeof(old));
    memcpy(were, g->replicas, sizeof(were));
    memset(g->readers, 0, sizeof(g->readers));
    g->n_replicas = n;
    for (size_t i = 0; i < n; i++) {
        g->replicas[i] = replicas[i];
        for (size_t k = 0; k < n_were; k++) {
            if (old[k] && rds_server_same(&were[k], &replicas[i])) {
                g->readers[i] = old[k];
                old[k] = NULL;
            }
        }
    }
    for (size_t k = 0; k < n_were; k++)
        retire(&old[k]);
}

static void ask_failed(struct group *g, int32_t status, const char *detail) {
    g->failed_status = status;
    snprintf(g->failed_detail, sizeof(g->failed_detail), "%.150s", detail ? detail : "");
}

/* What was under way to another master is answered: it may be dead without a word. */
static void use_master(struct group *g, const struct rds_told *told) {
    const bool is_same = g->master && rds_server_same(&told->master, &g->known.master);
    g->known = *told;
    g->failed_ns = 0;
    if (!is_same) {
        struct rds_node *node = rds_node_new(g->d, told->master.host, told->master.port, NULL, &server_events,
                                             g);
        retire(&g->master);
        if (!node) {
            g->failed_ns = now(g);
            ask_failed(g, LARDER_NOMEM, "out of memory");
            fail_all(&g->waiting, LARDER_NOMEM, NULL);
            return;
        }
        rds_node_ask(node, "ROLE", rds_is_master, NULL);
        g->master = node;
    }
    resubmit(g);
}

/* ---- what is asked ---------------------------------------------------------------------------------------------- */

static const struct sentinel *sentinel_of(const struct rds_request *ask) {
    return (const struct sentinel *)(const void *)((const char *)ask - offsetof(struct sentinel, ask));
}

static void ask_write(const struct rds_request *r, struct rds_out *out) {
    static const char *const what[] = {"GET-MASTER-ADDR-BY-NAME", "MASTER", "REPLICAS"};
    for (size_t i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
        rds_command(out, "SENTINEL", 3);
        rds_arg_text(out, what[i]);
        rds_arg_text(out, sentinel_of(r)->g->name);
    }
}

/* A pause that grows while nothing new is heard. */
static void end_round(struct group *g, bool is_news) {
    uint64_t pause_ms = is_news ? PAUSE_MIN_MS : g->pause_ms * 3 / 2;
    if (pause_ms < PAUSE_MIN_MS)
        pause_ms = PAUSE_MIN_MS;
    g->pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
    g->next_round_ns = now(g) + (g->pause_ms / 2 + rds_random(g->d) % g->pause_ms) * MS;
    g->in_round = false;
}

/* Whether what they say may be believed.  Sentinels that were set up anew count from 0 again: where the master that
 * is known is out of reach, they are believed after a while. */
static bool is_credible(struct group *g, const struct rds_told *told) {
    const uint64_t now_ns = now(g);
    if (told->config_epoch >= g->known.config_epoch || (g->master && rds_node_is_well(g->master))) {
        g->doubted_ns = 0;
        return told->config_epoch >= g->known.config_epoch;
    }
    if (g->doubted_ns == 0)
        g->doubted_ns = now_ns;
    return now_ns - g->doubted_ns >= DOUBT_MS * MS;
}

/* When all have answered that will, or time is up. */
static void judge(struct group *g) {
    const uint64_t passed_ns = now(g) - g->round_ns;
    bool is_any_out = false, has_any_answered = false;
    struct sentinel *best = NULL;
    for (size_t i = 0; i < g->n_sentinels; i++) {
        struct sentinel *s = &g->sentinels[i];
        is_any_out = is_any_out || s->is_out;
        has_any_answered = has_any_answered || s->has_answered;
        if (s->has_answered && s->was_heard && (!best || s->told.config_epoch > best->told.config_epoch))
            best = s;
    }
    if (is_any_out && passed_ns < (best ? ANSWER_MS : PATIENCE_MS) * MS)
        return;
    if (g->round > g->doubt &&
        (best || !has_any_answered)) /* nobody there to ask: then there is nothing better */
        g->is_doubted = false;
    if (best && is_credible(g, &best->told)) {
        end_round(g, !rds_server_same(&best->told.master, &g->known.master));
        use_replicas(g, best->replicas, best->n_replicas);
        use_master(g, &best->told);
        return;
    }
    end_round(g, false);
    if (g->master) {
        resubmit(g);
        return;
    }
    g->failed_ns = now(g);
    if (!has_any_answered && is_any_out) {
        g->failed_status = LARDER_RETRY;
        snprintf(g->failed_detail, sizeof(g->failed_detail), "no sentinel answers");
    }
    fail_all(&g->waiting, g->failed_status, g->failed_detail);
}

static void take_answer(struct sentinel *s, unsigned which, const struct rds_reply *reply) {
    struct group *g = s->g;
    char line[120];
    if (which == 0) {
        s->n_replicas = 0;
        s->was_heard = rds_told_address(reply, &s->told);
        if (!s->was_heard && reply->type == RDS_ERROR) {
            rds_error_line(reply->text, line, sizeof(line));
            ask_failed(g, rds_error_of(reply->text).status, line);
        } else if (!s->was_heard) {
            ask_failed(g, LARDER_INVALID, "the sentinels watch no master of that name");
        }
    } else if (which == 1) {
        (void)rds_told_master(reply, &s->told); /* where it may not be asked, the address has to do */
    } else {
        s->n_replicas = rds_told_replicas(reply, s->replicas);
    }
}

static void ask_done(struct rds_request *r, const struct rds_answer *answer) {
    struct sentinel *s = (struct sentinel *)(void *)((char *)r - offsetof(struct sentinel, ask));
    struct group *g = s->g;
    if (answer->reply) {
        take_answer(s, r->seen, answer->reply);
        if (r->seen + 1u < r->replies)
            return;
        s->has_answered = true;
    }
    s->is_out = false;
    if (g->is_closing)
        return;
    if (!answer->reply) {
        s->has_answered = false;
        ask_failed(g, answer->status, answer->detail);
    }
    if (g->in_round)
        judge(g);
    set_timer(g);
}

static const struct rds_verb ask_verb = {.write = ask_write, .done = ask_done};

/* All of them count as asked before the first is: it may fail at once. */
static void ask_all(struct group *g) {
    bool is_new[RDS_MAX_HOSTS] = {false};
    g->in_round = true;
    g->is_wanted = false;
    g->round++;
    g->round_ns = now(g);
    for (size_t i = 0; i < g->n_sentinels; i++) {
        struct sentinel *s = &g->sentinels[i];
        is_new[i] = !s->is_out; /* else it has not answered the last time */
        s->is_out = true;
        s->has_answered = false;
    }
    for (size_t i = 0; i < g->n_sentinels; i++) {
        struct sentinel *s = &g->sentinels[i];
        if (!is_new[i])
            continue;
        s->ask = (struct rds_request){.verb = &ask_verb, .deadline_ns = UINT64_MAX, .kind = RDS_SMALL};
        rds_node_send(s->node, &s->ask);
    }
}

/* ---- what they announce -------------------------------------------------------------------------------------------- */

static void subscribe_write(__attribute__((unused)) const struct rds_request *r, struct rds_out *out) {
    rds_command(out, "SUBSCRIBE", 2);
    rds_arg_text(out, "+switch-master");
}

/* Something may have happened before it was listened to. */
static void subscribe_done(struct rds_request *r, const struct rds_answer *answer) {
    struct sentinel *s = (struct sentinel *)(void *)((char *)r - offsetof(struct sentinel, subscribe));
    if (answer->reply && !s->g->is_closing)
        want_master(s->g);
}

static const struct rds_verb subscribe_verb = {.write = subscribe_write, .done = subscribe_done};

static void on_listen_up(void *owner, struct rds_conn *conn) {
    struct sentinel *s = owner;
    s->subscribe = (struct rds_request){.verb = &subscribe_verb, .deadline_ns = UINT64_MAX};
    if (!rds_conn_send(conn, &s->subscribe))
        s->listen_ns = now(s->g) + RELISTEN_MS * MS;
}

static void on_listen_down(void *owner, __attribute__((unused)) struct rds_conn *conn,
                           __attribute__((unused)) int32_t status, __attribute__((unused)) const char *detail,
                           __attribute__((unused)) struct rds_requests *left) {
    struct sentinel *s = owner;
    s->listen_ns = now(s->g) + (RELISTEN_MS / 2 + rds_random(s->g->d) % RELISTEN_MS) * MS;
    set_timer(s->g);
}

/* Others may not know it yet, and whoever speaks may be the last to know: all are asked, and at once. */
static void on_message(void *owner, __attribute__((unused)) struct rds_conn *conn,
                       const struct rds_reply *reply) {
    struct sentinel *s = owner;
    struct rds_server server;
    if (!rds_told_switch(reply->elements[2].text, s->g->name, &server))
        return;
    s->g->next_round_ns = 0;
    s->g->pause_ms = 0;
    trouble(s->g);
}

static void on_listen_reply(__attribute__((unused)) void *owner,
                            __attribute__((unused)) struct rds_conn *conn, struct rds_request *r,
                            struct rds_answer *answer) {
    r->verb->done(r, answer);
}

static const struct rds_conn_events listen_events = {
    .up = on_listen_up, .down = on_listen_down, .reply = on_listen_reply, .message = on_message};

/* ---- the clock ---------------------------------------------------------------------------------------------------------- */

static uint64_t sooner(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static void set_timer(struct group *g) {
    uint64_t due_ns = UINT64_MAX;
    if (g->is_closing || g->in_timer)
        return;
    if (g->in_round)
        due_ns = g->round_ns + (now(g) < g->round_ns + ANSWER_MS * MS ? ANSWER_MS : PATIENCE_MS) * MS;
    else if (g->is_wanted)
        due_ns = g->next_round_ns;
    for (const struct rds_request *r = g->waiting.first; r; r = r->next)
        due_ns = sooner(due_ns, r->deadline_ns);
    for (size_t i = 0; i < g->n_sentinels; i++)
        due_ns = sooner(due_ns, g->sentinels[i].listen_ns);
    if (g->asked_for && g->look_ns == UINT64_MAX)
        g->look_ns = now(g) + LOOK_EVERY_MS * MS;
    due_ns = sooner(due_ns, g->look_ns);
    if (due_ns != g->timer_ns)
        g->d->host->timer_set(g->timer, due_ns);
    g->timer_ns = due_ns;
}

static void end_overdue(struct group *g) {
    struct rds_requests waiting = g->waiting;
    struct rds_request *r;
    const uint64_t now_ns = now(g);
    g->waiting = (struct rds_requests){0};
    while ((r = rds_requests_take(&waiting))) {
        if (r->deadline_ns <= now_ns)
            rds_request_fail(r, LARDER_DEADLINE, "no sentinel has told yet who is the master");
        else
            rds_requests_add(&g->waiting, r);
    }
}

static void on_timer(void *arg) {
    struct group *g = arg;
    const uint64_t now_ns = now(g);
    g->timer_ns = UINT64_MAX;
    g->in_timer = true;
    if (now_ns >= g->look_ns) {
        const uint64_t silent_ns = g->master ? rds_node_silent_ns(g->master) : 0;
        if (silent_ns > SILENT_MS * MS)
            trouble(g);
        if (g->master && rds_node_marks_silent_ns(g->master) > SILENT_MS * MS)
            doubt(g);
        if (g->asked_for && now_ns < g->trouble_until_ns)
            g->is_wanted = true;
        g->asked_for = silent_ns > 0;
        g->look_ns = UINT64_MAX;
    }
    for (size_t i = 0; i < g->n_sentinels; i++) {
        struct sentinel *s = &g->sentinels[i];
        if (now_ns < s->listen_ns)
            continue;
        s->listen_ns = UINT64_MAX;
        rds_conn_cut(s->listen, LARDER_RETRY, "again");
        s->listen_ns = UINT64_MAX;
        rds_conn_connect(s->listen, &s->peer);
    }
    end_overdue(g);
    if (g->in_round)
        judge(g);
    else if (g->is_wanted && now_ns >= g->next_round_ns)
        ask_all(g);
    g->in_timer = false;
    set_timer(g);
    rds_burst_send(&g->d->burst);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------ */

static void sentinel_close(void *router) {
    struct group *g = router;
    g->is_closing = true;
    fail_all(&g->waiting, LARDER_CANCELLED, NULL);
    rds_node_free(g->master);
    for (size_t i = 0; i < g->n_replicas; i++)
        rds_node_free(g->readers[i]);
    for (size_t i = 0; i < g->n_sentinels; i++) {
        struct sentinel *s = &g->sentinels[i];
        rds_node_free(s->node);
        if (s->listen)
            rds_conn_cut(s->listen, LARDER_CANCELLED, NULL);
        rds_conn_free(s->listen);
    }
    if (g->timer)
        g->d->host->timer_free(g->timer);
    free(g);
}

static bool add_sentinel(struct group *g, const struct rds_host_port *at) {
    const struct rds_config *config = g->d->config;
    struct sentinel *s = &g->sentinels[g->n_sentinels++];
    s->g = g;
    s->listen_ns = 0; /* with the first request */
    s->node = rds_node_new(g->d, at->host, at->port, NULL, NULL, NULL);
    s->listen = rds_conn_new(g->d->host, g->d->home, &g->d->burst, &listen_events, s);
    if (!s->node || !s->listen)
        return false;
    const char *user = config->sentinel_username[0] ? config->sentinel_username : NULL;
    const char *password = config->sentinel_password[0] ? config->sentinel_password : NULL;
    rds_node_with(s->node, user, password);
    rds_peer_of(g->d, &s->peer);
    s->peer.host = at->host;
    s->peer.port = at->port;
    s->peer.user = user;
    s->peer.password = password;
    s->peer.db = 0;
    return true;
}

static int32_t sentinel_open(struct rds *d, const struct rds_url *url, void **ret, char *error) {
    struct group *g = calloc(1, sizeof(*g) + url->n_hosts * sizeof(g->sentinels[0]));
    if (g) {
        g->d = d;
        g->name = url->master;
        g->reads_replicas = strcmp(d->config->read_from, "replica") == 0;
        g->known.config_epoch = -1;
        g->timer_ns = g->look_ns = UINT64_MAX;
        g->timer = d->host->timer(d->home, on_timer, g);
    }
    bool is_good = g && g->timer;
    for (size_t i = 0; i < url->n_hosts && is_good; i++)
        is_good = add_sentinel(g, &url->hosts[i]);
    if (!is_good) {
        if (g)
            sentinel_close(g);
        snprintf(error, LARDER_ERROR_SIZE, "out of memory");
        return LARDER_NOMEM;
    }
    *ret = g;
    return LARDER_OK;
}

static uint32_t sentinel_part(__attribute__((unused)) void *router, uint32_t from,
                              __attribute__((unused)) void (*ready)(void *arg, int32_t status,
                                                                    const char *detail),
                              __attribute__((unused)) void *arg) {
    return from == 0 ? 0 : RDS_NO_PART;
}

static uint32_t sentinel_replicas(void *router, __attribute__((unused)) uint16_t slot) {
    return (uint32_t)((const struct group *)router)->n_replicas;
}

static void sentinel_doubt(void *router) {
    trouble(router);
}

const struct rds_router_ops rds_sentinel = {.open = sentinel_open,
                                            .close = sentinel_close,
                                            .submit = submit,
                                            .part = sentinel_part,
                                            .replicas = sentinel_replicas,
                                            .doubt = sentinel_doubt};
