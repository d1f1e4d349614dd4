/* Randomness to spread things with, from a seed (splitmix64); not for secrets. */
#ifndef CORE_JITTER_H
#define CORE_JITTER_H

#include <stdint.h>

static inline uint64_t jitter_next(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* 0 .. most, both possible. */
static inline uint64_t jitter_upto(uint64_t *state, uint64_t most) {
    return most == UINT64_MAX ? jitter_next(state) : jitter_next(state) % (most + 1);
}

#endif
