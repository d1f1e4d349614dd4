/*
 * Several processes with the same driver and settings that do one thing at the same time, and
 * tell in numbers what they saw.
 *
 *     race_start(&race, "raises", 4, counter, none)    all are open, and have begun
 *     ... what this process does meanwhile ...
 *     race_end(&race)                                  all are done: race.racers[i].said[j]
 *     race_done(&race)
 */
#ifndef CONFORMANCE_RACE_H
#define CONFORMANCE_RACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "larder/driver.h"

enum { MAX_RACERS = 8 };

/* What one of them is given. */
struct race_job {
    int64_t now_ms;  /* the time of day of its ops: drive.now_ms, there and here */
    uint64_t seed;   /* its own: drive.random there */
    uint32_t who, n; /* 0 .. n-1 */
    struct larder_bytes key, extra;
};

/* In that process, on drive.one and drive.two.  False: something went wrong that it could not
 * tell as a number. */
typedef bool race_fn(const struct race_job *job);
/* In that process: one more number for race.racers[who].said. */
void race_say(int64_t number);

struct role {
    const char *name;
    race_fn *run;
};

struct racer {
    pid_t pid;
    int in, out;   /* -1: closed */
    int64_t *said; /* after race_end() */
    size_t n_said;
};
struct race {
    struct racer racers[MAX_RACERS];
    unsigned n;
};

/* False: one of them did not start, or could not open its instances; nothing is left then. */
bool race_start(struct race *race, const char *role, unsigned n, struct larder_bytes key,
                struct larder_bytes extra);
/* Waits for all; false: one of them failed.  race_done() follows either way. */
bool race_end(struct race *race);
/* Forgets what they said; ends (SIGKILL) those that still run. */
void race_done(struct race *race);

/* Step by step: a racer does as much as it likes each time that race_next() has answered true, and
 * says the same number of numbers for each step. */
bool race_step(struct racer *racer);
bool race_hear(struct racer *racer, int64_t *ret_number);
/* In that process: waits for a step; false: there are no more. */
bool race_next(void);

/* SIGKILL to all, in the middle of whatever they do.  What they had said, and nobody has heard yet,
 * is in racers[i].said. */
void race_kill(struct race *race);

/* race_start() and race_end(). */
bool race_run(struct race *race, const char *role, unsigned n, struct larder_bytes key,
              struct larder_bytes extra);

/* The process's own side: its exit status. */
int race_child(const char *role);

/* suites.c: every role there is. */
extern const struct role *const all_roles[];
extern const size_t n_roles;

#endif
