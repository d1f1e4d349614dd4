/* Counters, and bump: a counter and marks in one step. */

#include "race.h"
#include "suites.h"

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

/* ---- over processes ---------------------------------------------------------------------- */

enum { RACERS = 4, RAISES_OF_ONE = 150 };

static bool raise_and_say(const struct race_job *job) {
    for (unsigned i = 0; i < RAISES_OF_ONE; i++) {
        int64_t epoch = 0;
        if (advance(i % 2 ? drive.two : drive.one, job->key, 1, &epoch) != LARDER_OK)
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

static void processes_that_raise_one_counter_never_get_the_same_number(void) {
    if (!claims(LARDER_SHARED, "sharing between processes"))
        return;
    struct larder_bytes counter = name("raise-race", "counter");
    struct race race;
    int64_t all[RACERS * RAISES_OF_ONE], last = 0;
    size_t n = 0;
    CU_ASSERT_TRUE_FATAL(race_run(&race, "raises", RACERS, counter, (struct larder_bytes){0}));
    for (unsigned i = 0; i < RACERS; i++) {
        const struct racer *r = &race.racers[i];
        CU_ASSERT_EQUAL_FATAL(r->n_said, RAISES_OF_ONE);
        for (size_t j = 0; j < r->n_said; j++) {
            CU_ASSERT(j == 0 || r->said[j] > r->said[j - 1]);
            all[n++] = r->said[j];
        }
    }
    race_done(&race);
    qsort(all, n, sizeof(all[0]), by_number);
    for (size_t i = 0; i < n; i++)
        CU_ASSERT_EQUAL(all[i], drive.now_ms + (int64_t)i); /* each number once, none left out */
    CU_ASSERT_EQUAL(advance(drive.one, counter, 0, &last), LARDER_OK);
    CU_ASSERT_EQUAL(last, all[n - 1]);
}

static const struct unit_test tests[] = {
    UNIT(processes_that_raise_one_counter_never_get_the_same_number),
    UNIT(looking_at_an_absent_counter_creates_it_from_the_time),
    UNIT(raising_a_counter_gives_the_greater_of_its_next_number_and_the_time),
    UNIT(every_raise_of_many_at_once_gives_its_own_number),
    UNIT(a_bump_raises_the_counter_and_writes_its_number_into_the_marks),
    UNIT(nobody_sees_the_counter_of_a_bump_without_its_marks),
};
const struct suite epoch_suite = {"epoch", LARDER_OP_ADVANCE, tests, N_ELEMENTS(tests)};
