/* One op on its way: its failure, in words and as a class. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "mc.h"

int32_t mc_fail(struct mc_call *c, int32_t status, const char *format, ...) {
    if (c->res.status < 0)
        return c->res.status;
    va_list args;
    va_start(args, format);
    vsnprintf(c->detail, sizeof(c->detail), format, args);
    va_end(args);
    for (char *p = c->detail; *p != 0; p++)
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
            *p = '?'; /* one line, whatever a host name or a server says */
    c->res.status = status;
    return status;
}

int32_t mc_in_time(struct mc_call *c) {
    if (c->op->deadline_ns == UINT64_MAX || c->mc->host->now_ns() < c->op->deadline_ns)
        return LARDER_OK;
    return mc_fail(c, LARDER_DEADLINE, "the deadline has passed");
}

void mc_back_off(struct mc_call *c, uint32_t n) {
    enum { AT_ONCE = 2, MOST_SHIFT = 5 };
    if (n <= AT_ONCE)
        return;
    uint64_t mix = (c->op->id + n) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t shift = n - AT_ONCE < MOST_SHIFT ? n - AT_ONCE : MOST_SHIFT;
    long most_ns = 50000L << shift; /* 1.6 ms */
    struct timespec pause = {.tv_nsec = (long)((mix >> 33) % (uint64_t)most_ns)};
    nanosleep(&pause, NULL);
}

int32_t mc_new_id(struct mc_call *c, struct mc_id *ret) {
    ssize_t n;
    do
        n = getrandom(ret->bytes, sizeof(ret->bytes), 0);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(ret->bytes) ? LARDER_OK : mc_fail(c, LARDER_INTERNAL, "no random bytes");
}

/* ---- what the library says ------------------------------------------------------------------------ */

/* Answers of a server that is well. */
static bool is_answer(memcached_return_t rc) {
    switch (rc) {
    case MEMCACHED_SUCCESS:
    case MEMCACHED_STORED:
    case MEMCACHED_DELETED:
    case MEMCACHED_END:
    case MEMCACHED_NOTFOUND:
    case MEMCACHED_NOTSTORED:
    case MEMCACHED_DATA_EXISTS: return true;
    default: return false;
    }
}

/* Refusals after which the connection is as good as before. */
static int32_t refused(struct mc_call *c, const char *who, memcached_return_t rc) {
    switch (rc) {
    case MEMCACHED_E2BIG:
        return mc_fail(c, LARDER_TOO_BIG,
                       "%s: the item is too large: lower chunk-size, or give memcached a greater -I", who);
    case MEMCACHED_SERVER_MEMORY_ALLOCATION_FAILURE:
        return mc_fail(c, LARDER_RETRY,
                       "%s: the server is out of memory: does it run with -M, without evictions?", who);
    default: return LARDER_OK;
    }
}

/* Of errors that the library has an errno for, that says more. */
static const char *reason_of(struct mc_call *c, memcached_st *st, memcached_return_t rc, char *text,
                             size_t size) {
    int err = memcached_last_error_errno(st);
    if ((rc == MEMCACHED_ERRNO || rc == MEMCACHED_CONNECTION_FAILURE) && err != 0) {
        c->res.native_code = err;
        return strerror_r(err, text, size);
    }
    c->res.native_code = (int32_t)rc;
    switch (rc) {
    case MEMCACHED_CONNECTION_FAILURE: return "no connection, or it broke";
    case MEMCACHED_HOST_LOOKUP_FAILURE: return "the host has no address";
    case MEMCACHED_UNKNOWN_READ_FAILURE:
    case MEMCACHED_PROTOCOL_ERROR:
    case MEMCACHED_PARTIAL_READ: return "its answer makes no sense";
    default: return memcached_strerror(st, rc);
    }
}

static bool says_denied(memcached_st *st, memcached_return_t rc) {
    if (rc == MEMCACHED_AUTH_PROBLEM || rc == MEMCACHED_AUTH_FAILURE)
        return true;
    const char *said = rc == MEMCACHED_CLIENT_ERROR ? memcached_last_error_message(st) : NULL;
    return said && strstr(said, "unauthenticated");
}

int32_t mc_judge(struct mc_call *c, size_t server, memcached_return_t rc) {
    struct mc *mc = c->mc;
    struct mc_conn *conn = &c->lane->conns[server];
    const char *who = mc->servers[server].address.shown;
    int32_t status;
    char text[96], how[160];
    if (is_answer(rc)) {
        conn->answered = true;
        mc_server_good(mc, server);
        return LARDER_OK;
    }
    if ((status = refused(c, who, rc)) != LARDER_OK) {
        mc_server_good(mc, server);
        return status;
    }
    if (says_denied(conn->st, rc)) {
        mc_server_good(mc, server);
        status = mc_fail(c, LARDER_DENIED, "%s: the server refuses username and password, or wants them",
                         who);
    } else if (rc == MEMCACHED_MEMORY_ALLOCATION_FAILURE && memcached_last_error_errno(conn->st) == 0) {
        status = mc_fail(c, LARDER_NOMEM, "%s: out of memory, here or there", who);
    } else if (rc == MEMCACHED_CLIENT_ERROR || rc == MEMCACHED_SERVER_ERROR) {
        mc_server_good(mc, server);
        status = mc_fail(c, LARDER_RETRY, "%s: it says: %.100s", who, memcached_last_error_message(conn->st));
    } else if (rc == MEMCACHED_TIMEOUT) {
        snprintf(how, sizeof(how), "no answer within %u ms", conn->wait_ms);
        mc_server_bad(mc, server, conn->since_ns, how);
        bool late = c->op->deadline_ns != UINT64_MAX && mc->host->now_ns() + 1000000u >= c->op->deadline_ns;
        status = mc_fail(c, late ? LARDER_DEADLINE : LARDER_RETRY, "%s: %s", who, how);
    } else {
        snprintf(how, sizeof(how), "%s", reason_of(c, conn->st, rc, text, sizeof(text)));
        mc_server_bad(mc, server, conn->since_ns, how);
        status = mc_fail(c, LARDER_RETRY, "%s: %s", who, how);
    }
    mc_disconnect(conn);
    return status;
}

bool mc_again(struct mc_call *c, size_t server, memcached_return_t rc) {
    struct mc_server *s = &c->mc->servers[server];
    struct mc_conn *conn = &c->lane->conns[server];
    if (rc != MEMCACHED_CONNECTION_FAILURE && rc != MEMCACHED_ERRNO && rc != MEMCACHED_WRITE_FAILURE)
        return false;
    bool again = conn->answered;
    if (!again && s->has_name) {
        mc_resolve_next(&s->resolver);
        again = c->addresses_left > 0;
    }
    if (again)
        mc_disconnect(conn);
    return again;
}
