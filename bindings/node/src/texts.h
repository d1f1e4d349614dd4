/*
 * The texts behind the external strings of one environment, each with how many strings refer to it:
 * answers that come from the store's memory share their texts.  JavaScript thread only.
 */
#ifndef NODE_TEXTS_H
#define NODE_TEXTS_H

#include <stdbool.h>
#include <stddef.h>

struct texts_slot {
    const void *text; /* NULL: free */
    size_t n;
};

struct texts { /* {0}: empty */
    struct texts_slot *slots;
    size_t n, room; /* room: a power of two, or 0 */
};

/* One more string on the text; whether it is the first.  Without memory for the table it counts as
 * the first, and texts_drop() then says that it was the last. */
bool texts_add(struct texts *texts, const void *text);
/* One less; whether it was the last. */
bool texts_drop(struct texts *texts, const void *text);
void texts_done(struct texts *texts);

#endif
