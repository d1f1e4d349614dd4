/*
 * A store that is out of reach, restarted, wiped or rolled back, by commands that the author gives
 * (--cut, --restart, --wipe-tags, --rollback).  The last theme: what they leave is not what the others
 * expect to find.
 */
#include <time.h>

#include "suites.h"

static const uint64_t SOON_NS = 2000000000u;
enum { TRIES = 200, PAUSE_MS = 50 };

/* One op with a deadline of its own.  op_free() it. */
static struct op *soon(struct backend *b, uint32_t code, struct op_inputs in) {
    struct sent sent;
    send_unwanted(b, code, in, reactor_now_ns(drive.reactor) + SOON_NS, false, &sent);
    drive_wait();
    return sent.op;
}

static bool works(struct backend *b) {
    struct op *op = soon(b, LARDER_OP_PING, (struct op_inputs){0});
    bool ok = op->result.status == LARDER_OK;
    op_free(op);
    struct larder_mark ask = mark_of(name("works", "x"), UNSET, UNSET, UNSET);
    struct op_inputs in = {.key = ask.tag, .marks = &ask, .n_marks = 1};
    op = soon(b, has_cache() ? LARDER_OP_GET : LARDER_OP_TAGS_READ, in);
    ok = ok && op->result.status >= 0;
    op_free(op);
    return ok;
}

/* It may need a moment to come up, and a driver one to notice. */
static bool works_again(struct backend *b) {
    for (unsigned i = 0; i < TRIES; i++) {
        struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
        if (works(b))
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

/* Every op fails, in time.  A miss would be believed: the entry is rendered again and nobody looks for
 * the fault; and a read of marks that finds nothing lets through what was revalidated. */
static void all_fail(struct backend *b, struct larder_bytes key) {
    struct larder_mark mark = mark_of(key, 9, UNSET, UNSET);
    const struct {
        uint32_t code;
        struct op_inputs in;
    } ops[] = {{LARDER_OP_GET, {.key = key}},
               {LARDER_OP_PUT, {.key = key, .epoch = 9}},
               {LARDER_OP_REMOVE, {.key = key}},
               {LARDER_OP_LIST, {.key = key}},
               {LARDER_OP_TAGS_READ, {.marks = &mark, .n_marks = 1}},
               {LARDER_OP_TAGS_WRITE, {.marks = &mark, .n_marks = 1}},
               {LARDER_OP_ADVANCE, {.key = key, .add = 0}},
               {LARDER_OP_BUMP, {.key = key, .marks = &mark, .n_marks = 1}},
               {LARDER_OP_KEYS_OF, {.key = key}},
               {LARDER_OP_PING, {.key = key}}};
    for (size_t i = 0; i < N_ELEMENTS(ops); i++) {
        if (!backend_can(b, ops[i].code))
            continue;
        struct op *op = soon(b, ops[i].code, ops[i].in);
        if (op->result.status >= 0)
            note("op code %u answers %s while the store is away", ops[i].code,
                 larder_status_name(op->result.status));
        CU_ASSERT(op->result.status < 0);
        op_free(op);
    }
}

static void while_the_store_is_away_ops_fail_and_none_is_a_miss(void) {
    struct larder_bytes key = name("away", "x"), after = name("away", "after");
    int64_t epoch = 0, later = 0;
    struct larder_mark got;
    if (!hook_given(HOOK_CUT) || !hook_given(HOOK_RESTART)) {
        unclaimed("--cut and --restart");
        return;
    }
    if (has_cache())
        CU_ASSERT_EQUAL(put_value(drive.one, key, 100, 2, 0), LARDER_OK);
    if (has_tags()) {
        CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(key, 5, UNSET, UNSET), 0), LARDER_OK);
        CU_ASSERT_EQUAL(advance(drive.one, key, 1, &epoch), LARDER_OK);
    }
    if (hook_run(HOOK_CUT)) {
        all_fail(drive.one, key);
        all_fail(drive.two, key);
    }
    CU_ASSERT_TRUE(hook_run(HOOK_RESTART));
    CU_ASSERT_TRUE(works_again(drive.one));
    CU_ASSERT_TRUE(works_again(drive.two));
    use_instance(drive.one, after, 3);
    if (has_cache()) { /* a write that failed may have happened, and a store may have lost all */
        int32_t status = get_value(drive.one, key, 100, 2);
        CU_ASSERT(status == LARDER_OK || status == LARDER_MISS ||
                  get_value(drive.one, key, 0, 0) == LARDER_OK);
    }
    if (has_tags() && (drive.one->info.traits & LARDER_DURABLE)) {
        CU_ASSERT_TRUE(read_mark(drive.two, key, &got) && got.expired_epoch >= 5);
        CU_ASSERT_EQUAL(advance(drive.two, key, 0, &later), LARDER_OK);
        CU_ASSERT(later >= epoch);
    }
}

/* open() does not wait for the network: it succeeds, and ops fail; or it fails, and is tried again. */
static void an_instance_that_is_opened_while_the_store_is_away_works_when_it_is_back(void) {
    struct larder_bytes key = name("opened-away", "x");
    if (!hook_given(HOOK_CUT) || !hook_given(HOOK_RESTART)) {
        unclaimed("--cut and --restart");
        return;
    }
    struct backend *b = NULL;
    if (hook_run(HOOK_CUT)) {
        b = drive_open();
        if (b)
            all_fail(b, key);
    }
    CU_ASSERT_TRUE(hook_run(HOOK_RESTART));
    for (unsigned i = 0; !b && i < TRIES; i++) {
        struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
        nanosleep(&pause, NULL);
        b = drive_open();
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    CU_ASSERT_TRUE(works_again(b));
    CU_ASSERT_TRUE(works_again(drive.two));
    use_instance(b, key, 4);
    drive_close(b);
}

/* Connections that were open are dead, and nobody has told the driver. */
static void a_store_that_was_restarted_is_found_again(void) {
    struct larder_bytes key = name("restarted", "x");
    int64_t epoch = 0, later = 0;
    use_instance(drive.one, key, 1);
    if (has_tags())
        CU_ASSERT_EQUAL(advance(drive.one, key, 1, &epoch), LARDER_OK);
    for (unsigned i = 0; i < 2; i++) {
        if (!hook_run(HOOK_RESTART))
            return;
        CU_ASSERT_TRUE(works_again(drive.one));
        CU_ASSERT_TRUE(works_again(drive.two));
        use_instance(either(i), key, 2 + i);
    }
    drive.now_ms += 60000;
    if (has_tags()) { /* it may be lost; then it is greater */
        CU_ASSERT_EQUAL(advance(drive.one, key, 1, &later), LARDER_OK);
        CU_ASSERT(later > epoch);
    }
    drive.now_ms -= 60000;
}

/* ---- marks and counters that are lost ----------------------------------------------------------------- */

/* A mark that was lost may be absent, or say more than it did: a store that knows it was wiped may let
 * everything count as revalidated. */
static void counters_that_were_wiped_come_back_greater(void) {
    struct larder_bytes looked = name("wiped", "looked"), raised = name("wiped", "raised"),
                        tag = name("wiped", "tag");
    struct larder_mark got;
    int64_t last = 0, back = 0;
    if (!has_tags()) {
        unclaimed("a tag cache");
        return;
    }
    for (unsigned i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(advance(drive.one, looked, 1, &last), LARDER_OK);
        CU_ASSERT_EQUAL(advance(drive.two, raised, 1, &last), LARDER_OK);
    }
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, last, UNSET, UNSET), 0), LARDER_OK);
    if (!hook_run(HOOK_WIPE_TAGS))
        return;
    drive.now_ms += 60000;
    CU_ASSERT_TRUE(works_again(drive.one));
    CU_ASSERT_TRUE(works_again(drive.two));
    CU_ASSERT_EQUAL(advance(drive.one, looked, 0, &back), LARDER_OK);
    CU_ASSERT(back > last);
    CU_ASSERT_EQUAL(advance(drive.two, raised, 1, &back), LARDER_OK);
    CU_ASSERT(back > last);
    if (read_mark(drive.two, tag, &got))
        CU_ASSERT(got.expired_epoch >= last);
    drive.now_ms -= 60000;
}

/* What a backup restores, or a replica that had not heard: not greater than it was, but it goes on from
 * there, and no later than now. */
static void a_counter_that_was_rolled_back_does_not_give_out_a_number_again(void) {
    struct larder_bytes counter = name("rolled-back", "counter");
    int64_t last = 0, back = 0;
    if (!has_tags()) {
        unclaimed("a tag cache");
        return;
    }
    CU_ASSERT_EQUAL(advance(drive.one, counter, 1, &last), LARDER_OK);
    if (!hook_run(HOOK_SAVE))
        return;
    for (unsigned i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(advance(either(i), counter, 1, &last), LARDER_OK);
    CU_ASSERT_TRUE(hook_run(HOOK_ROLLBACK));
    drive.now_ms += 60000;
    CU_ASSERT_TRUE(works_again(drive.one));
    CU_ASSERT_TRUE(works_again(drive.two));
    CU_ASSERT_EQUAL(advance(drive.one, counter, 1, &back), LARDER_OK);
    CU_ASSERT(back > last);
    CU_ASSERT_EQUAL(advance(drive.two, counter, 1, &last), LARDER_OK);
    CU_ASSERT(last > back);
    drive.now_ms -= 60000;
}

static const struct unit_test tests[] = {
    UNIT(a_store_that_was_restarted_is_found_again),
    UNIT(while_the_store_is_away_ops_fail_and_none_is_a_miss),
    UNIT(an_instance_that_is_opened_while_the_store_is_away_works_when_it_is_back),
    UNIT(counters_that_were_wiped_come_back_greater),
    UNIT(a_counter_that_was_rolled_back_does_not_give_out_a_number_again),
};
const struct suite away_suite = {"away", LARDER_OP_PING, tests, N_ELEMENTS(tests)};
