#include "thread.h"

#include <signal.h>

bool thread_start(pthread_t *ret_thread, void *(*fn)(void *arg), void *arg) {
    sigset_t blocked, before;
    sigfillset(&blocked);
    sigdelset(&blocked, SIGSEGV);
    sigdelset(&blocked, SIGBUS);
    sigdelset(&blocked, SIGFPE);
    sigdelset(&blocked, SIGILL);

    pthread_t thread;
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int failed = pthread_create(&thread, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return false;
    *ret_thread = thread;
    return true;
}
