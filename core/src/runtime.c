#include "runtime.h"

#include "thread.h"

static struct {
    pthread_mutex_t lock;
    unsigned users;
    struct reactor *reactor;
    pthread_t thread;
    struct task stop; /* posted by the last user */
    bool stopped;     /* the thread's own */
} runtime = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local bool here;

static void stop_run(void *arg) {
    (void)arg;
    runtime.stopped = true;
}

static void *runtime_main(void *arg) {
    struct reactor *r = arg;
    here = true;
    runtime.stopped = false;
    while (!runtime.stopped)
        (void)reactor_step(r, true, UINT64_MAX);
    reactor_free(r); /* here: what is still posted belongs on this thread */
    return NULL;
}

struct reactor *runtime_acquire(void) {
    pthread_mutex_lock(&runtime.lock);
    if (runtime.users == 0) {
        runtime.reactor = reactor_new(NULL);
        if (runtime.reactor && !thread_start(&runtime.thread, "larder-io", runtime_main, runtime.reactor))
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
        reactor_post(runtime.reactor, &runtime.stop);
        pthread_join(runtime.thread, NULL);
        runtime.reactor = NULL;
    }
    pthread_mutex_unlock(&runtime.lock);
}

bool runtime_is_here(void) {
    return here;
}
