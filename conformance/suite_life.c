/* Instances: opening and closing, two at once, a store that is away. */

#include "suites.h"

static void ping_answers(void) {
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PING, (struct op_inputs){0}), LARDER_OK);
}

static void provisioning_again_changes_nothing(void) {
    if (!has(LARDER_OP_PROVISION, "provision"))
        return;
    struct larder_bytes key = name("provision", "x");
    if (has_cache())
        CU_ASSERT_EQUAL(put_value(drive.one, key, 10, 1, 0), LARDER_OK);
    struct op *op = call(drive.one, LARDER_OP_PROVISION, (struct op_inputs){.flags = LARDER_DRY_RUN});
    CU_ASSERT_EQUAL(op->result.status, LARDER_OK);
    CU_ASSERT(op->text_len > 0);
    op_free(op);
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PROVISION, (struct op_inputs){0}), LARDER_OK);
    if (has_cache())
        CU_ASSERT_EQUAL(get_value(drive.one, key, 10, 1), LARDER_OK);
}

static void explaining_gives_text_or_says_that_it_cannot(void) {
    static const char *const topics[] = {"iam", "no such topic"};
    if (!has(LARDER_OP_EXPLAIN, "explain"))
        return;
    for (size_t i = 0; i < N_ELEMENTS(topics); i++) {
        struct op *op = call(drive.one, LARDER_OP_EXPLAIN, (struct op_inputs){.key = bytes_of(topics[i])});
        CU_ASSERT(op->result.status != LARDER_OK || op->text_len > 0);
        op_free(op);
    }
}

static void what_one_instance_writes_the_other_reads(void) {
    struct larder_bytes key = name("two", "x");
    struct larder_mark got;
    int64_t epoch = 0, other = 0;
    for (unsigned i = 0; i < 10; i++) {
        struct backend *writer = i % 2 ? drive.one : drive.two, *reader = i % 2 ? drive.two : drive.one;
        if (has_cache()) {
            CU_ASSERT_EQUAL(put_value(writer, key, 100, i, i), LARDER_OK);
            CU_ASSERT_EQUAL(get_value(reader, key, 100, i), LARDER_OK);
        }
        if (has_tags()) {
            CU_ASSERT_EQUAL(write_mark(writer, mark_of(key, i + 1, UNSET, UNSET), 0), LARDER_OK);
            CU_ASSERT_TRUE_FATAL(read_mark(reader, key, &got));
            CU_ASSERT_EQUAL(got.expired_epoch, i + 1);
            CU_ASSERT_EQUAL(advance(writer, key, 1, &epoch), LARDER_OK);
            CU_ASSERT_EQUAL(advance(reader, key, 0, &other), LARDER_OK);
            CU_ASSERT_EQUAL(epoch, other);
        }
    }
    if (has_cache()) {
        CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_REMOVE, (struct op_inputs){.key = key}), LARDER_OK);
        CU_ASSERT_FALSE(is_there(drive.two, key));
    }
}

static void instances_come_and_go_beside_those_that_stay(void) {
    struct larder_bytes key = name("come-and-go", "x");
    for (unsigned i = 0; i < 10; i++) {
        struct backend *b = drive_open();
        CU_ASSERT_PTR_NOT_NULL_FATAL(b);
        if (has_cache()) {
            CU_ASSERT_EQUAL(put_value(b, key, 10, i, 0), LARDER_OK);
            CU_ASSERT_EQUAL(get_value(drive.two, key, 10, i), LARDER_OK);
        }
        if (has_tags())
            CU_ASSERT_EQUAL(write_mark(b, mark_of(key, 1, UNSET, UNSET), 0), LARDER_OK);
        drive_close(b);
    }
    struct backend *unused = drive_open();
    CU_ASSERT_PTR_NOT_NULL(unused);
    drive_close(unused);
}

static const struct unit_test tests[] = {
    UNIT(ping_answers),
    UNIT(provisioning_again_changes_nothing),
    UNIT(explaining_gives_text_or_says_that_it_cannot),
    UNIT(what_one_instance_writes_the_other_reads),
    UNIT(instances_come_and_go_beside_those_that_stay),
};
const struct suite life_suite = {"life", LARDER_OP_PING, tests, N_ELEMENTS(tests)};
