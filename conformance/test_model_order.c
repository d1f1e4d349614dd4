/* What the model lets pass of entries, claims, lists and the index, and what it must not. */
#include "random.h"
#include "test_model.h"

/* ---- entries -------------------------------------------------------------------------------------- */

static void a_get_answers_with_the_last_put(void) {
    begin(true, 0);
    then("get k0", MISS);
    then("put k0 id=1", OK);
    then("put k0 id=2", OK);
    then("put k1 id=3", OK);
    got(then("get k0", OK), 2);
    CU_ASSERT_TRUE(holds());
    then("remove k0", OK);
    then("get k0", MISS);
    CU_ASSERT_TRUE(holds());
    got(then("get k1", OK), 3);
    CU_ASSERT_TRUE(holds());
}

static void an_old_a_removed_or_a_strange_entry_fails(void) {
    static const struct {
        const char *step;
        int got;
    } last[] = {{"get k0", 0}, {"get k0", MODEL_STRANGE}, {"get k0", MODEL_NONE}, {"get k1", 2}};
    for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++) {
        begin(true, 0);
        then("put k0 id=1", OK);
        then("put k0 id=2", OK);
        then("put k1 id=3", OK);
        then("remove k1", OK);
        got(then(last[i].step, last[i].got == MODEL_NONE ? MISS : OK), last[i].got);
        CU_ASSERT_TRUE(fails_at_the_end());
    }
}

static void what_was_due_is_told_where_there_is_but_one_answer(void) {
    begin(true, 0);
    then("put k0 id=1", OK);
    then("get k0", MISS);
    struct model_verdict v = model_check(&h);
    CU_ASSERT_TRUE(v.is_known);
    CU_ASSERT_EQUAL(v.due.status, OK);
    CU_ASSERT_EQUAL(v.due.got, 0);
    begin(true, LARDER_TTL);
    then("put k0 id=1 ttl=10", OK);
    got(then("get k0 at=11", OK), 0);
    v = model_check(&h);
    CU_ASSERT_TRUE(v.is_known);
    CU_ASSERT_EQUAL(v.due.status, MISS);
    CU_ASSERT_PTR_NOT_NULL(strstr(v.why, "whose time is up"));
}

static void a_get_that_overlaps_a_put_may_see_it_or_not(void) {
    for (int seen = 0; seen < 2; seen++) {
        begin(false, 0);
        during("put k0 id=1", 1, 2, OK);
        during("put k0 id=2", 3, 9, OK);
        got(during("get k0", 4, 5, OK), seen);
        CU_ASSERT_TRUE(holds());
    }
}

static void what_was_seen_once_is_not_unseen(void) {
    begin(false, 0);
    during("put k0 id=1", 1, 2, OK);
    during("put k0 id=2", 3, 9, OK);
    got(during("get k0", 4, 5, OK), 1);
    got(during("get k0", 6, 7, OK), 0);
    CU_ASSERT_TRUE(fails_at_the_end());
}

static void an_entry_is_not_seen_before_it_is_put(void) {
    begin(false, 0);
    got(during("get k0", 1, 2, OK), 1);
    during("put k0 id=1", 3, 4, OK);
    struct model_verdict v = model_check(&h);
    CU_ASSERT_EQUAL(v.outcome, MODEL_FAILS);
    CU_ASSERT_EQUAL(v.at, 0);
}

static void of_two_that_put_if_absent_one_succeeds(void) {
    begin(false, 0);
    during("put k0 id=1 absent", 1, 8, OK);
    during("put k0 id=2 absent", 2, 7, MISS);
    got(during("get k0", 9, 10, OK), 0);
    CU_ASSERT_TRUE(holds());
    h.events[1].status = OK;
    CU_ASSERT_FALSE(holds());
    h.events[0].status = MISS;
    CU_ASSERT_FALSE(holds()); /* the get shows the loser */
    h.events[2].got = 1;
    CU_ASSERT_TRUE(holds());
    h.events[1].status = MISS;
    CU_ASSERT_FALSE(holds());
}

static void the_newest_epoch_stays_where_that_is_claimed(void) {
    for (int late = 0; late < 2; late++) {
        for (uint32_t traits = 0; traits <= LARDER_NEWEST; traits += LARDER_NEWEST) {
            begin(true, traits);
            then("put k0 id=1 epoch=5", OK);
            then("put k0 id=2 epoch=4", OK);
            got(then("get k0", OK), late);
            CU_ASSERT_EQUAL(holds(), late == 0 || traits == 0);
        }
    }
    begin(true, LARDER_NEWEST); /* of one epoch, the later one */
    then("put k0 id=1 epoch=5", OK);
    then("put k0 id=2 epoch=5", OK);
    got(then("get k0", OK), 0);
    CU_ASSERT_TRUE(fails_at_the_end());
}

static void an_entry_goes_when_its_time_is_up_and_not_before(void) {
    static const struct {
        int64_t at_ms;
        bool hit, may_without_ttl, may_with_ttl;
    } gets[] = {{9, true, true, true},   {9, false, false, false}, {10, true, true, true},
                {10, false, true, true}, {11, true, true, false},  {11, false, true, true}};
    for (size_t i = 0; i < sizeof(gets) / sizeof(gets[0]); i++) {
        for (int ttl = 0; ttl < 2; ttl++) {
            begin(true, ttl ? LARDER_TTL : 0);
            then("put k0 id=1 ttl=10", OK);
            struct model_event *get = then("get k0", gets[i].hit ? OK : MISS);
            get->got = gets[i].hit ? 0 : MODEL_NONE;
            get->step.at_ms = gets[i].at_ms;
            CU_ASSERT_EQUAL(holds(), ttl ? gets[i].may_with_ttl : gets[i].may_without_ttl);
        }
    }
}

static void what_any_clock_had_overtaken_may_be_gone(void) {
    begin(true, LARDER_TTL);
    then("put k0 id=1 ttl=10", OK);
    then("get k1 at=50", MISS);
    then("get k0 at=5", MISS);
    CU_ASSERT_TRUE(holds());
    h.events[2].status = OK;
    h.events[2].got = 0;
    CU_ASSERT_TRUE(holds());
    h.events[1].step.at_ms = 9;
    h.events[2].status = MISS;
    CU_ASSERT_TRUE(fails_at_the_end());
}

static void what_was_over_by_a_clock_told_before_may_be_gone(void) {
    begin(true, LARDER_TTL);
    then("get k1 at=50", MISS);
    then("put k0 id=1 ttl=10", OK);
    then("get k0 at=5", MISS);
    CU_ASSERT_TRUE(holds());
    h.events[0].step.at_ms = 9;
    CU_ASSERT_TRUE(fails_at_the_end());
}

static void a_status_that_nothing_explains_fails(void) {
    static const struct {
        const char *step;
        int32_t status;
    } steps[] = {{"remove k0", MISS}, {"get k0", LARDER_INTERNAL}, {"put k0 id=1", MISS},     {"list", MISS},
                 {"read t0", MISS},   {"raise c0", LARDER_RETRY},  {"write t0:-1/-/-", MISS}, {"get k0", 7}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        begin(true, 0);
        then(steps[i].step, steps[i].status);
        CU_ASSERT_TRUE(fails_at_the_end());
    }
}

/* ---- errors ---------------------------------------------------------------------------------------- */

static void what_failed_may_have_happened_or_happen_later_or_never(void) {
    for (int seen = 0; seen < 3; seen++) {
        begin(true, 0);
        h.errors = true;
        then("put k0 id=1", OK);
        then("put k0 id=2", LOST);
        got(then("get k0", OK), seen > 1);
        then("put k0 id=3", OK);
        got(then("get k0", OK), seen == 1 ? 1 : 3); /* late: after the next one */
        CU_ASSERT_TRUE(holds());
    }
}

static void what_failed_happens_once_at_most(void) {
    begin(true, 0);
    h.errors = true;
    then("put k0 id=1", OK);
    then("put k0 id=2", LOST);
    got(then("get k0", OK), 1);
    then("put k0 id=3", OK);
    got(then("get k0", OK), 1);
    CU_ASSERT_TRUE(fails_at_the_end());
}

static void a_remove_that_failed_may_come_late(void) {
    begin(true, 0);
    h.errors = true;
    then("put k0 id=1", OK);
    then("remove k0", LOST);
    got(then("get k0", OK), 0);
    then("get k0", MISS);
    CU_ASSERT_TRUE(holds());
    got(then("get k0", OK), 0);
    CU_ASSERT_TRUE(fails_at_the_end());
}

static void an_error_where_none_was_made_fails(void) {
    begin(true, 0);
    then("put k0 id=1", LOST);
    CU_ASSERT_TRUE(fails_at_the_end());
    h.errors = true;
    CU_ASSERT_TRUE(holds());
}

static void what_is_repeated_under_way_may_show_twice(void) {
    begin(false, 0);
    during("put k0 id=1", 1, 2, OK);
    during("remove k0", 3, 20, OK);
    during("get k0", 4, 5, MISS);
    during("put k0 id=2", 6, 7, OK);
    during("get k0", 8, 9, MISS);
    CU_ASSERT_TRUE(fails_at_the_end());
    h.repeats = true;
    CU_ASSERT_TRUE(holds());
    during("get k0", 21, 22, OK)->got = 3; /* after its answer it is not repeated */
    CU_ASSERT_TRUE(fails_at_the_end());
}

/* ---- claims ---------------------------------------------------------------------------------------- */

static void a_claim_is_one_owners_until_it_is_given_back_or_over(void) {
    begin(true, 0);
    then("claim k0 owner=1 ttl=10", OK);
    then("claim k0 owner=2 ttl=10 at=9", MISS);
    then("release k0 owner=2 at=9", OK); /* not its to give back */
    then("claim k0 owner=2 ttl=10 at=9", MISS);
    then("claim k0 owner=2 ttl=10 at=11", OK);
    then("release k0 owner=2 at=11", OK);
    then("claim k0 owner=3 ttl=10 at=11", OK);
    CU_ASSERT_TRUE(holds());
    then("claim k0 owner=1 ttl=10 at=12", OK);
    CU_ASSERT_TRUE(fails_at_the_end());
    begin(true, 0);
    then("claim k0 owner=1 ttl=10", MISS);
    CU_ASSERT_TRUE(fails_at_the_end());
}

static void of_two_claims_at_once_one_is_answered_with_ok(void) {
    begin(false, 0);
    during("claim k0 owner=1 ttl=10", 1, 8, OK);
    during("claim k0 owner=2 ttl=10", 2, 7, MISS);
    CU_ASSERT_TRUE(holds());
    h.events[1].status = OK;
    CU_ASSERT_FALSE(holds());
    h.events[0].status = h.events[1].status = MISS;
    CU_ASSERT_FALSE(holds());
}

/* ---- lists and the index ------------------------------------------------------------------------------ */

static void a_list_shows_what_is_stored_and_nothing_else(void) {
    static const struct {
        uint32_t seen;
        bool whole, good;
    } lists[] = {{1, true, true},  {0, true, false}, {3, true, false},
                 {0, false, true}, {5, true, false}, {2, false, false}};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        begin(true, 0);
        then("put k0 id=1", OK);
        then("put k1 id=2", OK);
        then("remove k1", OK);
        struct model_event *list = then("list", OK);
        list->seen = lists[i].seen;
        list->whole = lists[i].whole;
        CU_ASSERT_EQUAL(holds(), lists[i].good);
    }
}

static void a_list_is_no_snapshot(void) {
    begin(false, 0);
    during("list", 1, 20, OK)->seen = 2;
    during("put k0 id=1", 2, 3, OK);
    during("put k1 id=2", 4, 5, OK);
    CU_ASSERT_TRUE(holds()); /* the later one alone */
    h.events[0].seen = 4;
    CU_ASSERT_FALSE(holds());
}

static void a_record_with_no_place_in_the_answer_fails(void) {
    begin(true, 0);
    then("list", OK)->strange = true;
    CU_ASSERT_TRUE(fails_at_the_end());
}

static void the_index_follows_the_last_link(void) {
    static const struct {
        const char *step;
        uint32_t seen;
        bool good;
    } reads[] = {{"keys_of t0", 2, true},  {"keys_of t0", 3, false}, {"keys_of t0", 0, false},
                 {"keys_of t1", 1, true},  {"tags_of k0", 2, true},  {"tags_of k0", 3, false},
                 {"tags_of k2", 0, true},  {"tags_of k2", 1, false}, {"tags_of k1", 1, true},
                 {"tags_of k1", 0, false}, {"keys_of t2", 0, true}};
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
        begin(true, 0);
        then("link k0 t0", OK);
        then("link k1 t0 t2", OK);
        then("link k0 t1", OK);
        then("link k1 t0", OK);
        then("link k2 t0", OK);
        then("link k2", OK);
        then(reads[i].step, OK)->seen = reads[i].seen;
        CU_ASSERT_EQUAL(holds(), reads[i].good);
    }
}

/* ---- the search, against trying every order ------------------------------------------------------------------ */

struct brute {
    size_t n;
    bool used[MODEL_STEPS];
};

/* Whether what is not used yet can follow when the key shows `state`.  Straight from the words of
 * the contract, without a thought for speed. */
static bool any_order(struct brute *b, int state) {
    bool done = true;
    for (size_t i = 0; i < b->n; i++)
        done &= b->used[i] || model_failed(&h.events[i]);
    if (done)
        return true;
    for (size_t i = 0; i < b->n; i++) {
        const struct model_event *e = &h.events[i];
        bool first = !b->used[i];
        for (size_t j = 0; j < b->n && first; j++) /* nothing unused was over before it began */
            first = j == i || b->used[j] || model_settled(&h.events[j]) > e->called;
        if (!first)
            continue;
        int after = state;
        bool right = true;
        if (e->step.kind == MODEL_REMOVE)
            after = MODEL_NONE;
        else if (e->step.kind == MODEL_GET)
            right = state == e->got;
        else if (!e->step.if_absent || state == MODEL_NONE)
            after = (int)i;
        if (e->step.kind == MODEL_PUT && e->step.if_absent && !model_failed(e))
            right = (e->status == MISS) == (state != MODEL_NONE);
        b->used[i] = true;
        if (right && any_order(b, after))
            return true;
        b->used[i] = false;
    }
    return false;
}

static bool brute_force_holds(void) {
    struct brute b = {.n = h.n};
    return any_order(&b, MODEL_NONE);
}

/* Event i as one of several kinds; false: there is none of that number. */
static bool nth_event(struct model_event *e, size_t i, unsigned kind) {
    static const struct {
        enum model_kind kind;
        bool if_absent;
        int32_t status;
    } kinds[] = {{MODEL_PUT, false, OK},      {MODEL_PUT, true, OK},   {MODEL_PUT, true, MISS},
                 {MODEL_PUT, false, LOST},    {MODEL_PUT, true, LOST}, {MODEL_REMOVE, false, OK},
                 {MODEL_REMOVE, false, LOST}, {MODEL_GET, false, MISS}};
    enum { FIXED = sizeof(kinds) / sizeof(kinds[0]) };
    unsigned at = kind < FIXED ? kind : FIXED - 1;
    *e = (struct model_event){
        .step = {.kind = kinds[at].kind, .if_absent = kinds[at].if_absent, .id = (uint32_t)i},
        .status = kinds[at].status,
        .got = MODEL_NONE,
        .whole = true};
    if (kind >= FIXED) { /* a get of each of the others */
        e->status = OK;
        e->got = (int)(kind - FIXED);
    }
    return kind < FIXED + h.n && e->got != (int)i;
}

/* Of random gets many name what is no put; the driver's answers cannot. */
static bool is_sound(void) {
    for (size_t i = 0; i < h.n; i++) {
        const struct model_event *e = &h.events[i];
        if (e->got >= 0 && h.events[e->got].step.kind != MODEL_PUT)
            return false;
    }
    return true;
}

static void compare_with_brute_force(unsigned counts[2]) {
    bool want = brute_force_holds();
    struct model_verdict v = model_check(&h);
    if (v.outcome != (want ? MODEL_HOLDS : MODEL_FAILS)) {
        for (size_t i = 0; i < h.n; i++)
            printf("[%s%s %llu-%llu status %d got %d] ", model_kind_names[h.events[i].step.kind],
                   h.events[i].step.if_absent ? " absent" : "", (unsigned long long)h.events[i].called,
                   (unsigned long long)h.events[i].returned, h.events[i].status, h.events[i].got);
        CU_FAIL_FATAL("the search and brute force do not agree");
    }
    counts[want]++;
}

/* Gives call i its place among `n` calls and answers; false: no more. */
static void place(const unsigned order[], size_t n) {
    uint64_t at = 1;
    bool called[MODEL_STEPS] = {false};
    for (size_t i = 0; i < n; i++, at++) {
        struct model_event *e = &h.events[order[i]];
        *(called[order[i]] ? &e->returned : &e->called) = at;
        called[order[i]] = true;
    }
}

/* The first of each event in `order` is its call; events are called in their order. */
static bool next_order(unsigned order[6]) {
    for (size_t i = 5; i-- > 0;) {
        if (order[i] >= order[i + 1])
            continue;
        size_t j = 5;
        while (order[j] <= order[i])
            j--;
        unsigned swap = order[i];
        order[i] = order[j];
        order[j] = swap;
        for (size_t a = i + 1, b = 5; a < b; a++, b--) {
            swap = order[a];
            order[a] = order[b];
            order[b] = swap;
        }
        return true;
    }
    return false;
}

static bool calls_ascend(void) {
    return h.events[0].called < h.events[1].called && h.events[1].called < h.events[2].called;
}

static void the_search_agrees_with_brute_force_on_all_histories_of_three(void) {
    unsigned counts[2] = {0};
    unsigned order[6] = {0, 0, 1, 1, 2, 2};
    do {
        for (unsigned kinds = 0; kinds < 11 * 11 * 11; kinds++) {
            begin(false, 0);
            h.errors = true;
            h.n = 3;
            if (nth_event(&h.events[0], 0, kinds % 11) && nth_event(&h.events[1], 1, kinds / 11 % 11) &&
                nth_event(&h.events[2], 2, kinds / 121)) {
                place(order, 6);
                if (calls_ascend() && is_sound())
                    compare_with_brute_force(counts);
            }
        }
    } while (next_order(order));
    CU_ASSERT(counts[true] > 1000);
    CU_ASSERT(counts[false] > 1000);
}

static void the_search_agrees_with_brute_force_on_random_histories(void) {
    enum { EVENTS = 6, ROUNDS = 20000, SEED = 20240817 };
    unsigned counts[2] = {0};
    uint64_t random = SEED;
    for (unsigned round = 0; round < ROUNDS; round++) {
        begin(false, 0);
        h.errors = true;
        h.n = EVENTS;
        uint64_t at = 1;
        for (size_t i = 0; i < EVENTS; i++) {
            while (!nth_event(&h.events[i], i, random_below(&random, 8 + EVENTS)))
                ;
            h.events[i].called = at;
            at += 1 + random_below(&random, 3);
            h.events[i].returned = h.events[i].called + 1 + random_below(&random, 9);
        }
        for (size_t i = 0; i < EVENTS; i++) { /* no two moments are one */
            h.events[i].called *= 2 * EVENTS;
            h.events[i].returned = h.events[i].returned * 2 * EVENTS + 1 + i;
        }
        if (is_sound())
            compare_with_brute_force(counts);
    }
    CU_ASSERT(counts[true] > 100);
    CU_ASSERT(counts[false] > 100);
}

UNIT_MAIN("model: entries, claims, lists, the index", UNIT(a_get_answers_with_the_last_put),
          UNIT(an_old_a_removed_or_a_strange_entry_fails),
          UNIT(what_was_due_is_told_where_there_is_but_one_answer),
          UNIT(a_get_that_overlaps_a_put_may_see_it_or_not), UNIT(what_was_seen_once_is_not_unseen),
          UNIT(an_entry_is_not_seen_before_it_is_put), UNIT(of_two_that_put_if_absent_one_succeeds),
          UNIT(the_newest_epoch_stays_where_that_is_claimed),
          UNIT(an_entry_goes_when_its_time_is_up_and_not_before),
          UNIT(what_any_clock_had_overtaken_may_be_gone),
          UNIT(what_was_over_by_a_clock_told_before_may_be_gone), UNIT(a_status_that_nothing_explains_fails),
          UNIT(what_failed_may_have_happened_or_happen_later_or_never),
          UNIT(what_failed_happens_once_at_most), UNIT(a_remove_that_failed_may_come_late),
          UNIT(an_error_where_none_was_made_fails), UNIT(what_is_repeated_under_way_may_show_twice),
          UNIT(a_claim_is_one_owners_until_it_is_given_back_or_over),
          UNIT(of_two_claims_at_once_one_is_answered_with_ok),
          UNIT(a_list_shows_what_is_stored_and_nothing_else), UNIT(a_list_is_no_snapshot),
          UNIT(a_record_with_no_place_in_the_answer_fails), UNIT(the_index_follows_the_last_link),
          UNIT(the_search_agrees_with_brute_force_on_all_histories_of_three),
          UNIT(the_search_agrees_with_brute_force_on_random_histories))
