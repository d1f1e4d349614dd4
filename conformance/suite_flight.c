/* Many ops at once, late ones, and ones that nobody wants any more. */

#include "suites.h"

/* Puts and gets of entries, marks and counters, all outstanding together. */
static void thousands_of_ops_are_answered_each_with_its_own_answer(void) {
    unsigned n = drive.n_inflight;
    struct sent *sent = calloc(n, sizeof(*sent));
    CU_ASSERT_PTR_NOT_NULL_FATAL(sent);
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < n; i++) {
            struct larder_bytes key = name("flight", "%u", i);
            struct larder_mark mark = mark_of(key, (int64_t)i + 1, UNSET, UNSET);
            struct backend *b = (i + (unsigned)round) % 2 ? drive.two : drive.one;
            bool entry = has_cache() && (i % 4 != 0 || !has_tags());
            struct op_inputs in = {.key = key};
            if (!entry) {
                in.marks = &mark;
                in.n_marks = 1;
            }
            if (entry && round == 0)
                in.value = value_of(i % 3000, i);
            uint32_t put = entry ? LARDER_OP_PUT : LARDER_OP_TAGS_WRITE;
            uint32_t get = entry ? LARDER_OP_GET : LARDER_OP_TAGS_READ;
            send_op(b, round == 0 ? put : get, in, &sent[i]);
            slice_done(&in.value);
        }
        drive_wait();
        for (unsigned i = 0; i < n; i++) {
            struct op *op = sent[i].op;
            CU_ASSERT_EQUAL(op->result.status, LARDER_OK);
            CU_ASSERT_EQUAL(sent[i].answers, 1);
            if (round == 1 && op->pub.code == LARDER_OP_GET)
                CU_ASSERT(value_is(op->result.value, i % 3000, i));
            if (round == 1 && op->pub.code == LARDER_OP_TAGS_READ)
                CU_ASSERT(op->n_marks == 1 && op->marks[0].expired_epoch == (int64_t)i + 1);
            op_free(op);
        }
    }
    free(sent);
}

/* Nobody waits any more; "exactly one completion" holds all the same, and what the answer says
 * of a put is true. */
static void ops_that_are_given_up_or_late_are_answered_once_and_truly(void) {
    enum { OPS = 200 };
    if (!has_cache()) {
        unclaimed("an incremental cache");
        return;
    }
    struct sent sent[OPS];
    uint64_t now_ns = reactor_now_ns(drive.reactor);
    for (unsigned i = 0; i < OPS; i++) {
        struct op_inputs in = {.key = name("unwanted", "%u", i / 2), .value = value_of(20000, i / 2)};
        uint32_t code = i % 2 ? LARDER_OP_GET : LARDER_OP_PUT;
        bool late = i % 8 >= 6;
        send_unwanted(drive.one, code, in, late ? now_ns : now_ns + UINT64_C(60000000000), !late, &sent[i]);
        slice_done(&in.value);
    }
    drive_wait();
    for (unsigned i = 0; i < OPS; i++) {
        struct op *op = sent[i].op;
        int32_t status = op->result.status;
        CU_ASSERT_EQUAL(sent[i].answers, 1);
        if (status != LARDER_OK && status != LARDER_MISS && status != LARDER_CANCELLED &&
            status != LARDER_DEADLINE) {
            printf("(%s: %s) ", larder_status_name(status), op->result.detail);
            CU_FAIL("an outcome that the caller cannot have caused");
        }
        if (op->pub.code == LARDER_OP_GET && status == LARDER_OK)
            CU_ASSERT(value_is(op->result.value, 20000, i / 2));
        if (op->pub.code == LARDER_OP_PUT && status == LARDER_OK)
            CU_ASSERT_EQUAL(get_value(drive.two, name("unwanted", "%u", i / 2), 20000, i / 2), LARDER_OK);
        op_free(op);
    }
}

/* Two values take turns under one key while it is read: each read gives one of them, whole. */
static void readers_see_one_value_or_the_other_never_a_mixture(void) {
    enum { OPS = 240, LEN = 200 * 1000 };
    if (!has_cache()) {
        unclaimed("an incremental cache");
        return;
    }
    struct larder_bytes key = name("mixture", "x");
    struct larder_slice values[2] = {value_of(LEN, 0), value_of(LEN - 1000, 1)};
    struct sent sent[OPS];
    CU_ASSERT_EQUAL(put_value(drive.one, key, LEN, 0, 0), LARDER_OK);
    for (unsigned i = 0; i < OPS; i++) {
        struct op_inputs in = {.key = key};
        uint32_t code = LARDER_OP_GET;
        if (i % 3 == 0) {
            code = LARDER_OP_PUT;
            in.value = values[i / 3 % 2];
        }
        send_op(i / 3 % 2 ? drive.two : drive.one, code, in, &sent[i]);
    }
    drive_wait();
    for (unsigned i = 0; i < OPS; i++) {
        struct op *op = sent[i].op;
        CU_ASSERT_EQUAL(op->result.status, LARDER_OK);
        if (op->pub.code == LARDER_OP_GET)
            CU_ASSERT(value_is(op->result.value, LEN, 0) || value_is(op->result.value, LEN - 1000, 1));
        op_free(op);
    }
    slice_done(&values[0]);
    slice_done(&values[1]);
}

static const struct unit_test tests[] = {
    UNIT(thousands_of_ops_are_answered_each_with_its_own_answer),
    UNIT(ops_that_are_given_up_or_late_are_answered_once_and_truly),
    UNIT(readers_see_one_value_or_the_other_never_a_mixture),
};
const struct suite flight_suite = {"flight", LARDER_OP_PING, tests, N_ELEMENTS(tests)};
