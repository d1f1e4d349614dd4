/*
 * libcurl forgets a socket at the end of each transfer and asks for it again at the beginning of the
 * next one.  As epoll_ctl() is a system call, a socket of ours stays watched for reading in between: a
 * connection that is used again and again costs none.  One that becomes readable while nobody uses it
 * (the server has hung up) is no longer watched until it is used or closed.
 */
#include "aws_loop.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct aws_socket {
    struct aws_socket *next;
    struct aws_loop *loop;
    struct larder_watch *watch;
    int fd;
    bool ours;       /* opened here: we are told when it is closed */
    uint32_t wanted; /* by libcurl; 0: it does not use it */
    uint32_t watched;
};

static struct aws_socket **slot_of(struct aws_loop *loop, int fd) {
    struct aws_socket **at = &loop->sockets[(unsigned)fd % AWS_LOOP_BUCKETS];
    while (*at && (*at)->fd != fd)
        at = &(*at)->next;
    return at;
}

static void want(struct aws_socket *s, uint32_t events) {
    if (events != s->watched && s->loop->host->rewatch(s->watch, events) == LARDER_OK)
        s->watched = events; /* else the transfer goes on only when its time is up: it ends all the same */
}

static void on_event(void *arg, int fd, uint32_t events) {
    struct aws_socket *s = arg;
    struct aws_loop *loop = s->loop;
    int running;
    if (s->wanted == 0) {
        want(s, 0);
        return;
    }
    const int action = (events & LARDER_READ ? CURL_CSELECT_IN : 0) |
                       (events & LARDER_WRITE ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(loop->multi, fd, action, &running); /* s may be gone */
    loop->moved(loop->arg);
}

static struct aws_socket *socket_add(struct aws_loop *loop, int fd, bool ours) {
    struct aws_socket *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    *s = (struct aws_socket){.loop = loop, .fd = fd, .ours = ours, .watched = LARDER_READ};
    s->watch = loop->host->watch(loop->home, fd, LARDER_READ, on_event, s);
    if (!s->watch) {
        free(s);
        return NULL;
    }
    s->next = loop->sockets[(unsigned)fd % AWS_LOOP_BUCKETS];
    return loop->sockets[(unsigned)fd % AWS_LOOP_BUCKETS] = s;
}

static void socket_drop(struct aws_socket **slot) {
    struct aws_socket *s = *slot;
    *slot = s->next;
    s->loop->host->unwatch(s->watch);
    free(s);
}

/* The watch is made here, where a failure is that of one connection; in on_socket() it would be the
 * end of the whole multi handle. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)purpose;
    const int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                          address->protocol);
    if (fd >= 0 && !socket_add(arg, fd, true)) {
        close(fd);
        return CURL_SOCKET_BAD;
    }
    return fd;
}

static int on_close(void *arg, curl_socket_t fd) {
    struct aws_socket **slot = slot_of(arg, fd);
    if (*slot)
        socket_drop(slot);
    return close(fd);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused) {
    struct aws_loop *loop = arg;
    struct aws_socket **slot = slot_of(loop, fd), *s = *slot;
    (void)easy;
    (void)unused;
    if (what == CURL_POLL_REMOVE && s && !s->ours) { /* libcurl's own pipes are closed without a word */
        socket_drop(slot);
        return 0;
    }
    if (!s && what != CURL_POLL_REMOVE)
        s = socket_add(loop, fd, false);
    if (!s)
        return 0;
    s->wanted = what == CURL_POLL_REMOVE ? 0
                                         : (uint32_t)((what & CURL_POLL_IN ? LARDER_READ : 0) |
                                                      (what & CURL_POLL_OUT ? LARDER_WRITE : 0));
    want(s, s->wanted | LARDER_READ);
    return 0;
}

static int on_time(CURLM *multi, long in_ms, void *arg) {
    struct aws_loop *loop = arg;
    (void)multi;
    loop->host->timer_set(
        loop->timer, in_ms < 0 ? UINT64_MAX : loop->host->now_ns() + (uint64_t)in_ms * UINT64_C(1000000));
    return 0;
}

static void on_due(void *arg) {
    struct aws_loop *loop = arg;
    int running;
    curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    loop->moved(loop->arg);
}

int32_t aws_loop_init(struct aws_loop *loop, const struct larder_host *host, struct larder_home *home,
                      larder_fn *moved, void *arg) {
    *loop = (struct aws_loop){.host = host, .home = home, .moved = moved, .arg = arg};
    loop->timer = host->timer(home, on_due, loop);
    loop->multi = loop->timer ? curl_multi_init() : NULL;
    if (!loop->multi) {
        aws_loop_done(loop);
        return LARDER_NOMEM;
    }
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, on_time);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
    return LARDER_OK;
}

void aws_loop_done(struct aws_loop *loop) {
    if (loop->multi)
        curl_multi_cleanup(loop->multi); /* closes the idle connections */
    for (size_t i = 0; i < AWS_LOOP_BUCKETS; i++)
        while (loop->sockets[i])
            socket_drop(&loop->sockets[i]);
    if (loop->timer)
        loop->host->timer_free(loop->timer);
    *loop = (struct aws_loop){0};
}

void aws_loop_attach(struct aws_loop *loop, CURL *easy) {
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, loop);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, loop);
}
