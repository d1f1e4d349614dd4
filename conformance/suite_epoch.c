/* Counters, and bump: a counter and marks in one step. */
#include "race.h"
#include "suites.h"

/* ---- one counter -------------------------------------------------------------------------- */

static void looking_at_an_absent_counter_creates_it_from_the_time(void) {
    int64_t before = drive.now_ms, epoch = 0;
    struct larder_bytes counter = name("counter", "looked-at");
    CU_ASSERT_EQUAL(advance(drive.one, counter, 0, &epoch), LARDER_OK);
    CU_ASSERT_EQUAL(epoch, before);
    drive.now_ms += 5000; /* looking again changes nothing */
    CU_ASSERT_EQUAL(advance(drive.two, counter, 0, &epoch), LARDER_OK);
    CU_ASSERT_EQUAL(epoch, before);
    drive.now_ms -= 9000;
    CU_ASSERT_EQUAL(advance(drive.one, counter, 0, &epoch), LARDER_OK);
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

/* That is what the time in the rule is for: a counter that was lost is greater than it was. */
static void a_counter_that_is_new_is_greater_than_one_that_was_there_before(void) {
    int64_t before = drive.now_ms, old = 0, fresh = 0;
    CU_ASSERT_EQUAL(advance(drive.one, name("lost", "old"), 0, &old), LARDER_OK);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(advance(drive.one, name("lost", "old"), 1, &old), LARDER_OK);
    drive.now_ms += 10;
    CU_ASSERT_EQUAL(advance(drive.one, name("lost", "new"), 1, &fresh), LARDER_OK);
    CU_ASSERT(fresh > old);
    CU_ASSERT_EQUAL(advance(drive.two, name("lost", "looked at"), 0, &fresh), LARDER_OK);
    CU_ASSERT(fresh > old);
    drive.now_ms = before;
}

static void every_raise_of_many_at_once_gives_its_own_number(void) {
    enum { RAISES = 200 };
    struct larder_bytes counter = name("counter", "at-once");
    struct sent sent[RAISES];
    bool seen[RAISES] = {false};
    for (unsigned i = 0; i < RAISES; i++)
        send_op(either(i), LARDER_OP_ADVANCE, (struct op_inputs){.key = counter, .add = 1}, &sent[i]);
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

static void counters_whose_names_look_alike_are_different_counters(void) {
    for (int64_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < n_awkward; i++) {
            struct larder_bytes counter = name_bytes("counters", awkward[i].ptr, awkward[i].len);
            int64_t epoch = 0;
            if (!name_allowed(awkward[i]))
                continue;
            CU_ASSERT_EQUAL(advance(either((unsigned)i), counter, 1, &epoch), LARDER_OK);
            CU_ASSERT_EQUAL(epoch, drive.now_ms + round);
        }
    }
}

/* ---- over processes ---------------------------------------------------------------------- */

enum { RACERS = 4, RAISES_OF_ONE = 150 };

static bool raise_and_say(const struct race_job *job) {
    for (unsigned i = 0; i < RAISES_OF_ONE; i++) {
        int64_t epoch = 0;
        if (advance(either(i), job->key, 1, &epoch) != LARDER_OK)
            return false;
        race_say(epoch);
    }
    return true;
}
const struct role raises_role = {"raises", raise_and_say};

static int by_number(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* All that the racers said, which each said in rising order: one row of numbers from first on. */
static void said_each_number_once(const struct race *race, int64_t first) {
    int64_t all[RACERS * RAISES_OF_ONE];
    size_t n = 0;
    for (unsigned i = 0; i < race->n; i++) {
        const struct racer *r = &race->racers[i];
        CU_ASSERT_FATAL(r->n_said <= RAISES_OF_ONE);
        for (size_t j = 0; j < r->n_said; j++) {
            CU_ASSERT(j == 0 || r->said[j] > r->said[j - 1]);
            all[n++] = r->said[j];
        }
    }
    qsort(all, n, sizeof(all[0]), by_number);
    for (size_t i = 0; i < n; i++)
        CU_ASSERT_EQUAL(all[i], first + (int64_t)i);
}

static void processes_that_raise_one_counter_never_get_the_same_number(void) {
    if (!claims(LARDER_SHARED, "sharing between processes"))
        return;
    struct larder_bytes counter = name("raise-race", "counter");
    struct race race;
    int64_t last = 0;
    CU_ASSERT_TRUE_FATAL(race_run(&race, "raises", RACERS, counter, NOTHING));
    said_each_number_once(&race, drive.now_ms);
    race_done(&race);
    CU_ASSERT_EQUAL(advance(drive.one, counter, 0, &last), LARDER_OK);
    CU_ASSERT_EQUAL(last, drive.now_ms + RACERS * RAISES_OF_ONE - 1);
}

/* Each by a clock of its own: whoever comes first says what it is, and all the others see that. */
static bool look_and_say(const struct race_job *job) {
    enum { COUNTERS = 50 };
    drive.now_ms += (int64_t)job->who * 1000;
    for (unsigned i = 0; i < COUNTERS; i++) {
        uint8_t text[512];
        int64_t epoch = 0;
        if (job->key.len + 1 > sizeof(text))
            return false;
        *bytes_put(text, job->key) = (uint8_t)('0' + i);
        if (advance(either(i), (struct larder_bytes){text, job->key.len + 1}, 0, &epoch) != LARDER_OK)
            return false;
        race_say(epoch);
    }
    return true;
}
const struct role looks_role = {"looks", look_and_say};

static void processes_that_look_at_an_absent_counter_see_the_same_number(void) {
    if (!claims(LARDER_SHARED, "sharing between processes"))
        return;
    struct race race;
    CU_ASSERT_TRUE_FATAL(race_run(&race, "looks", RACERS, name("look-race", "x"), NOTHING));
    for (unsigned i = 0; i < RACERS; i++) {
        CU_ASSERT_EQUAL_FATAL(race.racers[i].n_said, race.racers[0].n_said);
        for (size_t j = 0; j < race.racers[i].n_said; j++)
            CU_ASSERT_EQUAL(race.racers[i].said[j], race.racers[0].said[j]);
    }
    race_done(&race);
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
    struct larder_mark got[3];
    CU_ASSERT_EQUAL(bump(drive.one, counter, marks, 3, &first), LARDER_OK);
    CU_ASSERT_EQUAL(first, drive.now_ms);
    CU_ASSERT_EQUAL(bump(drive.two, counter, marks, 3, &second), LARDER_OK);
    CU_ASSERT_EQUAL(second, first + 1);
    CU_ASSERT_EQUAL(advance(drive.one, counter, 0, &looked), LARDER_OK);
    CU_ASSERT_EQUAL(looked, second);
    CU_ASSERT_TRUE(read_marks(drive.one, marks, 3, got));
    CU_ASSERT(is_exactly(&got[0], second, UNSET, UNSET));
    /* Of a lossy store marks begin with what the counter said, and it said nothing before. */
    bool lossy = (drive.one->info.traits & LARDER_LOSSY) != 0;
    CU_ASSERT(is_exactly(&got[1], lossy ? first : UNSET, second, drive.now_ms + 1000));
    CU_ASSERT(is_exactly(&got[2], lossy ? first : 5, UNSET, UNSET));
}

static void a_bump_merges_its_marks_as_the_rule_says(void) {
    if (!has(LARDER_OP_BUMP, "bump"))
        return;
    int64_t before = drive.now_ms, epoch = 0, great = before + 1000000;
    struct larder_bytes counter = name("bump-merge", "counter");
    struct larder_mark marks[3], got[3];
    for (int i = 0; i < 3; i++)
        marks[i] = mark_of(name("bump-merge", "%d", i), great, 7, before + 500);
    CU_ASSERT_EQUAL(write_marks(drive.one, marks, 3), LARDER_OK);
    marks[0] = mark_of(marks[0].tag, LARDER_NEW_EPOCH, UNSET, UNSET);
    marks[1] = mark_of(marks[1].tag, UNSET, LARDER_NEW_EPOCH, before + 900);
    marks[2] = mark_of(marks[2].tag, LARDER_NEW_EPOCH, LARDER_NEW_EPOCH, UNSET);
    CU_ASSERT_EQUAL(bump(drive.two, counter, marks, 3, &epoch), LARDER_OK);
    CU_ASSERT_TRUE(read_marks(drive.one, marks, 3, got));
    CU_ASSERT(is_exactly(&got[0], great, 7, before + 500));
    CU_ASSERT(is_exactly(&got[1], great, epoch, before + 500));
    CU_ASSERT(is_exactly(&got[2], great, epoch, before + 500));
    drive.now_ms = before + 500; /* the pairs are due: they become part of what is expired */
    CU_ASSERT_EQUAL(bump(drive.one, counter, marks + 1, 1, &epoch), LARDER_OK);
    CU_ASSERT_TRUE(read_marks(drive.one, marks, 2, got));
    CU_ASSERT(is_exactly(&got[1], great, epoch, before + 900));
    drive.now_ms = before;
}

static void a_bump_takes_many_marks_and_none(void) {
    enum { TAGS = 150 };
    if (!has(LARDER_OP_BUMP, "bump"))
        return;
    uint32_t max_marks = drive.one->info.max_marks;
    size_t n = max_marks > 0 && max_marks < TAGS ? max_marks : TAGS;
    struct larder_bytes counter = name("bump-many", "counter");
    struct larder_mark marks[TAGS], got[TAGS];
    int64_t epoch = 0, none = 0;
    for (size_t i = 0; i < n; i++)
        marks[i] = mark_of(name("bump-many", "%zu", i), LARDER_NEW_EPOCH, UNSET, UNSET);
    CU_ASSERT_EQUAL(bump(drive.one, counter, marks, n, &epoch), LARDER_OK);
    CU_ASSERT_TRUE(read_marks(drive.two, marks, n, got));
    for (size_t i = 0; i < n; i++)
        CU_ASSERT(is_exactly(&got[i], epoch, UNSET, UNSET));
    CU_ASSERT_EQUAL(bump(drive.two, counter, NULL, 0, &none), LARDER_OK);
    CU_ASSERT_EQUAL(none, epoch + 1);
}

/* Look at the counter, at the marks, and at the counter again: the marks are never behind the first,
 * nor ahead of the second. */
static void marks_keep_up_with(struct larder_bytes counter, const struct larder_mark *marks, size_t n) {
    int64_t before = 0, after = 0;
    CU_ASSERT_EQUAL(advance(drive.one, counter, 0, &before), LARDER_OK);
    struct op *read = call(drive.one, LARDER_OP_TAGS_READ, (struct op_inputs){.marks = marks, .n_marks = n});
    CU_ASSERT_EQUAL(advance(drive.one, counter, 0, &after), LARDER_OK);
    CU_ASSERT_EQUAL(read->n_marks, n);
    for (size_t i = 0; i < read->n_marks; i++) {
        CU_ASSERT(read->marks[i].expired_epoch >= before);
        CU_ASSERT(read->marks[i].expired_epoch <= after);
    }
    op_free(read);
}

enum { BUMP_TAGS = 3 };

static void bump_marks(struct larder_mark *marks, const char *test) {
    for (unsigned i = 0; i < BUMP_TAGS; i++)
        marks[i] = mark_of(name(test, "%u", i), LARDER_NEW_EPOCH, UNSET, UNSET);
}

static void nobody_sees_the_counter_of_a_bump_without_its_marks(void) {
    enum { LOOKS = 30, BUMPS_PER_LOOK = 10, BUMPS = LOOKS * BUMPS_PER_LOOK };
    if (!has(LARDER_OP_BUMP, "bump"))
        return;
    struct larder_bytes counter = name("atomic", "counter");
    static struct sent sent[BUMPS];
    struct larder_mark marks[BUMP_TAGS];
    int64_t epoch = 0;
    bump_marks(marks, "atomic");
    struct op_inputs in = {.key = counter, .marks = marks, .n_marks = BUMP_TAGS};
    CU_ASSERT_EQUAL(bump(drive.two, counter, marks, BUMP_TAGS, &epoch), LARDER_OK);
    /* A look behind every few bumps: on a machine that is slow, one behind all of them is late. */
    for (unsigned i = 0; i < BUMPS; i++) {
        send_op(drive.two, LARDER_OP_BUMP, in, &sent[i]);
        if (i % BUMPS_PER_LOOK == BUMPS_PER_LOOK - 1)
            marks_keep_up_with(counter, marks, BUMP_TAGS);
    }
    drive_wait();
    for (unsigned i = 0; i < BUMPS; i++) {
        CU_ASSERT_EQUAL(sent[i].op->result.status, LARDER_OK);
        op_free(sent[i].op);
    }
    CU_ASSERT_EQUAL(advance(drive.one, counter, 0, &epoch), LARDER_OK);
    CU_ASSERT_EQUAL(epoch, drive.now_ms + BUMPS);
}

/* The key is the counter's, and the beginning of the tags'. */
static bool bump_and_say(const struct race_job *job) {
    struct larder_mark marks[BUMP_TAGS];
    uint8_t text[BUMP_TAGS][512];
    if (job->key.len + 1 > sizeof(text[0]))
        return false;
    for (unsigned i = 0; i < BUMP_TAGS; i++) {
        *bytes_put(text[i], job->key) = (uint8_t)('0' + i);
        marks[i] = mark_of((struct larder_bytes){text[i], job->key.len + 1}, LARDER_NEW_EPOCH, UNSET, UNSET);
    }
    for (unsigned i = 0; i < RAISES_OF_ONE; i++) {
        int64_t epoch = 0;
        if (bump(either(i), job->key, marks, BUMP_TAGS, &epoch) != LARDER_OK)
            return false;
        race_say(epoch);
    }
    return true;
}
const struct role bumps_role = {"bumps", bump_and_say};

static void nobody_sees_the_counter_of_another_process_without_its_marks(void) {
    enum { LOOKS = 60, BUMPERS = 3 };
    if (!has(LARDER_OP_BUMP, "bump") || !claims(LARDER_SHARED, "sharing between processes"))
        return;
    struct larder_bytes counter = name("bump-race", "%s", "");
    struct larder_mark marks[BUMP_TAGS];
    struct race race;
    int64_t first = 0;
    bump_marks(marks, "bump-race");
    CU_ASSERT_EQUAL(bump(drive.one, counter, marks, BUMP_TAGS, &first), LARDER_OK);
    CU_ASSERT_TRUE_FATAL(race_start(&race, "bumps", BUMPERS, counter, NOTHING));
    for (unsigned i = 0; i < LOOKS; i++)
        marks_keep_up_with(counter, marks, BUMP_TAGS);
    CU_ASSERT_TRUE(race_end(&race));
    marks_keep_up_with(counter, marks, BUMP_TAGS);
    said_each_number_once(&race, first + 1);
    race_done(&race);
}

static const struct unit_test tests[] = {
    UNIT(looking_at_an_absent_counter_creates_it_from_the_time),
    UNIT(raising_a_counter_gives_the_greater_of_its_next_number_and_the_time),
    UNIT(a_counter_that_is_new_is_greater_than_one_that_was_there_before),
    UNIT(every_raise_of_many_at_once_gives_its_own_number),
    UNIT(counters_whose_names_look_alike_are_different_counters),
    UNIT(processes_that_raise_one_counter_never_get_the_same_number),
    UNIT(processes_that_look_at_an_absent_counter_see_the_same_number),
    UNIT(a_bump_raises_the_counter_and_writes_its_number_into_the_marks),
    UNIT(a_bump_merges_its_marks_as_the_rule_says),
    UNIT(a_bump_takes_many_marks_and_none),
    UNIT(nobody_sees_the_counter_of_a_bump_without_its_marks),
    UNIT(nobody_sees_the_counter_of_another_process_without_its_marks),
};
const struct suite epoch_suite = {"epoch", LARDER_OP_ADVANCE, tests, N_ELEMENTS(tests)};
