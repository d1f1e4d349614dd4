/* When the breaker opens, what passes meanwhile, and when it closes again. */
#include "layer_rig.h"
#include "log.h"

enum { CALLS = 20, WINDOW_MS = 10000, PAUSE_MS = 200, PING_MS = 500 };

static struct breaker_counters counters = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct larder_breaker_metrics *const m = &counters.m;
static struct layer_breaker_settings settings;

static void breaker_rig(void) {
    memset(m, 0, sizeof(*m));
    settings = (struct layer_breaker_settings){.rate = 50,
                                               .calls = CALLS,
                                               .window_ms = WINDOW_MS,
                                               .pause_ms = PAUSE_MS,
                                               .ping_ms = PING_MS,
                                               .seed = 5,
                                               .counters = &counters};
    rig_new(&layer_breaker, &settings);
    CU_ASSERT_EQUAL(m->state, LARDER_BREAKER_CLOSED);
}

/* One call and its answer; the status it ended with.  Not of a code that tests hold back. */
static int32_t call_ends(int32_t status) {
    struct sent s;
    send(&s, LARDER_OP_REMOVE, 500);
    if (held_count(LARDER_OP_REMOVE) > 0)
        answer(LARDER_OP_REMOVE, status);
    return sent_done(&s);
}

static bool refuses(uint32_t code) {
    struct sent s;
    send(&s, code, 500);
    bool refused = s.answers == 1 && s.op->refused && s.op->result.status == LARDER_RETRY;
    if (s.answers == 0)
        answer(code, LARDER_OK);
    sent_done(&s);
    return refused;
}

static void open_by_failures(void) {
    for (unsigned i = 0; i < CALLS; i++)
        call_ends(LARDER_RETRY);
    CU_ASSERT_EQUAL_FATAL(m->state, LARDER_BREAKER_OPEN);
}

/* How long until the next ping, in steps of ms; it is left with the driver. */
static int64_t wait_for_ping(int64_t most_ms) {
    int64_t waited = 0;
    while (held_count(LARDER_OP_PING) == 0 && waited < most_ms) {
        pass_ms(rig.r, 1);
        waited++;
    }
    CU_ASSERT_EQUAL(held_count(LARDER_OP_PING), 1);
    return waited;
}

static void it_opens_when_half_of_enough_calls_have_failed(void) {
    breaker_rig();
    for (unsigned i = 0; i < CALLS / 2; i++)
        CU_ASSERT_EQUAL(call_ends(LARDER_OK), LARDER_OK);
    for (unsigned i = 0; i < CALLS / 2 - 1; i++)
        CU_ASSERT_EQUAL(call_ends(LARDER_RETRY), LARDER_RETRY);
    CU_ASSERT_EQUAL(m->state, LARDER_BREAKER_CLOSED);
    call_ends(LARDER_INTERNAL);
    CU_ASSERT_EQUAL(m->state, LARDER_BREAKER_OPEN);
    CU_ASSERT(m->opened == 1 && m->failures == 10 && m->stuck == 0);
    CU_ASSERT_EQUAL(m->since_ms, test_clock.ms);
    rig_done();
}

static void failures_that_are_few_or_long_ago_do_not_open_it(void) {
    breaker_rig();
    for (unsigned i = 0; i < CALLS - 1; i++)
        call_ends(LARDER_RETRY);
    CU_ASSERT_EQUAL(m->state, LARDER_BREAKER_CLOSED);
    pass_ms(rig.r, WINDOW_MS + WINDOW_MS / 4);
    call_ends(LARDER_RETRY);
    CU_ASSERT_EQUAL(m->state, LARDER_BREAKER_CLOSED);
    for (unsigned i = 0; i < 100; i++) { /* one in three */
        call_ends(LARDER_OK);
        call_ends(LARDER_MISS);
        call_ends(LARDER_RETRY);
    }
    CU_ASSERT_EQUAL(m->state, LARDER_BREAKER_CLOSED);
    rig_done();
}

static void an_answer_is_no_failure_whatever_it_says(void) {
    static const int32_t answers[] = {LARDER_MISS,      LARDER_DENIED,  LARDER_INVALID,
                                      LARDER_TOO_BIG,   LARDER_CORRUPT, LARDER_UNSUPPORTED,
                                      LARDER_THROTTLED, LARDER_NOMEM,   LARDER_CANCELLED};
    breaker_rig();
    for (size_t i = 0; i < N_ELEMENTS(answers); i++)
        for (unsigned k = 0; k < 2 * CALLS; k++)
            CU_ASSERT_EQUAL(call_ends(answers[i]), answers[i]);
    CU_ASSERT(m->state == LARDER_BREAKER_CLOSED && m->failures == 0);
    rig_done();
}

static void a_silent_driver_opens_it_by_the_deadlines_alone(void) {
    struct sent s[5];
    breaker_rig();
    for (unsigned i = 0; i < 5; i++) {
        send(&s[i], LARDER_OP_GET, 500);
        pass_ms(rig.r, 100);
    }
    pass_ms(rig.r, 399); /* the fifth was sent 499 ms ago */
    CU_ASSERT(m->state == LARDER_BREAKER_CLOSED && m->stuck == 4);
    pass_ms(rig.r, 11); /* it looks at most every 10 ms */
    CU_ASSERT(m->state == LARDER_BREAKER_OPEN && m->stuck == 5 && m->failures == 5);
    CU_ASSERT(refuses(LARDER_OP_GET));
    for (unsigned i = 0; i < 5; i++) { /* too late to say anything */
        answer(LARDER_OP_GET, LARDER_RETRY);
        sent_done(&s[i]);
    }
    CU_ASSERT_EQUAL(m->failures, 5);
    wait_for_ping(PAUSE_MS);
    answer(LARDER_OP_PING, LARDER_OK);
    rig_done();
}

static void a_good_answer_breaks_the_silence_and_a_late_one_does_not(void) {
    struct sent s[5];
    breaker_rig();
    for (unsigned i = 0; i < 4; i++)
        send(&s[i], LARDER_OP_GET, 100);
    pass_ms(rig.r, 120);
    CU_ASSERT_EQUAL(m->stuck, 4);
    call_ends(LARDER_MISS);
    send(&s[4], LARDER_OP_GET, 100);
    pass_ms(rig.r, 120);
    CU_ASSERT(m->stuck == 5 && m->state == LARDER_BREAKER_CLOSED);
    for (unsigned i = 0; i < 5; i++) {
        answer(LARDER_OP_GET, LARDER_OK);
        sent_done(&s[i]);
    }
    for (unsigned i = 0; i < 4; i++)
        send(&s[i], LARDER_OP_GET, 100);
    pass_ms(rig.r, 120);
    CU_ASSERT(m->stuck == 9 && m->state == LARDER_BREAKER_OPEN);
    for (unsigned i = 0; i < 4; i++) {
        answer(LARDER_OP_GET, LARDER_OK);
        sent_done(&s[i]);
    }
    rig_done();
}

static void a_call_that_is_given_up_may_fail_but_not_hang(void) {
    struct sent s[8];
    breaker_rig();
    for (unsigned i = 0; i < 8; i++) {
        send(&s[i], LARDER_OP_GET, 100);
        backend_cancel(s[i].op);
    }
    for (unsigned i = 0; i < 4; i++) {
        answer(LARDER_OP_GET, LARDER_RETRY);
        sent_done(&s[i]);
    }
    CU_ASSERT_EQUAL(m->failures, 0);
    pass_ms(rig.r, 200);
    CU_ASSERT(m->stuck == 4 && m->failures == 4);
    for (unsigned i = 4; i < 8; i++) {
        answer(LARDER_OP_GET, LARDER_CANCELLED);
        sent_done(&s[i]);
    }
    rig_done();
}

static void while_open_all_is_refused_but_what_asks_for_the_truth(void) {
    static const uint32_t pass[] = {LARDER_OP_PING, LARDER_OP_PROVISION, LARDER_OP_EXPLAIN};
    breaker_rig();
    open_by_failures();
    unsigned refused = 0;
    for (uint32_t code = LARDER_OP_GET; code < LARDER_OP_PING; code++) {
        if (code == LARDER_OP_CLAIM || code == LARDER_OP_RELEASE)
            continue; /* the driver of this test has none */
        CU_ASSERT(refuses(code));
        refused++;
    }
    CU_ASSERT_EQUAL(m->refused, refused);
    for (size_t i = N_ELEMENTS(pass); i-- > 1;)
        CU_ASSERT_FALSE(refuses(pass[i]));
    CU_ASSERT_EQUAL(m->state, LARDER_BREAKER_OPEN);
    CU_ASSERT_FALSE(refuses(LARDER_OP_PING));
    CU_ASSERT_EQUAL(m->state, LARDER_BREAKER_CLOSED); /* a ping from above counts as one of its own */
    rig_done();
}

static char logged[2][512];
static unsigned n_logged;

static void keep_line(void *arg, int32_t level, const char *line) {
    (void)arg;
    CU_ASSERT_EQUAL(level, LARDER_LOG_WARN);
    snprintf(logged[n_logged++ % 2], sizeof(logged[0]), "%s", line);
}

static void a_refusal_names_the_driver_the_time_the_reason_and_the_last_error(void) {
    struct sent s;
    n_logged = 0;
    larder_set_log(keep_line, NULL);
    breaker_rig();
    int64_t second = test_clock.ms / 1000 % 86400;
    char since[64];
    snprintf(since, sizeof(since), "the breaker of held is open since %02d:%02d:%02d UTC (",
             (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60));
    open_by_failures();
    send(&s, LARDER_OP_GET, 500);
    CU_ASSERT_EQUAL_FATAL(s.answers, 1);
    CU_ASSERT_EQUAL(strncmp(s.op->result.detail, since, strlen(since)), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(s.op->result.detail, "20 of 20 calls failed"));
    CU_ASSERT_PTR_NOT_NULL(strstr(s.op->result.detail, "last error: retry: as the test said"));
    CU_ASSERT_STRING_EQUAL(m->reason, s.op->result.detail);
    CU_ASSERT(s.op->result.retry_after_ms >= 1 && s.op->result.retry_after_ms <= PAUSE_MS + 1);
    sent_done(&s);
    CU_ASSERT_EQUAL(n_logged, 1);
    CU_ASSERT_STRING_EQUAL(logged[0], m->reason);
    wait_for_ping(PAUSE_MS);
    answer(LARDER_OP_PING, LARDER_OK);
    CU_ASSERT_EQUAL(n_logged, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(logged[1], "closed again"));
    larder_set_log(NULL, NULL);
    rig_done();
}

static void a_good_ping_closes_it_and_the_past_is_forgotten(void) {
    breaker_rig();
    open_by_failures();
    int64_t waited = wait_for_ping(PAUSE_MS);
    CU_ASSERT(waited >= PAUSE_MS / 2 - 1 && waited <= PAUSE_MS);
    CU_ASSERT(m->state == LARDER_BREAKER_HALF_OPEN && m->probes == 1);
    CU_ASSERT(refuses(LARDER_OP_GET));     /* until the ping is back */
    answer(LARDER_OP_PING, LARDER_DENIED); /* which is an answer */
    CU_ASSERT_EQUAL(m->state, LARDER_BREAKER_CLOSED);
    for (unsigned i = 0; i < CALLS - 1; i++)
        call_ends(LARDER_RETRY);
    CU_ASSERT_EQUAL(m->state, LARDER_BREAKER_CLOSED);
    rig_done();
}

static void pings_in_vain_come_later_and_later_up_to_a_bound(void) {
    int64_t bound = PAUSE_MS;
    breaker_rig();
    open_by_failures();
    for (unsigned i = 0; i < 10; i++) {
        int64_t waited = wait_for_ping(10000);
        CU_ASSERT(waited >= bound / 2 - 1 && waited <= bound + 1);
        answer(LARDER_OP_PING, LARDER_RETRY);
        CU_ASSERT_EQUAL(m->state, LARDER_BREAKER_OPEN);
        bound = bound * 2 < 5000 ? bound * 2 : 5000;
    }
    wait_for_ping(10000);
    answer(LARDER_OP_PING, LARDER_OK);
    CU_ASSERT_EQUAL(m->state, LARDER_BREAKER_CLOSED);
    rig_done();
}

static void a_ping_without_an_answer_does_not_keep_it_open_for_ever(void) {
    breaker_rig();
    open_by_failures();
    wait_for_ping(PAUSE_MS);
    struct larder_op *first = held_take(LARDER_OP_PING);
    CU_ASSERT_EQUAL(first->deadline_ns, test_clock.ns + PING_MS * UINT64_C(1000000));
    pass_ms(rig.r, PING_MS);
    CU_ASSERT_EQUAL(m->state, LARDER_BREAKER_OPEN);
    wait_for_ping(10000);
    struct larder_op *second = held_take(LARDER_OP_PING);
    pass_ms(rig.r, PING_MS);
    wait_for_ping(10000);
    struct larder_op *third = held_take(LARDER_OP_PING);
    for (unsigned i = 0; i < 60; i++)
        pass_ms(rig.r, 1000);
    CU_ASSERT_EQUAL(held_count(LARDER_OP_PING), 0); /* three are out: enough */
    CU_ASSERT(refuses(LARDER_OP_GET));
    answer_status(second, LARDER_RETRY);
    settle(rig.r);
    CU_ASSERT_EQUAL(m->state, LARDER_BREAKER_OPEN);
    wait_for_ping(10000);
    answer_status(first, LARDER_OK); /* the server goes on: late, but it answers */
    settle(rig.r);
    CU_ASSERT_EQUAL(m->state, LARDER_BREAKER_CLOSED);
    answer_status(third, LARDER_RETRY); /* says nothing any more */
    answer(LARDER_OP_PING, LARDER_RETRY);
    CU_ASSERT_EQUAL(m->state, LARDER_BREAKER_CLOSED);
    rig_done();
}

static void calls_from_before_it_opened_do_not_open_it_again(void) {
    struct sent old[8];
    breaker_rig();
    for (unsigned i = 0; i < 8; i++)
        send(&old[i], LARDER_OP_PUT, 2000);
    open_by_failures();
    wait_for_ping(PAUSE_MS);
    answer(LARDER_OP_PING, LARDER_OK);
    pass_ms(rig.r, 3000); /* their deadlines pass */
    CU_ASSERT_EQUAL(m->state, LARDER_BREAKER_CLOSED);
    for (unsigned i = 0; i < 8; i++) {
        answer(LARDER_OP_PUT, LARDER_RETRY);
        sent_done(&old[i]);
    }
    CU_ASSERT(m->state == LARDER_BREAKER_CLOSED && m->opened == 1);
    rig_done();
}

static void one_that_opens_again_soon_is_more_patient(void) {
    breaker_rig();
    int64_t bounds[] = {PAUSE_MS, 2 * PAUSE_MS, 4 * PAUSE_MS, PAUSE_MS};
    for (size_t i = 0; i < N_ELEMENTS(bounds); i++) {
        if (i == 3)
            pass_ms(rig.r, WINDOW_MS);
        open_by_failures();
        int64_t waited = wait_for_ping(10000);
        CU_ASSERT(waited >= bounds[i] / 2 - 1 && waited <= bounds[i] + 1);
        answer(LARDER_OP_PING, LARDER_OK);
        CU_ASSERT_EQUAL(m->state, LARDER_BREAKER_CLOSED);
    }
    CU_ASSERT_EQUAL(m->opened, 4);
    rig_done();
}

static void an_op_without_a_deadline_is_never_stuck(void) {
    struct sent s[6];
    breaker_rig();
    for (unsigned i = 0; i < 6; i++)
        send(&s[i], LARDER_OP_LIST, 0);
    pass_ms(rig.r, 1000000);
    CU_ASSERT_EQUAL(m->stuck, 0);
    for (unsigned i = 0; i < 6; i++) {
        answer(LARDER_OP_LIST, LARDER_OK);
        sent_done(&s[i]);
    }
    rig_done();
}

static void a_call_that_had_no_time_says_nothing(void) {
    struct sent s;
    breaker_rig();
    for (unsigned i = 0; i < CALLS; i++) {
        send(&s, LARDER_OP_GET, 1);
        pass_ms(rig.r, i % 2 ? 20 : 0);
        answer(LARDER_OP_GET, LARDER_DEADLINE);
        sent_done(&s);
    }
    CU_ASSERT(m->state == LARDER_BREAKER_CLOSED && m->failures == 0);
    for (unsigned i = 0; i < 5; i++) {
        send(&s, LARDER_OP_GET, 3);
        answer(LARDER_OP_GET, LARDER_DEADLINE);
        sent_done(&s);
    }
    CU_ASSERT(m->state == LARDER_BREAKER_OPEN && m->stuck == 5);
    rig_done();
}

/* ---- with retries above -------------------------------------------------------------------- */

static void a_refusal_is_not_repeated(void) {
    static struct larder_retry_metrics retried;
    const struct layer_retry_settings retry = {
        .retries = 5, .base_ms = 0, .cap_ms = 0, .seed = 1, .counters = &retried};
    struct sent s;
    breaker_rig();
    open_by_failures();
    struct backend *breaker = rig.top;
    rig.top = backend_new(rig.r, &layer_retry, &retry, breaker);
    send(&s, LARDER_OP_GET, 500);
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_RETRY);
    CU_ASSERT(retried.retries == 0 && m->refused == 1);
    backend_free(rig.top);
    rig.top = breaker;
    rig_done();
}

UNIT_MAIN("breaker", UNIT(it_opens_when_half_of_enough_calls_have_failed),
          UNIT(failures_that_are_few_or_long_ago_do_not_open_it),
          UNIT(an_answer_is_no_failure_whatever_it_says),
          UNIT(a_silent_driver_opens_it_by_the_deadlines_alone),
          UNIT(a_good_answer_breaks_the_silence_and_a_late_one_does_not),
          UNIT(a_call_that_is_given_up_may_fail_but_not_hang),
          UNIT(while_open_all_is_refused_but_what_asks_for_the_truth),
          UNIT(a_refusal_names_the_driver_the_time_the_reason_and_the_last_error),
          UNIT(a_good_ping_closes_it_and_the_past_is_forgotten),
          UNIT(pings_in_vain_come_later_and_later_up_to_a_bound),
          UNIT(a_ping_without_an_answer_does_not_keep_it_open_for_ever),
          UNIT(calls_from_before_it_opened_do_not_open_it_again),
          UNIT(one_that_opens_again_soon_is_more_patient), UNIT(an_op_without_a_deadline_is_never_stuck),
          UNIT(a_call_that_had_no_time_says_nothing), UNIT(a_refusal_is_not_repeated))
