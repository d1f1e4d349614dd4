/*
 * What every driver must do, tried on one: see README.md.  Exit status 0: all that the driver
 * claims holds; 1: something does not; 2: it could not be tried.
 */
#include <CUnit/Basic.h>

#include "child.h"
#include "suites.h"

static bool add_suites(void) {
    for (size_t i = 0; i < n_suites; i++) {
        if (!has(all_suites[i]->needs, all_suites[i]->name)) {
            putchar('\n');
            continue;
        }
        CU_pSuite suite = CU_add_suite(all_suites[i]->name, NULL, NULL);
        for (size_t j = 0; suite && j < all_suites[i]->n; j++) {
            if (!CU_add_test(suite, all_suites[i]->tests[j].name, all_suites[i]->tests[j].run))
                return false;
        }
        if (!suite)
            return false;
    }
    return true;
}

int main(int argc, char **argv) {
    int exit_status = 2;
    bool begun = drive_begin(argc, argv);
    if (begun && drive.child) {
        exit_status = child_main(drive.child, drive.child_key ? drive.child_key : "");
    } else if (begun && CU_initialize_registry() == CUE_SUCCESS) {
        if (add_suites()) {
            CU_basic_set_mode(CU_BRM_VERBOSE);
            CU_basic_run_tests();
            exit_status = CU_get_number_of_failures() > 0;
            printf("not claimed, and not tried: %u\n", drive.n_unclaimed);
        }
        CU_cleanup_registry();
    }
    if (!drive_end() && exit_status == 0)
        exit_status = 1;
    return exit_status;
}
