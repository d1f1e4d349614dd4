/* Marks: what is read back, and how two of them become one. */

#include "larder/merge.h"
#include "random.h"
#include "suites.h"

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
};
const struct suite marks_suite = {"marks", LARDER_OP_TAGS_READ, tests, N_ELEMENTS(tests)};
