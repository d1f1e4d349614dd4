/*
 * Runs the tests, each in a process of its own, so that a driver that crashes, ends the process or
 * hangs has failed one test, and the rest goes on.  This process never loads the driver: it starts
 * no thread and holds no library's state when it forks.
 */
#ifndef CONFORMANCE_RUN_H
#define CONFORMANCE_RUN_H

#include "suites.h"

enum result_status { TEST_PASSED, TEST_FAILED, TEST_UNCLAIMED, TEST_NOT_RUN };

struct line { /* what a test told, in order */
    struct line *next;
    char kind; /* enum result_kind */
    char text[];
};

struct outcome {
    const struct suite *suite;
    const struct unit_test *test; /* NULL: --replay */
    char id[160];                 /* "theme/a_test_of_it" */
    char words[160];              /* "a test of it" */
    enum result_status status;
    double seconds;
    unsigned assertions;
    struct line *lines, *last;
    char where[200]; /* in the middle of what it was, if that was told */
    char *output;    /* the end of what it printed; "" */
};

struct about { /* the driver, as an open instance tells it */
    char name[64], version[64], summary[256];
    struct larder_info info;
    uint32_t codes; /* bit LARDER_OP_*: it has the function */
    bool cache, tags;
    bool opened;
    char error[512];
};

struct run {
    struct about about;
    struct outcome *outcomes;
    size_t n;
    size_t n_passed, n_failed, n_unclaimed, n_not_run;
    double seconds;
};

/* Opens the driver in a process of its own and asks what it is.  False: run->about.error. */
bool run_probe(struct run *run);
/* The tests that the options select, in order, none of them run.  False: no memory. */
bool run_select(struct run *run);
/* Runs them; `began` and `ended` may be NULL. */
typedef void outcome_fn(const struct run *run, const struct outcome *outcome);
void run_all(struct run *run, outcome_fn *began, outcome_fn *ended);
void run_done(struct run *run);

/* Of bits of LARDER_BLOCKING ...: "SHARED PERSISTENT", or "none". */
void traits_in_words(uint32_t traits, char *out, size_t size);

#endif
