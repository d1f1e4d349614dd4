#include "arena.h"

#include <stdint.h>
#include <stdlib.h>

enum { FIRST_CHUNK_BYTES = 1024 - 64, MAX_CHUNK_BYTES = 64 * 1024 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    size_t used;
    _Alignas(8) uint8_t bytes[];
};

void *arena_alloc(struct arena *arena, size_t n) {
    struct arena_chunk *c = arena->chunks;
    if (n > SIZE_MAX / 2)
        return NULL;
    n = (n + 7u) & ~(size_t)7u;
    if (c == NULL || c->size - c->used < n) {
        size_t size = c == NULL ? FIRST_CHUNK_BYTES : c->size * 2;
        if (size > MAX_CHUNK_BYTES)
            size = MAX_CHUNK_BYTES;
        if (size < n)
            size = n;
        c = malloc(sizeof(*c) + size);
        if (c == NULL)
            return NULL;
        *c = (struct arena_chunk){.next = arena->chunks, .size = size};
        arena->chunks = c;
    }
    void *at = c->bytes + c->used;
    c->used += n;
    return at;
}

void arena_done(struct arena *arena) {
    struct arena_chunk *c = arena->chunks;
    arena->chunks = NULL;
    while (c != NULL) {
        struct arena_chunk *next = c->next;
        free(c);
        c = next;
    }
}
