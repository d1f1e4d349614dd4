/* Hashes of the stored format: XXH3, as published by xxHash 0.8.  Pure functions, any thread. */
#ifndef CORE_HASH_H
#define CORE_HASH_H

#include "larder/driver.h"

/* XXH3-64 with seed 0: the checksum of a frame, and for tables.  Not against an attacker. */
uint64_t hash_64(const void *data, size_t len);
/* The same, for processors with AVX2: hash_64() asks. */
uint64_t hash_64_avx2(const void *data, size_t len);

/* XXH3-128 with seed 0 in its canonical form (high half first, big-endian) as 32 lower-case hex
 * digits, without a NUL: the name of a key that a store cannot take.  Names only: two keys with
 * one hash are told apart by the full key in the frame. */
enum { HASH_128_HEX = 32 };
void hash_128_hex(struct larder_bytes data, uint8_t out[HASH_128_HEX]);

#endif
