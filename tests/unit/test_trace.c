/* The trace of a request: whole texts, under a clock of the test's own. */
#include "log.h"
#include "marks.h"
#include "store_over_held.h"

static char heard[16 * 1024];
static unsigned n_heard;

static void hear(void *arg, int32_t level, const char *text) {
    (void)arg;
    if (level != LARDER_LOG_DEBUG)
        return; /* of an outage, say */
    snprintf(heard, sizeof(heard), "%s", text);
    n_heard++;
}

static void open_tracing(const char *driver, const char *chosen) {
    open_with(driver, "trace", chosen);
    heard[0] = '\0';
    n_heard = 0;
    larder_set_log(hear, NULL);
}

static void close_tracing(void) {
    larder_set_log(NULL, NULL);
    close_store();
}

static void text_is(const char *got, const char *want, int line) {
    if (strcmp(got, want) != 0)
        printf("\n  line %d\n   got: %s\n  want: %s\n", line, got, want);
    CU_ASSERT_STRING_EQUAL(got, want);
}
#define TEXT(got, want) text_is(got, want, __LINE__)

static void answer_marks_of(const struct larder_mark *marks, size_t n) {
    struct larder_op *op = held_take(LARDER_OP_TAGS_READ);
    CU_ASSERT_FATAL(op != NULL);
    answer_marks(op, marks, n);
    settle(reactor);
}

static void answer_namespace_mark(void) {
    struct larder_mark ns = mark_of("ns/", namespace_mark.expired_epoch);
    answer_marks_of(&ns, 1);
}

/* Time passes, so that each step has another. */
static void pass_us(unsigned us) {
    test_clock.ns += us * 1000u;
}

/* ---- get ---------------------------------------------------------------------------------- */

static void a_miss_that_will_be_rendered(void) {
    struct seen seen = {0};
    open_tracing("held", "1");
    struct larder_request request = get_of("posts/1", LARDER_F_RENDER);
    const struct larder_bytes tags[] = {BYTES("a"), BYTES("b")};
    request.tags = tags;
    request.n_tags = 2;
    submit(&seen, request);
    pass_us(12);
    settle(reactor);
    pass_us(100);
    answer_status(held_take(LARDER_OP_GET), LARDER_MISS);
    settle(reactor);
    pass_us(50);
    answer_namespace_mark();
    pass_us(7);
    answer_epoch(held_take(LARDER_OP_ADVANCE), 77);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->n_steps == 0);
    TEXT(heard, "trace: get fetch \"posts/1\" tags \"a\", \"b\"\n"
                "         0 us  queued\n"
                "        12 us  begun\n"
                "        12 us  entry: the store is asked\n"
                "        12 us  marks: asked for (the namespace, 2 of the request, 0 expected)\n"
                "        12 us  epoch: what is known is old, so the counter is asked\n"
                "       112 us  driver held: get is answered after 100 us: miss\n"
                "       112 us  entry: not there\n"
                "       162 us  driver held: tags-read is answered after 150 us: ok, records 1\n"
                "       162 us  marks: read, 0 found besides the namespace's\n"
                "       169 us  driver held: advance is answered after 157 us: ok, epoch 77\n"
                "       169 us  epoch: ok, 77 is known\n"
                "       169 us  answered: miss\n"
                "       169 us  delivered");
    forget(&seen);
    close_tracing();
}

static void an_entry_that_a_tag_outdates_names_the_tag(void) {
    struct seen seen = {0};
    struct larder_mark marks[] = {mark_of("ns/", 10), mark_of("ns/t", 20)};
    open_tracing("held", "posts");
    submit(&seen, get_of("posts/1", 0));
    settle(reactor);
    answer_value(held_take(LARDER_OP_GET), frame_of("posts/1", 12, "t"), 12);
    settle(reactor);
    answer_marks_of(marks, 1);
    pass_us(40);
    answer_marks_of(marks, 2);
    CU_ASSERT(seen.times == 1 && seen.answer->verdict == LARDER_GONE);
    TEXT(heard, "trace: get fetch \"posts/1\"\n"
                "         0 us  queued\n"
                "         0 us  begun\n"
                "         0 us  entry: the store is asked\n"
                "         0 us  marks: asked for (the namespace, 0 of the request, 0 expected)\n"
                "         0 us  driver held: get is answered after 0 us: ok, bytes 175\n"
                "         0 us  entry: its frame is good, epoch 12, tags 1, bytes 175\n"
                "         0 us  driver held: tags-read is answered after 0 us: ok, records 1\n"
                "         0 us  marks: read, 0 found besides the namespace's\n"
                "         0 us  marks: asked for (1 that only the entry told of)\n"
                "        40 us  driver held: tags-read is answered after 40 us: ok, records 2\n"
                "        40 us  marks: read, 1 found besides the namespace's\n"
                "        40 us  verdict: gone by tag \"t\", expired at epoch 20; the entry is of 12\n"
                "        40 us  answered: miss, gone\n"
                "        40 us  delivered");
    forget(&seen);
    close_tracing();
}

/* The last line of the verdict, of an entry of epoch 12 with tag t under this mark of it. */
static const char *verdict_under(struct larder_mark mark) {
    static char line[160];
    struct seen seen = {0};
    struct larder_mark marks[] = {mark_of("ns/", 10), mark};
    open_tracing("held", "1");
    submit(&seen, get_of("k", 0));
    settle(reactor);
    answer_value(held_take(LARDER_OP_GET), frame_of("k", 12, "t"), 12);
    answer_marks_of(marks, 2);
    answer_marks_of(marks, 2);
    CU_ASSERT_EQUAL(seen.times, 1);
    const char *at = strstr(heard, "verdict: ");
    snprintf(line, sizeof(line), "%.*s", at != NULL ? (int)strcspn(at, "\n") : 0, at);
    forget(&seen);
    close_tracing();
    return line;
}

static void each_verdict_has_its_reason(void) {
    TEXT(verdict_under((struct larder_mark){BYTES("ns/t"), LARDER_UNSET, 12, LARDER_UNSET}),
         "verdict: fresh, no tag has a mark that is later than epoch 12");
    TEXT(verdict_under((struct larder_mark){BYTES("ns/t"), LARDER_UNSET, 30, LARDER_UNSET}),
         "verdict: stale by tag \"t\", made stale at epoch 30; the entry is of 12");
    TEXT(verdict_under((struct larder_mark){BYTES("ns/t"), LARDER_UNSET, 30, 5}),
         "verdict: gone by tag \"t\", made stale at epoch 30, and its time is over; the entry is of 12");
    TEXT(verdict_under(mark_of("ns/", 40)),
         "verdict: gone by the whole namespace, expired at epoch 40; the entry is of 12");
}

static void memory_and_reads_that_are_shared_say_so(void) {
    struct seen first = {0}, second = {0};
    memory_setting = "1MB";
    open_tracing("held", "1");
    submit(&first, get_of("k", 0));
    submit(&second, get_of("k", 0));
    settle(reactor);
    answer_value(held_take(LARDER_OP_GET), frame_of("k", 12, NULL), 12);
    answer_namespace_mark();
    CU_ASSERT_EQUAL(n_heard, 2);
    TEXT(heard, "trace: get fetch \"k\"\n"
                "         0 us  queued\n"
                "         0 us  begun\n"
                "         0 us  entry: a read of it is under way, and is joined\n"
                "         0 us  marks: asked for (the namespace, 0 of the request, 0 expected)\n"
                "         0 us  entry: its frame is good, epoch 12, tags 0, bytes 164\n"
                "         0 us  marks: read, 0 found besides the namespace's\n"
                "         0 us  verdict: fresh, no tag has a mark that is later than epoch 12\n"
                "         0 us  answered: ok, fresh\n"
                "         0 us  delivered");
    forget(&first);
    forget(&second);
    pass_ms(reactor, 30);
    submit(&first, get_of("k", 0));
    settle(reactor);
    answer_namespace_mark();
    CU_ASSERT_PTR_NOT_NULL(strstr(heard, "\n         0 us  entry: in memory for 30 ms\n"));
    forget(&first);
    memory_setting = "0";
    close_tracing();
}

/* ---- put and revalidate ---------------------------------------------------------------------- */

static void a_put_tells_what_it_stores(void) {
    struct seen seen = {0};
    const struct larder_bytes tag = BYTES("t");
    struct larder_entry entry = {.kind = LARDER_PAGE,
                                 .key = BYTES("/blog"),
                                 .epoch = 30,
                                 .revalidate_ms = LARDER_UNSET,
                                 .expire_ms = LARDER_UNSET,
                                 .tags = &tag,
                                 .n_tags = 1};
    open_tracing("held", "blog");
    submit(&seen, (struct larder_request){.code = LARDER_DO_PUT, .build = BYTES("b1"), .entry = &entry});
    settle(reactor);
    pass_us(300);
    answer_status(held_take(LARDER_OP_PUT), LARDER_OK);
    settle(reactor);
    TEXT(heard, "trace: put page \"/blog\" of build \"b1\" tag \"t\"\n"
                "         0 us  queued\n"
                "         0 us  begun\n"
                "         0 us  put: the store is given it, bytes 130, epoch 30\n"
                "       300 us  driver held: put is answered after 300 us: ok\n"
                "       300 us  answered: ok\n"
                "       300 us  delivered");
    forget(&seen);
    close_tracing();
}

static void revalidate(struct seen *seen, uint32_t flags) {
    static const struct larder_bytes tags[] = {{(const uint8_t *)"posts", 5}, {(const uint8_t *)"p1", 2}};
    submit(seen,
           (struct larder_request){.code = LARDER_DO_REVALIDATE, .flags = flags, .tags = tags, .n_tags = 2});
    settle(reactor);
}

static void a_revalidation_in_one_step(void) {
    struct seen seen = {0};
    open_tracing("held", "post");
    revalidate(&seen, 0);
    answer_epoch(held_take(LARDER_OP_BUMP), 41);
    settle(reactor);
    TEXT(heard, "trace: revalidate tags \"posts\", \"p1\"\n"
                "         0 us  queued\n"
                "         0 us  begun\n"
                "         0 us  bump: the epoch is raised and written, marks 2, calls 1\n"
                "         0 us  driver held: bump is answered after 0 us: ok, epoch 41\n"
                "         0 us  epoch: this process knows 41 now\n"
                "         0 us  answered: ok\n"
                "         0 us  delivered");
    forget(&seen);
    close_tracing();
}

static void a_revalidation_in_two_rounds_and_one_that_is_kept(void) {
    struct seen seen = {0};
    open_tracing("held-two-rounds", "1");
    revalidate(&seen, 0);
    for (int64_t epoch = 41; epoch <= 42; epoch++) {
        answer_epoch(held_take(LARDER_OP_ADVANCE), epoch);
        settle(reactor);
        pass_us(10);
        answer_status(held_take(LARDER_OP_TAGS_WRITE), LARDER_OK);
        settle(reactor);
    }
    TEXT(heard, "trace: revalidate tags \"posts\", \"p1\"\n"
                "         0 us  queued\n"
                "         0 us  begun\n"
                "         0 us  round 1: the epoch is raised\n"
                "         0 us  driver held-two-rounds: advance is answered after 0 us: ok, epoch 41\n"
                "         0 us  round 1: epoch 41 is written, marks 2, calls 1\n"
                "        10 us  driver held-two-rounds: tags-write is answered after 10 us: ok\n"
                "        10 us  round 2: the epoch is raised\n"
                "        10 us  driver held-two-rounds: advance is answered after 0 us: ok, epoch 42\n"
                "        10 us  round 2: epoch 42 is written, marks 2, calls 1\n"
                "        20 us  driver held-two-rounds: tags-write is answered after 10 us: ok\n"
                "        20 us  epoch: this process knows 42 now\n"
                "        20 us  answered: ok\n"
                "        20 us  delivered");
    forget(&seen);

    revalidate(&seen, LARDER_F_KEEP_TRYING);
    answer_status(held_take(LARDER_OP_ADVANCE), LARDER_RETRY);
    settle(reactor);
    CU_ASSERT_PTR_NOT_NULL(strstr(heard, "journal: kept, and tried again until it succeeds\n"));
    forget(&seen);
    close_tracing();
}

/* ---- a store in trouble ------------------------------------------------------------------------ */

/* The line of the trace that begins so, without its time. */
static bool has_step(const char *step) {
    char with_time[200];
    snprintf(with_time, sizeof(with_time), " us  %s", step);
    return strstr(heard, with_time) != NULL;
}

static void retries_and_a_breaker_that_is_open_are_seen(void) {
    struct seen seen = {0};
    struct larder_config *config = larder_config_new();
    struct store_config *typed = NULL;
    struct larder_error error = {0};
    bufs_before = buf_live();
    reactor = held_reactor();
    const char *const settings[][2] = {{"cache", "held"}, {"trace", "1"},   {"namespace", "ns"},
                                       {"memory", "0"},   {"retries", "1"}, {"breaker-calls", "3"}};
    for (size_t i = 0; i < N_ELEMENTS(settings); i++)
        larder_config_set(config, settings[i][0], settings[i][1], "test", &error);
    CU_ASSERT_FATAL(store_config_new(config, &typed, &error) == LARDER_OK);
    CU_ASSERT_FATAL(store_open_on(reactor, typed, &store, &error) == LARDER_OK);
    larder_config_free(config);
    larder_set_log(hear, NULL);

    submit(&seen, get_of("k", 0));
    settle(reactor);
    answer_namespace(held_take(LARDER_OP_TAGS_READ));
    answer_status(held_take(LARDER_OP_GET), LARDER_RETRY);
    settle(reactor);
    pass_ms(reactor, 25); /* retry-base */
    answer_status(held_take(LARDER_OP_GET), LARDER_RETRY);
    settle(reactor);
    CU_ASSERT_EQUAL(seen.times, 1);
    CU_ASSERT(has_step("driver held: get is answered after 0 us: retry, as the test said\n"));
    CU_ASSERT(has_step("retry: get again in "));
    CU_ASSERT(has_step("retry: get is not tried again\n"));
    CU_ASSERT(has_step("answered: retry, as the test said\n"));
    forget(&seen);

    submit(&seen, get_of("k", 0));
    settle(reactor);
    CU_ASSERT_EQUAL(seen.times, 1);
    CU_ASSERT(has_step("breaker: open, so get is refused\n"));
    CU_ASSERT(has_step("answered: retry, the breaker of held is open since "));
    forget(&seen);
    larder_set_log(NULL, NULL);
    if (held_count(LARDER_OP_PING) > 0)
        answer_status(held_take(LARDER_OP_PING), LARDER_OK);
    close_store();
}

static void an_answer_that_comes_after_the_deadline_is_no_part_of_it(void) {
    struct seen seen = {0};
    open_tracing("held", "1");
    submit(&seen, get_of("k", 0));
    settle(reactor);
    pass_ms(reactor, 500);
    CU_ASSERT_EQUAL(seen.times, 1);
    const char *end = "\n    500000 us  answered: deadline, the store gave no answer in time\n"
                      "    500000 us  delivered";
    CU_ASSERT(strlen(heard) > strlen(end) && strcmp(heard + strlen(heard) - strlen(end), end) == 0);
    answer_status(held_take(LARDER_OP_GET), LARDER_MISS);
    answer_namespace(held_take(LARDER_OP_TAGS_READ));
    settle(reactor);
    CU_ASSERT_EQUAL(n_heard, 1);
    forget(&seen);
    close_tracing();
}

/* ---- which, and how many ------------------------------------------------------------------------- */

static void miss(const char *key, uint32_t flags) {
    struct seen seen = {0};
    submit(&seen, get_of(key, flags));
    settle(reactor);
    answer_status(held_take(LARDER_OP_GET), LARDER_MISS);
    answer_namespace_mark();
    CU_ASSERT_EQUAL(seen.times, 1);
    forget(&seen);
}

static void only_what_is_chosen_is_traced(void) {
    open_tracing("held", "log/a");
    miss("/blog/b", 0);
    CU_ASSERT_EQUAL(n_heard, 0);
    miss("/blog/a-page", 0);
    CU_ASSERT_EQUAL(n_heard, 1);
    close_tracing();
    open_tracing("held", "");
    miss("/blog/a-page", 0);
    CU_ASSERT_EQUAL(n_heard, 0);
    close_tracing();
}

static void of_many_requests_twenty_a_second_are_traced_and_the_rest_counted(void) {
    open_tracing("held", "1");
    for (int i = 0; i < 50; i++)
        miss("k", 0);
    CU_ASSERT_EQUAL(n_heard, 20);
    pass_ms(reactor, 1000);
    miss("k", 0);
    CU_ASSERT_EQUAL(n_heard, 21);
    CU_ASSERT(has_step("(30 requests before this one were not traced: more than 20 in a second)\n"));
    close_tracing();
}

static void who_asks_for_a_trace_has_it_in_the_answer(void) {
    struct seen seen = {0};
    open_tracing("held", "1");
    submit(&seen, get_of("k", LARDER_F_TRACE));
    settle(reactor);
    answer_status(held_take(LARDER_OP_GET), LARDER_MISS);
    pass_us(9);
    answer_namespace_mark();
    CU_ASSERT_EQUAL_FATAL(seen.times, 1);
    CU_ASSERT_EQUAL(n_heard, 0);
    CU_ASSERT_FATAL(seen.answer->n_steps > 2);
    const struct larder_step *last = &seen.answer->steps[seen.answer->n_steps - 1];
    CU_ASSERT_STRING_EQUAL(seen.answer->steps[0].text, "queued");
    CU_ASSERT(last->at_ns == 9000 && strcmp(last->text, "answered: miss") == 0);
    char *text = larder_trace_text(seen.answer);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL(strncmp(text, "trace: get fetch \"k\"\n         0 us  queued\n", 43), 0);
    CU_ASSERT_STRING_EQUAL(text + strlen(text) - 14, "answered: miss");
    free(text);
    forget(&seen);
    submit(&seen, get_of("k", 0));
    settle(reactor);
    CU_ASSERT_EQUAL(held_count(LARDER_OP_GET), 1);
    answer_status(held_take(LARDER_OP_GET), LARDER_MISS);
    answer_namespace_mark();
    CU_ASSERT(seen.answer->n_steps == 0);
    forget(&seen);
    close_tracing();
}

static void whoever_hands_the_answer_on_ends_the_trace(void) {
    struct seen seen = {0};
    open_tracing("held", "1");
    submit(&seen, get_of("k", LARDER_F_DELIVERS));
    settle(reactor);
    answer_status(held_take(LARDER_OP_GET), LARDER_MISS);
    answer_namespace_mark();
    CU_ASSERT(seen.times == 1 && n_heard == 0);
    pass_us(250);
    larder_answer_delivered(seen.answer);
    CU_ASSERT_EQUAL(n_heard, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(heard, "         0 us  answered: miss\n       250 us  delivered"));
    forget(&seen);
    close_tracing();
}

/* ---- bounds ------------------------------------------------------------------------------------- */

static void long_names_lose_their_middle_and_no_character_is_split(void) {
    char key[101] = "";
    for (int i = 0; i < 25; i++)
        memcpy(key + 4 * i, "a\xe2\x82\xac", 4);
    TEXT(trace_name(BYTES("short")).text, "\"short\"");
    TEXT(trace_name((struct larder_bytes){NULL, 0}).text, "\"\"");
    TEXT(trace_name((struct larder_bytes){(uint8_t *)key, 100}).text, "\"a\xe2\x82\xac"
                                                                      "a\xe2\x82\xac"
                                                                      "a\xe2\x82\xac"
                                                                      "a\xe2\x82\xac"
                                                                      "a\xe2\x82\xac"
                                                                      "a\xe2\x82\xac"
                                                                      "a\xe2\x82\xac"
                                                                      "a\xe2\x82\xac"
                                                                      "a\xe2\x82\xac"
                                                                      "a\xe2\x82\xac..."
                                                                      "a\xe2\x82\xac"
                                                                      "a\xe2\x82\xac"
                                                                      "a\xe2\x82\xac"
                                                                      "a\xe2\x82\xac"
                                                                      "a\xe2\x82\xac\"");
    TEXT(trace_name((struct larder_bytes){(uint8_t *)key + 1, 99}).text, "\"\xe2\x82\xac"
                                                                         "a\xe2\x82\xac"
                                                                         "a\xe2\x82\xac"
                                                                         "a\xe2\x82\xac"
                                                                         "a\xe2\x82\xac"
                                                                         "a\xe2\x82\xac"
                                                                         "a\xe2\x82\xac"
                                                                         "a\xe2\x82\xac"
                                                                         "a\xe2\x82\xac"
                                                                         "a\xe2\x82\xac"
                                                                         "a..."
                                                                         "a\xe2\x82\xac"
                                                                         "a\xe2\x82\xac"
                                                                         "a\xe2\x82\xac"
                                                                         "a\xe2\x82\xac"
                                                                         "a\xe2\x82\xac\"");
}

static void odd_bytes_in_a_key_do_not_break_a_line(void) {
    open_tracing("held", "1");
    miss("a\nb\x1b[31m", 0);
    CU_ASSERT_EQUAL(strncmp(heard, "trace: get fetch \"a b [31m\"\n", 28), 0);
    close_tracing();
}

static void more_steps_than_there_is_room_for_are_counted(void) {
    struct trace_gate gate = {0};
    struct larder_request request = get_of("k", LARDER_F_TRACE);
    struct reactor *r = held_reactor();
    struct trace *trace = trace_of(r, &gate, "", &request);
    size_t n;
    CU_ASSERT_PTR_NOT_NULL_FATAL(trace);
    for (int i = 0; i < 100; i++)
        TRACE(trace, "step %d, %0300d", i, 0);
    const struct larder_step *steps = trace_steps(trace, &n);
    CU_ASSERT_EQUAL(n, 64);
    CU_ASSERT_EQUAL(strlen(steps[63].text), 159);
    char *text = trace_text(trace);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\n               (and 37 steps for which there was no room)"));
    free(text);
    trace_unref(trace);
    reactor_free(r);
    backend_host_clock(NULL);
}

int main(void) {
    static const struct unit_test tests[] = {
        UNIT(a_miss_that_will_be_rendered),
        UNIT(an_entry_that_a_tag_outdates_names_the_tag),
        UNIT(each_verdict_has_its_reason),
        UNIT(memory_and_reads_that_are_shared_say_so),
        UNIT(a_put_tells_what_it_stores),
        UNIT(a_revalidation_in_one_step),
        UNIT(a_revalidation_in_two_rounds_and_one_that_is_kept),
        UNIT(retries_and_a_breaker_that_is_open_are_seen),
        UNIT(an_answer_that_comes_after_the_deadline_is_no_part_of_it),
        UNIT(only_what_is_chosen_is_traced),
        UNIT(of_many_requests_twenty_a_second_are_traced_and_the_rest_counted),
        UNIT(who_asks_for_a_trace_has_it_in_the_answer),
        UNIT(whoever_hands_the_answer_on_ends_the_trace),
        UNIT(long_names_lose_their_middle_and_no_character_is_split),
        UNIT(odd_bytes_in_a_key_do_not_break_a_line),
        UNIT(more_steps_than_there_is_room_for_are_counted),
    };
    return store_main("trace", tests, N_ELEMENTS(tests));
}
