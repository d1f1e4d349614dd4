/* Keys are data: any bytes, any length, and no two of them the same entry. */

#include "suites.h"

/* Under each key in turn, then all at once: a key that is folded onto another shows. */
static void every_byte_may_stand_in_a_key(void) {
    for (int byte = 0; byte < 256; byte++) {
        uint8_t tails[2][3] = {{(uint8_t)byte}, {'a', (uint8_t)byte, 'b'}};
        for (int i = 0; i < 2 && key_byte_allowed(byte); i++) {
            struct larder_bytes key = name_bytes("bytes", tails[i], i == 0 ? 1 : 3);
            CU_ASSERT_EQUAL(put_value(drive.one, key, 9, (uint64_t)(byte * 2 + i), 0), LARDER_OK);
        }
    }
    for (int byte = 0; byte < 256; byte++) {
        uint8_t tails[2][3] = {{(uint8_t)byte}, {'a', (uint8_t)byte, 'b'}};
        for (int i = 0; i < 2 && key_byte_allowed(byte); i++) {
            struct larder_bytes key = name_bytes("bytes", tails[i], i == 0 ? 1 : 3);
            CU_ASSERT_EQUAL(get_value(drive.one, key, 9, (uint64_t)(byte * 2 + i)), LARDER_OK);
        }
    }
    if (drive.one->info.key_bytes != 0)
        unclaimed("every byte in keys");
}

#define RAW(text) \
    { (const uint8_t *)(text), sizeof(text) - 1 }

static void keys_are_data_and_lead_nowhere(void) {
    static const struct larder_bytes tails[] = {RAW("../x"),
                                                RAW("x"),
                                                RAW("../../../../../../tmp/x"),
                                                RAW("/"),
                                                RAW("//"),
                                                RAW("///x"),
                                                RAW("."),
                                                RAW(".."),
                                                RAW("./x"),
                                                RAW("a/../x"),
                                                RAW("a//x"),
                                                RAW("a/x"),
                                                RAW("a/"),
                                                RAW("a"),
                                                RAW("A"),
                                                RAW("a\0"),
                                                RAW("a\0b"),
                                                RAW("a\0c"),
                                                RAW("\0"),
                                                RAW("a\n"),
                                                RAW("a "),
                                                RAW(" a"),
                                                RAW("a\r\n\r\nGET / HTTP/1.1"),
                                                RAW("%2e%2e%2fx"),
                                                RAW("a%00"),
                                                RAW("a+b"),
                                                RAW("a b"),
                                                RAW("a%20b"),
                                                RAW("a?b#c&d=e"),
                                                RAW("*"),
                                                RAW("{x}"),
                                                RAW("[a-z]"),
                                                RAW("~/x"),
                                                RAW("\\..\\x"),
                                                RAW("$HOME"),
                                                RAW("`id`"),
                                                RAW("'; --"),
                                                RAW("<x>"),
                                                RAW("\xc3\xa9"),
                                                RAW("e\xcc\x81"),
                                                RAW("\xf0\x9f\x8d\xb0"),
                                                RAW(".tmp"),
                                                RAW("x.tmp"),
                                                RAW("CON"),
                                                RAW("__proto__")};
    unsigned skipped = 0;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < N_ELEMENTS(tails); i++) {
            bool allowed = true;
            for (size_t at = 0; at < tails[i].len; at++)
                allowed = allowed && (key_byte_allowed(tails[i].ptr[at]) ||
                                      (drive.one->info.key_bytes == 1 && tails[i].ptr[at] >= 0x80));
            if (!allowed) {
                skipped++;
                continue;
            }
            struct larder_bytes key = name_bytes("awkward", tails[i].ptr, tails[i].len);
            if (round == 0)
                CU_ASSERT_EQUAL(put_value(drive.one, key, 20, i, 0), LARDER_OK);
            if (round == 1)
                CU_ASSERT_EQUAL(get_value(drive.one, key, 20, i), LARDER_OK);
        }
    }
    if (skipped > 0)
        unclaimed("every byte in keys");
}

static void long_keys_that_differ_in_their_last_byte_are_different_keys(void) {
    size_t len = 4096, base = name("long", "%s", "").len;
    uint64_t max_key = drive.one->info.max_key;
    if (max_key > 0 && max_key < len) {
        unclaimed("keys of 4 KB");
        len = (size_t)max_key;
    }
    if (len < base + 2)
        return;
    char *tail = malloc(len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tail);
    memset(tail, 'k', len);
    for (int i = 0; i < 3; i++) {
        tail[len - base - 1] = (char)('a' + i);
        CU_ASSERT_EQUAL(put_value(drive.one, name_bytes("long", tail, len - base), 30, (uint64_t)i, 0),
                        LARDER_OK);
    }
    for (int i = 0; i < 3; i++) {
        tail[len - base - 1] = (char)('a' + i);
        CU_ASSERT_EQUAL(get_value(drive.one, name_bytes("long", tail, len - base), 30, (uint64_t)i),
                        LARDER_OK);
    }
    tail[len - base - 1] = 'z';
    CU_ASSERT_FALSE(is_there(drive.one, name_bytes("long", tail, len - base)));
    CU_ASSERT_FALSE(is_there(drive.one, name_bytes("long", tail, len - base - 1)));
    free(tail);
}

static const struct unit_test tests[] = {
    UNIT(every_byte_may_stand_in_a_key),
    UNIT(keys_are_data_and_lead_nowhere),
    UNIT(long_keys_that_differ_in_their_last_byte_are_different_keys),
};
const struct suite keys_suite = {"keys", LARDER_OP_GET, tests, N_ELEMENTS(tests)};
