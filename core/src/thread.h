/* Starting the library's own threads. */
#ifndef CORE_THREAD_H
#define CORE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/*
 * A joinable thread on which no signal handler of the host
 * process runs: signals are blocked before the thread exists.  The exceptions are the four that
 * a thread's own fault raises: blocked, they would be undefined behaviour (POSIX,
 * pthread_sigmask) and end the process without the host's crash report.
 */
bool thread_start(pthread_t *ret_thread, void *(*fn)(void *arg), void *arg);

#endif
