/*
 * The one thread of the process that runs a reactor, shared by all stores and counted by
 * them: started by the first, joined by the last.
 */
#ifndef CORE_RUNTIME_H
#define CORE_RUNTIME_H

#include "reactor.h"

/* NULL: the thread cannot be started.  Not async-signal-safe; not after fork(). */
struct reactor *runtime_acquire(void);
void runtime_release(void);
/* [any] Timers that are set in it; 0 where it does not run. */
size_t runtime_timers(void);
/* True on the runtime's own thread. */
bool runtime_is_here(void);

#endif
