/* Instances: opening, closing, sharing, many ops at once, what is not known. */
#include "child.h"
#include "drive.h"

static bool has_cache(void) {
    return backend_can(drive.one, LARDER_OP_PUT);
}
static bool has_tags(void) {
    return backend_can(drive.one, LARDER_OP_TAGS_WRITE);
}

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

static void a_flag_of_the_future_is_refused_and_changes_nothing(void) {
    static const uint32_t codes[] = {
        LARDER_OP_GET,       LARDER_OP_PUT,       LARDER_OP_REMOVE,     LARDER_OP_LIST,       LARDER_OP_CLAIM,
        LARDER_OP_RELEASE,   LARDER_OP_TAGS_READ, LARDER_OP_TAGS_WRITE, LARDER_OP_ADVANCE,    LARDER_OP_BUMP,
        LARDER_OP_LINK,      LARDER_OP_KEYS_OF,   LARDER_OP_TAGS_OF,    LARDER_OP_LIST_MARKS, LARDER_OP_PING,
        LARDER_OP_PROVISION, LARDER_OP_EXPLAIN};
    struct larder_bytes key = name("flags", "x");
    struct larder_mark mark = mark_of(key, 99, UNSET, UNSET), got;
    struct larder_slice value = value_of(5, 2);
    int64_t epoch = 0, later = 0;
    if (has_cache())
        CU_ASSERT_EQUAL(put_value(drive.one, key, 5, 1, 0), LARDER_OK);
    if (has_tags())
        CU_ASSERT_EQUAL(advance(drive.one, key, 0, &epoch), LARDER_OK);
    for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
        struct op_inputs in = {.key = key, .value = value, .epoch = 5, .add = 1, .flags = UINT32_C(1) << 31};
        if (!backend_can(drive.one, codes[i]))
            continue;
        if (codes[i] == LARDER_OP_TAGS_WRITE || codes[i] == LARDER_OP_BUMP || codes[i] == LARDER_OP_LINK) {
            in.marks = &mark;
            in.n_marks = 1;
        }
        for (int known = 0; known <= (codes[i] == LARDER_OP_PROVISION); known++) {
            in.flags |= known ? LARDER_DRY_RUN : 0; /* beside a flag that it knows, too */
            int32_t status = status_of(drive.one, codes[i], in);
            if (status != LARDER_UNSUPPORTED)
                printf("(op code %u: %s) ", codes[i], larder_status_name(status));
            CU_ASSERT_EQUAL(status, LARDER_UNSUPPORTED);
        }
    }
    slice_done(&value);
    if (has_cache())
        CU_ASSERT_EQUAL(get_value(drive.one, key, 5, 1), LARDER_OK);
    if (has_tags()) {
        CU_ASSERT_FALSE(read_mark(drive.one, key, &got));
        CU_ASSERT_EQUAL(advance(drive.one, key, 0, &later), LARDER_OK);
        CU_ASSERT_EQUAL(later, epoch);
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

static void what_was_stored_is_there_after_closing_and_opening(void) {
    if (!claims(LARDER_PERSISTENT, "persistence"))
        return;
    struct larder_bytes key = name("reopen", "x"), tag = name("reopen", "tag");
    struct larder_mark got;
    int64_t epoch = 0, later = 0;
    struct larder_slice value = value_of(70000, 3);
    struct op_inputs in = {.key = key, .value = value, .modified_ms = 123456789, .epoch = 42};
    if (has_cache())
        CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PUT, in), LARDER_OK);
    slice_done(&value);
    if (has_tags()) {
        CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, 5, 6, drive.now_ms + 7000), 0), LARDER_OK);
        CU_ASSERT_EQUAL(advance(drive.one, key, 1, &epoch), LARDER_OK);
    }
    bool index = backend_can(drive.one, LARDER_OP_LINK);
    struct larder_mark link = mark_of(tag, UNSET, UNSET, UNSET);
    if (index)
        CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_LINK,
                                  (struct op_inputs){.key = key, .marks = &link, .n_marks = 1}),
                        LARDER_OK);

    drive.one = drive_close(drive.one);
    drive.two = drive_close(drive.two);
    drive.one = drive_open();
    drive.two = drive_open();
    CU_ASSERT_PTR_NOT_NULL_FATAL(drive.one);
    CU_ASSERT_PTR_NOT_NULL_FATAL(drive.two);

    if (has_cache()) {
        struct op *op = call(drive.two, LARDER_OP_GET, (struct op_inputs){.key = key});
        CU_ASSERT_EQUAL(op->result.status, LARDER_OK);
        CU_ASSERT(value_is(op->result.value, 70000, 3));
        CU_ASSERT_EQUAL(op->result.modified_ms, 123456789);
        CU_ASSERT_EQUAL(op->result.epoch, 42);
        op_free(op);
    }
    if (has_tags()) {
        CU_ASSERT_TRUE_FATAL(read_mark(drive.one, tag, &got));
        CU_ASSERT_EQUAL(got.expired_epoch, 5);
        CU_ASSERT_EQUAL(got.stale_epoch, 6);
        CU_ASSERT_EQUAL(got.expire_at_ms, drive.now_ms + 7000);
        CU_ASSERT_EQUAL(advance(drive.two, key, 0, &later), LARDER_OK);
        CU_ASSERT_EQUAL(later, epoch);
    }
    if (index) {
        struct op *op = call(drive.one, LARDER_OP_KEYS_OF, (struct op_inputs){.key = tag});
        CU_ASSERT_EQUAL(op->n_keys, 1);
        op_free(op);
    }
}

static void another_process_reads_what_this_one_wrote_and_the_other_way_round(void) {
    if (!claims(LARDER_SHARED, "sharing between processes"))
        return;
    struct larder_bytes mine = name("processes", "mine"), theirs = name("processes", "theirs");
    CU_ASSERT_TRUE(child_stores(mine));
    CU_ASSERT_TRUE(run_reader(mine));
    CU_ASSERT_FALSE(run_reader(theirs)); /* nobody has written that yet */
    CU_ASSERT_TRUE(run_writer_and_kill_it(theirs));
    CU_ASSERT_TRUE(child_finds(theirs));
}

static void what_a_killed_process_had_completed_is_there(void) {
    if (!claims(LARDER_PERSISTENT, "persistence"))
        return;
    for (unsigned i = 0; i < 3; i++) {
        struct larder_bytes key = name("killed", "%u", i);
        CU_ASSERT_TRUE(run_writer_and_kill_it(key));
        struct backend *fresh = drive_open();
        CU_ASSERT_PTR_NOT_NULL_FATAL(fresh);
        drive_close(fresh);
        CU_ASSERT_TRUE(child_finds(key));
        CU_ASSERT_TRUE(run_reader(key));
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

static void a_value_outlives_the_instance_it_came_from(void) {
    if (!has_cache()) {
        unclaimed("an incremental cache");
        return;
    }
    struct backend *b = drive_open();
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    struct larder_bytes key = name("outlives", "x");
    CU_ASSERT_EQUAL(put_value(b, key, 5000, 9, 0), LARDER_OK);
    struct op *op = call(b, LARDER_OP_GET, (struct op_inputs){.key = key});
    struct larder_slice value = slice_ref(op->result.value);
    op_free(op);
    CU_ASSERT_EQUAL(status_of(b, LARDER_OP_REMOVE, (struct op_inputs){.key = key}), LARDER_OK);
    drive_close(b);
    CU_ASSERT(value_is(value, 5000, 9));
    slice_done(&value);
}

/* In a row of a table: the name in backquotes, and the preset, if it has any text. */
static bool row_tells(const char *row, const struct larder_param *param) {
    char quoted[128];
    snprintf(quoted, sizeof(quoted), "`%s`", param->name);
    if (row[0] != '|' || !strstr(row, quoted))
        return false;
    return !param->preset || !param->preset[0] || strstr(row, param->preset);
}

static void every_setting_is_in_the_readme_with_its_preset(void) {
    if (!drive.readme) {
        unclaimed("a README to compare the settings with");
        return;
    }
    for (size_t i = 0; i < drive.driver->n_params; i++) {
        FILE *file = fopen(drive.readme, "r");
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        char row[4096];
        bool told = false;
        while (!told && fgets(row, sizeof(row), file))
            told = row_tells(row, &drive.driver->params[i]);
        fclose(file);
        if (!told)
            printf("(%s is not told of) ", drive.driver->params[i].name);
        CU_ASSERT_TRUE(told);
    }
}

static const struct unit_test tests[] = {
    UNIT(ping_answers),
    UNIT(provisioning_again_changes_nothing),
    UNIT(explaining_gives_text_or_says_that_it_cannot),
    UNIT(a_flag_of_the_future_is_refused_and_changes_nothing),
    UNIT(what_one_instance_writes_the_other_reads),
    UNIT(what_was_stored_is_there_after_closing_and_opening),
    UNIT(another_process_reads_what_this_one_wrote_and_the_other_way_round),
    UNIT(what_a_killed_process_had_completed_is_there),
    UNIT(instances_come_and_go_beside_those_that_stay),
    UNIT(thousands_of_ops_are_answered_each_with_its_own_answer),
    UNIT(ops_that_are_given_up_or_late_are_answered_once_and_truly),
    UNIT(readers_see_one_value_or_the_other_never_a_mixture),
    UNIT(a_value_outlives_the_instance_it_came_from),
    UNIT(every_setting_is_in_the_readme_with_its_preset),
};
const struct suite life_suite = {"instances", LARDER_OP_PING, tests, N_ELEMENTS(tests)};
