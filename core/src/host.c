/* The services of struct larder_host, for drivers and layers alike. */
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "backend.h"
#include "buf.h"
#include "log.h"

/* now_ns() has no argument to find a reactor by.  In a test with a clock of its own it must tell
 * that clock's time, or a driver's timers would never be due. */
static _Atomic(struct reactor *) clock_of_test;

void backend_host_clock(struct reactor *r) {
    atomic_store(&clock_of_test, r);
}

static uint64_t host_now_ns(void) {
    struct reactor *r = atomic_load_explicit(&clock_of_test, memory_order_relaxed);
    struct timespec now;
    if (r != NULL)
        return reactor_now_ns(r);
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void host_log(struct larder_home *home, int32_t level, const char *line) {
    log_line(level, "driver %s: %s", home->backend->driver->name, line);
}

static void host_mark_seen(struct larder_home *home, const struct larder_mark *mark) {
    struct mark_sink *sink = home->backend->sink;
    if (sink != NULL)
        sink->seen(sink, mark);
}

static struct larder_watch *host_watch(struct larder_home *home, int fd, uint32_t events, larder_fd_fn *fn,
                                       void *arg) {
    return watch_new(home->backend->reactor, fd, events, fn, arg);
}

static void host_unwatch(struct larder_watch *w) {
    watch_free(w);
}

static struct larder_timer *host_timer(struct larder_home *home, larder_fn *fn, void *arg) {
    struct larder_timer *t = malloc(sizeof(*t));
    if (t != NULL)
        timer_init(t, home->backend->reactor, fn, arg);
    return t;
}

static void host_timer_set(struct larder_timer *t, uint64_t due_ns) {
    if (timer_set(t, due_ns) != LARDER_OK)
        log_line(LARDER_LOG_ERROR, "out of memory: a timer of a driver was not set");
}

static void host_timer_free(struct larder_timer *t) {
    if (t != NULL) {
        timer_done(t);
        free(t);
    }
}

struct posted {
    struct task task;
    larder_fn *fn;
    void *arg;
};

static void run_posted(void *arg) {
    struct posted p = *(struct posted *)arg;
    free(arg);
    p.fn(p.arg);
}

static int32_t host_post(struct larder_home *home, larder_fn *fn, void *arg) {
    struct posted *p = malloc(sizeof(*p));
    if (p == NULL)
        return LARDER_NOMEM;
    *p = (struct posted){.task = {.fn = run_posted, .arg = p}, .fn = fn, .arg = arg};
    reactor_post(home->backend->reactor, &p->task);
    return LARDER_OK;
}

struct offloaded {
    struct job job;
    larder_fn *work;
    larder_fn *done;
    void *arg;
};

static void run_work(void *arg) {
    struct offloaded *o = arg;
    o->work(o->arg);
}

static void run_done(void *arg) {
    struct offloaded o = *(struct offloaded *)arg;
    free(arg);
    o.done(o.arg);
}

static int32_t host_offload(struct larder_home *home, larder_fn *work, larder_fn *done, void *arg) {
    struct offloaded *o = malloc(sizeof(*o));
    if (o == NULL)
        return LARDER_NOMEM;
    *o = (struct offloaded){
        .job = {.work = run_work, .done = run_done, .arg = o}, .work = work, .done = done, .arg = arg};
    reactor_offload(home->backend->reactor, &o->job);
    return LARDER_OK;
}

const struct larder_host backend_host = {
    .size = sizeof(backend_host),
    .abi = LARDER_ABI,
    .complete = op_complete,
    .emit_mark = op_emit_mark,
    .emit_key = op_emit_key,
    .emit_text = op_emit_text,
    .mark_seen = host_mark_seen,
    .buf_new = buf_new,
    .buf_wrap = buf_wrap,
    .buf_ref = buf_ref,
    .buf_unref = buf_unref,
    .now_ns = host_now_ns,
    .log = host_log,
    .watch = host_watch,
    .rewatch = watch_set,
    .unwatch = host_unwatch,
    .timer = host_timer,
    .timer_set = host_timer_set,
    .timer_free = host_timer_free,
    .post = host_post,
    .offload = host_offload,
};
