#include "pool.h"

#include <pthread.h>
#include <string.h>

#include "buf.h"
#include "unit.h"

enum { KB = 1024, MB = 1024 * KB };

static int wakes, full_wakes;

static void count_wake(void *arg, bool full) {
    CU_ASSERT_PTR_EQUAL(arg, &wakes);
    ++*(full ? &full_wakes : &wakes);
}

static void start(void) {
    wakes = full_wakes = 0;
    pool_start(count_wake, &wakes);
}

static void *take(size_t size, size_t *ret_capacity) {
    *ret_capacity = 0;
    void *memory = pool_take(size, ret_capacity);
    if (memory != NULL)
        memset(memory, 0x5a, size);
    return memory;
}

static void sizes_outside_of_its_range_are_none_of_the_pools_business(void) {
    start();
    size_t capacity;
    CU_ASSERT_PTR_NULL(take(POOL_MIN_BYTES - 1, &capacity));
    CU_ASSERT_PTR_NULL(take((size_t)POOL_MAX_BYTES + 1, &capacity));
    void *least = take(POOL_MIN_BYTES, &capacity);
    CU_ASSERT_PTR_NOT_NULL_FATAL(least);
    CU_ASSERT_EQUAL(capacity, POOL_MIN_BYTES);
    pool_give(least, capacity);
    void *most = take(POOL_MAX_BYTES, &capacity);
    CU_ASSERT_PTR_NOT_NULL_FATAL(most);
    CU_ASSERT_EQUAL(capacity, POOL_MAX_BYTES);
    pool_give(most, capacity);
    pool_stop();
}

static void every_size_gets_a_block_at_most_a_quarter_larger(void) {
    start();
    for (size_t size = POOL_MIN_BYTES; size <= POOL_MAX_BYTES; size += 4093) {
        size_t capacity;
        void *memory = take(size, &capacity);
        CU_ASSERT_PTR_NOT_NULL_FATAL(memory);
        CU_ASSERT(capacity >= size && capacity <= size + size / 4);
        pool_give(memory, capacity);
    }
    pool_stop();
}

static void what_was_given_back_is_taken_again(void) {
    start();
    size_t capacity, other;
    void *memory = take(300 * KB, &capacity);
    pool_give(memory, capacity);
    CU_ASSERT_EQUAL(pool_kept_bytes(), capacity);
    CU_ASSERT_PTR_EQUAL(take(290 * KB, &other), memory);
    CU_ASSERT_EQUAL(other, capacity);
    CU_ASSERT_EQUAL(pool_kept_bytes(), 0);
    pool_give(memory, capacity);
    pool_stop();
}

static void it_wakes_once_until_it_was_trimmed_empty(void) {
    start();
    size_t capacity;
    void *memory = take(100 * KB, &capacity);
    CU_ASSERT_EQUAL(wakes, 0);
    pool_give(memory, capacity);
    CU_ASSERT_EQUAL(wakes, 1);
    pool_give(take(100 * KB, &capacity), capacity);
    CU_ASSERT_EQUAL(wakes, 1);
    CU_ASSERT(pool_trim()); /* it was in use since it began to count */
    pool_give(take(100 * KB, &capacity), capacity);
    CU_ASSERT(pool_trim());
    CU_ASSERT_FALSE(pool_trim());
    CU_ASSERT_EQUAL(wakes, 1);
    pool_give(take(100 * KB, &capacity), capacity);
    CU_ASSERT_EQUAL(wakes, 2);
    pool_stop();
}

static void a_trim_gives_back_what_was_not_needed_since_the_last_one(void) {
    start();
    size_t capacity[3];
    void *memory[3];
    for (int i = 0; i < 3; i++)
        memory[i] = take(128 * KB, &capacity[i]);
    for (int i = 0; i < 3; i++)
        pool_give(memory[i], capacity[i]);
    CU_ASSERT(pool_trim());
    CU_ASSERT_EQUAL(pool_kept_bytes(), 3 * 128 * KB);
    /* Two of the three are needed. */
    memory[0] = take(128 * KB, &capacity[0]);
    memory[1] = take(128 * KB, &capacity[1]);
    pool_give(memory[0], capacity[0]);
    pool_give(memory[1], capacity[1]);
    CU_ASSERT(pool_trim());
    CU_ASSERT_EQUAL(pool_kept_bytes(), 2 * 128 * KB);
    CU_ASSERT_FALSE(pool_trim());
    CU_ASSERT_EQUAL(pool_kept_bytes(), 0);
    pool_stop();
}

static void beyond_its_bound_it_is_shrunk_by_whoever_is_woken(void) {
    start();
    enum { N = POOL_KEPT_BYTES / POOL_MAX_BYTES + 2 };
    size_t capacity[N];
    void *memory[N];
    for (int i = 0; i < N; i++)
        memory[i] = pool_take(POOL_MAX_BYTES, &capacity[i]);
    for (int i = 0; i < N; i++)
        pool_give(memory[i], capacity[i]);
    CU_ASSERT_EQUAL(pool_kept_bytes(), (size_t)N * POOL_MAX_BYTES);
    CU_ASSERT_EQUAL(full_wakes, 1);
    pool_shrink();
    CU_ASSERT_EQUAL(pool_kept_bytes(), POOL_KEPT_BYTES);
    memory[0] = pool_take(POOL_MAX_BYTES, &capacity[0]);
    pool_give(memory[0], capacity[0]);
    CU_ASSERT_EQUAL(full_wakes, 1);
    size_t least;
    memory[0] = take(POOL_MIN_BYTES, &least);
    pool_give(memory[0], least);
    CU_ASSERT_EQUAL(full_wakes, 2);
    pool_shrink();
    CU_ASSERT_EQUAL(pool_kept_bytes(), POOL_KEPT_BYTES - POOL_MAX_BYTES + POOL_MIN_BYTES);
    pool_stop();
}

static void stopped_it_keeps_nothing_and_takes_back_what_is_out(void) {
    start();
    size_t capacity, other;
    void *memory = take(200 * KB, &capacity), *kept = take(1 * MB, &other);
    pool_give(kept, other);
    pool_stop();
    CU_ASSERT_EQUAL(pool_kept_bytes(), 0);
    pool_give(memory, capacity);
    CU_ASSERT_EQUAL(pool_kept_bytes(), 0);
    CU_ASSERT_PTR_NULL(take(200 * KB, &capacity));
    CU_ASSERT_EQUAL(wakes, 1);
    pool_stop();
}

static void a_large_buffer_comes_from_it_and_goes_back(void) {
    start();
    struct larder_slice slice = {0};
    uint8_t *bytes = buf_new(300 * KB, &slice);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    memset(bytes, 1, 300 * KB);
    slice_done(&slice);
    CU_ASSERT(pool_kept_bytes() >= 300 * KB);
    CU_ASSERT_PTR_EQUAL(buf_new(300 * KB, &slice), bytes);
    CU_ASSERT_EQUAL(pool_kept_bytes(), 0);
    slice_done(&slice);
    /* Made before the pool worked, ended while it does. */
    pool_stop();
    CU_ASSERT_PTR_NOT_NULL(buf_new(300 * KB, &slice));
    start();
    slice_done(&slice);
    CU_ASSERT_EQUAL(pool_kept_bytes(), 0);
    pool_stop();
}

static void *take_and_give(void *arg) {
    size_t capacity, size = *(const size_t *)arg;
    for (int i = 0; i < 500; i++) {
        uint8_t *memory = pool_take(size, &capacity);
        if (memory == NULL)
            break;
        memory[i] = (uint8_t)i;
        memory[size - 1] = (uint8_t)i;
        pool_give(memory, capacity);
    }
    return NULL;
}

static void threads_take_and_give_at_once(void) {
    start();
    pthread_t threads[3];
    const size_t size = 96 * KB;
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, take_and_give, (void *)(uintptr_t)&size), 0);
    for (int i = 0; i < 20; i++)
        (void)pool_trim();
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT(pool_kept_bytes() <= 3 * size);
    pool_stop();
}

UNIT_MAIN("pool", UNIT(sizes_outside_of_its_range_are_none_of_the_pools_business),
          UNIT(every_size_gets_a_block_at_most_a_quarter_larger), UNIT(what_was_given_back_is_taken_again),
          UNIT(it_wakes_once_until_it_was_trimmed_empty),
          UNIT(a_trim_gives_back_what_was_not_needed_since_the_last_one),
          UNIT(beyond_its_bound_it_is_shrunk_by_whoever_is_woken),
          UNIT(stopped_it_keeps_nothing_and_takes_back_what_is_out),
          UNIT(a_large_buffer_comes_from_it_and_goes_back), UNIT(threads_take_and_give_at_once))
