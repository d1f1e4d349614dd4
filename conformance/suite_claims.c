/* What a driver may claim: sharing, persistence, the newest entry, claims on keys. */

#include "child.h"
#include "suites.h"

static void another_process_reads_what_this_one_wrote_and_the_other_way_round(void) {
    if (!claims(LARDER_SHARED, "sharing between processes"))
        return;
    struct larder_bytes mine = name("processes", "mine"), theirs = name("processes", "theirs");
    CU_ASSERT_TRUE(child_stores(mine));
    CU_ASSERT_TRUE(run_reader(mine));
    CU_ASSERT_FALSE(run_reader(theirs)); /* nobody has written that yet */
    CU_ASSERT_TRUE(run_writer_and_kill_it(theirs));
    CU_ASSERT_TRUE(child_finds(theirs));
}

static void what_was_stored_is_there_after_closing_and_opening(void) {
    if (!claims(LARDER_PERSISTENT, "persistence"))
        return;
    struct larder_bytes key = name("reopen", "x"), tag = name("reopen", "tag");
    struct larder_mark got;
    int64_t epoch = 0, later = 0;
    struct larder_slice value = value_of(70000, 3);
    struct op_inputs in = {.key = key, .value = value, .modified_ms = 123456789, .epoch = 42};
    if (has_cache())
        CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PUT, in), LARDER_OK);
    slice_done(&value);
    if (has_tags()) {
        CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, 5, 6, drive.now_ms + 7000), 0), LARDER_OK);
        CU_ASSERT_EQUAL(advance(drive.one, key, 1, &epoch), LARDER_OK);
    }
    bool index = backend_can(drive.one, LARDER_OP_LINK);
    struct larder_mark link = mark_of(tag, UNSET, UNSET, UNSET);
    if (index)
        CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_LINK,
                                  (struct op_inputs){.key = key, .marks = &link, .n_marks = 1}),
                        LARDER_OK);

    drive.one = drive_close(drive.one);
    drive.two = drive_close(drive.two);
    drive.one = drive_open();
    drive.two = drive_open();
    CU_ASSERT_PTR_NOT_NULL_FATAL(drive.one);
    CU_ASSERT_PTR_NOT_NULL_FATAL(drive.two);

    if (has_cache()) {
        struct op *op = call(drive.two, LARDER_OP_GET, (struct op_inputs){.key = key});
        CU_ASSERT_EQUAL(op->result.status, LARDER_OK);
        CU_ASSERT(value_is(op->result.value, 70000, 3));
        CU_ASSERT_EQUAL(op->result.modified_ms, 123456789);
        CU_ASSERT_EQUAL(op->result.epoch, 42);
        op_free(op);
    }
    if (has_tags()) {
        CU_ASSERT_TRUE_FATAL(read_mark(drive.one, tag, &got));
        CU_ASSERT_EQUAL(got.expired_epoch, 5);
        CU_ASSERT_EQUAL(got.stale_epoch, 6);
        CU_ASSERT_EQUAL(got.expire_at_ms, drive.now_ms + 7000);
        CU_ASSERT_EQUAL(advance(drive.two, key, 0, &later), LARDER_OK);
        CU_ASSERT_EQUAL(later, epoch);
    }
    if (index) {
        struct op *op = call(drive.one, LARDER_OP_KEYS_OF, (struct op_inputs){.key = tag});
        CU_ASSERT_EQUAL(op->n_keys, 1);
        op_free(op);
    }
}

static void what_a_killed_process_had_completed_is_there(void) {
    if (!claims(LARDER_PERSISTENT, "persistence"))
        return;
    for (unsigned i = 0; i < 3; i++) {
        struct larder_bytes key = name("killed", "%u", i);
        CU_ASSERT_TRUE(run_writer_and_kill_it(key));
        struct backend *fresh = drive_open();
        CU_ASSERT_PTR_NOT_NULL_FATAL(fresh);
        drive_close(fresh);
        CU_ASSERT_TRUE(child_finds(key));
        CU_ASSERT_TRUE(run_reader(key));
    }
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
    UNIT(another_process_reads_what_this_one_wrote_and_the_other_way_round),
    UNIT(what_was_stored_is_there_after_closing_and_opening),
    UNIT(what_a_killed_process_had_completed_is_there),
    UNIT(a_late_put_of_an_older_rendering_replaces_nothing),
    UNIT(whatever_the_order_of_puts_at_once_the_newest_stays),
    UNIT(a_claimed_key_is_held_until_it_is_given_back),
    UNIT(a_claim_ends_with_its_time),
};
const struct suite claims_suite = {"claims", LARDER_OP_PING, tests, N_ELEMENTS(tests)};
