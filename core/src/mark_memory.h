/*
 * Marks that were read lately, so that a get need not read them again within `mark-age`.  What is
 * here may be outdated by a revalidation of another process by as much as that; one of this
 * process takes its tags out when it completes.  Reactor's thread only.
 */
#ifndef CORE_MARK_MEMORY_H
#define CORE_MARK_MEMORY_H

#include <stdbool.h>

#include "larder/larder.h"

enum { MARK_MEMORY_TAGS = 1 << 14 }; /* at most; one more, and all are forgotten */

struct marked { /* one tag; members of mark as LARDER_UNSET where the store has no mark */
    struct larder_mark mark;
    uint64_t hash;
    uint64_t asked_ns; /* when the read of it was sent */
    bool forgotten;
};

struct mark_memory {
    uint64_t age_ns;     /* 0: nothing is remembered */
    uint64_t generation; /* counts what may have made reads under way outdated */
    struct marked *slots;
    size_t n_slots, n; /* a power of two, at most half full */
};

void mark_memory_init(struct mark_memory *memory, uint64_t age_ns);
void mark_memory_done(struct mark_memory *memory);

/* NULL: not here, or too old at now_ns.  Good until the next change. */
const struct marked *mark_memory_find(const struct mark_memory *memory, struct larder_bytes tag,
                                      uint64_t now_ns);
/* mark NULL: the store has none.  Copies the tag. */
void mark_memory_put(struct mark_memory *memory, struct larder_bytes tag, const struct larder_mark *mark,
                     uint64_t asked_ns);
/* Where the tag's mark is here: this one was written as well, at whatever time.  How long the result is trusted
 * does not change. */
void mark_memory_merge(struct mark_memory *memory, const struct larder_mark *mark, int64_t now_ms);
/* A revalidation of these tags has begun, or is over: reads under way may have missed it. */
void mark_memory_disturb(struct mark_memory *memory);
void mark_memory_forget(struct mark_memory *memory, struct larder_bytes tag);
void mark_memory_forget_all(struct mark_memory *memory);

#endif
