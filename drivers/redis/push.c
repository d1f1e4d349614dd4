/* News of marks. */
#include "push.h"

#include <stdio.h>
#include <stdlib.h>

#include "error.h"
#include "rds.h"

enum {
    LENGTH_BYTES = 4,
    PING_MS = 30000, /* so that a server that is gone without a word is noticed */
    FIRST_PAUSE_MS = 100,
    LONGEST_PAUSE_MS = 5000,
    NS_PER_MS = 1000000
};

static const uint8_t version[2] = {'M', '1'};

/* P:news; no key has that name. */
static void arg_channel(const struct rds *d, struct rds_out *out) {
    static const char name[] = ":news";
    rds_arg_begin(out, d->names.prefix_len + sizeof(name) - 1);
    rds_arg_part(out, d->names.prefix, d->names.prefix_len);
    rds_arg_part(out, name, sizeof(name) - 1);
    rds_arg_end(out);
}

/* ---- telling ---------------------------------------------------------------------------------------------------- */

struct news {
    struct rds_request r;
    struct rds *d;
    size_t len;
    uint8_t bytes[];
};

static void publish_write(const struct rds_request *r, struct rds_out *out) {
    const struct news *news = RDS_OF(const struct news, r, r);
    rds_command(out, "PUBLISH", 3);
    arg_channel(news->d, out);
    rds_arg(out, (struct larder_bytes){news->bytes, news->len});
}

/* Whether it was heard, or allowed, changes nothing. */
static void publish_done(struct rds_request *r, __attribute__((unused)) const struct rds_answer *answer) {
    free(RDS_OF(struct news, r, r));
}

static uint8_t *put_mark(uint8_t *to, const struct larder_mark *mark, int64_t epoch) {
    const uint32_t len = __builtin_bswap32((uint32_t)mark->tag.len);
    struct larder_mark told = *mark;
    if (told.expired_epoch == LARDER_NEW_EPOCH)
        told.expired_epoch = epoch;
    if (told.stale_epoch == LARDER_NEW_EPOCH)
        told.stale_epoch = epoch;
    memcpy(to, &len, LENGTH_BYTES);
    to += LENGTH_BYTES;
    if (mark->tag.len > 0)
        memcpy(to, mark->tag.ptr, mark->tag.len);
    to += mark->tag.len;
    rds_mark_write(&told, to);
    return to + RDS_MARK_BYTES;
}

void rds_push_tell(struct rds *d, const struct larder_op *op, size_t begin, size_t n, int64_t epoch) {
    static const struct rds_verb verb = {.write = publish_write, .done = publish_done};
    size_t len = sizeof(version);
    if (!d->push || n == 0)
        return;
    for (size_t i = begin; i < begin + n; i++)
        len += LENGTH_BYTES + op->marks[i].tag.len + RDS_MARK_BYTES;
    struct news *news = len < RDS_MAX_BULK ? malloc(sizeof(*news) + len) : NULL;
    if (!news)
        return;
    news->d = d;
    news->len = len;
    memcpy(news->bytes, version, sizeof(version));
    uint8_t *to = news->bytes + sizeof(version);
    for (size_t i = begin; i < begin + n; i++)
        to = put_mark(to, &op->marks[i], epoch);
    rds_request_init(&news->r, &verb, op, d->names.mark_slot, RDS_SMALL);
    rds_submit(d, &news->r);
}

/* ---- hearing ---------------------------------------------------------------------------------------------------- */

struct rds_push {
    struct rds *d;
    struct rds_conn *conn;
    struct larder_timer *timer; /* down: the next attempt; up: the next PING */
    struct rds_request r;       /* SUBSCRIBE, then PING */
    bool is_asking;
    uint32_t failures;
    size_t next_host;
};

static void hear(struct rds_push *push, struct larder_bytes news) {
    const struct rds *d = push->d;
    if (news.len < sizeof(version) || memcmp(news.ptr, version, sizeof(version)) != 0)
        return; /* of a later version */
    news = (struct larder_bytes){news.ptr + sizeof(version), news.len - sizeof(version)};
    while (news.len >= LENGTH_BYTES) {
        uint32_t len;
        memcpy(&len, news.ptr, LENGTH_BYTES);
        len = __builtin_bswap32(len);
        if (news.len - LENGTH_BYTES < RDS_MARK_BYTES || len > news.len - LENGTH_BYTES - RDS_MARK_BYTES)
            return;
        struct larder_mark mark = rds_mark_read(news.ptr + LENGTH_BYTES + len);
        mark.tag = (struct larder_bytes){news.ptr + LENGTH_BYTES, len};
        if (mark.expired_epoch != LARDER_NEW_EPOCH && mark.stale_epoch != LARDER_NEW_EPOCH)
            d->host->mark_seen(d->home, &mark);
        const size_t step = LENGTH_BYTES + len + RDS_MARK_BYTES;
        news = (struct larder_bytes){news.ptr + step, news.len - step};
    }
}

static void on_message(void *owner, __attribute__((unused)) struct rds_conn *conn,
                       const struct rds_reply *reply) {
    hear(owner, reply->elements[2].text);
}

static void connect_next(struct rds_push *push) {
    const struct rds_url *url = &push->d->url;
    struct rds_peer peer;
    rds_peer_of(push->d, &peer);
    peer.path = url->path;
    if (!url->path) {
        const struct rds_host_port *at = &url->hosts[push->next_host++ % url->n_hosts];
        peer.host = at->host;
        peer.port = at->port;
    }
    rds_conn_connect(push->conn, &peer);
}

static void ask_again_in(struct rds_push *push, uint64_t ms) {
    push->d->host->timer_set(push->timer, push->d->host->now_ns() + ms * NS_PER_MS);
}

static void subscribe_write(const struct rds_request *r, struct rds_out *out) {
    rds_command(out, "SUBSCRIBE", 2);
    arg_channel(RDS_OF(const struct rds_push, r, r)->d, out);
}

static void ping_write(__attribute__((unused)) const struct rds_request *r, struct rds_out *out) {
    rds_command(out, "PING", 1);
}

static void push_done(struct rds_request *r, const struct rds_answer *answer) {
    struct rds_push *push = RDS_OF(struct rds_push, r, r);
    push->is_asking = false;
    if (answer->status != LARDER_OK || answer->reply->type != RDS_ERROR)
        return;
    char line[100], told[160];
    rds_error_line(answer->reply->text, line, sizeof(line));
    snprintf(told, sizeof(told), "push: %s: revalidations are seen when marks are read", line);
    if (push->failures++ == 0)
        push->d->host->log(push->d->home, LARDER_LOG_WARN, told);
    rds_conn_cut(push->conn, rds_error_of(answer->reply->text).status, line);
}

static void send_request(struct rds_push *push, const struct rds_verb *verb) {
    push->r = (struct rds_request){.verb = verb, .deadline_ns = UINT64_MAX};
    push->is_asking = rds_conn_send(push->conn, &push->r);
    ask_again_in(push, PING_MS);
}

static void on_up(void *owner, __attribute__((unused)) struct rds_conn *conn) {
    static const struct rds_verb verb = {.write = subscribe_write, .done = push_done};
    send_request(owner, &verb);
}

static void on_down(void *owner, __attribute__((unused)) struct rds_conn *conn,
                    __attribute__((unused)) int32_t status, __attribute__((unused)) const char *detail,
                    __attribute__((unused)) struct rds_requests *left) {
    struct rds_push *push = owner;
    uint64_t ms = FIRST_PAUSE_MS;
    push->is_asking = false; /* the request is our own: there is nobody to tell */
    push->failures++;
    for (uint32_t i = 1; i < push->failures && ms < LONGEST_PAUSE_MS; i++)
        ms *= 2;
    ask_again_in(push, ms / 2 + rds_random(push->d) % (ms / 2));
}

static void on_reply(void *owner, __attribute__((unused)) struct rds_conn *conn, struct rds_request *r,
                     struct rds_answer *answer) {
    struct rds_push *push = owner;
    if (answer->reply && answer->reply->type != RDS_ERROR)
        push->failures = 0;
    r->verb->done(r, answer);
}

static void on_timer(void *arg) {
    static const struct rds_verb verb = {.write = ping_write, .done = push_done};
    struct rds_push *push = arg;
    if (rds_conn_state(push->conn) == RDS_DOWN)
        connect_next(push);
    else if (rds_conn_state(push->conn) == RDS_UP && !push->is_asking)
        send_request(push, &verb);
    else
        ask_again_in(push, PING_MS);
    rds_burst_send(&push->d->burst);
}

struct rds_push *rds_push_new(struct rds *d) {
    static const struct rds_conn_events events = {
        .up = on_up, .down = on_down, .reply = on_reply, .message = on_message};
    struct rds_push *push = calloc(1, sizeof(*push));
    if (!push)
        return NULL;
    push->d = d;
    push->conn = rds_conn_new(d->host, d->home, &d->burst, &events, push);
    push->timer = push->conn ? d->host->timer(d->home, on_timer, push) : NULL;
    if (!push->timer) {
        rds_push_free(push);
        return NULL;
    }
    connect_next(push);
    return push;
}

void rds_push_free(struct rds_push *push) {
    if (!push)
        return;
    if (push->timer)
        push->d->host->timer_free(push->timer);
    rds_conn_free(push->conn);
    free(push);
}
