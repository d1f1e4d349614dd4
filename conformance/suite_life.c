/* Instances: opening and closing, two at once, a store that is away. */
#include <time.h>

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

static void use(struct backend *b, struct larder_bytes key, unsigned no) {
    if (has_cache()) {
        CU_ASSERT_EQUAL(put_value(b, key, 10, no, no), LARDER_OK);
        CU_ASSERT_EQUAL(get_value(drive.two, key, 10, no), LARDER_OK);
    }
    if (has_tags())
        CU_ASSERT_EQUAL(write_mark(b, mark_of(key, 1, UNSET, UNSET), 0), LARDER_OK);
}

static void instances_come_and_go_a_thousand_times_beside_those_that_stay(void) {
    unsigned times = drive.n_keys / 10;
    struct larder_bytes key = name("come-and-go", "x");
    for (unsigned i = 0; i < times; i++) {
        struct backend *b = drive_open();
        CU_ASSERT_PTR_NOT_NULL_FATAL(b);
        if (i % 25 == 0) /* the others are closed with nothing done */
            use(b, key, i);
        drive_close(b);
    }
    use(drive.one, key, times);
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
        use(many[which], key, 2 * i);
        drive_close(many[which]);
        use(drive.one, key, 2 * i + 1);
    }
}

/* ---- a store that is away, by the commands of the author ------------------------------------------ */

static const uint64_t SOON_NS = 2000000000u;
enum { TRIES = 200, PAUSE_MS = 50 };

/* One op with a deadline of its own.  op_free() it. */
static struct op *soon(struct backend *b, uint32_t code, struct op_inputs in) {
    struct sent sent;
    send_unwanted(b, code, in, reactor_now_ns(drive.reactor) + SOON_NS, false, &sent);
    drive_wait();
    return sent.op;
}

static bool works(struct backend *b) {
    struct op *op = soon(b, LARDER_OP_PING, (struct op_inputs){0});
    bool ok = op->result.status == LARDER_OK;
    op_free(op);
    struct larder_mark ask = mark_of(name("works", "x"), UNSET, UNSET, UNSET);
    struct op_inputs in = {.key = ask.tag, .marks = &ask, .n_marks = 1};
    op = soon(b, has_cache() ? LARDER_OP_GET : LARDER_OP_TAGS_READ, in);
    ok = ok && op->result.status >= 0;
    op_free(op);
    return ok;
}

/* It may need a moment to come up, and a driver one to notice. */
static bool works_again(struct backend *b) {
    for (unsigned i = 0; i < TRIES; i++) {
        struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
        if (works(b))
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

/* Every op fails, in time.  A miss would be believed: the entry is rendered again and nobody looks for
 * the fault; and a read of marks that finds nothing lets through what was revalidated. */
static void all_fail(struct backend *b, struct larder_bytes key) {
    struct larder_mark mark = mark_of(key, 9, UNSET, UNSET);
    const struct {
        uint32_t code;
        struct op_inputs in;
    } ops[] = {{LARDER_OP_GET, {.key = key}},
               {LARDER_OP_PUT, {.key = key, .epoch = 9}},
               {LARDER_OP_REMOVE, {.key = key}},
               {LARDER_OP_LIST, {.key = key}},
               {LARDER_OP_TAGS_READ, {.marks = &mark, .n_marks = 1}},
               {LARDER_OP_TAGS_WRITE, {.marks = &mark, .n_marks = 1}},
               {LARDER_OP_ADVANCE, {.key = key, .add = 0}},
               {LARDER_OP_BUMP, {.key = key, .marks = &mark, .n_marks = 1}},
               {LARDER_OP_KEYS_OF, {.key = key}},
               {LARDER_OP_PING, {.key = key}}};
    for (size_t i = 0; i < N_ELEMENTS(ops); i++) {
        if (!backend_can(b, ops[i].code))
            continue;
        struct op *op = soon(b, ops[i].code, ops[i].in);
        if (op->result.status >= 0)
            note("op code %u answers %s while the store is away", ops[i].code,
                 larder_status_name(op->result.status));
        CU_ASSERT(op->result.status < 0);
        op_free(op);
    }
}

static void while_the_store_is_away_ops_fail_and_none_is_a_miss(void) {
    struct larder_bytes key = name("away", "x"), after = name("away", "after");
    int64_t epoch = 0, later = 0;
    struct larder_mark got;
    if (!hook_given(HOOK_CUT) || !hook_given(HOOK_RESTART)) {
        unclaimed("--cut and --restart");
        return;
    }
    if (has_cache())
        CU_ASSERT_EQUAL(put_value(drive.one, key, 100, 2, 0), LARDER_OK);
    if (has_tags()) {
        CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(key, 5, UNSET, UNSET), 0), LARDER_OK);
        CU_ASSERT_EQUAL(advance(drive.one, key, 1, &epoch), LARDER_OK);
    }
    if (hook_run(HOOK_CUT)) {
        all_fail(drive.one, key);
        all_fail(drive.two, key);
    }
    CU_ASSERT_TRUE(hook_run(HOOK_RESTART));
    CU_ASSERT_TRUE(works_again(drive.one));
    CU_ASSERT_TRUE(works_again(drive.two));
    use(drive.one, after, 3);
    if (has_cache()) { /* a write that failed may have happened, and a store may have lost all */
        int32_t status = get_value(drive.one, key, 100, 2);
        CU_ASSERT(status == LARDER_OK || status == LARDER_MISS ||
                  get_value(drive.one, key, 0, 0) == LARDER_OK);
    }
    if (has_tags() && (drive.one->info.traits & LARDER_DURABLE)) {
        CU_ASSERT_TRUE(read_mark(drive.two, key, &got) && got.expired_epoch >= 5);
        CU_ASSERT_EQUAL(advance(drive.two, key, 0, &later), LARDER_OK);
        CU_ASSERT(later >= epoch);
    }
}

/* open() does not wait for the network: it succeeds, and ops fail; or it fails, and is tried again. */
static void an_instance_that_is_opened_while_the_store_is_away_works_when_it_is_back(void) {
    struct larder_bytes key = name("opened-away", "x");
    if (!hook_given(HOOK_CUT) || !hook_given(HOOK_RESTART)) {
        unclaimed("--cut and --restart");
        return;
    }
    struct backend *b = NULL;
    if (hook_run(HOOK_CUT)) {
        b = drive_open();
        if (b)
            all_fail(b, key);
    }
    CU_ASSERT_TRUE(hook_run(HOOK_RESTART));
    for (unsigned i = 0; !b && i < TRIES; i++) {
        struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
        nanosleep(&pause, NULL);
        b = drive_open();
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    CU_ASSERT_TRUE(works_again(b));
    CU_ASSERT_TRUE(works_again(drive.two));
    use(b, key, 4);
    drive_close(b);
}

/* Connections that were open are dead, and nobody has told the driver. */
static void a_store_that_was_restarted_is_found_again(void) {
    struct larder_bytes key = name("restarted", "x");
    int64_t epoch = 0, later = 0;
    use(drive.one, key, 1);
    if (has_tags())
        CU_ASSERT_EQUAL(advance(drive.one, key, 1, &epoch), LARDER_OK);
    for (unsigned i = 0; i < 2; i++) {
        if (!hook_run(HOOK_RESTART))
            return;
        CU_ASSERT_TRUE(works_again(drive.one));
        CU_ASSERT_TRUE(works_again(drive.two));
        use(either(i), key, 2 + i);
    }
    drive.now_ms += 60000;
    if (has_tags()) { /* it may be lost; then it is greater */
        CU_ASSERT_EQUAL(advance(drive.one, key, 1, &later), LARDER_OK);
        CU_ASSERT(later > epoch);
    }
    drive.now_ms -= 60000;
}

static const struct unit_test tests[] = {
    UNIT(ping_answers),
    UNIT(provisioning_again_changes_nothing),
    UNIT(explaining_gives_text_or_says_that_it_cannot),
    UNIT(what_one_instance_writes_the_other_reads),
    UNIT(what_one_instance_has_looked_for_in_vain_it_finds_when_the_other_writes_it),
    UNIT(instances_come_and_go_a_thousand_times_beside_those_that_stay),
    UNIT(many_instances_are_open_at_once_and_closed_in_any_order),
    UNIT(while_the_store_is_away_ops_fail_and_none_is_a_miss),
    UNIT(an_instance_that_is_opened_while_the_store_is_away_works_when_it_is_back),
    UNIT(a_store_that_was_restarted_is_found_again),
};
const struct suite life_suite = {"life", LARDER_OP_PING, tests, N_ELEMENTS(tests)};
