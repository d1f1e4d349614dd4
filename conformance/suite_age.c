/* What depends on time and order: TTL, the newest epoch, claims. */
#include "drive.h"

static const int64_t YEAR_MS = INT64_C(365) * 24 * 3600 * 1000;

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

static void a_late_put_of_an_older_rendering_replaces_nothing(void) {
    if (!claims(LARDER_NEWEST, "the newest epoch stays"))
        return;
    struct larder_bytes key = name("newest", "x");
    CU_ASSERT_EQUAL(put_value(drive.one, key, 10, 1, 100), LARDER_OK);
    CU_ASSERT(put_value(drive.one, key, 11, 2, 99) >= LARDER_OK);
    CU_ASSERT_EQUAL(get_value(drive.one, key, 10, 1), LARDER_OK);
    CU_ASSERT_EQUAL(put_value(drive.one, key, 12, 3, 100), LARDER_OK);
    CU_ASSERT_EQUAL(get_value(drive.one, key, 12, 3), LARDER_OK);
    CU_ASSERT_EQUAL(put_value(drive.two, key, 13, 4, 101), LARDER_OK);
    CU_ASSERT_EQUAL(get_value(drive.one, key, 13, 4), LARDER_OK);
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_REMOVE, (struct op_inputs){.key = key}), LARDER_OK);
    CU_ASSERT_EQUAL(put_value(drive.one, key, 14, 5, 1), LARDER_OK);
    CU_ASSERT_EQUAL(get_value(drive.one, key, 14, 5), LARDER_OK);
}

static void whatever_the_order_of_puts_at_once_the_newest_stays(void) {
    enum { PUTS = 64 };
    if (!claims(LARDER_NEWEST, "the newest epoch stays"))
        return;
    struct larder_bytes key = name("newest-race", "x");
    struct sent sent[PUTS];
    for (unsigned i = 0; i < PUTS; i++) {
        unsigned epoch = (i * 37 + 5) % PUTS; /* each once, not in order */
        struct larder_slice value = value_of(300, epoch);
        struct op_inputs in = {.key = key, .value = value, .epoch = epoch};
        send_op(i % 2 ? drive.two : drive.one, LARDER_OP_PUT, in, &sent[i]);
        slice_done(&value);
    }
    drive_wait();
    for (unsigned i = 0; i < PUTS; i++)
        op_free(sent[i].op);
    CU_ASSERT_EQUAL(get_value(drive.one, key, 300, PUTS - 1), LARDER_OK);
}

/* ---- claims ------------------------------------------------------------------------------- */

static int32_t claim_as(struct backend *b, uint32_t code, struct larder_bytes key, uint64_t owner,
                        int64_t ttl_ms) {
    struct larder_slice value = value_of(8, owner);
    int32_t status = status_of(b, code, (struct op_inputs){.key = key, .value = value, .ttl_ms = ttl_ms});
    slice_done(&value);
    return status;
}

static void a_claimed_key_is_held_until_it_is_given_back(void) {
    if (!has(LARDER_OP_CLAIM, "claims"))
        return;
    struct larder_bytes key = name("claim", "x"), other = name("claim", "y");
    CU_ASSERT_EQUAL(claim_as(drive.one, LARDER_OP_CLAIM, key, 1, 10000), LARDER_OK);
    CU_ASSERT_EQUAL(claim_as(drive.two, LARDER_OP_CLAIM, key, 2, 10000), LARDER_MISS);
    CU_ASSERT_EQUAL(claim_as(drive.two, LARDER_OP_CLAIM, other, 2, 10000), LARDER_OK);
    CU_ASSERT_EQUAL(claim_as(drive.one, LARDER_OP_RELEASE, key, 1, 0), LARDER_OK);
    CU_ASSERT_EQUAL(claim_as(drive.two, LARDER_OP_CLAIM, key, 2, 10000), LARDER_OK);
    CU_ASSERT_EQUAL(claim_as(drive.two, LARDER_OP_RELEASE, key, 2, 0), LARDER_OK);
    CU_ASSERT_EQUAL(claim_as(drive.two, LARDER_OP_RELEASE, key, 2, 0), LARDER_OK);
    CU_ASSERT_FALSE(is_there(drive.one, key)); /* a claim is no entry */
}

static void a_claim_ends_with_its_time(void) {
    if (!has(LARDER_OP_CLAIM, "claims"))
        return;
    int64_t before = drive.now_ms;
    struct larder_bytes key = name("claim-ttl", "x");
    CU_ASSERT_EQUAL(claim_as(drive.one, LARDER_OP_CLAIM, key, 1, 5000), LARDER_OK);
    drive.now_ms += 4000;
    CU_ASSERT_EQUAL(claim_as(drive.two, LARDER_OP_CLAIM, key, 2, 5000), LARDER_MISS);
    drive.now_ms += 1001;
    CU_ASSERT_EQUAL(claim_as(drive.two, LARDER_OP_CLAIM, key, 2, 5000), LARDER_OK);
    drive.now_ms = before;
}

static const struct unit_test tests[] = {
    UNIT(an_entry_is_there_before_its_time_is_up),
    UNIT(an_entry_is_a_miss_once_its_time_is_up),
    UNIT(a_new_put_brings_its_own_time),
    UNIT(a_ttl_of_many_years_is_no_overflow),
    UNIT(a_late_put_of_an_older_rendering_replaces_nothing),
    UNIT(whatever_the_order_of_puts_at_once_the_newest_stays),
    UNIT(a_claimed_key_is_held_until_it_is_given_back),
    UNIT(a_claim_ends_with_its_time),
};
const struct suite age_suite = {"time and order", LARDER_OP_GET, tests, N_ELEMENTS(tests)};
