/* Sockets, and the names of their servers. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "transport.h"

/* ---- bytes ---------------------------------------------------------------------------------------------------- */

static ssize_t lost(struct rds_transport *t, const char *what, int error) {
    t->status = LARDER_RETRY;
    if (error)
        snprintf(t->detail, sizeof(t->detail), "%s: %s", what, strerrordesc_np(error));
    else
        snprintf(t->detail, sizeof(t->detail), "%s", what);
    return RDS_LOST;
}

static ssize_t moved(struct rds_transport *t, ssize_t n) {
    if (n > 0)
        return n;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return RDS_BLOCKED;
    return lost(t, "the connection broke", errno);
}

static ssize_t plain_recv(struct rds_transport *t, const struct iovec *iov, int n) {
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};
    const ssize_t got = n == 1 ? recv(t->fd, iov->iov_base, iov->iov_len, MSG_DONTWAIT)
                               : recvmsg(t->fd, &message, MSG_DONTWAIT);
    return got == 0 ? lost(t, "the server hung up", 0) : moved(t, got);
}

static ssize_t plain_send(struct rds_transport *t, const struct iovec *iov, int n) {
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};
    return moved(t, n == 1 ? send(t->fd, iov->iov_base, iov->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL)
                           : sendmsg(t->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static int plain_start(__attribute__((unused)) struct rds_transport *t) {
    return 1;
}

static bool plain_has_more(__attribute__((unused)) const struct rds_transport *t) {
    return false;
}

static void plain_done(__attribute__((unused)) struct rds_transport *t) {}

const struct rds_transport_ops rds_plain = {
    .start = plain_start,
    .recv = plain_recv,
    .send = plain_send,
    .has_more = plain_has_more,
    .done = plain_done,
};

/* ---- sockets -------------------------------------------------------------------------------------------------- */

static void keep_alive(int fd, int64_t keepalive_ms) {
    const int on = 1, seconds = keepalive_ms >= 1000 ? (int)(keepalive_ms / 1000) : 1;
    const int interval = seconds / 3 > 0 ? seconds / 3 : 1, probes = 3;
    /* What a kernel does not know is no reason not to connect. */
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

int rds_socket_open(struct rds_transport *t, const struct rds_address *address, int64_t keepalive_ms) {
    const struct sockaddr *to = (const struct sockaddr *)&address->socket;
    const int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        lost(t, "no socket", errno);
        return -1;
    }
    if (to->sa_family != AF_UNIX) {
        const int on = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (keepalive_ms > 0)
            keep_alive(fd, keepalive_ms);
    }
    /* EAGAIN: the queue of a unix socket is full; there is no waiting for it. */
    if (connect(fd, to, address->len) != 0 && errno != EINPROGRESS && errno != EINTR) {
        lost(t, "the server cannot be reached", errno);
        close(fd);
        return -1;
    }
    t->fd = fd;
    return fd;
}

bool rds_socket_is_connected(struct rds_transport *t) {
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error)
        lost(t, "the server cannot be reached", error);
    return error == 0;
}

/* ---- addresses ------------------------------------------------------------------------------------------------ */

bool rds_address_of_path(const char *path, struct rds_address *ret) {
    struct sockaddr_un *un = (struct sockaddr_un *)&ret->socket;
    const size_t len = strlen(path);
    if (len == 0 || len >= sizeof(un->sun_path))
        return false;
    memset(ret, 0, sizeof(*ret));
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, len);
    ret->len = sizeof(*un);
    return true;
}

bool rds_address_of_number(const char *host, const char *port, struct rds_address *ret) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return false;
    memcpy(&ret->socket, found->ai_addr, found->ai_addrlen);
    ret->len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

/* ---- names ---------------------------------------------------------------------------------------------------- */

struct rds_lookup {
    rds_lookup_fn *fn; /* touched by the I/O thread alone; NULL: nobody wants to know any more */
    void *arg;
    const char *why;
    size_t n;
    struct rds_address addresses[RDS_MAX_ADDRESSES];
    char name[256], port[8];
};

static void lookup_work(void *arg) {
    struct rds_lookup *l = arg;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    const int failed = getaddrinfo(l->name, l->port, &hints, &found);
    if (failed) {
        l->why = gai_strerror(failed);
        return;
    }
    for (const struct addrinfo *a = found; a && l->n < RDS_MAX_ADDRESSES; a = a->ai_next) {
        memcpy(&l->addresses[l->n].socket, a->ai_addr, a->ai_addrlen);
        l->addresses[l->n++].len = a->ai_addrlen;
    }
    freeaddrinfo(found);
}

static void lookup_done(void *arg) {
    struct rds_lookup *l = arg;
    if (l->fn)
        l->fn(l->arg, l->addresses, l->n, l->n > 0 ? NULL : (l->why ? l->why : "it has no address"));
    free(l);
}

struct rds_lookup *rds_lookup_start(const struct larder_host *host, struct larder_home *home,
                                    const char *name, const char *port, rds_lookup_fn *fn, void *arg) {
    struct rds_lookup *l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    l->fn = fn;
    l->arg = arg;
    snprintf(l->name, sizeof(l->name), "%s", name);
    snprintf(l->port, sizeof(l->port), "%s", port);
    if (host->offload(home, lookup_work, lookup_done, l) != LARDER_OK) {
        free(l);
        return NULL;
    }
    return l;
}

void rds_lookup_drop(struct rds_lookup *lookup) {
    if (lookup)
        lookup->fn = NULL;
}
