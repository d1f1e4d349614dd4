/* When a failed op is sent again, how long that waits, and when it is not. */
#include "layer_rig.h"
#define FAILING_ALLOC_HERE
#include "failing_alloc.h"

static struct larder_retry_metrics m;
static struct layer_retry_settings settings;

static void retry_rig(int64_t retries, int64_t base_ms) {
    memset(&m, 0, sizeof(m));
    settings = (struct layer_retry_settings){
        .retries = retries, .base_ms = base_ms, .cap_ms = 1000, .seed = 5, .counters = &m};
    rig_new(&layer_retry, &settings);
}

/* Answers, lets the longest wait pass and looks whether the op came again. */
static bool comes_again(uint32_t code, int32_t status, int64_t wait_ms) {
    answer(code, status);
    pass_ms(rig.r, wait_ms);
    return held_count(code) == 1;
}

static void a_passing_fault_is_repeated_and_its_success_is_the_answer(void) {
    struct sent s;
    retry_rig(2, 20);
    send(&s, LARDER_OP_GET, 500);
    uint64_t first = held_take(LARDER_OP_GET)->id;
    answer_status(&s.op->pub, LARDER_RETRY);
    settle(rig.r);
    CU_ASSERT_EQUAL(m.waiting, 1);
    pass_ms(rig.r, 20);
    CU_ASSERT_EQUAL_FATAL(held_count(LARDER_OP_GET), 1);
    CU_ASSERT_EQUAL(s.answers, 0);
    CU_ASSERT(s.op->pub.id != first); /* another call, as far as logs are concerned */
    answer(LARDER_OP_GET, LARDER_MISS);
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_MISS);
    CU_ASSERT(m.retries == 1 && m.recovered == 1 && m.exhausted == 0 && m.waiting == 0);
    rig_done();
}

static void after_the_last_attempt_the_failure_is_the_answer(void) {
    struct sent s;
    retry_rig(2, 20);
    send(&s, LARDER_OP_GET, 5000);
    CU_ASSERT(comes_again(LARDER_OP_GET, LARDER_RETRY, 20));
    CU_ASSERT(comes_again(LARDER_OP_GET, LARDER_RETRY, 40));
    answer(LARDER_OP_GET, LARDER_RETRY);
    CU_ASSERT_EQUAL_FATAL(s.answers, 1);
    CU_ASSERT_STRING_EQUAL(s.op->result.detail, "as the test said");
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_RETRY);
    CU_ASSERT(m.retries == 2 && m.recovered == 0 && m.exhausted == 1);
    rig_done();
}

static void a_driver_may_say_how_often_its_calls_are_attempted(void) {
    struct sent s;
    for (uint32_t most = 1; most < 5; most++) {
        held_info.max_attempts = most;
        retry_rig(2, 20);
        send(&s, LARDER_OP_GET, 5000);
        for (uint32_t i = 1; i < most; i++)
            CU_ASSERT(comes_again(LARDER_OP_GET, LARDER_RETRY, 1000));
        answer(LARDER_OP_GET, LARDER_RETRY);
        CU_ASSERT_EQUAL(sent_done(&s), LARDER_RETRY);
        CU_ASSERT_EQUAL(m.retries, most - 1);
        rig_done();
    }
}

static void only_passing_faults_are_repeated(void) {
    retry_rig(5, 20);
    for (int32_t status = LARDER_MISS; status >= LARDER_INTERNAL; status--) {
        struct sent s;
        if (status == LARDER_RETRY || status == LARDER_THROTTLED)
            continue;
        send(&s, LARDER_OP_GET, 5000);
        answer(LARDER_OP_GET, status);
        CU_ASSERT_EQUAL(sent_done(&s), status);
    }
    CU_ASSERT(m.retries == 0 && m.exhausted == 0);
    rig_done();
}

static void every_op_may_be_repeated(void) {
    retry_rig(1, 20);
    for (uint32_t code = LARDER_OP_GET; code <= LARDER_OP_EXPLAIN; code++) {
        struct sent s;
        if (code == LARDER_OP_CLAIM || code == LARDER_OP_RELEASE)
            continue; /* the driver of this test has none */
        send(&s, code, 500);
        CU_ASSERT(comes_again(code, LARDER_RETRY, 20));
        answer(code, LARDER_OK);
        CU_ASSERT_EQUAL(sent_done(&s), LARDER_OK);
    }
    rig_done();
}

static void what_a_failed_attempt_emitted_is_dropped(void) {
    struct sent s;
    const struct larder_mark mark = {bytes_of("t"), 1, 2, 3};
    struct larder_slice value = {0};
    retry_rig(1, 20);
    send(&s, LARDER_OP_LIST, 500);
    struct larder_op *op = held_take(LARDER_OP_LIST);
    CU_ASSERT_PTR_NOT_NULL_FATAL(op);
    op_emit_key(op, bytes_of("half"));
    op_emit_mark(op, &mark);
    op_emit_text(op, bytes_of("a page"));
    op->scratch[0] = op->scratch[3] = op; /* what a driver leaves behind */
    CU_ASSERT_PTR_NOT_NULL_FATAL(buf_new(10, &value));
    struct larder_result res = {.size = sizeof(res), .status = LARDER_RETRY, .value = value, .epoch = 4};
    op_complete(op, &res);
    settle(rig.r);
    pass_ms(rig.r, 20);
    op = held_take(LARDER_OP_LIST);
    CU_ASSERT_PTR_NOT_NULL_FATAL(op);
    CU_ASSERT(op->scratch[0] == NULL && op->scratch[3] == NULL);
    op_emit_key(op, bytes_of("whole"));
    answer_status(op, LARDER_OK);
    settle(rig.r);
    CU_ASSERT_EQUAL_FATAL(s.op->n_keys, 1);
    CU_ASSERT(bytes_equal(s.op->keys[0], bytes_of("whole")));
    CU_ASSERT(s.op->n_marks == 0 && s.op->text_len == 0);
    CU_ASSERT(s.op->result.value.len == 0 && s.op->result.epoch == 0);
    sent_done(&s);
    rig_done();
}

static void an_attempt_that_cannot_end_in_time_is_not_begun(void) {
    struct sent s;
    retry_rig(5, 0);
    send(&s, LARDER_OP_GET, 100);
    pass_ms(rig.r, 94);
    CU_ASSERT(comes_again(LARDER_OP_GET, LARDER_RETRY, 0)); /* 6 ms are left */
    pass_ms(rig.r, 2);
    answer(LARDER_OP_GET, LARDER_RETRY);
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_RETRY); /* at once: nobody waits in vain */
    CU_ASSERT_EQUAL(m.exhausted, 1);

    send(&s, LARDER_OP_GET, 1);
    answer(LARDER_OP_GET, LARDER_RETRY);
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_RETRY);
    rig_done();
}

static void a_time_that_the_store_names_is_the_least_wait(void) {
    static const int32_t statuses[] = {LARDER_RETRY, LARDER_THROTTLED};
    for (size_t i = 0; i < N_ELEMENTS(statuses); i++) {
        struct sent s;
        retry_rig(1, 20);
        send(&s, LARDER_OP_GET, 500);
        struct larder_result res = {.size = sizeof(res), .status = statuses[i], .retry_after_ms = 300};
        op_complete(held_take(LARDER_OP_GET), &res);
        settle(rig.r);
        pass_ms(rig.r, 299);
        CU_ASSERT_EQUAL(held_count(0), 0);
        pass_ms(rig.r, 22); /* 1 more, 20 of jitter, 1 of pace */
        CU_ASSERT_EQUAL(held_count(0), 1);
        answer(LARDER_OP_GET, LARDER_OK);
        sent_done(&s);

        send(&s, LARDER_OP_GET, 200); /* which has no time for that */
        if (s.answers == 0) {
            op_complete(held_take(LARDER_OP_GET), &res);
            settle(rig.r);
        }
        CU_ASSERT_EQUAL(sent_done(&s), statuses[i]);
        rig_done();
    }
}

static void waits_are_random_up_to_a_bound_that_doubles_up_to_the_cap(void) {
    enum { N = 200 };
    static struct sent s[N];
    struct op_inputs in = {.key = bytes_of("k")};
    retry_rig(3, 100);
    settings.cap_ms = 150;
    rig_done();
    rig_new(&layer_retry, &settings);
    unsigned early = 0, before[3] = {0};
    static const int64_t bounds[3] = {100, 150, 150};
    /* 100 at a time have tokens. */
    for (unsigned i = 0; i < 30; i++)
        send_in(&s[i], LARDER_OP_GET, &in, 0);
    for (unsigned round = 0; round < 3; round++) {
        while (held_count(0) > 0)
            answer_status(held_take(0), LARDER_RETRY);
        settle(rig.r);
        pass_ms(rig.r, bounds[round] / 2);
        before[round] = (unsigned)held_count(0);
        early += before[round];
        pass_ms(rig.r, bounds[round] / 2);
        CU_ASSERT_EQUAL(held_count(0), 30); /* none is later than the bound */
        CU_ASSERT(before[round] > 5 && before[round] < 25);
    }
    CU_ASSERT(early > 25 && early < 65); /* of 90: the seed makes it the same number each time */
    while (held_count(0) > 0)
        answer_status(held_take(0), LARDER_OK);
    settle(rig.r);
    for (unsigned i = 0; i < 30; i++)
        sent_done(&s[i]);
    rig_done();
}

static void an_outage_makes_a_hundred_extra_calls_and_no_more(void) {
    unsigned calls = 0;
    retry_rig(2, 0);
    for (unsigned i = 0; i < 1000; i++) {
        struct sent s;
        send(&s, LARDER_OP_GET, 500);
        while (held_count(0) > 0) {
            answer(LARDER_OP_GET, LARDER_RETRY);
            calls++;
        }
        CU_ASSERT_EQUAL(sent_done(&s), LARDER_RETRY);
    }
    CU_ASSERT_EQUAL(calls, 1100);
    CU_ASSERT(m.tokens == 0 && m.retries == 100 && m.without_tokens == 950);
    rig_done();
}

static void successes_fill_the_bucket_again(void) {
    struct sent s;
    retry_rig(1, 0);
    while (m.tokens > 0) {
        send(&s, LARDER_OP_GET, 0);
        answer(LARDER_OP_GET, LARDER_RETRY);
        answer(LARDER_OP_GET, LARDER_RETRY);
        sent_done(&s);
    }
    for (unsigned i = 0; i < 5; i++) {
        send(&s, LARDER_OP_GET, 0);
        answer(LARDER_OP_GET, LARDER_RETRY);
        CU_ASSERT_EQUAL(sent_done(&s), LARDER_RETRY); /* no token yet */
        send(&s, LARDER_OP_GET, 0);
        answer(LARDER_OP_GET, LARDER_OK);
        sent_done(&s);
    }
    CU_ASSERT_EQUAL(m.tokens, 5);
    send(&s, LARDER_OP_GET, 0);
    answer(LARDER_OP_GET, LARDER_RETRY);
    answer(LARDER_OP_GET, LARDER_OK);
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_OK);
    CU_ASSERT_EQUAL(m.tokens, 5); /* a repetition that succeeds costs nothing */
    rig_done();
}

static void a_wait_can_be_cancelled(void) {
    struct sent s;
    retry_rig(5, 100);
    send(&s, LARDER_OP_GET, 500);
    answer(LARDER_OP_GET, LARDER_RETRY);
    CU_ASSERT_EQUAL(m.waiting, 1);
    backend_cancel(s.op);
    settle(rig.r);
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_CANCELLED);
    CU_ASSERT_EQUAL(m.waiting, 0);
    pass_ms(rig.r, 1000);
    rig_done();
}

static void what_nobody_wants_any_more_is_not_repeated(void) {
    struct sent s;
    retry_rig(5, 0);
    send(&s, LARDER_OP_GET, 500);
    backend_cancel(s.op); /* the driver has no cancel() */
    answer(LARDER_OP_GET, LARDER_RETRY);
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_CANCELLED);
    CU_ASSERT_EQUAL(m.retries, 0);
    rig_done();
}

static void without_memory_for_a_wait_the_failure_is_the_answer(void) {
    unsigned failed = 0;
    retry_rig(1, 20);
    for (unsigned long n = 1;; n++) {
        struct sent s;
        send(&s, LARDER_OP_GET, 500);
        alloc_failures = 0;
        alloc_countdown = n;
        answer(LARDER_OP_GET, LARDER_RETRY);
        alloc_countdown = 0;
        if (alloc_failures == 0) {
            pass_ms(rig.r, 20);
            answer(LARDER_OP_GET, LARDER_OK);
            sent_done(&s);
            break;
        }
        failed++;
        CU_ASSERT_EQUAL(sent_done(&s), LARDER_RETRY);
    }
    CU_ASSERT(failed >= 1 && m.waiting == 0);
    rig_done();
}

static void more_layers_than_an_op_has_levels_for_are_an_error(void) {
    struct backend *top;
    struct sent s;
    retry_rig(1, 0);
    struct backend *first = rig.top;
    for (unsigned i = 0; i < OP_LEVELS; i++) {
        rig.top = backend_new(rig.r, &layer_retry, &settings, rig.top);
        CU_ASSERT_EQUAL_FATAL(backend_open(rig.top), LARDER_OK);
    }
    send(&s, LARDER_OP_GET, 500);
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_INTERNAL);
    while ((top = rig.top) != first) {
        rig.top = top->layer.below;
        backend_free(top);
    }
    rig_done();
}

/* ---- throttling ------------------------------------------------------------------------------ */

static void throttle_once(void) {
    struct sent s;
    send(&s, LARDER_OP_GET, 1); /* no time for a repetition */
    answer(LARDER_OP_GET, LARDER_THROTTLED);
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_THROTTLED);
}

static void throttling_spaces_out_all_calls_and_successes_close_up(void) {
    enum { N = 5 };
    struct sent s[N];
    retry_rig(2, 20);
    throttle_once();
    CU_ASSERT_EQUAL(m.pace_ns, 1000000);
    for (unsigned i = 0; i < N; i++)
        send(&s[i], LARDER_OP_PUT, 500);
    CU_ASSERT_EQUAL(held_count(0), 0);
    CU_ASSERT_EQUAL(m.waiting, N);
    for (unsigned i = 1; i <= N; i++) {
        pass_ms(rig.r, 1);
        CU_ASSERT_EQUAL(held_count(0), i);
    }
    for (unsigned i = 0; i < N; i++) {
        answer(LARDER_OP_PUT, LARDER_OK);
        sent_done(&s[i]);
    }
    CU_ASSERT(m.pace_ns < 600000 && m.pace_ns > 500000); /* (7/8)^5 of a ms */
    for (unsigned i = 0; i < 20 && m.pace_ns > 0; i++) {
        send(&s[0], LARDER_OP_PUT, 500);
        pass_ms(rig.r, 1);
        answer(LARDER_OP_PUT, LARDER_OK);
        sent_done(&s[0]);
    }
    CU_ASSERT_EQUAL(m.pace_ns, 0);
    CU_ASSERT_EQUAL(m.retries, 0); /* being held back takes no tokens */
    rig_done();
}

static void answers_to_what_was_sent_before_slow_down_only_once(void) {
    enum { N = 10 };
    struct sent s[N];
    retry_rig(1, 20);
    for (unsigned i = 0; i < N; i++)
        send(&s[i], LARDER_OP_GET, 1);
    for (unsigned i = 0; i < N; i++) {
        answer(LARDER_OP_GET, LARDER_THROTTLED);
        sent_done(&s[i]);
    }
    CU_ASSERT(m.pace_ns == 1000000 && m.throttled == N);
    pass_ms(rig.r, 10);
    throttle_once();
    CU_ASSERT_EQUAL(m.pace_ns, 2000000);
    for (unsigned i = 0; i < 20; i++) {
        pass_ms(rig.r, 2000);
        throttle_once();
    }
    CU_ASSERT_EQUAL(m.pace_ns, 1000000000); /* never slower than that */
    rig_done();
}

static void a_second_without_throttling_brings_the_pace_back_in_halves(void) {
    struct sent s;
    retry_rig(1, 20);
    for (unsigned i = 0; i < 20; i++) {
        pass_ms(rig.r, 2000);
        throttle_once();
    }
    uint64_t slowest_at = test_clock.ns;
    unsigned sends = 0;
    for (; sends < 100 && m.pace_ns > 0; sends++) {
        send(&s, LARDER_OP_PUT, 5000);
        for (unsigned i = 0; i < 1000 && held_count(0) == 0; i++)
            pass_ms(rig.r, 1);
        answer(LARDER_OP_PUT, LARDER_OK);
        CU_ASSERT_EQUAL(sent_done(&s), LARDER_OK);
    }
    CU_ASSERT_EQUAL(sends, 13); /* from a second to less than an eighth of a ms */
    CU_ASSERT(test_clock.ns - slowest_at < 2100 * UINT64_C(1000000));
    rig_done();
}

static void throttling_without_a_time_waits_longer_than_a_fault(void) {
    enum { N = 20 };
    struct sent s[N];
    unsigned before[2];
    for (unsigned round = 0; round < 2; round++) {
        retry_rig(1, 100);
        for (unsigned i = 0; i < N; i++)
            send(&s[i], LARDER_OP_GET, 0);
        while (held_count(0) > 0)
            answer_status(held_take(0), round == 0 ? LARDER_RETRY : LARDER_THROTTLED);
        settle(rig.r);
        pass_ms(rig.r, 100);
        before[round] = (unsigned)held_count(0);
        pass_ms(rig.r, 400); /* four times the base, and the pace */
        CU_ASSERT_EQUAL(held_count(0), N);
        while (held_count(0) > 0)
            answer(LARDER_OP_GET, LARDER_OK);
        for (unsigned i = 0; i < N; i++)
            sent_done(&s[i]);
        rig_done();
    }
    CU_ASSERT(before[0] == N && before[1] < N / 2);
}

static void a_call_that_cannot_be_sent_in_time_is_refused_at_once(void) {
    struct sent s;
    retry_rig(1, 20);
    send(&s, LARDER_OP_GET, 1);
    struct larder_result res = {.size = sizeof(res), .status = LARDER_THROTTLED, .retry_after_ms = 800};
    op_complete(held_take(0), &res);
    settle(rig.r);
    sent_done(&s);
    send(&s, LARDER_OP_GET, 500);
    CU_ASSERT_EQUAL_FATAL(s.answers, 1);
    CU_ASSERT(s.op->result.retry_after_ms >= 800 && s.op->result.retry_after_ms <= 802);
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_THROTTLED);
    send(&s, LARDER_OP_GET, 2000);
    CU_ASSERT_EQUAL(held_count(0), 0);
    pass_ms(rig.r, 802);
    answer(LARDER_OP_GET, LARDER_OK);
    sent_done(&s);
    rig_done();
}

static void a_call_that_is_held_back_can_be_cancelled(void) {
    struct sent s;
    retry_rig(1, 20);
    throttle_once();
    send(&s, LARDER_OP_GET, 500);
    backend_cancel(s.op);
    settle(rig.r);
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_CANCELLED);
    CU_ASSERT_EQUAL(m.waiting, 0);
    rig_done();
}

UNIT_MAIN("retry", UNIT(a_passing_fault_is_repeated_and_its_success_is_the_answer),
          UNIT(after_the_last_attempt_the_failure_is_the_answer),
          UNIT(a_driver_may_say_how_often_its_calls_are_attempted), UNIT(only_passing_faults_are_repeated),
          UNIT(every_op_may_be_repeated), UNIT(what_a_failed_attempt_emitted_is_dropped),
          UNIT(an_attempt_that_cannot_end_in_time_is_not_begun),
          UNIT(a_time_that_the_store_names_is_the_least_wait),
          UNIT(waits_are_random_up_to_a_bound_that_doubles_up_to_the_cap),
          UNIT(an_outage_makes_a_hundred_extra_calls_and_no_more), UNIT(successes_fill_the_bucket_again),
          UNIT(a_wait_can_be_cancelled), UNIT(what_nobody_wants_any_more_is_not_repeated),
          UNIT(without_memory_for_a_wait_the_failure_is_the_answer),
          UNIT(more_layers_than_an_op_has_levels_for_are_an_error),
          UNIT(throttling_spaces_out_all_calls_and_successes_close_up),
          UNIT(a_second_without_throttling_brings_the_pace_back_in_halves),
          UNIT(answers_to_what_was_sent_before_slow_down_only_once),
          UNIT(throttling_without_a_time_waits_longer_than_a_fault),
          UNIT(a_call_that_cannot_be_sent_in_time_is_refused_at_once),
          UNIT(a_call_that_is_held_back_can_be_cancelled))
