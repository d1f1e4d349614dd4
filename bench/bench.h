/* What the benchmarks in C share: their options, their clock, the median. */
#ifndef BENCH_H
#define BENCH_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BENCH_MAX_ROUNDS = 1001 };

struct bench_options {
    bool json;
    unsigned rounds; /* 1 to BENCH_MAX_ROUNDS */
};

/* [--json] [--rounds N]; ends the program where anything else is given. */
static inline struct bench_options bench_options(const char *name, int argc, char **argv, unsigned rounds) {
    struct bench_options options = {.rounds = rounds};
    bool good = true;
    for (int i = 1; i < argc && good; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            options.json = true;
        } else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
            char *end;
            errno = 0;
            unsigned long n = strtoul(argv[++i], &end, 10);
            good = errno == 0 && *end == '\0' && n >= 1 && n <= BENCH_MAX_ROUNDS;
            options.rounds = (unsigned)n;
        } else {
            good = false;
        }
    }
    if (!good) {
        fprintf(stderr, "usage: %s [--json] [--rounds N], N up to %d\n", name, BENCH_MAX_ROUNDS);
        exit(2);
    }
    return options;
}

/* CPU time of this thread: other load on the machine disturbs it least. */
static inline uint64_t bench_cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline int bench_by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts them. */
static inline double bench_median(double *values, unsigned n) {
    qsort(values, n, sizeof(values[0]), bench_by_value);
    return values[n / 2];
}

static inline void bench_check(bool good, const char *what) {
    if (!good) {
        fprintf(stderr, "the benchmark has failed: %s\n", what);
        exit(1);
    }
}

#endif
