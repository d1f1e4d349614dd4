/* Times: modified_ms and the epoch come back exactly; ttl_ms counts by op->now_ms. */

#include "suites.h"

static const int64_t YEAR_MS = INT64_C(365) * 24 * 3600 * 1000;

static void times_and_epochs_are_read_back_exactly(void) {
    static const int64_t numbers[] = {0,
                                      1,
                                      -1,
                                      1700000000123,
                                      (INT64_C(1) << 53) + 1,
                                      -((INT64_C(1) << 53) + 1),
                                      INT64_MAX - 1,
                                      INT64_MIN + 1};
    for (size_t i = 0; i < N_ELEMENTS(numbers); i++) {
        for (size_t j = 0; j < N_ELEMENTS(numbers); j++) {
            struct larder_bytes key = name("exact", "%zu-%zu", i, j);
            struct op_inputs in = {.key = key, .modified_ms = numbers[i], .epoch = numbers[j]};
            CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PUT, in), LARDER_OK);
            struct larder_result got;
            CU_ASSERT_EQUAL(get_op(drive.one, key, &got), LARDER_OK);
            CU_ASSERT_EQUAL(got.modified_ms, numbers[i]);
            CU_ASSERT_EQUAL(got.epoch, numbers[j]);
        }
    }
}

static int32_t put_ttl(struct larder_bytes key, uint64_t seed, int64_t ttl_ms, uint32_t flags) {
    struct larder_slice value = value_of(16, seed);
    struct op_inputs in = {.key = key, .value = value, .ttl_ms = ttl_ms, .flags = flags};
    int32_t status = status_of(drive.one, LARDER_OP_PUT, in);
    slice_done(&value);
    return status;
}

static void an_entry_is_there_before_its_time_is_up(void) {
    int64_t before = drive.now_ms;
    struct larder_bytes key = name("ttl-before", "x"), no_ttl = name("ttl-before", "keep");
    CU_ASSERT_EQUAL(put_ttl(key, 1, 10000, 0), LARDER_OK);
    CU_ASSERT_EQUAL(put_ttl(no_ttl, 2, 0, 0), LARDER_OK);
    drive.now_ms += 9999;
    CU_ASSERT_EQUAL(get_value(drive.one, key, 16, 1), LARDER_OK);
    drive.now_ms += 10 * YEAR_MS;
    CU_ASSERT_EQUAL(get_value(drive.one, no_ttl, 16, 2), LARDER_OK);
    drive.now_ms = before;
}

static void an_entry_is_a_miss_once_its_time_is_up(void) {
    if (!claims(LARDER_TTL, "TTL"))
        return;
    int64_t before = drive.now_ms;
    struct larder_bytes key = name("ttl-after", "x");
    CU_ASSERT_EQUAL(put_ttl(key, 1, 10000, 0), LARDER_OK);
    drive.now_ms += 10001;
    CU_ASSERT_EQUAL(get_value(drive.one, key, 16, 1), LARDER_MISS);
    CU_ASSERT_EQUAL(put_ttl(key, 2, 10000, LARDER_IF_ABSENT), LARDER_OK);
    CU_ASSERT_EQUAL(get_value(drive.one, key, 16, 2), LARDER_OK);
    drive.now_ms = before;
}

static void a_new_put_brings_its_own_time(void) {
    if (!claims(LARDER_TTL, "TTL"))
        return;
    int64_t before = drive.now_ms;
    struct larder_bytes longer = name("ttl-new", "longer"), none = name("ttl-new", "none");
    CU_ASSERT_EQUAL(put_ttl(longer, 1, 1000, 0), LARDER_OK);
    CU_ASSERT_EQUAL(put_ttl(longer, 2, 60000, 0), LARDER_OK);
    CU_ASSERT_EQUAL(put_ttl(none, 1, 1000, 0), LARDER_OK);
    CU_ASSERT_EQUAL(put_ttl(none, 2, 0, 0), LARDER_OK);
    drive.now_ms += 59999;
    CU_ASSERT_EQUAL(get_value(drive.one, longer, 16, 2), LARDER_OK);
    CU_ASSERT_EQUAL(get_value(drive.one, none, 16, 2), LARDER_OK);
    drive.now_ms += 2;
    CU_ASSERT_EQUAL(get_value(drive.one, longer, 16, 2), LARDER_MISS);
    CU_ASSERT_EQUAL(get_value(drive.one, none, 16, 2), LARDER_OK);
    drive.now_ms = before;
}

static void a_ttl_of_many_years_is_no_overflow(void) {
    struct larder_bytes key = name("ttl-huge", "x");
    CU_ASSERT_EQUAL(put_ttl(key, 1, INT64_MAX, 0), LARDER_OK);
    CU_ASSERT_EQUAL(get_value(drive.one, key, 16, 1), LARDER_OK);
    CU_ASSERT_EQUAL(put_ttl(key, 2, 1000 * YEAR_MS, 0), LARDER_OK);
    CU_ASSERT_EQUAL(get_value(drive.one, key, 16, 2), LARDER_OK);
}

static const struct unit_test tests[] = {
    UNIT(times_and_epochs_are_read_back_exactly), UNIT(an_entry_is_there_before_its_time_is_up),
    UNIT(an_entry_is_a_miss_once_its_time_is_up), UNIT(a_new_put_brings_its_own_time),
    UNIT(a_ttl_of_many_years_is_no_overflow),
};
const struct suite times_suite = {"times", LARDER_OP_GET, tests, N_ELEMENTS(tests)};
