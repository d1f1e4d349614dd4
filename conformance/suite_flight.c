/* Many ops at once, late ones, and ones that nobody wants any more. */
#include <signal.h>
#include <time.h>

#include "race.h"
#include "random.h"
#include "suites.h"

static bool needs_cache(void) {
    if (!has_cache())
        unclaimed("an incremental cache");
    return has_cache();
}

/* ---- thousands ------------------------------------------------------------------------------ */

/* Puts and gets of entries and marks, all outstanding together. */
static void thousands_of_ops_are_answered_each_with_its_own_answer(void) {
    unsigned n = drive.n_inflight;
    struct sent *sent = calloc(n, sizeof(*sent));
    CU_ASSERT_PTR_NOT_NULL_FATAL(sent);
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < n; i++) {
            struct larder_bytes key = name("flight", "%u", i);
            struct larder_mark mark = mark_of(key, (int64_t)i + 1, UNSET, UNSET);
            struct backend *b = either(i + (unsigned)round);
            bool entry = has_cache() && (i % 4 != 0 || !has_tags());
            struct op_inputs in = {.marks = &mark, .n_marks = 1};
            if (entry)
                in = (struct op_inputs){.key = key};
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

/* Of every kind, on a few names, so that they meet. */
enum { NAMES = 12 };

static struct larder_bytes mixed_name(unsigned which) {
    return name("mixed", "%u", which);
}

static void send_any(struct sent *ret, unsigned no) {
    static const uint32_t codes[] = {LARDER_OP_GET,     LARDER_OP_GET,        LARDER_OP_PUT,
                                     LARDER_OP_PUT,     LARDER_OP_REMOVE,     LARDER_OP_TAGS_READ,
                                     LARDER_OP_ADVANCE, LARDER_OP_TAGS_WRITE, LARDER_OP_LINK,
                                     LARDER_OP_KEYS_OF, LARDER_OP_TAGS_OF,    LARDER_OP_PING};
    struct larder_bytes key = mixed_name(no % NAMES);
    struct larder_mark mark = mark_of(key, no, UNSET, UNSET);
    uint32_t code = codes[random_below(&drive.random, N_ELEMENTS(codes))];
    if (!backend_can(drive.one, code))
        code = LARDER_OP_PING;
    struct op_inputs in = {.key = key, .add = no % 2};
    if (code == LARDER_OP_PUT)
        in = whole_put(key, random_below(&drive.random, 9000), no);
    if (code == LARDER_OP_TAGS_READ || code == LARDER_OP_TAGS_WRITE || code == LARDER_OP_LINK) {
        in.marks = &mark;
        in.n_marks = code == LARDER_OP_LINK ? no % 3 > 0 : 1;
        in.key = code == LARDER_OP_LINK ? key : (struct larder_bytes){0};
    }
    send_op(either(random_below(&drive.random, 2)), code, in, ret);
    slice_done(&in.value);
}

static bool is_a_mixed_name(struct larder_bytes text) {
    bool found = false;
    for (unsigned i = 0; i < NAMES; i++)
        found = found || bytes_equal(text, mixed_name(i));
    return found;
}

/* Whether an answer can be an answer to that op at all. */
static bool fits(const struct op *op, unsigned no) {
    uint32_t which;
    switch (op->pub.code) {
    case LARDER_OP_GET:
        return op->result.status == LARDER_MISS || (is_whole(op, &which) && which % NAMES == no % NAMES);
    case LARDER_OP_TAGS_READ:
        return op->result.status == LARDER_OK &&
               (op->n_marks == 0 || (op->n_marks == 1 && op->marks[0].expired_epoch % NAMES == no % NAMES));
    case LARDER_OP_KEYS_OF:
        return op->result.status == LARDER_OK && (op->n_keys == 0 || is_a_mixed_name(op->keys[0]));
    case LARDER_OP_TAGS_OF:
        return op->result.status == LARDER_OK && op->n_marks <= 1 &&
               (op->n_marks == 0 || bytes_equal(op->marks[0].tag, mixed_name(no % NAMES)));
    default: return op->result.status == LARDER_OK;
    }
}

static void ops_of_every_kind_on_the_same_names_do_not_disturb_each_other(void) {
    unsigned n = drive.n_inflight;
    struct sent *sent = calloc(n, sizeof(*sent));
    int64_t last_mark[NAMES], *raised = calloc(n, sizeof(*raised));
    size_t n_raised = 0;
    CU_ASSERT_FATAL(sent && raised);
    for (unsigned i = 0; i < NAMES; i++)
        last_mark[i] = UNSET;
    for (unsigned i = 0; i < n; i++)
        send_any(&sent[i], i);
    drive_wait();
    for (unsigned i = 0; i < n; i++) {
        const struct op *op = sent[i].op;
        if (!fits(op, i))
            note("op %u (code %u): %s", i, op->pub.code, larder_status_name(op->result.status));
        CU_ASSERT(fits(op, i));
        if (op->pub.code == LARDER_OP_TAGS_WRITE)
            last_mark[i % NAMES] = i; /* the greatest: i rises */
        if (op->pub.code == LARDER_OP_ADVANCE && op->pub.add == 1) {
            for (size_t j = 0; j < n_raised; j++) /* of the same counter: name and number make one */
                CU_ASSERT(raised[j] != op->result.epoch * NAMES + i % NAMES);
            raised[n_raised++] = op->result.epoch * NAMES + i % NAMES;
        }
    }
    for (unsigned i = 0; i < NAMES && has_tags(); i++) {
        struct larder_mark got = {.expired_epoch = UNSET};
        read_mark(drive.one, mixed_name(i), &got);
        CU_ASSERT_EQUAL(got.expired_epoch, last_mark[i]);
    }
    for (unsigned i = 0; i < n; i++)
        op_free(sent[i].op);
    free(raised);
    free(sent);
}

/* ---- one key ------------------------------------------------------------------------------------ */

static void many_gets_of_one_key_at_once_are_all_answered(void) {
    enum { OPS = 300, LEN = 50000 };
    static struct sent sent[OPS];
    if (!needs_cache())
        return;
    struct larder_bytes key = name("one-key", "x"), none = name("one-key", "none");
    CU_ASSERT_EQUAL(put_value(drive.one, key, LEN, 2, 0), LARDER_OK);
    for (unsigned i = 0; i < OPS; i++)
        send_op(either(i / 3), LARDER_OP_GET, (struct op_inputs){.key = i % 3 ? key : none}, &sent[i]);
    drive_wait();
    for (unsigned i = 0; i < OPS; i++) {
        const struct op *op = sent[i].op;
        CU_ASSERT_EQUAL(op->result.status, i % 3 ? LARDER_OK : LARDER_MISS);
        CU_ASSERT(i % 3 == 0 || value_is(op->result.value, LEN, 2));
        op_free(sent[i].op);
    }
}

/* Values take turns under one key while it is read: each read gives one put's value, epoch and time. */
static void readers_see_one_value_or_the_other_never_a_mixture(void) {
    enum { OPS = 240, LEN = 200 * 1000 };
    static struct sent sent[OPS];
    if (!needs_cache())
        return;
    struct larder_bytes key = name("mixture", "x");
    for (unsigned i = 0; i < OPS; i++) {
        bool put = i % 3 == 0;
        struct op_inputs in = {.key = key};
        if (put) /* of one length, now and then of another */
            in = whole_put(key, i % 5 == 0 ? LEN - i : LEN, i);
        send_op(either(i / 3), put ? LARDER_OP_PUT : LARDER_OP_GET, in, &sent[i]);
        slice_done(&in.value);
        if (i == 0)
            drive_wait();
    }
    drive_wait();
    for (unsigned i = 0; i < OPS; i++) {
        const struct op *op = sent[i].op;
        uint32_t which;
        CU_ASSERT_EQUAL(op->result.status, LARDER_OK);
        if (op->pub.code == LARDER_OP_GET)
            CU_ASSERT(is_whole(op, &which) && which % 3 == 0);
        op_free(sent[i].op);
    }
}

enum { REWRITES = 60, REWRITE_LEN = 100000 };

static bool rewrite(const struct race_job *job) {
    for (unsigned i = 1; i <= REWRITES; i++) {
        struct op_inputs in = whole_put(job->key, REWRITE_LEN - i % 7 * 1000, i * MAX_RACERS + job->who);
        int32_t status = status_of(either(i), LARDER_OP_PUT, in);
        slice_done(&in.value);
        if (status != LARDER_OK)
            return false;
    }
    return true;
}
const struct role rewrites_role = {"rewrites", rewrite};

static void readers_see_whole_values_while_other_processes_write(void) {
    enum { GETS = 150, WRITERS = 2 };
    if (!needs_cache() || !claims(LARDER_SHARED, "sharing between processes"))
        return;
    struct larder_bytes key = name("rewrites", "x");
    struct op_inputs in = whole_put(key, REWRITE_LEN, 1);
    struct race race;
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PUT, in), LARDER_OK);
    slice_done(&in.value);
    CU_ASSERT_TRUE_FATAL(race_start(&race, "rewrites", WRITERS, key, NOTHING));
    for (unsigned i = 0; i < GETS; i++) {
        struct op *op = call(either(i), LARDER_OP_GET, (struct op_inputs){.key = key});
        uint32_t which;
        CU_ASSERT(is_whole(op, &which));
        op_free(op);
    }
    CU_ASSERT_TRUE(race_end(&race));
    race_done(&race);
    struct op *op = call(drive.one, LARDER_OP_GET, (struct op_inputs){.key = key});
    uint32_t which = 0;
    CU_ASSERT(is_whole(op, &which) && which / MAX_RACERS == REWRITES); /* the last of either */
    op_free(op);
}

/* ---- late and unwanted ----------------------------------------------------------------------------- */

static bool may_say(const struct op *op) {
    int32_t status = op->result.status;
    bool fine = status == LARDER_OK || status == LARDER_MISS || status == LARDER_CANCELLED ||
                status == LARDER_DEADLINE;
    if (!fine)
        note("%s: %s", larder_status_name(status), op->result.detail);
    return fine;
}

/* Nobody waits any more; "exactly one completion" holds all the same, and what the answer says
 * of a put is true. */
static void ops_that_are_given_up_or_late_are_answered_once_and_truly(void) {
    enum { OPS = 200 };
    if (!needs_cache())
        return;
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
        CU_ASSERT(may_say(op));
        if (op->pub.code == LARDER_OP_GET && status == LARDER_OK)
            CU_ASSERT(value_is(op->result.value, 20000, i / 2));
        if (op->pub.code == LARDER_OP_PUT && status == LARDER_OK)
            CU_ASSERT_EQUAL(get_value(drive.two, name("unwanted", "%u", i / 2), 20000, i / 2), LARDER_OK);
        op_free(op);
    }
}

static void marks_and_raises_that_are_given_up_or_late_are_answered_once_and_truly(void) {
    enum { OPS = 200 };
    if (!has_tags()) {
        unclaimed("a tag cache");
        return;
    }
    struct sent sent[OPS];
    struct larder_bytes counter = name("unwanted-marks", "counter");
    uint64_t now_ns = reactor_now_ns(drive.reactor);
    for (unsigned i = 0; i < OPS; i++) {
        struct larder_mark mark = mark_of(name("unwanted-marks", "%u", i), i + 1, UNSET, UNSET);
        struct op_inputs in = {.key = counter, .add = 1};
        uint32_t code = i % 2 ? LARDER_OP_ADVANCE : LARDER_OP_TAGS_WRITE;
        bool late = i % 8 >= 6;
        if (code == LARDER_OP_TAGS_WRITE)
            in = (struct op_inputs){.marks = &mark, .n_marks = 1};
        send_unwanted(drive.one, code, in, late ? now_ns : now_ns + UINT64_C(60000000000), !late, &sent[i]);
    }
    drive_wait();
    for (unsigned i = 0; i < OPS; i++) {
        struct op *op = sent[i].op;
        struct larder_mark got;
        CU_ASSERT_EQUAL(sent[i].answers, 1);
        CU_ASSERT(may_say(op) && op->result.status != LARDER_MISS);
        if (op->pub.code == LARDER_OP_TAGS_WRITE && op->result.status == LARDER_OK)
            CU_ASSERT(read_mark(drive.two, name("unwanted-marks", "%u", i), &got));
        for (unsigned j = 1; op->pub.code == LARDER_OP_ADVANCE && j < i; j += 2) {
            if (op->result.status == LARDER_OK && sent[j].op->result.status == LARDER_OK)
                CU_ASSERT(op->result.epoch != sent[j].op->result.epoch);
        }
    }
    for (unsigned i = 0; i < OPS; i++)
        op_free(sent[i].op);
}

/* ---- a neighbour that stands still ------------------------------------------------------------------ */

static void sleep_ms(long ms) {
    struct timespec for_ms = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&for_ms, &for_ms) != 0)
        ;
}

static bool hammer(const struct race_job *job) {
    struct larder_mark mark = mark_of(job->key, 1, UNSET, UNSET);
    for (unsigned i = 0;; i++) {
        int64_t epoch;
        if (has_cache() && put_value(drive.one, job->key, 5000, i, 0) != LARDER_OK)
            return false;
        if (has_tags() && (write_mark(drive.one, mark, 0) != LARDER_OK ||
                           advance(drive.one, job->key, 1, &epoch) != LARDER_OK))
            return false;
    }
}
const struct role hammers_role = {"hammers", hammer};

static const uint64_t DEADLINE_NS = 150u * 1000000, PATIENCE_NS = UINT64_C(20000000000);

/* What it holds it keeps.  Ops of others end by their deadline: done, or too late, and never done in
 * part; a driver that waits for longer blocks a lane for as long as the other stands. */
static void ask_beside_it(struct larder_bytes key) {
    struct larder_mark mark = mark_of(key, 2, UNSET, UNSET);
    const struct {
        uint32_t code;
        struct op_inputs in;
    } ops[] = {{LARDER_OP_PUT, {.key = key}},
               {LARDER_OP_GET, {.key = key}},
               {LARDER_OP_TAGS_WRITE, {.marks = &mark, .n_marks = 1}},
               {LARDER_OP_TAGS_READ, {.marks = &mark, .n_marks = 1}},
               {LARDER_OP_ADVANCE, {.key = key, .add = 1}}};
    struct sent sent[N_ELEMENTS(ops)];
    uint64_t began_ns = reactor_now_ns(drive.reactor);
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMENTS(ops); i++) {
        if (backend_can(drive.two, ops[i].code))
            send_unwanted(drive.two, ops[i].code, ops[i].in, began_ns + DEADLINE_NS, false, &sent[n++]);
    }
    drive_wait();
    CU_ASSERT(reactor_now_ns(drive.reactor) - began_ns < PATIENCE_NS);
    for (size_t i = 0; i < n; i++) {
        int32_t status = sent[i].op->result.status;
        bool fine = status == LARDER_OK || status == LARDER_DEADLINE || status == LARDER_RETRY ||
                    status == LARDER_THROTTLED;
        if (!fine)
            note("op code %u answers %s: %s", sent[i].op->pub.code, larder_status_name(status),
                 sent[i].op->result.detail);
        CU_ASSERT(fine);
        op_free(sent[i].op);
    }
}

static void a_process_that_stands_still_keeps_nobody_beyond_his_deadline(void) {
    enum { STOPS = 8 };
    if (!claims(LARDER_SHARED, "sharing between processes"))
        return;
    struct larder_bytes key = name("stopped", "x");
    struct race race;
    int64_t epoch;
    uint64_t then_ns = reactor_now_ns(drive.reactor);
    sleep_ms(2);
    if (reactor_now_ns(drive.reactor) == then_ns) {
        unclaimed("a clock that goes on by itself");
        return;
    }
    if (has_cache())
        CU_ASSERT_EQUAL(put_value(drive.one, key, 10, 1, 0), LARDER_OK);
    if (has_cache()) /* it may be stopped before its first put */
        CU_ASSERT_EQUAL(put_value(drive.one, key, 10, 0, 0), LARDER_OK);
    CU_ASSERT_TRUE_FATAL(race_start(&race, "hammers", 1, key, NOTHING));
    for (unsigned i = 0; i < STOPS; i++) {
        sleep_ms(1 + random_below(&drive.random, 5));
        kill(race.racers[0].pid, SIGSTOP);
        ask_beside_it(key);
        kill(race.racers[0].pid, SIGCONT);
    }
    race_done(&race); /* killed: what it held is free */
    if (has_cache())
        CU_ASSERT_EQUAL(put_value(drive.two, key, 10, 1, 0), LARDER_OK);
    if (has_tags())
        CU_ASSERT_EQUAL(advance(drive.two, key, 1, &epoch), LARDER_OK);
}

static const struct unit_test tests[] = {
    UNIT(thousands_of_ops_are_answered_each_with_its_own_answer),
    UNIT(ops_of_every_kind_on_the_same_names_do_not_disturb_each_other),
    UNIT(many_gets_of_one_key_at_once_are_all_answered),
    UNIT(readers_see_one_value_or_the_other_never_a_mixture),
    UNIT(readers_see_whole_values_while_other_processes_write),
    UNIT(ops_that_are_given_up_or_late_are_answered_once_and_truly),
    UNIT(marks_and_raises_that_are_given_up_or_late_are_answered_once_and_truly),
    UNIT(a_process_that_stands_still_keeps_nobody_beyond_his_deadline),
};
const struct suite flight_suite = {"flight", LARDER_OP_PING, tests, N_ELEMENTS(tests)};
