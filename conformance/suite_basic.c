/* Getting, putting, replacing and removing: what every incremental cache does. */

#include "suites.h"

static void a_key_that_was_never_put_is_a_miss_without_a_value(void) {
    struct op *op = call(drive.one, LARDER_OP_GET, (struct op_inputs){.key = name("never", "x")});
    CU_ASSERT_EQUAL(op->result.status, LARDER_MISS);
    CU_ASSERT_EQUAL(op->result.value.len, 0);
    CU_ASSERT_PTR_NULL(op->result.value.owner);
    op_free(op);
}

static void what_was_put_is_there_each_time_that_it_is_read(void) {
    struct larder_bytes key = name("put", "x");
    struct larder_result got;
    for (unsigned i = 0; i < 2; i++) { /* twice: any op may be repeated */
        CU_ASSERT_EQUAL(put_value(drive.one, key, 1000, 1, 5), LARDER_OK);
        for (unsigned j = 0; j < 4; j++)
            CU_ASSERT_EQUAL(get_value(either(j), key, 1000, 1), LARDER_OK);
        CU_ASSERT_EQUAL(get_op(drive.one, key, &got), LARDER_OK);
        CU_ASSERT_EQUAL(got.cursor.len, 0);
    }
}

static void a_put_replaces_all_of_what_was_there(void) {
    static const size_t sizes[] = {10, 100000, 3, 0, 70000, 1};
    struct larder_bytes key = name("replace", "x");
    for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
        struct larder_slice value = value_of(sizes[i], i);
        struct op_inputs in = {
            .key = key, .value = value, .modified_ms = (int64_t)i * 7, .epoch = (int64_t)i};
        CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PUT, in), LARDER_OK);
        struct larder_result got;
        CU_ASSERT_EQUAL(get_op(drive.one, key, &got), LARDER_OK);
        CU_ASSERT_EQUAL(got.modified_ms, (int64_t)i * 7);
        CU_ASSERT_EQUAL(got.epoch, (int64_t)i);
        CU_ASSERT_EQUAL(get_value(drive.one, key, sizes[i], i), LARDER_OK);
        slice_done(&value);
    }
}

static void a_removed_key_is_a_miss_and_its_neighbours_stay(void) {
    struct larder_bytes a = name("remove", "a"), ab = name("remove", "ab"), none = name("remove", "none");
    CU_ASSERT_EQUAL(put_value(drive.one, a, 5, 1, 0), LARDER_OK);
    CU_ASSERT_EQUAL(put_value(drive.one, ab, 5, 2, 0), LARDER_OK);
    CU_ASSERT_EQUAL(get_value(drive.one, a, 5, 1), LARDER_OK); /* whoever remembers it must forget it */
    CU_ASSERT_EQUAL(get_value(drive.two, a, 5, 1), LARDER_OK);
    for (int i = 0; i < 2; i++) { /* twice: any op may be repeated */
        CU_ASSERT_EQUAL(remove_key(drive.one, a), LARDER_OK);
        CU_ASSERT_FALSE(is_there(drive.one, a));
        CU_ASSERT_FALSE(is_there(drive.two, a));
        CU_ASSERT_EQUAL(get_value(drive.one, ab, 5, 2), LARDER_OK);
    }
    CU_ASSERT_EQUAL(remove_key(drive.one, none), LARDER_OK);
    CU_ASSERT_EQUAL(put_value(drive.one, a, 6, 3, 0), LARDER_OK);
    CU_ASSERT_EQUAL(get_value(drive.one, a, 6, 3), LARDER_OK);
}

static void a_put_if_absent_leaves_what_is_stored(void) {
    struct larder_bytes key = name("if-absent", "x");
    struct larder_slice first = value_of(11, 1), second = value_of(12, 2);
    struct op_inputs in = {
        .key = key, .value = first, .epoch = 1, .modified_ms = 1001, .flags = LARDER_IF_ABSENT};
    struct larder_result got;
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PUT, in), LARDER_OK);
    in.value = second;
    in.epoch = 2;
    in.modified_ms = 1002;
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PUT, in), LARDER_MISS);
    CU_ASSERT_EQUAL(get_value(drive.one, key, 11, 1), LARDER_OK);
    CU_ASSERT_EQUAL(get_op(drive.two, key, &got), LARDER_OK);
    CU_ASSERT_EQUAL(got.epoch, 1);
    CU_ASSERT_EQUAL(got.modified_ms, 1001);
    CU_ASSERT_EQUAL(remove_key(drive.one, key), LARDER_OK);
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PUT, in), LARDER_OK);
    CU_ASSERT_EQUAL(get_value(drive.one, key, 12, 2), LARDER_OK);
    slice_done(&first);
    slice_done(&second);
}

static void of_many_that_put_if_absent_at_once_one_succeeds(void) {
    enum { RACERS = 32 };
    struct larder_bytes key = name("race", "x");
    struct sent sent[RACERS];
    for (unsigned i = 0; i < RACERS; i++) {
        struct larder_slice value = value_of(64, i);
        struct op_inputs in = {.key = key, .value = value, .flags = LARDER_IF_ABSENT};
        send_op(i % 2 ? drive.two : drive.one, LARDER_OP_PUT, in, &sent[i]);
        slice_done(&value);
    }
    drive_wait();
    unsigned winners = 0, winner = 0;
    for (unsigned i = 0; i < RACERS; i++) {
        int32_t status = sent[i].op->result.status;
        CU_ASSERT(status == LARDER_OK || status == LARDER_MISS);
        if (status == LARDER_OK) {
            winners++;
            winner = i;
        }
        op_free(sent[i].op);
    }
    CU_ASSERT_EQUAL(winners, 1);
    CU_ASSERT_EQUAL(get_value(drive.one, key, 64, winner), LARDER_OK);
}

static void a_value_outlives_the_instance_it_came_from(void) {
    struct backend *b = drive_open();
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    struct larder_bytes key = name("outlives", "x");
    CU_ASSERT_EQUAL(put_value(b, key, 5000, 9, 0), LARDER_OK);
    struct op *op = call(b, LARDER_OP_GET, (struct op_inputs){.key = key});
    struct larder_slice value = slice_ref(op->result.value);
    op_free(op);
    CU_ASSERT_EQUAL(remove_key(b, key), LARDER_OK);
    drive_close(b);
    CU_ASSERT(value_is(value, 5000, 9));
    slice_done(&value);
}

static const struct unit_test tests[] = {
    UNIT(a_key_that_was_never_put_is_a_miss_without_a_value),
    UNIT(what_was_put_is_there_each_time_that_it_is_read),
    UNIT(a_put_replaces_all_of_what_was_there),
    UNIT(a_removed_key_is_a_miss_and_its_neighbours_stay),
    UNIT(a_put_if_absent_leaves_what_is_stored),
    UNIT(of_many_that_put_if_absent_at_once_one_succeeds),
    UNIT(a_value_outlives_the_instance_it_came_from),
};
const struct suite basic_suite = {"basic", LARDER_OP_GET, tests, N_ELEMENTS(tests)};
