/* Every allocation of a request fails once: each request is still answered, once, with a class
 * of its own, and nothing is lost. */
#define FAILING_ALLOC_HERE
#include "failing_alloc.h"

#include "buf.h"
#include "bytes.h"
#include "frame.h"
#include "held.h"
#include "loader.h"
#include "store.h"
#include "unit.h"

#define BYTES(text) ((struct larder_bytes){(const uint8_t *)(text), sizeof(text) - 1})
enum { MOST_ALLOCATIONS = 2000 };

static struct reactor *reactor;
static struct larder_store *store;
static struct larder_slice frame;
static struct larder_bytes tags[] = {{(const uint8_t *)"t1", 2}, {(const uint8_t *)"t2", 2}};
static struct larder_part part = {.name = {(const uint8_t *)"body", 4},
                                  .data = {(const uint8_t *)"hello", 5}};
static struct larder_entry entry;

struct outcome {
    unsigned times;
    int32_t status;
};

static void note(void *arg, const struct larder_answer *answer) {
    struct outcome *o = arg;
    o->times++;
    o->status = answer->status;
}

static void open_store(const char *driver) {
    struct larder_config *config = larder_config_new();
    struct store_config *typed = NULL;
    struct larder_error error = {0};
    reactor = held_reactor();
    larder_config_set(config, "cache", driver, "test", &error);
    larder_config_set(config, "index", "true", "test", &error);
    if (store_config_new(config, &typed, &error) != LARDER_OK ||
        store_open_on(reactor, typed, &store, &error) != LARDER_OK) {
        printf("cannot open the store: %s\n", error.text);
        exit(2);
    }
    larder_config_free(config);
    settle(reactor);
}

static void note_closed(void *arg) {
    *(bool *)arg = true;
}

static void close_store(void) {
    bool closed = false;
    store_close_begin(store, note_closed, &closed);
    for (int i = 0; i < 2000 && !closed; i++)
        pass_ms(reactor, 5);
    CU_ASSERT(closed);
    reactor_free(reactor);
    backend_host_clock(NULL);
}

/* A right driver in miniature: everything succeeds. */
static void answer_all(void) {
    struct larder_mark ns = {BYTES("default/"), 1, LARDER_UNSET, LARDER_UNSET};
    for (struct larder_op *op; (op = held_take(0)) != NULL; settle(reactor)) {
        switch (op->code) {
        case LARDER_OP_GET: answer_value(op, slice_ref(frame), 5); break;
        case LARDER_OP_TAGS_READ: answer_marks(op, &ns, 1); break;
        case LARDER_OP_ADVANCE:
        case LARDER_OP_BUMP: answer_epoch(op, 9); break;
        default: answer_status(op, LARDER_OK); break;
        }
    }
}

/* The request with its n-th allocation failing, for n from 1 until none fails any more. */
static void fail_each_allocation(const char *driver, const struct larder_request *request) {
    struct outcome o;
    unsigned long failed = 1;
    for (unsigned long n = 1; failed > 0; n++) {
        CU_ASSERT_FATAL(n < MOST_ALLOCATIONS);
        size_t before = buf_live();
        o = (struct outcome){0};
        open_store(driver);
        /* Once unharmed, so that instances are open, and guesses there, as in a long life. */
        CU_ASSERT(larder_submit(store, request, note, &o) == LARDER_OK);
        settle(reactor);
        answer_all();
        CU_ASSERT_FATAL(o.times == 1 && o.status == LARDER_OK);

        o = (struct outcome){0};
        alloc_failures = 0;
        alloc_countdown = n;
        int32_t status = larder_submit(store, request, note, &o);
        settle(reactor);
        answer_all();
        pass_ms(reactor, 3000); /* whatever waits for its deadline */
        answer_all();
        alloc_countdown = 0;
        failed = alloc_failures;
        CU_ASSERT(o.times == (status == LARDER_OK ? 1 : 0));
        CU_ASSERT(status == LARDER_OK || status == LARDER_NOMEM);
        CU_ASSERT(failed > 0 || o.status == LARDER_OK);

        o = (struct outcome){0}; /* and afterwards the store works as before */
        CU_ASSERT(larder_submit(store, request, note, &o) == LARDER_OK);
        settle(reactor);
        answer_all();
        CU_ASSERT(o.times == 1 && o.status == LARDER_OK);
        close_store();
        CU_ASSERT(buf_live() == before);
    }
}

static void a_get_survives_every_failing_allocation(void) {
    struct larder_request get = {.code = LARDER_DO_GET,
                                 .kind = LARDER_FETCH,
                                 .key = BYTES("k"),
                                 .tags = tags,
                                 .n_tags = 2,
                                 .flags = LARDER_F_RENDER | LARDER_F_V8};
    fail_each_allocation("held", &get);
}

static void a_put_survives_every_failing_allocation(void) {
    fail_each_allocation("held", &(struct larder_request){.code = LARDER_DO_PUT, .entry = &entry});
}

static void a_revalidation_survives_every_failing_allocation(void) {
    struct larder_request request = {.code = LARDER_DO_REVALIDATE, .tags = tags, .n_tags = 2};
    fail_each_allocation("held", &request);
    fail_each_allocation("held-two-rounds", &request);
}

static void the_rest_survives_every_failing_allocation(void) {
    struct larder_request requests[] = {
        {.code = LARDER_DO_REMOVE, .kind = LARDER_PAGE, .key = BYTES("k")},
        {.code = LARDER_DO_CHECK, .tags = tags, .n_tags = 2, .epoch = 3},
        {.code = LARDER_DO_READ_TAGS, .tags = tags, .n_tags = 2},
        {.code = LARDER_DO_EPOCH},
        {.code = LARDER_DO_LINK, .kind = LARDER_PAGE, .key = BYTES("k"), .tags = tags, .n_tags = 2},
        {.code = LARDER_DO_LIST, .kind = LARDER_PAGE},
        {.code = LARDER_DO_KEYS_OF, .tags = tags, .n_tags = 1},
        {.code = LARDER_DO_TAGS_OF, .kind = LARDER_PAGE, .key = BYTES("k")},
        {.code = LARDER_DO_LIST_TAGS},
        {.code = LARDER_DO_PING},
        {.code = LARDER_DO_PROVISION},
        {.code = LARDER_DO_EXPLAIN, .key = BYTES("files")},
    };
    for (size_t i = 0; i < N_ELEMENTS(requests); i++)
        fail_each_allocation("held", &requests[i]);
}

int main(void) {
    static const struct unit_test tests[] = {
        UNIT(a_get_survives_every_failing_allocation),
        UNIT(a_put_survives_every_failing_allocation),
        UNIT(a_revalidation_survives_every_failing_allocation),
        UNIT(the_rest_survives_every_failing_allocation),
    };
    loader_add_builtin(&held_driver);
    loader_add_builtin(&held_driver_two_rounds);
    entry = (struct larder_entry){.kind = LARDER_FETCH,
                                  .n_parts = 1,
                                  .key = BYTES("k"),
                                  .meta = BYTES("{}"),
                                  .epoch = 5,
                                  .modified_ms = 1,
                                  .revalidate_ms = LARDER_UNSET,
                                  .expire_ms = LARDER_UNSET,
                                  .tags = tags,
                                  .n_tags = 2,
                                  .parts = &part};
    if (frame_encode(&entry, 1 << 20, &frame) != LARDER_OK)
        return 2;
    int failed = unit_main("store_faults", tests, N_ELEMENTS(tests));
    slice_done(&frame);
    return failed;
}
