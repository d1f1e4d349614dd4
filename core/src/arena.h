/* Memory that is given back all at once: what an answer points to. */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;
struct arena {
    struct arena_chunk *chunks;
};

/* 8-byte aligned, uninitialised; NULL: out of memory.  n may be 0. */
void *arena_alloc(struct arena *arena, size_t n);
/* Of an empty one that will live long: room for n bytes and no more.  false: out of memory. */
bool arena_reserve(struct arena *arena, size_t n);
/* What it takes of the system's memory. */
size_t arena_bytes(const struct arena *arena);
void arena_done(struct arena *arena);

#endif
