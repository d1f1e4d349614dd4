#include "runtime.h"

#include "thread.h"

static struct {
    pthread_mutex_t lock;
    unsigned users;
    struct reactor *reactor;
    pthread_t thread;
    struct task stop; /* posted by the last user */
    pthread_mutex_t stop_lock;
    bool stopped; /* the thread's own */
} runtime = {.lock = PTHREAD_MUTEX_INITIALIZER, .stop_lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local bool here;

static void stop_run(void *arg) {
    (void)arg;
    runtime.stopped = true;
}

static void *runtime_main(void *arg) {
    struct reactor *r = arg;
    pthread_setname_np(pthread_self(), "larder-io");
    here = true;
    runtime.stopped = false;
    while (!runtime.stopped)
        (void)reactor_step(r, true, UINT64_MAX);
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
