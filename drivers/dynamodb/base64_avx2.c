/*
 * 24 bytes, 32 characters at a time, after W. Mula and D. Lemire, "Faster Base64 Encoding and Decoding
 * using AVX2 Instructions" (2018).  Called only where the processor has AVX2, which these functions alone are
 * compiled for.
 */
#include "base64.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

enum { BYTES = 24, CHARACTERS = 32, HALF = 12 };

/* Both halves of a register get the same 16 bytes. */
AVX2 static __m256i twice(__m128i half) {
    return _mm256_broadcastsi128_si256(half);
}

/* Four times six bits in each 32 bits, in the place of three bytes. */
AVX2 static __m256i spread(__m256i bytes) {
    const __m256i triples = _mm256_shuffle_epi8(
        bytes, twice(_mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10)));
    const __m256i first_and_third = _mm256_mulhi_epu16(
        _mm256_and_si256(triples, _mm256_set1_epi32(0x0FC0FC00)), _mm256_set1_epi32(0x04000040));
    const __m256i second_and_fourth = _mm256_mullo_epi16(
        _mm256_and_si256(triples, _mm256_set1_epi32(0x003F03F0)), _mm256_set1_epi32(0x01000010));
    return _mm256_or_si256(first_and_third, second_and_fourth);
}

/* What is added to six bits is told by their range: 13 for 0 to 25, 0 for 26 to 51, 1 to 12 beyond. */
AVX2 static __m256i to_characters(__m256i six_bits) {
    const __m256i added = twice(_mm_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                                              '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62,
                                              '/' - 63, 'A', 0, 0));
    const __m256i beyond = _mm256_subs_epu8(six_bits, _mm256_set1_epi8(51));
    const __m256i is_upper = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), six_bits);
    const __m256i range = _mm256_or_si256(beyond, _mm256_and_si256(is_upper, _mm256_set1_epi8(13)));
    return _mm256_add_epi8(six_bits, _mm256_shuffle_epi8(added, range));
}

AVX2 size_t ddb_base64_encode_avx2(const uint8_t *from, size_t len, uint8_t *to) {
    enum { LOADED = HALF + 16 };
    size_t done = 0;
    for (; len - done >= LOADED; done += BYTES, to += CHARACTERS) {
        const void *low = from + done, *high = from + done + HALF;
        const __m256i bytes = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(low)),
                                                      _mm_loadu_si128(high), 1);
        void *out = to;
        _mm256_storeu_si256(out, to_characters(spread(bytes)));
    }
    return done;
}

/* Six bits for each character; false: one is not of the alphabet.  The two halves of a character each
 * select a set of mistakes; it is none where the sets have nothing in common. */
AVX2 static bool to_six_bits(__m256i characters, __m256i *ret) {
    const __m256i slash = _mm256_set1_epi8('/');
    const __m256i by_low = twice(_mm_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                               0x13, 0x1A, 0x1B, 0x1B, 0x1B, 0x1A));
    const __m256i by_high = twice(_mm_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10,
                                                0x10, 0x10, 0x10, 0x10, 0x10, 0x10));
    const __m256i added = twice(_mm_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0));
    const __m256i nibble = _mm256_set1_epi8(0x0F);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi32(characters, 4), nibble);
    const __m256i low = _mm256_and_si256(characters, nibble);
    if (!_mm256_testz_si256(_mm256_shuffle_epi8(by_low, low), _mm256_shuffle_epi8(by_high, high)))
        return false;
    /* '/' and '+' share their upper half: the former takes the row before. */
    const __m256i row = _mm256_add_epi8(_mm256_cmpeq_epi8(characters, slash), high);
    *ret = _mm256_add_epi8(characters, _mm256_shuffle_epi8(added, row));
    return true;
}

/* The inverse of spread(): 24 bytes at the beginning. */
AVX2 static __m256i gather(__m256i six_bits) {
    const __m256i twelve = _mm256_maddubs_epi16(six_bits, _mm256_set1_epi32(0x01400140));
    const __m256i triples = _mm256_madd_epi16(twelve, _mm256_set1_epi32(0x00011000));
    const __m256i packed = _mm256_shuffle_epi8(
        triples, twice(_mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1)));
    return _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7));
}

AVX2 size_t ddb_base64_decode_avx2(const uint8_t *from, uint8_t *to, size_t len) {
    enum { STORED = 32 };
    size_t done = 0;
    __m256i six_bits;
    for (; len - done >= STORED; done += BYTES, from += CHARACTERS) {
        const void *in = from;
        void *out = to + done;
        if (!to_six_bits(_mm256_loadu_si256(in), &six_bits))
            break;
        _mm256_storeu_si256(out, gather(six_bits));
    }
    return done;
}

#endif
