/* Values: every size, every byte, parts of buffers, too much. */
#include "suites.h"

enum { MB = 1 << 20 };

static uint64_t largest(void) {
    uint64_t max_value = drive.one->info.max_value;
    return max_value > 0 ? max_value : UINT64_MAX;
}

static void try_size(size_t size, uint64_t seed) {
    struct larder_bytes key = name("sizes", "%zu", size);
    CU_ASSERT_EQUAL(get_value(drive.one, key, size, seed), LARDER_MISS);
    CU_ASSERT_EQUAL(put_value(drive.one, key, size, seed, 0), LARDER_OK);
    CU_ASSERT_EQUAL(get_value(drive.one, key, size, seed), LARDER_OK);
    CU_ASSERT_EQUAL(get_value(drive.two, key, size, seed), LARDER_OK);
    CU_ASSERT_EQUAL(remove_key(drive.one, key), LARDER_OK);
}

static void values_of_every_size_are_read_back_byte_for_byte(void) {
    static const size_t sizes[] = {0,     1,     2,      3,      7,          8,          9,     255, 256,
                                   1023,  4095,  4096,   4097,   16383,      32767,      32768, MB,  65535,
                                   65536, 65537, 131072, 300000, 300 * 1024, 400 * 1024, MB + 1};
    for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
        if (sizes[i] > largest())
            unclaimed("values that large");
        else
            try_size(sizes[i], 2 * i + i % 3);
    }
}

static void a_value_of_20_mb_or_the_largest_is_read_back_byte_for_byte(void) {
    size_t size = largest() < 20 * MB ? (size_t)largest() : 20 * MB;
    if (size < 20 * MB)
        unclaimed("values of 20 MB");
    for (unsigned i = 0; i < 2; i++) {
        struct larder_bytes key = name("large", "%u", i);
        CU_ASSERT_EQUAL(put_value(drive.one, key, size - i, 3 + i, 0), LARDER_OK);
        CU_ASSERT_EQUAL(get_value(drive.two, key, size - i, 3 + i), LARDER_OK);
        CU_ASSERT_EQUAL(remove_key(drive.one, key), LARDER_OK);
    }
}

static void a_value_beyond_the_limit_is_refused_as_too_big(void) {
    uint64_t max_value = drive.one->info.max_value;
    if (max_value == 0 || max_value > 64 * MB) {
        unclaimed("a limit for values that is worth trying");
        return;
    }
    struct larder_bytes key = name("too-big", "x"), other = name("too-big", "never");
    CU_ASSERT_EQUAL(put_value(drive.one, key, (size_t)max_value, 1, 0), LARDER_OK);
    CU_ASSERT_EQUAL(put_value(drive.one, key, (size_t)max_value + 1, 2, 0), LARDER_TOO_BIG);
    CU_ASSERT_EQUAL(get_value(drive.one, key, (size_t)max_value, 1), LARDER_OK);
    CU_ASSERT_EQUAL(put_value(drive.one, other, 2 * (size_t)max_value, 2, 0), LARDER_TOO_BIG);
    CU_ASSERT_FALSE(is_there(drive.one, other));
}

static struct larder_slice filled(const void *bytes, size_t len) {
    struct larder_slice value;
    uint8_t *to = buf_new(len, &value);
    CU_ASSERT_PTR_NOT_NULL_FATAL(to);
    memcpy(to, bytes, len);
    return value;
}

static void comes_back(const char *tail, const void *bytes, size_t len) {
    struct larder_bytes key = name("filled", "%s", tail);
    struct larder_slice value = filled(bytes, len);
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PUT, (struct op_inputs){.key = key, .value = value}),
                    LARDER_OK);
    struct op *op = call(drive.two, LARDER_OP_GET, (struct op_inputs){.key = key});
    CU_ASSERT_EQUAL(op->result.status, LARDER_OK);
    CU_ASSERT(bytes_equal(slice_bytes(op->result.value), slice_bytes(value)));
    op_free(op);
    slice_done(&value);
}

static void every_byte_may_stand_in_a_value(void) {
    uint8_t all[512];
    for (int i = 0; i < 512; i++)
        all[i] = (uint8_t)(i < 256 ? i : 511 - i);
    comes_back("all", all, sizeof(all));
    for (int byte = 0; byte < 256; byte++) {
        char tail[24];
        uint8_t few[3] = {(uint8_t)byte, (uint8_t)byte, (uint8_t)byte};
        snprintf(tail, sizeof(tail), "%d", byte);
        comes_back(tail, few, 1 + (size_t)byte % 3);
    }
}

/* What a store might take for its own: lengths, ends of lines, protocols, compressed frames. */
static void values_that_look_like_something_else_come_back_as_they_were(void) {
    static const struct {
        const char *bytes;
        size_t len;
    } values[] = {{"\0", 1},
                  {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16},
                  {"a\0b", 3},
                  {"ends in NUL\0", 12},
                  {"\r\n", 2},
                  {"$-1\r\n", 5},
                  {"END\r\n", 5},
                  {"VALUE x 0 1\r\n", 13},
                  {"null", 4},
                  {"{}", 2},
                  {"0", 1},
                  {"-1", 2},
                  {"%00", 3},
                  {"\x28\xb5\x2f\xfd\x00", 5},
                  {"\x1f\x8b\x08\x00", 4},
                  {"\xff\xfe", 2},
                  {"\xed\xa0\x80", 3},
                  {" padded ", 8}};
    for (size_t i = 0; i < N_ELEMENTS(values); i++) {
        char tail[24];
        snprintf(tail, sizeof(tail), "like-%zu", i);
        comes_back(tail, values[i].bytes, values[i].len);
    }
}

static void a_value_may_be_a_part_of_a_larger_buffer(void) {
    struct larder_slice whole = value_of(1000, 1), part = whole;
    part.ptr += 100;
    part.len = 50;
    struct larder_bytes key = name("part", "x");
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PUT, (struct op_inputs){.key = key, .value = part}),
                    LARDER_OK);
    struct op *op = call(drive.one, LARDER_OP_GET, (struct op_inputs){.key = key});
    CU_ASSERT(bytes_equal(slice_bytes(op->result.value), slice_bytes(part)));
    op_free(op);
    slice_done(&whole);
}

/* Also by a value of the same length, and when the key is removed: it is the reader's as long as he
 * holds a reference. */
static void a_value_that_was_read_stays_what_it_was_when_its_key_is_put_again(void) {
    struct larder_bytes key = name("held", "x");
    for (unsigned i = 0; i < 2; i++) {
        size_t len = i == 0 ? 60 : 70000;
        CU_ASSERT_EQUAL(put_value(drive.one, key, len, 1, 0), LARDER_OK);
        CU_ASSERT_EQUAL(put_value(drive.one, key, len, 2, 0), LARDER_OK);
        struct op *held = call(drive.one, LARDER_OP_GET, (struct op_inputs){.key = key});
        CU_ASSERT(value_is(held->result.value, len, 2));
        CU_ASSERT_EQUAL(put_value(drive.one, key, len, 3, 0), LARDER_OK);
        CU_ASSERT(value_is(held->result.value, len, 2));
        CU_ASSERT_EQUAL(remove_key(drive.one, key), LARDER_OK);
        CU_ASSERT_EQUAL(put_value(drive.one, key, len, 4, 0), LARDER_OK);
        CU_ASSERT(value_is(held->result.value, len, 2));
        op_free(held);
    }
}

static const struct unit_test tests[] = {
    UNIT(values_of_every_size_are_read_back_byte_for_byte),
    UNIT(a_value_of_20_mb_or_the_largest_is_read_back_byte_for_byte),
    UNIT(a_value_beyond_the_limit_is_refused_as_too_big),
    UNIT(every_byte_may_stand_in_a_value),
    UNIT(values_that_look_like_something_else_come_back_as_they_were),
    UNIT(a_value_may_be_a_part_of_a_larger_buffer),
    UNIT(a_value_that_was_read_stays_what_it_was_when_its_key_is_put_again),
};
const struct suite values_suite = {"values", LARDER_OP_GET, tests, N_ELEMENTS(tests)};
