/* The checker, on histories made by hand: each rule finds what breaks it, and leaves alone what
 * comes closest to that.  Times are in seconds; clocks tell 1,000,000 s more. */
#include <string.h>

#include "explain.h"
#include "unit.h"

enum { ROOM = 64, TAG_A = 3, TAG_B = 4, KEY_DATA = 0, KEY_MID = 8, KEY_PAGE = 12 };

static const int64_t S = 1000000000, BASE_MS = 1000000000;

static struct {
    struct history_head head;
    struct record records[ROOM];
    struct history_file file;
    struct history history;
    struct check_result result;
    struct check_options options;
    char error[256];
} tape;

static void begin(void) {
    memset(&tape, 0, sizeof(tape));
    tape.head.world = (struct world){.n_data = 8, .n_mids = 4, .n_pages = 4};
    tape.head.wall_base_ms = BASE_MS;
    tape.head.calm = 1;
    snprintf(tape.head.command, sizeof(tape.head.command), "larder-history run --seed 7");
    tape.file = (struct history_file){.head = &tape.head, .records = tape.records};
    tape.history = (struct history){.files = &tape.file, .n_files = 1};
}

static int64_t clock_at(double s) {
    return BASE_MS + (int64_t)(s * 1000);
}

static struct record *add(uint8_t op, double from, double to) {
    if (tape.file.n == ROOM)
        abort();
    struct record *r = &tape.records[tape.file.n++];
    *r = (struct record){.op = op,
                         .begin_ns = (int64_t)(from * 1e9),
                         .end_ns = (int64_t)(to * 1e9),
                         .wall_ms = clock_at(from),
                         .wall_end_ms = clock_at(to),
                         .expire_in_ms = LARDER_UNSET,
                         .version = VERSION_NONE};
    return r;
}

/* A rendering that begins at `began`, and its put. */
static struct record *put(unsigned key, uint64_t tags, double began, double from, double to) {
    struct record *r = add(R_PUT, from, to);
    r->key = (uint16_t)key;
    r->tags = tags;
    r->began_ns = (int64_t)(began * 1e9);
    r->version = VERSION(0, tape.file.n - 1);
    r->epoch = 10;
    return r;
}

static void from(struct record *put, const struct record *ingredient, bool stale) {
    put->stale_ingredients |= (uint8_t)(stale << put->n_ingredients);
    put->ingredients[put->n_ingredients++] = ingredient->version;
}

static struct record *get(const struct record *put, double begin_s, double end_s) {
    struct record *r = add(R_GET, begin_s, end_s);
    r->key = put->key;
    r->verdict = LARDER_FRESH;
    r->flags = R_WHOLE;
    r->version = put->version;
    r->epoch = put->epoch;
    return r;
}

static struct record *revalidate(uint64_t tags, double begin_s, double end_s) {
    struct record *r = add(R_REVALIDATE, begin_s, end_s);
    r->tags = tags;
    r->epoch = 20;
    return r;
}

static struct record *make_stale(uint64_t tags, int64_t expire_in_ms, double begin_s, double end_s) {
    struct record *r = revalidate(tags, begin_s, end_s);
    r->mode = LARDER_MAKE_STALE;
    r->expire_in_ms = expire_in_ms;
    return r;
}

static uint64_t tag(unsigned number) {
    return UINT64_C(1) << number;
}

/* How many reports of this rule; any other is counted as a thousand. */
static uint64_t found(enum rule rule) {
    CU_ASSERT_FATAL(check_history(&tape.history, &tape.options, &tape.result, tape.error));
    return tape.result.n_violations[rule] +
           1000 * (violations_of(&tape.result) - tape.result.n_violations[rule]);
}

static uint64_t found_any(void) {
    CU_ASSERT_FATAL(check_history(&tape.history, &tape.options, &tape.result, tape.error));
    return violations_of(&tape.result);
}

/* ---- P1 ------------------------------------------------------------------------------- */

static void what_was_rendered_before_a_completed_revalidation_is_not_returned(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    revalidate(tag(TAG_A), 3, 4);
    get(v, 5, 6);
    CU_ASSERT(found(RULE_STALE_AFTER_REVALIDATION) == 1);
    CU_ASSERT(tape.result.found[0].cause.at == 1 && tape.result.found[0].call.at == 2);
}

static void it_may_be_while_the_revalidation_runs_or_the_get_began_before_its_end(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    revalidate(tag(TAG_A), 3, 5);
    get(v, 4, 6);
    get(v, 5, 6); /* at the same instant: who was first? */
    CU_ASSERT(found_any() == 0);
}

static void a_rendering_that_began_while_it_ran_counts_as_new(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 3.5, 3.6, 3.7);
    revalidate(tag(TAG_A), 3, 4);
    get(v, 5, 6);
    CU_ASSERT(found_any() == 0);
}

static void the_put_may_come_long_after_the_revalidation(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 10, 11);
    revalidate(tag(TAG_A), 3, 4);
    get(v, 12, 13);
    CU_ASSERT(found(RULE_STALE_AFTER_REVALIDATION) == 1);
}

static void a_revalidation_that_failed_or_was_never_answered_promises_nothing(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    tape.head.calm = 0;
    revalidate(tag(TAG_A), 3, 4)->status = LARDER_DEADLINE;
    revalidate(tag(TAG_A), 3, 4)->end_ns = 0;
    get(v, 5, 6);
    CU_ASSERT(found_any() == 0);
    CU_ASSERT(tape.result.n_unanswered == 1 && tape.result.n_revalidation_errors == 1);
}

static void another_tag_is_no_concern(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    revalidate(tag(TAG_B), 3, 4);
    get(v, 5, 6);
    CU_ASSERT(found_any() == 0);
}

static void the_tags_of_the_request_count_and_the_namespaces_always(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    revalidate(tag(TAG_B), 3, 4);
    get(v, 5, 6)->tags = tag(TAG_B);
    CU_ASSERT(found(RULE_STALE_AFTER_REVALIDATION) == 1);
    begin();
    v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    revalidate(tag(0), 3, 4);
    get(v, 5, 6);
    CU_ASSERT(found(RULE_STALE_AFTER_REVALIDATION) == 1);
}

static void an_early_revalidation_counts_though_later_ones_came_before_the_rendering(void) {
    begin();
    revalidate(tag(TAG_A), 0.1, 0.2);
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    revalidate(tag(TAG_A), 3, 4);   /* this one */
    revalidate(tag(TAG_A), 0.5, 5); /* began before the rendering, ended last */
    get(v, 6, 7);
    CU_ASSERT(found(RULE_STALE_AFTER_REVALIDATION) == 1);
    CU_ASSERT(tape.result.found[0].cause.at == 2);
}

static void nor_is_what_was_built_from_it_two_levels_up(void) {
    begin();
    struct record *data = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    struct record *mid = put(KEY_MID, tag(TAG_A) | tag(TAG_B), 3.1, 3.5, 3.6);
    struct record *page = put(KEY_PAGE, tag(TAG_A) | tag(TAG_B), 3.2, 3.7, 3.8);
    from(mid, data, false);
    from(page, mid, false);
    revalidate(tag(TAG_A), 3, 4);
    get(page, 5, 6);
    CU_ASSERT(found(RULE_STALE_AFTER_REVALIDATION) == 1);
    CU_ASSERT(tape.result.found[0].n_chain == 3);
    CU_ASSERT(tape.result.found[0].chain[2] == data->version);
}

static void a_page_of_new_data_is_returned(void) {
    begin();
    struct record *data = put(KEY_DATA, tag(TAG_A), 3.1, 3.3, 3.4);
    struct record *page = put(KEY_PAGE, tag(TAG_A), 3.05, 3.5, 3.6);
    from(page, data, false);
    revalidate(tag(TAG_A), 3, 4);
    get(page, 5, 6);
    CU_ASSERT(found_any() == 0);
}

static void an_old_ingredient_without_the_tag_does_not_make_a_page_old(void) {
    begin();
    struct record *data = put(KEY_DATA, tag(TAG_B), 1, 1.5, 2);
    struct record *page = put(KEY_PAGE, tag(TAG_A) | tag(TAG_B), 3.1, 3.5, 3.6);
    from(page, data, false);
    revalidate(tag(TAG_A), 3, 4);
    get(page, 5, 6);
    CU_ASSERT(found_any() == 0);
}

static void a_page_that_lost_its_ingredients_tag_is_still_built_from_it(void) {
    begin();
    struct record *data = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    struct record *page = put(KEY_PAGE, tag(TAG_B), 3.1, 3.5, 3.6);
    from(page, data, false);
    revalidate(tag(TAG_A), 3, 4);
    get(page, 5, 6);
    CU_ASSERT(found(RULE_STALE_AFTER_REVALIDATION) == 1);
}

/* ---- P3, P4, P6 -------------------------------------------------------------------------- */

static void what_nobody_put_is_found_out(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    get(v, 3, 4)->version = VERSION(0, 40);
    get(v, 3, 4)->version = VERSION(9, 0);
    get(v, 3, 4)->version = VERSION(0, 1); /* a get */
    get(v, 3, 4)->key = KEY_DATA + 1;
    get(v, 1, 1.4); /* ended before the put began */
    CU_ASSERT(found(RULE_NEVER_PUT) == 5);
}

static void a_put_that_failed_or_was_never_answered_may_take_effect_at_any_time(void) {
    begin();
    tape.head.calm = 0;
    struct record *failed = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    struct record *lost = put(KEY_DATA, tag(TAG_A), 1, 1.5, 0);
    failed->status = LARDER_DEADLINE;
    get(failed, 50, 51);
    get(lost, 60, 61);
    get(lost, 1.2, 1.6); /* while it ran */
    get(failed, 70, 71); /* the older one again: its put may have come last */
    CU_ASSERT(found_any() == 0);
}

static void other_bytes_or_another_epoch_are_found_out(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    get(v, 3, 4)->flags = 0;
    get(v, 3, 4)->epoch = 11;
    CU_ASSERT(found(RULE_NOT_WHOLE) == 2);
}

static void after_quiet_the_second_get_is_a_hit(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    struct record *miss = add(R_GET, 3, 4);
    miss->status = LARDER_MISS;
    miss->phase = PHASE_FIRST;
    get(v, 5, 6)->phase = PHASE_SECOND;
    CU_ASSERT(found_any() == 0 && tape.result.n_second_gets == 1);
    miss->phase = PHASE_SECOND;
    CU_ASSERT(found(RULE_NOT_ALIVE) == 1);
    struct record *stale = get(v, 7, 8);
    stale->phase = PHASE_SECOND;
    stale->verdict = LARDER_STALE;
    CU_ASSERT(found(RULE_NOT_ALIVE) == 2);
}

static void in_a_calm_run_no_call_fails_unasked(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    v->status = LARDER_DEADLINE;
    v->flags = R_HURRIED;
    CU_ASSERT(found_any() == 0);
    v->flags = 0;
    CU_ASSERT(found(RULE_ERROR) == 1);
    tape.head.calm = 0;
    CU_ASSERT(found_any() == 0);
}

static void an_outage_is_as_long_as_gets_end_and_none_is_answered(void) {
    begin();
    tape.head.calm = 0;
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    get(v, 2, 2.5);
    get(v, 4, 5); /* nobody asked in between */
    CU_ASSERT(found_any() == 0);
    CU_ASSERT_EQUAL(tape.result.longest_outage_ns, 0);
    CU_ASSERT_EQUAL(tape.result.first_error_ns, 0);
    get(v, 5, 5.5)->status = LARDER_RETRY;
    get(v, 5, 6.5)->status = LARDER_RETRY;
    get(v, 6, 7);
    get(v, 7, 7.5)->status = LARDER_RETRY;
    get(v, 7, 8);
    CU_ASSERT(found_any() == 0);
    CU_ASSERT_EQUAL(tape.result.longest_outage_ns, 2 * S);
    CU_ASSERT_EQUAL(tape.result.first_error_ns, 11 * S / 2);
    CU_ASSERT_EQUAL(tape.result.last_error_ns, 15 * S / 2);
}

/* ---- expire -------------------------------------------------------------------------------- */

static void a_store_that_trusts_marks_for_a_while_may_see_it_so_much_later(void) {
    begin();
    tape.head.delay_ms = 500;
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    revalidate(tag(TAG_A), 3, 4);
    get(v, 4.4, 5);
    CU_ASSERT(found_any() == 0);
    get(v, 4.6, 5);
    CU_ASSERT(found(RULE_STALE_AFTER_REVALIDATION) == 1);
}

static void what_was_made_stale_is_not_called_fresh(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    make_stale(tag(TAG_A), LARDER_UNSET, 3, 4);
    struct record *g = get(v, 5, 6);
    CU_ASSERT(found(RULE_FRESH_THOUGH_STALE) == 1);
    g->verdict = LARDER_STALE;
    CU_ASSERT(found_any() == 0);
}

static void a_page_may_be_built_of_what_was_known_to_be_stale(void) {
    begin();
    struct record *data = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    struct record *page = put(KEY_PAGE, tag(TAG_A), 5, 5.5, 6);
    from(page, data, true);
    make_stale(tag(TAG_A), LARDER_UNSET, 3, 4);
    get(page, 7, 8);
    CU_ASSERT(found_any() == 0);
    page->stale_ingredients = 0; /* it was called fresh */
    CU_ASSERT(found(RULE_FRESH_THOUGH_STALE) == 1);
}

static void after_its_time_it_is_gone(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    make_stale(tag(TAG_A), 10000, 3, 4); /* due at 14 at the latest */
    struct record *g = get(v, 13.9, 15);
    g->verdict = LARDER_STALE;
    CU_ASSERT(found_any() == 0);
    g = get(v, 14.1, 15);
    g->verdict = LARDER_STALE;
    CU_ASSERT(found(RULE_THERE_AFTER_DUE) == 1);
    g->flags |= R_JUMPED; /* nobody knows what its clock told */
    CU_ASSERT(found_any() == 0);
    g->flags = R_WHOLE;
    g->wall_ms = clock_at(13); /* its clock is behind: not due yet */
    CU_ASSERT(found_any() == 0);
}

static void a_clock_that_is_ahead_makes_it_due_sooner(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    make_stale(tag(TAG_A), 10000, 3, 4);
    struct record *g = get(v, 5, 6);
    g->verdict = LARDER_STALE;
    g->wall_ms = clock_at(3600);
    CU_ASSERT(found(RULE_THERE_AFTER_DUE) == 1);
}

static struct record *shown_gone(const struct record *put, double begin_s, double end_s) {
    struct record *g = get(put, begin_s, end_s);
    g->verdict = LARDER_GONE;
    g->flags |= R_ANY;
    return g;
}

static void before_its_time_it_is_not_gone(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    make_stale(tag(TAG_A), 10000, 3, 4); /* due at 13 at the earliest */
    shown_gone(v, 5, 6);
    CU_ASSERT(found(RULE_GONE_TOO_EARLY) == 1);
    tape.file.n--;
    shown_gone(v, 5, 14);
    CU_ASSERT(found_any() == 0);
}

static void it_may_be_gone_by_a_clock_that_is_ahead(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    make_stale(tag(TAG_A), 10000, 3, 4);
    shown_gone(v, 5, 6);
    add(R_EPOCH, 5, 6)->wall_ms = clock_at(3600);
    CU_ASSERT(found_any() == 0);
}

static void it_may_be_gone_by_another_revalidation_or_an_earlier_due_time(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    make_stale(tag(TAG_A), 10000, 3, 4);
    shown_gone(v, 5, 6);
    struct record *other = revalidate(tag(TAG_A), 5.5, 7); /* began before the get ended */
    CU_ASSERT(found_any() == 0);
    other->epoch = 9; /* the entry is not older */
    CU_ASSERT(found(RULE_GONE_TOO_EARLY) == 1);
    other->mode = LARDER_MAKE_STALE; /* but pairs that meet share the earlier time */
    other->expire_in_ms = 100;
    other->begin_ns = 3 * S;
    other->wall_ms = clock_at(3);
    other->wall_end_ms = clock_at(3.2);
    other->end_ns = other->begin_ns + S / 5;
    CU_ASSERT(found_any() == 0);
}

static void nothing_is_gone_without_a_reason(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    shown_gone(v, 5, 6);
    CU_ASSERT(found(RULE_GONE_TOO_EARLY) == 1);
    add(R_EPOCH, 0.1, 0.2)->epoch = 11; /* the namespace's mark is at most that, and may be */
    CU_ASSERT(found_any() == 0);
}

/* ---- a tag store that is lost ------------------------------------------------------------------ */

static struct record *loss(double begin_s, double end_s, int64_t since_ns) {
    struct record *r = add(R_LOSS, begin_s, end_s);
    r->began_ns = since_ns;
    tape.head.calm = 0;
    return r;
}

static void a_wipe_excuses_nothing_that_is_behind_the_clocks(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    v->epoch = clock_at(1);
    revalidate(tag(TAG_A), 3, 4)->epoch = clock_at(3);
    loss(4.5, 4.6, LARDER_UNSET);
    get(v, 5, 6);
    CU_ASSERT(found(RULE_STALE_AFTER_REVALIDATION) == 1);
}

static void an_epoch_ahead_of_a_clock_is_excused_after_a_wipe_and_counted(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    v->epoch = clock_at(3600);
    revalidate(tag(TAG_A), 3, 4);
    loss(4.5, 4.6, LARDER_UNSET);
    get(v, 5, 6);
    CU_ASSERT(found_any() == 0 && tape.result.n_unordered == 1);
    tape.options.no_excuse = true;
    CU_ASSERT(found(RULE_STALE_AFTER_REVALIDATION) == 1);
}

static void the_counter_begins_anew_at_the_time_of_a_call_that_was_under_way(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    v->epoch = clock_at(1);
    revalidate(tag(TAG_A), 3, 4);
    loss(4.5, 4.6, LARDER_UNSET);
    get(v, 5, 6);
    add(R_GET, 0.9, 4.4)->status = LARDER_MISS; /* over by then */
    CU_ASSERT(found(RULE_STALE_AFTER_REVALIDATION) == 1);
    add(R_GET, 0.9, 4.7)->status = LARDER_MISS;
    CU_ASSERT(found_any() == 0 && tape.result.n_unordered == 1);
}

static void a_rolled_back_revalidation_is_lost_and_its_neighbours_are_not(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    v->epoch = clock_at(1);
    struct record *r = revalidate(tag(TAG_A), 3, 4);
    loss(4.5, 4.6, (int64_t)(3.5 * 1e9)); /* back to what was at 3.5 */
    get(v, 5, 6);
    CU_ASSERT(found_any() == 0 && tape.result.n_lost == 1);
    r->end_ns = (int64_t)(3.4 * 1e9); /* it was in the snapshot */
    CU_ASSERT(found(RULE_STALE_AFTER_REVALIDATION) == 1);
    begin();
    v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    v->epoch = clock_at(1);
    loss(4.5, 4.6, (int64_t)(3.5 * 1e9));
    revalidate(tag(TAG_A), 7, 8); /* after it */
    get(v, 9, 10);
    CU_ASSERT(found(RULE_STALE_AFTER_REVALIDATION) == 1);
}

/* ---- the rest ------------------------------------------------------------------------------------ */

static void a_violation_is_told_in_words(void) {
    begin();
    struct record *data = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    struct record *page = put(KEY_PAGE, tag(TAG_A), 3.2, 3.7, 3.8);
    char words[4096] = "";
    from(page, data, false);
    revalidate(tag(TAG_A), 3, 4);
    get(page, 5, 6);
    CU_ASSERT(found(RULE_STALE_AFTER_REVALIDATION) == 1);
    FILE *out = fmemopen(words, sizeof(words), "w");
    CU_ASSERT_FATAL(out != NULL);
    explain(out, &tape.history, &tape.result.found[0], 0);
    fclose(out);
    CU_ASSERT(strstr(words, "revalidation of tag of-data-0: 3.000000 s to 4.000000 s") != NULL);
    CU_ASSERT(strstr(words, "get of page-0: 5.000000 s to 6.000000 s") != NULL);
    CU_ASSERT(strstr(words, "what it got, page-0: rendering began at 3.200000 s") != NULL);
    CU_ASSERT(strstr(words, "built from data-0: rendering began at 1.000000 s") != NULL);
    CU_ASSERT(strstr(words, "2.000000 s before that revalidation began") != NULL);
}

static void the_earliest_violations_are_kept(void) {
    begin();
    struct record *v = put(KEY_DATA, tag(TAG_A), 1, 1.5, 2);
    revalidate(tag(TAG_A), 3, 4);
    for (int i = 0; i < 50; i++)
        get(v, 100 - i, 101);
    CU_ASSERT(found(RULE_STALE_AFTER_REVALIDATION) == 50);
    CU_ASSERT(tape.result.n_found == VIOLATIONS_KEPT);
    CU_ASSERT(tape.records[tape.result.found[0].call.at].begin_ns == 51 * S);
    for (unsigned i = 1; i < VIOLATIONS_KEPT; i++)
        CU_ASSERT(tape.records[tape.result.found[i].call.at].begin_ns == (51 + i) * S);
}

static void a_history_that_makes_no_sense_is_refused(void) {
    begin();
    struct record *a = put(KEY_MID, tag(TAG_A), 1, 1.5, 2), *b = put(KEY_PAGE, tag(TAG_A), 1, 1.5, 2);
    from(a, b, false);
    from(b, a, false);
    CU_ASSERT(!check_history(&tape.history, &tape.options, &tape.result, tape.error));
    CU_ASSERT(strstr(tape.error, "built from itself") != NULL);
    begin();
    add(R_GET, 2, 1);
    CU_ASSERT(!check_history(&tape.history, &tape.options, &tape.result, tape.error));
    begin();
    add(R_OPS, 1, 2);
    CU_ASSERT(!check_history(&tape.history, &tape.options, &tape.result, tape.error));
}

UNIT_MAIN(
    "history", UNIT(what_was_rendered_before_a_completed_revalidation_is_not_returned),
    UNIT(it_may_be_while_the_revalidation_runs_or_the_get_began_before_its_end),
    UNIT(a_rendering_that_began_while_it_ran_counts_as_new),
    UNIT(the_put_may_come_long_after_the_revalidation),
    UNIT(a_revalidation_that_failed_or_was_never_answered_promises_nothing), UNIT(another_tag_is_no_concern),
    UNIT(the_tags_of_the_request_count_and_the_namespaces_always),
    UNIT(an_early_revalidation_counts_though_later_ones_came_before_the_rendering),
    UNIT(nor_is_what_was_built_from_it_two_levels_up), UNIT(a_page_of_new_data_is_returned),
    UNIT(an_old_ingredient_without_the_tag_does_not_make_a_page_old),
    UNIT(a_page_that_lost_its_ingredients_tag_is_still_built_from_it), UNIT(what_nobody_put_is_found_out),
    UNIT(a_put_that_failed_or_was_never_answered_may_take_effect_at_any_time),
    UNIT(other_bytes_or_another_epoch_are_found_out), UNIT(after_quiet_the_second_get_is_a_hit),
    UNIT(in_a_calm_run_no_call_fails_unasked), UNIT(an_outage_is_as_long_as_gets_end_and_none_is_answered),
    UNIT(a_store_that_trusts_marks_for_a_while_may_see_it_so_much_later),
    UNIT(what_was_made_stale_is_not_called_fresh), UNIT(a_page_may_be_built_of_what_was_known_to_be_stale),
    UNIT(after_its_time_it_is_gone), UNIT(a_clock_that_is_ahead_makes_it_due_sooner),
    UNIT(before_its_time_it_is_not_gone), UNIT(it_may_be_gone_by_a_clock_that_is_ahead),
    UNIT(it_may_be_gone_by_another_revalidation_or_an_earlier_due_time),
    UNIT(nothing_is_gone_without_a_reason), UNIT(a_wipe_excuses_nothing_that_is_behind_the_clocks),
    UNIT(an_epoch_ahead_of_a_clock_is_excused_after_a_wipe_and_counted),
    UNIT(the_counter_begins_anew_at_the_time_of_a_call_that_was_under_way),
    UNIT(a_rolled_back_revalidation_is_lost_and_its_neighbours_are_not), UNIT(a_violation_is_told_in_words),
    UNIT(the_earliest_violations_are_kept), UNIT(a_history_that_makes_no_sense_is_refused))
