/* Marks: what is read back, and how two of them become one (larder/merge.h is the rule). */
#include "larder/merge.h"
#include "race.h"
#include "random.h"
#include "suites.h"

static void a_tag_that_was_never_marked_has_no_mark(void) {
    struct larder_mark got;
    CU_ASSERT_FALSE(read_mark(drive.one, name("no-mark", "x"), &got));
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(name("no-mark", "y"), 1, UNSET, UNSET), 0), LARDER_OK);
    CU_ASSERT_FALSE(read_mark(drive.one, name("no-mark", "x"), &got));
}

static void marks_are_read_back_exactly(void) {
    static const int64_t epochs[] = {LARDER_UNSET, 0, 1, 1700000000123, (INT64_C(1) << 53) + 1,
                                     INT64_MAX - 1};
    int64_t times[] = {LARDER_UNSET, drive.now_ms + 1, drive.now_ms + 3600000, (INT64_C(1) << 53) + 1,
                       INT64_MAX - 1};
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
                CU_ASSERT_TRUE_FATAL(read_mark(drive.two, tag, &got));
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

static void no_epoch_of_a_mark_ever_goes_down(void) {
    struct larder_bytes tag = name("down", "x");
    struct larder_mark got;
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, 100, 200, UNSET), 0), LARDER_OK);
    CU_ASSERT_EQUAL(write_mark(drive.two, mark_of(tag, 99, 199, UNSET), 0), LARDER_OK);
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, 0, 0, UNSET), 0), LARDER_OK);
    CU_ASSERT_TRUE_FATAL(read_mark(drive.one, tag, &got));
    CU_ASSERT(is_exactly(&got, 100, 200, UNSET));
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

/* Reading is no merging: what a mark says at a time is the reader's to find out. */
static void a_mark_whose_time_comes_says_the_same_as_it_did(void) {
    int64_t before = drive.now_ms;
    struct larder_bytes tag = name("time-comes", "x");
    struct larder_mark put = mark_of(tag, 3, 10, before + 1000), got;
    CU_ASSERT_EQUAL(write_mark(drive.one, put, 0), LARDER_OK);
    static const int64_t later_ms[] = {0, 999, 1000, 1001, INT64_C(40000000000), 500};
    for (size_t i = 0; i < N_ELEMENTS(later_ms); i++) {
        drive.now_ms = before + later_ms[i];
        CU_ASSERT_TRUE_FATAL(read_mark(either((unsigned)i), tag, &got));
        CU_ASSERT(says_the_same(got, put, drive.now_ms));
    }
    drive.now_ms = before;
}

/* ---- every mark of a small domain -------------------------------------------------------------- */

enum { VALUES = 4, MARKS = VALUES * VALUES * VALUES, PAIRS = MARKS * MARKS };

static int64_t small(int i, int64_t base) {
    return i == 0 ? UNSET : base + i;
}

/* Epochs 1 to 3, times one before to one after `now_ms`, each or unset. */
static struct larder_mark mark_no(int no, struct larder_bytes tag, int64_t now_ms) {
    return mark_of(tag, small(no % VALUES, 0), small(no / VALUES % VALUES, 0),
                   small(no / VALUES / VALUES, now_ms - 2));
}

/* Where nothing is said, nothing need be stored. */
static void compare(const struct larder_mark *got, const struct larder_mark *want, size_t n, int64_t now_ms) {
    unsigned wrong = 0;
    for (size_t i = 0; i < n; i++) {
        if (!says_the_same(got[i], want[i], now_ms) && wrong++ == 0)
            note("mark %zu is %lld %lld %lld, not %lld %lld %lld", i, (long long)got[i].expired_epoch,
                 (long long)got[i].stale_epoch, (long long)got[i].expire_at_ms,
                 (long long)want[i].expired_epoch, (long long)want[i].stale_epoch,
                 (long long)want[i].expire_at_ms);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* Every mark arrives after every mark, so much later. */
static void try_pairs(int later_ms) {
    int64_t before = drive.now_ms;
    struct larder_mark *first = calloc(3 * PAIRS, sizeof(*first)), *second = first + PAIRS,
                       *got = second + PAIRS;
    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    for (int i = 0; i < PAIRS; i++) {
        struct larder_bytes tag = name("domain", "%d-%d", later_ms, i);
        first[i] = mark_no(i / MARKS, tag, before);
        second[i] = mark_no(i % MARKS, tag, before);
    }
    CU_ASSERT_EQUAL(write_marks(drive.one, first, PAIRS), LARDER_OK);
    drive.now_ms = before + later_ms;
    CU_ASSERT_EQUAL(write_marks(drive.two, second, PAIRS), LARDER_OK);
    CU_ASSERT_TRUE(read_marks(drive.one, first, PAIRS, got));
    for (int i = 0; i < PAIRS; i++)
        second[i] = larder_merge_mark(&first[i], &second[i], drive.now_ms);
    compare(got, second, PAIRS, drive.now_ms);
    free(first);
    drive.now_ms = before;
}

static void every_two_small_marks_of_one_time_merge_as_the_rule_says(void) {
    try_pairs(0);
}

static void every_two_small_marks_merge_as_the_rule_says_when_time_has_passed(void) {
    try_pairs(1);
}

static void every_two_small_marks_merge_as_the_rule_says_when_a_clock_is_behind(void) {
    try_pairs(-1);
}

/* Many tags at once, a mark for each in every step, and time goes on. */
static void random_marks_merge_as_the_rule_says(void) {
    enum { TAGS = 500, STEPS = 6 };
    int64_t before = drive.now_ms;
    struct larder_mark add[TAGS], want[TAGS], got[TAGS];
    for (unsigned step = 0; step < STEPS; step++) {
        for (unsigned i = 0; i < TAGS; i++) {
            if (step == 0)
                add[i].tag = name("random", "%u", i);
            add[i] = mark_no((int)random_below(&drive.random, MARKS), add[i].tag, drive.now_ms);
            want[i] = larder_merge_mark(step == 0 ? NULL : &want[i], &add[i], drive.now_ms);
        }
        CU_ASSERT_EQUAL(write_marks(either(step), add, TAGS), LARDER_OK);
        CU_ASSERT_TRUE(read_marks(either(step / 2), add, TAGS, got));
        compare(got, want, TAGS, drive.now_ms);
        drive.now_ms += random_below(&drive.random, 3) - 1;
    }
    drive.now_ms = before;
}

static void the_order_of_arrival_changes_nothing(void) {
    static const unsigned orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    enum { TRIPLES = 80, TAGS = 6 * TRIPLES };
    struct larder_mark triples[TRIPLES][3], add[TAGS], got[TAGS], want[TAGS];
    for (unsigned i = 0; i < TRIPLES; i++) {
        for (unsigned j = 0; j < 3; j++)
            triples[i][j] = mark_no((int)random_below(&drive.random, MARKS), NOTHING, drive.now_ms);
    }
    for (unsigned step = 0; step < 3; step++) {
        for (unsigned i = 0; i < TAGS; i++) {
            struct larder_bytes tag = step == 0 ? name("order", "%u", i) : add[i].tag;
            add[i] = triples[i / 6][orders[i % 6][step]];
            add[i].tag = tag;
        }
        CU_ASSERT_EQUAL(write_marks(either(step), add, TAGS), LARDER_OK);
    }
    for (unsigned i = 0; i < TAGS; i++) {
        struct larder_mark both = larder_merge_mark(&triples[i / 6][0], &triples[i / 6][1], drive.now_ms);
        want[i] = larder_merge_mark(&both, &triples[i / 6][2], drive.now_ms);
    }
    CU_ASSERT_TRUE(read_marks(drive.one, add, TAGS, got));
    compare(got, want, TAGS, drive.now_ms);
}

static void a_mark_that_arrives_again_changes_nothing(void) {
    struct larder_bytes tag = name("again", "x");
    struct larder_mark got;
    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(write_mark(either(i), mark_of(tag, 4, 6, drive.now_ms + 5000), 0), LARDER_OK);
        CU_ASSERT_TRUE_FATAL(read_mark(drive.one, tag, &got));
        CU_ASSERT(is_exactly(&got, 4, 6, drive.now_ms + 5000));
    }
}

/* ---- only if absent ------------------------------------------------------------------------------- */

static void a_mark_if_absent_leaves_what_is_stored(void) {
    struct larder_bytes tag = name("mark-if-absent", "x");
    struct larder_mark got;
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, 5, UNSET, UNSET), LARDER_IF_ABSENT), LARDER_OK);
    CU_ASSERT_EQUAL(write_mark(drive.two, mark_of(tag, 9, 9, UNSET), LARDER_IF_ABSENT), LARDER_MISS);
    CU_ASSERT_TRUE_FATAL(read_mark(drive.one, tag, &got));
    CU_ASSERT(is_exactly(&got, 5, UNSET, UNSET));
}

static void marks_if_absent_are_looked_at_each_alone(void) {
    enum { MARKS_HERE = 6 };
    struct larder_mark marks[MARKS_HERE], got[MARKS_HERE];
    if (drive.one->info.max_marks > 0 && drive.one->info.max_marks < MARKS_HERE) {
        unclaimed("six marks in one op");
        return;
    }
    for (int i = 0; i < MARKS_HERE; i++) {
        marks[i] = mark_of(name("each-alone", "%d", i), 100 + i, UNSET, UNSET);
        if (i % 2)
            CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(marks[i].tag, i, UNSET, UNSET), 0), LARDER_OK);
    }
    struct op_inputs in = {.marks = marks, .n_marks = MARKS_HERE, .flags = LARDER_IF_ABSENT};
    CU_ASSERT_EQUAL(status_of(drive.two, LARDER_OP_TAGS_WRITE, in), LARDER_MISS);
    CU_ASSERT_TRUE(read_marks(drive.one, marks, MARKS_HERE, got));
    for (int i = 0; i < MARKS_HERE; i++)
        CU_ASSERT(is_exactly(&got[i], i % 2 ? i : 100 + i, UNSET, UNSET));
}

static void of_many_marks_if_absent_at_once_one_is_stored(void) {
    enum { WRITERS = 40 };
    struct larder_bytes tag = name("absent-race", "x");
    struct larder_mark got;
    struct sent sent[WRITERS];
    for (unsigned i = 0; i < WRITERS; i++) {
        struct larder_mark mark = mark_of(tag, (int64_t)i + 1, UNSET, UNSET);
        struct op_inputs in = {.marks = &mark, .n_marks = 1, .flags = LARDER_IF_ABSENT};
        send_op(either(i), LARDER_OP_TAGS_WRITE, in, &sent[i]);
    }
    drive_wait();
    unsigned winners = 0, winner = 0;
    for (unsigned i = 0; i < WRITERS; i++) {
        int32_t status = sent[i].op->result.status;
        CU_ASSERT(status == LARDER_OK || status == LARDER_MISS);
        winners += status == LARDER_OK;
        winner = status == LARDER_OK ? i : winner;
        op_free(sent[i].op);
    }
    CU_ASSERT_EQUAL(winners, 1);
    CU_ASSERT_TRUE_FATAL(read_mark(drive.one, tag, &got));
    CU_ASSERT(is_exactly(&got, (int64_t)winner + 1, UNSET, UNSET));
}

/* ---- writers at the same time ----------------------------------------------------------------------- */

static void marks_written_at_once_to_one_tag_all_count(void) {
    enum { WRITERS = 100 };
    struct larder_bytes tag = name("at-once", "x");
    struct sent sent[WRITERS];
    for (unsigned i = 0; i < WRITERS; i++) {
        unsigned epoch = (i * 37 + 11) % WRITERS + 1;
        struct larder_mark mark = mark_of(tag, epoch, epoch + 1000, drive.now_ms + 100000 - epoch);
        struct op_inputs in = {.marks = &mark, .n_marks = 1};
        send_op(either(i), LARDER_OP_TAGS_WRITE, in, &sent[i]);
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

/* Marks of a process, all to one tag at one time: their merge does not depend on the order. */
static bool mark_and_say(const struct race_job *job) {
    enum { WRITES = 100 };
    for (unsigned i = 0; i < WRITES; i++) {
        struct larder_mark mark = mark_of(job->key, UNSET, UNSET, UNSET);
        uint32_t which = random_below(&drive.random, 3);
        if (which != 0)
            mark.expired_epoch = random_below(&drive.random, 1000000);
        if (which != 1) {
            mark.stale_epoch = random_below(&drive.random, 1000000);
            mark.expire_at_ms = job->now_ms + 1 + random_below(&drive.random, 1000000);
        }
        if (write_mark(either(i), mark, 0) != LARDER_OK)
            return false;
        race_say(mark.expired_epoch);
        race_say(mark.stale_epoch);
        race_say(mark.expire_at_ms);
    }
    return true;
}
const struct role marks_role = {"marks", mark_and_say};

static void marks_written_by_several_processes_to_one_tag_all_count(void) {
    if (!claims(LARDER_SHARED, "sharing between processes"))
        return;
    struct larder_bytes tag = name("mark-race", "x");
    struct larder_mark want = mark_of(tag, UNSET, UNSET, UNSET), got;
    struct race race;
    CU_ASSERT_TRUE(race_run(&race, "marks", 3, tag, NOTHING));
    for (unsigned i = 0; i < race.n; i++) {
        const int64_t *said = race.racers[i].said;
        CU_ASSERT(race.racers[i].n_said > 0 && race.racers[i].n_said % 3 == 0);
        for (size_t j = 0; j + 2 < race.racers[i].n_said; j += 3) {
            struct larder_mark add = mark_of(tag, said[j], said[j + 1], said[j + 2]);
            want = larder_merge_mark(&want, &add, drive.now_ms);
        }
    }
    race_done(&race);
    CU_ASSERT_TRUE_FATAL(read_mark(drive.one, tag, &got));
    CU_ASSERT(says_the_same(got, want, drive.now_ms));
}

static bool mark_if_absent_and_say(const struct race_job *job) {
    enum { TAGS = 50 };
    for (unsigned i = 0; i < TAGS; i++) {
        uint8_t text[512];
        if (job->key.len + 1 > sizeof(text))
            return false;
        *bytes_put(text, job->key) = (uint8_t)('0' + i);
        struct larder_mark mark = mark_of((struct larder_bytes){text, job->key.len + 1},
                                          (int64_t)job->who + 1, UNSET, UNSET),
                           got;
        int32_t status = write_mark(either(i), mark, LARDER_IF_ABSENT);
        if ((status != LARDER_OK && status != LARDER_MISS) || !read_mark(drive.one, mark.tag, &got))
            return false;
        race_say(status == LARDER_OK ? mark.expired_epoch : 0);
        race_say(got.expired_epoch);
    }
    return true;
}
const struct role marks_if_absent_role = {"marks if absent", mark_if_absent_and_say};

static void of_processes_that_mark_if_absent_one_succeeds_and_all_see_its_mark(void) {
    enum { RACERS = 4 };
    if (!claims(LARDER_SHARED, "sharing between processes"))
        return;
    struct race race;
    CU_ASSERT_TRUE_FATAL(race_run(&race, "marks if absent", RACERS, name("absent-processes", "x"), NOTHING));
    for (size_t j = 0; j + 1 < race.racers[0].n_said; j += 2) {
        unsigned winners = 0;
        int64_t winner = 0;
        for (unsigned i = 0; i < RACERS; i++) {
            CU_ASSERT_FATAL(race.racers[i].n_said == race.racers[0].n_said);
            winners += race.racers[i].said[j] != 0;
            winner += race.racers[i].said[j];
        }
        CU_ASSERT_EQUAL(winners, 1);
        for (unsigned i = 0; i < RACERS; i++)
            CU_ASSERT_EQUAL(race.racers[i].said[j + 1], winner);
    }
    race_done(&race);
}

static const struct unit_test tests[] = {
    UNIT(a_tag_that_was_never_marked_has_no_mark),
    UNIT(marks_are_read_back_exactly),
    UNIT(what_a_mark_leaves_unset_stays_as_it_is_stored),
    UNIT(no_epoch_of_a_mark_ever_goes_down),
    UNIT(the_greater_epoch_and_the_sooner_expiry_win),
    UNIT(a_pair_that_is_due_makes_room_and_brings_nothing_back),
    UNIT(a_mark_whose_time_comes_says_the_same_as_it_did),
    UNIT(every_two_small_marks_of_one_time_merge_as_the_rule_says),
    UNIT(every_two_small_marks_merge_as_the_rule_says_when_time_has_passed),
    UNIT(every_two_small_marks_merge_as_the_rule_says_when_a_clock_is_behind),
    UNIT(random_marks_merge_as_the_rule_says),
    UNIT(the_order_of_arrival_changes_nothing),
    UNIT(a_mark_that_arrives_again_changes_nothing),
    UNIT(a_mark_if_absent_leaves_what_is_stored),
    UNIT(marks_if_absent_are_looked_at_each_alone),
    UNIT(of_many_marks_if_absent_at_once_one_is_stored),
    UNIT(of_processes_that_mark_if_absent_one_succeeds_and_all_see_its_mark),
    UNIT(marks_written_at_once_to_one_tag_all_count),
    UNIT(marks_written_by_several_processes_to_one_tag_all_count),
};
const struct suite marks_suite = {"marks", LARDER_OP_TAGS_READ, tests, N_ELEMENTS(tests)};
