/*
 * Memory that tells when it is used wrongly: each piece ends at the end of a page, with a page
 * behind it that nobody may touch; a piece can be made read-only, and later be taken away while
 * its addresses stay reserved, so that a late touch is a fault at an address that is known.
 */
#ifndef CONFORMANCE_GUARD_H
#define CONFORMANCE_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GUARD_PIECES = 5 };

struct guard { /* one mapping with up to GUARD_PIECES pieces; memory of the owner's */
    uint8_t *base;
    size_t size;
    size_t slot;
    bool plain; /* the process has no more mappings to give: ordinary memory without a guard */
    bool closed;
    struct guard_piece {
        uint8_t *ptr; /* a piece of no bytes points at memory that nobody may touch */
        size_t len;
    } piece[GUARD_PIECES];
    size_t n;
    unsigned kind; /* these two for guard_on_fault() */
    const void *owner;
};

/* Pieces of these lengths, filled with 0xa5, aligned only as far as their lengths are.  False: no
 * memory. */
bool guard_new(struct guard *ret, const size_t *lens, size_t n, unsigned kind, const void *owner);
void guard_read_only(struct guard *g, size_t piece);
/* Only the pages that lie wholly within these bytes. */
void guard_read_only_inside(struct guard *g, const uint8_t *ptr, size_t len);
/* Takes the memory away; the addresses stay reserved until guard_free(). */
void guard_close(struct guard *g);
void guard_free(struct guard *g);
/* Whether a byte before a piece was changed, as far as the page goes (guard_new() left it 0xa5). */
bool guard_is_whole(const struct guard *g, size_t piece);

/* Faults at guarded addresses end the process after a call of fn, on the thread that caused it,
 * in a signal handler.  Faults elsewhere go where they went before.  Once per process. */
enum guard_access { GUARD_READ, GUARD_WRITE, GUARD_EITHER };
typedef void guard_fault_fn(const struct guard *g, const uint8_t *at, enum guard_access access);
void guard_on_fault(guard_fault_fn *fn);

#endif
