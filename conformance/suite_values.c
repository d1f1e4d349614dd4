/* Values: every size, every byte, parts of buffers, too much. */

#include "suites.h"

enum { MB = 1 << 20 };

static void values_of_every_size_are_read_back_byte_for_byte(void) {
    static const size_t sizes[] = {0,    1,     2,     7,          8,  255,    4095,   4096,
                                   4097, 65535, 65536, 400 * 1024, MB, MB + 1, 20 * MB};
    uint64_t max_value = drive.one->info.max_value;
    for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
        if (max_value > 0 && sizes[i] > max_value) {
            unclaimed("values that large");
            break;
        }
        struct larder_bytes key = name("sizes", "%zu", sizes[i]);
        CU_ASSERT_EQUAL(get_value(drive.one, key, sizes[i], i), LARDER_MISS);
        CU_ASSERT_EQUAL(put_value(drive.one, key, sizes[i], i, 0), LARDER_OK);
        CU_ASSERT_EQUAL(get_value(drive.one, key, sizes[i], i), LARDER_OK);
        CU_ASSERT_EQUAL(get_value(drive.one, key, sizes[i], i), LARDER_OK);
        CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_REMOVE, (struct op_inputs){.key = key}), LARDER_OK);
    }
}

static void a_value_beyond_the_limit_is_refused_as_too_big(void) {
    uint64_t max_value = drive.one->info.max_value;
    if (max_value == 0 || max_value > 64 * MB) {
        unclaimed("a limit for values that is worth trying");
        return;
    }
    struct larder_bytes key = name("too-big", "x");
    CU_ASSERT_EQUAL(put_value(drive.one, key, (size_t)max_value, 1, 0), LARDER_OK);
    CU_ASSERT_EQUAL(put_value(drive.one, key, (size_t)max_value + 1, 2, 0), LARDER_TOO_BIG);
    CU_ASSERT_EQUAL(get_value(drive.one, key, (size_t)max_value, 1), LARDER_OK);
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

static const struct unit_test tests[] = {
    UNIT(values_of_every_size_are_read_back_byte_for_byte),
    UNIT(a_value_beyond_the_limit_is_refused_as_too_big),
    UNIT(a_value_may_be_a_part_of_a_larger_buffer),
};
const struct suite values_suite = {"values", LARDER_OP_GET, tests, N_ELEMENTS(tests)};
