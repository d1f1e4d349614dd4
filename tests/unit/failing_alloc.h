/*
 * Makes the n-th allocation of the program fail, once.  For programs that are linked with
 * --wrap (larder_unit_test_allocations in CMakeLists.txt): calls from the archive and from the
 * test itself come here, those inside libc do not.  One thread.
 */
#ifndef TESTS_FAILING_ALLOC_H
#define TESTS_FAILING_ALLOC_H

#include <stddef.h>

extern unsigned long alloc_countdown; /* 0: none fails; 1: the next one */
extern unsigned long alloc_failures;  /* that happened */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *ptr, size_t size);

#ifdef FAILING_ALLOC_HERE /* in the one file of the program */
unsigned long alloc_countdown, alloc_failures;

static inline int alloc_fails(void) {
    if (alloc_countdown == 0 || --alloc_countdown > 0)
        return 0;
    alloc_failures++;
    return 1;
}

void *__wrap_malloc(size_t size) {
    return alloc_fails() ? NULL : __real_malloc(size);
}
void *__wrap_calloc(size_t n, size_t size) {
    return alloc_fails() ? NULL : __real_calloc(n, size);
}
void *__wrap_realloc(void *ptr, size_t size) {
    return alloc_fails() ? NULL : __real_realloc(ptr, size);
}
#endif

#endif
