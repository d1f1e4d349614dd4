/*
 * The memory behind the external strings of one environment, each block with how many strings refer to it:
 * an answer's texts lie in one or two, and answers that come from the store's memory share them.
 * JavaScript thread only.
 */
#ifndef NODE_TEXTS_H
#define NODE_TEXTS_H

#include <stdbool.h>
#include <stddef.h>

struct texts_slot {
    const void *memory; /* NULL: free */
    size_t n;
};

struct texts { /* {0}: empty */
    struct texts_slot *slots;
    size_t n, room; /* room: a power of two, or 0 */
};

/* One more string on this memory; whether it is the first.  Without memory for the table it counts as
 * the first, and texts_drop() then says that it was the last. */
bool texts_add(struct texts *texts, const void *memory);
/* One less; whether it was the last. */
bool texts_drop(struct texts *texts, const void *memory);
void texts_done(struct texts *texts);

#endif
