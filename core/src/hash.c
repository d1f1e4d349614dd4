/* This file and hash_avx2.c alone include <xxhash.h>: with XXH_INLINE_ALL nothing of it is linked or
 * exported. */
#include "hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Where AVX2 pays for the question. */
enum { LONG = 4096 };

uint64_t hash_64(const void *data, size_t len) {
#if defined(__x86_64__)
    if (len >= LONG && __builtin_cpu_supports("avx2"))
        return hash_64_avx2(data, len);
#endif
    return XXH3_64bits(data, len);
}

void hash_128_hex(struct larder_bytes data, uint8_t out[HASH_128_HEX]) {
    static const char digits[] = "0123456789abcdef";
    XXH128_canonical_t canonical;

    XXH128_canonicalFromHash(&canonical, XXH3_128bits(data.ptr, data.len));
    for (size_t i = 0; i < sizeof(canonical.digest); i++) {
        out[2 * i] = (uint8_t)digits[canonical.digest[i] >> 4];
        out[2 * i + 1] = (uint8_t)digits[canonical.digest[i] & 15];
    }
}
