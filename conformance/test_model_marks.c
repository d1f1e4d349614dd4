/* What the model lets pass of counters and marks, and what it must not. */
#include "test_model.h"

/* ---- counters ------------------------------------------------------------------------------------------ */

static void a_counter_is_raised_by_one_or_to_the_time(void) {
    static const int64_t right[] = {3, 3, 4, 20, 21, 21};
    for (size_t wrong = 0; wrong <= sizeof(right) / sizeof(right[0]); wrong++) {
        for (int64_t by = -1; by <= 1; by += 2) {
            begin(true, 0);
            const char *const steps[] = {"look c0 at=3",   "look c0 at=9",  "raise c0",
                                         "raise c0 at=20", "raise c0 at=5", "look c0 at=90"};
            for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
                then(steps[i], OK)->epoch = right[i] + (i == wrong ? by : 0);
            struct model_verdict v = model_check(&h);
            CU_ASSERT_EQUAL(v.outcome, wrong < 6 ? MODEL_FAILS : MODEL_HOLDS);
            if (v.outcome == MODEL_FAILS) {
                CU_ASSERT_EQUAL(v.at, wrong);
                CU_ASSERT_EQUAL(v.due.epoch, right[wrong]);
            }
        }
    }
}

static void no_number_is_given_out_twice(void) {
    begin(false, 0);
    during("raise c0", 1, 8, OK)->epoch = 5;
    during("raise c0", 2, 7, OK)->epoch = 5;
    CU_ASSERT_TRUE(fails_at_the_end());
    h.events[1].epoch = 6;
    CU_ASSERT_TRUE(holds());
    h.events[1].step.name = 1; /* of another counter */
    h.events[1].epoch = 5;
    CU_ASSERT_TRUE(holds());
}

static void a_counter_never_says_less_than_before(void) {
    begin(false, 0);
    during("raise c0", 1, 2, OK)->epoch = 5;
    during("raise c0", 1, 2, OK)->epoch = 4;
    during("look c0", 3, 4, OK)->epoch = 4;
    CU_ASSERT_TRUE(fails_at_the_end());
    h.events[2].epoch = 5;
    CU_ASSERT_TRUE(holds());
    during("raise c0", 5, 6, OK)->epoch = 3;
    CU_ASSERT_TRUE(fails_at_the_end());
}

static void a_look_shows_only_what_was_made(void) {
    begin(false, 0);
    during("raise c0", 1, 8, OK)->epoch = 5;
    during("look c0", 2, 3, OK)->epoch = 6;
    CU_ASSERT_TRUE(fails_at_the_end());
    h.events[1].epoch = 5;
    CU_ASSERT_TRUE(holds());
    h.events[1].epoch = 0; /* it came first and made it from the time */
    CU_ASSERT_TRUE(holds());
    h.errors = true;
    h.events[1].epoch = 6;
    during("raise c0", 3, 4, LOST);
    CU_ASSERT_TRUE(holds() || h.events[2].called > h.events[1].returned);
    h.events[2].called = 2;
    CU_ASSERT_TRUE(holds());
}

static void a_raised_counter_is_not_behind_the_time(void) {
    begin(false, 0);
    during("raise c0 at=7", 1, 2, OK)->epoch = 6;
    CU_ASSERT_TRUE(fails_at_the_end());
}

/* ---- marks, one after the other ------------------------------------------------------------------------- */

static void a_mark_is_read_as_the_rule_merges_it(void) {
    static const struct {
        int64_t expired, stale, expire_at_ms;
        bool good;
    } reads[] = {{-3, -2, 20, true},  {-3, -2, UNSET, false},    {-5, -2, 20, false},
                 {-3, -4, 20, false}, {-3, UNSET, UNSET, false}, {-3, -2, 30, false}};
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
        begin(true, 0);
        then("write t0:-5/-4/20", OK);
        then("write t0:-3/-2/30 t1:-1/-/-", OK);
        saw(then("read t0", OK), 0, reads[i].expired, reads[i].stale, reads[i].expire_at_ms);
        CU_ASSERT_EQUAL(holds(), reads[i].good);
    }
}

static void a_due_pair_may_be_read_either_way(void) {
    begin(true, 0);
    then("write t0:-/-4/20", OK);
    saw(then("read t0 at=20", OK), 0, UNSET, -4, 20);
    saw(then("read t0 at=20", OK), 0, -4, UNSET, UNSET);
    CU_ASSERT_TRUE(holds());
    begin(true, 0);
    then("write t0:-/-4/20", OK);
    saw(then("read t0 at=19", OK), 0, -4, UNSET, UNSET);
    CU_ASSERT_TRUE(fails_at_the_end());
}

static void marks_that_are_missing_or_from_nowhere_fail(void) {
    begin(true, 0);
    then("write t0:-5/-/-", OK);
    then("read t0 t1", OK);
    CU_ASSERT_TRUE(fails_at_the_end());
    saw(&h.events[1], 0, -5, UNSET, UNSET);
    CU_ASSERT_TRUE(holds());
    saw(&h.events[1], 1, -5, UNSET, UNSET);
    CU_ASSERT_TRUE(fails_at_the_end());
}

static void a_mark_if_absent_is_only_written_if_it_is(void) {
    begin(true, 0);
    then("write t0:-5/-/- absent", OK);
    then("write t0:-1/-/- absent", MISS);
    saw(then("read t0", OK), 0, -5, UNSET, UNSET);
    CU_ASSERT_TRUE(holds());
    saw(&h.events[2], 0, -1, UNSET, UNSET);
    CU_ASSERT_TRUE(fails_at_the_end());
    begin(true, 0);
    then("write t0:-5/-/- absent", MISS);
    CU_ASSERT_TRUE(fails_at_the_end());
    begin(true, 0);
    then("write t0:-5/-/-", OK);
    then("write t0:-1/-/- absent", OK);
    CU_ASSERT_TRUE(fails_at_the_end());
}

static void marks_if_absent_are_looked_at_each_alone(void) {
    begin(true, 0);
    then("write t0:-5/-/-", OK);
    then("write t0:-1/-/- t1:-1/-/- absent", MISS);
    struct model_event *read = then("read t0 t1", OK);
    saw(read, 0, -5, UNSET, UNSET);
    saw(read, 1, -1, UNSET, UNSET);
    CU_ASSERT_TRUE(holds());
    read->seen = 1;
    CU_ASSERT_TRUE(fails_at_the_end());
    h.n = 2;
    h.events[1].status = OK;
    CU_ASSERT_TRUE(fails_at_the_end());
}

static void a_bump_writes_the_number_that_it_makes(void) {
    begin(true, 0);
    then("bump c0 t0:new/-/- t1:-/new/50 t2:-3/-/-", OK)->epoch = 0;
    then("bump c0 t0:new/-/-", OK)->epoch = 1;
    struct model_event *read = then("read t0 t1 t2", OK);
    saw(read, 0, 1, UNSET, UNSET);
    saw(read, 1, UNSET, 0, 50);
    saw(read, 2, -3, UNSET, UNSET);
    CU_ASSERT_TRUE(holds());
    saw(read, 0, 0, UNSET, UNSET);
    CU_ASSERT_TRUE(fails_at_the_end());
}

/* ---- marks that overlap ------------------------------------------------------------------------------------ */

static void a_read_joins_all_complete_writes_and_any_that_overlap(void) {
    static const struct {
        int64_t expired, stale;
        bool good;
    } reads[] = {{-5, UNSET, true},  {-3, UNSET, true}, {-5, -2, true},     {-3, -2, true},
                 {-6, UNSET, false}, {-1, -2, false},   {UNSET, -2, false}, {-5, -3, false}};
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
        begin(false, 0);
        during("write t0:-5/-/-", 1, 2, OK);
        during("write t0:-3/-/-", 3, 9, OK);
        during("write t0:-/-2/-", 3, 9, OK);
        saw(during("read t0", 4, 5, OK), 0, reads[i].expired, reads[i].stale, UNSET);
        during("write t0:-1/-/-", 6, 7, OK); /* too late to be seen */
        CU_ASSERT_EQUAL(holds(), reads[i].good);
    }
}

static void a_read_may_go_back_over_writes_under_way_alone(void) {
    begin(false, 0);
    during("write t0:-5/-/-", 1, 2, OK);
    during("write t0:-3/-/-", 3, 20, OK);
    saw(during("read t0", 4, 5, OK), 0, -3, UNSET, UNSET);
    saw(during("read t0", 6, 7, OK), 0, -5, UNSET, UNSET);
    CU_ASSERT_TRUE(holds());
    h.events[1].returned = 5;
    CU_ASSERT_TRUE(fails_at_the_end());
}

static void a_write_is_all_or_nothing_for_each_mark(void) {
    begin(false, 0);
    during("write t0:-5/-/-", 1, 2, OK);
    during("write t0:-3/-2/-", 3, 9, OK);
    saw(during("read t0", 4, 5, OK), 0, -3, UNSET, UNSET);
    CU_ASSERT_TRUE(fails_at_the_end());
}

static void the_sooner_expiry_wins_in_any_order(void) {
    begin(false, 0);
    during("write t0:-/-5/9000000", 1, 2, OK);
    during("write t0:-/-4/8000000", 1, 3, OK);
    saw(during("read t0", 4, 5, OK), 0, UNSET, -4, 8000000);
    CU_ASSERT_TRUE(holds());
    saw(&h.events[2], 0, UNSET, -4, 9000000);
    CU_ASSERT_TRUE(fails_at_the_end());
}

static void a_write_that_failed_may_be_seen_or_not(void) {
    for (int seen = 0; seen < 2; seen++) {
        begin(false, 0);
        h.errors = true;
        during("write t0:-5/-/-", 1, 2, OK);
        during("write t0:-3/-/-", 3, 4, LOST);
        saw(during("read t0", 5, 6, OK), 0, seen ? -3 : -5, UNSET, UNSET);
        CU_ASSERT_TRUE(holds());
        saw(&h.events[2], 0, -4, UNSET, UNSET);
        CU_ASSERT_TRUE(fails_at_the_end());
    }
}

static void a_bump_that_failed_has_some_epoch_of_its_time(void) {
    begin(false, 0);
    h.errors = true;
    during("bump c0 t0:new/-/- at=10", 1, 2, LOST);
    saw(during("read t0", 3, 4, OK), 0, 12, UNSET, UNSET);
    CU_ASSERT_TRUE(holds());
    saw(&h.events[1], 0, 9, UNSET, UNSET);
    CU_ASSERT_TRUE(fails_at_the_end());
    begin(false, 0); /* a pair that is due when it arrives */
    h.errors = true;
    during("write t0:-/-3/-", 1, 2, OK);
    during("bump c0 t0:-/new/0 at=10", 3, 4, LOST);
    saw(during("read t0", 5, 6, OK), 0, 12, -3, UNSET);
    CU_ASSERT_TRUE(holds());
}

static void the_first_mark_if_absent_is_below_all_others(void) {
    begin(false, 0);
    during("write t0:-1/-/- absent", 1, 20, OK);
    during("write t0:-3/-/-", 2, 19, OK);
    saw(during("read t0", 4, 5, OK), 0, -3, UNSET, UNSET); /* so the other cannot have come first */
    CU_ASSERT_TRUE(fails_at_the_end());
    saw(&h.events[2], 0, -1, UNSET, UNSET);
    CU_ASSERT_TRUE(holds());
    h.events[2].seen = 0;
    CU_ASSERT_TRUE(holds());
}

static void a_mark_if_absent_cannot_follow_another(void) {
    begin(false, 0);
    during("write t0:-3/-/-", 1, 2, OK);
    during("write t0:-1/-/- absent", 3, 4, OK);
    CU_ASSERT_TRUE(fails_at_the_end());
    h.events[1].status = MISS;
    CU_ASSERT_TRUE(holds());
    h.events[0].called = 5;
    h.events[0].returned = 6;
    CU_ASSERT_FALSE(holds());
    begin(false, 0);
    during("write t0:-3/-/- absent", 1, 4, OK);
    during("write t0:-1/-/- absent", 1, 4, OK);
    CU_ASSERT_FALSE(holds());
}

static void what_a_miss_has_found_is_there_for_later_reads(void) {
    begin(false, 0);
    during("write t0:-3/-/-", 1, 20, OK);
    during("write t0:-1/-/- absent", 2, 3, MISS);
    during("read t0", 4, 5, OK);
    CU_ASSERT_TRUE(fails_at_the_end());
}

static void a_counter_that_shows_a_bump_shows_its_marks(void) {
    begin(false, 0);
    during("bump c0 t0:new/-/-", 1, 20, OK)->epoch = 5;
    during("look c0", 2, 3, OK)->epoch = 5;
    during("read t0", 4, 5, OK);
    CU_ASSERT_TRUE(fails_at_the_end());
    saw(&h.events[2], 0, 5, UNSET, UNSET);
    CU_ASSERT_TRUE(holds());
    h.events[2].seen = 0;
    h.events[1].epoch = 0; /* made from the time before the bump */
    CU_ASSERT_TRUE(holds());
    h.events[1].step.kind = MODEL_RAISE;
    h.events[1].epoch = 6;
    CU_ASSERT_FALSE(holds());
}

static void marks_of_a_bump_are_not_ahead_of_its_counter(void) {
    begin(false, 0);
    during("bump c0 t0:new/-/-", 1, 20, OK)->epoch = 5;
    saw(during("read t0", 2, 3, OK), 0, 5, UNSET, UNSET);
    during("look c0", 4, 6, OK)->epoch = 0;
    CU_ASSERT_TRUE(fails_at_the_end());
    h.events[2].called = 2; /* it overlaps the read */
    CU_ASSERT_TRUE(holds());
}

static void marks_that_fall_due_on_the_way_are_left_undecided(void) {
    begin(false, 0);
    during("write t0:-/-4/20", 1, 2, OK);
    during("read t0 at=20", 3, 4, OK);
    CU_ASSERT_EQUAL(model_check(&h).outcome, MODEL_UNDECIDED);
}

UNIT_MAIN("model: counters and marks", UNIT(a_counter_is_raised_by_one_or_to_the_time),
          UNIT(no_number_is_given_out_twice), UNIT(a_counter_never_says_less_than_before),
          UNIT(a_look_shows_only_what_was_made), UNIT(a_raised_counter_is_not_behind_the_time),
          UNIT(a_mark_is_read_as_the_rule_merges_it), UNIT(a_due_pair_may_be_read_either_way),
          UNIT(marks_that_are_missing_or_from_nowhere_fail), UNIT(a_mark_if_absent_is_only_written_if_it_is),
          UNIT(marks_if_absent_are_looked_at_each_alone), UNIT(a_bump_writes_the_number_that_it_makes),
          UNIT(a_read_joins_all_complete_writes_and_any_that_overlap),
          UNIT(a_read_may_go_back_over_writes_under_way_alone), UNIT(a_write_is_all_or_nothing_for_each_mark),
          UNIT(the_sooner_expiry_wins_in_any_order), UNIT(a_write_that_failed_may_be_seen_or_not),
          UNIT(a_bump_that_failed_has_some_epoch_of_its_time),
          UNIT(the_first_mark_if_absent_is_below_all_others), UNIT(a_mark_if_absent_cannot_follow_another),
          UNIT(what_a_miss_has_found_is_there_for_later_reads),
          UNIT(a_counter_that_shows_a_bump_shows_its_marks),
          UNIT(marks_of_a_bump_are_not_ahead_of_its_counter),
          UNIT(marks_that_fall_due_on_the_way_are_left_undecided))
