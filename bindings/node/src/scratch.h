/*
 * Memory of one call's arguments, given back all at once.  The first bytes come from inside the
 * struct, so that a get, whose arguments the core copies, allocates nothing.
 */
#ifndef NODE_SCRATCH_H
#define NODE_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

enum { SCRATCH_INSIDE = 2048 };

struct scratch_chunk;
struct scratch {
    struct scratch_chunk *chunks; /* beyond `inside` */
    uint8_t *at, *end;            /* what is left of the newest chunk */
    _Alignas(8) uint8_t inside[SCRATCH_INSIDE];
};

/* The struct must not move afterwards. */
void scratch_init(struct scratch *scratch);
void scratch_done(struct scratch *scratch);

/* size bytes, 8-byte aligned, uninitialised, size 0 too; NULL: out of memory. */
void *scratch_take(struct scratch *scratch, size_t size);
/* n elements; NULL also when the product overflows. */
void *scratch_array(struct scratch *scratch, size_t n, size_t size);

#endif
