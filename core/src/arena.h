/* Memory that is given back all at once: what an answer points to. */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include <stddef.h>

struct arena_chunk;
struct arena {
    struct arena_chunk *chunks;
};

/* 8-byte aligned, uninitialised; NULL: out of memory.  n may be 0. */
void *arena_alloc(struct arena *arena, size_t n);
void arena_done(struct arena *arena);

#endif
