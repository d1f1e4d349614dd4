/* Instances: opening and closing, two at once. */
#include "suites.h"

static void ping_answers(void) {
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PING, (struct op_inputs){0}), LARDER_OK);
    CU_ASSERT_EQUAL(status_of(drive.two, LARDER_OP_PING, (struct op_inputs){0}), LARDER_OK);
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

/* ---- two at once ------------------------------------------------------------------------------ */

static void what_one_instance_writes_the_other_reads(void) {
    struct larder_bytes key = name("two", "x");
    struct larder_mark got;
    int64_t epoch = 0, other = 0;
    for (unsigned i = 0; i < 10; i++) {
        struct backend *writer = either(i + 1), *reader = either(i);
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
        CU_ASSERT_EQUAL(remove_key(drive.one, key), LARDER_OK);
        CU_ASSERT_FALSE(is_there(drive.two, key));
    }
}

/* Both have looked: a miss and the absence of a mark are no more to be remembered than what was there. */
static void what_one_instance_has_looked_for_in_vain_it_finds_when_the_other_writes_it(void) {
    for (unsigned i = 0; i < 4; i++) {
        struct larder_bytes key = name("in-vain", "%u", i);
        struct larder_mark got;
        if (has_cache()) {
            CU_ASSERT_FALSE(is_there(either(i), key));
            CU_ASSERT_EQUAL(put_value(either(i + 1), key, 100, i, 0), LARDER_OK);
            CU_ASSERT_EQUAL(get_value(either(i), key, 100, i), LARDER_OK);
        }
        if (has_tags()) {
            CU_ASSERT_FALSE(read_mark(either(i), key, &got));
            CU_ASSERT_EQUAL(write_mark(either(i + 1), mark_of(key, 7, UNSET, UNSET), 0), LARDER_OK);
            CU_ASSERT_TRUE(read_mark(either(i), key, &got));
        }
    }
}

/* ---- opening and closing ------------------------------------------------------------------------ */

static void instances_come_and_go_a_thousand_times_beside_those_that_stay(void) {
    unsigned times = drive.n_keys / 10;
    struct larder_bytes key = name("come-and-go", "x");
    for (unsigned i = 0; i < times; i++) {
        struct backend *b = drive_open();
        CU_ASSERT_PTR_NOT_NULL_FATAL(b);
        if (i % 25 == 0) /* the others are closed with nothing done */
            use_instance(b, key, i);
        drive_close(b);
    }
    use_instance(drive.one, key, times);
}

static void many_instances_are_open_at_once_and_closed_in_any_order(void) {
    enum { MANY = 24 };
    struct backend *many[MANY];
    struct larder_bytes key = name("many-open", "x");
    for (unsigned i = 0; i < MANY; i++) {
        many[i] = drive_open();
        CU_ASSERT_PTR_NOT_NULL_FATAL(many[i]);
    }
    for (unsigned i = 0; i < MANY; i++) {
        unsigned which = i * 7 % MANY; /* each once */
        use_instance(many[which], key, 2 * i);
        drive_close(many[which]);
        use_instance(drive.one, key, 2 * i + 1);
    }
}

static const struct unit_test tests[] = {
    UNIT(ping_answers),
    UNIT(provisioning_again_changes_nothing),
    UNIT(explaining_gives_text_or_says_that_it_cannot),
    UNIT(what_one_instance_writes_the_other_reads),
    UNIT(what_one_instance_has_looked_for_in_vain_it_finds_when_the_other_writes_it),
    UNIT(instances_come_and_go_a_thousand_times_beside_those_that_stay),
    UNIT(many_instances_are_open_at_once_and_closed_in_any_order),
};
const struct suite life_suite = {"life", LARDER_OP_PING, tests, N_ELEMENTS(tests)};
