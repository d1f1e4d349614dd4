/*
 * The skeleton of an event-driven driver: an incremental cache behind a socket.  Every function here
 * runs on the core's I/O thread and none of them waits; so there is no lock, and no thread.
 *
 * An op is queued, written when the socket takes it, and completed when its reply has come.  Replies
 * come in order, so the first op that was written is the one that a reply belongs to.  Replace the
 * protocol (wire.h) by your store's, and the frame stays.
 */
#include <errno.h>
#include <larder/driver.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire.h"

/* What one event may move: the next op waits no longer for this one than a copy of that takes. */
enum { BYTES_AT_ONCE = 256 << 10 };

struct config {
    const char *path;
    int64_t timeout_ms;
};

struct queue { /* of ops, linked by scratch[0] */
    struct larder_op *first, *last;
};

struct skeleton { /* an instance */
    const struct larder_host *host;
    struct larder_home *home;
    const struct config *config;
    struct larder_timer *timer; /* due when the server has been silent for too long */
    int fd;                     /* -1: not connected */
    struct larder_watch *watch; /* of fd */
    struct queue queued;        /* not, or not wholly, written */
    struct queue written;       /* the reply of the first one is the next to come */
    size_t n_written;           /* bytes of the first of `queued` */
    struct reply reply;         /* that is coming in */
    size_t n_read;              /* bytes of it and of its value */
    struct larder_slice value;  /* of it: one reference ... */
    uint8_t *value_bytes;       /* ... and where to write it */
};

/* ---- queues; scratch[] is the driver's own for the life of an op -------------------------------- */

static struct larder_op *next_of(const struct larder_op *op) {
    return op->scratch[0];
}

static void queue_add(struct queue *q, struct larder_op *op) {
    op->scratch[0] = NULL;
    if (q->last)
        q->last->scratch[0] = op;
    else
        q->first = op;
    q->last = op;
}

/* before NULL: op is the first. */
static void queue_unlink(struct queue *q, struct larder_op *before, struct larder_op *op) {
    if (before)
        before->scratch[0] = next_of(op);
    else
        q->first = next_of(op);
    if (q->last == op)
        q->last = before;
}

static struct larder_op *queue_take(struct queue *q) {
    struct larder_op *op = q->first;
    if (op)
        queue_unlink(q, NULL, op);
    return op;
}

static void answer(struct skeleton *s, struct larder_op *op, int32_t status, const char *detail) {
    s->host->complete(op, &(struct larder_result){
                              .size = sizeof(struct larder_result), .status = status, .detail = detail});
}

/* ---- the connection --------------------------------------------------------------------------- */

/* Something has moved.  There is no timer per op: the core answers its own caller on time, whatever the
 * driver does.  This one is for a server that never answers, so that each op is completed at last. */
static void set_timer(struct skeleton *s) {
    const uint64_t timeout_ns = (uint64_t)s->config->timeout_ms * 1000000;
    const bool waiting = s->queued.first || s->written.first;
    s->host->timer_set(s->timer, waiting ? s->host->now_ns() + timeout_ns : UINT64_MAX);
}

static void hang_up(struct skeleton *s) {
    if (s->watch)
        s->host->unwatch(s->watch); /* before the descriptor is closed */
    if (s->fd >= 0)
        close(s->fd);
    s->host->buf_unref(s->value.owner);
    s->watch = NULL;
    s->fd = -1;
    s->value = (struct larder_slice){0};
    s->n_written = s->n_read = 0;
}

/* Every op that the driver has is answered: none may be forgotten.  Whether a put has happened nobody
 * knows; every op may be repeated, so LARDER_RETRY is the truth.  The next op connects again. */
static void lose(struct skeleton *s, const char *why) {
    struct larder_op *op;
    hang_up(s);
    while ((op = queue_take(&s->written)) || (op = queue_take(&s->queued)))
        answer(s, op, LARDER_RETRY, why);
    set_timer(s);
}

static void on_silence(void *arg) {
    lose(arg, "the server is silent");
}

static bool would_block(void) {
    return errno == EAGAIN || errno == EINTR || errno == EINPROGRESS;
}

/* ---- writing ------------------------------------------------------------------------------------ */

/* The part of a message from `at` on; a part that was written is empty. */
static struct iovec rest(const void *ptr, size_t len, size_t *at) {
    size_t skip = *at < len ? *at : len;
    *at -= skip;
    return (struct iovec){(uint8_t *)(uintptr_t)ptr + skip, len - skip};
}

/* As much as the socket takes.  Key and value are written from where the op has them: they stay
 * until it is completed. */
static void write_some(struct skeleton *s) {
    size_t total = 0;
    while (s->queued.first && total < BYTES_AT_ONCE) {
        struct larder_op *op = s->queued.first;
        const struct request r = {(uintptr_t)op->scratch[1], op->key.len, op->value.len, op->modified_ms,
                                  op->epoch};
        size_t at = s->n_written;
        struct iovec parts[] = {rest(&r, sizeof(r), &at), rest(op->key.ptr, op->key.len, &at),
                                rest(op->value.ptr, op->value.len, &at)};
        const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
        ssize_t n = sendmsg(s->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && would_block())
            break;
        if (n < 0) {
            lose(s, "the connection broke");
            return;
        }
        total += (size_t)n;
        s->n_written += (size_t)n;
        if (s->n_written < sizeof(r) + op->key.len + op->value.len)
            continue;
        s->n_written = 0;
        queue_add(&s->written, queue_take(&s->queued));
    }
    if (total > 0)
        set_timer(s);
    /* LARDER_WRITE while something waits for room, and no longer: a socket nearly always has room. */
    if (s->host->rewatch(s->watch, LARDER_READ | (s->queued.first ? LARDER_WRITE : 0)) != LARDER_OK)
        lose(s, "out of memory");
}

/* ---- reading ------------------------------------------------------------------------------------ */

/* The reply and its value are there. */
static void finish(struct skeleton *s) {
    const struct larder_result res = {.size = sizeof(res),
                                      .status = (int32_t)s->reply.status,
                                      .value = s->value, /* the reference goes to the core */
                                      .modified_ms = s->reply.modified_ms,
                                      .epoch = s->reply.epoch};
    s->value = (struct larder_slice){0};
    s->n_read = 0;
    s->host->complete(queue_take(&s->written), &res);
}

/* What the server says is not believed: lengths are checked, and so is that somebody has asked. */
static const char *reply_is_wrong(const struct skeleton *s) {
    bool ok = s->reply.status == LARDER_OK;
    if (!s->written.first || (!ok && s->reply.status != LARDER_MISS))
        return "the server sent what nobody asked for";
    return s->reply.value_len > (ok ? LARGEST_VALUE : 0) ? "the server sent a value that is too large" : NULL;
}

static void read_some(struct skeleton *s) {
    const size_t head = sizeof(s->reply);
    for (size_t total = 0; s->fd >= 0 && total < BYTES_AT_ONCE;) {
        uint8_t *to = s->n_read < head ? (uint8_t *)&s->reply + s->n_read
                                       : s->value_bytes + (s->n_read - head);
        size_t want = (s->n_read < head ? head : head + s->value.len) - s->n_read;
        ssize_t n = recv(s->fd, to, want < BYTES_AT_ONCE ? want : BYTES_AT_ONCE, MSG_DONTWAIT);
        if (n < 0 && would_block())
            return;
        if (n <= 0) {
            lose(s, n == 0 ? "the server hung up" : "the connection broke");
            return;
        }
        total += (size_t)n;
        s->n_read += (size_t)n;
        if (s->n_read == head) {
            const char *wrong = reply_is_wrong(s);
            if (!wrong && s->reply.value_len > 0) {
                s->value_bytes = s->host->buf_new(s->reply.value_len, &s->value);
                wrong = s->value_bytes ? NULL : "out of memory";
            }
            if (wrong) {
                lose(s, wrong);
                return;
            }
        }
        if (s->n_read >= head && s->n_read == head + s->value.len)
            finish(s);
        set_timer(s);
    }
}

static void on_ready(void *arg, int fd, uint32_t events) {
    struct skeleton *s = arg;
    (void)fd;
    if (events & LARDER_READ)
        read_some(s);
    if (s->fd >= 0 && (events & LARDER_WRITE))
        write_some(s);
}

/* ---- ops ------------------------------------------------------------------------------------------ */

static void connect_to_server(struct skeleton *s) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", s->config->path);
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* EINPROGRESS: over TCP.  The first write tells whether it has worked. */
    if (s->fd < 0 ||
        (connect(s->fd, (const struct sockaddr *)&address, sizeof(address)) != 0 && errno != EINPROGRESS)) {
        lose(s, "the server cannot be reached");
        return;
    }
    s->watch = s->host->watch(s->home, s->fd, LARDER_READ, on_ready, s);
    if (!s->watch)
        lose(s, "out of memory");
}

/* The burst of calls is over: what they have gathered is sent. */
static void skeleton_flush(void *instance) {
    struct skeleton *s = instance;
    if (s->queued.first && s->fd < 0)
        connect_to_server(s);
    if (s->queued.first && s->fd >= 0)
        write_some(s);
}

static void enqueue(struct skeleton *s, struct larder_op *op, uint32_t known_flags, enum verb verb) {
    if ((op->flags & ~known_flags) != 0) {
        answer(s, op, LARDER_UNSUPPORTED, NULL);
    } else if (op->key.len > LARGEST_KEY || op->value.len > LARGEST_VALUE) {
        answer(s, op, LARDER_TOO_BIG, NULL);
    } else if (op->deadline_ns <= s->host->now_ns()) {
        answer(s, op, LARDER_DEADLINE, NULL);
    } else {
        const bool was_idle = !s->queued.first && !s->written.first;
        op->scratch[1] = (void *)(uintptr_t)verb;
        queue_add(&s->queued, op);
        if (was_idle)
            set_timer(s);
    }
}

static void skeleton_get(void *instance, struct larder_op *op) {
    enqueue(instance, op, 0, VERB_GET);
}

static void skeleton_put(void *instance, struct larder_op *op) {
    enqueue(instance, op, LARDER_IF_ABSENT, op->flags & LARDER_IF_ABSENT ? VERB_PUT_IF_ABSENT : VERB_PUT);
}

static void skeleton_remove(void *instance, struct larder_op *op) {
    enqueue(instance, op, 0, VERB_REMOVE);
}

static void skeleton_ping(void *instance, struct larder_op *op) {
    enqueue(instance, op, 0, VERB_PING);
}

/* Cheap only for an op of which nothing was written.  For the others the reply must come first. */
static void skeleton_cancel(void *instance, struct larder_op *op) {
    struct skeleton *s = instance;
    struct larder_op *before = NULL, *at = s->queued.first;
    while (at && at != op) {
        before = at;
        at = next_of(at);
    }
    if (!at || (!before && s->n_written > 0))
        return;
    queue_unlink(&s->queued, before, op);
    answer(s, op, LARDER_CANCELLED, NULL);
}

/* ---- the driver ------------------------------------------------------------------------------------- */

static int32_t skeleton_open(const struct larder_host *host, struct larder_home *home, const void *config,
                             struct larder_info *info, void **instance, char *error) {
    const struct config *settings = config;
    struct skeleton *s = calloc(1, sizeof(*s));
    if (!s || !(s->timer = host->timer(home, on_silence, s))) {
        snprintf(error, LARDER_ERROR_SIZE, "out of memory");
        free(s);
        return LARDER_NOMEM;
    }
    if (settings->path[0] == '\0' || strlen(settings->path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
        snprintf(error, LARDER_ERROR_SIZE, "the path of a socket has 1 to 107 bytes");
        host->timer_free(s->timer);
        free(s);
        return LARDER_INVALID;
    }
    s->host = host;
    s->home = home;
    s->config = settings;
    s->fd = -1;
    info->traits = LARDER_SHARED | LARDER_PERSISTENT; /* both are the server's doing */
    info->max_key = LARGEST_KEY;
    info->max_value = LARGEST_VALUE;
    *instance = s;
    return LARDER_OK;
}

static void skeleton_close(void *instance) {
    struct skeleton *s = instance;
    hang_up(s);
    s->host->timer_free(s->timer);
    free(s);
}

static const struct larder_param params[] = {
    {.name = "url",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct config, path),
     .help = "the server's socket"},
    {.name = "timeout",
     .type = LARDER_P_MS,
     .offset = LARDER_AT(struct config, timeout_ms),
     .preset = "5s",
     .min = 1,
     .max = 3600000,
     .help = "a server that is silent for longer is given up"},
};

static const struct larder_cache_ops cache_ops = {
    .size = sizeof(cache_ops),
    .get = skeleton_get,
    .put = skeleton_put,
    .remove = skeleton_remove,
};

static const struct larder_driver skeleton_driver = {
    .size = sizeof(skeleton_driver),
    .abi = LARDER_ABI,
    .name = "skeleton",
    .version = "0.1.0",
    .summary = "an incremental cache behind a socket",
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .param_size = sizeof(params[0]),
    .config_size = sizeof(struct config),
    .cache = &cache_ops,
    .open = skeleton_open,
    .close = skeleton_close,
    .ping = skeleton_ping,
    .cancel = skeleton_cancel,
    .flush = skeleton_flush,
};

LARDER_EXPORT_DRIVER(skeleton_driver);
