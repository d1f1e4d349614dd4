/*
 * The driver and a server that says what the test wants, byte by byte: one unix socket, one thread, and a clock that
 * stands still until the test moves it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../rds.h"
#include "../reader.h"
#include "backend.h"
#include "buf.h"
#include "held.h"
#include "unit.h"

/* ---- the server ------------------------------------------------------------------------------------------------- */

enum { MOST_REPLIES = 16 };

struct reply {
    const char *text;
    size_t len;
};

static struct {
    struct reactor *reactor;
    char folder[32], path[64];
    int listener, fd; /* one connection at a time */
    struct larder_watch *accepts, *reads;
    const struct reply *replies; /* to one command after the other; then silence */
    size_t n_replies, answered;
    size_t cut; /* bytes until it hangs up */
    size_t sent;
    struct rds_reader reader; /* a command looks like a reply */
    size_t commands;
    unsigned connections;
} server;

static void server_hang_up(void) {
    server.reads = watch_free(server.reads);
    if (server.fd >= 0)
        close(server.fd);
    server.fd = -1;
}

static void server_say(const struct reply *r) {
    const size_t left = server.cut - server.sent, len = r->len < left ? r->len : left;
    for (size_t at = 0; at < len;) {
        const ssize_t n = send(server.fd, r->text + at, len - at, MSG_NOSIGNAL);
        CU_ASSERT_FATAL(n > 0);
        at += (size_t)n;
    }
    server.sent += len;
    if (server.sent == server.cut)
        server_hang_up();
}

static void on_command(void *arg, int fd, uint32_t events) {
    (void)arg;
    (void)events;
    static uint8_t got[64 << 10];
    const ssize_t n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            server_hang_up();
        return;
    }
    for (size_t at = 0; server.fd >= 0;) {
        const struct rds_reply *command;
        size_t used;
        if (rds_reader_next(&server.reader, (struct larder_bytes){got + at, (size_t)n - at}, &used,
                            &command) != RDS_WHOLE)
            return;
        at += used;
        server.commands++;
        if (server.answered < server.n_replies)
            server_say(&server.replies[server.answered++]);
    }
}

static void on_connection(void *arg, int fd, uint32_t events) {
    (void)arg;
    (void)events;
    server_hang_up();
    server.fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    CU_ASSERT_FATAL(server.fd >= 0);
    server.connections++;
    rds_reader_reset(&server.reader);
    server.reads = watch_new(server.reactor, server.fd, LARDER_READ, on_command, NULL);
    if (server.cut == 0)
        server_hang_up();
}

static void server_open(void) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memset(&server, 0, sizeof(server));
    server.fd = -1;
    server.reactor = held_reactor();
    memcpy(server.folder, "/tmp/larder-redis-XXXXXX", 25);
    CU_ASSERT_FATAL(mkdtemp(server.folder) != NULL);
    snprintf(server.path, sizeof(server.path), "%s/s", server.folder);
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", server.path);
    server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_FATAL(bind(server.listener, (const struct sockaddr *)&un, sizeof(un)) == 0);
    CU_ASSERT_FATAL(listen(server.listener, 8) == 0);
    server.accepts = watch_new(server.reactor, server.listener, LARDER_READ, on_connection, NULL);
}

static void server_close(void) {
    server_hang_up();
    watch_free(server.accepts);
    close(server.listener);
    rds_reader_done(&server.reader);
    unlink(server.path);
    rmdir(server.folder);
    reactor_free(server.reactor);
}

/* ---- the driver ------------------------------------------------------------------------------------------------- */

static char url[80];
static struct rds_config config;
static struct backend *backend;
static struct op *last;

static void keep(void *arg, struct op *op) {
    (void)arg;
    last = op;
}

static const char *wait_replicas = "0";

static void driver_open(void) {
    snprintf(url, sizeof(url), "unix://%s", server.path);
    config = (struct rds_config){.url = url,
                                 .username = "",
                                 .password = "",
                                 .sentinel_username = "",
                                 .sentinel_password = "",
                                 .read_from = "primary",
                                 .wait_replicas = wait_replicas,
                                 .client_name = "larder",
                                 .prefix = "p",
                                 .ca_file = "",
                                 .cert_file = "",
                                 .key_file = "",
                                 .server_name = "",
                                 .connections = 1,
                                 .connect_timeout_ms = 1000,
                                 .server_timeout_ms = 5000,
                                 .mark_max_age_ms = 1000000,
                                 .wait_timeout_ms = 100,
                                 .scripts = 1};
    backend = backend_new(server.reactor, larder_driver_v1(), &config, NULL);
    CU_ASSERT_FATAL(backend != NULL);
}

static void driver_close(void) {
    last = op_free(last);
    settle(server.reactor);
    backend = backend_free(backend);
    settle(server.reactor);
}

/* The status, or 99: there is no answer. */
static int32_t ask(uint32_t code, const struct op_inputs *in) {
    last = op_free(last);
    struct op *op = op_new(server.reactor, code, in, UINT64_MAX, keep, NULL);
    CU_ASSERT_FATAL(op != NULL);
    backend_call(backend, op);
    settle(server.reactor);
    return last ? last->result.status : 99;
}

static void say(const struct reply *replies, size_t n, size_t cut) {
    server.replies = replies;
    server.n_replies = n;
    server.answered = 0;
    server.sent = 0;
    server.cut = cut;
}

#define BYTES(text) ((struct larder_bytes){(const uint8_t *)(text), sizeof(text) - 1})
#define REPLY(text) \
    { text, sizeof(text) - 1 }
#define EPOCH_5 "\x80\0\0\0\0\0\0\x05"
#define EPOCH_9 "\x80\0\0\0\0\0\0\x09"
#define NEVER "\0\0\0\0\0\0\0\0"
#define HEAD "Ldr1\0\0\0\0" EPOCH_9 EPOCH_5 NEVER
#define MARK EPOCH_5 NEVER NEVER EPOCH_9

static const struct larder_mark two_marks[] = {
    {.tag = {(const uint8_t *)"n/a", 3},
     .expired_epoch = LARDER_NEW_EPOCH,
     .stale_epoch = LARDER_UNSET,
     .expire_at_ms = LARDER_UNSET},
    {.tag = {(const uint8_t *)"n/b", 3},
     .expired_epoch = LARDER_NEW_EPOCH,
     .stale_epoch = LARDER_UNSET,
     .expire_at_ms = LARDER_UNSET},
};

/* ---- recorded exchanges, cut at every byte ----------------------------------------------------------------------- */

struct exchange {
    uint32_t code;
    struct op_inputs in;
    size_t n_replies;
    struct reply replies[MOST_REPLIES];
    int32_t status;
};

static size_t bytes_of_all(const struct exchange *e) {
    size_t n = 0;
    for (size_t i = 0; i < e->n_replies; i++)
        n += e->replies[i].len;
    return n;
}

/* Each on a driver of its own.  However little was heard, the op ends, and as what it is: not a miss, not a value. */
static void cut_everywhere(const struct exchange *e, void (*check)(const struct op *op)) {
    const size_t all = bytes_of_all(e);
    server_open();
    const size_t before = buf_live();
    for (size_t cut = 0; cut <= all; cut++) {
        driver_open();
        say(e->replies, e->n_replies, cut);
        const int32_t status = ask(e->code, &e->in);
        CU_ASSERT_EQUAL(status, cut < all ? LARDER_RETRY : e->status);
        if (status != (cut < all ? LARDER_RETRY : e->status))
            printf("cut behind byte %zu of %zu: status %d\n", cut, all, (int)status);
        if (cut == all && last)
            check(last);
        driver_close();
    }
    CU_ASSERT_EQUAL(buf_live(), before);
    server_close();
}

static void is_value(const struct op *op) {
    CU_ASSERT(op->result.value.len == 5 && memcmp(op->result.value.ptr, "value", 5) == 0);
    CU_ASSERT(op->result.epoch == 5 && op->result.modified_ms == 9);
}

static void is_plain(const struct op *op) {
    CU_ASSERT(op->result.value.len == 0 && op->n_marks == 0);
}

static void is_mark(const struct op *op) {
    CU_ASSERT_EQUAL_FATAL(op->n_marks, 1);
    CU_ASSERT(op->marks[0].expired_epoch == 5 && op->marks[0].stale_epoch == LARDER_UNSET);
}

static void is_epoch(const struct op *op) {
    CU_ASSERT_EQUAL(op->result.epoch, 9);
}

static void is_key(const struct op *op) {
    CU_ASSERT(op->n_keys == 1 && op->keys[0].len == 1 && op->result.cursor.len == 0);
}

static void a_get_that_is_cut_off_is_to_be_tried_again(void) {
    const struct exchange e = {.code = LARDER_OP_GET,
                               .in = {.key = BYTES("k")},
                               .n_replies = 2,
                               .replies = {REPLY("+OK\r\n"), REPLY("$37\r\n" HEAD "value\r\n")}};
    cut_everywhere(&e, is_value);
    const struct exchange miss = {.code = LARDER_OP_GET,
                                  .in = {.key = BYTES("k")},
                                  .n_replies = 2,
                                  .replies = {REPLY("+OK\r\n"), REPLY("$-1\r\n")},
                                  .status = LARDER_MISS};
    cut_everywhere(&miss, is_plain);
}

static void a_put_that_is_cut_off_is_to_be_tried_again(void) {
    struct larder_slice value;
    memset(buf_new(20000, &value), 'x', 20000);
    const struct exchange small = {
        .code = LARDER_OP_PUT,
        .in = {.key = BYTES("k")},
        .n_replies = 3,
        .replies = {REPLY("+OK\r\n"), REPLY("-NOSCRIPT No matching script.\r\n"), REPLY(":1\r\n")}};
    cut_everywhere(&small, is_plain);
    const struct exchange large = {.code = LARDER_OP_PUT,
                                   .in = {.key = BYTES("k"), .value = value, .ttl_ms = 1},
                                   .n_replies = 3,
                                   .replies = {REPLY("+OK\r\n"), REPLY("+OK\r\n"), REPLY(":1\r\n")}};
    cut_everywhere(&large, is_plain);
    buf_unref(value.owner);
}

static void a_read_that_is_cut_off_is_not_half_an_answer(void) {
    const struct exchange e = {.code = LARDER_OP_TAGS_READ,
                               .in = {.marks = two_marks, .n_marks = 2},
                               .n_replies = 2,
                               .replies = {REPLY("+OK\r\n"), REPLY("*2\r\n$32\r\n" MARK "\r\n$-1\r\n")}};
    cut_everywhere(&e, is_mark);
}

static void a_bump_that_is_cut_off_is_to_be_tried_again(void) {
    const struct exchange e = {
        .code = LARDER_OP_BUMP,
        .in = {.key = BYTES("n/epoch"), .marks = two_marks, .n_marks = 2},
        .n_replies = 3,
        .replies = {REPLY("+OK\r\n"), REPLY("-NOSCRIPT x\r\n"), REPLY("$8\r\n" EPOCH_9 "\r\n")}};
    cut_everywhere(&e, is_epoch);
}

static void a_bump_that_replicas_must_have_is_acknowledged_when_they_have_it(void) {
    static const struct {
        struct reply wait;
        int32_t status;
    } rows[] = {{REPLY(":1\r\n"), LARDER_OK},
                {REPLY(":2\r\n"), LARDER_OK},
                {REPLY(":0\r\n"), LARDER_RETRY},
                {REPLY("-NOPERM no permissions to run the 'wait' command\r\n"), LARDER_DENIED},
                {REPLY("-ERR unknown command 'WAIT'\r\n"), LARDER_UNSUPPORTED},
                {REPLY("+OK\r\n"), LARDER_RETRY}};
    wait_replicas = "1";
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct exchange e = {
            .code = LARDER_OP_BUMP,
            .in = {.key = BYTES("n/epoch"), .marks = two_marks, .n_marks = 2},
            .n_replies = 3,
            .replies = {REPLY("+OK\r\n"), REPLY("$8\r\n" EPOCH_9 "\r\n"), rows[i].wait},
            .status = rows[i].status};
        cut_everywhere(&e, rows[i].status == LARDER_OK ? is_epoch : is_plain);
    }
    wait_replicas = "0";
}

/* A look at a counter that is not there, on a server that allows no scripts: the longest of all. */
static void a_transaction_that_is_cut_off_is_to_be_tried_again(void) {
    const struct exchange e = {
        .code = LARDER_OP_ADVANCE,
        .in = {.key = BYTES("n/epoch"), .add = 1},
        .n_replies = 13,
        .replies = {REPLY("+OK\r\n"),
                    REPLY("-NOPERM User default has no permissions to run the 'evalsha' command\r\n"),
                    REPLY("+OK\r\n"), REPLY("+OK\r\n"), REPLY("$8\r\n" EPOCH_5 "\r\n"), REPLY("$-1\r\n"),
                    REPLY("$-1\r\n"), REPLY("+OK\r\n"), REPLY("+QUEUED\r\n"), REPLY("+QUEUED\r\n"),
                    REPLY("+QUEUED\r\n"), REPLY("*3\r\n:0\r\n+OK\r\n+OK\r\n")}};
    struct exchange all = e;
    all.n_replies = 12;
    server_open();
    const size_t n = bytes_of_all(&all);
    for (size_t cut = 0; cut <= n; cut++) {
        driver_open();
        say(all.replies, all.n_replies, cut);
        /* The second connection (for what blocks) is greeted as well: one server, one connection at a time. */
        CU_ASSERT_EQUAL(ask(all.code, &all.in), cut < n ? LARDER_RETRY : LARDER_OK);
        driver_close();
    }
    server_close();
}

static void a_list_that_is_cut_off_is_to_be_tried_again(void) {
    const struct exchange e = {.code = LARDER_OP_LIST,
                               .n_replies = 4,
                               .replies = {REPLY("+OK\r\n"), REPLY("$24\r\n\nrun_id:0123456789abcdef\r\n"),
                                           REPLY("*2\r\n$1\r\n0\r\n*2\r\n$7\r\np:e:{k}\r\n$1\r\nx\r\n"),
                                           REPLY("$32\r\n" HEAD "\r\n")}};
    cut_everywhere(&e, is_key);
}

/* ---- errors and nonsense ------------------------------------------------------------------------------------------ */

/* What a get is answered where the server says this to it. */
static int32_t get_answered(const char *text, const char **ret_detail) {
    const struct reply replies[] = {REPLY("+OK\r\n"), {text, strlen(text)}};
    static char detail[256];
    server_open();
    driver_open();
    say(replies, 2, SIZE_MAX);
    const int32_t status = ask(LARDER_OP_GET, &(struct op_inputs){.key = BYTES("k")});
    if (status == 99) { /* it waits for the rest, in vain */
        server_hang_up();
        settle(server.reactor);
        CU_ASSERT(last && last->result.status == LARDER_RETRY);
    }
    snprintf(detail, sizeof(detail), "%s", last ? last->result.detail : "");
    driver_close();
    server_close();
    *ret_detail = detail;
    return status;
}

static void an_error_of_the_server_has_its_class_and_its_words(void) {
    static const struct {
        const char *text;
        int32_t status;
    } errors[] = {{"-LOADING Redis is loading\r\n", LARDER_RETRY},
                  {"-READONLY You can't write\r\n", LARDER_RETRY},
                  {"-MISCONF unable to persist\r\n", LARDER_RETRY},
                  {"-BUSY running a script\r\n", LARDER_RETRY},
                  {"-MOVED 1 127.0.0.1:1\r\n", LARDER_RETRY},
                  {"-OOM command not allowed\r\n", LARDER_THROTTLED},
                  {"-NOAUTH Authentication required.\r\n", LARDER_DENIED},
                  {"-NOPERM this user\r\n", LARDER_DENIED},
                  {"-WRONGTYPE Operation\r\n", LARDER_CORRUPT},
                  {"-ERR something new\r\n", LARDER_INTERNAL}};
    const char *detail;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        CU_ASSERT_EQUAL(get_answered(errors[i].text, &detail), errors[i].status);
        CU_ASSERT(strncmp(detail, errors[i].text + 1, strlen(detail)) == 0 && strlen(detail) > 8);
    }
}

static void nonsense_is_no_answer(void) {
    static const char *const nonsense[] = {"HTTP/1.1 400 Bad Request\r\n\r\n",
                                           "$40\r\n",
                                           "%1\r\n",
                                           ":1\r\n",
                                           "+OK\r\n",
                                           "*1\r\n$1\r\na\r\n",
                                           "$99999999999\r\n"};
    const char *detail;
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        const int32_t status = get_answered(nonsense[i], &detail);
        CU_ASSERT_EQUAL(status, i == 1 ? 99 : LARDER_RETRY); /* half a reply: it waits for the rest */
    }
    CU_ASSERT_EQUAL(get_answered("$5\r\nvalue\r\n", &detail), LARDER_CORRUPT);
    CU_ASSERT_EQUAL(get_answered("$37\r\nXdr1\0\0\0\0"
                                 "\r\n",
                                 &detail),
                    99);
}

static void a_greeting_that_is_refused_is_told_to_whoever_asks(void) {
    static const struct {
        const char *auth;
        int32_t status;
    } greetings[] = {{"-WRONGPASS invalid username-password pair\r\n", LARDER_DENIED},
                     {"-ERR AUTH <password> called without any password configured\r\n", LARDER_DENIED},
                     {"-LOADING Redis is loading\r\n", LARDER_RETRY}};
    for (size_t i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++) {
        const struct reply replies[] = {{greetings[i].auth, strlen(greetings[i].auth)}};
        server_open();
        driver_open();
        config.password = "secret";
        say(replies, 1, SIZE_MAX);
        CU_ASSERT_EQUAL(ask(LARDER_OP_GET, &(struct op_inputs){.key = BYTES("k")}), greetings[i].status);
        CU_ASSERT(last && strstr(last->result.detail, "AUTH: ") && !strstr(last->result.detail, "secret"));
        driver_close();
        server_close();
    }
}

static void a_name_that_may_not_be_given_is_no_reason_not_to_connect(void) {
    static const struct reply replies[] = {REPLY("-NOPERM this user\r\n"), REPLY("$-1\r\n")};
    server_open();
    driver_open();
    say(replies, 2, SIZE_MAX);
    CU_ASSERT_EQUAL(ask(LARDER_OP_GET, &(struct op_inputs){.key = BYTES("k")}), LARDER_MISS);
    driver_close();
    server_close();
}

static void what_the_server_says_unasked_ends_the_connection(void) {
    static const struct reply replies[] = {REPLY("+OK\r\n"),
                                           REPLY("$-1\r\n-ERR max number of clients reached\r\n"),
                                           REPLY("+OK\r\n"), REPLY("$-1\r\n")};
    server_open();
    driver_open();
    say(replies, 4, SIZE_MAX);
    CU_ASSERT_EQUAL(ask(LARDER_OP_GET, &(struct op_inputs){.key = BYTES("k")}), LARDER_MISS);
    pass_ms(server.reactor, 3000); /* it lasted too short to be made again at once */
    CU_ASSERT_EQUAL(ask(LARDER_OP_GET, &(struct op_inputs){.key = BYTES("k")}), LARDER_MISS);
    CU_ASSERT_EQUAL(server.connections, 2);
    driver_close();
    server_close();
}

/* ---- time ----------------------------------------------------------------------------------------------------------- */

static void a_server_that_says_nothing_is_given_up_after_its_time(void) {
    static const struct reply replies[] = {REPLY("+OK\r\n")};
    server_open();
    driver_open();
    say(replies, 1, SIZE_MAX);
    CU_ASSERT_EQUAL(ask(LARDER_OP_GET, &(struct op_inputs){.key = BYTES("k")}), 99);
    pass_ms(server.reactor, 4999);
    CU_ASSERT(last == NULL);
    pass_ms(server.reactor, 2);
    CU_ASSERT(last && last->result.status == LARDER_RETRY);
    driver_close();
    server_close();
}

static void a_server_that_does_not_greet_is_given_up_after_its_time(void) {
    server_open();
    driver_open();
    say(NULL, 0, SIZE_MAX);
    CU_ASSERT_EQUAL(ask(LARDER_OP_GET, &(struct op_inputs){.key = BYTES("k")}), 99);
    pass_ms(server.reactor, 1001);
    CU_ASSERT(last && last->result.status == LARDER_RETRY);
    driver_close();
    server_close();
}

/* A reply that comes late is that of the op that asked, and no other's. */
static void a_late_reply_is_not_taken_for_the_next(void) {
    static const struct reply replies[] = {REPLY("+OK\r\n")};
    static const struct reply late = REPLY("$37\r\n" HEAD "value\r\n"), next = REPLY("$-1\r\n");
    server_open();
    driver_open();
    say(replies, 1, SIZE_MAX);
    const uint64_t deadline_ns = reactor_now_ns(server.reactor) + 1000000;
    struct op *first = op_new(server.reactor, LARDER_OP_GET, &(struct op_inputs){.key = BYTES("k")},
                              deadline_ns, keep, NULL);
    backend_call(backend, first);
    settle(server.reactor);
    pass_ms(server.reactor, 100);
    CU_ASSERT(last == NULL);
    struct op *second = op_new(server.reactor, LARDER_OP_GET, &(struct op_inputs){.key = BYTES("l")},
                               UINT64_MAX, keep, NULL);
    backend_call(backend, second);
    settle(server.reactor);
    server_say(&late);
    settle(server.reactor);
    CU_ASSERT_FATAL(last == first);
    CU_ASSERT(last->result.status == LARDER_OK && last->result.value.len == 5);
    last = op_free(last);
    server_say(&next);
    settle(server.reactor);
    CU_ASSERT(last == second && last->result.status == LARDER_MISS && server.connections == 1);
    driver_close();
    server_close();
}

/* At once with the reason, until it is time for the next attempt. */
static void while_a_server_is_gone_ops_do_not_wait(void) {
    static const struct reply replies[] = {REPLY("+OK\r\n"), REPLY("$-1\r\n")};
    const struct op_inputs get = {.key = BYTES("k")};
    server_open();
    driver_open();
    say(NULL, 0, 0);
    CU_ASSERT_EQUAL(ask(LARDER_OP_GET, &get), LARDER_RETRY);
    CU_ASSERT_EQUAL(server.connections, 1);
    CU_ASSERT_EQUAL(ask(LARDER_OP_GET, &get), LARDER_RETRY);
    CU_ASSERT_EQUAL(server.connections, 1);
    pass_ms(server.reactor, 51);
    say(replies, 2, SIZE_MAX);
    CU_ASSERT_EQUAL(ask(LARDER_OP_GET, &get), LARDER_MISS);
    CU_ASSERT_EQUAL(server.connections, 2);
    driver_close();
    server_close();
}

/* ---- news ----------------------------------------------------------------------------------------------------------- */

#define NEWS(body, len) "*3\r\n$7\r\nmessage\r\n$6\r\np:news\r\n$" #len "\r\n" body "\r\n"
#define NEWS_MARK(tag) "\0\0\0\x03" tag EPOCH_5 NEVER NEVER

static unsigned n_seen;
static char seen_tags[64];

static void on_seen(struct mark_sink *sink, const struct larder_mark *mark) {
    (void)sink;
    n_seen++;
    CU_ASSERT(mark->tag.len == 3 && mark->expired_epoch == 5 && mark->stale_epoch == LARDER_UNSET);
    memcpy(seen_tags + 3 * (n_seen - 1), mark->tag.ptr, 3);
}

/* The connection that is made when the driver is opened; what else it is asked for would be another one. */
static void news_are_passed_on_and_nonsense_is_not(void) {
    static const struct reply replies[] = {REPLY("+OK\r\n"),
                                           REPLY("*3\r\n$9\r\nsubscribe\r\n$6\r\np:news\r\n:1\r\n")};
    static const struct reply good = REPLY(NEWS("M1" NEWS_MARK("n/a") NEWS_MARK("n/b"), 64)),
                              cut = REPLY(NEWS("M1" NEWS_MARK("n/c") "\0\0\0\x03n/d", 40)),
                              later = REPLY(NEWS("M2" NEWS_MARK("n/e"), 33)),
                              huge = REPLY(NEWS("M1\xff\xff\xff\xffn/f", 9));
    static struct mark_sink sink = {.seen = on_seen};
    n_seen = 0;
    memset(seen_tags, 0, sizeof(seen_tags));
    server_open();
    driver_open();
    config.push = 1;
    backend->sink = &sink;
    say(replies, 2, SIZE_MAX);
    CU_ASSERT_EQUAL(backend_open(backend), LARDER_OK);
    settle(server.reactor);
    CU_ASSERT_EQUAL_FATAL(server.commands, 2);
    server_say(&good);
    server_say(&later);
    server_say(&huge);
    server_say(&cut);
    settle(server.reactor);
    CU_ASSERT_EQUAL(n_seen, 3);
    CU_ASSERT_STRING_EQUAL(seen_tags, "n/an/bn/c");
    CU_ASSERT_EQUAL(server.connections, 1);
    /* It subscribes again when the connection is lost. */
    server_hang_up();
    say(replies, 2, SIZE_MAX);
    settle(server.reactor);
    pass_ms(server.reactor, 200);
    CU_ASSERT_EQUAL(server.connections, 2);
    server_say(&good);
    settle(server.reactor);
    CU_ASSERT_EQUAL(n_seen, 5);
    driver_close();
    server_close();
}

UNIT_MAIN("redis exchanges", UNIT(a_get_that_is_cut_off_is_to_be_tried_again),
          UNIT(a_put_that_is_cut_off_is_to_be_tried_again),
          UNIT(a_read_that_is_cut_off_is_not_half_an_answer),
          UNIT(a_bump_that_is_cut_off_is_to_be_tried_again),
          UNIT(a_bump_that_replicas_must_have_is_acknowledged_when_they_have_it),
          UNIT(a_transaction_that_is_cut_off_is_to_be_tried_again),
          UNIT(a_list_that_is_cut_off_is_to_be_tried_again),
          UNIT(an_error_of_the_server_has_its_class_and_its_words), UNIT(nonsense_is_no_answer),
          UNIT(a_greeting_that_is_refused_is_told_to_whoever_asks),
          UNIT(a_name_that_may_not_be_given_is_no_reason_not_to_connect),
          UNIT(what_the_server_says_unasked_ends_the_connection),
          UNIT(a_server_that_says_nothing_is_given_up_after_its_time),
          UNIT(a_server_that_does_not_greet_is_given_up_after_its_time),
          UNIT(a_late_reply_is_not_taken_for_the_next), UNIT(while_a_server_is_gone_ops_do_not_wait),
          UNIT(news_are_passed_on_and_nonsense_is_not))
