#include "rig.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../mc.h"
#include "unit.h"

/* ---- the server ----------------------------------------------------------------------------------- */

enum { MOST_CONNECTIONS = 32, LINE = 8192, MOST_DATA = 1 << 16 };

struct connection {
    int fd;
    size_t have;
    char bytes[LINE + MOST_DATA];
};

static struct {
    char folder[64], path[96];
    int listening, ending[2];
    pthread_t thread;
    answer_fn *fn;
    atomic_uint connections, lines;
    pthread_mutex_t lock; /* of last */
    char last[MOST_DATA];
    size_t last_len;
    struct connection open[MOST_CONNECTIONS];
} server = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct reply say(const char *text) {
    static _Thread_local char line[1024];
    int len = snprintf(line, sizeof(line), "%s\r\n", text);
    return (struct reply){line, (size_t)len, false};
}

struct reply say_value(const char *key, const void *item, size_t len) {
    static _Thread_local char text[LINE];
    int at = snprintf(text, sizeof(text), "VALUE %s 0 %zu 77\r\n", key, len);
    memcpy(text + at, item, len);
    memcpy(text + (size_t)at + len, "\r\nEND\r\n", 7);
    return (struct reply){text, (size_t)at + len + 7, false};
}

struct reply silence(void) {
    return (struct reply){NULL, 0, false};
}

struct reply hang_up(void) {
    return (struct reply){NULL, 0, true};
}

/* The n-th word of a line, counted from 0; empty where it has none. */
static void word(const char *line, unsigned n, char *to, size_t size) {
    for (; n > 0; n--) {
        line += strcspn(line, " ");
        line += strspn(line, " ");
    }
    snprintf(to, size, "%.*s", (int)strcspn(line, " "), line);
}

/* The length of the data that follow a line; (size_t)-1: none. */
static size_t data_of(const char *line) {
    char len[32];
    if (strncmp(line, "set ", 4) != 0 && strncmp(line, "add ", 4) != 0 && strncmp(line, "cas ", 4) != 0)
        return (size_t)-1;
    word(line, 4, len, sizeof(len));
    return (size_t)strtoull(len, NULL, 10);
}

static void drop(struct connection *c) {
    close(c->fd);
    c->fd = -1;
    c->have = 0;
}

static void write_all(int fd, const char *bytes, size_t len) {
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        bytes += n;
        len -= (size_t)n;
    }
}

/* One command, if all of it is there. */
static bool serve(struct connection *c) {
    char line[LINE], key[300];
    char *end = memmem(c->bytes, c->have, "\r\n", 2);
    if (!end || (size_t)(end - c->bytes) >= sizeof(line))
        return false;
    size_t line_len = (size_t)(end - c->bytes), used = line_len + 2;
    memcpy(line, c->bytes, line_len);
    line[line_len] = 0;
    size_t data_len = data_of(line);
    if (data_len != (size_t)-1) {
        if (c->have < used + data_len + 2)
            return false;
        pthread_mutex_lock(&server.lock);
        server.last_len = data_len;
        memcpy(server.last, c->bytes + used, data_len);
        pthread_mutex_unlock(&server.lock);
        used += data_len + 2;
    }
    if (strcmp(line, "quit") == 0) {
        drop(c);
        return false;
    }
    atomic_fetch_add(&server.lines, 1);
    word(line, 1, key, sizeof(key));
    struct reply reply = server.fn(line, key, c->bytes + line_len + 2, data_len);
    if (reply.bytes)
        write_all(c->fd, reply.bytes, reply.len);
    if (reply.closes) {
        drop(c);
        return false;
    }
    memmove(c->bytes, c->bytes + used, c->have - used);
    c->have -= used;
    return true;
}

static void take(struct connection *c) {
    ssize_t n = recv(c->fd, c->bytes + c->have, sizeof(c->bytes) - c->have, 0);
    if (n <= 0) {
        drop(c);
        return;
    }
    c->have += (size_t)n;
    while (serve(c))
        ;
}

static void welcome(void) {
    int fd = accept(server.listening, NULL, NULL);
    atomic_fetch_add(&server.connections, 1);
    for (size_t i = 0; i < MOST_CONNECTIONS; i++)
        if (server.open[i].fd < 0) {
            server.open[i].fd = fd;
            return;
        }
    close(fd);
}

static void *run(void *arg) {
    (void)arg;
    for (;;) {
        struct pollfd fds[MOST_CONNECTIONS + 2] = {{server.ending[0], POLLIN, 0},
                                                   {server.listening, POLLIN, 0}};
        for (size_t i = 0; i < MOST_CONNECTIONS; i++)
            fds[i + 2] = (struct pollfd){server.open[i].fd, POLLIN, 0};
        poll(fds, MOST_CONNECTIONS + 2, -1);
        if (fds[0].revents)
            return NULL;
        for (size_t i = 0; i < MOST_CONNECTIONS; i++)
            if (server.open[i].fd >= 0 && fds[i + 2].revents)
                take(&server.open[i]);
        if (fds[1].revents)
            welcome();
    }
}

void server_start(answer_fn *fn) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(server.folder, sizeof(server.folder), "/tmp/larder-mc-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(server.folder));
    snprintf(server.path, sizeof(server.path), "%s/s", server.folder);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", server.path);
    server.listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(bind(server.listening, (struct sockaddr *)&address, sizeof(address)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(server.listening, 64), 0);
    CU_ASSERT_EQUAL_FATAL(pipe(server.ending), 0);
    for (size_t i = 0; i < MOST_CONNECTIONS; i++)
        server.open[i] = (struct connection){.fd = -1};
    server.fn = fn;
    atomic_store(&server.connections, 0);
    atomic_store(&server.lines, 0);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&server.thread, NULL, run, NULL), 0);
}

void server_stop(void) {
    CU_ASSERT_EQUAL(write(server.ending[1], "x", 1), 1);
    pthread_join(server.thread, NULL);
    for (size_t i = 0; i < MOST_CONNECTIONS; i++)
        if (server.open[i].fd >= 0)
            drop(&server.open[i]);
    close(server.ending[0]);
    close(server.ending[1]);
    close(server.listening);
    unlink(server.path);
    rmdir(server.folder);
}

unsigned server_connections(void) {
    return atomic_load(&server.connections);
}

unsigned server_lines(void) {
    return atomic_load(&server.lines);
}

size_t server_last(void *to, size_t size) {
    pthread_mutex_lock(&server.lock);
    size_t len = server.last_len < size ? server.last_len : size;
    memcpy(to, server.last, len);
    pthread_mutex_unlock(&server.lock);
    return len;
}

/* ---- the host --------------------------------------------------------------------------------------- */

struct larder_buf {
    atomic_uint refs;
    larder_fn *release;
    void *arg;
    uint8_t bytes[];
};

static atomic_uint logged;
static struct answered *answering;

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint8_t *buf_new(size_t len, struct larder_slice *out) {
    struct larder_buf *b = calloc(1, sizeof(*b) + len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    atomic_init(&b->refs, 1);
    *out = (struct larder_slice){b->bytes, len, b};
    return b->bytes;
}

static int32_t buf_wrap(const void *ptr, size_t len, larder_fn *release, void *arg,
                        struct larder_slice *out) {
    buf_new(0, out);
    out->owner->release = release;
    out->owner->arg = arg;
    out->ptr = ptr;
    out->len = len;
    return LARDER_OK;
}

static void buf_unref(struct larder_buf *b) {
    if (!b || atomic_fetch_sub(&b->refs, 1) != 1)
        return;
    if (b->release)
        b->release(b->arg);
    free(b);
}

static void host_log(struct larder_home *home, int32_t level, const char *line) {
    (void)home;
    (void)level;
    (void)line;
    atomic_fetch_add(&logged, 1);
}

static int32_t emit_mark(struct larder_op *op, const struct larder_mark *mark) {
    (void)op;
    answering->n_marks++;
    answering->epoch = mark->expired_epoch;
    return LARDER_OK;
}

static int32_t emit_text(struct larder_op *op, struct larder_bytes text) {
    (void)op;
    snprintf(answering->detail, sizeof(answering->detail), "%.*s", (int)text.len, (const char *)text.ptr);
    return LARDER_OK;
}

static void host_complete(struct larder_op *op, const struct larder_result *res) {
    (void)op;
    answering->status = res->status;
    if (res->status == LARDER_OK && res->epoch != 0)
        answering->epoch = res->epoch;
    answering->modified_ms = res->modified_ms;
    answering->len = res->value.len;
    if (res->value.len > 0 && res->value.len <= sizeof(answering->value))
        memcpy(answering->value, res->value.ptr, res->value.len);
    if (res->detail)
        snprintf(answering->detail, sizeof(answering->detail), "%s", res->detail);
    CU_ASSERT(res->status == LARDER_OK || res->value.owner == NULL);
    CU_ASSERT(res->status >= 0 || res->detail != NULL);
    buf_unref(res->value.owner);
}

static const struct larder_host host = {.size = sizeof(host),
                                        .abi = LARDER_ABI,
                                        .complete = host_complete,
                                        .emit_mark = emit_mark,
                                        .emit_text = emit_text,
                                        .buf_new = buf_new,
                                        .buf_wrap = buf_wrap,
                                        .buf_unref = buf_unref,
                                        .now_ns = now_ns,
                                        .log = host_log};

unsigned host_logged(void) {
    return atomic_load(&logged);
}

/* ---- the driver -------------------------------------------------------------------------------------- */

static const struct larder_driver *driver;
static void *instance;
static struct mc_config config;

static long or_else(long given, long preset) {
    return given > 0 ? given : preset;
}

void driver_open(struct settings settings) {
    static char url[128];
    struct larder_info info = {.size = sizeof(info)};
    char error[LARDER_ERROR_SIZE] = "";
    snprintf(url, sizeof(url), "memcached://%s", server.path);
    driver = larder_driver_v1();
    config = (struct mc_config){.url = settings.url ? settings.url : url,
                                .prefix = "t",
                                .username = "",
                                .password = "",
                                .chunk_bytes = or_else(settings.chunk_bytes, 1023 << 10),
                                .timeout_ms = or_else(settings.timeout_ms, 1000),
                                .failures = 3,
                                .probe_interval_ms = or_else(settings.probe_interval_ms, 3600000),
                                .lanes = 1};
    atomic_store(&logged, 0);
    CU_ASSERT_EQUAL_FATAL(driver->open(&host, NULL, &config, &info, &instance, error), LARDER_OK);
}

void driver_close(void) {
    driver->close(instance);
}

static larder_op_fn *function_of(uint32_t code) {
    switch (code) {
    case LARDER_OP_GET: return driver->cache->get;
    case LARDER_OP_PUT: return driver->cache->put;
    case LARDER_OP_REMOVE: return driver->cache->remove;
    case LARDER_OP_CLAIM: return driver->cache->claim;
    case LARDER_OP_RELEASE: return driver->cache->release;
    case LARDER_OP_TAGS_READ: return driver->tags->read;
    case LARDER_OP_TAGS_WRITE: return driver->tags->write;
    case LARDER_OP_ADVANCE: return driver->tags->advance;
    case LARDER_OP_EXPLAIN: return driver->explain;
    default: return driver->ping;
    }
}

struct answered ask(uint32_t code, struct asked asked) {
    struct answered got = {.status = 99};
    uint64_t begin = now_ns();
    struct larder_mark mark = {.tag = {(const uint8_t *)asked.key, strlen(asked.key)},
                               .expired_epoch = asked.epoch,
                               .stale_epoch = LARDER_UNSET,
                               .expire_at_ms = LARDER_UNSET};
    struct larder_op op = {.size = sizeof(op),
                           .code = code,
                           .id = 1,
                           .deadline_ns = begin +
                                          (uint64_t)((asked.within_ms ? asked.within_ms : 5000) * 1000000),
                           .now_ms = INT64_C(1700000000000),
                           .flags = asked.flags,
                           .key = mark.tag,
                           .epoch = asked.epoch,
                           .add = asked.add,
                           .marks = &mark,
                           .n_marks = 1};
    if (asked.value) {
        op.value.ptr = (const uint8_t *)asked.value;
        op.value.len = asked.value_len ? asked.value_len : strlen(asked.value);
    }
    answering = &got;
    function_of(code)(instance, &op);
    return got;
}
