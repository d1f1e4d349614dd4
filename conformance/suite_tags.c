/* Tags: any bytes, many at once, and marks apart from everything else. */

#include "suites.h"

/* Every second one is marked; all are asked for in one op. */
static void many_tags_are_written_and_read_in_one_op(void) {
    enum { TAGS = 1000 };
    uint32_t max_marks = drive.one->info.max_marks;
    unsigned n = max_marks > 0 && max_marks < TAGS ? max_marks : TAGS;
    struct larder_mark ask[TAGS], write[TAGS];
    unsigned n_write = 0;
    for (unsigned i = 0; i < n; i++) {
        ask[i] = mark_of(name("many", "%06u", i), UNSET, UNSET, UNSET);
        if (i % 2)
            write[n_write++] = mark_of(ask[i].tag, (int64_t)i + 1, UNSET, UNSET);
    }
    CU_ASSERT_EQUAL(
        status_of(drive.one, LARDER_OP_TAGS_WRITE, (struct op_inputs){.marks = write, .n_marks = n_write}),
        LARDER_OK);
    struct op *op = call(drive.two, LARDER_OP_TAGS_READ, (struct op_inputs){.marks = ask, .n_marks = n});
    CU_ASSERT_EQUAL(op->result.status, LARDER_OK);
    CU_ASSERT_EQUAL(op->n_marks, n_write);
    for (size_t i = 0; i < op->n_marks; i++) {
        unsigned matches = 0;
        for (unsigned j = 0; j < n_write; j++)
            matches += bytes_equal(op->marks[i].tag, write[j].tag) &&
                       is_exactly(&op->marks[i], write[j].expired_epoch, UNSET, UNSET);
        CU_ASSERT_EQUAL(matches, 1);
    }
    op_free(op);
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_TAGS_READ, (struct op_inputs){0}), LARDER_OK);
}

static void every_byte_may_stand_in_a_tag(void) {
    uint32_t kinds = drive.one->info.key_bytes;
    int low = kinds == 2 ? 0x20 : 0, high = kinds == 2 ? 0x7f : kinds == 1 ? 0x80 : 256;
    for (int round = 0; round < 2; round++) {
        for (int byte = low; byte < high; byte++) {
            uint8_t raw[3] = {'t', (uint8_t)byte, 't'};
            struct larder_bytes tag = name_bytes("tag-bytes", raw, 3);
            struct larder_mark got;
            if (round == 0) {
                CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, byte + 1, UNSET, UNSET), 0), LARDER_OK);
            } else {
                CU_ASSERT_TRUE_FATAL(read_mark(drive.one, tag, &got));
                CU_ASSERT_EQUAL(got.expired_epoch, byte + 1);
            }
        }
    }
    if (kinds != 0)
        unclaimed("every byte in tags");
}

static void marks_are_listed_page_by_page(void) {
    enum { MARKS = 500 };
    if (!has(LARDER_OP_LIST_MARKS, "list of marks"))
        return;
    for (unsigned i = 0; i < MARKS; i++)
        CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(name("list-marks", "%06u", i), 1, UNSET, UNSET), 0),
                        LARDER_OK);
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(name("list-marks-2", "%06u", 1u), 1, UNSET, UNSET), 0),
                    LARDER_OK);
    static const uint64_t limits[] = {0, 33, UINT64_MAX};
    for (size_t i = 0; i < N_ELEMENTS(limits); i++) {
        struct tally t;
        tally_init(&t, "list-marks", MARKS);
        CU_ASSERT_TRUE(walk(LARDER_OP_LIST_MARKS, name("list-marks", "%s", ""), limits[i], tally_seen, &t));
        CU_ASSERT_EQUAL(t.found, MARKS);
        CU_ASSERT_EQUAL(t.strangers, 0);
        tally_done(&t);
    }
}

static void entries_marks_and_counters_of_one_name_are_three_things(void) {
    struct larder_bytes same = name("same", "x");
    int64_t epoch = 0;
    struct larder_mark got;
    bool cache = backend_can(drive.one, LARDER_OP_PUT);
    if (cache)
        CU_ASSERT_EQUAL(put_value(drive.one, same, 77, 7, 0), LARDER_OK);
    CU_ASSERT_FALSE(read_mark(drive.one, same, &got));
    CU_ASSERT_EQUAL(advance(drive.one, same, 1, &epoch), LARDER_OK);
    CU_ASSERT_FALSE(read_mark(drive.one, same, &got));
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(same, 3, UNSET, UNSET), 0), LARDER_OK);
    CU_ASSERT_EQUAL(advance(drive.one, same, 0, &epoch), LARDER_OK);
    CU_ASSERT_EQUAL(epoch, drive.now_ms);
    if (cache) {
        CU_ASSERT_EQUAL(get_value(drive.one, same, 77, 7), LARDER_OK);
        CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_REMOVE, (struct op_inputs){.key = same}), LARDER_OK);
    }
    CU_ASSERT_TRUE(read_mark(drive.one, same, &got));
}

static const struct unit_test tests[] = {
    UNIT(many_tags_are_written_and_read_in_one_op),
    UNIT(every_byte_may_stand_in_a_tag),
    UNIT(marks_are_listed_page_by_page),
    UNIT(entries_marks_and_counters_of_one_name_are_three_things),
};
const struct suite tags_suite = {"tags", LARDER_OP_TAGS_READ, tests, N_ELEMENTS(tests)};
