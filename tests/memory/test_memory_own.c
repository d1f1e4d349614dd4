/* What is particular to the memory driver: room, names, references, and no memory. */
#define FAILING_ALLOC_HERE
#include "failing_alloc.h"

#include "backend.h"
#include "buf.h"
#include "bytes.h"
#include "fake_clock.h"
#include "memory/memory.h"
#include "unit.h"

#define UNSET LARDER_UNSET

static struct fake_clock clock_at = {.ns = 1000000000u, .ms = 1700000000000};
static struct reactor *reactor;
static struct memory_config config;

/* A store of its own with this much room. */
static struct backend *opened(const char *store_name, int64_t max_size) {
    config = (struct memory_config){.name = store_name, .max_size = max_size};
    struct reactor_clock clock = fake_clock_of(&clock_at);
    reactor = reactor_new(&clock);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reactor);
    struct backend *b = backend_new(reactor, larder_driver_v1(), &config, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    CU_ASSERT_EQUAL_FATAL(backend_open(b), LARDER_OK);
    return b;
}

static void closed(struct backend *b) {
    backend_free(b);
    reactor_free(reactor);
    CU_ASSERT_EQUAL(buf_live(), 0);
}

static void note_done(void *arg, struct op *op) {
    (void)op;
    *(bool *)arg = true;
}

static struct op *call(struct backend *b, uint32_t code, struct op_inputs in) {
    bool done = false;
    unsigned long failing = alloc_countdown; /* the driver's allocations fail, not the op's */
    alloc_countdown = 0;
    struct op *op = op_new(reactor, code, &in, UINT64_MAX, note_done, &done);
    CU_ASSERT_PTR_NOT_NULL_FATAL(op);
    alloc_countdown = failing;
    backend_call(b, op);
    alloc_countdown = 0;
    while (!done && reactor_step(reactor, false, 0) > 0)
        ;
    CU_ASSERT_TRUE_FATAL(done);
    return op;
}

static int32_t status_of(struct backend *b, uint32_t code, struct op_inputs in) {
    struct op *op = call(b, code, in);
    int32_t status = op->result.status;
    op_free(op);
    return status;
}

static int32_t put(struct backend *b, const char *key, size_t len) {
    struct larder_slice value;
    uint8_t *bytes = buf_new(len, &value);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    memset(bytes, 'v', len);
    int32_t status = status_of(b, LARDER_OP_PUT, (struct op_inputs){.key = bytes_of(key), .value = value});
    slice_done(&value);
    return status;
}

static int32_t get(struct backend *b, const char *key) {
    return status_of(b, LARDER_OP_GET, (struct op_inputs){.key = bytes_of(key)});
}

/* ---- room ----------------------------------------------------------------------------- */

static void the_least_recently_used_entries_make_room(void) {
    struct backend *b = opened("", 40000);
    CU_ASSERT_EQUAL(put(b, "a", 10000), LARDER_OK);
    CU_ASSERT_EQUAL(put(b, "b", 10000), LARDER_OK);
    CU_ASSERT_EQUAL(put(b, "c", 10000), LARDER_OK);
    CU_ASSERT_EQUAL(get(b, "a"), LARDER_OK); /* so b is the oldest */
    CU_ASSERT_EQUAL(put(b, "d", 10000), LARDER_OK);
    CU_ASSERT_EQUAL(get(b, "b"), LARDER_MISS);
    CU_ASSERT_EQUAL(get(b, "a"), LARDER_OK);
    CU_ASSERT_EQUAL(get(b, "c"), LARDER_OK);
    CU_ASSERT_EQUAL(get(b, "d"), LARDER_OK);
    CU_ASSERT_EQUAL(put(b, "d", 30000), LARDER_OK); /* a replacement that grows */
    CU_ASSERT_EQUAL(get(b, "d"), LARDER_OK);
    CU_ASSERT_EQUAL(get(b, "a"), LARDER_MISS);
    CU_ASSERT_EQUAL(put(b, "e", 40000), LARDER_TOO_BIG);
    CU_ASSERT_EQUAL(get(b, "d"), LARDER_OK); /* nothing went for what was refused */
    closed(b);
}

static void room_is_never_made_of_marks_or_counters(void) {
    struct backend *b = opened("", 20000);
    struct larder_mark mark = {bytes_of("tag"), 7, UNSET, UNSET};
    struct op_inputs write = {.marks = &mark, .n_marks = 1};
    CU_ASSERT_EQUAL(status_of(b, LARDER_OP_TAGS_WRITE, write), LARDER_OK);
    CU_ASSERT_EQUAL(status_of(b, LARDER_OP_ADVANCE, (struct op_inputs){.key = bytes_of("counter"), .add = 1}),
                    LARDER_OK);
    char key[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "%d", i);
        CU_ASSERT_EQUAL(put(b, key, 5000), LARDER_OK);
    }
    CU_ASSERT_EQUAL(get(b, "0"), LARDER_MISS);
    struct op *op = call(b, LARDER_OP_TAGS_READ, write);
    CU_ASSERT_EQUAL(op->n_marks, 1);
    op_free(op);
    clock_at.ms += 1000;
    op = call(b, LARDER_OP_ADVANCE, (struct op_inputs){.key = bytes_of("counter"), .add = 0});
    CU_ASSERT_EQUAL(op->result.epoch, clock_at.ms - 1000);
    op_free(op);
    closed(b);
}

static void an_entry_that_makes_room_leaves_the_index(void) {
    struct backend *b = opened("", 20000);
    struct larder_mark mark = {bytes_of("tag"), UNSET, UNSET, UNSET};
    CU_ASSERT_EQUAL(put(b, "old", 10000), LARDER_OK);
    CU_ASSERT_EQUAL(status_of(b, LARDER_OP_LINK,
                              (struct op_inputs){.key = bytes_of("old"), .marks = &mark, .n_marks = 1}),
                    LARDER_OK);
    CU_ASSERT_EQUAL(put(b, "new", 15000), LARDER_OK);
    struct op *op = call(b, LARDER_OP_KEYS_OF, (struct op_inputs){.key = bytes_of("tag")});
    CU_ASSERT_EQUAL(op->n_keys, 0);
    op_free(op);
    closed(b);
}

static void claims_that_are_over_do_not_pile_up(void) {
    struct backend *b = opened("", 0);
    struct memory *m = b->instance;
    char key[16];
    for (int i = 0; i < 10000; i++) {
        snprintf(key, sizeof(key), "%d", i);
        CU_ASSERT_EQUAL(status_of(b, LARDER_OP_CLAIM, (struct op_inputs){.key = bytes_of(key), .ttl_ms = 5}),
                        LARDER_OK);
        clock_at.ms++;
    }
    CU_ASSERT(m->store->claims.n < 200);
    closed(b);
}

/* ---- names ------------------------------------------------------------------------------ */

static void stores_without_a_name_share_nothing(void) {
    struct backend *a = opened("", 0);
    struct backend *b = backend_new(reactor, larder_driver_v1(), &config, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    CU_ASSERT_EQUAL(put(a, "x", 10), LARDER_OK);
    CU_ASSERT_EQUAL(get(b, "x"), LARDER_MISS);
    backend_free(b);
    closed(a);
}

static void stores_of_one_name_share_until_the_last_is_closed(void) {
    struct backend *a = opened("shared", 0);
    struct memory_config other = {.name = "other"}, wrong = {.name = "shared", .max_size = 5};
    struct backend *b = backend_new(reactor, larder_driver_v1(), &config, NULL);
    struct backend *c = backend_new(reactor, larder_driver_v1(), &other, NULL);
    struct backend *d = backend_new(reactor, larder_driver_v1(), &wrong, NULL);
    CU_ASSERT_EQUAL(put(a, "x", 10), LARDER_OK);
    CU_ASSERT_EQUAL(get(b, "x"), LARDER_OK);
    CU_ASSERT_EQUAL(get(c, "x"), LARDER_MISS);
    CU_ASSERT_EQUAL(get(d, "x"), LARDER_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(d->open_error, "max-size 0, not 5"));
    backend_free(c);
    backend_free(d);
    backend_free(a);
    CU_ASSERT_EQUAL(get(b, "x"), LARDER_OK);
    backend_free(b);
    CU_ASSERT_EQUAL(buf_live(), 0);

    b = backend_new(reactor, larder_driver_v1(), &config, NULL);
    CU_ASSERT_EQUAL(get(b, "x"), LARDER_MISS);
    closed(b);
}

static void a_value_is_kept_and_given_by_reference(void) {
    struct backend *b = opened("", 0);
    struct larder_slice value;
    CU_ASSERT_PTR_NOT_NULL_FATAL(buf_new(100, &value));
    CU_ASSERT_EQUAL(status_of(b, LARDER_OP_PUT, (struct op_inputs){.key = bytes_of("x"), .value = value}),
                    LARDER_OK);
    struct op *op = call(b, LARDER_OP_GET, (struct op_inputs){.key = bytes_of("x")});
    CU_ASSERT_PTR_EQUAL(op->result.value.ptr, value.ptr);
    CU_ASSERT_PTR_EQUAL(op->result.value.owner, value.owner);
    op_free(op);
    slice_done(&value);
    closed(b);
}

static void a_counter_stops_before_the_number_that_means_something_else(void) {
    struct backend *b = opened("", 0);
    clock_at.ms = INT64_MAX - 2;
    struct op_inputs in = {.key = bytes_of("c"), .add = 1};
    for (int i = 0; i < 3; i++) {
        struct op *op = call(b, LARDER_OP_ADVANCE, in);
        CU_ASSERT_EQUAL(op->result.status, LARDER_OK);
        CU_ASSERT_EQUAL(op->result.epoch, i == 0 ? INT64_MAX - 2 : INT64_MAX - 1);
        op_free(op);
    }
    clock_at.ms = 1700000000000;
    in.add = -1;
    CU_ASSERT_EQUAL(status_of(b, LARDER_OP_ADVANCE, in), LARDER_INVALID);
    closed(b);
}

static void a_new_epoch_is_made_by_bump_alone(void) {
    struct backend *b = opened("", 0);
    struct larder_mark marks[2] = {{bytes_of("a"), 5, UNSET, UNSET},
                                   {bytes_of("b"), UNSET, LARDER_NEW_EPOCH, UNSET}};
    struct op_inputs in = {.marks = marks, .n_marks = 2};
    CU_ASSERT_EQUAL(status_of(b, LARDER_OP_TAGS_WRITE, in), LARDER_INVALID);
    struct op *op = call(b, LARDER_OP_TAGS_READ, in);
    CU_ASSERT_EQUAL(op->n_marks, 0);
    op_free(op);
    closed(b);
}

/* ---- no memory ------------------------------------------------------------------------------ */

/* What an observer can tell of marks a and b and counter c. */
struct view {
    size_t n_marks;
    int64_t sum;
};

static struct view look(struct backend *b, const struct larder_mark *marks) {
    struct op *op = call(b, LARDER_OP_TAGS_READ, (struct op_inputs){.marks = marks, .n_marks = 2});
    struct view view = {.n_marks = op->n_marks};
    for (size_t i = 0; i < op->n_marks; i++)
        view.sum += op->marks[i].expired_epoch;
    op_free(op);
    return view;
}

/* Each allocation of an op in turn fails: the op says so and has changed nothing, or works. */
static void ops_without_memory_change_nothing(void) {
    static const uint32_t codes[] = {LARDER_OP_PUT,     LARDER_OP_CLAIM,  LARDER_OP_TAGS_WRITE,
                                     LARDER_OP_ADVANCE, LARDER_OP_BUMP,   LARDER_OP_LINK,
                                     LARDER_OP_LIST,    LARDER_OP_KEYS_OF};
    for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
        int32_t status = LARDER_NOMEM;
        unsigned failures = 0;
        for (unsigned long nth = 1; status != LARDER_OK && nth < 50; nth++) {
            struct backend *b = opened("", 0);
            struct larder_mark marks[2] = {{bytes_of("a"), LARDER_NEW_EPOCH, UNSET, UNSET},
                                           {bytes_of("b"), LARDER_NEW_EPOCH, UNSET, UNSET}};
            if (codes[i] == LARDER_OP_TAGS_WRITE)
                marks[0].expired_epoch = marks[1].expired_epoch = 3;
            struct op_inputs in = {
                .key = bytes_of("new"), .add = 1, .limit = 1, .marks = marks, .n_marks = 2};
            if (codes[i] == LARDER_OP_LIST || codes[i] == LARDER_OP_KEYS_OF) {
                in.key = bytes_of(codes[i] == LARDER_OP_LIST ? "" : "a");
                for (int j = 0; j < 2; j++) {
                    struct op_inputs link = {.key = bytes_of(j ? "k1" : "k2"), .marks = marks, .n_marks = 1};
                    CU_ASSERT_EQUAL(put(b, j ? "k1" : "k2", 1), LARDER_OK);
                    CU_ASSERT_EQUAL(status_of(b, LARDER_OP_LINK, link), LARDER_OK);
                }
            }
            alloc_countdown = nth;
            status = status_of(b, codes[i], in);
            CU_ASSERT(status == LARDER_OK || status == LARDER_NOMEM);
            if (status == LARDER_NOMEM) {
                struct memory *m = b->instance;
                failures++;
                CU_ASSERT_EQUAL(look(b, marks).n_marks, 0);
                CU_ASSERT_EQUAL(m->store->counters.n, 0);
                CU_ASSERT_EQUAL(m->store->claims.n, 0);
                CU_ASSERT_EQUAL(get(b, "new"), LARDER_MISS);
                struct op *op = call(b, LARDER_OP_TAGS_OF, (struct op_inputs){.key = bytes_of("new")});
                CU_ASSERT_EQUAL(op->n_marks, 0);
                op_free(op);
            }
            closed(b);
        }
        CU_ASSERT_EQUAL(status, LARDER_OK);
        CU_ASSERT(failures > 0);
    }
}

static void a_bump_without_memory_leaves_older_marks_alone(void) {
    struct larder_mark marks[2] = {{bytes_of("a"), LARDER_NEW_EPOCH, UNSET, UNSET},
                                   {bytes_of("b"), LARDER_NEW_EPOCH, UNSET, UNSET}};
    struct larder_mark old = {bytes_of("a"), 5, UNSET, UNSET};
    unsigned failures = 0;
    for (unsigned long nth = 1; nth < 10; nth++) {
        struct backend *b = opened("", 0);
        CU_ASSERT_EQUAL(status_of(b, LARDER_OP_TAGS_WRITE, (struct op_inputs){.marks = &old, .n_marks = 1}),
                        LARDER_OK);
        alloc_countdown = nth;
        int32_t status = status_of(b, LARDER_OP_BUMP,
                                   (struct op_inputs){.key = bytes_of("c"), .marks = marks, .n_marks = 2});
        struct view view = look(b, marks);
        if (status == LARDER_NOMEM) {
            failures++;
            CU_ASSERT_EQUAL(view.n_marks, 1);
            CU_ASSERT_EQUAL(view.sum, 5);
        } else {
            CU_ASSERT_EQUAL(view.n_marks, 2);
        }
        closed(b);
    }
    CU_ASSERT(failures > 0);
}

UNIT_MAIN("memory", UNIT(the_least_recently_used_entries_make_room),
          UNIT(room_is_never_made_of_marks_or_counters), UNIT(an_entry_that_makes_room_leaves_the_index),
          UNIT(claims_that_are_over_do_not_pile_up), UNIT(stores_without_a_name_share_nothing),
          UNIT(stores_of_one_name_share_until_the_last_is_closed),
          UNIT(a_value_is_kept_and_given_by_reference),
          UNIT(a_counter_stops_before_the_number_that_means_something_else),
          UNIT(a_new_epoch_is_made_by_bump_alone), UNIT(ops_without_memory_change_nothing),
          UNIT(a_bump_without_memory_leaves_older_marks_alone))
