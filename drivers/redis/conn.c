/* One connection to one server. */
#include "conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "intake.h"
#include "transport.h"

enum {
    BYTES_AT_ONCE =
        512 << 10, /* moved per event: the next connection waits no longer than a copy of that takes */
    PIECES_AT_ONCE = 64
};

enum greeting { GREET_AUTH, GREET_SELECT, GREET_NAME, GREET_READONLY, GREET_QUESTION, GREETINGS };

struct rds_conn {
    const struct larder_host *host;
    struct larder_home *home;
    const struct rds_conn_events *events;
    void *owner;
    struct rds_burst *burst;
    struct rds_conn *next_in_burst;
    bool in_burst;
    struct rds_peer peer;
    enum rds_conn_state state;
    uint64_t id;
    struct rds_transport transport;
    struct larder_watch *watch;
    uint32_t watched;
    struct larder_timer *timer; /* while it is made: that it takes too long; up: that nothing is heard */
    bool timer_runs;
    uint64_t made_by_ns, heard_ns, burst_ns, silence_ns;
    struct rds_lookup *lookup;
    struct rds_address addresses[RDS_MAX_ADDRESSES];
    size_t n_addresses, next_address;
    uint8_t greetings[GREETINGS]; /* replies that are due, in their order */
    size_t n_greetings, greeted;
    struct rds_out out;
    struct rds_intake in;
    struct rds_requests waiting; /* for replies */
};

static void on_ready(void *arg, int fd, uint32_t events);

static void set_timer(struct rds_conn *c, uint64_t due_ns) {
    c->timer_runs = due_ns != UINT64_MAX;
    c->host->timer_set(c->timer, due_ns);
}

/* ---- the end ------------------------------------------------------------------------------------------------ */

static void hang_up(struct rds_conn *c) {
    if (c->watch)
        c->host->unwatch(c->watch); /* before the descriptor is closed */
    c->watch = NULL;
    c->watched = 0;
    if (c->transport.ops)
        c->transport.ops->done(&c->transport);
    if (c->transport.fd >= 0)
        close(c->transport.fd);
    c->transport = (struct rds_transport){.fd = -1};
    rds_lookup_drop(c->lookup);
    c->lookup = NULL;
    rds_out_clear(&c->out);
    rds_intake_reset(&c->in);
    c->n_greetings = c->greeted = 0;
}

void rds_conn_cut(struct rds_conn *c, int32_t status, const char *detail) {
    if (c->state == RDS_DOWN)
        return;
    char why[160];
    snprintf(why, sizeof(why), "%s", detail ? detail : ""); /* it may be the transport's own */
    hang_up(c);
    set_timer(c, UINT64_MAX);
    c->state = RDS_DOWN;
    c->id = 0;
    struct rds_requests left = c->waiting;
    c->waiting = (struct rds_requests){0};
    c->events->down(c->owner, c, status, why, &left);
}

static void lose(struct rds_conn *c) {
    rds_conn_cut(c, c->transport.status, c->transport.detail);
}

/* ---- which events ------------------------------------------------------------------------------------------- */

/* LARDER_WRITE only while something waits for room: a socket nearly always has room. */
static void rewatch(struct rds_conn *c) {
    uint32_t events = LARDER_READ;
    if (c->state == RDS_CONNECTING)
        events = LARDER_WRITE;
    else if (c->state == RDS_TLS)
        events = c->transport.wants;
    else if ((c->out.bytes > 0 && !c->transport.send_reads) || c->transport.recv_writes)
        events |= LARDER_WRITE;
    if (events == c->watched)
        return;
    if (c->host->rewatch(c->watch, events) == LARDER_OK)
        c->watched = events;
    else
        rds_conn_cut(c, LARDER_NOMEM, "out of memory");
}

/* ---- writing ------------------------------------------------------------------------------------------------ */

static void write_some(struct rds_conn *c) {
    for (size_t total = 0; c->out.bytes > 0 && total < BYTES_AT_ONCE;) {
        struct iovec iov[PIECES_AT_ONCE];
        const int n = rds_out_next(&c->out, iov, PIECES_AT_ONCE);
        const ssize_t sent = c->transport.ops->send(&c->transport, iov, n);
        if (sent == RDS_LOST) {
            lose(c);
            return;
        }
        if (sent == RDS_BLOCKED)
            break;
        rds_out_sent(&c->out, (size_t)sent);
        total += (size_t)sent;
    }
    rewatch(c);
}

static void join_burst(struct rds_conn *c) {
    if (c->in_burst)
        return;
    c->in_burst = true;
    c->burst_ns = c->host->now_ns();
    c->next_in_burst = c->burst->first;
    c->burst->first = c;
}

static void leave_burst(struct rds_conn *c) {
    for (struct rds_conn **at = &c->burst->first; c->in_burst && *at; at = &(*at)->next_in_burst) {
        if (*at == c) {
            *at = c->next_in_burst;
            c->in_burst = false;
            return;
        }
    }
}

/* What is lost by it may add to it. */
void rds_burst_send(struct rds_burst *burst) {
    struct rds_conn *c;
    while ((c = burst->first)) {
        leave_burst(c);
        if (c->state == RDS_UP && c->out.bytes > 0 && !(c->watched & LARDER_WRITE))
            write_some(c);
    }
}

bool rds_conn_send(struct rds_conn *c, struct rds_request *r) {
    struct rds_out *out = &c->out;
    const size_t len = out->len, pieces = out->n_pieces, bytes = out->bytes;
    out->commands = 0;
    out->asking = (r->flags & RDS_ASKING) != 0;
    r->verb->write(r, out);
    if (out->failed) { /* what was written of it is taken back */
        out->len = len;
        out->n_pieces = pieces;
        out->bytes = bytes;
        out->failed = false;
        return false;
    }
    join_burst(c);
    r->replies = (uint16_t)out->commands;
    r->seen = 0;
    r->got = 0;
    r->sent_ns = c->burst_ns;
    rds_requests_add(&c->waiting, r);
    if (!c->timer_runs)
        set_timer(c, c->burst_ns + c->peer.silence_ns);
    return true;
}

/* ---- the greeting ------------------------------------------------------------------------------------------- */

static void greet(struct rds_conn *c, enum greeting which) {
    c->greetings[c->n_greetings++] = (uint8_t)which;
}

static void write_greeting(struct rds_conn *c) {
    const struct rds_peer *p = &c->peer;
    struct rds_out *out = &c->out;
    out->asking = false;
    if (p->password) {
        rds_command(out, "AUTH", p->user ? 3 : 2);
        if (p->user)
            rds_arg_text(out, p->user);
        rds_arg_text(out, p->password);
        greet(c, GREET_AUTH);
    }
    if (p->db != 0) {
        rds_command(out, "SELECT", 2);
        rds_arg_number(out, p->db);
        greet(c, GREET_SELECT);
    }
    if (p->name) {
        rds_command(out, "CLIENT", 3);
        rds_arg_text(out, "SETNAME");
        rds_arg_text(out, p->name);
        greet(c, GREET_NAME);
    }
    if (p->readonly) {
        rds_command(out, "READONLY", 1);
        greet(c, GREET_READONLY);
    }
    if (p->question) {
        rds_command(out, p->question, 1);
        greet(c, GREET_QUESTION);
    }
}

static void be_up(struct rds_conn *c) {
    c->state = RDS_UP;
    c->id = ++c->burst->last_id;
    c->heard_ns = c->host->now_ns();
    set_timer(c, UINT64_MAX);
    rewatch(c);
    if (c->state == RDS_UP)
        c->events->up(c->owner, c);
}

static const char *const greeting_names[GREETINGS] = {"AUTH", "SELECT", "CLIENT SETNAME", "READONLY", ""};

static void on_greeted(struct rds_conn *c, const struct rds_reply *reply) {
    const enum greeting which = c->greetings[c->greeted++];
    char detail[160] = "";
    int32_t status = LARDER_OK;
    if (reply->type == RDS_ERROR &&
        which != GREET_NAME) { /* a name is for people: not all users may give one */
        char line[128];
        rds_error_line(reply->text, line, sizeof(line));
        snprintf(detail, sizeof(detail), "%s: %s",
                 which == GREET_QUESTION ? c->peer.question : greeting_names[which], line);
        status = rds_error_of(reply->text).status;
        if (which == GREET_AUTH && status == LARDER_INTERNAL)
            status = LARDER_DENIED;
    } else if (which == GREET_QUESTION) {
        status = c->peer.is_right(c->peer.arg, reply, detail, sizeof(detail));
    }
    if (status != LARDER_OK)
        rds_conn_cut(c, status, detail);
    else if (c->greeted == c->n_greetings)
        be_up(c);
}

/* ---- reading ------------------------------------------------------------------------------------------------ */

/* What nobody has asked for: why the server refuses the connection, or nonsense. */
static void on_unasked(struct rds_conn *c, const struct rds_reply *reply) {
    char line[128];
    if (!reply || reply->type != RDS_ERROR) {
        rds_conn_cut(c, LARDER_RETRY, "the server sent what nobody asked for");
        return;
    }
    rds_error_line(reply->text, line, sizeof(line));
    rds_conn_cut(c, rds_error_of(reply->text).status, line);
}

static bool is_message(const struct rds_conn *c, const struct rds_reply *reply) {
    return c->events->message && reply->type == RDS_ARRAY && reply->n == 3 &&
           rds_is(&reply->elements[0], "message");
}

/* Whether the next reply is the one for ASKING that stands before each command. */
static bool is_asking(const struct rds_request *r) {
    return (r->flags & RDS_ASKING) && r->got % 2 == 0;
}

static void on_reply(struct rds_conn *c, struct rds_answer *answer) {
    if (c->state == RDS_GREETING) {
        on_greeted(c, answer->reply);
        return;
    }
    if (answer->reply && is_message(c, answer->reply)) {
        c->events->message(c->owner, c, answer->reply);
        return;
    }
    struct rds_request *r = c->waiting.first;
    if (!r) {
        on_unasked(c, answer->reply);
        return;
    }
    const bool asking = is_asking(r);
    const uint32_t which = r->flags & RDS_ASKING ? r->got / 2 : r->got;
    r->got++;
    if (asking)
        return;
    r->seen = (uint16_t)which;
    answer->connection = c->id;
    answer->silence_ns = c->silence_ns;
    if (which + 1 == r->replies)
        rds_requests_take(&c->waiting); /* during the call it becomes somebody else's */
    c->events->reply(c->owner, c, r, answer);
}

/* All replies that have come.  false: it is over with the connection. */
static bool take_replies(struct rds_conn *c) {
    const uint64_t id = c->id;
    for (;;) {
        const struct rds_request *first = c->state == RDS_UP ? c->waiting.first : NULL;
        struct rds_answer answer;
        switch (rds_intake_next(&c->in, first && first->verb->is_value && !is_asking(first), &answer)) {
        case RDS_TAKEN: on_reply(c, &answer); break;
        case RDS_TAKE_MORE: return true;
        case RDS_TAKE_GARBAGE: rds_conn_cut(c, LARDER_RETRY, "the server does not speak RESP2"); return false;
        case RDS_TAKE_NOMEM: rds_conn_cut(c, LARDER_NOMEM, "out of memory"); return false;
        }
        if (c->state < RDS_GREETING || (id != 0 && c->id != id))
            return false;
    }
}

static void read_some(struct rds_conn *c) {
    for (size_t total = 0; total < BYTES_AT_ONCE;) {
        struct iovec iov[2];
        const int n = rds_intake_room(&c->in, iov);
        if (n == 0) {
            rds_conn_cut(c, LARDER_NOMEM, "out of memory");
            return;
        }
        const ssize_t got = c->transport.ops->recv(&c->transport, iov, n);
        if (got == RDS_LOST) {
            lose(c);
            return;
        }
        if (got == RDS_BLOCKED)
            break;
        c->silence_ns = rds_conn_silent_ns(c);
        c->heard_ns = c->host->now_ns();
        rds_intake_took(&c->in, (size_t)got);
        total += (size_t)got;
        if (!take_replies(c))
            return;
        /* The socket was emptied, or will tell. */
        if ((size_t)got < iov[0].iov_len + (n > 1 ? iov[1].iov_len : 0) &&
            !c->transport.ops->has_more(&c->transport))
            break;
    }
    if (c->transport.ops->has_more(&c->transport)) /* which the socket will not tell */
        set_timer(c, c->host->now_ns());
    rewatch(c);
}

/* ---- making it ------------------------------------------------------------------------------------------------ */

static void try_next(struct rds_conn *c);

static void start_greeting(struct rds_conn *c) {
    c->state = RDS_GREETING;
    write_greeting(c);
    if (c->out.failed)
        rds_conn_cut(c, LARDER_NOMEM, "out of memory");
    else if (c->n_greetings == 0)
        be_up(c);
    else
        write_some(c);
}

static void start_transport(struct rds_conn *c) {
    c->state = RDS_TLS;
    const int started = c->transport.ops->start(&c->transport);
    if (started == RDS_LOST)
        lose(c);
    else if (started == RDS_BLOCKED)
        rewatch(c);
    else
        start_greeting(c);
}

/* Not at once: whoever has called may not expect an event. */
static void fail_soon(struct rds_conn *c) {
    set_timer(c, c->host->now_ns());
}

static void close_socket(struct rds_conn *c) {
    if (c->watch)
        c->host->unwatch(c->watch);
    c->watch = NULL;
    if (c->transport.fd >= 0)
        close(c->transport.fd);
    c->transport.fd = -1;
}

/* Each address has its share of the time: one that does not answer must not take that of the others. */
static void try_next(struct rds_conn *c) {
    const uint64_t now_ns = c->host->now_ns();
    c->state = RDS_CONNECTING;
    while (c->next_address < c->n_addresses) {
        const size_t left = c->n_addresses - c->next_address;
        const uint64_t time_ns = c->made_by_ns > now_ns ? (c->made_by_ns - now_ns) / left : 0;
        const int fd = rds_socket_open(&c->transport, &c->addresses[c->next_address++], c->peer.keepalive_ms);
        if (fd < 0)
            continue;
        c->watched = LARDER_WRITE;
        c->watch = c->host->watch(c->home, fd, LARDER_WRITE, on_ready, c);
        if (c->watch) {
            set_timer(c, now_ns + time_ns);
            return;
        }
        close_socket(c);
        c->transport.status = LARDER_NOMEM;
        snprintf(c->transport.detail, sizeof(c->transport.detail), "out of memory");
    }
    fail_soon(c);
}

static void on_connected(struct rds_conn *c) {
    if (!rds_socket_is_connected(&c->transport)) {
        close_socket(c);
        try_next(c);
        return;
    }
    set_timer(c, c->made_by_ns);
    start_transport(c);
}

static void on_lookup(void *arg, const struct rds_address *addresses, size_t n, const char *why) {
    struct rds_conn *c = arg;
    c->lookup = NULL;
    if (n == 0) {
        char detail[160];
        snprintf(detail, sizeof(detail), "%.80s: %s", c->peer.host, why);
        rds_conn_cut(c, LARDER_RETRY, detail);
    } else {
        memcpy(c->addresses, addresses, n * sizeof(*addresses));
        c->n_addresses = n;
        try_next(c);
    }
    rds_burst_send(c->burst);
}

void rds_conn_connect(struct rds_conn *c, const struct rds_peer *peer) {
    c->peer = *peer;
    c->made_by_ns = c->host->now_ns() + peer->connect_ns;
    c->transport = (struct rds_transport){.ops = peer->tls ? &rds_over_tls : &rds_plain,
                                          .fd = -1,
                                          .status = LARDER_RETRY,
                                          .name = peer->host,
                                          .tls = peer->tls};
    c->n_addresses = c->next_address = 0;
    const bool is_known = peer->path ? rds_address_of_path(peer->path, &c->addresses[0])
                                     : rds_address_of_number(peer->host, peer->port, &c->addresses[0]);
    if (is_known) {
        c->n_addresses = 1;
        try_next(c);
        return;
    }
    c->state = RDS_RESOLVING;
    if (peer->path) {
        c->transport.status = LARDER_INVALID;
        snprintf(c->transport.detail, sizeof(c->transport.detail), "the path of a socket has 1 to 107 bytes");
        c->state = RDS_CONNECTING;
        fail_soon(c);
        return;
    }
    c->lookup = rds_lookup_start(c->host, c->home, peer->host, peer->port, on_lookup, c);
    if (!c->lookup) {
        c->transport.status = LARDER_NOMEM;
        snprintf(c->transport.detail, sizeof(c->transport.detail), "out of memory");
        c->state = RDS_CONNECTING;
        fail_soon(c);
        return;
    }
    set_timer(c, c->made_by_ns);
}

/* ---- events --------------------------------------------------------------------------------------------------- */

static void on_ready(void *arg, __attribute__((unused)) int fd, uint32_t events) {
    struct rds_conn *c = arg;
    if (c->state == RDS_CONNECTING) {
        on_connected(c);
    } else if (c->state == RDS_TLS) {
        start_transport(c);
    } else {
        const bool reads = (events & LARDER_READ) || c->transport.recv_writes;
        if ((events & LARDER_WRITE) || c->transport.send_reads)
            write_some(c);
        if (c->state >= RDS_GREETING && reads)
            read_some(c);
    }
    rds_burst_send(c->burst);
}

static void on_silence(struct rds_conn *c, uint64_t now_ns) {
    if (!c->waiting.first) {
        set_timer(c, UINT64_MAX);
        return;
    }
    const uint64_t since_ns = c->heard_ns > c->waiting.first->sent_ns ? c->heard_ns
                                                                      : c->waiting.first->sent_ns;
    if (now_ns >= since_ns && now_ns - since_ns >= c->peer.silence_ns)
        rds_conn_cut(c, LARDER_RETRY, "the server is silent");
    else
        set_timer(c, since_ns + c->peer.silence_ns);
}

static void on_timer(void *arg) {
    struct rds_conn *c = arg;
    const uint64_t now_ns = c->host->now_ns();
    c->timer_runs = false;
    switch (c->state) {
    case RDS_DOWN: break;
    case RDS_RESOLVING: rds_conn_cut(c, LARDER_RETRY, "the server's name is not found in time"); break;
    case RDS_CONNECTING:
        if (c->transport.fd < 0) { /* every address has failed */
            lose(c);
        } else {
            close_socket(c);
            snprintf(c->transport.detail, sizeof(c->transport.detail), "the server does not answer");
            try_next(c);
        }
        break;
    case RDS_TLS:
    case RDS_GREETING:
        if (now_ns >= c->made_by_ns)
            rds_conn_cut(c, LARDER_RETRY, "the server does not answer");
        else if (c->state == RDS_GREETING)
            read_some(c); /* what TLS has in hand */
        else
            set_timer(c, c->made_by_ns);
        break;
    case RDS_UP:
        if (c->transport.ops->has_more(&c->transport))
            read_some(c);
        if (c->state == RDS_UP && !c->timer_runs)
            on_silence(c, now_ns);
        break;
    }
    rds_burst_send(c->burst);
}

/* ---- making and freeing ---------------------------------------------------------------------------------------- */

struct rds_conn *rds_conn_new(const struct larder_host *host, struct larder_home *home,
                              struct rds_burst *burst, const struct rds_conn_events *events, void *owner) {
    struct rds_conn *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->host = host;
    c->home = home;
    c->burst = burst;
    c->events = events;
    c->owner = owner;
    c->transport.fd = -1;
    rds_intake_init(&c->in, host);
    c->timer = host->timer(home, on_timer, c);
    if (!c->timer) {
        free(c);
        return NULL;
    }
    return c;
}

void rds_conn_free(struct rds_conn *c) {
    if (!c)
        return;
    leave_burst(c);
    hang_up(c);
    rds_out_done(&c->out);
    rds_intake_done(&c->in);
    c->host->timer_free(c->timer);
    free(c);
}

enum rds_conn_state rds_conn_state(const struct rds_conn *c) {
    return c->state;
}

uint64_t rds_conn_id(const struct rds_conn *c) {
    return c->id;
}

size_t rds_conn_waiting(const struct rds_conn *c) {
    return c->waiting.n;
}

size_t rds_conn_unsent(const struct rds_conn *c) {
    return c->out.bytes;
}

uint64_t rds_conn_silent_ns(const struct rds_conn *c) {
    const uint64_t now_ns = c->host->now_ns();
    uint64_t since_ns = c->made_by_ns - c->peer.connect_ns;
    if (c->state == RDS_DOWN || (c->state == RDS_UP && !c->waiting.first))
        return 0;
    if (c->state == RDS_UP)
        since_ns = c->heard_ns > c->waiting.first->sent_ns ? c->heard_ns : c->waiting.first->sent_ns;
    return now_ns > since_ns ? now_ns - since_ns : 1;
}
