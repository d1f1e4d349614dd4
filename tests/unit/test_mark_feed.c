/* Marks that a driver hears of without asking: what they outdate, at once, and what they must not do. */
#include <pthread.h>

#define FAILING_ALLOC_HERE
#include "failing_alloc.h"
#include "mark_feed.h"
#include "store_with_memory.h"

static void open_trusting(void) {
    memory_setting = "1MB";
    open_with("held", "mark-age", "1s");
}

static struct larder_request check_of(int64_t epoch) {
    static struct larder_bytes tag;
    tag = BYTES("t");
    return (struct larder_request){.code = LARDER_DO_CHECK, .tags = &tag, .n_tags = 1, .epoch = epoch};
}

/* What is said with nothing but what this process remembers; 0: the store was asked. */
static uint32_t verdict_at_once(int64_t epoch) {
    struct seen seen = {0};
    submit(&seen, check_of(epoch));
    settle(reactor);
    uint32_t verdict = seen.times == 1 ? seen.answer->verdict : 0;
    while (held_count(LARDER_OP_TAGS_READ) > 0)
        answer_tag(LARDER_UNSET);
    CU_ASSERT(seen.times == 1);
    forget(&seen);
    return verdict;
}

static void hear(const char *tag, int64_t expired) {
    held_hear(mark_of(tag, expired));
    settle(reactor);
}

static double changes(void) {
    return *larder_changes_cell(store);
}

/* ---- what is remembered ------------------------------------------------------------------- */

static void a_mark_that_is_heard_of_outdates_what_is_trusted_at_once(void) {
    open_trusting();
    CU_ASSERT(verdict_at_once(12) == 0);
    CU_ASSERT(verdict_at_once(12) == LARDER_FRESH);
    hear("ns/t", 13);
    CU_ASSERT(verdict_at_once(12) == LARDER_GONE);
    CU_ASSERT(verdict_at_once(13) == LARDER_FRESH);
    close_store();
}

static void that_of_the_namespace_outdates_everything(void) {
    open_trusting();
    verdict_at_once(12);
    hear("ns/", 13);
    CU_ASSERT(verdict_at_once(12) == LARDER_GONE);
    close_store();
}

static void an_entry_in_memory_is_not_answered_with(void) {
    struct seen seen = {0};
    open_trusting();
    read_in("k");
    hear("ns/t", 13);
    submit(&seen, get_of("k", 0));
    settle(reactor);
    CU_ASSERT(seen.times == 0); /* another may have rendered it: the store is asked */
    answer_get(frame_of("k", 12, "t"), 12);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_MISS && seen.answer->verdict == LARDER_GONE);
    forget(&seen);
    close_store();
}

static void nothing_is_trusted_for_longer_by_it(void) {
    open_trusting();
    verdict_at_once(12);
    pass_ms(reactor, 900);
    hear("ns/t", 13);
    pass_ms(reactor, 101);
    CU_ASSERT(verdict_at_once(12) == 0);
    close_store();
}

static void a_tag_that_is_not_remembered_is_not_trusted_by_what_was_heard(void) {
    open_trusting();
    struct seen seen = {0}; /* of another tag: the driver is open */
    submit(&seen, (struct larder_request){.code = LARDER_DO_CHECK, .epoch = 12});
    settle(reactor);
    answer_tag(LARDER_UNSET);
    forget(&seen);
    hear("ns/t", 13);
    CU_ASSERT(verdict_at_once(14) == 0);
    close_store();
}

static void an_old_mark_that_comes_late_makes_nothing_fresher(void) {
    open_trusting();
    verdict_at_once(12);
    hear("ns/t", 20);
    hear("ns/t", 13);
    CU_ASSERT(verdict_at_once(19) == LARDER_GONE);
    close_store();
}

static void what_makes_stale_is_merged_by_the_rule(void) {
    open_trusting();
    verdict_at_once(12);
    held_hear((struct larder_mark){bytes_of("ns/t"), LARDER_UNSET, 13, test_clock.ms + 500});
    settle(reactor);
    CU_ASSERT(verdict_at_once(12) == LARDER_STALE);
    pass_ms(reactor, 500);
    CU_ASSERT(verdict_at_once(12) == LARDER_GONE);
    close_store();
}

static void a_read_that_is_under_way_is_not_remembered(void) {
    struct seen seen = {0};
    open_trusting();
    submit(&seen, check_of(12));
    settle(reactor);
    hear("ns/t", 13);
    answer_tag(LARDER_UNSET); /* it was sent before */
    CU_ASSERT(seen.times == 1);
    forget(&seen);
    CU_ASSERT(verdict_at_once(12) == 0);
    close_store();
}

static void marks_of_other_namespaces_are_none_of_this_stores(void) {
    open_trusting();
    verdict_at_once(12);
    double before = changes();
    hear("other/t", 13);
    hear("nst", 13);
    hear("", 13);
    CU_ASSERT(verdict_at_once(12) == LARDER_FRESH);
    CU_ASSERT(changes() == before);
    close_store();
}

/* ---- what JavaScript keeps, and the epoch ----------------------------------------------------- */

static void javascript_is_told_that_what_it_keeps_is_outdated(void) {
    open_trusting();
    verdict_at_once(12);
    double before = changes();
    hear("ns/t", 13);
    CU_ASSERT(changes() > before);
    close_store();
}

/* P1: it may be heard of before a read would see it; what is rendered then must not be newer. */
static void its_epoch_is_not_known_by_it(void) {
    open_store();
    verdict_at_once(12);
    hear("ns/t", 5000);
    CU_ASSERT(larder_epoch_known(store) == 10);
    close_store();
}

/* P6: what is rendered next would be gone again. */
static void the_counter_is_asked_before_the_next_rendering(void) {
    struct seen seen = {0};
    open_store();
    for (int i = 0; i < 3; i++) {
        submit(&seen, get_of("k", LARDER_F_RENDER));
        settle(reactor);
        CU_ASSERT(held_count(LARDER_OP_ADVANCE) == (i == 1 ? 0 : 1)); /* heard of lately, or outdated */
        struct larder_op *op = held_take(LARDER_OP_ADVANCE);
        if (op != NULL)
            answer_epoch(op, i == 0 ? 12 : 13);
        answer_status(held_take(LARDER_OP_GET), LARDER_MISS);
        answer_namespace(held_take(LARDER_OP_TAGS_READ));
        settle(reactor);
        CU_ASSERT(seen.times == 1 && seen.answer->epoch == (i == 2 ? 13 : 12));
        forget(&seen);
        if (i == 1)
            hear("ns/t", 13);
    }
    close_store();
}

static void in_an_outage_what_was_heard_of_is_not_served(void) {
    struct seen seen = {0};
    memory_setting = "1MB";
    on_outage_setting = "serve";
    open_store();
    read_in("k");
    hear("ns/t", 13);
    submit(&seen, get_of("k", 0));
    settle(reactor);
    answer_status(held_take(LARDER_OP_TAGS_READ), LARDER_RETRY);
    settle(reactor);
    if (held_count(LARDER_OP_GET) > 0)
        answer_get(frame_of("k", 12, "t"), 12);
    CU_ASSERT(seen.times == 1 && seen.answer->entry == NULL);
    forget(&seen);
    close_store();
    on_outage_setting = "miss";
}

/* ---- very many, and threads --------------------------------------------------------------------- */

static void whoever_has_missed_some_trusts_nothing(void) {
    open_trusting();
    verdict_at_once(12);
    CU_ASSERT(verdict_at_once(12) == LARDER_FRESH);
    double before = changes();
    for (int i = 0; i <= MARK_FEED_ROOM; i++)
        held_hear(mark_of("ns/other", 13));
    settle(reactor);
    CU_ASSERT(changes() > before);
    CU_ASSERT(verdict_at_once(12) == 0);
    close_store();
}

static void without_memory_nothing_is_trusted_either(void) {
    open_trusting();
    verdict_at_once(12);
    alloc_countdown = 1;
    held_hear(mark_of("ns/t", 13));
    CU_ASSERT(alloc_failures == 1 && alloc_countdown == 0);
    settle(reactor);
    CU_ASSERT(verdict_at_once(12) == 0);
    close_store();
}

enum { HEARERS = 4, HEARD_BY_EACH = 500 };

static void *hear_many(void *arg) {
    for (int64_t i = 1; i <= HEARD_BY_EACH; i++)
        held_hear(mark_of(arg != NULL ? "ns/t" : "ns/other", i));
    return NULL;
}

static void any_thread_may_tell(void) {
    pthread_t threads[HEARERS];
    open_trusting();
    verdict_at_once(12);
    for (size_t i = 0; i < HEARERS; i++)
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, hear_many, i % 2 ? store : NULL) == 0);
    for (int i = 0; i < 100; i++)
        settle(reactor);
    for (size_t i = 0; i < HEARERS; i++)
        pthread_join(threads[i], NULL);
    settle(reactor);
    CU_ASSERT(verdict_at_once(HEARD_BY_EACH - 1) == LARDER_GONE);
    close_store();
}

/* The driver's thread ends when it is closed, not when the store begins to. */
static void what_is_told_while_the_store_closes_is_dropped(void) {
    bool closed = false;
    open_trusting();
    verdict_at_once(12);
    store_close_begin(store, note_closed, &closed);
    held_hear(mark_of("ns/t", 13));
    settle(reactor);
    for (int i = 0; i < 100 && !closed; i++)
        pass_ms(reactor, 5);
    CU_ASSERT(closed);
    reactor_free(reactor);
    backend_host_clock(NULL);
    held_info = (struct held_info){0};
}

int main(void) {
    static const struct unit_test tests[] = {
        UNIT(a_mark_that_is_heard_of_outdates_what_is_trusted_at_once),
        UNIT(that_of_the_namespace_outdates_everything),
        UNIT(an_entry_in_memory_is_not_answered_with),
        UNIT(nothing_is_trusted_for_longer_by_it),
        UNIT(a_tag_that_is_not_remembered_is_not_trusted_by_what_was_heard),
        UNIT(an_old_mark_that_comes_late_makes_nothing_fresher),
        UNIT(what_makes_stale_is_merged_by_the_rule),
        UNIT(a_read_that_is_under_way_is_not_remembered),
        UNIT(marks_of_other_namespaces_are_none_of_this_stores),
        UNIT(javascript_is_told_that_what_it_keeps_is_outdated),
        UNIT(its_epoch_is_not_known_by_it),
        UNIT(the_counter_is_asked_before_the_next_rendering),
        UNIT(in_an_outage_what_was_heard_of_is_not_served),
        UNIT(whoever_has_missed_some_trusts_nothing),
        UNIT(without_memory_nothing_is_trusted_either),
        UNIT(any_thread_may_tell),
        UNIT(what_is_told_while_the_store_closes_is_dropped),
    };
    return store_main("marks that are heard of", tests, N_ELEMENTS(tests));
}
