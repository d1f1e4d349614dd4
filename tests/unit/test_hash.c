#include <string.h>

#include "bytes.h"
#include "hash.h"
#include "unit.h"

/* Here for comparison, without AVX2. */
#define XXH_INLINE_ALL
#include <xxhash.h>

/* Expected: xxHash 0.8.1's own library, XXH3_64bits() and XXH3_128bits() of <xxhash.h>. */
static const struct {
    const char *text;
    uint64_t hash_64;
    const char *hash_128;
} known[] = {
    {"", 0x2d06800538d394c2u, "99aa06d3014798d86001c324468d497f"},
    {"a", 0xe6c632b61e964e1fu, "a96faf705af16834e6c632b61e964e1f"},
    {"abc", 0x78af5f94892f3950u, "06b05ab6733a618578af5f94892f3950"},
    {"/blog/hello", 0xd71ebc84400a4210u, "0f55db7dcae6d4d5fc8c32d5690a49e5"},
};

static void hashes_are_those_of_the_published_algorithm(void) {
    for (size_t i = 0; i < N_ELEMENTS(known); i++) {
        uint8_t hex[HASH_128_HEX];
        CU_ASSERT_EQUAL(hash_64(known[i].text, strlen(known[i].text)), known[i].hash_64);
        hash_128_hex(bytes_of(known[i].text), hex);
        CU_ASSERT_EQUAL(memcmp(hex, known[i].hash_128, sizeof(hex)), 0);
    }
}

static void a_long_value_hashes_the_same_wherever_it_lies(void) {
    enum { LEN = 300000 };
    uint8_t *bytes = malloc(LEN + 64);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    for (unsigned shift = 0; shift < 64; shift += 9) {
        for (unsigned i = 0; i < LEN; i++)
            bytes[shift + i] = (uint8_t)(i * 7 + (i >> 8));
        CU_ASSERT_EQUAL(hash_64(bytes + shift, LEN), 0xf231384f525dae9fu);
    }
    free(bytes);
}

static void both_code_paths_give_the_same(void) {
#if defined(__x86_64__)
    enum { LEN = 9000 };
    uint8_t *bytes = malloc(LEN);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    for (unsigned i = 0; i < LEN; i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 8));
    if (__builtin_cpu_supports("avx2")) {
        for (size_t len = 0; len <= LEN; len += len < 1100 ? 1 : 57)
            CU_ASSERT_EQUAL(hash_64_avx2(bytes, len), XXH3_64bits(bytes, len));
    } else {
        printf("no AVX2 here: nothing to compare ");
    }
    free(bytes);
#endif
}

UNIT_MAIN("hash", UNIT(both_code_paths_give_the_same), UNIT(hashes_are_those_of_the_published_algorithm),
          UNIT(a_long_value_hashes_the_same_wherever_it_lies))
