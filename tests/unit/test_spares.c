#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "spares.h"
#include "unit.h"

static void memory_that_was_given_is_taken_again(void) {
    spares_start();
    void *memory = spare_take(1000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(memory);
    spare_give(memory, 1000);
    bool again = false;
    void *taken[SPARES];
    for (unsigned i = 0; i < SPARES; i++) {
        taken[i] = spare_take(SPARE_BYTES);
        CU_ASSERT_PTR_NOT_NULL_FATAL(taken[i]);
        memset(taken[i], (int)i, SPARE_BYTES);
        again = again || taken[i] == memory;
    }
    CU_ASSERT_TRUE(again);
    for (unsigned i = 0; i < SPARES; i++) {
        const uint8_t *bytes = taken[i];
        CU_ASSERT_TRUE(bytes[0] == i && bytes[SPARE_BYTES - 1] == i); /* nobody else has it */
        spare_give(taken[i], SPARE_BYTES);
    }
    spares_stop();
}

static void what_is_too_large_or_comes_too_late_is_freed(void) {
    spares_start();
    void *large = spare_take(SPARE_BYTES + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(large);
    memset(large, 1, SPARE_BYTES + 1);
    spare_give(large, SPARE_BYTES + 1);
    void *late = spare_take(1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(late);
    spares_stop();
    spare_give(late, 1);
}

/* Each writes what it has taken from end to end, so that two that have the same are seen. */
static void *take_and_give(void *arg) {
    for (int i = 0; i < 20000; i++) {
        uint8_t *memory = spare_take(SPARE_BYTES);
        if (memory == NULL)
            return NULL;
        memset(memory, (int)(uintptr_t)arg, SPARE_BYTES);
        if (memory[0] != (uint8_t)(uintptr_t)arg || memory[SPARE_BYTES - 1] != (uint8_t)(uintptr_t)arg)
            return NULL;
        spare_give(memory, SPARE_BYTES);
    }
    return arg;
}

static void no_two_threads_have_the_same(void) {
    pthread_t threads[3];
    spares_start();
    for (uintptr_t i = 0; i < 3; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, take_and_give, (void *)(i + 1)), 0);
    for (uintptr_t i = 0; i < 3; i++) {
        void *ended = NULL;
        pthread_join(threads[i], &ended);
        CU_ASSERT_EQUAL((uintptr_t)ended, i + 1);
    }
    spares_stop();
}

UNIT_MAIN("spares", UNIT(memory_that_was_given_is_taken_again),
          UNIT(what_is_too_large_or_comes_too_late_is_freed), UNIT(no_two_threads_have_the_same))
