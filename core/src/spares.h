/*
 * Memory of requests, used for the next ones.
 *
 * A request is made on one thread and ends on another.  To free there what was allocated here makes both
 * threads wait for malloc()'s lock, which costs each of them more than the rest of what it does for a get.  So
 * a few are kept, in places that are taken and given in one step: nobody waits.
 *
 * They are kept between spares_start() and spares_stop(), as the pool's are; at any other time this is
 * malloc() and free().
 */
#ifndef CORE_SPARES_H
#define CORE_SPARES_H

#include <stddef.h>

enum { SPARE_BYTES = 2048, SPARES = 64 }; /* what is larger is not kept */

/* [any] size bytes; NULL: out of memory. */
void *spare_take(size_t size);
/* [any] What spare_take() has answered for this size. */
void spare_give(void *memory, size_t size);

void spares_start(void);
/* Frees what is kept. */
void spares_stop(void);

#endif
