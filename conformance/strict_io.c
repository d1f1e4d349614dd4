/* The I/O thread: who calls on it, how long the driver stays, and in which order things come. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "random.h"
#include "strict_inside.h"

/* ---- the thread ------------------------------------------------------------------------ */

static bool is_io_thread(void) {
    return strict.io_known && pthread_equal(pthread_self(), strict.io_thread);
}

/* Elsewhere the reactor's data would be damaged: there is no going on. */
static void only_io(const char *function) {
    char thread[NAME_ROOM];
    strict_here.host_calls++;
    thread_name(thread);
    if (!is_io_thread())
        violation_end(VIOLATION_IO_THREAD, strict_here.op, "%s() on %s", function, thread);
}

/* ---- how long a call stays ----------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOWER = 10 };
#else
enum { SLOWER = 1 };
#endif
/* Where one offence could be the machine's doing, several of one function are not. */
enum { SLEEPS_ALLOWED = 1, LONG_STAYS_ALLOWED = 2, MAX_KINDS = 32 };
static const uint64_t LONGEST_NS = UINT64_C(5000000);
static const uint64_t PER_MB_NS = UINT64_C(4000000) * SLOWER; /* one copy of a value, on a slow machine */
static const uint64_t PER_HOST_CALL_NS = UINT64_C(20000) * SLOWER; /* our own checks */

static uint64_t thread_ns(clockid_t clock) {
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* For how long this thread was ready to run while others ran; 0 where the kernel does not tell.
 * The second number of /proc/PID/schedstat (Documentation/scheduler/sched-stats). */
static uint64_t thread_waited_ns(void) {
    static int io_fd = -1; /* kept open: the I/O thread is asked all the time, and there is one */
    const bool io = is_io_thread();
    char text[96];
    int fd = io ? io_fd : -1;
    if (fd < 0)
        fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? pread(fd, text, sizeof(text) - 1, 0) : -1;
    if (io)
        io_fd = fd;
    else if (fd >= 0)
        close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    const char *space = strchr(text, ' ');
    return space ? strtoull(space, NULL, 10) : 0;
}

void stay_begin(struct stay *stay, struct instance *in, struct strict_op *op, const char *what) {
    *stay = (struct stay){.what = what, .before = strict_here};
    strict_here = (struct here){.instance = in, .op = op};
    stay->waited_ns = thread_waited_ns();
    stay->cpu_ns = thread_ns(CLOCK_THREAD_CPUTIME_ID);
    stay->wall_ns = thread_ns(CLOCK_MONOTONIC);
    if (!is_io_thread())
        return;
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    stay->counted = true;
    stay->sleeps = usage.ru_nvcsw;
    stay->faults = usage.ru_majflt;
    strict_lock();
    strict.io_call = strict_here;
    strict.io_what = what;
    strict.io_since_ns = stay->wall_ns;
    strict_unlock();
}

/* How often `what` has offended, this time included. */
static unsigned offence(const char *what, bool slept) {
    static struct {
        const char *what;
        unsigned n[2];
    } kinds[MAX_KINDS]; /* the I/O thread's own */
    size_t i = 0;
    while (i < MAX_KINDS - 1 && kinds[i].what && kinds[i].what != what)
        i++;
    kinds[i].what = what;
    return ++kinds[i].n[slept];
}

/* Since stay_begin(): neither computing nor waiting for a processor. */
static uint64_t slept_ns_since(const struct stay *stay) {
    uint64_t wall_ns = thread_ns(CLOCK_MONOTONIC) - stay->wall_ns;
    uint64_t busy_ns = thread_ns(CLOCK_THREAD_CPUTIME_ID) - stay->cpu_ns + thread_waited_ns() -
                       stay->waited_ns;
    return wall_ns > busy_ns ? wall_ns - busy_ns : 0;
}

void stay_judge_deadline(const struct stay *stay, const struct strict_op *op) {
    const uint64_t grace_ns = UINT64_C(1000000000) * SLOWER;
    const uint64_t deadline_ns = op->as_given.deadline_ns, now_ns = strict.outer->now_ns();
    if (!strict.real_time || deadline_ns == UINT64_MAX || now_ns < deadline_ns ||
        now_ns - deadline_ns < grace_ns)
        return;
    uint64_t slept_ns = slept_ns_since(stay);
    if (slept_ns > grace_ns)
        violation(VIOLATION_DEADLINE, op, "a blocking %s waited for %.1f s, until %.1f s after its deadline",
                  stay->what, (double)slept_ns / 1e9, (double)(now_ns - deadline_ns) / 1e9);
}

void stay_end(struct stay *stay, uint64_t bytes) {
    unsigned host_calls = strict_here.host_calls;
    uint64_t host_bytes = strict_here.host_bytes;
    strict_here = stay->before;
    strict_here.host_calls += host_calls;
    strict_here.host_bytes += host_bytes;
    if (!stay->counted)
        return;
    uint64_t wall_ns = thread_ns(CLOCK_MONOTONIC) - stay->wall_ns;
    strict_lock();
    strict.io_what = NULL;
    strict_unlock();
    if (bytes == STAY_UNBOUNDED || wall_ns <= LONGEST_NS)
        return;
    uint64_t cpu_ns = thread_ns(CLOCK_THREAD_CPUTIME_ID) - stay->cpu_ns;
    uint64_t slept_ns = slept_ns_since(stay);
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    bool slept = slept_ns > LONGEST_NS && usage.ru_nvcsw > stay->sleeps && usage.ru_majflt == stay->faults;
    uint64_t allowed_ns = LONGEST_NS * SLOWER + PER_MB_NS * ((bytes + host_bytes) >> 20) +
                          PER_HOST_CALL_NS * host_calls;
    if (slept && offence(stay->what, true) > SLEEPS_ALLOWED)
        violation(VIOLATION_IO_BLOCKED, NULL, "%s slept on the I/O thread for %.1f ms", stay->what,
                  (double)slept_ns / 1e6);
    else if (cpu_ns > allowed_ns && offence(stay->what, false) > LONG_STAYS_ALLOWED)
        violation(VIOLATION_IO_BLOCKED, NULL, "%s computed on the I/O thread for %.1f ms, without offload()",
                  stay->what, (double)cpu_ns / 1e6);
}

unsigned strict_blame_outstanding(void) {
    strict_lock();
    const char *what = strict.io_what;
    double since_s = (double)(thread_ns(CLOCK_MONOTONIC) - strict.io_since_ns) / 1e9;
    strict_unlock();
    if (what && since_s > 0.5)
        violation(VIOLATION_IO_BLOCKED, NULL, "the I/O thread has been in %s for %.1f s", what, since_s);
    return strict_op_blame() + (what != NULL);
}

/* ---- the order of completions and posts ----------------------------------------------------- */

/* In a turn of the reactor: what was held comes out shuffled, some of it a turn later. */
void strict_release(void *arg) {
    enum { LATER = 8 }; /* one in so many */
    struct instance *in = arg;
    struct held *now = NULL;
    strict_lock();
    struct held *all = in->held;
    size_t n = in->n_held;
    in->held = NULL;
    in->n_held = 0;
    while (n > 0) {
        size_t skip = random_below(&strict.random, (uint32_t)n);
        struct held **at = &all;
        while (skip-- > 0)
            at = &(*at)->next;
        struct held *h = *at;
        *at = h->next;
        if (n-- > 1 && random_below(&strict.random, LATER) == 0) {
            h->next = in->held;
            in->held = h;
            in->n_held++;
        } else {
            h->next = now;
            now = h;
        }
    }
    in->release_posted = in->n_held > 0;
    if (in->release_posted)
        reactor_post(in->reactor, &in->release);
    strict_unlock();
    while (now) {
        struct held *h = now;
        now = h->next;
        if (h->outer) {
            h->res.detail = h->detail[0] ? h->detail : NULL;
            strict.outer->complete(h->outer, &h->res);
        } else {
            struct stay stay;
            stay_begin(&stay, in, NULL, "a posted call");
            h->fn(h->arg);
            stay_end(&stay, 0);
        }
        free(h);
    }
}

static void hold(struct instance *in, struct held *h) {
    strict_lock();
    h->next = in->held;
    in->held = h;
    in->n_held++;
    if (!in->release_posted)
        reactor_post(in->reactor, &in->release);
    in->release_posted = true;
    strict_unlock();
}

bool hold_completion(struct instance *in, struct larder_op *outer, const struct larder_result *res) {
    struct held *h = malloc(sizeof(*h));
    if (!h)
        return false;
    *h = (struct held){.outer = outer, .res = *res};
    if (res->detail) {
        size_t len = strnlen(res->detail, sizeof(h->detail) - 1);
        memcpy(h->detail, res->detail, len);
    }
    hold(in, h);
    return true;
}

int32_t strict_post(struct larder_home *home, larder_fn *fn, void *arg) {
    struct instance *in = instance_of(home, "post");
    strict_here.host_calls++;
    struct held *h = starved("post") ? NULL : malloc(sizeof(*h));
    if (!h)
        return LARDER_NOMEM;
    *h = (struct held){.fn = fn, .arg = arg};
    hold(in, h);
    return LARDER_OK;
}

/* ---- offload --------------------------------------------------------------------------------- */

struct offloaded {
    struct instance *instance;
    larder_fn *work, *done;
    void *arg;
};

static void offload_work(void *arg) {
    struct offloaded *o = arg;
    struct here before = strict_here;
    strict_here = (struct here){.instance = o->instance};
    o->work(o->arg);
    strict_here = before;
}

static void offload_done(void *arg) {
    struct offloaded o = *(struct offloaded *)arg;
    struct stay stay;
    free(arg);
    stay_begin(&stay, o.instance, NULL, "the end of an offload()");
    o.done(o.arg);
    stay_end(&stay, 0);
}

int32_t strict_offload(struct larder_home *home, larder_fn *work, larder_fn *done, void *arg) {
    only_io("offload");
    struct instance *in = instance_of(home, "offload");
    struct offloaded *o = starved("offload") ? NULL : malloc(sizeof(*o));
    if (!o)
        return LARDER_NOMEM;
    *o = (struct offloaded){in, work, done, arg};
    int32_t status = strict.outer->offload(in->home, offload_work, offload_done, o);
    if (status != LARDER_OK)
        free(o);
    return status;
}

/* ---- timers ------------------------------------------------------------------------------------ */

static void timer_fired(void *arg) {
    struct strict_timer *t = arg;
    struct stay stay;
    stay_begin(&stay, t->instance, NULL, "a timer's call");
    t->fn(t->arg);
    stay_end(&stay, 0);
}

struct larder_timer *strict_timer_new(struct larder_home *home, larder_fn *fn, void *arg) {
    only_io("timer");
    struct instance *in = instance_of(home, "timer");
    struct strict_timer *t = starved("timer") ? NULL : calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    *t = (struct strict_timer){.next = in->timers, .instance = in, .fn = fn, .arg = arg};
    t->outer = strict.outer->timer(in->home, timer_fired, t);
    if (!t->outer) {
        free(t);
        return NULL;
    }
    in->timers = t;
    return (struct larder_timer *)(void *)t;
}

/* Records of freed timers and watches stay, so that their late use is known. */
static struct strict_timer *timer_in_use(struct larder_timer *given, const char *function) {
    struct strict_timer *t = (struct strict_timer *)(void *)given;
    only_io(function);
    if (!t->outer)
        violation_end(VIOLATION_TIMER_STALE, NULL, "%s() after timer_free()%s", function,
                      t->instance->closed ? " or close()" : "");
    return t;
}

void strict_timer_set(struct larder_timer *given, uint64_t due_ns) {
    strict.outer->timer_set(timer_in_use(given, "timer_set")->outer, due_ns);
}

void strict_timer_free(struct larder_timer *given) {
    if (!given)
        return;
    struct strict_timer *t = timer_in_use(given, "timer_free");
    strict.outer->timer_free(t->outer);
    t->outer = NULL;
}

/* ---- watches ------------------------------------------------------------------------------------ */

static void watch_fired(void *arg, int fd, uint32_t events) {
    struct strict_watch *w = arg;
    struct stay stay;
    stay_begin(&stay, w->instance, NULL, "a watch's call");
    w->fn(w->arg, fd, events);
    stay_end(&stay, 0);
}

struct larder_watch *strict_watch_new(struct larder_home *home, int fd, uint32_t events, larder_fd_fn *fn,
                                      void *arg) {
    only_io("watch");
    struct instance *in = instance_of(home, "watch");
    struct stat st = {0};
    struct strict_watch *w = starved("watch") ? NULL : calloc(1, sizeof(*w));
    if (!w)
        return NULL;
    fstat(fd, &st);
    *w = (struct strict_watch){.next = in->watches,
                               .instance = in,
                               .fn = fn,
                               .arg = arg,
                               .fd = fd,
                               .device = st.st_dev,
                               .inode = st.st_ino};
    w->outer = strict.outer->watch(in->home, fd, events, watch_fired, w);
    if (!w->outer) {
        free(w);
        return NULL;
    }
    in->watches = w;
    return (struct larder_watch *)(void *)w;
}

static struct strict_watch *watch_in_use(struct larder_watch *given, const char *function) {
    struct strict_watch *w = (struct strict_watch *)(void *)given;
    struct stat st;
    only_io(function);
    if (!w->outer)
        violation_end(VIOLATION_WATCH_STALE, NULL, "%s() after unwatch()%s", function,
                      w->instance->closed ? " or close()" : "");
    if (fstat(w->fd, &st) != 0 || st.st_dev != w->device || st.st_ino != w->inode)
        violation(VIOLATION_WATCH_CLOSED, NULL, "%s(): descriptor %d is not what it was at watch()", function,
                  w->fd);
    return w;
}

int32_t strict_rewatch(struct larder_watch *given, uint32_t events) {
    return strict.outer->rewatch(watch_in_use(given, "rewatch")->outer, events);
}

void strict_unwatch(struct larder_watch *given) {
    if (!given)
        return;
    struct strict_watch *w = watch_in_use(given, "unwatch");
    strict.outer->unwatch(w->outer);
    w->outer = NULL;
}

/* ---- what is left ----------------------------------------------------------------------------- */

void strict_io_left(struct instance *in, const char *when) {
    bool failed = strcmp(when, "close()") != 0;
    for (struct strict_timer *t = in->timers; t; t = t->next) {
        if (!t->outer)
            continue;
        violation(failed ? VIOLATION_OPEN_LEFT : VIOLATION_TIMER_LEAKED, NULL, "a timer was not freed: %s",
                  when);
        strict.outer->timer_free(t->outer);
        t->outer = NULL;
    }
    for (struct strict_watch *w = in->watches; w; w = w->next) {
        if (!w->outer)
            continue;
        violation(failed ? VIOLATION_OPEN_LEFT : VIOLATION_WATCH_LEAKED, NULL,
                  "the watch of descriptor %d was not ended: %s", w->fd, when);
        strict.outer->unwatch(w->outer);
        w->outer = NULL;
    }
}

void strict_io_done(struct instance *in) {
    while (in->timers) {
        struct strict_timer *t = in->timers;
        in->timers = t->next;
        free(t);
    }
    while (in->watches) {
        struct strict_watch *w = in->watches;
        in->watches = w->next;
        free(w);
    }
}
