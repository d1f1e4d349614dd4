/* What the store sends, when, and what it makes of the answers: over a driver that holds every
 * op until the test answers it, under a clock of the test's own. */
#include "log.h"
#include "marks.h"
#include "store_over_held.h"

/* ---- get ----------------------------------------------------------------------- */

static void a_get_asks_for_entry_marks_and_epoch_at_once(void) {
    struct seen seen = {0};
    open_store();
    submit(&seen, get_of("k", LARDER_F_RENDER));
    settle(reactor);
    struct larder_op *get = held_take(LARDER_OP_GET), *marks = held_take(LARDER_OP_TAGS_READ),
                     *epoch = held_take(LARDER_OP_ADVANCE);
    CU_ASSERT_FATAL(get != NULL && marks != NULL && epoch != NULL);
    CU_ASSERT(bytes_equal(get->key, BYTES("ns/shared/fetch/k")));
    CU_ASSERT(marks->n_marks == 1 && bytes_equal(marks->marks[0].tag, BYTES("ns/")));
    CU_ASSERT(bytes_equal(epoch->key, BYTES("ns/epoch")) && epoch->add == 0);

    answer_status(get, LARDER_MISS);
    answer_namespace(marks);
    settle(reactor);
    CU_ASSERT(seen.times == 0); /* P1: a render must know the epoch */
    answer_epoch(epoch, 77);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_MISS && seen.answer->epoch == 77);
    CU_ASSERT(*larder_epoch_cell(store) == 77);
    forget(&seen);
    close_store();
}

static void a_process_that_heard_of_the_epoch_lately_does_not_ask(void) {
    struct seen seen = {0};
    open_store();
    for (int round = 0; round < 3; round++) {
        submit(&seen, get_of("k", LARDER_F_RENDER));
        settle(reactor);
        answer_status(held_take(LARDER_OP_GET), LARDER_MISS);
        answer_namespace(held_take(LARDER_OP_TAGS_READ));
        struct larder_op *epoch = held_take(LARDER_OP_ADVANCE);
        CU_ASSERT((epoch != NULL) == (round != 1));
        if (epoch != NULL)
            answer_epoch(epoch, 77);
        settle(reactor);
        CU_ASSERT(seen.times == 1);
        forget(&seen);
        pass_ms(reactor, round == 0 ? 900 : 200); /* epoch-age is 1 s */
    }
    close_store();
}

static void a_get_that_no_render_follows_asks_for_no_epoch(void) {
    struct seen seen = {0};
    open_store();
    submit(&seen, get_of("k", 0));
    settle(reactor);
    CU_ASSERT(held_count(LARDER_OP_ADVANCE) == 0);
    answer_status(held_take(LARDER_OP_GET), LARDER_MISS);
    answer_namespace(held_take(LARDER_OP_TAGS_READ));
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_MISS);
    forget(&seen);
    close_store();
}

static void a_fresh_entry_is_given_whole(void) {
    struct seen seen = {0};
    open_store();
    submit(&seen, get_of("k", 0));
    settle(reactor);
    answer_value(held_take(LARDER_OP_GET), frame_of("k", 12, NULL), 12);
    answer_namespace(held_take(LARDER_OP_TAGS_READ));
    settle(reactor);
    CU_ASSERT_FATAL(seen.times == 1 && seen.answer->status == LARDER_OK);
    CU_ASSERT(seen.answer->verdict == LARDER_FRESH);
    CU_ASSERT(bytes_equal(seen.answer->entry->parts[0].data, BYTES("hello")));
    CU_ASSERT(seen.answer->entry->epoch == 12 && seen.answer->entry->modified_ms == 5);
    forget(&seen);
    close_store();
}

static void an_absent_namespace_mark_is_made_and_outdates_everything(void) {
    struct seen seen = {0};
    open_store();
    submit(&seen, get_of("k", 0));
    settle(reactor);
    answer_value(held_take(LARDER_OP_GET), frame_of("k", 12, NULL), 12);
    answer_status(held_take(LARDER_OP_TAGS_READ), LARDER_OK); /* no marks at all: wiped */
    settle(reactor);
    struct larder_op *advance = held_take(LARDER_OP_ADVANCE);
    CU_ASSERT_FATAL(advance != NULL && advance->add == 1);
    answer_epoch(advance, 90);
    settle(reactor);
    struct larder_op *write = held_take(LARDER_OP_TAGS_WRITE);
    CU_ASSERT_FATAL(write != NULL && (write->flags & LARDER_IF_ABSENT));
    CU_ASSERT(write->marks[0].expired_epoch == 90 && bytes_equal(write->marks[0].tag, BYTES("ns/")));
    answer_status(write, LARDER_MISS); /* another process was first */
    settle(reactor);
    struct larder_mark theirs = mark_of("ns/", 89);
    answer_marks(held_take(LARDER_OP_TAGS_READ), &theirs, 1);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_MISS && seen.answer->verdict == LARDER_GONE);
    forget(&seen);
    close_store();
}

static void a_store_that_keeps_no_namespace_mark_is_a_failure_not_a_loop(void) {
    struct seen seen = {0};
    open_store();
    submit(&seen, get_of("k", 0));
    settle(reactor);
    answer_status(held_take(LARDER_OP_GET), LARDER_MISS);
    unsigned rounds = 0;
    for (struct larder_op *op; rounds < 20 && (op = held_take(0)) != NULL; rounds++) {
        if (op->code == LARDER_OP_ADVANCE)
            answer_epoch(op, 90);
        else
            answer_status(op, LARDER_OK);
        settle(reactor);
    }
    CU_ASSERT(rounds < 20);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_RETRY);
    forget(&seen);
    close_store();
}

static void tags_that_only_the_entry_tells_of_are_read_after_it(void) {
    struct seen seen = {0};
    struct larder_mark marks[] = {mark_of("ns/", 10), mark_of("ns/t", 20)};
    open_store();
    for (int round = 0; round < 2; round++) {
        submit(&seen, get_of("k", 0));
        settle(reactor);
        answer_value(held_take(LARDER_OP_GET), frame_of("k", 12, "t"), 12);
        struct larder_op *read = held_take(LARDER_OP_TAGS_READ);
        CU_ASSERT_FATAL(read != NULL);
        CU_ASSERT(read->n_marks == (round == 0 ? 1 : 2)); /* the second time it is known */
        answer_marks(read, marks, 2);
        settle(reactor);
        if (round == 0) {
            CU_ASSERT(seen.times == 0);
            answer_marks(held_take(LARDER_OP_TAGS_READ), marks, 2);
            settle(reactor);
        }
        CU_ASSERT(seen.times == 1 && seen.answer->verdict == LARDER_GONE);
        CU_ASSERT(held_count(0) == 0);
        forget(&seen);
    }
    close_store();
}

/* The tag store is wiped between the two reads of marks of one get: what the first one said of
 * the namespace is older than what the second one says, which knows of no other mark any more. */
static void a_wipe_between_two_reads_of_marks_outdates_the_entry(void) {
    struct seen seen = {0};
    struct larder_mark before = mark_of("ns/", 10), after = mark_of("ns/", 50);
    open_store();
    submit(&seen, get_of("k", 0));
    settle(reactor);
    answer_value(held_take(LARDER_OP_GET), frame_of("k", 12, "t"), 12);
    answer_marks(held_take(LARDER_OP_TAGS_READ), &before, 1);
    settle(reactor);
    answer_marks(held_take(LARDER_OP_TAGS_READ), &after, 1);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->verdict == LARDER_GONE);
    forget(&seen);
    close_store();
}

static void a_wrong_guess_has_no_say(void) {
    struct seen seen = {0};
    struct larder_mark marks[] = {mark_of("ns/", 10), mark_of("ns/old", 20)};
    open_store();
    for (int round = 0; round < 2; round++) {
        submit(&seen, get_of("k", 0));
        settle(reactor);
        answer_value(held_take(LARDER_OP_GET), frame_of("k", 12, round == 0 ? "old" : NULL), 12);
        for (struct larder_op *op; (op = held_take(LARDER_OP_TAGS_READ)) != NULL; settle(reactor))
            answer_marks(op, marks, 2);
        settle(reactor);
        while (held_count(LARDER_OP_TAGS_READ) > 0) {
            answer_marks(held_take(LARDER_OP_TAGS_READ), marks, 2);
            settle(reactor);
        }
        CU_ASSERT_FATAL(seen.times == 1);
        CU_ASSERT(seen.answer->verdict == (round == 0 ? LARDER_GONE : LARDER_FRESH));
        forget(&seen);
    }
    close_store();
}

static void soft_tags_of_the_request_count(void) {
    struct seen seen = {0};
    struct larder_bytes soft[] = {BYTES("_N_T_/blog")};
    struct larder_mark marks[] = {mark_of("ns/", 10),
                                  {BYTES("ns/_N_T_/blog"), LARDER_UNSET, 13, 1700000050000}};
    struct larder_request request = get_of("k", 0);
    request.tags = soft;
    request.n_tags = 1;
    open_store();
    int64_t start_ms = test_clock.ms;
    marks[1].expire_at_ms = start_ms + 50000;
    for (int round = 0; round < 2; round++) {
        submit(&seen, request);
        settle(reactor);
        answer_value(held_take(LARDER_OP_GET), frame_of("k", 12, NULL), 12);
        answer_marks(held_take(LARDER_OP_TAGS_READ), marks, 2);
        settle(reactor);
        CU_ASSERT(seen.times == 1 && seen.answer->verdict == (round == 0 ? LARDER_STALE : LARDER_GONE));
        forget(&seen);
        pass_ms(reactor, 50000);
    }
    close_store();
}

static void marks_that_cannot_be_read_make_a_miss_of_an_error_class(void) {
    struct seen seen = {0};
    open_store();
    submit(&seen, get_of("k", 0));
    settle(reactor);
    answer_value(held_take(LARDER_OP_GET), frame_of("k", 12, NULL), 12);
    answer_status(held_take(LARDER_OP_TAGS_READ), LARDER_RETRY);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_RETRY && seen.answer->entry == NULL);
    CU_ASSERT_STRING_EQUAL(seen.answer->detail, "as the test said");
    forget(&seen);
    close_store();
}

static void what_cannot_be_verified_is_a_miss_and_counted(void) {
    struct seen seen = {0};
    struct larder_stats stats;
    open_store();
    submit(&seen, get_of("k", 0));
    settle(reactor);
    struct larder_slice bad;
    uint8_t *bytes = buf_new(40, &bad);
    memset(bytes, 'x', 40);
    answer_value(held_take(LARDER_OP_GET), bad, 12);
    answer_namespace(held_take(LARDER_OP_TAGS_READ));
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_MISS);
    larder_stats(store, &stats);
    CU_ASSERT(stats.corrupt == 1 && stats.misses == 1 && stats.gets == 1);
    forget(&seen);
    close_store();
}

/* The reactor's thread is not held by it: frame_is_slow() has a test of its own. */
static void a_large_text_is_transcoded_on_the_pool(void) {
    enum { N = 40000 };
    struct seen seen = {0};
    static uint16_t text[N];
    for (size_t i = 0; i < N; i++)
        text[i] = 0x6f22;
    struct larder_part part = {
        .name = BYTES("html"), .data = {(const uint8_t *)text, sizeof(text)}, .encoding = LARDER_UTF16};
    struct larder_entry entry = {
        .kind = LARDER_FETCH, .n_parts = 1, .key = BYTES("k"), .epoch = 12, .parts = &part};
    struct larder_slice value = {0};
    CU_ASSERT_FATAL(frame_encode(&entry, 1 << 20, &value) == LARDER_OK);
    open_store();
    for (int late = 0; late < 2; late++) {
        submit(&seen, get_of("k", LARDER_F_V8));
        settle(reactor);
        answer_namespace(held_take(LARDER_OP_TAGS_READ));
        if (late)
            pass_ms(reactor, 500);
        answer_value(held_take(LARDER_OP_GET), slice_ref(value), 12);
        settle(reactor);
        CU_ASSERT_FATAL(seen.times == 1 && seen.answer->status == (late ? LARDER_DEADLINE : LARDER_OK));
        CU_ASSERT(late || bytes_equal(seen.answer->entry->parts[0].data, part.data));
        forget(&seen);
    }
    close_store();
    slice_done(&value);
}

static void an_entry_of_another_key_is_a_miss(void) {
    struct seen seen = {0};
    open_store();
    submit(&seen, get_of("k", 0));
    settle(reactor);
    answer_value(held_take(LARDER_OP_GET), frame_of("other", 12, NULL), 12);
    answer_namespace(held_take(LARDER_OP_TAGS_READ));
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_MISS && seen.answer->entry == NULL);
    forget(&seen);
    close_store();
}

/* ---- joining -------------------------------------------------------------------------- */

static void gets_of_one_turn_share_a_read_of_marks_and_later_ones_do_not_join_it(void) {
    struct seen seen[3] = {{0}};
    open_store();
    submit(&seen[0], get_of("a", 0));
    submit(&seen[1], get_of("b", 0));
    settle(reactor);
    CU_ASSERT(held_count(LARDER_OP_TAGS_READ) == 1);
    submit(&seen[2], get_of("c", 0));
    settle(reactor);
    CU_ASSERT(held_count(LARDER_OP_TAGS_READ) == 2); /* P1: sent after this get began */
    while (held_count(LARDER_OP_GET) > 0)
        answer_status(held_take(LARDER_OP_GET), LARDER_MISS);
    while (held_count(LARDER_OP_TAGS_READ) > 0)
        answer_namespace(held_take(LARDER_OP_TAGS_READ));
    settle(reactor);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT(seen[i].times == 1);
        forget(&seen[i]);
    }
    close_store();
}

static void many_tags_are_read_in_chunks_of_the_stores_limit(void) {
    struct seen seen = {0};
    struct larder_bytes tags[250];
    char names[250][16];
    held_info.max_marks = 100;
    open_store();
    for (int i = 0; i < 250; i++) {
        snprintf(names[i], sizeof(names[i]), "t%d", i);
        tags[i] = bytes_of(names[i]);
    }
    struct larder_request request = {.code = LARDER_DO_CHECK, .tags = tags, .n_tags = 250, .epoch = 11};
    submit(&seen, request);
    settle(reactor);
    CU_ASSERT(held_count(LARDER_OP_TAGS_READ) == 3);
    struct larder_mark marks[] = {mark_of("ns/", 10), mark_of("ns/t249", 12)};
    size_t asked = 0;
    for (struct larder_op *op; (op = held_take(LARDER_OP_TAGS_READ)) != NULL;) {
        CU_ASSERT(op->n_marks <= 100);
        asked += op->n_marks;
        answer_marks(op, marks, 2);
    }
    settle(reactor);
    CU_ASSERT(asked == 251);
    CU_ASSERT(seen.times == 1 && seen.answer->verdict == LARDER_GONE);
    forget(&seen);
    close_store();
}

/* ---- deadlines, bounds, close ------------------------------------------------------------ */

static void a_get_is_answered_at_its_deadline_and_late_completions_harm_nobody(void) {
    struct seen seen = {0};
    struct larder_stats stats;
    open_store();
    submit(&seen, get_of("k", LARDER_F_RENDER));
    settle(reactor);
    pass_ms(reactor, 499);
    CU_ASSERT(seen.times == 0);
    pass_ms(reactor, 1);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_DEADLINE);
    answer_value(held_take(LARDER_OP_GET), frame_of("k", 12, "t"), 12);
    answer_namespace(held_take(LARDER_OP_TAGS_READ));
    answer_epoch(held_take(LARDER_OP_ADVANCE), 5);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->entry == NULL);
    larder_stats(store, &stats);
    CU_ASSERT(stats.deadlines == 1 && stats.get_errors == 1 && stats.inflight == 0);
    CU_ASSERT_EQUAL(stats.late, 3); /* P2: they are dropped, and counted */
    forget(&seen);
    close_store();
}

/* P2: what a driver has kept past its deadline must not be waited for by those who ask now. */
static void whoever_asks_after_the_deadline_of_earlier_reads_waits_for_none_of_them(void) {
    struct seen early[MARK_READS + 1] = {{0}}, seen = {0};
    struct larder_op *kept[MARK_READS];
    open_store();
    for (size_t i = 0; i <= MARK_READS; i++) { /* one more than may be under way: it gathers */
        submit(&early[i], get_of("k", LARDER_F_RENDER));
        settle(reactor);
    }
    struct larder_op *kept_get = held_take(LARDER_OP_GET), *kept_advance = held_take(LARDER_OP_ADVANCE);
    for (size_t i = 0; i < MARK_READS; i++)
        kept[i] = held_take(LARDER_OP_TAGS_READ);
    CU_ASSERT_FATAL(kept[MARK_READS - 1] != NULL && held_count(0) == 0);
    pass_ms(reactor, 500);
    for (size_t i = 0; i <= MARK_READS; i++)
        CU_ASSERT(early[i].times == 1 && early[i].answer->status == LARDER_DEADLINE);

    submit(&seen, get_of("k", LARDER_F_RENDER));
    settle(reactor);
    while (held_count(LARDER_OP_TAGS_READ) > 0)
        answer_namespace(held_take(LARDER_OP_TAGS_READ));
    CU_ASSERT_FATAL(held_count(LARDER_OP_GET) == 1 && held_count(LARDER_OP_ADVANCE) == 1);
    answer_status(held_take(LARDER_OP_GET), LARDER_MISS);
    answer_epoch(held_take(LARDER_OP_ADVANCE), 50);
    settle(reactor);
    CU_ASSERT_FATAL(seen.times == 1 && seen.answer->status == LARDER_MISS);
    CU_ASSERT(seen.answer->epoch == 50);

    for (size_t i = 0; i < MARK_READS; i++)
        answer_namespace(kept[i]);
    answer_status(kept_get, LARDER_MISS);
    answer_epoch(kept_advance, 40);
    settle(reactor);
    for (size_t i = 0; i <= MARK_READS; i++)
        forget(&early[i]);
    forget(&seen);
    close_store();
}

static void requests_beyond_max_inflight_are_refused_at_once(void) {
    struct seen seen[3] = {{0}};
    open_with("held", "max-inflight", "2");
    for (int i = 0; i < 3; i++)
        submit(&seen[i], get_of("k", 0));
    settle(reactor);
    CU_ASSERT(seen[2].times == 1 && seen[2].answer->status == LARDER_THROTTLED);
    while (held_count(LARDER_OP_GET) > 0)
        answer_status(held_take(LARDER_OP_GET), LARDER_MISS);
    while (held_count(LARDER_OP_TAGS_READ) > 0)
        answer_namespace(held_take(LARDER_OP_TAGS_READ));
    settle(reactor);
    for (int i = 0; i < 3; i++)
        forget(&seen[i]);
    close_store();
}

static void ops_beyond_the_drivers_limit_wait_for_room(void) {
    static const char *const keys[] = {"a", "b", "c"};
    struct seen seen[3] = {{0}};
    held_info.max_inflight = 2;
    open_store();
    for (int i = 0; i < 3; i++)
        submit(&seen[i], get_of(keys[i], 0));
    settle(reactor);
    CU_ASSERT(held_count(0) == 2);
    for (int left = 4; left > 0; left--) { /* 3 gets and 1 read of marks */
        struct larder_op *op = held_take(0);
        CU_ASSERT_FATAL(op != NULL);
        if (op->code == LARDER_OP_GET)
            answer_status(op, LARDER_MISS);
        else
            answer_namespace(op);
        settle(reactor);
    }
    for (int i = 0; i < 3; i++) {
        CU_ASSERT(seen[i].times == 1);
        forget(&seen[i]);
    }
    close_store();
}

static void a_store_that_cannot_be_opened_says_why_and_is_tried_again(void) {
    struct seen seen = {0};
    held_info.open_status = LARDER_DENIED;
    open_store();
    for (int round = 0; round < 3; round++) {
        submit(&seen, get_of("k", 0));
        settle(reactor);
        if (round < 2) {
            CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_DENIED);
            CU_ASSERT_STRING_EQUAL(seen.answer->detail, "held shut");
        } else {
            CU_ASSERT(seen.times == 0); /* open now: the driver has the ops */
            answer_status(held_take(LARDER_OP_GET), LARDER_MISS);
            answer_namespace(held_take(LARDER_OP_TAGS_READ));
            settle(reactor);
            CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_MISS);
        }
        forget(&seen);
        held_info.open_status = LARDER_OK; /* noticed only when the next attempt is due */
        if (round == 1)
            pass_ms(reactor, 1001);
    }
    CU_ASSERT(held_info.opened == 1);
    close_store();
}

static void closing_waits_for_ops_that_are_still_with_the_driver(void) {
    struct seen seen = {0};
    bool closed = false;
    open_store();
    submit(&seen, get_of("k", 0));
    settle(reactor);
    store_close_begin(store, note_closed, &closed);
    settle(reactor);
    struct larder_request late = get_of("k", 0);
    CU_ASSERT(larder_submit(store, &late, remember, &seen) == LARDER_INVALID);
    pass_ms(reactor, 600);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_DEADLINE);
    forget(&seen);
    CU_ASSERT(!closed && held_info.closed == 0);
    answer_status(held_take(LARDER_OP_GET), LARDER_MISS);
    answer_namespace(held_take(LARDER_OP_TAGS_READ));
    settle(reactor);
    pass_ms(reactor, 10);
    CU_ASSERT(closed && held_info.closed == 1);
    reactor_free(reactor);
    backend_host_clock(NULL);
    CU_ASSERT(buf_live() == bufs_before);
    held_info = (struct held_info){0};
}

static void an_answer_that_is_kept_outlives_its_store(void) {
    struct seen seen = {0};
    open_store();
    submit(&seen, get_of("k", 0));
    settle(reactor);
    answer_value(held_take(LARDER_OP_GET), frame_of("k", 12, NULL), 12);
    answer_namespace(held_take(LARDER_OP_TAGS_READ));
    settle(reactor);
    size_t before = bufs_before;
    bufs_before = buf_live();
    close_store();
    CU_ASSERT(bytes_equal(seen.answer->entry->parts[0].data, BYTES("hello")));
    forget(&seen);
    CU_ASSERT(buf_live() == before);
}

/* ---- put ------------------------------------------------------------------------------------ */

static struct larder_entry entry_of(size_t body_len, const uint8_t *body, struct larder_part *part) {
    *part = (struct larder_part){.name = BYTES("body"), .data = {body, body_len}};
    return (struct larder_entry){.kind = LARDER_PAGE,
                                 .n_parts = 1,
                                 .key = BYTES("/a"),
                                 .meta = BYTES("{}"),
                                 .epoch = 42,
                                 .modified_ms = 7,
                                 .revalidate_ms = 1000,
                                 .expire_ms = 5000,
                                 .parts = part};
}

static void a_put_stores_a_frame_under_the_build_with_expire_as_its_time_to_live(void) {
    struct seen seen = {0};
    struct larder_part part;
    struct larder_entry entry = entry_of(3, (const uint8_t *)"abc", &part);
    struct larder_request put = {
        .code = LARDER_DO_PUT, .entry = &entry, .build = BYTES("b1"), .flags = LARDER_F_IF_ABSENT};
    open_store();
    submit(&seen, put);
    settle(reactor);
    struct larder_op *op = held_take(LARDER_OP_PUT);
    CU_ASSERT_FATAL(op != NULL);
    CU_ASSERT(bytes_equal(op->key, BYTES("ns/b1/page//a")));
    CU_ASSERT(op->ttl_ms == 5000 && op->epoch == 42 && op->modified_ms == 7 && op->flags == LARDER_IF_ABSENT);
    struct frame frame;
    const char *why;
    CU_ASSERT_FATAL(frame_decode(op->value, BYTES("/a"), false, &frame, &why) == LARDER_OK);
    CU_ASSERT(frame.entry.epoch == 42 && bytes_equal(frame.entry.parts[0].data, BYTES("abc")));
    frame_done(&frame);
    answer_status(op, LARDER_MISS);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_MISS);
    forget(&seen);
    close_store();
}

static void a_large_put_is_encoded_away_from_the_io_thread_and_borrows_until_done(void) {
    struct seen seen = {0};
    struct larder_part part;
    uint8_t *body = calloc(1, 300000);
    struct larder_entry entry = entry_of(300000, body, &part);
    struct larder_request put = {.code = LARDER_DO_PUT, .entry = &entry};
    open_store();
    submit(&seen, put);
    settle(reactor);
    struct larder_op *op = held_take(LARDER_OP_PUT);
    CU_ASSERT_FATAL(op != NULL && op->value.len > 300000);
    pass_ms(reactor, 2000);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_DEADLINE);
    free(body); /* answered: the memory is the caller's again */
    answer_status(op, LARDER_OK);
    settle(reactor);
    forget(&seen);
    close_store();
}

static void a_value_over_the_drivers_limit_is_refused_before_it_is_sent(void) {
    struct seen seen = {0};
    struct larder_part part;
    uint8_t body[2000] = {0};
    struct larder_entry entry = entry_of(sizeof(body), body, &part);
    held_info.max_value = 1000;
    open_store();
    submit(&seen, (struct larder_request){.code = LARDER_DO_PUT, .entry = &entry});
    settle(reactor);
    CU_ASSERT(held_count(0) == 0);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_TOO_BIG);
    forget(&seen);
    close_store();
}

static void with_the_index_on_a_put_links_its_tags(void) {
    struct seen seen = {0};
    struct larder_part part;
    struct larder_bytes tag = BYTES("t");
    struct larder_entry entry = entry_of(1, (const uint8_t *)"x", &part);
    entry.tags = &tag;
    entry.n_tags = 1;
    open_with("held", "index", "true");
    submit(&seen, (struct larder_request){.code = LARDER_DO_PUT, .entry = &entry, .build = BYTES("b")});
    settle(reactor);
    struct larder_op *put = held_take(LARDER_OP_PUT), *link = held_take(LARDER_OP_LINK);
    CU_ASSERT_FATAL(put != NULL && link != NULL);
    CU_ASSERT(bytes_equal(link->key, put->key) && link->n_marks == 1);
    CU_ASSERT(bytes_equal(link->marks[0].tag, BYTES("ns/t")));
    answer_status(put, LARDER_OK);
    settle(reactor);
    CU_ASSERT(seen.times == 0);
    answer_status(link, LARDER_RETRY);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_RETRY);
    forget(&seen);
    close_store();
}

/* ---- revalidate ------------------------------------------------------------------------------- */

static struct larder_request revalidate_of(const struct larder_bytes *tags, size_t n) {
    return (struct larder_request){.code = LARDER_DO_REVALIDATE, .tags = tags, .n_tags = n};
}

static void revalidation_is_one_bump_where_the_driver_has_it(void) {
    struct seen seen = {0};
    struct larder_bytes tags[] = {BYTES("a"), BYTES("b"), BYTES("a")};
    struct larder_request request = revalidate_of(tags, 3);
    request.mode = LARDER_MAKE_STALE;
    request.expire_in_ms = 3000;
    open_store();
    int64_t now = test_clock.ms;
    submit(&seen, request);
    settle(reactor);
    struct larder_op *bump = held_take(LARDER_OP_BUMP);
    CU_ASSERT_FATAL(bump != NULL && held_count(0) == 0);
    CU_ASSERT(bytes_equal(bump->key, BYTES("ns/epoch")));
    CU_ASSERT_FATAL(bump->n_marks == 2); /* without the duplicate */
    CU_ASSERT(bump->marks[0].stale_epoch == LARDER_NEW_EPOCH && bump->marks[0].expired_epoch == LARDER_UNSET);
    CU_ASSERT(bump->marks[0].expire_at_ms == now + 3000);
    answer_epoch(bump, 55);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_OK && seen.answer->epoch == 55);
    forget(&seen);
    close_store();
}

static void without_bump_revalidation_takes_two_rounds_and_is_known_only_after_both(void) {
    struct seen seen = {0};
    struct larder_bytes tag = BYTES("a");
    open_with("held-two-rounds", NULL, NULL);
    submit(&seen, revalidate_of(&tag, 1));
    settle(reactor);
    for (int round = 1; round <= 2; round++) {
        struct larder_op *advance = held_take(LARDER_OP_ADVANCE);
        CU_ASSERT_FATAL(advance != NULL && advance->add == 1 && held_count(0) == 0);
        answer_epoch(advance, 50 + round);
        settle(reactor);
        CU_ASSERT(*larder_epoch_cell(store) == 0);
        struct larder_op *write = held_take(LARDER_OP_TAGS_WRITE);
        CU_ASSERT_FATAL(write != NULL && held_count(0) == 0);
        CU_ASSERT(write->marks[0].expired_epoch == 50 + round);
        answer_status(write, LARDER_OK);
        settle(reactor);
    }
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_OK && seen.answer->epoch == 52);
    CU_ASSERT(*larder_epoch_cell(store) == 52);
    forget(&seen);
    close_store();
}

static void a_revalidation_that_fails_half_way_says_so_and_teaches_nothing(void) {
    for (int fail_at = 0; fail_at < 4; fail_at++) {
        struct seen seen = {0};
        struct larder_bytes tag = BYTES("a");
        open_with("held-two-rounds", NULL, NULL);
        submit(&seen, revalidate_of(&tag, 1));
        settle(reactor);
        for (int step = 0; step <= fail_at; step++) {
            struct larder_op *op = held_take(0);
            CU_ASSERT_FATAL(op != NULL);
            if (step == fail_at)
                answer_status(op, LARDER_THROTTLED);
            else if (op->code == LARDER_OP_ADVANCE)
                answer_epoch(op, 50 + step);
            else
                answer_status(op, LARDER_OK);
            settle(reactor);
        }
        CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_THROTTLED);
        CU_ASSERT(held_count(0) == 0 && *larder_epoch_cell(store) == 0);
        forget(&seen);
        close_store();
    }
}

static void revalidating_no_tags_is_done_at_once(void) {
    struct seen seen = {0};
    open_store();
    submit(&seen, revalidate_of(NULL, 0));
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_OK && held_count(0) == 0);
    forget(&seen);
    close_store();
}

/* ---- the rest ------------------------------------------------------------------------------------ */

static void the_epoch_that_is_told_counts_as_fresh_under_the_namespace_mark(void) {
    struct seen seen = {0};
    open_store();
    submit(&seen, (struct larder_request){.code = LARDER_DO_EPOCH});
    settle(reactor);
    CU_ASSERT(held_count(LARDER_OP_ADVANCE) == 0); /* the mark first */
    answer_namespace(held_take(LARDER_OP_TAGS_READ));
    settle(reactor);
    struct larder_op *advance = held_take(LARDER_OP_ADVANCE);
    CU_ASSERT_FATAL(advance != NULL && advance->add == 0);
    answer_epoch(advance, 30);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_OK && seen.answer->epoch == 30);
    forget(&seen);
    close_store();
}

static void the_epoch_known_at_an_earlier_time_is_remembered(void) {
    struct seen seen = {0};
    open_store();
    for (int i = 0; i < 3; i++) {
        submit(&seen, (struct larder_request){.code = LARDER_DO_EPOCH});
        settle(reactor);
        answer_namespace(held_take(LARDER_OP_TAGS_READ));
        settle(reactor);
        answer_epoch(held_take(LARDER_OP_ADVANCE), 100 + i);
        settle(reactor);
        forget(&seen);
        pass_ms(reactor, 1000);
    }
    CU_ASSERT(larder_epoch_at(store, 0) == 102);
    CU_ASSERT(larder_epoch_at(store, 1500) == 101);
    CU_ASSERT(larder_epoch_at(store, 2999) == 100);
    CU_ASSERT(larder_epoch_at(store, 60000) == 0);
    close_store();
}

static void a_list_tells_where_entries_live(void) {
    struct seen seen = {0};
    open_store();
    submit(&seen,
           (struct larder_request){
               .code = LARDER_DO_LIST, .build = BYTES("b/1"), .kind = LARDER_PAGE, .key = BYTES("/x")});
    settle(reactor);
    struct larder_op *list = held_take(LARDER_OP_LIST);
    CU_ASSERT_FATAL(list != NULL);
    CU_ASSERT(bytes_equal(list->key, BYTES("ns/b%2F1/page//x")));
    op_emit_key(list, BYTES("ns/b%2F1/page//x/y"));
    op_emit_key(list, BYTES("ns/shared/fetch/~0123456789abcdef0123456789abcdef"));
    op_emit_key(list, BYTES("ns/not one of ours"));
    struct larder_result res = {.size = sizeof(res)};
    memcpy(buf_new(2, &res.cursor), "c1", 2);
    op_complete(list, &res);
    settle(reactor);
    CU_ASSERT_FATAL(seen.times == 1 && seen.answer->n_keys == 2);
    CU_ASSERT(bytes_equal(seen.answer->keys[0].build, BYTES("b/1")) &&
              seen.answer->keys[0].kind == LARDER_PAGE);
    CU_ASSERT(bytes_equal(seen.answer->keys[0].key, BYTES("/x/y")) && !seen.answer->keys[0].hashed);
    CU_ASSERT(seen.answer->keys[1].kind == LARDER_FETCH && seen.answer->keys[1].hashed);
    CU_ASSERT(bytes_equal(seen.answer->cursor, BYTES("c1")));
    forget(&seen);
    close_store();
}

static void requests_that_make_no_sense_are_refused_at_once(void) {
    struct seen seen = {0};
    struct larder_request bad[] = {{.code = 0},
                                   {.code = 99},
                                   {.code = LARDER_DO_GET},
                                   {.code = LARDER_DO_GET, .kind = 77},
                                   {.code = LARDER_DO_PUT},
                                   {.code = LARDER_DO_KEYS_OF}};
    open_store();
    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        CU_ASSERT(larder_submit(store, &bad[i], remember, &seen) == LARDER_INVALID);
    settle(reactor);
    CU_ASSERT(seen.times == 0);
    close_store();
}

int main(void) {
    static const struct unit_test tests[] = {
        UNIT(a_get_asks_for_entry_marks_and_epoch_at_once),
        UNIT(a_process_that_heard_of_the_epoch_lately_does_not_ask),
        UNIT(a_get_that_no_render_follows_asks_for_no_epoch),
        UNIT(a_fresh_entry_is_given_whole),
        UNIT(an_absent_namespace_mark_is_made_and_outdates_everything),
        UNIT(a_store_that_keeps_no_namespace_mark_is_a_failure_not_a_loop),
        UNIT(tags_that_only_the_entry_tells_of_are_read_after_it),
        UNIT(a_wipe_between_two_reads_of_marks_outdates_the_entry),
        UNIT(a_wrong_guess_has_no_say),
        UNIT(soft_tags_of_the_request_count),
        UNIT(marks_that_cannot_be_read_make_a_miss_of_an_error_class),
        UNIT(what_cannot_be_verified_is_a_miss_and_counted),
        UNIT(a_large_text_is_transcoded_on_the_pool),
        UNIT(an_entry_of_another_key_is_a_miss),
        UNIT(gets_of_one_turn_share_a_read_of_marks_and_later_ones_do_not_join_it),
        UNIT(many_tags_are_read_in_chunks_of_the_stores_limit),
        UNIT(a_get_is_answered_at_its_deadline_and_late_completions_harm_nobody),
        UNIT(whoever_asks_after_the_deadline_of_earlier_reads_waits_for_none_of_them),
        UNIT(requests_beyond_max_inflight_are_refused_at_once),
        UNIT(ops_beyond_the_drivers_limit_wait_for_room),
        UNIT(a_store_that_cannot_be_opened_says_why_and_is_tried_again),
        UNIT(closing_waits_for_ops_that_are_still_with_the_driver),
        UNIT(an_answer_that_is_kept_outlives_its_store),
        UNIT(a_put_stores_a_frame_under_the_build_with_expire_as_its_time_to_live),
        UNIT(a_large_put_is_encoded_away_from_the_io_thread_and_borrows_until_done),
        UNIT(a_value_over_the_drivers_limit_is_refused_before_it_is_sent),
        UNIT(with_the_index_on_a_put_links_its_tags),
        UNIT(revalidation_is_one_bump_where_the_driver_has_it),
        UNIT(without_bump_revalidation_takes_two_rounds_and_is_known_only_after_both),
        UNIT(a_revalidation_that_fails_half_way_says_so_and_teaches_nothing),
        UNIT(revalidating_no_tags_is_done_at_once),
        UNIT(the_epoch_that_is_told_counts_as_fresh_under_the_namespace_mark),
        UNIT(the_epoch_known_at_an_earlier_time_is_remembered),
        UNIT(a_list_tells_where_entries_live),
        UNIT(requests_that_make_no_sense_are_refused_at_once),
    };
    return store_main("store", tests, N_ELEMENTS(tests));
}
