/* The record of builds: which is current, one change at a time. */
#include "store_over_held.h"

static const char key[] = "ns/builds";
static struct larder_slice stored; /* the record as the driver has it; len 0: none */

static struct larder_request note_of(const char *build, uint32_t mode) {
    return (struct larder_request){.code = LARDER_DO_NOTE_BUILD, .build = bytes_of(build), .mode = mode};
}

static void answer_get(void) {
    struct larder_op *op = held_take(LARDER_OP_GET);
    CU_ASSERT_FATAL(op != NULL);
    CU_ASSERT(bytes_equal(op->key, bytes_of(key)));
    if (stored.len > 0)
        answer_value(op, slice_ref(stored), 0);
    else
        answer_status(op, LARDER_MISS);
    settle(reactor);
}

static void answer_claim(int32_t status) {
    struct larder_op *op = held_take(LARDER_OP_CLAIM);
    CU_ASSERT_FATAL(op != NULL);
    CU_ASSERT(bytes_equal(op->key, bytes_of(key)) && op->value.len > 0 && op->ttl_ms > 0);
    answer_status(op, status);
    settle(reactor);
}

static void answer_put(int32_t status) {
    struct larder_op *op = held_take(LARDER_OP_PUT);
    CU_ASSERT_FATAL(op != NULL);
    CU_ASSERT(bytes_equal(op->key, bytes_of(key)));
    if (status == LARDER_OK) {
        slice_done(&stored);
        stored = slice_ref(op->value);
    }
    answer_status(op, status);
    settle(reactor);
}

static void answer_release(void) {
    struct larder_op *op = held_take(LARDER_OP_RELEASE);
    CU_ASSERT_FATAL(op != NULL);
    answer_status(op, LARDER_OK);
    settle(reactor);
}

/* The whole of it; answers what the caller was answered. */
static int32_t note(const char *build, uint32_t mode) {
    struct seen seen = {0};
    submit(&seen, note_of(build, mode));
    settle(reactor);
    answer_claim(LARDER_OK);
    answer_get();
    if (held_count(LARDER_OP_PUT) > 0)
        answer_put(LARDER_OK);
    answer_release();
    CU_ASSERT_FATAL(seen.times == 1);
    int32_t status = seen.answer->status;
    forget(&seen);
    return status;
}

/* Which are recorded, as "b,a". */
static const char *recorded(void) {
    static char text[4096];
    struct seen seen = {0};
    submit(&seen, (struct larder_request){.code = LARDER_DO_BUILDS});
    settle(reactor);
    answer_get();
    CU_ASSERT_FATAL(seen.times == 1 && seen.answer->status == LARDER_OK);
    text[0] = '\0';
    for (size_t i = 0; i < seen.answer->n_builds; i++) {
        const struct larder_bytes id = seen.answer->builds[i].id;
        size_t len = strlen(text);
        snprintf(text + len, sizeof(text) - len, "%s%.*s", i > 0 ? "," : "", (int)id.len,
                 (const char *)id.ptr);
    }
    forget(&seen);
    return text;
}

static void end(void) {
    slice_done(&stored);
    close_store();
}

static void the_build_that_is_noted_last_comes_first(void) {
    open_store();
    CU_ASSERT_STRING_EQUAL(recorded(), "");
    CU_ASSERT(note("a", LARDER_BUILD_SEEN) == LARDER_OK);
    CU_ASSERT(note("b", LARDER_BUILD_SEEN) == LARDER_OK);
    CU_ASSERT_STRING_EQUAL(recorded(), "b,a");
    CU_ASSERT(note("a", LARDER_BUILD_CURRENT) == LARDER_OK);
    CU_ASSERT_STRING_EQUAL(recorded(), "a,b");
    end();
}

static void a_process_that_starts_writes_nothing_within_the_hour(void) {
    struct seen seen = {0};
    open_store();
    const int64_t first_ms = test_clock.ms;
    CU_ASSERT(note("a", LARDER_BUILD_SEEN) == LARDER_OK);
    CU_ASSERT(note("b", LARDER_BUILD_CURRENT) == LARDER_OK);
    CU_ASSERT(note("a", LARDER_BUILD_SEEN) == LARDER_MISS);
    CU_ASSERT_STRING_EQUAL(recorded(), "b,a");
    pass_ms(reactor, 3600000);
    CU_ASSERT(note("a", LARDER_BUILD_SEEN) == LARDER_OK);
    CU_ASSERT_STRING_EQUAL(recorded(), "a,b");
    submit(&seen, (struct larder_request){.code = LARDER_DO_BUILDS});
    settle(reactor);
    answer_get();
    CU_ASSERT(seen.answer->builds[0].first_ms == first_ms);
    CU_ASSERT(seen.answer->builds[0].seen_ms >= first_ms + 3600000);
    forget(&seen);
    end();
}

static void a_build_is_forgotten(void) {
    open_store();
    note("a", LARDER_BUILD_SEEN);
    note("b", LARDER_BUILD_SEEN);
    CU_ASSERT(note("a", LARDER_BUILD_FORGET) == LARDER_OK);
    CU_ASSERT(note("a", LARDER_BUILD_FORGET) == LARDER_MISS);
    CU_ASSERT_STRING_EQUAL(recorded(), "b");
    end();
}

static void of_more_than_64_the_oldest_goes(void) {
    char name[32], first[] = "build-1,build-0";
    open_store();
    for (int i = 0; i <= LARDER_MAX_BUILDS; i++) {
        snprintf(name, sizeof(name), "build-%d", i);
        CU_ASSERT(note(name, LARDER_BUILD_SEEN) == LARDER_OK);
    }
    const char *all = recorded();
    CU_ASSERT(strncmp(all, "build-64,build-63,", 18) == 0);
    CU_ASSERT(strstr(all, "build-1") != NULL && strstr(all, first) == NULL);
    end();
}

static void two_changes_come_one_after_the_other(void) {
    struct seen a = {0};
    open_store();
    submit(&a, note_of("a", LARDER_BUILD_SEEN));
    settle(reactor);
    answer_claim(LARDER_MISS);
    CU_ASSERT(a.times == 0 && held_count(0) == 0);
    pass_ms(reactor, 20);
    answer_claim(LARDER_OK);
    answer_get();
    answer_put(LARDER_OK);
    answer_release();
    CU_ASSERT(a.times == 1 && a.answer->status == LARDER_OK);
    forget(&a);
    end();
}

static void who_waits_for_another_is_answered_by_its_deadline(void) {
    struct seen seen = {0};
    struct larder_request request = note_of("a", LARDER_BUILD_SEEN);
    open_store();
    request.deadline_ms = 100;
    submit(&seen, request);
    settle(reactor);
    for (int i = 0; i < 30 && seen.times == 0; i++) {
        if (held_count(LARDER_OP_CLAIM) > 0)
            answer_claim(LARDER_MISS);
        pass_ms(reactor, 10);
    }
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_DEADLINE);
    while (held_count(LARDER_OP_CLAIM) > 0)
        answer_claim(LARDER_MISS);
    forget(&seen);
    end();
}

static void what_is_no_record_is_written_anew(void) {
    open_store();
    uint8_t *bytes = buf_new(9, &stored);
    CU_ASSERT_FATAL(bytes != NULL);
    memcpy(bytes, "not yours", 9);
    CU_ASSERT_STRING_EQUAL(recorded(), "");
    CU_ASSERT(note("a", LARDER_BUILD_SEEN) == LARDER_OK);
    CU_ASSERT_STRING_EQUAL(recorded(), "a");
    end();
}

static void what_a_newer_version_wrote_stays(void) {
    open_store();
    note("a", LARDER_BUILD_SEEN);
    struct larder_slice newer;
    uint8_t *bytes = buf_new(stored.len, &newer);
    CU_ASSERT_FATAL(bytes != NULL);
    memcpy(bytes, stored.ptr, stored.len);
    bytes[4]++; /* docs/frame.md: the version */
    slice_done(&stored);
    stored = newer;
    CU_ASSERT(note("b", LARDER_BUILD_CURRENT) == LARDER_UNSUPPORTED);
    end();
}

static void failures_are_told_and_the_claim_is_given_back(void) {
    struct seen seen = {0};
    open_store();
    submit(&seen, note_of("a", LARDER_BUILD_SEEN));
    settle(reactor);
    answer_claim(LARDER_DENIED);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_DENIED);
    forget(&seen);
    submit(&seen, note_of("a", LARDER_BUILD_SEEN));
    settle(reactor);
    answer_claim(LARDER_OK);
    answer_status(held_take(LARDER_OP_GET), LARDER_DENIED);
    settle(reactor);
    answer_release();
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_DENIED);
    forget(&seen);
    submit(&seen, note_of("a", LARDER_BUILD_SEEN));
    settle(reactor);
    answer_claim(LARDER_OK);
    answer_get();
    answer_put(LARDER_TOO_BIG);
    answer_release();
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_TOO_BIG);
    forget(&seen);
    end();
}

static void a_build_has_an_id(void) {
    struct seen seen = {0};
    static char id[LARDER_MAX_BUILD_ID + 2];
    memset(id, 'x', sizeof(id) - 1);
    open_store();
    submit(&seen, note_of("", LARDER_BUILD_SEEN));
    settle(reactor);
    CU_ASSERT(seen.answer->status == LARDER_INVALID);
    forget(&seen);
    submit(&seen, note_of(id, LARDER_BUILD_SEEN));
    settle(reactor);
    CU_ASSERT(seen.answer->status == LARDER_INVALID);
    forget(&seen);
    end();
}

int main(void) {
    static const struct unit_test tests[] = {UNIT(the_build_that_is_noted_last_comes_first),
                                             UNIT(a_process_that_starts_writes_nothing_within_the_hour),
                                             UNIT(a_build_is_forgotten),
                                             UNIT(of_more_than_64_the_oldest_goes),
                                             UNIT(two_changes_come_one_after_the_other),
                                             UNIT(who_waits_for_another_is_answered_by_its_deadline),
                                             UNIT(what_is_no_record_is_written_anew),
                                             UNIT(what_a_newer_version_wrote_stays),
                                             UNIT(failures_are_told_and_the_claim_is_given_back),
                                             UNIT(a_build_has_an_id)};
    return store_main("builds", tests, N_ELEMENTS(tests));
}
