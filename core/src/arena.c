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

static bool add_chunk(struct arena *arena, size_t size) {
    struct arena_chunk *c = malloc(sizeof(*c) + size);
    if (c == NULL)
        return false;
    *c = (struct arena_chunk){.next = arena->chunks, .size = size};
    arena->chunks = c;
    return true;
}

static size_t rounded(size_t n) {
    return (n + 7u) & ~(size_t)7u;
}

bool arena_reserve(struct arena *arena, size_t n) {
    return n <= SIZE_MAX / 2 && add_chunk(arena, rounded(n));
}

size_t arena_bytes(const struct arena *arena) {
    size_t sum = 0;
    for (const struct arena_chunk *c = arena->chunks; c != NULL; c = c->next)
        sum += sizeof(*c) + c->size;
    return sum;
}

void *arena_alloc(struct arena *arena, size_t n) {
    struct arena_chunk *c = arena->chunks;
    if (n > SIZE_MAX / 2)
        return NULL;
    n = rounded(n);
    if (c == NULL || c->size - c->used < n) {
        size_t size = c == NULL ? FIRST_CHUNK_BYTES : c->size * 2;
        if (size > MAX_CHUNK_BYTES)
            size = MAX_CHUNK_BYTES;
        if (size < n)
            size = n;
        if (!add_chunk(arena, size))
            return NULL;
        c = arena->chunks;
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
