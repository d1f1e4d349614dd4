/* Ops and backends: what a driver may rely on, and what it cannot break. */
#include "buf.h"
#include "bytes.h"
#include "held.h"
#include "unit.h"

#define BYTES(text) ((struct larder_bytes){(const uint8_t *)(text), sizeof(text) - 1})

static struct op *last;
static unsigned n_done;

static void keep(void *arg, struct op *op) {
    (void)arg;
    op_free(last);
    last = op;
    n_done++;
}

static void forget(void) {
    last = op_free(last);
    n_done = 0;
}

static struct op *new_get(struct reactor *r, uint64_t deadline_ns) {
    return op_new(r, LARDER_OP_GET, &(struct op_inputs){.key = BYTES("k")}, deadline_ns, keep, NULL);
}

static void an_op_owns_copies_of_all_it_was_given(void) {
    struct reactor *r = held_reactor();
    char key[] = "key", tag[] = "tag", cursor[] = "cur";
    struct larder_mark mark = {bytes_of(tag), 1, 2, 3};
    struct larder_slice value;
    size_t before = buf_live();
    memcpy(buf_new(5, &value), "value", 5);
    struct op_inputs in = {.key = bytes_of(key),
                           .value = value,
                           .marks = &mark,
                           .n_marks = 1,
                           .cursor = bytes_of(cursor),
                           .add = 1,
                           .ttl_ms = 9,
                           .limit = 4,
                           .flags = LARDER_IF_ABSENT};
    struct op *op = op_new(r, LARDER_OP_PUT, &in, 77, keep, NULL);
    CU_ASSERT_FATAL(op != NULL);
    memset(key, '!', 3), memset(tag, '!', 3), memset(cursor, '!', 3);
    slice_done(&value);
    CU_ASSERT(bytes_equal(op->pub.key, BYTES("key")) && bytes_equal(op->pub.cursor, BYTES("cur")));
    CU_ASSERT(bytes_equal(op->pub.marks[0].tag, BYTES("tag")) && op->pub.marks[0].expire_at_ms == 3);
    CU_ASSERT(op->pub.value.len == 5 && memcmp(op->pub.value.ptr, "value", 5) == 0);
    CU_ASSERT(op->pub.deadline_ns == 77 && op->pub.now_ms == test_clock.ms &&
              op->pub.flags == LARDER_IF_ABSENT);
    CU_ASSERT(op->pub.scratch[0] == NULL && op->pub.scratch[3] == NULL);
    op_free(op);
    CU_ASSERT(buf_live() == before);
    reactor_free(r);
}

static void done_is_called_later_also_when_the_driver_completes_at_once(void) {
    struct reactor *r = held_reactor();
    struct backend *b = backend_new(r, &held_driver, NULL, NULL);
    held_info.open_status = LARDER_DENIED; /* the quickest completion: it cannot be opened */
    backend_call(b, new_get(r, UINT64_MAX));
    CU_ASSERT(n_done == 0);
    settle(r);
    CU_ASSERT(n_done == 1 && last->result.status == LARDER_DENIED);
    CU_ASSERT_STRING_EQUAL(last->result.detail, "held shut");
    held_info.open_status = LARDER_OK;
    forget();
    backend_free(b);
    reactor_free(r);
}

static void a_function_that_is_missing_is_unsupported(void) {
    struct reactor *r = held_reactor();
    struct backend *b = backend_new(r, &held_driver_two_rounds, NULL, NULL);
    CU_ASSERT(backend_can(b, LARDER_OP_ADVANCE) && !backend_can(b, LARDER_OP_BUMP) && !backend_can(b, 999));
    backend_call(b, op_new(r, LARDER_OP_BUMP, &(struct op_inputs){0}, UINT64_MAX, keep, NULL));
    settle(r);
    CU_ASSERT(n_done == 1 && last->result.status == LARDER_UNSUPPORTED);
    forget();
    backend_free(b);
    reactor_free(r);
}

static void a_drivers_shorter_result_leaves_the_rest_zero(void) {
    struct reactor *r = held_reactor();
    struct backend *b = backend_new(r, &held_driver, NULL, NULL);
    backend_call(b, new_get(r, UINT64_MAX));
    struct larder_result res = {.size = offsetof(struct larder_result, modified_ms),
                                .status = LARDER_MISS,
                                .modified_ms = 5,
                                .epoch = 6,
                                .detail = "not to be read"};
    op_complete(held_take(0), &res);
    settle(r);
    CU_ASSERT(last->result.status == LARDER_MISS && last->result.modified_ms == 0 && last->result.epoch == 0);
    CU_ASSERT_STRING_EQUAL(last->result.detail, "");
    forget();
    backend_free(b);
    reactor_free(r);
}

static void a_detail_is_copied_and_cut(void) {
    struct reactor *r = held_reactor();
    struct backend *b = backend_new(r, &held_driver, NULL, NULL);
    char text[1000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    backend_call(b, new_get(r, UINT64_MAX));
    op_fail(held_take(0), LARDER_RETRY, text);
    memset(text, 'y', sizeof(text) - 1);
    settle(r);
    CU_ASSERT(strlen(last->result.detail) == 255 && last->result.detail[0] == 'x');
    forget();
    backend_free(b);
    reactor_free(r);
}

static void emitted_records_are_copies(void) {
    struct reactor *r = held_reactor();
    struct backend *b = backend_new(r, &held_driver, NULL, NULL);
    backend_call(b, new_get(r, UINT64_MAX));
    struct larder_op *op = held_take(0);
    char text[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "n%d", i);
        struct larder_mark mark = {bytes_of(text), i, LARDER_UNSET, LARDER_UNSET};
        CU_ASSERT(op_emit_key(op, bytes_of(text)) == LARDER_OK);
        CU_ASSERT(op_emit_mark(op, &mark) == LARDER_OK);
        CU_ASSERT(op_emit_text(op, bytes_of("ab")) == LARDER_OK);
    }
    answer_status(op, LARDER_OK);
    settle(r);
    CU_ASSERT_FATAL(last->n_keys == 1000 && last->n_marks == 1000 && last->text_len == 2000);
    CU_ASSERT(bytes_equal(last->keys[7], BYTES("n7")) && bytes_equal(last->marks[999].tag, BYTES("n999")));
    CU_ASSERT(last->marks[999].expired_epoch == 999);
    forget();
    backend_free(b);
    reactor_free(r);
}

static void an_op_that_waited_past_its_time_never_reaches_the_driver(void) {
    struct reactor *r = held_reactor();
    struct backend *b = backend_new(r, &held_driver, NULL, NULL);
    held_info.max_inflight = 1;
    backend_call(b, new_get(r, UINT64_MAX));
    backend_call(b, new_get(r, test_clock.ns + 1000000));
    CU_ASSERT(held_count(0) == 1 && backend_busy(b));
    pass_ms(r, 2);
    answer_status(held_take(0), LARDER_MISS);
    settle(r);
    CU_ASSERT(n_done == 2 && last->result.status == LARDER_DEADLINE && held_count(0) == 0);
    CU_ASSERT(!backend_busy(b));
    held_info.max_inflight = 0;
    forget();
    backend_free(b);
    reactor_free(r);
}

static void behind_a_driver_that_answers_nothing_the_queue_does_not_outgrow_a_deadline(void) {
    struct reactor *r = held_reactor();
    struct backend *b = backend_new(r, &held_driver, NULL, NULL);
    held_info.max_inflight = 1;
    backend_call(b, new_get(r, UINT64_MAX));
    for (unsigned i = 1; i < 200; i++) {
        backend_call(b, new_get(r, test_clock.ns + 20 * UINT64_C(1000000)));
        pass_ms(r, 1);
        CU_ASSERT(b->n_waiting <= 21);
    }
    CU_ASSERT(n_done >= 178 && last->result.status == LARDER_DEADLINE);
    pass_ms(r, 20);
    answer_status(held_take(0), LARDER_MISS);
    settle(r);
    CU_ASSERT(n_done == 200 && !backend_busy(b) && held_count(0) == 0);
    held_info.max_inflight = 0;
    forget();
    backend_free(b);
    reactor_free(r);
}

static void an_op_in_used_memory_is_as_good_as_new(void) {
    struct reactor *r = held_reactor();
    struct backend *b = backend_new(r, &held_driver, NULL, NULL);
    struct op_inputs in = {.key = BYTES("key"), .limit = 3};
    struct op *upper = new_get(r, 77);
    for (unsigned i = 0; i < 3; i++) {
        struct op *op = backend_op(b, &upper->pub, &in, keep, NULL);
        CU_ASSERT_FATAL(op != NULL);
        CU_ASSERT(op->pub.code == LARDER_OP_GET && op->pub.deadline_ns == 77 && op->pub.limit == 3);
        CU_ASSERT(op->pub.now_ms == upper->pub.now_ms && bytes_equal(op->pub.key, BYTES("key")));
        CU_ASSERT(op->pub.scratch[1] == NULL && op->n_keys == 0 && op->n_levels == 0);
        backend_call(b, op);
        held_take(0)->scratch[1] = op;
        op_emit_key(&op->pub, BYTES("found"));
        answer_status(&op->pub, LARDER_OK);
        settle(r);
        CU_ASSERT(last == op && op->n_keys == 1);
        last = backend_op_done(op);
    }
    op_free(upper);
    forget();
    backend_free(b);
    reactor_free(r);
}

static void flush_comes_once_after_a_burst(void) {
    struct reactor *r = held_reactor();
    struct backend *b = backend_new(r, &held_driver, NULL, NULL);
    backend_open(b);
    held_info.flushed = 0;
    for (int i = 0; i < 10; i++)
        backend_call(b, new_get(r, UINT64_MAX));
    pass_ms(r, 0);
    while (held_count(0) > 0)
        answer_status(held_take(0), LARDER_MISS);
    settle(r);
    CU_ASSERT(n_done == 10);
    CU_ASSERT(held_info.flushed == 1);
    forget();
    backend_free(b);
    reactor_free(r);
}

UNIT_MAIN("backend", UNIT(an_op_owns_copies_of_all_it_was_given),
          UNIT(done_is_called_later_also_when_the_driver_completes_at_once),
          UNIT(a_function_that_is_missing_is_unsupported),
          UNIT(a_drivers_shorter_result_leaves_the_rest_zero), UNIT(a_detail_is_copied_and_cut),
          UNIT(emitted_records_are_copies), UNIT(an_op_that_waited_past_its_time_never_reaches_the_driver),
          UNIT(behind_a_driver_that_answers_nothing_the_queue_does_not_outgrow_a_deadline),
          UNIT(an_op_in_used_memory_is_as_good_as_new), UNIT(flush_comes_once_after_a_burst))
