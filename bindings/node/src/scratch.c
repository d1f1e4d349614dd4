#include "scratch.h"

#include <stdlib.h>

enum { ALIGN = 8, CHUNK = 8 * 1024 };

struct scratch_chunk {
    struct scratch_chunk *next;
    _Alignas(ALIGN) uint8_t bytes[];
};

void scratch_init(struct scratch *scratch) {
    scratch->chunks = NULL;
    scratch->at = scratch->inside;
    scratch->end = scratch->inside + SCRATCH_INSIDE;
}

void scratch_done(struct scratch *scratch) {
    while (scratch->chunks) {
        struct scratch_chunk *next = scratch->chunks->next;
        free(scratch->chunks);
        scratch->chunks = next;
    }
    scratch_init(scratch);
}

void *scratch_take(struct scratch *scratch, size_t size) {
    if (size > PTRDIFF_MAX - sizeof(struct scratch_chunk) - ALIGN)
        return NULL;
    size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);

    if (size > (size_t)(scratch->end - scratch->at)) {
        /* A large block is one of its own, so that what is left of the present chunk stays in use. */
        size_t room = size < CHUNK ? CHUNK : size;
        struct scratch_chunk *chunk = malloc(sizeof(*chunk) + room);
        if (!chunk)
            return NULL;
        chunk->next = scratch->chunks;
        scratch->chunks = chunk;
        if (room == size)
            return chunk->bytes;
        scratch->at = chunk->bytes;
        scratch->end = chunk->bytes + room;
    }
    void *taken = scratch->at;
    scratch->at += size;
    return taken;
}

void *scratch_array(struct scratch *scratch, size_t n, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(n, size, &total))
        return NULL;
    return scratch_take(scratch, total);
}
