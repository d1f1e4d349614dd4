/* What a driver may claim: sharing, persistence, the newest entry, claims on keys, what is lossy. */
#include "child.h"
#include "race.h"
#include "random.h"
#include "suites.h"

static bool is_shared(void) {
    return claims(LARDER_SHARED, "sharing between processes");
}

/* A key of a racer's: what it was given, and one letter. */
struct text {
    uint8_t bytes[512];
};
static struct larder_bytes key_of(const struct race_job *job, struct text *text, unsigned no) {
    if (job->key.len >= sizeof(text->bytes))
        abort();
    *bytes_put(text->bytes, job->key) = (uint8_t)no;
    return (struct larder_bytes){text->bytes, job->key.len + 1};
}

/* ---- shared ------------------------------------------------------------------------------------ */

static void another_process_reads_what_this_one_wrote_and_the_other_way_round(void) {
    if (!is_shared())
        return;
    struct larder_bytes mine = name("processes", "mine"), theirs = name("processes", "theirs");
    CU_ASSERT_TRUE(child_stores(mine));
    CU_ASSERT_TRUE(run_reader(mine));
    CU_ASSERT_FALSE(run_reader(theirs)); /* nobody has written that yet */
    CU_ASSERT_TRUE(run_writer_and_kill_it(theirs));
    CU_ASSERT_TRUE(child_finds(theirs));
}

/* What it sees of one name, step by step: the entry's epoch, the mark's, the counter; -1: nothing. */
enum { SEEN = 3 };

static bool watch_and_say(const struct race_job *job) {
    while (race_next()) {
        struct larder_result got = {.epoch = -1};
        struct larder_mark mark = {.expired_epoch = -1};
        int64_t counter = -1;
        if (has_cache() && get_op(drive.one, job->key, &got) != LARDER_OK)
            got.epoch = -1;
        if (has_tags()) {
            if (!read_mark(drive.one, job->key, &mark))
                mark.expired_epoch = -1;
            if (advance(drive.one, job->key, 0, &counter) != LARDER_OK)
                return false;
        }
        race_say(got.epoch);
        race_say(mark.expired_epoch);
        race_say(counter);
    }
    return true;
}
const struct role watches_role = {"watches", watch_and_say};

static void a_process_that_has_read_sees_each_change_that_another_completes(void) {
    enum { STEPS = 12 };
    if (!is_shared())
        return;
    struct larder_bytes key = name("watched", "x");
    int64_t now[SEEN] = {-1, -1, -1}, seen[SEEN];
    struct race race;
    if (has_tags())
        CU_ASSERT_EQUAL(advance(drive.one, key, 0, &now[2]), LARDER_OK);
    CU_ASSERT_TRUE_FATAL(race_start(&race, "watches", 1, key, NOTHING));
    for (unsigned i = 0; i < STEPS; i++) {
        CU_ASSERT_TRUE_FATAL(race_step(&race.racers[0]));
        for (unsigned j = 0; j < SEEN; j++) {
            CU_ASSERT_TRUE_FATAL(race_hear(&race.racers[0], &seen[j]));
            CU_ASSERT_EQUAL(seen[j], now[j]);
        }
        if (has_cache() && i % 4 == 3) {
            CU_ASSERT_EQUAL(remove_key(either(i), key), LARDER_OK);
            now[0] = -1;
        } else if (has_cache()) {
            CU_ASSERT_EQUAL(put_value(either(i), key, 100 + i % 2, i, (int64_t)i), LARDER_OK);
            now[0] = i;
        }
        if (has_tags()) {
            CU_ASSERT_EQUAL(write_mark(either(i), mark_of(key, (int64_t)i, UNSET, UNSET), 0), LARDER_OK);
            now[1] = i;
            CU_ASSERT_EQUAL(advance(either(i), key, 1, &now[2]), LARDER_OK);
        }
    }
    CU_ASSERT_TRUE(race_end(&race));
    race_done(&race);
}

/* Each key is somebody's who came first. */
enum { KEYS = 40, RACERS = 4 };

static bool put_if_absent_and_say(const struct race_job *job) {
    for (unsigned i = 0; i < KEYS; i++) {
        struct text text;
        struct op_inputs in = whole_put(key_of(job, &text, '0' + i), 3000, job->who + 1);
        in.flags = LARDER_IF_ABSENT;
        int32_t status = status_of(either(i), LARDER_OP_PUT, in);
        slice_done(&in.value);
        if (status != LARDER_OK && status != LARDER_MISS)
            return false;
        race_say(status == LARDER_OK);
    }
    return true;
}
const struct role puts_if_absent_role = {"puts if absent", put_if_absent_and_say};

static void of_processes_that_put_if_absent_one_succeeds(void) {
    if (!has(LARDER_OP_PUT, "an incremental cache") || !is_shared())
        return;
    struct larder_bytes head = name("absent-race", "%s", "");
    struct race race;
    CU_ASSERT_TRUE_FATAL(race_run(&race, "puts if absent", RACERS, head, NOTHING));
    for (unsigned i = 0; i < KEYS; i++) {
        unsigned winners = 0, winner = 0;
        uint32_t stored = 0;
        for (unsigned j = 0; j < RACERS; j++) {
            CU_ASSERT_EQUAL_FATAL(race.racers[j].n_said, KEYS);
            winners += race.racers[j].said[i] != 0;
            winner = race.racers[j].said[i] != 0 ? j + 1 : winner;
        }
        CU_ASSERT_EQUAL(winners, 1);
        struct op *op = call(drive.one, LARDER_OP_GET,
                             (struct op_inputs){.key = name("absent-race", "%c", '0' + i)});
        CU_ASSERT(is_whole(op, &stored) && stored == winner);
        op_free(op);
    }
    race_done(&race);
}

/* ---- persistent ---------------------------------------------------------------------------------- */

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
        CU_ASSERT(is_exactly(&got, 5, 6, drive.now_ms + 7000));
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

/* Stores without end, and says after each step that all of it was completed. */
enum { SLOTS = 50 };

static bool store_and_say(const struct race_job *job) {
    for (uint32_t i = 1; i < UINT32_MAX; i++) {
        struct text text;
        int64_t epoch = 0;
        struct larder_bytes key = key_of(job, &text, '0' + i % SLOTS);
        bool ok = true;
        if (has_cache()) {
            struct op_inputs in = whole_put(key, 20000 + i % 5 * 1000, i);
            ok = status_of(either(i), LARDER_OP_PUT, in) == LARDER_OK;
            slice_done(&in.value);
        }
        if (has_tags())
            ok = ok && write_mark(either(i), mark_of(key, i, UNSET, UNSET), 0) == LARDER_OK &&
                 advance(either(i), job->key, 1, &epoch) == LARDER_OK;
        if (!ok)
            return false;
        race_say(epoch);
    }
    return true;
}
const struct role stores_role = {"stores", store_and_say};

/* The last step that it said, and perhaps a part of the next. */
static void compare_with_what_was_said(const char *test, unsigned round, uint32_t last, int64_t last_epoch) {
    int64_t epoch = 0;
    for (uint32_t i = last > SLOTS ? last - SLOTS + 1 : 1; i <= last; i++) {
        struct larder_bytes key = name(test, "%u-%c", round, (int)('0' + i % SLOTS));
        struct larder_mark got;
        uint32_t stored = 0;
        bool next = i % SLOTS == (last + 1) % SLOTS;
        if (has_cache()) {
            struct op *op = call(drive.one, LARDER_OP_GET, (struct op_inputs){.key = key});
            CU_ASSERT(is_whole(op, &stored) && (stored == i || (next && stored == last + 1)));
            op_free(op);
        }
        if (has_tags()) {
            CU_ASSERT_TRUE_FATAL(read_mark(drive.two, key, &got));
            CU_ASSERT(got.expired_epoch == i || (next && got.expired_epoch == last + 1));
        }
    }
    if (has_tags()) {
        CU_ASSERT_EQUAL(advance(drive.one, name(test, "%u-", round), 0, &epoch), LARDER_OK);
        CU_ASSERT(epoch == last_epoch || epoch == last_epoch + 1);
    }
}

static void a_process_that_is_killed_while_it_writes_leaves_what_it_completed_and_nothing_torn(void) {
    enum { ROUNDS = 4 };
    if (!claims(LARDER_PERSISTENT, "persistence"))
        return;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct race race;
        int64_t epoch = 0;
        uint32_t last = 0, steps = 1 + random_below(&drive.random, 120);
        CU_ASSERT_TRUE_FATAL(race_start(&race, "stores", 1, name("killed-writing", "%u-", round), NOTHING));
        while (last < steps && race_hear(&race.racers[0], &epoch))
            last++;
        race_kill(&race);
        CU_ASSERT(last == steps);
        last += (uint32_t)race.racers[0].n_said;
        epoch = race.racers[0].n_said > 0 ? race.racers[0].said[race.racers[0].n_said - 1] : epoch;
        race_done(&race);
        compare_with_what_was_said("killed-writing", round, last, epoch);
    }
}

/* ---- the newest entry ------------------------------------------------------------------------------- */

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
    CU_ASSERT_EQUAL(remove_key(drive.one, key), LARDER_OK);
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
        struct op_inputs in = whole_put(key, 300, (i * 37 + 5) % PUTS); /* each once, not in order */
        send_op(either(i), LARDER_OP_PUT, in, &sent[i]);
        slice_done(&in.value);
    }
    drive_wait();
    for (unsigned i = 0; i < PUTS; i++)
        op_free(sent[i].op);
    CU_ASSERT_EQUAL(get_value(drive.one, key, 300, PUTS - 1), LARDER_OK);
}

static bool put_and_say(const struct race_job *job) {
    for (unsigned i = 0; i < KEYS; i++) {
        uint32_t no = random_below(&drive.random, 1000000);
        struct op_inputs in = whole_put(job->key, 5000, no);
        int32_t status = status_of(either(i), LARDER_OP_PUT, in);
        slice_done(&in.value);
        if (status < 0)
            return false;
        race_say(no);
    }
    return true;
}
const struct role puts_role = {"puts", put_and_say};

static void of_what_several_processes_put_the_newest_stays(void) {
    if (!claims(LARDER_NEWEST, "the newest epoch stays") || !is_shared())
        return;
    struct larder_bytes key = name("newest-processes", "x");
    struct race race;
    int64_t newest = 0;
    uint32_t stored = 0;
    CU_ASSERT_TRUE_FATAL(race_run(&race, "puts", RACERS, key, NOTHING));
    for (unsigned i = 0; i < RACERS; i++) {
        for (size_t j = 0; j < race.racers[i].n_said; j++)
            newest = race.racers[i].said[j] > newest ? race.racers[i].said[j] : newest;
    }
    race_done(&race);
    struct op *op = call(drive.one, LARDER_OP_GET, (struct op_inputs){.key = key});
    CU_ASSERT(is_whole(op, &stored) && stored == newest);
    op_free(op);
}

/* ---- claims on keys --------------------------------------------------------------------------------- */

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
    if (has_cache())
        CU_ASSERT_FALSE(is_there(drive.one, key)); /* a claim is no entry */
}

/* Whoever is late gives back what is another's by now. */
static void only_the_owner_gives_a_claim_back(void) {
    if (!has(LARDER_OP_CLAIM, "claims"))
        return;
    struct larder_bytes key = name("claim-owner", "x");
    CU_ASSERT_EQUAL(claim_as(drive.one, LARDER_OP_CLAIM, key, 1, 10000), LARDER_OK);
    CU_ASSERT(claim_as(drive.two, LARDER_OP_RELEASE, key, 2, 0) >= 0);
    CU_ASSERT_EQUAL(claim_as(drive.two, LARDER_OP_CLAIM, key, 3, 10000), LARDER_MISS);
    CU_ASSERT_EQUAL(claim_as(drive.two, LARDER_OP_RELEASE, key, 1, 0), LARDER_OK); /* from anywhere */
    CU_ASSERT_EQUAL(claim_as(drive.two, LARDER_OP_CLAIM, key, 3, 10000), LARDER_OK);
}

/* Any op may come twice; and whoever needs longer says so. */
static void the_owner_may_claim_again_and_holds_it_for_longer(void) {
    if (!has(LARDER_OP_CLAIM, "claims"))
        return;
    int64_t before = drive.now_ms;
    struct larder_bytes key = name("claim-again", "x");
    CU_ASSERT_EQUAL(claim_as(drive.one, LARDER_OP_CLAIM, key, 1, 5000), LARDER_OK);
    drive.now_ms += 4000;
    CU_ASSERT_EQUAL(claim_as(drive.two, LARDER_OP_CLAIM, key, 1, 5000), LARDER_OK);
    drive.now_ms += 4000;
    CU_ASSERT_EQUAL(claim_as(drive.one, LARDER_OP_CLAIM, key, 2, 5000), LARDER_MISS);
    drive.now_ms = before;
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

/* It was over for the one that gave it back, whose clock is ahead of the other's. */
static void a_claim_that_is_given_back_is_free_by_any_clock(void) {
    if (!has(LARDER_OP_CLAIM, "claims"))
        return;
    int64_t before = drive.now_ms;
    struct larder_bytes key = name("claim-clock", "x");
    CU_ASSERT_EQUAL(claim_as(drive.one, LARDER_OP_CLAIM, key, 1, 5000), LARDER_OK);
    drive.now_ms += 6000;
    CU_ASSERT_EQUAL(claim_as(drive.one, LARDER_OP_RELEASE, key, 1, 0), LARDER_OK);
    drive.now_ms = before;
    CU_ASSERT_EQUAL(claim_as(drive.two, LARDER_OP_CLAIM, key, 2, 5000), LARDER_OK);
}

static void of_many_that_claim_a_key_at_once_one_gets_it(void) {
    enum { CLAIMANTS = 30 };
    if (!has(LARDER_OP_CLAIM, "claims"))
        return;
    struct larder_bytes key = name("claim-race", "x");
    struct sent sent[CLAIMANTS];
    unsigned winners = 0;
    for (unsigned i = 0; i < CLAIMANTS; i++) {
        struct op_inputs in = {.key = key, .value = value_of(8, i), .ttl_ms = 10000};
        send_op(either(i), LARDER_OP_CLAIM, in, &sent[i]);
        slice_done(&in.value);
    }
    drive_wait();
    for (unsigned i = 0; i < CLAIMANTS; i++) {
        int32_t status = sent[i].op->result.status;
        CU_ASSERT(status == LARDER_OK || status == LARDER_MISS);
        winners += status == LARDER_OK;
        op_free(sent[i].op);
    }
    CU_ASSERT_EQUAL(winners, 1);
}

static bool claim_and_say(const struct race_job *job) {
    for (unsigned i = 0; i < KEYS; i++) {
        struct text text;
        int32_t status = claim_as(either(i), LARDER_OP_CLAIM, key_of(job, &text, '0' + i), job->who, 100000);
        if (status != LARDER_OK && status != LARDER_MISS)
            return false;
        race_say(status == LARDER_OK);
    }
    return true;
}
const struct role claims_keys_role = {"claims", claim_and_say};

static void of_processes_that_claim_a_key_one_gets_it(void) {
    if (!has(LARDER_OP_CLAIM, "claims") || !is_shared())
        return;
    struct race race;
    CU_ASSERT_TRUE_FATAL(race_run(&race, "claims", RACERS, name("claim-processes", "%s", ""), NOTHING));
    for (unsigned i = 0; i < KEYS; i++) {
        int64_t winners = 0;
        for (unsigned j = 0; j < RACERS; j++) {
            CU_ASSERT_EQUAL_FATAL(race.racers[j].n_said, KEYS);
            winners += race.racers[j].said[i];
        }
        CU_ASSERT_EQUAL(winners, 1);
    }
    race_done(&race);
}

/* ---- lossy ----------------------------------------------------------------------------------------- */

/* With the counter named; a mark that was lost again is as good as any. */
static bool is_made(struct larder_bytes counter, struct larder_mark mark, uint32_t flags,
                    struct larder_mark wanted) {
    struct larder_mark got;
    struct op_inputs in = {.key = counter, .marks = &mark, .n_marks = 1, .flags = flags};
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_TAGS_WRITE, in), LARDER_OK);
    return !read_mark(drive.two, mark.tag, &got) ||
           is_exactly(&got, wanted.expired_epoch, wanted.stale_epoch, wanted.expire_at_ms);
}

/* P1: what is written may be older than what was lost. */
static void a_lossy_store_makes_no_mark_with_less_than_its_counter_says(void) {
    if (!has_tags() || !claims(LARDER_LOSSY, "losing marks"))
        return;
    struct larder_bytes counter = name("lossy-made", "counter"), tag[6];
    int64_t now_ms = drive.now_ms, said = 0;
    for (int i = 0; i < 6; i++)
        tag[i] = name("lossy-made", "%d", i);
    drive.now_ms = 1000;
    CU_ASSERT_EQUAL(advance(drive.one, counter, 1, &said), LARDER_OK);
    CU_ASSERT_EQUAL(said, 1000);
    CU_ASSERT(is_made(counter, mark_of(tag[0], 7, UNSET, UNSET), 0, mark_of(tag[0], 1000, UNSET, UNSET)));
    CU_ASSERT(is_made(counter, mark_of(tag[1], 7, UNSET, UNSET), LARDER_IF_ABSENT,
                      mark_of(tag[1], 1000, UNSET, UNSET)));
    CU_ASSERT(is_made(counter, mark_of(tag[2], UNSET, 1001, 9000), 0, mark_of(tag[2], 1000, 1001, 9000)));
    CU_ASSERT(is_made(counter, mark_of(tag[3], 1009, UNSET, UNSET), 0, mark_of(tag[3], 1009, UNSET, UNSET)));
    CU_ASSERT(is_made((struct larder_bytes){0}, mark_of(tag[4], 7, UNSET, UNSET), 0,
                      mark_of(tag[4], 7, UNSET, UNSET)));
    /* A counter that is not there begins with the time of day, as it does when it is looked at. */
    CU_ASSERT(is_made(name("lossy-made", "other"), mark_of(tag[5], 7, UNSET, UNSET), 0,
                      mark_of(tag[5], 1000, UNSET, UNSET)));
    drive.now_ms = now_ms;
}

static void a_lossy_store_leaves_a_mark_that_is_there_to_the_rule_of_merging(void) {
    if (!has_tags() || !claims(LARDER_LOSSY, "losing marks"))
        return;
    struct larder_bytes counter = name("lossy-merged", "counter"), tag = name("lossy-merged", "tag");
    struct larder_mark mark = mark_of(tag, 7, UNSET, UNSET), got;
    int64_t said = 0;
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, 5, UNSET, UNSET), 0), LARDER_OK);
    CU_ASSERT_EQUAL(advance(drive.one, counter, 1, &said), LARDER_OK);
    struct op_inputs in = {.key = counter, .marks = &mark, .n_marks = 1};
    CU_ASSERT_EQUAL(status_of(drive.two, LARDER_OP_TAGS_WRITE, in), LARDER_OK);
    CU_ASSERT_TRUE(read_mark(drive.one, tag, &got));
    CU_ASSERT(is_exactly(&got, 7, UNSET, UNSET) || is_exactly(&got, said, UNSET, UNSET)); /* if it was lost */
}

static void a_bump_of_a_lossy_store_makes_no_mark_with_less_than_the_counter_said(void) {
    if (!has(LARDER_OP_BUMP, "bump") || !claims(LARDER_LOSSY, "losing marks"))
        return;
    struct larder_bytes counter = name("lossy-bump", "counter"), tag = name("lossy-bump", "tag");
    struct larder_mark mark = mark_of(tag, UNSET, LARDER_NEW_EPOCH, UNSET), got;
    int64_t said = 0;
    CU_ASSERT_EQUAL(advance(drive.one, counter, 1, &said), LARDER_OK);
    struct op_inputs in = {.key = counter, .marks = &mark, .n_marks = 1};
    CU_ASSERT_EQUAL(status_of(drive.two, LARDER_OP_BUMP, in), LARDER_OK);
    CU_ASSERT(!read_mark(drive.one, tag, &got) || is_exactly(&got, said, said + 1, UNSET));
}

/* Of many that make a mark and raise the counter at once, none leaves less than was said before it began. */
static void of_marks_that_are_made_at_once_none_is_less_than_the_counter_was(void) {
    enum { ROUNDS = 50, AT_ONCE = 8 };
    if (!has_tags() || !claims(LARDER_LOSSY, "losing marks"))
        return;
    struct larder_bytes counter = name("lossy-race", "counter");
    for (unsigned i = 0; i < ROUNDS; i++) {
        static struct sent sent[AT_ONCE];
        struct larder_mark mark = mark_of(name("lossy-race", "%u", i), 1, UNSET, UNSET), got;
        struct op_inputs made = {.key = counter, .marks = &mark, .n_marks = 1},
                         raised = {.key = counter, .add = 1};
        int64_t said = 0;
        CU_ASSERT_EQUAL(advance(drive.one, counter, 1, &said), LARDER_OK);
        for (unsigned k = 0; k < AT_ONCE; k++)
            send_op(k % 2 ? drive.one : drive.two, k % 4 < 2 ? LARDER_OP_TAGS_WRITE : LARDER_OP_ADVANCE,
                    k % 4 < 2 ? made : raised, &sent[k]);
        drive_wait();
        for (unsigned k = 0; k < AT_ONCE; k++) {
            CU_ASSERT_EQUAL(sent[k].op->result.status, LARDER_OK);
            op_free(sent[k].op);
        }
        CU_ASSERT(!read_mark(drive.one, mark.tag, &got) || got.expired_epoch >= said);
    }
}

/* A mark may be gone; one that is there is what was written. */
static void a_lossy_store_loses_a_mark_as_a_whole_or_not_at_all(void) {
    enum { MARKS = 200, MB = 1 << 20, ENTRIES = 30 };
    if (!has_tags() || !claims(LARDER_LOSSY, "losing marks"))
        return;
    struct larder_mark marks[MARKS], got[MARKS];
    for (int i = 0; i < MARKS; i++)
        marks[i] = mark_of(name("lossy", "%d", i), i + 1, i + 2, drive.now_ms + 1000 + i);
    CU_ASSERT_EQUAL(write_marks(drive.one, marks, MARKS), LARDER_OK);
    for (unsigned i = 0; has_cache() && i < ENTRIES; i++)
        put_value(drive.one, name("lossy-entries", "%u", i), MB, 2 * i, 0);
    CU_ASSERT_TRUE(read_marks(drive.two, marks, MARKS, got));
    for (int i = 0; i < MARKS; i++)
        CU_ASSERT(is_exactly(&got[i], UNSET, UNSET, UNSET) ||
                  is_exactly(&got[i], i + 1, i + 2, drive.now_ms + 1000 + i));
}

static const struct unit_test tests[] = {
    UNIT(another_process_reads_what_this_one_wrote_and_the_other_way_round),
    UNIT(a_process_that_has_read_sees_each_change_that_another_completes),
    UNIT(of_processes_that_put_if_absent_one_succeeds),
    UNIT(what_was_stored_is_there_after_closing_and_opening),
    UNIT(what_a_killed_process_had_completed_is_there),
    UNIT(a_process_that_is_killed_while_it_writes_leaves_what_it_completed_and_nothing_torn),
    UNIT(a_late_put_of_an_older_rendering_replaces_nothing),
    UNIT(whatever_the_order_of_puts_at_once_the_newest_stays),
    UNIT(of_what_several_processes_put_the_newest_stays),
    UNIT(a_claimed_key_is_held_until_it_is_given_back),
    UNIT(only_the_owner_gives_a_claim_back),
    UNIT(the_owner_may_claim_again_and_holds_it_for_longer),
    UNIT(a_claim_ends_with_its_time),
    UNIT(a_claim_that_is_given_back_is_free_by_any_clock),
    UNIT(of_many_that_claim_a_key_at_once_one_gets_it),
    UNIT(of_processes_that_claim_a_key_one_gets_it),
    UNIT(a_lossy_store_loses_a_mark_as_a_whole_or_not_at_all),
    UNIT(a_lossy_store_makes_no_mark_with_less_than_its_counter_says),
    UNIT(a_lossy_store_leaves_a_mark_that_is_there_to_the_rule_of_merging),
    UNIT(a_bump_of_a_lossy_store_makes_no_mark_with_less_than_the_counter_said),
    UNIT(of_marks_that_are_made_at_once_none_is_less_than_the_counter_was),
};
const struct suite claims_suite = {"claims", LARDER_OP_PING, tests, N_ELEMENTS(tests)};
