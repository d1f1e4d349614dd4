/* larder bench, in parts: what is asked for, the load, and what is told of it. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "cli.h"

enum { BENCH_TAGS = 16, BENCH_INFLIGHT = 4096 };

struct bench_plan {
    uint64_t ops;        /* UINT64_MAX: until the time is up */
    uint64_t measure_ns; /* at most */
    uint64_t warm_up_ns;
    uint64_t keys;
    uint64_t size_min, size_max; /* of a body; one key has one size */
    uint64_t seed, run;          /* run: in the keys, so that two runs at one time do not meet */
    uint32_t inflight;
    uint32_t gets, revalidations; /* percent; the rest are puts */
    uint32_t entry_tags;
    uint32_t deadline_ms; /* 0: the store's own */
    const char *ns;
};

enum bench_op { BENCH_GET, BENCH_PUT, BENCH_REVALIDATE, BENCH_REMOVE, N_BENCH_OPS };

struct bench_counts {
    uint64_t classes[LARDER_N_CLASSES]; /* answers by LARDER_CLASS() */
    uint64_t bytes;                     /* of bodies, that came or were taken */
    struct larder_histogram times;      /* of all answers, failed ones too */
};

struct bench_result {
    struct bench_counts ops[N_BENCH_OPS];
    uint64_t fresh, stale, gone, missing; /* gets */
    uint64_t wrong;                       /* gets that brought a body of another size */
    uint64_t took_ns;
    uint64_t stored; /* entries, before anything was measured */
    uint64_t left;   /* entries that could not be removed */
    bool interrupted;
    int32_t first_failure; /* LARDER_OK: none */
    char why[LARDER_ERROR_TEXT];
};

/* The options of the command line.  CODE_DONE, or what was said. */
int bench_plan_read(struct cli *cli, struct bench_plan *ret);

/* Fills, warms up, measures, and removes what it wrote, also after SIGINT or SIGTERM, which must be blocked.
 * CODE_DONE, or what was said: no memory. */
int bench_run(struct cli *cli, const struct bench_plan *plan, struct bench_result *ret);

uint64_t bench_failures(const struct bench_counts *counts);
void bench_tell(struct cli *cli, const struct bench_plan *plan, const struct bench_result *result);

#endif
