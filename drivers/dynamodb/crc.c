#include "crc.h"

#include <string.h>

/* table[0] is what a byte does to the register, table[k] what it does with k zero bytes behind it. */
void ddb_crc_init(struct ddb_crc *crc) {
    static const uint32_t polynomial = 0xEDB88320u;
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (value & 1 ? polynomial : 0);
        crc->table[0][byte] = value;
    }
    for (size_t k = 1; k < 8; k++)
        for (size_t byte = 0; byte < 256; byte++) {
            uint32_t before = crc->table[k - 1][byte];
            crc->table[k][byte] = before >> 8 ^ crc->table[0][before & 255];
        }
}

/* From one state of the register to the next. */
static uint32_t by_table(const struct ddb_crc *crc, uint32_t value, struct larder_bytes bytes) {
    const uint8_t *p = bytes.ptr;
    size_t len = bytes.len;
    for (; len >= 8; p += 8, len -= 8) {
        const uint32_t first = value ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                                        (uint32_t)p[3] << 24);
        value = crc->table[7][first & 255] ^ crc->table[6][first >> 8 & 255] ^
                crc->table[5][first >> 16 & 255] ^ crc->table[4][first >> 24] ^ crc->table[3][p[4]] ^
                crc->table[2][p[5]] ^ crc->table[1][p[6]] ^ crc->table[0][p[7]];
    }
    for (; len > 0; p++, len--)
        value = value >> 8 ^ crc->table[0][(*p ^ value) & 255];
    return value;
}

uint32_t ddb_crc32_by_table(const struct ddb_crc *crc, struct larder_bytes bytes) {
    return ~by_table(crc, ~0u, bytes);
}

#if defined(__x86_64__)
#include <immintrin.h>

/*
 * Carry-less multiplication: V. Gopal and others, "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ
 * Instruction", Intel 2009, with the constants that it gives for this polynomial: powers of x by which a lane is moved
 * over those behind it, and for the reduction at the end.
 */
#define CLMUL __attribute__((target("pclmul,sse4.1")))

CLMUL static __m128i load(const uint8_t *p) {
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

CLMUL static __m128i fold(__m128i lane, __m128i by, __m128i into) {
    const __m128i low = _mm_clmulepi64_si128(lane, by, 0x00), high = _mm_clmulepi64_si128(lane, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), into);
}

/* At least 64 bytes, and a multiple of 16. */
CLMUL static uint32_t by_multiplying(uint32_t value, const uint8_t *p, size_t len) {
    const __m128i by_512 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
    const __m128i by_128 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    const __m128i by_64 = _mm_set_epi64x(0, 0x163cd6124);
    const __m128i reduce = _mm_set_epi64x(0x1f7011641, 0x1db710641);
    const __m128i words = _mm_setr_epi32(-1, 0, -1, 0);
    __m128i lanes[4];
    for (size_t i = 0; i < 4; i++)
        lanes[i] = load(p + 16 * i);
    lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi32_si128((int)value));
    for (p += 64, len -= 64; len >= 64; p += 64, len -= 64)
        for (size_t i = 0; i < 4; i++)
            lanes[i] = fold(lanes[i], by_512, load(p + 16 * i));
    __m128i x = lanes[0];
    for (size_t i = 1; i < 4; i++)
        x = fold(x, by_128, lanes[i]);
    for (; len >= 16; p += 16, len -= 16)
        x = fold(x, by_128, load(p));
    /* 128 bits to 64, to 32. */
    x = _mm_xor_si128(_mm_srli_si128(x, 8), _mm_clmulepi64_si128(x, by_128, 0x10));
    x = _mm_xor_si128(_mm_srli_si128(x, 4), _mm_clmulepi64_si128(_mm_and_si128(x, words), by_64, 0x00));
    __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(x, words), reduce, 0x10);
    x = _mm_xor_si128(x, _mm_clmulepi64_si128(_mm_and_si128(quotient, words), reduce, 0x00));
    return (uint32_t)_mm_extract_epi32(x, 1);
}

uint32_t ddb_crc32(const struct ddb_crc *crc, struct larder_bytes bytes) {
    uint32_t value = ~0u;
    if (bytes.len >= 64 && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1")) {
        size_t whole = bytes.len / 16 * 16;
        value = by_multiplying(value, bytes.ptr, whole);
        bytes = (struct larder_bytes){bytes.ptr + whole, bytes.len - whole};
    }
    return ~by_table(crc, value, bytes);
}
#else
uint32_t ddb_crc32(const struct ddb_crc *crc, struct larder_bytes bytes) {
    return ddb_crc32_by_table(crc, bytes);
}
#endif
