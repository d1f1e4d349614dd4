#include <string.h>

#include "bytes.h"
#include "random.h"
#include "text.h"
#include "unit.h"

/* Transcodes UTF-16 to WTF-8 and back and compares; returns the WTF-8 length. */
static size_t round_trip(const uint16_t *text, size_t units) {
    size_t len = text_utf8_len_of_utf16(text, units);
    uint8_t *utf8 = malloc(len + 1);
    uint16_t *back = malloc((units + 1) * sizeof(*back));
    CU_ASSERT_FATAL(utf8 != NULL && back != NULL);
    utf8[len] = 0xEE;
    back[units] = 0xEEEE;
    text_utf8_from_utf16(text, units, utf8);
    CU_ASSERT_EQUAL(utf8[len], 0xEE);

    struct text_shape shape = text_shape_of_utf8(utf8, len);
    bool ascii = true, latin1 = true;
    for (size_t i = 0; i < units; i++) {
        ascii = ascii && text[i] < 0x80;
        latin1 = latin1 && text[i] < 0x100;
    }
    CU_ASSERT(shape.valid);
    CU_ASSERT_EQUAL(shape.utf16_units, units);
    CU_ASSERT_EQUAL(shape.ascii, ascii);
    CU_ASSERT_EQUAL(shape.latin1, latin1);
    text_utf16_from_utf8(utf8, len, back);
    CU_ASSERT_EQUAL(back[units], 0xEEEE);
    CU_ASSERT(units == 0 || memcmp(back, text, units * sizeof(*back)) == 0);
    free(utf8);
    free(back);
    return len;
}

static void every_code_point_and_every_lone_surrogate_survives(void) {
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        uint16_t text[2] = {(uint16_t)code};
        size_t units = 1;
        if (code >= 0x10000) {
            text[0] = (uint16_t)(0xD800 + ((code - 0x10000) >> 10));
            text[1] = (uint16_t)(0xDC00 + (code & 0x3FF));
            units = 2;
        }
        uint8_t utf8[4];
        size_t want = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        CU_ASSERT_EQUAL_FATAL(text_utf8_len_of_utf16(text, units), want);
        text_utf8_from_utf16(text, units, utf8);
        struct text_shape shape = text_shape_of_utf8(utf8, want);
        uint16_t back[2] = {0};
        CU_ASSERT_FATAL(shape.valid && shape.utf16_units == units);
        text_utf16_from_utf8(utf8, want, back);
        CU_ASSERT_FATAL(memcmp(back, text, units * sizeof(*text)) == 0);
    }
}

static void surrogates_survive_in_any_order(void) {
    static const uint16_t some[] = {'a', 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xE9, 0x4E2D};
    enum { N = N_ELEMENTS(some), LEN = 5 };
    unsigned n = 1;
    for (int i = 0; i < LEN; i++)
        n *= N;
    for (unsigned i = 0; i < n; i++) {
        uint16_t text[LEN];
        for (unsigned j = 0, rest = i; j < LEN; j++, rest /= N)
            text[j] = some[rest % N];
        round_trip(text, LEN);
    }
}

static void a_text_is_the_same_wherever_its_islands_are(void) {
    enum { LEN = 150 };
    static const uint16_t islands[] = {0x7F, 0x80, 0xFF, 0x100, 0x7FF, 0x800, 0xD800, 0xFFFF};
    for (size_t i = 0; i < N_ELEMENTS(islands); i++) {
        for (size_t at = 0; at < LEN; at++) {
            uint16_t text[LEN];
            for (size_t j = 0; j < LEN; j++)
                text[j] = (uint16_t)(' ' + j % 90);
            text[at] = islands[i];
            size_t more = islands[i] < 0x80 ? 0 : islands[i] < 0x800 ? 1 : 2;
            CU_ASSERT_EQUAL(round_trip(text, LEN), LEN + more);
            CU_ASSERT_EQUAL(round_trip(text, at), at);
            CU_ASSERT_EQUAL(round_trip(text + at, LEN - at), LEN - at + more);
        }
    }
}

static void random_texts_survive(void) {
    uint64_t seed = 7, state = seed;
    for (int round = 0; round < 3000; round++) {
        uint16_t text[300];
        size_t units = random_below(&state, N_ELEMENTS(text) + 1);
        uint32_t dense = 1 + random_below(&state, 60);
        for (size_t i = 0; i < units; i++)
            text[i] = (uint16_t)(random_below(&state, dense) > 0 ? 'a' + i % 26
                                                                 : random_next(&state) & 0xFFFF);
        round_trip(text, units);
    }
}

static void every_latin1_text_survives(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < 70; at++) {
            uint8_t text[70], utf8[140], back[71];
            for (size_t i = 0; i < sizeof(text); i++)
                text[i] = (uint8_t)(i % 3 == 1 ? byte : 'a');
            text[at] = (uint8_t)byte;
            size_t len = text_utf8_len_of_latin1(text, sizeof(text));
            CU_ASSERT_FATAL(len <= sizeof(utf8));
            text_utf8_from_latin1(text, sizeof(text), utf8);
            struct text_shape shape = text_shape_of_utf8(utf8, len);
            CU_ASSERT(shape.valid && shape.latin1 && shape.utf16_units == sizeof(text));
            CU_ASSERT_EQUAL(shape.ascii, byte < 0x80);
            back[70] = 0xEE;
            text_latin1_from_utf8(utf8, len, back);
            CU_ASSERT_EQUAL(back[70], 0xEE);
            CU_ASSERT_EQUAL(memcmp(back, text, sizeof(text)), 0);
        }
    }
}

/* The definition of generalized UTF-8 (Unicode 3.9 table 3-7 with ED 80..BF) and of WTF-8: no
 * lead surrogate directly before a trail surrogate. */
static bool is_wtf8_by_the_table(const uint8_t *p, size_t len) {
    bool lead = false;
    for (size_t at = 0; at < len;) {
        uint32_t a = p[at];
        size_t n = a < 0x80                 ? 1
                   : a >= 0xC2 && a <= 0xDF ? 2
                   : a >= 0xE0 && a <= 0xEF ? 3
                   : a >= 0xF0 && a <= 0xF4 ? 4
                                            : 0;
        if (n == 0 || n > len - at)
            return false;
        for (size_t i = 1; i < n; i++) {
            uint32_t low = 0x80, high = 0xBF;
            if (i == 1)
                low = a == 0xE0 ? 0xA0 : a == 0xF0 ? 0x90 : 0x80;
            if (i == 1 && a == 0xF4)
                high = 0x8F;
            if (p[at + i] < low || p[at + i] > high)
                return false;
        }
        bool trail = a == 0xED && p[at + 1] >= 0xB0;
        if (lead && trail)
            return false;
        lead = a == 0xED && p[at + 1] >= 0xA0 && p[at + 1] < 0xB0;
        at += n;
    }
    return true;
}

static void wtf8_is_told_exactly(void) {
    /* The bytes at which a range begins or ends: every sequence of six; and behind any two. */
    static const uint8_t edges[] = {'a', 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xB0, 0xBF, 0xC2, 0xE0, 0xED, 0xF0};
    enum { N = N_ELEMENTS(edges) };
    for (uint32_t i = 0; i < N * N * N * N * N * N; i++) {
        uint8_t text[6];
        for (uint32_t j = 0, rest = i; j < sizeof(text); j++, rest /= N)
            text[j] = edges[rest % N];
        if (text_shape_of_utf8(text, sizeof(text)).valid != is_wtf8_by_the_table(text, sizeof(text))) {
            CU_FAIL("six bytes");
            return;
        }
    }
    for (uint32_t i = 0; i < 256 * 256 * 9; i++) {
        static const uint8_t more[] = {'a', 0x80, 0xBF};
        uint8_t text[] = {(uint8_t)(i >> 8), (uint8_t)i, more[(i >> 16) % 3], more[(i >> 16) / 3]};
        for (size_t len = 1; len <= sizeof(text); len++) {
            if (text_shape_of_utf8(text, len).valid != is_wtf8_by_the_table(text, len)) {
                CU_FAIL("any two bytes");
                return;
            }
        }
    }
}

static void a_pair_of_surrogates_written_as_two_is_refused(void) {
    static const uint8_t pair[] = {0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80};
    static const uint8_t apart[] = {0xED, 0xA0, 0xBD, 'x', 0xED, 0xB8, 0x80};
    static const uint8_t reversed[] = {0xED, 0xB8, 0x80, 0xED, 0xA0, 0xBD};
    CU_ASSERT(!text_shape_of_utf8(pair, sizeof(pair)).valid);
    CU_ASSERT(text_shape_of_utf8(apart, sizeof(apart)).valid);
    CU_ASSERT(text_shape_of_utf8(reversed, sizeof(reversed)).valid);
}

/* U+2DA00 ends in the bits of a lead surrogate, U+2DE00 in those of a trail surrogate. */
static void a_great_code_point_is_not_taken_for_a_surrogate(void) {
    static const uint16_t text[] = {0xD876, 0xDE00, 0xDE00, 'x',    0xD800, 0xD877,
                                    0xDE00, 0xD876, 0xDE00, 0xD877, 0xDE00};
    CU_ASSERT_EQUAL(round_trip(text, N_ELEMENTS(text)), 4 + 3 + 1 + 3 + 4 + 4 + 4);
}

static void an_empty_text_is_one(void) {
    struct text_shape shape = text_shape_of_utf8(NULL, 0);
    CU_ASSERT(shape.valid && shape.ascii && shape.latin1 && shape.utf16_units == 0);
    CU_ASSERT_EQUAL(text_utf8_len_of_utf16(NULL, 0), 0);
    CU_ASSERT_EQUAL(text_utf8_len_of_latin1(NULL, 0), 0);
    text_utf8_from_utf16(NULL, 0, NULL);
    text_utf8_from_latin1(NULL, 0, NULL);
    text_latin1_from_utf8(NULL, 0, NULL);
    text_utf16_from_utf8(NULL, 0, NULL);
}

UNIT_MAIN("text", UNIT(every_code_point_and_every_lone_surrogate_survives),
          UNIT(surrogates_survive_in_any_order), UNIT(a_text_is_the_same_wherever_its_islands_are),
          UNIT(random_texts_survive), UNIT(every_latin1_text_survives), UNIT(wtf8_is_told_exactly),
          UNIT(a_pair_of_surrogates_written_as_two_is_refused),
          UNIT(a_great_code_point_is_not_taken_for_a_surrogate), UNIT(an_empty_text_is_one))
