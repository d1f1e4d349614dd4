/* Tags: any bytes, many in one op, many ops on the same, and marks apart from everything else. */
#include "suites.h"

static size_t most_marks(size_t wanted) {
    uint32_t max_marks = drive.one->info.max_marks;
    if (max_marks == 0 || max_marks >= wanted)
        return wanted;
    unclaimed("as many marks in one op");
    return max_marks;
}

/* ---- many in one op --------------------------------------------------------------------------- */

/* Every second one is marked; all are asked for in one op. */
static void a_thousand_tags_are_written_and_read_in_one_op(void) {
    enum { TAGS = 1000 };
    size_t n = most_marks(TAGS);
    struct larder_mark ask[TAGS], write[TAGS];
    size_t n_write = 0;
    for (size_t i = 0; i < n; i++) {
        ask[i] = mark_of(name("many", "%06zu", i), UNSET, UNSET, UNSET);
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
        for (size_t j = 0; j < n_write; j++)
            matches += bytes_equal(op->marks[i].tag, write[j].tag) &&
                       is_exactly(&op->marks[i], write[j].expired_epoch, UNSET, UNSET);
        CU_ASSERT_EQUAL(matches, 1);
    }
    op_free(op);
}

/* Around the sizes at which stores cut requests. */
static void no_tag_of_many_is_left_out(void) {
    static const size_t counts[] = {1, 2, 24, 25, 26, 99, 100, 101, 127, 128, 129, 255, 256, 257};
    enum { TAGS = 257 };
    struct larder_mark marks[TAGS], got[TAGS];
    for (size_t k = 0; k < N_ELEMENTS(counts); k++) {
        size_t n = most_marks(counts[k]);
        for (size_t i = 0; i < n; i++)
            marks[i] = mark_of(name("none-left", "%zu-%zu", k, i), (int64_t)(i + 1), (int64_t)(i + 2), UNSET);
        struct op_inputs in = {.marks = marks, .n_marks = n};
        CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_TAGS_WRITE, in), LARDER_OK);
        struct op *op = call(drive.two, LARDER_OP_TAGS_READ, in);
        CU_ASSERT_EQUAL(op->n_marks, n);
        op_free(op);
        CU_ASSERT_TRUE(read_marks(drive.one, marks, n, got));
        for (size_t i = 0; i < n; i++)
            CU_ASSERT(is_exactly(&got[i], marks[i].expired_epoch, marks[i].stale_epoch, UNSET));
    }
}

static void an_op_on_no_tag_is_no_error(void) {
    struct op *op = call(drive.one, LARDER_OP_TAGS_READ, (struct op_inputs){0});
    CU_ASSERT_EQUAL(op->result.status, LARDER_OK);
    CU_ASSERT_EQUAL(op->n_marks, 0);
    op_free(op);
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_TAGS_WRITE, (struct op_inputs){0}), LARDER_OK);
}

/* ---- many ops on the same ----------------------------------------------------------------------- */

/* A driver that gathers the reads of a burst meets each tag several times.  Every third tag has a
 * mark, whose epoch tells which it is. */
static void ops_that_ask_for_the_same_tags_at_once_each_get_their_own_answer(void) {
    enum { OPS = 60, TAGS = 40, WINDOW = 10 };
    struct larder_mark tags[TAGS];
    struct sent sent[OPS];
    size_t window = most_marks(WINDOW);
    for (unsigned i = 0; i < TAGS; i++) {
        tags[i] = mark_of(name("windows", "%u", i), UNSET, UNSET, UNSET);
        if (i % 3 == 0)
            CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tags[i].tag, i + 1, UNSET, UNSET), 0), LARDER_OK);
    }
    for (unsigned i = 0; i < OPS; i++) {
        struct op_inputs in = {.marks = tags + i * 7 % (TAGS - WINDOW), .n_marks = window};
        send_op(drive.one, LARDER_OP_TAGS_READ, in, &sent[i]);
    }
    drive_wait();
    for (unsigned i = 0; i < OPS; i++) {
        const struct op *op = sent[i].op;
        size_t first = i * 7 % (TAGS - WINDOW), want = 0;
        for (size_t j = first; j < first + window; j++)
            want += j % 3 == 0;
        CU_ASSERT_EQUAL(op->result.status, LARDER_OK);
        CU_ASSERT_EQUAL(op->n_marks, want);
        for (size_t j = 0; j < op->n_marks; j++) {
            int64_t no = op->marks[j].expired_epoch - 1;
            CU_ASSERT_FATAL(no >= (int64_t)first && no < (int64_t)(first + window));
            CU_ASSERT(bytes_equal(op->marks[j].tag, tags[no].tag));
        }
        op_free(sent[i].op);
    }
}

static void ops_that_write_the_same_tags_at_once_all_count(void) {
    enum { OPS = 50, TAGS = 12 };
    struct larder_mark marks[TAGS], got[TAGS];
    struct sent sent[OPS];
    size_t n = most_marks(TAGS);
    for (unsigned i = 0; i < OPS; i++) {
        for (size_t j = 0; j < n; j++)
            marks[j] = mark_of(i == 0 ? name("same-tags", "%zu", j) : marks[j].tag,
                               (int64_t)((i * 31 + j * 7) % OPS), UNSET, UNSET);
        send_op(either(i), LARDER_OP_TAGS_WRITE, (struct op_inputs){.marks = marks, .n_marks = n}, &sent[i]);
    }
    drive_wait();
    for (unsigned i = 0; i < OPS; i++) {
        CU_ASSERT_EQUAL(sent[i].op->result.status, LARDER_OK);
        op_free(sent[i].op);
    }
    CU_ASSERT_TRUE(read_marks(drive.one, marks, n, got));
    for (size_t j = 0; j < n; j++)
        CU_ASSERT(is_exactly(&got[j], OPS - 1, UNSET, UNSET));
}

/* ---- names ---------------------------------------------------------------------------------------- */

static void every_byte_may_stand_in_a_tag(void) {
    for (int round = 0; round < 2; round++) {
        for (int byte = 0; byte < 256; byte++) {
            uint8_t raw[3] = {'t', (uint8_t)byte, 't'};
            struct larder_bytes tag = name_bytes("tag-bytes", raw, 3);
            struct larder_mark got;
            if (!key_byte_allowed(byte))
                continue;
            if (round == 0) {
                CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, byte + 1, UNSET, UNSET), 0), LARDER_OK);
            } else {
                CU_ASSERT_TRUE_FATAL(read_mark(drive.one, tag, &got));
                CU_ASSERT_EQUAL(got.expired_epoch, byte + 1);
            }
        }
    }
    if (drive.one->info.key_bytes != 0)
        unclaimed("every byte in tags");
}

static void tags_that_look_alike_are_different_tags(void) {
    struct larder_mark marks[128], got[128];
    char longest[60];
    size_t n = 0;
    for (size_t i = 0; i < n_awkward; i++) {
        if (name_allowed(awkward[i]))
            marks[n++].tag = name_bytes("tags-alike", awkward[i].ptr, awkward[i].len);
    }
    memset(longest, 'p', sizeof(longest));
    for (size_t i = 0; i <= sizeof(longest); i++) /* the beginnings of one another, from the empty one on */
        marks[n++].tag = name_bytes("tags-begin", longest, i);
    for (size_t i = 0; i < n; i++)
        marks[i] = mark_of(marks[i].tag, UNSET, (int64_t)i + 1, drive.now_ms + (int64_t)i + 1);
    CU_ASSERT_EQUAL(write_marks(drive.one, marks, n), LARDER_OK);
    CU_ASSERT_TRUE(read_marks(drive.two, marks, n, got));
    for (size_t i = 0; i < n; i++)
        CU_ASSERT(is_exactly(&got[i], UNSET, marks[i].stale_epoch, marks[i].expire_at_ms));
}

static void a_long_tag_is_not_cut(void) {
    enum { LEN = 4096 };
    struct larder_mark marks[3], got[3];
    size_t base = name("long-tag", "%s", "").len, len = LEN;
    uint64_t max_key = drive.one->info.max_key;
    if (max_key > 0 && max_key < LEN) {
        unclaimed("tags of 4 KB");
        len = (size_t)max_key;
    }
    if (len < base + 2)
        return;
    char tail[LEN];
    memset(tail, 't', sizeof(tail));
    for (int i = 0; i < 3; i++) {
        tail[len - base - 1] = (char)('a' + i);
        marks[i] = mark_of(name_bytes("long-tag", tail, len - base), i < 2 ? i + 1 : UNSET, UNSET, UNSET);
    }
    CU_ASSERT_EQUAL(write_marks(drive.one, marks, 2), LARDER_OK);
    CU_ASSERT_TRUE(read_marks(drive.two, marks, 3, got));
    for (int i = 0; i < 3; i++)
        CU_ASSERT(is_exactly(&got[i], marks[i].expired_epoch, UNSET, UNSET));
}

/* Nobody's own: it may have a mark already, which is as great as the time at most. */
static void the_empty_tag_is_a_tag(void) {
    struct larder_mark got, other;
    struct larder_bytes neighbour = name("empty", "%s", "");
    struct larder_mark before = mark_of(NOTHING, 0, UNSET, UNSET);
    read_mark(drive.one, NOTHING, &before);
    int64_t epoch = before.expired_epoch > 0 ? before.expired_epoch + 1 : 1;
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(NOTHING, epoch, UNSET, UNSET), 0), LARDER_OK);
    CU_ASSERT_TRUE_FATAL(read_mark(drive.two, NOTHING, &got));
    CU_ASSERT(got.expired_epoch >= epoch);
    CU_ASSERT_FALSE(read_mark(drive.one, neighbour, &other));
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(NOTHING, 1, UNSET, UNSET), LARDER_IF_ABSENT), LARDER_MISS);
}

/* ---- apart from the rest ---------------------------------------------------------------------------- */

static void entries_marks_and_counters_of_one_name_are_three_things(void) {
    struct larder_bytes same = name("same", "x");
    int64_t epoch = 0;
    struct larder_mark got;
    if (has_cache())
        CU_ASSERT_EQUAL(put_value(drive.one, same, 77, 7, 0), LARDER_OK);
    CU_ASSERT_FALSE(read_mark(drive.one, same, &got));
    CU_ASSERT_EQUAL(advance(drive.one, same, 1, &epoch), LARDER_OK);
    CU_ASSERT_FALSE(read_mark(drive.one, same, &got));
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(same, 3, UNSET, UNSET), 0), LARDER_OK);
    CU_ASSERT_EQUAL(advance(drive.one, same, 0, &epoch), LARDER_OK);
    CU_ASSERT_EQUAL(epoch, drive.now_ms);
    if (has_cache()) {
        CU_ASSERT_EQUAL(get_value(drive.one, same, 77, 7), LARDER_OK);
        CU_ASSERT_EQUAL(remove_key(drive.one, same), LARDER_OK);
    }
    CU_ASSERT_TRUE(read_mark(drive.one, same, &got));
    CU_ASSERT_EQUAL(advance(drive.one, same, 0, &epoch), LARDER_OK);
    CU_ASSERT_EQUAL(epoch, drive.now_ms);
}

/* The counter is the tag store's, not one of its tags: a mark there is no counter that is greater. */
static void a_mark_and_a_counter_of_one_name_do_not_raise_each_other(void) {
    struct larder_bytes same = name("mark-and-counter", "epoch");
    struct larder_mark got;
    int64_t epoch = 0, great = drive.now_ms + INT64_C(1000000000);
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(same, great, great, UNSET), 0), LARDER_OK);
    CU_ASSERT_EQUAL(advance(drive.two, same, 1, &epoch), LARDER_OK);
    CU_ASSERT_EQUAL(epoch, drive.now_ms);
    CU_ASSERT_EQUAL(advance(drive.one, same, 1, &epoch), LARDER_OK);
    CU_ASSERT_EQUAL(epoch, drive.now_ms + 1);
    CU_ASSERT_TRUE_FATAL(read_mark(drive.two, same, &got));
    CU_ASSERT(is_exactly(&got, great, great, UNSET));
}

/* ---- listing ------------------------------------------------------------------------------------------ */

static void marks_are_listed_page_by_page(void) {
    enum { MARKS = 500 };
    struct larder_mark marks[MARKS + 1];
    if (!has(LARDER_OP_LIST_MARKS, "list of marks"))
        return;
    for (unsigned i = 0; i < MARKS; i++)
        marks[i] = mark_of(name("list-marks", "%06u", i), 1, UNSET, UNSET);
    marks[MARKS] = mark_of(name("list-marks-2", "%06u", 1u), 1, UNSET, UNSET);
    CU_ASSERT_EQUAL(write_marks(drive.one, marks, MARKS + 1), LARDER_OK);
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

static void marks_are_listed_whole(void) {
    if (!has(LARDER_OP_LIST_MARKS, "list of marks"))
        return;
    struct larder_mark put = mark_of(name("list-whole", "x"), 3, 5, drive.now_ms + 9000);
    CU_ASSERT_EQUAL(write_mark(drive.one, put, 0), LARDER_OK);
    struct op *op = call(drive.two, LARDER_OP_LIST_MARKS, (struct op_inputs){.key = put.tag});
    CU_ASSERT_EQUAL(op->result.status, LARDER_OK);
    CU_ASSERT(op->n_marks >= 1 || op->result.cursor.len > 0); /* a page may be empty */
    for (size_t i = 0; i < op->n_marks; i++) {
        CU_ASSERT(bytes_equal(op->marks[i].tag, put.tag));
        CU_ASSERT(is_exactly(&op->marks[i], 3, 5, drive.now_ms + 9000));
    }
    op_free(op);
}

static const struct unit_test tests[] = {
    UNIT(a_thousand_tags_are_written_and_read_in_one_op),
    UNIT(no_tag_of_many_is_left_out),
    UNIT(an_op_on_no_tag_is_no_error),
    UNIT(ops_that_ask_for_the_same_tags_at_once_each_get_their_own_answer),
    UNIT(ops_that_write_the_same_tags_at_once_all_count),
    UNIT(every_byte_may_stand_in_a_tag),
    UNIT(tags_that_look_alike_are_different_tags),
    UNIT(a_long_tag_is_not_cut),
    UNIT(the_empty_tag_is_a_tag),
    UNIT(entries_marks_and_counters_of_one_name_are_three_things),
    UNIT(a_mark_and_a_counter_of_one_name_do_not_raise_each_other),
    UNIT(marks_are_listed_page_by_page),
    UNIT(marks_are_listed_whole),
};
const struct suite tags_suite = {"tags", LARDER_OP_TAGS_READ, tests, N_ELEMENTS(tests)};
