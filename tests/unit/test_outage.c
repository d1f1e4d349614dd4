/* on-outage=serve: what is answered while marks cannot be read, what is not, and what becomes of what is
 * rendered meanwhile. */
#include <string.h>

#include "store_with_memory.h"

static void open_serving(void) {
    memory_setting = "1MB";
    on_outage_setting = "serve";
    open_store();
}

static struct larder_stats stats_now(void) {
    struct larder_stats stats;
    larder_stats(store, &stats);
    return stats;
}

static void fail_marks(int32_t status) {
    struct larder_op *op = held_take(LARDER_OP_TAGS_READ);
    CU_ASSERT_FATAL(op != NULL);
    answer_status(op, status);
    settle(reactor);
}

/* What is asked besides: entry and epoch. */
static void fail_others(void) {
    struct larder_op *op;
    while ((op = held_take(LARDER_OP_GET)) != NULL || (op = held_take(LARDER_OP_ADVANCE)) != NULL)
        answer_status(op, LARDER_RETRY);
    settle(reactor);
}

/* A get while the tag store is down; the entry store as well. */
static struct seen get_in_outage(const char *key, uint32_t flags) {
    struct seen seen = {0};
    submit(&seen, get_of(key, flags));
    settle(reactor);
    fail_marks(LARDER_RETRY);
    fail_others();
    CU_ASSERT_FATAL(seen.times == 1);
    CU_ASSERT(held_count(0) == 0);
    return seen;
}

static void expect_served(const char *key, int64_t epoch) {
    uint64_t served = stats_now().outage_served;
    struct seen seen = get_in_outage(key, LARDER_F_RENDER);
    CU_ASSERT_FATAL(seen.answer->status == LARDER_OK);
    CU_ASSERT(seen.answer->verdict == LARDER_RENEWING);
    CU_ASSERT(seen.answer->entry->epoch == epoch);
    CU_ASSERT(seen.answer->trusted_until_ns == 0);
    CU_ASSERT(stats_now().outage_served == served + 1);
    forget(&seen);
}

static void expect_refused(const char *key) {
    uint64_t served = stats_now().outage_served;
    struct seen seen = get_in_outage(key, LARDER_F_RENDER);
    CU_ASSERT(seen.answer->status == LARDER_RETRY);
    CU_ASSERT(stats_now().outage_served == served);
    forget(&seen);
}

static void put_in(const struct larder_entry *entry) {
    struct seen seen = {0};
    submit(&seen, put_of(entry, 0));
    settle(reactor);
    finish_put(&seen);
}

static void revalidate(uint32_t mode, uint32_t flags, int64_t epoch) {
    struct seen seen = {0};
    struct larder_bytes tag = BYTES("t");
    struct larder_request request = {.code = LARDER_DO_REVALIDATE,
                                     .tags = &tag,
                                     .n_tags = 1,
                                     .mode = mode,
                                     .flags = flags,
                                     .expire_in_ms = LARDER_UNSET};
    submit(&seen, request);
    settle(reactor);
    struct larder_op *op = held_take(LARDER_OP_BUMP);
    CU_ASSERT_FATAL(op != NULL);
    if (epoch > 0)
        answer_epoch(op, epoch);
    else
        answer_status(op, LARDER_RETRY);
    settle(reactor);
    CU_ASSERT(seen.times == 1);
    forget(&seen);
}

/* ---- what is served -------------------------------------------------------------------- */

static void by_default_marks_that_cannot_be_read_are_an_error(void) {
    memory_setting = "1MB";
    on_outage_setting = "miss";
    open_store();
    read_in("k");
    expect_refused("k");
    close_store();
}

static unsigned n_works_again;

static void hear(void *arg, int32_t level, const char *line) {
    (void)arg;
    (void)level;
    n_works_again += strstr(line, "reading works again") != NULL;
}

static void what_is_served_does_not_say_that_the_store_works_again(void) {
    open_serving();
    larder_set_log(hear, NULL);
    n_works_again = 0;
    read_in("k");
    for (int i = 0; i < 3; i++) {
        expect_refused("unknown");
        expect_served("k", 12);
    }
    CU_ASSERT_EQUAL(n_works_again, 0);
    read_in("unknown");
    CU_ASSERT_EQUAL(n_works_again, 1);
    larder_set_log(NULL, NULL);
    close_store();
}

static void what_memory_has_is_served_and_not_to_be_rendered(void) {
    open_serving();
    read_in("k");
    expect_served("k", 12);
    expect_served("k", 12);
    close_store();
}

static void memory_may_be_of_any_age(void) {
    open_serving();
    read_in("k");
    pass_ms(reactor, 60000); /* memory-age is 5 s */
    expect_served("k", 12);
    close_store();
}

static void an_entry_that_the_store_still_gives_is_served(void) {
    struct seen seen = {0};
    open_serving();
    read_in("k");
    submit(&seen, get_of("other", 0));
    settle(reactor);
    fail_marks(LARDER_DENIED); /* refused credentials are no better than silence */
    CU_ASSERT(seen.times == 0);
    answer_get(frame_of("other", 14, "t"), 14);
    CU_ASSERT_FATAL(seen.times == 1 && seen.answer->status == LARDER_OK);
    CU_ASSERT(seen.answer->verdict == LARDER_RENEWING && seen.answer->entry->epoch == 14);
    forget(&seen);
    close_store();
}

static void what_is_due_or_stale_is_served_without_a_render(void) {
    open_serving();
    read_in("other"); /* marks could be read */
    struct larder_entry due = entry_of("due", 12, "hello");
    due.revalidate_ms = 2000;
    put_in(&due);
    pass_ms(reactor, 3000);
    expect_served("due", 12);
    revalidate(LARDER_MAKE_STALE, 0, 20);
    expect_served("due", 12);
    close_store();
}

static void with_mark_age_it_is_not_trusted(void) {
    memory_setting = "1MB";
    on_outage_setting = "serve";
    open_with("held", "mark-age", "1s");
    read_in("k");
    pass_ms(reactor, 1001);
    expect_served("k", 12);
    close_store();
}

/* P2: silence costs the deadline, and no more. */
static void where_the_store_is_silent_the_deadline_is_waited_for(void) {
    struct seen seen = {0};
    open_serving();
    read_in("k");
    pass_ms(reactor, 6000);
    submit(&seen, get_of("k", LARDER_F_RENDER | LARDER_F_OWN_BINARY));
    settle(reactor);
    pass_ms(reactor, 499);
    CU_ASSERT(seen.times == 0);
    pass_ms(reactor, 1);
    CU_ASSERT_FATAL(seen.times == 1 && seen.answer->status == LARDER_OK);
    CU_ASSERT(seen.answer->verdict == LARDER_RENEWING);
    CU_ASSERT(bytes_equal(seen.answer->entry->parts[0].data, BYTES("hello")));
    /* What comes after that changes nothing of the answer. */
    answer_get(frame_of("k", 30, "t"), 30);
    fail_marks(LARDER_DEADLINE);
    fail_others();
    CU_ASSERT(seen.times == 1 && seen.answer->entry->epoch == 12);
    forget(&seen);
    close_store();
}

static void marks_that_were_read_and_an_entry_that_is_late_are_no_outage(void) {
    struct seen seen = {0};
    open_serving();
    read_in("k");
    pass_ms(reactor, 6000);
    submit(&seen, get_of("k", 0));
    settle(reactor);
    answer_tag(LARDER_UNSET);
    pass_ms(reactor, 500);
    CU_ASSERT_FATAL(seen.times == 1 && seen.answer->status == LARDER_DEADLINE);
    forget(&seen);
    fail_others();
    close_store();
}

/* ---- what is not ------------------------------------------------------------------------- */

static void a_process_that_never_read_marks_serves_nothing(void) {
    open_serving();
    struct larder_entry entry = entry_of("k", 12, "hello");
    put_in(&entry);
    expect_refused("k");
    close_store();
}

static void after_outage_max_nothing_is_served(void) {
    open_serving();
    read_in("k");
    pass_ms(reactor, 600000);
    expect_served("k", 12);
    pass_ms(reactor, 1);
    expect_refused("k");
    close_store();
}

static void what_this_process_revalidated_is_not_served(void) {
    open_serving();
    read_in("k");
    revalidate(LARDER_EXPIRE, 0, 20);
    expect_refused("k");
    close_store();
}

static void nor_what_it_could_not_revalidate_yet(void) {
    open_serving();
    read_in("k");
    revalidate(LARDER_EXPIRE, LARDER_F_KEEP_TRYING, 0);
    expect_refused("k");
    close_store();
}

static void marks_that_were_read_before_still_count(void) {
    struct seen seen = {0};
    struct larder_bytes soft = BYTES("soft");
    struct larder_request request = get_of("k", 0);
    struct larder_mark marks[] = {ns_mark(), mark_of("ns/soft", 20)};
    request.tags = &soft;
    request.n_tags = 1;
    open_serving();
    read_in("k");
    submit(&seen, request);
    settle(reactor);
    answer_marks(held_take(LARDER_OP_TAGS_READ), marks, 2);
    settle(reactor);
    answer_status(held_take(LARDER_OP_GET), LARDER_MISS);
    settle(reactor);
    forget(&seen);
    read_in("k"); /* of epoch 12; and "soft" is only the request's */
    submit(&seen, request);
    settle(reactor);
    fail_marks(LARDER_RETRY);
    fail_others();
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_RETRY);
    forget(&seen);
    expect_served("k", 12);
    close_store();
}

static void what_is_gone_in_memory_may_be_newer_in_the_store(void) {
    struct seen seen = {0};
    open_serving();
    read_in("k");
    revalidate(LARDER_EXPIRE, 0, 20);
    submit(&seen, get_of("k", 0));
    settle(reactor);
    fail_marks(LARDER_RETRY);
    CU_ASSERT(seen.times == 0);
    answer_get(frame_of("k", 25, "t"), 25);
    CU_ASSERT_FATAL(seen.times == 1 && seen.answer->status == LARDER_OK);
    CU_ASSERT(seen.answer->entry->epoch == 25);
    forget(&seen);
    close_store();
}

static void what_is_known_to_be_replaced_is_not_served_from_memory(void) {
    struct seen seen = {0};
    struct larder_mark marks[] = {ns_mark(), mark_of("ns/\1entry/shared/fetch/k", 40)};
    open_serving();
    read_in("k");
    submit(&seen, get_of("k", 0));
    settle(reactor);
    answer_marks(held_take(LARDER_OP_TAGS_READ), marks, 2);
    settle(reactor);
    answer_status(held_take(LARDER_OP_GET), LARDER_RETRY); /* so it stays in memory */
    settle(reactor);
    forget(&seen);
    expect_refused("k");
    close_store();
}

static void what_is_past_its_expire_is_not_served(void) {
    open_serving();
    read_in("other");
    struct larder_entry entry = entry_of("k", 12, "hello");
    entry.expire_ms = 4000;
    put_in(&entry);
    pass_ms(reactor, 3999);
    expect_served("k", 12);
    pass_ms(reactor, 1);
    expect_refused("k");
    close_store();
}

static void tools_are_told_the_truth(void) {
    struct seen seen = {0};
    open_serving();
    read_in("k");
    seen = get_in_outage("k", LARDER_F_ANY);
    CU_ASSERT(seen.answer->status == LARDER_RETRY);
    forget(&seen);
    struct larder_request check = {.code = LARDER_DO_CHECK, .epoch = 12};
    submit(&seen, check);
    settle(reactor);
    fail_marks(LARDER_RETRY);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_RETRY);
    forget(&seen);
    close_store();
}

/* ---- what is rendered meanwhile -------------------------------------------------------------- */

/* Leaves the store in an outage in which "k" was served; the epoch that is known is 12 or less. */
static void open_in_outage(void) {
    open_serving();
    read_in("k");
    expect_served("k", 12);
}

static void expect_unstored(const struct larder_entry *entry) {
    struct seen seen = {0};
    uint64_t unstored = stats_now().outage_unstored;
    submit(&seen, put_of(entry, 0));
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_MISS);
    CU_ASSERT(held_count(0) == 0 && stats_now().outage_unstored == unstored + 1);
    forget(&seen);
}

/* Renders a page that is not stored; answers its epoch. */
static int64_t render_in_outage(const char *key) {
    struct larder_entry entry = entry_of(key, epoch_known(&store->epoch), "hello");
    expect_unstored(&entry);
    return entry.epoch;
}

/* P1: it may be built from "k", which another process may have revalidated: with an epoch that is known
 * here, and so smaller than the one that this rendering noted. */
static void a_rendering_that_may_be_built_from_it_is_not_stored(void) {
    open_in_outage();
    (void)render_in_outage("new");
    close_store();
}

static void but_it_is_served_while_the_outage_lasts(void) {
    struct seen seen = {0};
    open_in_outage();
    int64_t epoch = render_in_outage("new");
    pass_ms(reactor, 60000);
    submit(&seen, get_of("new", LARDER_F_RENDER)); /* the store, which has none, is not asked */
    settle(reactor);
    CU_ASSERT(held_count(LARDER_OP_GET) == 0);
    fail_marks(LARDER_RETRY);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_OK);
    forget(&seen);
    expect_served("new", epoch);
    expect_served("k", 12);
    submit(&seen, get_of("new", 0));
    settle(reactor);
    answer_tag(LARDER_UNSET);
    CU_ASSERT(seen.times == 0);
    answer_status(held_take(LARDER_OP_GET), LARDER_MISS);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_MISS);
    forget(&seen);
    close_store();
}

static void of_an_earlier_outage_nothing_is_served(void) {
    struct seen seen = {0};
    open_in_outage();
    (void)render_in_outage("new");
    submit(&seen, get_of("k", 0));
    settle(reactor);
    answer_tag(LARDER_UNSET);
    CU_ASSERT(seen.times == 1);
    forget(&seen);
    expect_served("k", 12); /* the next one */
    expect_refused("new");
    close_store();
}

static void nor_does_it_stand_in_the_way_of_what_the_store_has(void) {
    struct seen seen = {0};
    open_serving();
    read_in("k");
    epoch_learn(&store->epoch, 30, test_clock.ns);
    expect_served("k", 12);
    struct larder_entry entry = entry_of("new", 30, "hello");
    expect_unstored(&entry);
    submit(&seen, get_of("k", 0)); /* the outage is over */
    settle(reactor);
    answer_tag(LARDER_UNSET);
    forget(&seen);
    read_in("new"); /* of epoch 12 */
    submit(&seen, get_of("new", 0));
    settle(reactor);
    answer_tag(LARDER_UNSET);
    CU_ASSERT(held_count(LARDER_OP_GET) == 0);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_OK);
    forget(&seen);
    close_store();
}

/* P6: the first rendering after an outage is stored. */
static void after_the_outage_a_new_epoch_comes_before_the_first_render(void) {
    struct seen seen = {0};
    open_in_outage();
    int64_t known = epoch_known(&store->epoch);
    submit(&seen, get_of("new", LARDER_F_RENDER));
    settle(reactor);
    struct larder_op *op = held_take(LARDER_OP_ADVANCE);
    if (op != NULL) { /* sent while the outage was on: it may raise nothing */
        CU_ASSERT(op->add == 0);
        answer_epoch(op, known);
    }
    answer_tag(LARDER_UNSET);
    answer_status(held_take(LARDER_OP_GET), LARDER_MISS);
    settle(reactor);
    CU_ASSERT(seen.times == 0);
    op = held_take(LARDER_OP_ADVANCE);
    CU_ASSERT_FATAL(op != NULL && op->add == 1);
    answer_epoch(op, known + 1);
    settle(reactor);
    CU_ASSERT_FATAL(seen.times == 1 && seen.answer->status == LARDER_MISS);
    CU_ASSERT(seen.answer->epoch == known + 1);
    forget(&seen);
    struct larder_entry entry = entry_of("new", known + 1, "hello");
    put_in(&entry);
    close_store();
}

static void what_replaces_without_a_revalidation_removes_instead(void) {
    struct seen seen = {0};
    struct larder_entry entry;
    open_in_outage();
    entry = entry_of("k", epoch_known(&store->epoch), "new");
    submit(&seen, put_of(&entry, LARDER_F_TELL));
    settle(reactor);
    CU_ASSERT(held_count(LARDER_OP_PUT) == 0);
    struct larder_op *op = held_take(LARDER_OP_REMOVE);
    CU_ASSERT_FATAL(op != NULL);
    answer_status(op, LARDER_OK);
    settle(reactor);
    op = held_take(LARDER_OP_BUMP);
    CU_ASSERT_FATAL(op != NULL);
    CU_ASSERT(op->n_marks == 1 && bytes_equal(op->marks[0].tag, BYTES("ns/\1entry/shared/fetch/k")));
    answer_epoch(op, 40);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_OK);
    forget(&seen);
    close_store();
}

static void what_renews_fails_then_too(void) {
    struct seen seen = {0};
    struct larder_entry entry;
    open_in_outage();
    entry = entry_of("k", epoch_known(&store->epoch), "new");
    submit(&seen, put_of(&entry, LARDER_F_TELL | LARDER_F_RENEWS));
    settle(reactor);
    CU_ASSERT(held_count(LARDER_OP_PUT) == 0);
    answer_status(held_take(LARDER_OP_REMOVE), LARDER_OK);
    settle(reactor);
    answer_epoch(held_take(LARDER_OP_BUMP), 40);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_RETRY);
    forget(&seen);
    close_store();
}

/* ---- what is known of marks ------------------------------------------------------------------ */

/* The clock counts from the start of the machine. */
static void a_machine_that_has_just_started_has_read_no_marks_either(void) {
    struct outage outage;
    outage_init(&outage, 1000);
    CU_ASSERT(!outage_may_serve(&outage, 1000));
    outage_over(&outage, 500);
    CU_ASSERT(outage_may_serve(&outage, 1500) && !outage_may_serve(&outage, 1501));
    outage_done(&outage);
}

/* P5 */
static void marks_without_room_make_everything_older_gone(void) {
    struct outage outage;
    char name[24];
    outage_init(&outage, 1);
    for (int64_t i = 0; i <= MARK_MEMORY_TAGS; i++) {
        snprintf(name, sizeof(name), "t%lld", (long long)i);
        struct larder_mark mark = mark_of(name, 1000 + i);
        outage_learn(&outage, &mark, 1, 0);
    }
    int64_t lost = 1000 + MARK_MEMORY_TAGS - 1;
    CU_ASSERT(outage_verdict(&outage, BYTES("t0"), 999, 0) == LARDER_GONE);
    CU_ASSERT(outage_verdict(&outage, BYTES("t0"), lost - 1, 0) == LARDER_GONE);
    CU_ASSERT(outage_verdict(&outage, BYTES("t0"), lost, 0) == LARDER_FRESH);
    CU_ASSERT(outage_verdict(&outage, bytes_of(name), lost, 0) == LARDER_GONE);
    outage_done(&outage);
}

static void of_two_marks_of_a_tag_both_count(void) {
    struct outage outage;
    struct larder_mark stale = {BYTES("t"), LARDER_UNSET, 30, 500}, expired = mark_of("t", 20);
    outage_init(&outage, 1);
    outage_learn(&outage, &stale, 1, 100);
    outage_learn(&outage, &expired, 1, 100);
    CU_ASSERT(outage_verdict(&outage, BYTES("t"), 19, 100) == LARDER_GONE);
    CU_ASSERT(outage_verdict(&outage, BYTES("t"), 20, 100) == LARDER_STALE);
    CU_ASSERT(outage_verdict(&outage, BYTES("t"), 20, 500) == LARDER_GONE);
    CU_ASSERT(outage_verdict(&outage, BYTES("t"), 30, 500) == LARDER_FRESH);
    outage_done(&outage);
}

int main(void) {
    static const struct unit_test tests[] = {
        UNIT(by_default_marks_that_cannot_be_read_are_an_error),
        UNIT(what_is_served_does_not_say_that_the_store_works_again),
        UNIT(what_memory_has_is_served_and_not_to_be_rendered),
        UNIT(memory_may_be_of_any_age),
        UNIT(an_entry_that_the_store_still_gives_is_served),
        UNIT(what_is_due_or_stale_is_served_without_a_render),
        UNIT(with_mark_age_it_is_not_trusted),
        UNIT(where_the_store_is_silent_the_deadline_is_waited_for),
        UNIT(marks_that_were_read_and_an_entry_that_is_late_are_no_outage),
        UNIT(a_process_that_never_read_marks_serves_nothing),
        UNIT(after_outage_max_nothing_is_served),
        UNIT(what_this_process_revalidated_is_not_served),
        UNIT(nor_what_it_could_not_revalidate_yet),
        UNIT(marks_that_were_read_before_still_count),
        UNIT(what_is_gone_in_memory_may_be_newer_in_the_store),
        UNIT(what_is_known_to_be_replaced_is_not_served_from_memory),
        UNIT(what_is_past_its_expire_is_not_served),
        UNIT(tools_are_told_the_truth),
        UNIT(a_rendering_that_may_be_built_from_it_is_not_stored),
        UNIT(but_it_is_served_while_the_outage_lasts),
        UNIT(of_an_earlier_outage_nothing_is_served),
        UNIT(nor_does_it_stand_in_the_way_of_what_the_store_has),
        UNIT(after_the_outage_a_new_epoch_comes_before_the_first_render),
        UNIT(what_replaces_without_a_revalidation_removes_instead),
        UNIT(what_renews_fails_then_too),
        UNIT(a_machine_that_has_just_started_has_read_no_marks_either),
        UNIT(marks_without_room_make_everything_older_gone),
        UNIT(of_two_marks_of_a_tag_both_count)};
    return store_main("outage", tests, N_ELEMENTS(tests));
}
