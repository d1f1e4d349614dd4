/* Where a duration goes in a larder_histogram, and putting it there; see larder.h. */
#ifndef CORE_HISTOGRAM_H
#define CORE_HISTOGRAM_H

#include "count.h"
#include "larder/larder.h"

enum {
    HISTOGRAM_LOW_BITS = 6,   /* below 64 ns: bucket 0 */
    HISTOGRAM_HIGH_BITS = 36, /* from 68.7 s on: the last */
    HISTOGRAM_SUB_BITS = 4    /* buckets in a power of two: 16 */
};
_Static_assert(LARDER_N_BUCKETS == ((HISTOGRAM_HIGH_BITS - HISTOGRAM_LOW_BITS) << HISTOGRAM_SUB_BITS) + 2,
               "all powers of two, and one bucket at each end");

static inline size_t histogram_bucket(uint64_t ns) {
    if (ns >> HISTOGRAM_LOW_BITS == 0)
        return 0;
    if (ns >> HISTOGRAM_HIGH_BITS != 0)
        return LARDER_N_BUCKETS - 1;
    unsigned power = 63u - (unsigned)__builtin_clzll(ns);
    unsigned sub = (unsigned)(ns >> (power - HISTOGRAM_SUB_BITS)) & ((1u << HISTOGRAM_SUB_BITS) - 1);
    return 1 + ((size_t)(power - HISTOGRAM_LOW_BITS) << HISTOGRAM_SUB_BITS) + sub;
}

/* By its one writer, while others may read. */
static inline void histogram_note(struct larder_histogram *h, uint64_t took_ns) {
    size_t bucket = histogram_bucket(took_ns);

    COUNT_ADD(h->buckets[bucket], 1);
    COUNT_ADD(h->count, 1);
    COUNT_ADD(h->sum_ns, took_ns);
    if (took_ns > h->max_ns)
        COUNT_SET(h->max_ns, took_ns);
}

#endif
