#include <string.h>

#include "buf.h"
#include "bytes.h"
#include "held.h"
#include "key.h"
#include "layers.h"
#include "unit.h"
#define FAILING_ALLOC_HERE
#include "failing_alloc.h"

static const struct layer_namespace_settings shop = {"shop"};

/* A driver that holds its ops, below the layer. */
struct rig {
    struct reactor *r;
    struct backend *below, *top;
};

static struct rig rig_new(const struct layer_namespace_settings *settings) {
    struct rig rig = {.r = held_reactor()};
    rig.below = backend_new(rig.r, &held_driver, NULL, NULL);
    rig.top = backend_new(rig.r, &layer_namespace, settings, rig.below);
    CU_ASSERT_FATAL(rig.below != NULL && rig.top != NULL);
    return rig;
}

static void rig_done(struct rig *rig) {
    settle(rig->r);
    CU_ASSERT(!backend_busy(rig->top) && !backend_busy(rig->below));
    CU_ASSERT_EQUAL(held_count(0), 0);
    backend_free(rig->top);
    backend_free(rig->below);
    reactor_free(rig->r);
    held_info = (struct held_info){0};
    CU_ASSERT_EQUAL(buf_live(), 0);
}

static void keep_op(void *arg, struct op *op) {
    *(struct op **)arg = op;
}

/* Sends an op down; *ret_up is set when it is answered. */
static struct larder_op *sent(struct rig *rig, uint32_t code, const struct op_inputs *in,
                              struct op **ret_up) {
    *ret_up = NULL;
    struct op *op = op_new(rig->r, code, in, UINT64_MAX, keep_op, ret_up);
    CU_ASSERT_PTR_NOT_NULL_FATAL(op);
    backend_call(rig->top, op);
    settle(rig->r);
    return held_take(code);
}

static bool is(struct larder_bytes bytes, const char *text) {
    return bytes_equal(bytes, bytes_of(text));
}

static struct larder_mark mark(const char *tag, int64_t epoch) {
    return (struct larder_mark){bytes_of(tag), epoch, LARDER_UNSET, LARDER_UNSET};
}

static void keys_tags_and_counters_are_prefixed(void) {
    struct rig rig = rig_new(&shop);
    static const uint32_t with_key[] = {
        LARDER_OP_GET,  LARDER_OP_PUT,  LARDER_OP_REMOVE,  LARDER_OP_LIST,    LARDER_OP_ADVANCE,
        LARDER_OP_BUMP, LARDER_OP_LINK, LARDER_OP_KEYS_OF, LARDER_OP_TAGS_OF, LARDER_OP_LIST_MARKS};
    const struct larder_mark marks[] = {mark("t", 5), mark("", 6)};
    for (size_t i = 0; i < N_ELEMENTS(with_key); i++) {
        struct op *up;
        struct op_inputs in = {.key = bytes_of("b/page/k"),
                               .marks = marks,
                               .n_marks = 2,
                               .add = 1,
                               .limit = 7,
                               .cursor = bytes_of("here"),
                               .flags = LARDER_IF_ABSENT,
                               .modified_ms = 2,
                               .epoch = 3,
                               .ttl_ms = 4};
        struct larder_op *down = sent(&rig, with_key[i], &in, &up);
        CU_ASSERT_PTR_NOT_NULL_FATAL(down);
        CU_ASSERT(is(down->key, "shop/b/page/k"));
        CU_ASSERT_EQUAL_FATAL(down->n_marks, 2);
        CU_ASSERT(is(down->marks[0].tag, "shop/t") && down->marks[0].expired_epoch == 5);
        CU_ASSERT(is(down->marks[1].tag, "shop/") && down->marks[1].expired_epoch == 6);
        CU_ASSERT(is(down->cursor, "here"));
        CU_ASSERT(down->add == 1 && down->limit == 7 && down->flags == LARDER_IF_ABSENT);
        CU_ASSERT(down->modified_ms == 2 && down->epoch == 3 && down->ttl_ms == 4);
        answer_status(down, LARDER_OK);
        settle(rig.r);
        CU_ASSERT_PTR_NOT_NULL_FATAL(up);
        CU_ASSERT_EQUAL(up->result.status, LARDER_OK);
        op_free(up);
    }
    rig_done(&rig);
}

static void what_is_no_key_stays_as_it_is(void) {
    struct rig rig = rig_new(&shop);
    static const uint32_t without[] = {LARDER_OP_PING, LARDER_OP_PROVISION, LARDER_OP_EXPLAIN,
                                       LARDER_OP_TAGS_READ, LARDER_OP_TAGS_WRITE};
    for (size_t i = 0; i < N_ELEMENTS(without); i++) {
        struct op *up;
        struct op_inputs in = {.key = bytes_of(without[i] == LARDER_OP_EXPLAIN ? "iam" : "")};
        struct larder_op *down = sent(&rig, without[i], &in, &up);
        CU_ASSERT_PTR_NOT_NULL_FATAL(down);
        CU_ASSERT(bytes_equal(down->key, in.key));
        op_emit_text(down, bytes_of("text"));
        answer_status(down, LARDER_OK);
        settle(rig.r);
        CU_ASSERT_PTR_NOT_NULL_FATAL(up);
        CU_ASSERT(is((struct larder_bytes){(uint8_t *)up->text, up->text_len}, "text"));
        op_free(up);
    }
    rig_done(&rig);
}

static void answers_lose_the_prefix_and_records_of_others(void) {
    struct rig rig = rig_new(&shop);
    struct op *up;
    struct op_inputs in = {.key = bytes_of("")};
    struct larder_op *down = sent(&rig, LARDER_OP_LIST, &in, &up);
    CU_ASSERT_PTR_NOT_NULL_FATAL(down);
    op_emit_key(down, bytes_of("shop/a"));
    op_emit_key(down, bytes_of("shopping/b"));
    op_emit_key(down, bytes_of("shop"));
    op_emit_key(down, bytes_of("shop/"));
    op_emit_mark(down, &(struct larder_mark){bytes_of("other/t"), 1, 2, 3});
    op_emit_mark(down, &(struct larder_mark){bytes_of("shop/t"), 4, 5, 6});
    answer_status(down, LARDER_OK);
    settle(rig.r);
    CU_ASSERT_PTR_NOT_NULL_FATAL(up);
    CU_ASSERT_EQUAL_FATAL(up->n_keys, 2);
    CU_ASSERT(is(up->keys[0], "a") && is(up->keys[1], ""));
    CU_ASSERT_EQUAL_FATAL(up->n_marks, 1);
    CU_ASSERT(is(up->marks[0].tag, "t"));
    CU_ASSERT(up->marks[0].expired_epoch == 4 && up->marks[0].stale_epoch == 5 &&
              up->marks[0].expire_at_ms == 6);
    op_free(up);
    rig_done(&rig);
}

static void a_value_passes_both_ways_without_a_copy(void) {
    struct rig rig = rig_new(&shop);
    struct larder_slice value = {0};
    struct op *up;
    CU_ASSERT_PTR_NOT_NULL_FATAL(buf_new(10, &value));
    struct op_inputs in = {.key = bytes_of("k"), .value = value};
    struct larder_op *down = sent(&rig, LARDER_OP_PUT, &in, &up);
    CU_ASSERT_PTR_NOT_NULL_FATAL(down);
    CU_ASSERT_PTR_EQUAL(down->value.ptr, value.ptr);
    answer_status(down, LARDER_MISS);
    settle(rig.r);
    CU_ASSERT_EQUAL(up->result.status, LARDER_MISS);
    op_free(up);

    in.value = (struct larder_slice){0};
    down = sent(&rig, LARDER_OP_GET, &in, &up);
    CU_ASSERT_PTR_NOT_NULL_FATAL(down);
    struct larder_slice cursor = {0};
    CU_ASSERT_PTR_NOT_NULL_FATAL(buf_new(3, &cursor));
    const struct larder_result res = {.size = sizeof(res),
                                      .value = value,
                                      .epoch = 9,
                                      .modified_ms = 8,
                                      .cursor = cursor,
                                      .retry_after_ms = 7,
                                      .native_code = 6,
                                      .detail = "five"};
    op_complete(down, &res);
    settle(rig.r);
    CU_ASSERT_PTR_EQUAL(up->result.value.ptr, value.ptr);
    CU_ASSERT_PTR_EQUAL(up->result.cursor.ptr, cursor.ptr);
    CU_ASSERT(up->result.epoch == 9 && up->result.modified_ms == 8 && up->result.retry_after_ms == 7);
    CU_ASSERT_EQUAL(up->result.native_code, 6);
    CU_ASSERT_STRING_EQUAL(up->result.detail, "five");
    op_free(up);
    rig_done(&rig);
}

static void a_namespace_is_one_segment(void) {
    static const struct {
        const char *ns, *prefix;
    } cases[] = {{"a/b", "a%2Fb/k"},
                 {"..", "%2E%2E/k"},
                 {"", "%/k"},
                 {"caf\xc3\xa9", "caf%C3%A9/k"},
                 {"a b", "a%20b/k"}};
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        const struct layer_namespace_settings settings = {cases[i].ns};
        struct rig rig = rig_new(&settings);
        struct op *up;
        struct larder_op *down = sent(&rig, LARDER_OP_GET, &(struct op_inputs){.key = bytes_of("k")}, &up);
        CU_ASSERT_PTR_NOT_NULL_FATAL(down);
        CU_ASSERT(is(down->key, cases[i].prefix));
        answer_status(down, LARDER_MISS);
        settle(rig.r);
        op_free(up);
        rig_done(&rig);
    }
}

static void info_is_that_of_the_driver_with_shorter_keys_and_no_lanes(void) {
    held_info.traits = LARDER_SHARED | LARDER_DURABLE;
    held_info.max_key = 250;
    held_info.max_value = 1000;
    held_info.max_marks = 100;
    held_info.max_inflight = 9;
    struct rig rig = rig_new(&shop);
    CU_ASSERT_EQUAL(backend_open(rig.top), LARDER_OK);
    CU_ASSERT_EQUAL(rig.top->info.traits, LARDER_SHARED | LARDER_DURABLE);
    CU_ASSERT_EQUAL(rig.top->info.max_key, 245);
    CU_ASSERT_EQUAL(rig.top->info.max_value, 1000);
    CU_ASSERT_EQUAL(rig.top->info.max_marks, 100);
    CU_ASSERT_EQUAL(rig.top->info.max_inflight, 9);
    rig_done(&rig);

    held_info.traits = LARDER_BLOCKING | LARDER_TTL;
    rig = rig_new(&shop);
    CU_ASSERT_EQUAL(backend_open(rig.top), LARDER_OK);
    CU_ASSERT_EQUAL(rig.top->info.traits, LARDER_TTL);
    CU_ASSERT_EQUAL(rig.top->info.max_key, 0);
    CU_ASSERT_PTR_NULL(rig.top->lanes);
    rig_done(&rig);
}

static void a_namespace_that_leaves_no_room_for_keys_is_refused(void) {
    held_info.max_key = KEY_LEAST + 5; /* "shop/" */
    struct rig rig = rig_new(&shop);
    CU_ASSERT_EQUAL(backend_open(rig.top), LARDER_OK);
    CU_ASSERT_EQUAL(rig.top->info.max_key, KEY_LEAST);
    rig_done(&rig);

    held_info.max_key = KEY_LEAST + 4;
    rig = rig_new(&shop);
    CU_ASSERT_EQUAL(backend_open(rig.top), LARDER_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(rig.top->open_error, "namespace 'shop'"));
    rig_done(&rig);
}

static void an_op_can_be_cancelled_below(void) {
    struct rig rig = rig_new(&shop);
    struct op *up = NULL;
    struct op_inputs in = {.key = bytes_of("k")};
    struct op *op = op_new(rig.r, LARDER_OP_GET, &in, UINT64_MAX, keep_op, &up);
    CU_ASSERT_PTR_NOT_NULL_FATAL(op);
    backend_call(rig.top, op);
    settle(rig.r);
    backend_cancel(op); /* the driver has no cancel(): it answers late */
    settle(rig.r);
    CU_ASSERT_PTR_NULL(up);
    struct larder_op *down = held_take(LARDER_OP_GET);
    CU_ASSERT_PTR_NOT_NULL_FATAL(down);
    answer_status(down, LARDER_MISS);
    settle(rig.r);
    CU_ASSERT_PTR_EQUAL_FATAL(up, op);
    backend_cancel(op); /* after the end: nothing to do */
    op_free(up);
    rig_done(&rig);
}

static void without_memory_every_op_is_still_completed(void) {
    struct rig rig = rig_new(&shop);
    CU_ASSERT_EQUAL_FATAL(backend_open(rig.top), LARDER_OK);
    const struct larder_mark marks[] = {mark("t", 5)};
    unsigned failed = 0;
    for (unsigned long n = 1;; n++) {
        struct op *up = NULL;
        struct op_inputs in = {.key = bytes_of("k"), .marks = marks, .n_marks = 1};
        struct op *op = op_new(rig.r, LARDER_OP_BUMP, &in, UINT64_MAX, keep_op, &up);
        CU_ASSERT_PTR_NOT_NULL_FATAL(op);
        alloc_failures = 0;
        alloc_countdown = n;
        backend_call(rig.top, op);
        settle(rig.r);
        struct larder_op *down = held_take(LARDER_OP_BUMP);
        if (down != NULL)
            answer_epoch(down, 77);
        settle(rig.r);
        alloc_countdown = 0;
        CU_ASSERT_PTR_NOT_NULL_FATAL(up);
        CU_ASSERT_EQUAL(up->result.status, alloc_failures > 0 ? LARDER_NOMEM : LARDER_OK);
        op_free(up);
        if (alloc_failures == 0)
            break;
        failed++;
    }
    CU_ASSERT(failed >= 2);
    rig_done(&rig);
}

UNIT_MAIN("namespace", UNIT(keys_tags_and_counters_are_prefixed), UNIT(what_is_no_key_stays_as_it_is),
          UNIT(answers_lose_the_prefix_and_records_of_others), UNIT(a_value_passes_both_ways_without_a_copy),
          UNIT(a_namespace_is_one_segment), UNIT(info_is_that_of_the_driver_with_shorter_keys_and_no_lanes),
          UNIT(a_namespace_that_leaves_no_room_for_keys_is_refused), UNIT(an_op_can_be_cancelled_below),
          UNIT(without_memory_every_op_is_still_completed))
