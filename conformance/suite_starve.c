/*
 * Memory runs out: the n-th allocation of the driver fails, for every n, until none is left to
 * fail.  Each time one life of an instance is led, from open() to close(): whatever it answers must
 * be true, and another instance, which has memory, must find the store as the answers say.
 */
#include <limits.h>

#include "starve.h"
#include "suites.h"
#include "tried.h"

enum { MOST_LIVES = 400, OLD_LEN = 900, NEW_LEN = 1100 };

/* The names are the same in every life, so that a driver which reads all it has when it is opened
 * does not ask for more each time.  What tells one life from another are numbers that grow. */
struct life {
    unsigned long n;
    unsigned no;
    bool failed; /* something was said that is not true */
    struct larder_bytes old, fresh, gone, tag, counter;
    int64_t epoch; /* the counter's, before */
    int32_t put_old, put_fresh, removed, marked;
    int64_t raised; /* UNSET: not */
};

static void lie(struct life *l, const char *what, int32_t status) {
    note("without allocation %lu, %s answers %s", l->n, what, larder_status_name(status));
    l->failed = true;
}

static uint64_t old_seed(const struct life *l) {
    return 2 * l->no;
}
static uint64_t new_seed(const struct life *l) {
    return 2 * l->no + 1;
}
static int64_t old_epoch(const struct life *l) {
    return 4 * (int64_t)l->no + 1;
}
static int64_t new_epoch(const struct life *l) {
    return 4 * (int64_t)l->no + 2;
}

/* ---- with enough memory, before and after --------------------------------------------------- */

static void before_life(struct life *l) {
    l->put_old = l->put_fresh = l->removed = l->marked = LARDER_INTERNAL;
    l->raised = UNSET;
    l->old = name("starve", "old");
    l->fresh = name("starve", "fresh");
    l->gone = name("starve", "gone");
    l->tag = name("starve", "tag");
    l->counter = name("starve", "counter");
    if (has_cache()) {
        CU_ASSERT_EQUAL(put_value(drive.two, l->old, OLD_LEN, old_seed(l), old_epoch(l)), LARDER_OK);
        CU_ASSERT_EQUAL(put_value(drive.two, l->gone, OLD_LEN, old_seed(l), old_epoch(l)), LARDER_OK);
        CU_ASSERT_EQUAL(remove_key(drive.two, l->fresh), LARDER_OK);
    }
    if (has_tags()) {
        CU_ASSERT_EQUAL(write_mark(drive.two, mark_of(l->tag, old_epoch(l), UNSET, UNSET), 0), LARDER_OK);
        CU_ASSERT_EQUAL(advance(drive.two, l->counter, 1, &l->epoch), LARDER_OK);
    }
}

static void entry_is_as_told(struct life *l, const char *what, struct larder_bytes key, int32_t put,
                             bool was_there) {
    struct larder_result got;
    struct op *op = call(drive.two, LARDER_OP_GET, (struct op_inputs){.key = key});
    got = op->result;
    bool is_new = got.status == LARDER_OK && value_is(got.value, NEW_LEN, new_seed(l));
    bool is_old = was_there ? got.status == LARDER_OK && value_is(got.value, OLD_LEN, old_seed(l))
                            : got.status == LARDER_MISS;
    if (put == LARDER_OK ? !is_new : !is_new && !is_old) {
        note("without allocation %lu, put of %s answered %s; then get answers %s", l->n, what,
             larder_status_name(put), larder_status_name(got.status));
        l->failed = true;
    }
    op_free(op);
}

static void after_life(struct life *l) {
    struct larder_mark mark;
    int64_t epoch = 0;
    if (has_cache()) {
        entry_is_as_told(l, "an entry that was there", l->old, l->put_old, true);
        entry_is_as_told(l, "a new entry", l->fresh, l->put_fresh, false);
        if (l->removed == LARDER_OK && is_there(drive.two, l->gone))
            lie(l, "remove of what is still there", l->removed);
        CU_ASSERT_EQUAL(put_value(drive.two, l->gone, NEW_LEN, new_seed(l), new_epoch(l)), LARDER_OK);
        CU_ASSERT_EQUAL(get_value(drive.two, l->gone, NEW_LEN, new_seed(l)), LARDER_OK);
    }
    if (has_tags()) {
        if (!read_mark(drive.two, l->tag, &mark) || mark.expired_epoch < old_epoch(l))
            lie(l, "reading a mark afterwards", LARDER_MISS);
        else if (l->marked == LARDER_OK && mark.expired_epoch < new_epoch(l))
            lie(l, "writing a mark that is not there", l->marked);
        CU_ASSERT_EQUAL(advance(drive.two, l->counter, 0, &epoch), LARDER_OK);
        CU_ASSERT(epoch >= l->epoch);
        CU_ASSERT(l->raised == UNSET || epoch >= l->raised);
    }
}

/* ---- without ---------------------------------------------------------------------------------- */

/* Sends an op whose answer may be OK or an error, never a miss. */
static int32_t true_or_failed(struct life *l, struct backend *b, uint32_t code, struct op_inputs in) {
    int32_t status = status_of(b, code, in);
    if (status == LARDER_MISS)
        lie(l, larder_op_name(code), status);
    return status;
}

static int32_t put_new(struct life *l, struct backend *b, struct larder_bytes key) {
    struct larder_slice value = value_of(NEW_LEN, new_seed(l));
    int32_t status = true_or_failed(l, b, LARDER_OP_PUT,
                                    (struct op_inputs){.key = key, .value = value, .epoch = new_epoch(l)});
    slice_done(&value);
    return status;
}

static void get_old(struct life *l, struct backend *b) {
    struct op *op = call(b, LARDER_OP_GET, (struct op_inputs){.key = l->old});
    if (op->result.status == LARDER_MISS)
        lie(l, "get of what is there", LARDER_MISS);
    if (op->result.status == LARDER_OK && !value_is(op->result.value, OLD_LEN, old_seed(l)))
        lie(l, "get with other bytes", LARDER_OK);
    op_free(op);
}

/* A page that says "that was all" has what is there. */
static void list_old(struct life *l, struct backend *b) {
    struct op *op = call(b, LARDER_OP_LIST, (struct op_inputs){.key = l->old});
    bool found = false;
    for (size_t i = 0; i < op->n_keys; i++)
        found = found || bytes_equal(op->keys[i], l->old);
    if (op->result.status == LARDER_MISS ||
        (op->result.status == LARDER_OK && op->result.cursor.len == 0 && !found))
        lie(l, "list, in which something is missing,", op->result.status);
    op_free(op);
}

static void live_with_entries(struct life *l, struct backend *b) {
    get_old(l, b);
    l->put_fresh = put_new(l, b, l->fresh);
    l->put_old = put_new(l, b, l->old);
    l->removed = true_or_failed(l, b, LARDER_OP_REMOVE, (struct op_inputs){.key = l->gone});
    if (backend_can(b, LARDER_OP_LIST))
        list_old(l, b);
    if (backend_can(b, LARDER_OP_CLAIM)) {
        struct larder_slice owner = value_of(8, 1);
        struct op_inputs in = {.key = l->old, .value = owner, .ttl_ms = 1000};
        true_or_failed(l, b, LARDER_OP_CLAIM, in);
        status_of(b, LARDER_OP_RELEASE, in);
        slice_done(&owner);
    }
}

static void live_with_tags(struct life *l, struct backend *b) {
    struct larder_mark marks[2] = {mark_of(l->tag, new_epoch(l), UNSET, UNSET),
                                   mark_of(l->fresh, 1, UNSET, UNSET)};
    const struct op_inputs both = {.key = l->counter, .marks = marks, .n_marks = 2};
    struct op *op = call(b, LARDER_OP_TAGS_READ, (struct op_inputs){.marks = marks, .n_marks = 1});
    if (op->result.status == LARDER_MISS || (op->result.status == LARDER_OK && op->n_marks != 1))
        lie(l, "a read without the mark that is there", op->result.status);
    op_free(op);
    l->marked = true_or_failed(l, b, LARDER_OP_TAGS_WRITE, both);
    op = call(b, LARDER_OP_ADVANCE, (struct op_inputs){.key = l->counter, .add = 1});
    if (op->result.status == LARDER_OK)
        l->raised = op->result.epoch;
    if (op->result.status == LARDER_MISS || (l->raised != UNSET && l->raised <= l->epoch))
        lie(l, "advance, with a number that was given out before,", op->result.status);
    op_free(op);
    static const uint32_t others[] = {LARDER_OP_BUMP, LARDER_OP_LINK, LARDER_OP_KEYS_OF, LARDER_OP_TAGS_OF,
                                      LARDER_OP_LIST_MARKS};
    for (size_t i = 0; i < N_ELEMENTS(others); i++) {
        if (backend_can(b, others[i]))
            true_or_failed(l, b, others[i], both);
    }
}

static void live(struct life *l) {
    char error[LARDER_ERROR_SIZE] = "";
    struct backend *b = tried_open(error);
    if (!b)
        return; /* it said so, and the strict host has looked at how */
    true_or_failed(l, b, LARDER_OP_PING, (struct op_inputs){0});
    if (has_cache())
        live_with_entries(l, b);
    if (has_tags())
        live_with_tags(l, b);
    if (backend_can(b, LARDER_OP_PROVISION))
        true_or_failed(l, b, LARDER_OP_PROVISION, (struct op_inputs){0});
    if (backend_can(b, LARDER_OP_EXPLAIN))
        true_or_failed(l, b, LARDER_OP_EXPLAIN, (struct op_inputs){.key = bytes_of("iam")});
    tried_close(b);
}

/* How many allocations there were; *ret_failed: whether the n-th failed (ULONG_MAX: none does). */
static unsigned long lead_life(unsigned long n, unsigned no, bool on, bool *ret_failed) {
    struct life l = {.n = n, .no = no};
    before_life(&l);
    starve_begin(n, on);
    live(&l);
    unsigned long count = starve_end(ret_failed);
    after_life(&l);
    CU_ASSERT_FALSE_FATAL(l.failed);
    return count;
}

static void starve(bool on) {
    bool some_failed;
    unsigned no = 0;
    starve_prepare(drive.driver);
    /* A driver that allocates for each thing in a store that is full already gets a sample. */
    unsigned long all = lead_life(ULONG_MAX, no++, on, &some_failed), step = all / MOST_LIVES + 1;
    CU_ASSERT_FALSE(some_failed);
    some_failed = true;
    for (unsigned long n = 1; some_failed && no <= 2 * MOST_LIVES; n += step)
        (void)lead_life(n, no++, on, &some_failed);
    CU_ASSERT_FALSE(some_failed);
    note("%u lives, each without another of %lu allocations", no, all);
}

static void whichever_allocation_fails_what_is_answered_is_true(void) {
    starve(false);
}

static void from_whichever_on_allocations_fail_what_is_answered_is_true(void) {
    starve(true);
}

static const struct unit_test tests[] = {
    UNIT(whichever_allocation_fails_what_is_answered_is_true),
    UNIT(from_whichever_on_allocations_fail_what_is_answered_is_true),
};
const struct suite starve_suite = {"starve", LARDER_OP_PING, tests, N_ELEMENTS(tests)};
