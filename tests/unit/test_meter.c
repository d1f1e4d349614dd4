/* What is counted, where it goes, and that histograms add up. */
#include "histogram.h"
#include "layer_rig.h"
#include "random.h"

static struct meter meter;
static const struct layer_meter_settings settings = {&meter};

static void meter_rig(void) {
    memset(&meter, 0, sizeof(meter));
    rig_new(&layer_meter, &settings);
}

static void every_answer_is_counted_under_its_class(void) {
    meter_rig();
    for (int32_t status = LARDER_MISS; status >= LARDER_INTERNAL; status--) {
        struct sent s;
        send(&s, LARDER_OP_GET, 0);
        CU_ASSERT_EQUAL(meter.inflight, 1);
        answer(LARDER_OP_GET, status);
        CU_ASSERT_EQUAL(sent_done(&s), status);
        CU_ASSERT_EQUAL(meter.ops[LARDER_OP_GET].answers[LARDER_CLASS(status)], 1);
        CU_ASSERT_EQUAL(LARDER_STATUS_OF(LARDER_CLASS(status)), status);
    }
    CU_ASSERT_EQUAL(meter.inflight, 0);
    CU_ASSERT_EQUAL(meter.ops[LARDER_OP_GET].latency.count, LARDER_N_CLASSES);
    CU_ASSERT_EQUAL(meter.ops[LARDER_OP_PUT].latency.count, 0);
    rig_done();
}

static void a_status_that_no_header_has_is_counted_as_internal(void) {
    struct sent s;
    meter_rig();
    send(&s, LARDER_OP_GET, 0);
    answer(LARDER_OP_GET, -12345);
    CU_ASSERT_EQUAL(sent_done(&s), -12345);
    CU_ASSERT_EQUAL(meter.ops[LARDER_OP_GET].answers[LARDER_CLASS(LARDER_INTERNAL)], 1);
    rig_done();
}

static void bytes_and_records_are_counted_where_they_pass(void) {
    struct larder_slice value = {0};
    struct sent s;
    meter_rig();
    CU_ASSERT_PTR_NOT_NULL_FATAL(buf_new(1000, &value));
    send_in(&s, LARDER_OP_PUT, &(struct op_inputs){.key = bytes_of("k"), .value = value}, 0);
    answer(LARDER_OP_PUT, LARDER_OK);
    sent_done(&s);
    send(&s, LARDER_OP_GET, 0);
    answer_value(held_take(LARDER_OP_GET), value, 1);
    settle(rig.r);
    sent_done(&s);
    const struct larder_mark marks[] = {{bytes_of("a"), 1, 1, 1}, {bytes_of("b"), 1, 1, 1}};
    send_in(&s, LARDER_OP_TAGS_READ, &(struct op_inputs){.marks = marks, .n_marks = 2}, 0);
    answer_marks(held_take(LARDER_OP_TAGS_READ), marks, 2);
    settle(rig.r);
    sent_done(&s);
    CU_ASSERT_EQUAL(meter.ops[LARDER_OP_PUT].bytes_sent, 1000);
    CU_ASSERT_EQUAL(meter.ops[LARDER_OP_GET].bytes_received, 1000);
    CU_ASSERT_EQUAL(meter.ops[LARDER_OP_GET].bytes_sent, 0);
    CU_ASSERT_EQUAL(meter.ops[LARDER_OP_TAGS_READ].records, 2);
    rig_done();
}

static void time_in_the_drivers_queue_counts(void) {
    struct sent one, two;
    held_info.max_inflight = 1;
    meter_rig();
    send(&one, LARDER_OP_GET, 0);
    send(&two, LARDER_OP_GET, 0);
    CU_ASSERT_EQUAL(held_count(0), 1);
    CU_ASSERT_EQUAL(rig.below->n_waiting, 1);
    CU_ASSERT_EQUAL(rig.top->n_waiting, 0); /* a layer has no queue */
    CU_ASSERT_EQUAL(meter.inflight, 2);
    pass_ms(rig.r, 10);
    answer(LARDER_OP_GET, LARDER_MISS);
    pass_ms(rig.r, 10);
    answer(LARDER_OP_GET, LARDER_MISS);
    sent_done(&one);
    sent_done(&two);
    CU_ASSERT_EQUAL(meter.ops[LARDER_OP_GET].latency.sum_ns, 30000000);
    CU_ASSERT_EQUAL(meter.ops[LARDER_OP_GET].latency.max_ns, 20000000);
    rig_done();
}

/* ---- buckets ------------------------------------------------------------------------------ */

static void every_duration_is_below_its_buckets_limit_and_not_below_the_one_before(void) {
    uint64_t seed = 11;
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t ns = random_next(&seed) >> random_below(&seed, 64);
        size_t bucket = histogram_bucket(ns);
        CU_ASSERT_FATAL(bucket < LARDER_N_BUCKETS);
        if (ns >= larder_bucket_limit_ns(bucket) && bucket != LARDER_N_BUCKETS - 1)
            CU_FAIL_FATAL("above its bucket");
        if (bucket > 0 && ns < larder_bucket_limit_ns(bucket - 1))
            CU_FAIL_FATAL("below its bucket");
    }
    CU_ASSERT_EQUAL(histogram_bucket(0), 0);
    CU_ASSERT_EQUAL(histogram_bucket(63), 0);
    CU_ASSERT_EQUAL(histogram_bucket(64), 1);
    CU_ASSERT_EQUAL(histogram_bucket((UINT64_C(1) << 36) - 1), LARDER_N_BUCKETS - 2);
    CU_ASSERT_EQUAL(histogram_bucket(UINT64_C(1) << 36), LARDER_N_BUCKETS - 1);
    CU_ASSERT_EQUAL(larder_bucket_limit_ns(LARDER_N_BUCKETS - 1), UINT64_MAX);
}

static void a_bucket_is_at_most_a_sixteenth_wide(void) {
    for (size_t i = 1; i < LARDER_N_BUCKETS - 1; i++) {
        uint64_t low = larder_bucket_limit_ns(i - 1), high = larder_bucket_limit_ns(i);
        CU_ASSERT_FATAL(high > low && (high - low) * 16 <= low);
    }
}

static void histograms_of_two_processes_add_up_to_that_of_both(void) {
    static struct larder_histogram one, two, both;
    uint64_t seed = 12;
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t ns = random_next(&seed) >> (20 + random_below(&seed, 40));
        larder_histogram_record(i % 3 ? &one : &two, ns);
        larder_histogram_record(&both, ns);
    }
    larder_histogram_add(&one, &two);
    CU_ASSERT_EQUAL(memcmp(&one, &both, sizeof(one)), 0);
}

static void a_quantile_is_at_most_a_bucket_too_high(void) {
    static struct larder_histogram h;
    CU_ASSERT_EQUAL(larder_histogram_quantile(&h, 0.5), 0);
    for (uint64_t us = 1; us <= 1000; us++)
        larder_histogram_record(&h, us * 1000);
    static const double qs[] = {0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999};
    for (size_t i = 0; i < N_ELEMENTS(qs); i++) {
        double exact = qs[i] * 1000 * 1000, told = (double)larder_histogram_quantile(&h, qs[i]);
        CU_ASSERT(told >= exact && told <= exact * 1.07 + 1);
    }
    CU_ASSERT_EQUAL(larder_histogram_quantile(&h, 1), 1000000);
    CU_ASSERT_EQUAL(larder_histogram_quantile(&h, 2), 1000000);
    CU_ASSERT(larder_histogram_quantile(&h, 0) <= 1070);
    CU_ASSERT(larder_histogram_quantile(&h, -1) <= 1070);
}

UNIT_MAIN("meter", UNIT(every_answer_is_counted_under_its_class),
          UNIT(a_status_that_no_header_has_is_counted_as_internal),
          UNIT(bytes_and_records_are_counted_where_they_pass), UNIT(time_in_the_drivers_queue_counts),
          UNIT(every_duration_is_below_its_buckets_limit_and_not_below_the_one_before),
          UNIT(a_bucket_is_at_most_a_sixteenth_wide),
          UNIT(histograms_of_two_processes_add_up_to_that_of_both),
          UNIT(a_quantile_is_at_most_a_bucket_too_high))
