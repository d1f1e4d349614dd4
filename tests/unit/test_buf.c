#define FAILING_ALLOC_HERE
#include "failing_alloc.h"

#include <pthread.h>
#include <string.h>

#include "buf.h"
#include "unit.h"

static void count(void *arg) {
    ++*(int *)arg;
}

static void a_new_buffer_is_writable_and_ends_with_its_last_reference(void) {
    size_t before = buf_live();
    struct larder_slice slice = {0};
    uint8_t *bytes = buf_new(5, &slice);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    memcpy(bytes, "hello", 5);
    CU_ASSERT_PTR_EQUAL(slice.ptr, bytes);
    CU_ASSERT_EQUAL(slice.len, 5);
    CU_ASSERT_EQUAL(buf_live(), before + 1);

    struct larder_slice other = slice_ref(slice);
    slice_done(&slice);
    CU_ASSERT_PTR_NULL(slice.ptr);
    CU_ASSERT_PTR_NULL(slice.owner);
    CU_ASSERT_EQUAL(slice.len, 0);
    CU_ASSERT_EQUAL(memcmp(other.ptr, "hello", 5), 0);
    CU_ASSERT_EQUAL(buf_live(), before + 1);
    slice_done(&other);
    CU_ASSERT_EQUAL(buf_live(), before);
}

static void an_empty_buffer_can_be_made(void) {
    size_t before = buf_live();
    struct larder_slice slice = {0};
    CU_ASSERT_PTR_NOT_NULL(buf_new(0, &slice));
    CU_ASSERT_EQUAL(slice.len, 0);
    slice_done(&slice);
    CU_ASSERT_EQUAL(buf_live(), before);
}

static void bytes_are_aligned_for_any_type(void) {
    struct larder_slice slice = {0};
    uint8_t *bytes = buf_new(1, &slice);
    CU_ASSERT_EQUAL((uintptr_t)bytes % _Alignof(max_align_t), 0);
    slice_done(&slice);
}

static void an_impossible_size_is_out_of_memory(void) {
    size_t before = buf_live();
    struct larder_slice slice = {.len = 7};
    volatile size_t huge = SIZE_MAX; /* volatile: compilers warn of what they can see */
    CU_ASSERT_PTR_NULL(buf_new(huge, &slice));
    CU_ASSERT_EQUAL(slice.len, 7);
    huge = SIZE_MAX / 2;
    CU_ASSERT_PTR_NULL(buf_new(huge, &slice));
    CU_ASSERT_EQUAL(buf_live(), before);
}

static void wrapped_memory_is_released_once_by_the_last_reference(void) {
    size_t before = buf_live();
    int released = 0;
    static const char text[] = "theirs";
    struct larder_slice slice = {0};
    CU_ASSERT_EQUAL(buf_wrap(text, 6, count, &released, &slice), LARDER_OK);
    CU_ASSERT_PTR_EQUAL(slice.ptr, text);
    CU_ASSERT_EQUAL(slice.len, 6);
    buf_ref(slice.owner);
    buf_unref(slice.owner);
    CU_ASSERT_EQUAL(released, 0);
    slice_done(&slice);
    CU_ASSERT_EQUAL(released, 1);
    CU_ASSERT_EQUAL(buf_live(), before);
}

static void without_memory_there_is_no_buffer_and_what_was_to_be_wrapped_is_released(void) {
    size_t before = buf_live();
    int released = 0;
    struct larder_slice slice = {.len = 7};
    alloc_countdown = 1;
    CU_ASSERT_EQUAL(buf_wrap("x", 1, count, &released, &slice), LARDER_NOMEM);
    CU_ASSERT_EQUAL(released, 1);
    alloc_countdown = 1;
    CU_ASSERT_PTR_NULL(buf_new(10, &slice));
    alloc_countdown = 0;
    CU_ASSERT_EQUAL(slice.len, 7); /* an out-parameter is set on success alone */
    CU_ASSERT_EQUAL(buf_live(), before);
}

static void nothing_can_be_referred_to_and_given_back(void) {
    buf_ref(NULL);
    buf_unref(NULL);
    struct larder_slice none = {0};
    struct larder_slice copy = slice_ref(none);
    slice_done(&copy);
    slice_done(&none);
    CU_ASSERT_PTR_NULL(copy.owner);
}

enum { THREADS = 4, ROUNDS = 2000 };

static void *ref_and_unref(void *arg) {
    struct larder_slice *shared = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct larder_slice mine = slice_ref(*shared);
        if (mine.ptr[0] != 'x')
            abort();
        slice_done(&mine);
    }
    buf_unref(shared->owner);
    return NULL;
}

static void references_may_be_taken_and_given_back_on_all_threads_at_once(void) {
    size_t before = buf_live();
    int released = 0;
    static const char text[] = "x";
    struct larder_slice slice = {0};
    CU_ASSERT_EQUAL_FATAL(buf_wrap(text, 1, count, &released, &slice), LARDER_OK);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        buf_ref(slice.owner);
    for (int i = 0; i < THREADS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, ref_and_unref, &slice), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(released, 0);
    slice_done(&slice);
    CU_ASSERT_EQUAL(released, 1);
    CU_ASSERT_EQUAL(buf_live(), before);
}

UNIT_MAIN("buf", UNIT(a_new_buffer_is_writable_and_ends_with_its_last_reference),
          UNIT(an_empty_buffer_can_be_made), UNIT(bytes_are_aligned_for_any_type),
          UNIT(an_impossible_size_is_out_of_memory),
          UNIT(wrapped_memory_is_released_once_by_the_last_reference),
          UNIT(without_memory_there_is_no_buffer_and_what_was_to_be_wrapped_is_released),
          UNIT(nothing_can_be_referred_to_and_given_back),
          UNIT(references_may_be_taken_and_given_back_on_all_threads_at_once))
