/* Counters of one writer that other threads read meanwhile: relaxed, so each number is whole. */
#ifndef CORE_COUNT_H
#define CORE_COUNT_H

#include <stddef.h>
#include <stdint.h>

#define COUNT_SET(counter, value) __atomic_store_n(&(counter), (value), __ATOMIC_RELAXED)
#define COUNT_ADD(counter, n) COUNT_SET(counter, (counter) + (n))
#define COUNT_GET(counter) __atomic_load_n(&(counter), __ATOMIC_RELAXED)

/* A struct of 64-bit counters, each read whole. */
static inline void count_copy(void *to, const void *from, size_t size) {
    uint64_t *out = to;
    const uint64_t *in = from;
    for (size_t i = 0; i < size / sizeof(*in); i++)
        out[i] = COUNT_GET(in[i]);
}

#endif
