/* One render over many processes: who renders, who serves what is old, who waits. */
#include "marks.h"
#include "store_over_held.h"

static void open_claiming(void) {
    open_with("held", "claim", "10s");
}

static void answer_marks_read(int64_t expired) {
    struct larder_mark marks[] = {mark_of("ns/", namespace_mark.expired_epoch), mark_of("ns/t", expired)};
    while (held_count(LARDER_OP_TAGS_READ) > 0) {
        answer_marks(held_take(LARDER_OP_TAGS_READ), marks, expired == LARDER_UNSET ? 1 : 2);
        settle(reactor);
    }
}

static void answer_get(struct larder_slice value) {
    struct larder_op *op = held_take(LARDER_OP_GET);
    CU_ASSERT_FATAL(op != NULL);
    if (value.len > 0)
        answer_value(op, value, 12);
    else
        answer_status(op, LARDER_MISS);
    settle(reactor);
}

/* A get up to the question for a claim; expired: of the mark of the entry's tag. */
static struct larder_op *ask(struct seen *seen, struct larder_slice value, int64_t expired) {
    submit(seen, get_of("k", LARDER_F_RENDER));
    settle(reactor);
    answer_get(value);
    answer_marks_read(expired);
    if (held_count(LARDER_OP_ADVANCE) > 0)
        answer_epoch(held_take(LARDER_OP_ADVANCE), 30);
    settle(reactor);
    answer_marks_read(expired);
    return held_take(LARDER_OP_CLAIM);
}

static struct larder_slice nothing(void) {
    return (struct larder_slice){0};
}

static void put_entry(int64_t epoch) {
    struct seen seen = {0};
    struct larder_part part = {.name = BYTES("body"), .data = BYTES("new"), .encoding = LARDER_BINARY};
    struct larder_entry entry = {.kind = LARDER_FETCH,
                                 .n_parts = 1,
                                 .key = BYTES("k"),
                                 .epoch = epoch,
                                 .revalidate_ms = LARDER_UNSET,
                                 .expire_ms = LARDER_UNSET,
                                 .parts = &part};
    submit(&seen, (struct larder_request){.code = LARDER_DO_PUT, .entry = &entry});
    settle(reactor);
    CU_ASSERT(held_count(LARDER_OP_RELEASE) == 0);
    answer_status(held_take(LARDER_OP_PUT), LARDER_OK);
    settle(reactor);
    CU_ASSERT(seen.times == 1);
    forget(&seen);
}

static void who_finds_nothing_claims_the_render_and_gives_it_back_with_the_put(void) {
    struct seen seen = {0};
    open_claiming();
    struct larder_op *claim = ask(&seen, nothing(), LARDER_UNSET);
    CU_ASSERT_FATAL(claim != NULL);
    CU_ASSERT(bytes_equal(claim->key, BYTES("ns/shared/fetch/k")));
    CU_ASSERT(claim->ttl_ms == 10000 && claim->value.len == CLAIM_OWNER);
    CU_ASSERT(seen.times == 0);
    answer_status(claim, LARDER_OK);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_MISS && seen.answer->epoch == 30);
    forget(&seen);
    put_entry(30);
    struct larder_op *release = held_take(LARDER_OP_RELEASE);
    CU_ASSERT_FATAL(release != NULL);
    CU_ASSERT(bytes_equal(release->key, BYTES("ns/shared/fetch/k")) && release->value.len == CLAIM_OWNER);
    answer_status(release, LARDER_OK);
    settle(reactor);
    put_entry(30);
    CU_ASSERT(held_count(LARDER_OP_RELEASE) == 0); /* it is not ours any more */
    close_store();
}

static void while_another_renders_what_is_stale_is_served_as_such(void) {
    struct seen seen = {0};
    struct larder_mark stale = {BYTES("ns/t"), LARDER_UNSET, 20, LARDER_UNSET},
                       marks[] = {mark_of("ns/", namespace_mark.expired_epoch), stale};
    open_claiming();
    submit(&seen, get_of("k", LARDER_F_RENDER));
    settle(reactor);
    answer_get(frame_of("k", 12, "t"));
    answer_epoch(held_take(LARDER_OP_ADVANCE), 30);
    settle(reactor);
    while (held_count(LARDER_OP_TAGS_READ) > 0) {
        answer_marks(held_take(LARDER_OP_TAGS_READ), marks, 2);
        settle(reactor);
    }
    struct larder_op *claim = held_take(LARDER_OP_CLAIM);
    CU_ASSERT_FATAL(claim != NULL);
    answer_status(claim, LARDER_MISS);
    settle(reactor);
    CU_ASSERT_FATAL(seen.times == 1);
    CU_ASSERT(seen.answer->status == LARDER_OK && seen.answer->verdict == LARDER_RENEWING);
    forget(&seen);
    close_store();
}

static void who_has_nothing_to_serve_waits_for_the_other(void) {
    struct seen seen = {0};
    open_claiming();
    answer_status(ask(&seen, nothing(), LARDER_UNSET), LARDER_MISS);
    settle(reactor);
    pass_ms(reactor, 20);
    CU_ASSERT(seen.times == 0);
    answer_get(nothing());
    answer_status(held_take(LARDER_OP_CLAIM), LARDER_MISS);
    settle(reactor);
    pass_ms(reactor, 600); /* longer than a get may take */
    CU_ASSERT(seen.times == 0);
    answer_get(frame_of("k", 30, NULL));
    CU_ASSERT_FATAL(seen.times == 1);
    CU_ASSERT(seen.answer->status == LARDER_OK && seen.answer->verdict == LARDER_FRESH);
    forget(&seen);
    CU_ASSERT(held_count(0) == 0);
    close_store();
}

/* P1 */
static void what_is_gone_is_not_served_while_another_renders(void) {
    struct seen seen = {0};
    open_claiming();
    answer_status(ask(&seen, frame_of("k", 12, "t"), 20), LARDER_MISS);
    settle(reactor);
    CU_ASSERT(seen.times == 0);
    pass_ms(reactor, 20);
    answer_get(frame_of("k", 12, "t"));
    answer_marks_read(20);
    answer_status(held_take(LARDER_OP_CLAIM), LARDER_MISS);
    settle(reactor);
    CU_ASSERT(seen.times == 0);
    pass_ms(reactor, 40);
    answer_get(frame_of("k", 25, "t"));
    answer_marks_read(20);
    CU_ASSERT_FATAL(seen.times == 1);
    CU_ASSERT(seen.answer->status == LARDER_OK && seen.answer->entry->epoch == 25);
    forget(&seen);
    close_store();
}

/* P2 */
static void nobody_waits_longer_than_claim_wait(void) {
    struct seen seen = {0};
    int64_t began_ms;
    open_claiming();
    answer_status(ask(&seen, nothing(), LARDER_UNSET), LARDER_MISS);
    began_ms = test_clock.ms;
    for (int i = 0; i < 1000 && seen.times == 0; i++) {
        pass_ms(reactor, 5);
        if (held_count(LARDER_OP_GET) > 0)
            answer_get(nothing());
        if (held_count(LARDER_OP_CLAIM) > 0)
            answer_status(held_take(LARDER_OP_CLAIM), LARDER_MISS);
        settle(reactor);
    }
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_MISS);
    CU_ASSERT(test_clock.ms - began_ms >= 2000 && test_clock.ms - began_ms < 2100);
    forget(&seen);
    close_store();
}

static void a_claim_that_became_free_is_taken_over(void) {
    struct seen seen = {0};
    open_claiming();
    answer_status(ask(&seen, nothing(), LARDER_UNSET), LARDER_MISS);
    settle(reactor);
    pass_ms(reactor, 20);
    answer_get(nothing());
    answer_status(held_take(LARDER_OP_CLAIM), LARDER_OK);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_MISS);
    forget(&seen);
    close_store();
}

/* P2 */
static void a_store_that_fails_or_hangs_while_somebody_waits_ends_the_wait(void) {
    struct seen seen = {0};
    open_claiming();
    answer_status(ask(&seen, nothing(), LARDER_UNSET), LARDER_RETRY);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_MISS); /* each renders for itself */
    forget(&seen);
    answer_status(ask(&seen, nothing(), LARDER_UNSET), LARDER_MISS);
    settle(reactor);
    pass_ms(reactor, 20);
    struct larder_op *stuck = held_take(LARDER_OP_GET);
    CU_ASSERT_FATAL(stuck != NULL);
    pass_ms(reactor, 2500);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_DEADLINE);
    forget(&seen);
    answer_status(stuck, LARDER_MISS);
    settle(reactor);
    close_store();
}

static void closing_ends_the_wait_in_time(void) {
    struct seen seen = {0};
    open_claiming();
    answer_status(ask(&seen, nothing(), LARDER_UNSET), LARDER_MISS);
    settle(reactor);
    bool closed = false;
    store_close_begin(store, note_closed, &closed);
    for (int i = 0; i < 1000 && !closed; i++) {
        pass_ms(reactor, 10);
        if (held_count(LARDER_OP_GET) > 0)
            answer_get(nothing());
        if (held_count(LARDER_OP_CLAIM) > 0)
            answer_status(held_take(LARDER_OP_CLAIM), LARDER_MISS);
        settle(reactor);
    }
    CU_ASSERT(closed && seen.times == 1);
    forget(&seen);
    reactor_free(reactor);
    backend_host_clock(NULL);
    CU_ASSERT(buf_live() == bufs_before);
    held_info = (struct held_info){0};
}

static void fresh_entries_and_tools_claim_nothing(void) {
    struct seen seen = {0};
    open_claiming();
    submit(&seen, get_of("k", LARDER_F_RENDER));
    settle(reactor);
    answer_get(frame_of("k", 12, NULL));
    answer_marks_read(LARDER_UNSET);
    answer_epoch(held_take(LARDER_OP_ADVANCE), 30);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && held_count(LARDER_OP_CLAIM) == 0);
    forget(&seen);
    submit(&seen, get_of("other", 0));
    settle(reactor);
    answer_get(nothing());
    answer_marks_read(LARDER_UNSET);
    CU_ASSERT(seen.times == 1 && held_count(LARDER_OP_CLAIM) == 0);
    forget(&seen);
    close_store();
}

static void without_the_setting_nobody_claims(void) {
    struct seen seen = {0};
    open_store();
    CU_ASSERT(ask(&seen, nothing(), LARDER_UNSET) == NULL);
    CU_ASSERT(seen.times == 1);
    forget(&seen);
    close_store();
}

int main(void) {
    static const struct unit_test tests[] = {
        UNIT(who_finds_nothing_claims_the_render_and_gives_it_back_with_the_put),
        UNIT(while_another_renders_what_is_stale_is_served_as_such),
        UNIT(who_has_nothing_to_serve_waits_for_the_other),
        UNIT(what_is_gone_is_not_served_while_another_renders),
        UNIT(nobody_waits_longer_than_claim_wait),
        UNIT(a_claim_that_became_free_is_taken_over),
        UNIT(a_store_that_fails_or_hangs_while_somebody_waits_ends_the_wait),
        UNIT(closing_ends_the_wait_in_time),
        UNIT(fresh_entries_and_tools_claim_nothing),
        UNIT(without_the_setting_nobody_claims)};
    return store_main("claim", tests, N_ELEMENTS(tests));
}
