/* The tag cache: marks, how they merge, counters, and both at once. */
#include "drive.h"
#include "larder/merge.h"
#include "random.h"

/* What two marks say at a time is the same, however they say it: a pair that is due may have
 * moved into expired_epoch or not. */
static bool says_the_same(struct larder_mark a, struct larder_mark b, int64_t now_ms) {
    a = larder_merge_settled(a, now_ms);
    b = larder_merge_settled(b, now_ms);
    return a.expired_epoch == b.expired_epoch && a.stale_epoch == b.stale_epoch &&
           a.expire_at_ms == b.expire_at_ms;
}

static bool is_exactly(const struct larder_mark *a, int64_t expired, int64_t stale, int64_t expire_at_ms) {
    return a->expired_epoch == expired && a->stale_epoch == stale && a->expire_at_ms == expire_at_ms;
}

/* ---- marks ------------------------------------------------------------------------------ */

static void a_tag_that_was_never_marked_has_no_mark(void) {
    struct larder_mark got;
    CU_ASSERT_FALSE(read_mark(drive.one, name("no-mark", "x"), &got));
}

static void marks_are_read_back_exactly(void) {
    static const int64_t epochs[] = {LARDER_UNSET, 0, 1, 1700000000123, (INT64_C(1) << 53) + 1,
                                     INT64_MAX - 1};
    int64_t times[] = {LARDER_UNSET, drive.now_ms + 1, drive.now_ms + 3600000, (INT64_C(1) << 53) + 1};
    for (size_t i = 0; i < N_ELEMENTS(epochs); i++) {
        for (size_t j = 0; j < N_ELEMENTS(epochs); j++) {
            for (size_t k = 0; k < N_ELEMENTS(times); k++) {
                /* A mark that says nothing need not be kept, nor an expiry of nothing. */
                if (epochs[j] == UNSET && (times[k] != UNSET || epochs[i] == UNSET))
                    continue;
                struct larder_bytes tag = name("exact-mark", "%zu-%zu-%zu", i, j, k);
                CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, epochs[i], epochs[j], times[k]), 0),
                                LARDER_OK);
                struct larder_mark got;
                CU_ASSERT_TRUE_FATAL(read_mark(drive.one, tag, &got));
                CU_ASSERT(is_exactly(&got, epochs[i], epochs[j], times[k]));
            }
        }
    }
}

static void what_a_mark_leaves_unset_stays_as_it_is_stored(void) {
    struct larder_bytes tag = name("unset", "x");
    struct larder_mark got;
    int64_t due_ms = drive.now_ms + 1000;
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, 5, UNSET, UNSET), 0), LARDER_OK);
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, UNSET, 9, due_ms), 0), LARDER_OK);
    CU_ASSERT_TRUE_FATAL(read_mark(drive.one, tag, &got));
    CU_ASSERT(is_exactly(&got, 5, 9, due_ms));
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, 7, UNSET, UNSET), 0), LARDER_OK);
    CU_ASSERT_TRUE_FATAL(read_mark(drive.one, tag, &got));
    CU_ASSERT(is_exactly(&got, 7, 9, due_ms));
}

static void the_greater_epoch_and_the_sooner_expiry_win(void) {
    struct larder_bytes tag = name("wins", "x");
    struct larder_mark got;
    int64_t soon_ms = drive.now_ms + 1000, late_ms = drive.now_ms + 9000;
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, 10, 20, late_ms), 0), LARDER_OK);
    CU_ASSERT_EQUAL(write_mark(drive.two, mark_of(tag, 9, 30, soon_ms), 0), LARDER_OK);
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, 8, 25, UNSET), 0), LARDER_OK);
    CU_ASSERT_TRUE_FATAL(read_mark(drive.one, tag, &got));
    CU_ASSERT(is_exactly(&got, 10, 30, soon_ms));
}

static void a_pair_that_is_due_makes_room_and_brings_nothing_back(void) {
    int64_t before = drive.now_ms;
    struct larder_bytes tag = name("due", "x");
    struct larder_mark got;
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, 3, 10, before + 1000), 0), LARDER_OK);
    drive.now_ms = before + 1000;
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, UNSET, 20, before + 9000), 0), LARDER_OK);
    CU_ASSERT_TRUE_FATAL(read_mark(drive.one, tag, &got));
    CU_ASSERT(is_exactly(&got, 10, 20, before + 9000));
    drive.now_ms = before;
}

static void random_marks_merge_as_the_rule_says(void) {
    int64_t before = drive.now_ms;
    for (unsigned round = 0; round < 40; round++) {
        struct larder_bytes tag = name("random", "%u", round);
        struct larder_mark want = mark_of(tag, UNSET, UNSET, UNSET), got;
        for (unsigned i = 0; i < 6; i++) {
            int64_t epochs[2];
            for (int j = 0; j < 2; j++)
                epochs[j] = random_below(&drive.random, 4) == 0 ? UNSET
                                                                : (int64_t)random_below(&drive.random, 8) + 1;
            int64_t expire_at_ms = drive.now_ms + random_below(&drive.random, 5) - 1;
            if (epochs[1] == UNSET || random_below(&drive.random, 3) == 0)
                expire_at_ms = UNSET;
            struct larder_mark add = mark_of(tag, epochs[0], epochs[1], expire_at_ms);
            struct backend *b = i % 2 ? drive.two : drive.one;
            CU_ASSERT_EQUAL(write_mark(b, add, 0), LARDER_OK);
            want = larder_merge_mark(i == 0 ? NULL : &want, &add, drive.now_ms);
            bool found = read_mark(drive.one, tag, &got);
            if (!found)
                got = mark_of(tag, UNSET, UNSET, UNSET);
            CU_ASSERT(says_the_same(got, want, drive.now_ms));
            drive.now_ms += random_below(&drive.random, 2);
        }
    }
    drive.now_ms = before;
}

static void the_order_of_arrival_changes_nothing(void) {
    static const unsigned orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct larder_mark marks[3] = {
        mark_of((struct larder_bytes){0}, 4, UNSET, UNSET),
        mark_of((struct larder_bytes){0}, UNSET, 6, drive.now_ms + 5000),
        mark_of((struct larder_bytes){0}, 2, 8, UNSET),
    };
    for (size_t i = 0; i < 6; i++) {
        struct larder_bytes tag = name("order", "%zu", i);
        for (size_t j = 0; j < 3; j++) {
            struct larder_mark add = marks[orders[i][j]];
            add.tag = tag;
            CU_ASSERT_EQUAL(write_mark(drive.one, add, 0), LARDER_OK);
        }
        struct larder_mark got;
        CU_ASSERT_TRUE_FATAL(read_mark(drive.one, tag, &got));
        CU_ASSERT(is_exactly(&got, 4, 8, drive.now_ms + 5000));
    }
}

static void a_mark_if_absent_leaves_what_is_stored(void) {
    struct larder_bytes tag = name("mark-if-absent", "x");
    struct larder_mark got;
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, 5, UNSET, UNSET), LARDER_IF_ABSENT), LARDER_OK);
    CU_ASSERT_EQUAL(write_mark(drive.two, mark_of(tag, 9, 9, UNSET), LARDER_IF_ABSENT), LARDER_MISS);
    CU_ASSERT_TRUE_FATAL(read_mark(drive.one, tag, &got));
    CU_ASSERT(is_exactly(&got, 5, UNSET, UNSET));
}

static void marks_written_at_once_to_one_tag_all_count(void) {
    enum { WRITERS = 100 };
    struct larder_bytes tag = name("at-once", "x");
    struct sent sent[WRITERS];
    for (unsigned i = 0; i < WRITERS; i++) {
        unsigned epoch = (i * 37 + 11) % WRITERS + 1;
        struct larder_mark mark = mark_of(tag, epoch, epoch + 1000, drive.now_ms + 100000 - epoch);
        struct op_inputs in = {.marks = &mark, .n_marks = 1};
        send_op(i % 2 ? drive.two : drive.one, LARDER_OP_TAGS_WRITE, in, &sent[i]);
    }
    drive_wait();
    for (unsigned i = 0; i < WRITERS; i++) {
        CU_ASSERT_EQUAL(sent[i].op->result.status, LARDER_OK);
        op_free(sent[i].op);
    }
    struct larder_mark got;
    CU_ASSERT_TRUE_FATAL(read_mark(drive.one, tag, &got));
    CU_ASSERT(is_exactly(&got, WRITERS, WRITERS + 1000, drive.now_ms + 100000 - WRITERS));
}

/* Every second one is marked; all are asked for in one op. */
static void many_tags_are_written_and_read_in_one_op(void) {
    enum { TAGS = 1000 };
    uint32_t max_marks = drive.one->info.max_marks;
    unsigned n = max_marks > 0 && max_marks < TAGS ? max_marks : TAGS;
    struct larder_mark ask[TAGS], write[TAGS];
    unsigned n_write = 0;
    for (unsigned i = 0; i < n; i++) {
        ask[i] = mark_of(name("many", "%06u", i), UNSET, UNSET, UNSET);
        if (i % 2)
            write[n_write++] = mark_of(ask[i].tag, (int64_t)i + 1, UNSET, UNSET);
    }
    CU_ASSERT_EQUAL(
        status_of(drive.one, LARDER_OP_TAGS_WRITE, (struct op_inputs){.marks = write, .n_marks = n_write}),
        LARDER_OK);
    struct op *op = call(drive.two, LARDER_OP_TAGS_READ, (struct op_inputs){.marks = ask, .n_marks = n});
    CU_ASSERT_EQUAL(op->result.status, LARDER_OK);
    CU_ASSERT_EQUAL(op->n_marks, n_write);
    for (size_t i = 0; i < op->n_marks; i++) {
        unsigned matches = 0;
        for (unsigned j = 0; j < n_write; j++)
            matches += bytes_equal(op->marks[i].tag, write[j].tag) &&
                       is_exactly(&op->marks[i], write[j].expired_epoch, UNSET, UNSET);
        CU_ASSERT_EQUAL(matches, 1);
    }
    op_free(op);
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_TAGS_READ, (struct op_inputs){0}), LARDER_OK);
}

static void every_byte_may_stand_in_a_tag(void) {
    uint32_t kinds = drive.one->info.key_bytes;
    int low = kinds == 2 ? 0x20 : 0, high = kinds == 2 ? 0x7f : kinds == 1 ? 0x80 : 256;
    for (int round = 0; round < 2; round++) {
        for (int byte = low; byte < high; byte++) {
            uint8_t raw[3] = {'t', (uint8_t)byte, 't'};
            struct larder_bytes tag = name_bytes("tag-bytes", raw, 3);
            struct larder_mark got;
            if (round == 0) {
                CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, byte + 1, UNSET, UNSET), 0), LARDER_OK);
            } else {
                CU_ASSERT_TRUE_FATAL(read_mark(drive.one, tag, &got));
                CU_ASSERT_EQUAL(got.expired_epoch, byte + 1);
            }
        }
    }
    if (kinds != 0)
        unclaimed("every byte in tags");
}

static void marks_are_listed_page_by_page(void) {
    enum { MARKS = 500 };
    if (!has(LARDER_OP_LIST_MARKS, "list of marks"))
        return;
    for (unsigned i = 0; i < MARKS; i++)
        CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(name("list-marks", "%06u", i), 1, UNSET, UNSET), 0),
                        LARDER_OK);
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(name("list-marks-2", "%06u", 1u), 1, UNSET, UNSET), 0),
                    LARDER_OK);
    static const uint64_t limits[] = {0, 33, UINT64_MAX};
    for (size_t i = 0; i < N_ELEMENTS(limits); i++) {
        struct tally t;
        tally_init(&t, "list-marks", MARKS);
        CU_ASSERT_TRUE(walk(LARDER_OP_LIST_MARKS, name("list-marks", "%s", ""), limits[i], tally_seen, &t));
        CU_ASSERT_EQUAL(t.found, MARKS);
        CU_ASSERT_EQUAL(t.strangers, 0);
        tally_done(&t);
    }
}

/* ---- counters ------------------------------------------------------------------------------ */

static void looking_at_an_absent_counter_creates_it_from_the_time(void) {
    int64_t before = drive.now_ms, epoch = 0;
    struct larder_bytes counter = name("counter", "looked-at");
    CU_ASSERT_EQUAL(advance(drive.one, counter, 0, &epoch), LARDER_OK);
    CU_ASSERT_EQUAL(epoch, before);
    drive.now_ms += 5000; /* looking again changes nothing */
    CU_ASSERT_EQUAL(advance(drive.two, counter, 0, &epoch), LARDER_OK);
    CU_ASSERT_EQUAL(epoch, before);
    drive.now_ms = before;
}

static void raising_a_counter_gives_the_greater_of_its_next_number_and_the_time(void) {
    int64_t before = drive.now_ms, epoch = 0;
    struct larder_bytes counter = name("counter", "raised");
    CU_ASSERT_EQUAL(advance(drive.one, counter, 1, &epoch), LARDER_OK);
    CU_ASSERT_EQUAL(epoch, before);
    CU_ASSERT_EQUAL(advance(drive.two, counter, 1, &epoch), LARDER_OK); /* in the same millisecond */
    CU_ASSERT_EQUAL(epoch, before + 1);
    drive.now_ms = before + 700;
    CU_ASSERT_EQUAL(advance(drive.one, counter, 1, &epoch), LARDER_OK);
    CU_ASSERT_EQUAL(epoch, before + 700);
    drive.now_ms = before - 3600000; /* a machine whose clock is an hour behind */
    CU_ASSERT_EQUAL(advance(drive.two, counter, 1, &epoch), LARDER_OK);
    CU_ASSERT_EQUAL(epoch, before + 701);
    CU_ASSERT_EQUAL(advance(drive.two, counter, 0, &epoch), LARDER_OK);
    CU_ASSERT_EQUAL(epoch, before + 701);
    drive.now_ms = before;
}

static void every_raise_of_many_at_once_gives_its_own_number(void) {
    enum { RAISES = 200 };
    struct larder_bytes counter = name("counter", "at-once");
    struct sent sent[RAISES];
    bool seen[RAISES] = {false};
    for (unsigned i = 0; i < RAISES; i++)
        send_op(i % 2 ? drive.two : drive.one, LARDER_OP_ADVANCE,
                (struct op_inputs){.key = counter, .add = 1}, &sent[i]);
    drive_wait();
    for (unsigned i = 0; i < RAISES; i++) {
        int64_t at = sent[i].op->result.epoch - drive.now_ms;
        CU_ASSERT_EQUAL(sent[i].op->result.status, LARDER_OK);
        CU_ASSERT_FATAL(at >= 0 && at < RAISES);
        CU_ASSERT_FALSE(seen[at]);
        seen[at] = true;
        op_free(sent[i].op);
    }
}

static void entries_marks_and_counters_of_one_name_are_three_things(void) {
    struct larder_bytes same = name("same", "x");
    int64_t epoch = 0;
    struct larder_mark got;
    bool cache = backend_can(drive.one, LARDER_OP_PUT);
    if (cache)
        CU_ASSERT_EQUAL(put_value(drive.one, same, 77, 7, 0), LARDER_OK);
    CU_ASSERT_FALSE(read_mark(drive.one, same, &got));
    CU_ASSERT_EQUAL(advance(drive.one, same, 1, &epoch), LARDER_OK);
    CU_ASSERT_FALSE(read_mark(drive.one, same, &got));
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(same, 3, UNSET, UNSET), 0), LARDER_OK);
    CU_ASSERT_EQUAL(advance(drive.one, same, 0, &epoch), LARDER_OK);
    CU_ASSERT_EQUAL(epoch, drive.now_ms);
    if (cache) {
        CU_ASSERT_EQUAL(get_value(drive.one, same, 77, 7), LARDER_OK);
        CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_REMOVE, (struct op_inputs){.key = same}), LARDER_OK);
    }
    CU_ASSERT_TRUE(read_mark(drive.one, same, &got));
}

/* ---- bump --------------------------------------------------------------------------------------- */

static int32_t bump(struct backend *b, struct larder_bytes counter, const struct larder_mark *marks, size_t n,
                    int64_t *ret_epoch) {
    struct op *op = call(b, LARDER_OP_BUMP, (struct op_inputs){.key = counter, .marks = marks, .n_marks = n});
    int32_t status = op->result.status;
    *ret_epoch = op->result.epoch;
    op_free(op);
    return status;
}

static void a_bump_raises_the_counter_and_writes_its_number_into_the_marks(void) {
    if (!has(LARDER_OP_BUMP, "bump"))
        return;
    struct larder_bytes counter = name("bump", "counter");
    struct larder_mark marks[3] = {
        mark_of(name("bump", "expired"), LARDER_NEW_EPOCH, UNSET, UNSET),
        mark_of(name("bump", "stale"), UNSET, LARDER_NEW_EPOCH, drive.now_ms + 1000),
        mark_of(name("bump", "given"), 5, UNSET, UNSET),
    };
    int64_t first = 0, second = 0, looked = 0;
    struct larder_mark got;
    CU_ASSERT_EQUAL(bump(drive.one, counter, marks, 3, &first), LARDER_OK);
    CU_ASSERT_EQUAL(first, drive.now_ms);
    CU_ASSERT_EQUAL(bump(drive.two, counter, marks, 3, &second), LARDER_OK);
    CU_ASSERT_EQUAL(second, first + 1);
    CU_ASSERT_EQUAL(advance(drive.one, counter, 0, &looked), LARDER_OK);
    CU_ASSERT_EQUAL(looked, second);
    CU_ASSERT_TRUE_FATAL(read_mark(drive.one, marks[0].tag, &got));
    CU_ASSERT(is_exactly(&got, second, UNSET, UNSET));
    CU_ASSERT_TRUE_FATAL(read_mark(drive.one, marks[1].tag, &got));
    CU_ASSERT(is_exactly(&got, UNSET, second, drive.now_ms + 1000));
    CU_ASSERT_TRUE_FATAL(read_mark(drive.one, marks[2].tag, &got));
    CU_ASSERT(is_exactly(&got, 5, UNSET, UNSET));
}

/* While one instance bumps, the other looks at the counter, at the marks, and at the counter
 * again: the marks are never behind the first, nor ahead of the second. */
static void nobody_sees_the_counter_of_a_bump_without_its_marks(void) {
    enum { BUMPS = 300, LOOKS = 20, TAGS = 3 };
    if (!has(LARDER_OP_BUMP, "bump"))
        return;
    struct larder_bytes counter = name("atomic", "counter");
    static struct sent sent[BUMPS];
    struct larder_mark marks[TAGS];
    int64_t epoch = 0;
    for (unsigned i = 0; i < TAGS; i++)
        marks[i] = mark_of(name("atomic", "%u", i), LARDER_NEW_EPOCH, UNSET, UNSET);
    struct op_inputs in = {.key = counter, .marks = marks, .n_marks = TAGS};
    CU_ASSERT_EQUAL(bump(drive.two, counter, marks, TAGS, &epoch), LARDER_OK);
    for (unsigned i = 0; i < BUMPS; i++)
        send_op(drive.two, LARDER_OP_BUMP, in, &sent[i]);
    for (unsigned i = 0; i < LOOKS; i++) {
        int64_t before = 0, after = 0;
        CU_ASSERT_EQUAL(advance(drive.one, counter, 0, &before), LARDER_OK);
        struct op *read = call(drive.one, LARDER_OP_TAGS_READ,
                               (struct op_inputs){.marks = marks, .n_marks = TAGS});
        CU_ASSERT_EQUAL(advance(drive.one, counter, 0, &after), LARDER_OK);
        CU_ASSERT_EQUAL(read->n_marks, TAGS);
        for (size_t j = 0; j < read->n_marks; j++) {
            CU_ASSERT(read->marks[j].expired_epoch >= before);
            CU_ASSERT(read->marks[j].expired_epoch <= after);
        }
        op_free(read);
    }
    drive_wait();
    for (unsigned i = 0; i < BUMPS; i++) {
        CU_ASSERT_EQUAL(sent[i].op->result.status, LARDER_OK);
        op_free(sent[i].op);
    }
    CU_ASSERT_EQUAL(advance(drive.one, counter, 0, &epoch), LARDER_OK);
    CU_ASSERT_EQUAL(epoch, drive.now_ms + BUMPS);
}

static const struct unit_test tests[] = {
    UNIT(a_tag_that_was_never_marked_has_no_mark),
    UNIT(marks_are_read_back_exactly),
    UNIT(what_a_mark_leaves_unset_stays_as_it_is_stored),
    UNIT(the_greater_epoch_and_the_sooner_expiry_win),
    UNIT(a_pair_that_is_due_makes_room_and_brings_nothing_back),
    UNIT(random_marks_merge_as_the_rule_says),
    UNIT(the_order_of_arrival_changes_nothing),
    UNIT(a_mark_if_absent_leaves_what_is_stored),
    UNIT(marks_written_at_once_to_one_tag_all_count),
    UNIT(many_tags_are_written_and_read_in_one_op),
    UNIT(every_byte_may_stand_in_a_tag),
    UNIT(marks_are_listed_page_by_page),
    UNIT(looking_at_an_absent_counter_creates_it_from_the_time),
    UNIT(raising_a_counter_gives_the_greater_of_its_next_number_and_the_time),
    UNIT(every_raise_of_many_at_once_gives_its_own_number),
    UNIT(entries_marks_and_counters_of_one_name_are_three_things),
    UNIT(a_bump_raises_the_counter_and_writes_its_number_into_the_marks),
    UNIT(nobody_sees_the_counter_of_a_bump_without_its_marks),
};
const struct suite tag_suite = {"the tag cache", LARDER_OP_TAGS_READ, tests, N_ELEMENTS(tests)};
