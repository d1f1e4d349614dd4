/*
 * The frame of a unit test program: a table of tests, run by CUnit, one line for each, and
 * exit status 1 if any failed.  Names read as statements of behaviour.
 *
 *     static void a_mark_in_the_future_does_not_expire_an_entry_yet(void) { CU_ASSERT(...); }
 *     UNIT_MAIN("marks", UNIT(a_mark_in_the_future_does_not_expire_an_entry_yet), ...)
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>

struct unit_test {
    const char *name;
    void (*run)(void);
};

#define UNIT(fn) \
    { #fn, fn }

static inline int unit_main(const char *suite_name, const struct unit_test *tests, size_t n) {
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 2;
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
    int failed = suite == NULL;
    for (size_t i = 0; i < n && !failed; i++)
        failed = CU_add_test(suite, tests[i].name, tests[i].run) == NULL;
    if (!failed) {
        CU_basic_set_mode(CU_BRM_VERBOSE);
        CU_basic_run_tests();
        failed = CU_get_number_of_failures() > 0 || CU_get_number_of_tests_run() != n;
    }
    CU_cleanup_registry();
    return failed ? 1 : 0;
}

#define UNIT_MAIN(suite_name, ...)                                             \
    int main(void) {                                                           \
        static const struct unit_test tests[] = {__VA_ARGS__};                 \
        return unit_main(suite_name, tests, sizeof(tests) / sizeof(tests[0])); \
    }

#endif
