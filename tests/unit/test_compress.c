#include <pthread.h>
#include <string.h>

#include "buf.h"
#include "bytes.h"
#include "held.h"
#include "layers.h"
#include "random.h"
#include "squeeze.h"
#include "unit.h"
#define FAILING_ALLOC_HERE
#include "failing_alloc.h"

enum { MAX_VALUE = 4 << 20 };
static struct layer_compress_settings settings = {.min_bytes = 1000, .level = 1, .max_value = MAX_VALUE};

/* ---- values ------------------------------------------------------------------------- */

static struct larder_slice bytes_like_markup(size_t len) {
    static const char words[] = "<div class=\"card\"><p>a word and another</p></div>";
    struct larder_slice out = {0};
    uint8_t *to = buf_new(len, &out);
    CU_ASSERT_PTR_NOT_NULL_FATAL(to);
    for (size_t i = 0; i < len; i++)
        to[i] = i % 97 == 0 ? (uint8_t)('A' + i / 97 % 26) : (uint8_t)words[i % (sizeof(words) - 1)];
    return out;
}

static struct larder_slice bytes_like_noise(size_t len) {
    uint64_t state = 5;
    struct larder_slice out = {0};
    uint8_t *to = buf_new(len, &out);
    CU_ASSERT_PTR_NOT_NULL_FATAL(to);
    for (size_t i = 0; i < len; i++)
        to[i] = (uint8_t)random_next(&state);
    return out;
}

static struct larder_slice bytes_from(const void *from, size_t len) {
    struct larder_slice out = {0};
    uint8_t *to = buf_new(len, &out);
    CU_ASSERT_PTR_NOT_NULL_FATAL(to);
    bytes_put(to, (struct larder_bytes){from, len});
    return out;
}

static bool equal(struct larder_slice a, struct larder_slice b) {
    return bytes_equal(slice_bytes(a), slice_bytes(b));
}

/* ---- the stored form ------------------------------------------------------------------- */

static void a_value_expands_to_what_it_was(void) {
    static const size_t lens[] = {0, 1, 3, 4, 15, 16, 17, 18, 19, 100, 1000, 32768, 300000};
    struct squeezer *s = squeezer_new(1);
    for (size_t i = 0; i < N_ELEMENTS(lens); i++) {
        for (int noise = 0; noise < 2; noise++) {
            struct larder_slice raw = noise ? bytes_like_noise(lens[i]) : bytes_like_markup(lens[i]), stored,
                                back;
            const char *detail = NULL;
            CU_ASSERT_EQUAL_FATAL(squeeze(s, raw, 0, &stored), LARDER_OK);
            CU_ASSERT_EQUAL_FATAL(expand(s, stored, lens[i], &back, &detail), LARDER_OK);
            CU_ASSERT(equal(raw, back));
            if (noise)
                CU_ASSERT_PTR_EQUAL(stored.ptr, raw.ptr);
            if (!noise && lens[i] >= 1000)
                CU_ASSERT(stored.len <= raw.len - raw.len / 8);
            slice_done(&raw);
            slice_done(&stored);
            slice_done(&back);
        }
    }
    squeezer_free(s);
    CU_ASSERT_EQUAL(buf_live(), 0);
}

static void a_value_that_hardly_shrinks_is_stored_as_it_is(void) {
    struct squeezer *s = squeezer_new(1);
    /* Noise, and a tenth of zeros behind it: zstd saves about a tenth. */
    struct larder_slice raw = bytes_like_noise(10000), stored;
    memset((uint8_t *)(uintptr_t)raw.ptr + 9000, 0, 1000);
    CU_ASSERT_EQUAL_FATAL(squeeze(s, raw, 0, &stored), LARDER_OK);
    CU_ASSERT_PTR_EQUAL(stored.ptr, raw.ptr);
    slice_done(&stored);
    memset((uint8_t *)(uintptr_t)raw.ptr + 8000, 0, 2000);
    CU_ASSERT_EQUAL_FATAL(squeeze(s, raw, 0, &stored), LARDER_OK);
    CU_ASSERT(stored.len < 8750);
    slice_done(&stored);
    slice_done(&raw);
    squeezer_free(s);
}

static void a_raw_value_that_looks_compressed_comes_back(void) {
    struct squeezer *s = squeezer_new(1);
    static const uint8_t looks[] = {0xC1, 'L', 'D', 'Z', 2,   0,   0,   0, 255,
                                    255,  255, 255, 255, 255, 255, 255, 1};
    for (size_t len = 3; len <= sizeof(looks); len++) {
        struct larder_slice raw = bytes_from(looks, len), stored, back;
        const char *detail = NULL;
        CU_ASSERT_EQUAL_FATAL(squeeze(s, raw, 0, &stored), LARDER_OK);
        CU_ASSERT_EQUAL(stored.len, len + (len < 4 ? 0 : SQUEEZE_HEADER_LEN));
        CU_ASSERT_EQUAL_FATAL(expand(s, stored, 100, &back, &detail), LARDER_OK);
        CU_ASSERT(equal(raw, back));
        slice_done(&raw);
        slice_done(&stored);
        slice_done(&back);
    }
    squeezer_free(s);
    CU_ASSERT_EQUAL(buf_live(), 0);
}

static int32_t expanded(struct squeezer *s, const uint8_t *bytes, size_t len, uint64_t max_raw) {
    struct larder_slice stored = bytes_from(bytes, len), back = {0};
    const char *detail = NULL;
    int32_t status = expand(s, stored, max_raw, &back, &detail);
    CU_ASSERT_EQUAL(status == LARDER_OK, back.owner != NULL);
    CU_ASSERT_EQUAL(status == LARDER_CORRUPT, detail != NULL);
    slice_done(&stored);
    slice_done(&back);
    return status;
}

static void a_header_that_lies_is_corrupt_and_allocates_nothing_much(void) {
    struct squeezer *s = squeezer_new(1);
    struct larder_slice raw = bytes_like_markup(5000), stored;
    CU_ASSERT_EQUAL_FATAL(squeeze(s, raw, 0, &stored), LARDER_OK);
    uint8_t bytes[1000];
    CU_ASSERT_FATAL(stored.len <= sizeof(bytes));
    memcpy(bytes, stored.ptr, stored.len);

    CU_ASSERT_EQUAL(expanded(s, bytes, stored.len, 5000), LARDER_OK);
    CU_ASSERT_EQUAL(expanded(s, bytes, stored.len, 4999), LARDER_CORRUPT);
    memset(bytes + 8, 0xFF, 8);
    CU_ASSERT_EQUAL(expanded(s, bytes, stored.len, MAX_VALUE), LARDER_CORRUPT);
    memcpy(bytes, stored.ptr, stored.len);
    bytes[8]++;
    CU_ASSERT_EQUAL(expanded(s, bytes, stored.len, MAX_VALUE), LARDER_CORRUPT);
    bytes[8] -= 2;
    CU_ASSERT_EQUAL(expanded(s, bytes, stored.len, MAX_VALUE), LARDER_CORRUPT);
    bytes[8]++;
    bytes[4] = 0;
    CU_ASSERT_EQUAL(expanded(s, bytes, stored.len, MAX_VALUE), LARDER_CORRUPT);
    bytes[4] = 1;
    CU_ASSERT_EQUAL(expanded(s, bytes, stored.len, MAX_VALUE), LARDER_CORRUPT);
    bytes[4] = 3;
    CU_ASSERT_EQUAL(expanded(s, bytes, stored.len, MAX_VALUE), LARDER_MISS);
    bytes[4] = 2;
    for (size_t len = 4; len < stored.len; len++)
        CU_ASSERT_EQUAL(expanded(s, bytes, len, MAX_VALUE), LARDER_CORRUPT);
    slice_done(&raw);
    slice_done(&stored);
    squeezer_free(s);
    CU_ASSERT_EQUAL(buf_live(), 0);
}

/* ---- the layer --------------------------------------------------------------------------- */

struct rig {
    struct reactor *r;
    struct backend *below, *top;
};

static struct rig rig_new(void) {
    struct rig rig = {.r = held_reactor()};
    rig.below = backend_new(rig.r, &held_driver, NULL, NULL);
    rig.top = backend_new(rig.r, &layer_compress, &settings, rig.below);
    CU_ASSERT_FATAL(rig.below != NULL && rig.top != NULL);
    return rig;
}

/* bufs: how many the test still holds. */
static void rig_done_but_for(struct rig *rig, size_t bufs) {
    settle(rig->r);
    CU_ASSERT(!backend_busy(rig->top) && !backend_busy(rig->below));
    CU_ASSERT_EQUAL(held_count(0), 0);
    backend_free(rig->top);
    backend_free(rig->below);
    reactor_free(rig->r);
    held_info = (struct held_info){0};
    CU_ASSERT_EQUAL(buf_live(), bufs);
}

static void rig_done(struct rig *rig) {
    rig_done_but_for(rig, 0);
}

static void keep_op(void *arg, struct op *op) {
    *(struct op **)arg = op;
}

static struct op *start(struct rig *rig, uint32_t code, struct larder_slice value, struct op **ret_up) {
    struct op_inputs in = {.key = bytes_of("k"),
                           .value = value,
                           .epoch = 3,
                           .modified_ms = 4,
                           .ttl_ms = 5,
                           .flags = LARDER_IF_ABSENT};
    *ret_up = NULL;
    struct op *op = op_new(rig->r, code, &in, UINT64_MAX, keep_op, ret_up);
    CU_ASSERT_PTR_NOT_NULL_FATAL(op);
    backend_call(rig->top, op);
    return op;
}

/* put through the layer; what arrived below is one reference in *ret. */
static void put(struct rig *rig, struct larder_slice value, struct larder_slice *ret) {
    struct op *up;
    start(rig, LARDER_OP_PUT, value, &up);
    settle(rig->r);
    struct larder_op *down = held_take(LARDER_OP_PUT);
    CU_ASSERT_PTR_NOT_NULL_FATAL(down);
    CU_ASSERT(down->epoch == 3 && down->modified_ms == 4 && down->ttl_ms == 5 &&
              down->flags == LARDER_IF_ABSENT);
    CU_ASSERT(bytes_equal(down->key, bytes_of("k")));
    *ret = slice_ref(down->value);
    answer_status(down, LARDER_MISS);
    settle(rig->r);
    CU_ASSERT_PTR_NOT_NULL_FATAL(up);
    CU_ASSERT_EQUAL(up->result.status, LARDER_MISS);
    op_free(up);
}

static struct op *got(struct rig *rig, struct larder_slice stored) {
    struct op *up;
    start(rig, LARDER_OP_GET, (struct larder_slice){0}, &up);
    settle(rig->r);
    struct larder_op *down = held_take(LARDER_OP_GET);
    CU_ASSERT_PTR_NOT_NULL_FATAL(down);
    const struct larder_result res = {
        .size = sizeof(res), .value = slice_ref(stored), .epoch = 9, .modified_ms = 8};
    op_complete(down, &res);
    settle(rig->r);
    CU_ASSERT_PTR_NOT_NULL_FATAL(up);
    return up;
}

static void a_value_comes_back_through_the_layer(void) {
    static const size_t lens[] = {10, 999, 1000, 30000, 33000, 127000, 300000};
    struct rig rig = rig_new();
    for (size_t i = 0; i < N_ELEMENTS(lens); i++) {
        struct larder_slice raw = bytes_like_markup(lens[i]), stored;
        put(&rig, raw, &stored);
        CU_ASSERT_EQUAL(stored.ptr == raw.ptr, lens[i] < 1000);
        CU_ASSERT_EQUAL(stored.len < raw.len / 2, lens[i] >= 1000);
        struct op *up = got(&rig, stored);
        CU_ASSERT_EQUAL(up->result.status, LARDER_OK);
        CU_ASSERT_EQUAL(up->result.epoch, 9);
        CU_ASSERT_EQUAL(up->result.modified_ms, 8);
        CU_ASSERT(equal(up->result.value, raw));
        op_free(up);
        slice_done(&stored);
        slice_done(&raw);
    }
    rig_done(&rig);
}

static void a_value_stored_without_the_layer_reads_with_it(void) {
    struct rig rig = rig_new();
    struct larder_slice raw = bytes_like_markup(300000);
    struct op *up = got(&rig, raw);
    CU_ASSERT_EQUAL(up->result.status, LARDER_OK);
    CU_ASSERT_PTR_EQUAL(up->result.value.ptr, raw.ptr);
    op_free(up);
    slice_done(&raw);
    rig_done(&rig);
}

static void what_is_local_is_spared_but_compressed_values_are_still_read(void) {
    struct rig rig = rig_new();
    struct larder_slice raw = bytes_like_markup(300000), small, stored;
    put(&rig, raw, &small);
    rig_done_but_for(&rig, 2);

    settings.spare_local = true;
    for (int local = 0; local < 2; local++) {
        rig = rig_new();
        held_info.traits = local ? LARDER_LOCAL : 0;
        put(&rig, raw, &stored);
        CU_ASSERT_EQUAL(stored.ptr == raw.ptr, local);
        slice_done(&stored);
        struct op *up = got(&rig, small);
        CU_ASSERT(equal(up->result.value, raw));
        op_free(up);
        rig_done_but_for(&rig, 2);
    }
    settings.spare_local = false;
    slice_done(&small);
    slice_done(&raw);
    CU_ASSERT_EQUAL(buf_live(), 0);
}

static void a_damaged_value_is_corrupt_short_or_long(void) {
    static const size_t lens[] = {5000, 300000};
    struct rig rig = rig_new();
    for (size_t i = 0; i < N_ELEMENTS(lens); i++) {
        struct larder_slice raw = bytes_like_markup(lens[i]), stored;
        put(&rig, raw, &stored);
        struct larder_slice cut = {stored.ptr, stored.len - 1, stored.owner};
        struct op *up = got(&rig, cut);
        CU_ASSERT_EQUAL(up->result.status, LARDER_CORRUPT);
        CU_ASSERT(up->result.detail[0] != 0);
        CU_ASSERT_PTR_NULL(up->result.value.owner);
        op_free(up);
        slice_done(&stored);
        slice_done(&raw);
    }
    rig_done(&rig);
}

static void other_answers_pass(void) {
    static const int32_t statuses[] = {LARDER_MISS, LARDER_RETRY, LARDER_THROTTLED, LARDER_DEADLINE};
    struct rig rig = rig_new();
    for (size_t i = 0; i < N_ELEMENTS(statuses); i++) {
        struct op *up;
        start(&rig, LARDER_OP_GET, (struct larder_slice){0}, &up);
        settle(rig.r);
        struct larder_op *down = held_take(LARDER_OP_GET);
        CU_ASSERT_PTR_NOT_NULL_FATAL(down);
        answer_status(down, statuses[i]);
        settle(rig.r);
        CU_ASSERT_PTR_NOT_NULL_FATAL(up);
        CU_ASSERT_EQUAL(up->result.status, statuses[i]);
        op_free(up);
    }
    /* Tag ops pass too: one instance may serve both. */
    struct op *up;
    start(&rig, LARDER_OP_ADVANCE, (struct larder_slice){0}, &up);
    settle(rig.r);
    struct larder_op *down = held_take(LARDER_OP_ADVANCE);
    CU_ASSERT_PTR_NOT_NULL_FATAL(down);
    answer_epoch(down, 12);
    settle(rig.r);
    CU_ASSERT_PTR_NOT_NULL_FATAL(up);
    CU_ASSERT_EQUAL(up->result.epoch, 12);
    op_free(up);
    rig_done(&rig);
}

static void what_fits_only_compressed_is_stored(void) {
    held_info.max_value = 20000;
    struct rig rig = rig_new();
    CU_ASSERT_EQUAL(backend_open(rig.top), LARDER_OK);
    CU_ASSERT_EQUAL(rig.top->info.max_value, MAX_VALUE);
    struct larder_slice markup = bytes_like_markup(100000), noise = bytes_like_noise(30000), stored;
    put(&rig, markup, &stored);
    CU_ASSERT(stored.len <= 20000);
    slice_done(&stored);
    struct op *up;
    start(&rig, LARDER_OP_PUT, noise, &up);
    settle(rig.r);
    CU_ASSERT_PTR_NULL(held_take(LARDER_OP_PUT));
    CU_ASSERT_PTR_NOT_NULL_FATAL(up);
    CU_ASSERT_EQUAL(up->result.status, LARDER_TOO_BIG);
    op_free(up);
    slice_done(&markup);
    slice_done(&noise);
    rig_done(&rig);
}

static void what_could_not_be_read_back_is_not_stored(void) {
    struct rig rig = rig_new();
    struct larder_slice largest = bytes_like_markup(MAX_VALUE), larger = bytes_like_markup(MAX_VALUE + 1),
                        stored;
    put(&rig, largest, &stored);
    struct op *up = got(&rig, stored);
    CU_ASSERT(equal(up->result.value, largest));
    op_free(up);
    slice_done(&stored);
    start(&rig, LARDER_OP_PUT, larger, &up);
    settle(rig.r);
    CU_ASSERT_EQUAL(held_count(LARDER_OP_PUT), 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(up);
    CU_ASSERT_EQUAL(up->result.status, LARDER_TOO_BIG);
    op_free(up);
    slice_done(&largest);
    slice_done(&larger);
    rig_done(&rig);
}

static void a_put_cancelled_while_it_is_compressed_never_goes_down(void) {
    struct rig rig = rig_new();
    struct larder_slice raw = bytes_like_markup(300000);
    struct op *up, *op = start(&rig, LARDER_OP_PUT, raw, &up);
    backend_cancel(op);
    settle(rig.r);
    CU_ASSERT_PTR_NULL(held_take(LARDER_OP_PUT));
    CU_ASSERT_PTR_EQUAL_FATAL(up, op);
    CU_ASSERT_EQUAL(up->result.status, LARDER_CANCELLED);
    op_free(up);
    slice_done(&raw);
    rig_done(&rig);
}

static void cancel_now(void *op) {
    backend_cancel(op);
}

/* The reactor runs what is posted in order: the answer, then the cancel, then the work that the
 * answer began. */
static void a_get_cancelled_while_it_is_expanded_ends_as_such(void) {
    struct rig rig = rig_new();
    struct larder_slice raw = bytes_like_markup(300000), stored;
    put(&rig, raw, &stored);
    struct op *up, *op = start(&rig, LARDER_OP_GET, (struct larder_slice){0}, &up);
    settle(rig.r);
    struct larder_op *down = held_take(LARDER_OP_GET);
    CU_ASSERT_PTR_NOT_NULL_FATAL(down);
    answer_value(down, slice_ref(stored), 9);
    struct task cancel = {.fn = cancel_now, .arg = op};
    reactor_post(rig.r, &cancel);
    settle(rig.r);
    CU_ASSERT_PTR_EQUAL_FATAL(up, op);
    CU_ASSERT_EQUAL(up->result.status, LARDER_CANCELLED);
    CU_ASSERT_PTR_NULL(up->result.value.owner);
    backend_cancel(op); /* after the end: nothing to do */
    op_free(up);
    slice_done(&stored);
    slice_done(&raw);
    rig_done(&rig);
}

static void without_memory_every_op_is_still_completed(void) {
    struct rig rig = rig_new();
    struct larder_slice raw = bytes_like_markup(300000), stored;
    put(&rig, raw, &stored);
    for (int get = 0; get < 2; get++) {
        unsigned failed = 0;
        for (unsigned long n = 1;; n++) {
            struct op *up;
            alloc_failures = 0;
            alloc_countdown = n + 1; /* the first is the test's op */
            start(&rig, get ? LARDER_OP_GET : LARDER_OP_PUT, get ? (struct larder_slice){0} : raw, &up);
            settle(rig.r);
            struct larder_op *down = held_take(0);
            if (down != NULL)
                answer_value(down, get ? slice_ref(stored) : (struct larder_slice){0}, 9);
            settle(rig.r);
            alloc_countdown = 0;
            CU_ASSERT_PTR_NOT_NULL_FATAL(up);
            CU_ASSERT(up->result.status == LARDER_OK ||
                      (alloc_failures > 0 && up->result.status == LARDER_NOMEM));
            if (get && up->result.status == LARDER_OK)
                CU_ASSERT(equal(up->result.value, raw));
            op_free(up);
            if (alloc_failures == 0)
                break;
            failed++;
        }
        CU_ASSERT(failed >= 3);
    }
    slice_done(&stored);
    slice_done(&raw);
    rig_done(&rig);
}

/* The pool's own threads, for ThreadSanitizer: the reactor has the machine's clock here. */
static void step_until(struct rig *rig, struct op **up) {
    while (*up == NULL && held_count(0) == 0)
        reactor_step(rig->r, true, UINT64_MAX);
}

static void long_values_pass_through_the_threads_of_the_pool(void) {
    struct rig rig = {.r = reactor_new(NULL)};
    rig.below = backend_new(rig.r, &held_driver, NULL, NULL);
    rig.top = backend_new(rig.r, &layer_compress, &settings, rig.below);
    CU_ASSERT_FATAL(rig.below != NULL && rig.top != NULL);
    struct larder_slice raw = bytes_like_markup(300000), stored;
    struct op *up;
    start(&rig, LARDER_OP_PUT, raw, &up);
    step_until(&rig, &up);
    struct larder_op *down = held_take(LARDER_OP_PUT);
    CU_ASSERT_PTR_NOT_NULL_FATAL(down);
    stored = slice_ref(down->value);
    CU_ASSERT(stored.len < raw.len / 2);
    answer_status(down, LARDER_OK);
    step_until(&rig, &up);
    CU_ASSERT_EQUAL(up->result.status, LARDER_OK);
    op_free(up);

    start(&rig, LARDER_OP_GET, (struct larder_slice){0}, &up);
    down = held_take(LARDER_OP_GET);
    CU_ASSERT_PTR_NOT_NULL_FATAL(down);
    answer_value(down, slice_ref(stored), 9);
    step_until(&rig, &up);
    CU_ASSERT_EQUAL(up->result.status, LARDER_OK);
    CU_ASSERT(equal(up->result.value, raw));
    op_free(up);
    slice_done(&stored);
    slice_done(&raw);
    rig_done(&rig);
}

/* For ThreadSanitizer: contexts are shared by the pool's threads and the reactor's. */
static void *squeeze_much(void *arg) {
    struct squeezer *s = arg;
    struct larder_slice raw = bytes_like_markup(20000);
    bool good = true;
    for (int i = 0; i < 50 && good; i++) {
        struct larder_slice stored = {0}, back = {0};
        const char *detail = NULL;
        good = squeeze(s, raw, 0, &stored) == LARDER_OK &&
               expand(s, stored, 20000, &back, &detail) == LARDER_OK && equal(raw, back);
        slice_done(&stored);
        slice_done(&back);
    }
    slice_done(&raw);
    return good ? arg : NULL;
}

static void contexts_are_shared_by_threads(void) {
    struct squeezer *s = squeezer_new(1);
    pthread_t threads[6];
    for (size_t i = 0; i < N_ELEMENTS(threads); i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, squeeze_much, s), 0);
    for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
        void *good = NULL;
        pthread_join(threads[i], &good);
        CU_ASSERT_PTR_EQUAL(good, s);
    }
    squeezer_free(s);
    CU_ASSERT_EQUAL(buf_live(), 0);
}

UNIT_MAIN("compress", UNIT(a_value_expands_to_what_it_was),
          UNIT(a_value_that_hardly_shrinks_is_stored_as_it_is),
          UNIT(a_raw_value_that_looks_compressed_comes_back),
          UNIT(a_header_that_lies_is_corrupt_and_allocates_nothing_much),
          UNIT(a_value_comes_back_through_the_layer), UNIT(a_value_stored_without_the_layer_reads_with_it),
          UNIT(what_is_local_is_spared_but_compressed_values_are_still_read),
          UNIT(a_damaged_value_is_corrupt_short_or_long), UNIT(other_answers_pass),
          UNIT(what_fits_only_compressed_is_stored), UNIT(what_could_not_be_read_back_is_not_stored),
          UNIT(a_put_cancelled_while_it_is_compressed_never_goes_down),
          UNIT(a_get_cancelled_while_it_is_expanded_ends_as_such),
          UNIT(without_memory_every_op_is_still_completed),
          UNIT(long_values_pass_through_the_threads_of_the_pool), UNIT(contexts_are_shared_by_threads))
