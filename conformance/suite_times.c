/* Times: modified_ms and the epoch come back exactly; ttl_ms counts by op->now_ms. */
#include "suites.h"

static const int64_t YEAR_MS = INT64_C(365) * 24 * 3600 * 1000;

static void put_and_compare(struct larder_bytes key, int64_t modified_ms, int64_t epoch) {
    struct op_inputs in = {.key = key, .modified_ms = modified_ms, .epoch = epoch};
    struct larder_result got;
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PUT, in), LARDER_OK);
    CU_ASSERT_EQUAL(get_op(drive.two, key, &got), LARDER_OK);
    if (got.modified_ms != modified_ms || got.epoch != epoch)
        note("put modified_ms %lld and epoch %lld, got %lld and %lld", (long long)modified_ms,
             (long long)epoch, (long long)got.modified_ms, (long long)got.epoch);
    CU_ASSERT_EQUAL(got.modified_ms, modified_ms);
    CU_ASSERT_EQUAL(got.epoch, epoch);
}

static void times_and_epochs_are_read_back_exactly(void) {
    static const int64_t numbers[] = {0,
                                      1,
                                      -1,
                                      999,
                                      1700000000123,
                                      INT32_MAX,
                                      UINT32_MAX,
                                      (INT64_C(1) << 53) + 1,
                                      -((INT64_C(1) << 53) + 1),
                                      INT64_MAX - 1,
                                      INT64_MIN + 1};
    for (size_t i = 0; i < N_ELEMENTS(numbers); i++) {
        for (size_t j = 0; j < N_ELEMENTS(numbers); j++)
            put_and_compare(name("exact", "%zu-%zu", i, j), numbers[i], numbers[j]);
    }
}

static void the_least_and_the_greatest_number_are_numbers_too(void) {
    static const int64_t ends[] = {INT64_MIN, INT64_MAX};
    for (unsigned i = 0; i < 4; i++)
        put_and_compare(name("ends", "%u", i), ends[i / 2], ends[i % 2]);
}

static void every_millisecond_counts(void) {
    for (int64_t i = 0; i < 1000; i += 9)
        put_and_compare(name("millisecond", "%d", (int)i), drive.now_ms + i, drive.now_ms - i);
}

static void a_put_brings_its_times_also_where_the_value_is_the_same(void) {
    struct larder_bytes key = name("same-value", "x");
    struct larder_slice value = value_of(500, 2);
    struct larder_result got;
    for (int64_t i = 1; i < 5; i++) {
        struct op_inputs in = {.key = key, .value = value, .modified_ms = 10000 - i, .epoch = i};
        CU_ASSERT_EQUAL(status_of(either((unsigned)i), LARDER_OP_PUT, in), LARDER_OK);
        CU_ASSERT_EQUAL(get_op(drive.one, key, &got), LARDER_OK);
        CU_ASSERT_EQUAL(got.modified_ms, 10000 - i);
        CU_ASSERT_EQUAL(got.epoch, i);
    }
    slice_done(&value);
}

/* ---- TTL -------------------------------------------------------------------------------- */

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
    CU_ASSERT_EQUAL(get_value(drive.two, key, 16, 2), LARDER_OK);
    drive.now_ms = before;
}

/* Not seconds, not rounded to them. */
static void a_ttl_counts_in_milliseconds(void) {
    static const int64_t ttls[] = {1, 10, 999, 1000, 1001, 1500, 59999};
    if (!claims(LARDER_TTL, "TTL"))
        return;
    int64_t before = drive.now_ms;
    for (size_t i = 0; i < N_ELEMENTS(ttls); i++) {
        struct larder_bytes key = name("ttl-unit", "%zu", i);
        drive.now_ms = before;
        CU_ASSERT_EQUAL(put_ttl(key, i, ttls[i], 0), LARDER_OK);
        drive.now_ms = before + ttls[i] - 1;
        CU_ASSERT_EQUAL(get_value(drive.one, key, 16, i), LARDER_OK);
        drive.now_ms = before + ttls[i] + 1;
        CU_ASSERT_EQUAL(get_value(drive.one, key, 16, i), LARDER_MISS);
    }
    drive.now_ms = before;
}

/* In years in which this machine's clock never was, and will be. */
static void a_ttl_counts_from_the_time_of_the_op(void) {
    static const int64_t times[] = {1000, INT64_C(1000000000000), INT64_C(4000000000000)};
    int64_t before = drive.now_ms;
    for (size_t i = 0; i < N_ELEMENTS(times); i++) {
        struct larder_bytes key = name("ttl-clock", "%zu", i);
        drive.now_ms = times[i];
        CU_ASSERT_EQUAL(put_ttl(key, i, 10000, 0), LARDER_OK);
        drive.now_ms = times[i] + 9999;
        CU_ASSERT_EQUAL(get_value(drive.one, key, 16, i), LARDER_OK);
        CU_ASSERT_EQUAL(get_value(drive.two, key, 16, i), LARDER_OK);
        drive.now_ms = times[i] + 10001;
        if (drive.one->info.traits & LARDER_TTL)
            CU_ASSERT_EQUAL(get_value(drive.one, key, 16, i), LARDER_MISS);
    }
    drive.now_ms = before;
}

static void a_new_put_brings_its_own_time(void) {
    if (!claims(LARDER_TTL, "TTL"))
        return;
    int64_t before = drive.now_ms;
    struct larder_bytes longer = name("ttl-new", "longer"), none = name("ttl-new", "none"),
                        shorter = name("ttl-new", "shorter");
    CU_ASSERT_EQUAL(put_ttl(longer, 1, 1000, 0), LARDER_OK);
    CU_ASSERT_EQUAL(put_ttl(longer, 2, 60000, 0), LARDER_OK);
    CU_ASSERT_EQUAL(put_ttl(none, 1, 1000, 0), LARDER_OK);
    CU_ASSERT_EQUAL(put_ttl(none, 2, 0, 0), LARDER_OK);
    CU_ASSERT_EQUAL(put_ttl(shorter, 1, 0, 0), LARDER_OK);
    CU_ASSERT_EQUAL(put_ttl(shorter, 2, 1000, 0), LARDER_OK);
    drive.now_ms += 1001;
    CU_ASSERT_EQUAL(get_value(drive.one, shorter, 16, 2), LARDER_MISS);
    drive.now_ms = before + 59999;
    CU_ASSERT_EQUAL(get_value(drive.one, longer, 16, 2), LARDER_OK);
    CU_ASSERT_EQUAL(get_value(drive.one, none, 16, 2), LARDER_OK);
    drive.now_ms += 2;
    CU_ASSERT_EQUAL(get_value(drive.one, longer, 16, 2), LARDER_MISS);
    CU_ASSERT_EQUAL(get_value(drive.one, none, 16, 2), LARDER_OK);
    drive.now_ms = before;
}

static void count_listed(void *arg, struct larder_bytes record) {
    (void)record;
    *(unsigned *)arg += 1;
}

static void what_is_over_is_listed_no_more(void) {
    if (!claims(LARDER_TTL, "TTL") || !has(LARDER_OP_LIST, "list"))
        return;
    int64_t before = drive.now_ms;
    unsigned listed = 0;
    struct larder_bytes key = name("ttl-list", "x");
    CU_ASSERT_EQUAL(put_ttl(key, 1, 1000, 0), LARDER_OK);
    CU_ASSERT_TRUE(walk(LARDER_OP_LIST, key, 0, count_listed, &listed));
    CU_ASSERT(listed >= 1);
    listed = 0;
    drive.now_ms += 1001;
    CU_ASSERT_TRUE(walk(LARDER_OP_LIST, key, 0, count_listed, &listed));
    CU_ASSERT_EQUAL(listed, 0);
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
    UNIT(times_and_epochs_are_read_back_exactly),
    UNIT(the_least_and_the_greatest_number_are_numbers_too),
    UNIT(every_millisecond_counts),
    UNIT(a_put_brings_its_times_also_where_the_value_is_the_same),
    UNIT(an_entry_is_there_before_its_time_is_up),
    UNIT(an_entry_is_a_miss_once_its_time_is_up),
    UNIT(a_ttl_counts_in_milliseconds),
    UNIT(a_ttl_counts_from_the_time_of_the_op),
    UNIT(a_new_put_brings_its_own_time),
    UNIT(what_is_over_is_listed_no_more),
    UNIT(a_ttl_of_many_years_is_no_overflow),
};
const struct suite times_suite = {"times", LARDER_OP_GET, tests, N_ELEMENTS(tests)};
