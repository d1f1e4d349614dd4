/*
 * Memory of large buffers, used again while there is demand for it.
 *
 * New memory costs the kernel a page fault for each 4 KB, which for a page of 300 KB is more than
 * reading it from the page cache; and giving it back costs as much again, on the thread that drops
 * the last reference: often JavaScript's, in bursts, when its garbage is collected.  So what is given
 * back is kept, and the runtime's thread gives the system what was not needed for POOL_TRIM_MS.
 *
 * The pool works between pool_start() and pool_stop(), with the runtime's thread to trim it; at any
 * other time nothing is kept.
 */
#ifndef CORE_POOL_H
#define CORE_POOL_H

#include <stdbool.h>

#include "larder/driver.h"

enum {
    POOL_MIN_BYTES = 64 * 1024,       /* below, malloc() is as good */
    POOL_MAX_BYTES = 8 * 1024 * 1024, /* above, filling it costs far more than having it */
    /* V8 lets 64 MB and more of garbage pile up before it collects all of it at once. */
    POOL_KEPT_BYTES = 128 * 1024 * 1024,
    POOL_TRIM_MS = 1000
};

/* [any] size bytes or more of it, aligned to a page; NULL: none of this size come from here.
 * *ret_capacity: what pool_give() is told. */
void *pool_take(size_t size, size_t *ret_capacity);
/* [any] */
void pool_give(void *memory, size_t capacity);

/* wake() is called on any thread, under a lock, so it must not take or give.  full: pool_shrink() is
 * due; else pool_trim() is, in POOL_TRIM_MS. */
typedef void pool_wake_fn(void *arg, bool full);
void pool_start(pool_wake_fn *wake, void *arg);
/* No wake() afterwards. */
void pool_stop(void);
/* Gives to the system what was not needed since the last call.  true: call again in POOL_TRIM_MS. */
bool pool_trim(void);
/* The same with what is beyond POOL_KEPT_BYTES. */
void pool_shrink(void);

/* What is kept now: for tests. */
size_t pool_kept_bytes(void);

#endif
