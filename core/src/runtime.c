#include "runtime.h"

#include "pool.h"
#include "spares.h"
#include "thread.h"

static struct {
    pthread_mutex_t lock;
    unsigned users;
    struct reactor *reactor;
    pthread_t thread;
    struct task stop; /* posted by the last user */
    pthread_mutex_t stop_lock;
    struct task trim, shrink; /* posted by the pool */
    /* The thread's own. */
    bool stopped;
    struct larder_timer trim_timer;
} runtime = {.lock = PTHREAD_MUTEX_INITIALIZER, .stop_lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local bool here;

static void stop_run(void *arg) {
    (void)arg;
    runtime.stopped = true;
}

/* AddressSanitizer is to see each use of memory that was given back, so nothing is kept then. */
#if defined(__SANITIZE_ADDRESS__)
enum { KEEPS_MEMORY = 0 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { KEEPS_MEMORY = 0 };
#else
enum { KEEPS_MEMORY = 1 };
#endif
#else
enum { KEEPS_MEMORY = 1 };
#endif

/* ---- memory that nobody needs ---------------------------------------------------- */

/* [any] */
static void pool_woke(void *arg, bool full) {
    reactor_post(arg, full ? &runtime.shrink : &runtime.trim);
}

static void shrink_now(void *arg) {
    (void)arg;
    pool_shrink();
}

static void trim_begin(void *arg) {
    if (runtime.stopped)
        return;
    uint64_t due_ns = reactor_now_ns(arg) + POOL_TRIM_MS * UINT64_C(1000000);
    if (timer_set(&runtime.trim_timer, due_ns) != LARDER_OK)
        pool_stop(); /* nobody would give anything back */
}

static void trim_due(void *arg) {
    if (pool_trim())
        trim_begin(arg);
}

/* ---- the thread ---------------------------------------------------------------------- */

static void *runtime_main(void *arg) {
    struct reactor *r = arg;
    pthread_setname_np(pthread_self(), "larder-io");
    here = true;
    runtime.stopped = false;
    runtime.trim = (struct task){.fn = trim_begin, .arg = r};
    runtime.shrink = (struct task){.fn = shrink_now};
    timer_init(&runtime.trim_timer, r, trim_due, r);
    if (KEEPS_MEMORY) {
        pool_start(pool_woke, r);
        spares_start();
    }
    while (!runtime.stopped)
        (void)reactor_step(r, true, UINT64_MAX);
    pool_stop();
    spares_stop();
    timer_done(&runtime.trim_timer);
    pthread_mutex_lock(&runtime.stop_lock); /* runtime_release() has left reactor_post() */
    pthread_mutex_unlock(&runtime.stop_lock);
    reactor_free(r); /* here: what is still posted belongs on this thread */
    return NULL;
}

struct reactor *runtime_acquire(void) {
    pthread_mutex_lock(&runtime.lock);
    if (runtime.users == 0) {
        runtime.reactor = reactor_new(NULL);
        if (runtime.reactor && !thread_start(&runtime.thread, runtime_main, runtime.reactor))
            runtime.reactor = reactor_free(runtime.reactor);
    }
    if (runtime.reactor)
        runtime.users++;
    struct reactor *r = runtime.reactor;
    pthread_mutex_unlock(&runtime.lock);
    return r;
}

void runtime_release(void) {
    /* The lock is held until the thread has ended: whoever comes meanwhile gets a new one. */
    pthread_mutex_lock(&runtime.lock);
    if (--runtime.users == 0) {
        runtime.stop.fn = stop_run;
        pthread_mutex_lock(&runtime.stop_lock);
        reactor_post(runtime.reactor, &runtime.stop);
        pthread_mutex_unlock(&runtime.stop_lock);
        pthread_join(runtime.thread, NULL);
        runtime.reactor = NULL;
    }
    pthread_mutex_unlock(&runtime.lock);
}

bool runtime_is_here(void) {
    return here;
}

size_t runtime_timers(void) {
    pthread_mutex_lock(&runtime.lock);
    size_t n = runtime.reactor != NULL ? reactor_timers(runtime.reactor) : 0;
    pthread_mutex_unlock(&runtime.lock);
    return n;
}
