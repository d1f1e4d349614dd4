/*
 * One run: what is asked for, what its processes share, and who does what.
 *
 *   supervise.c   the parent: starts, stops, kills and replaces processes, sets their clocks,
 *                 loses the tag store, brings quiet
 *   group.c       one process (or, within one process, one of several that pretend to be): a
 *                 store and the workers on it
 *   work.c        one worker: renders, gets, puts, revalidates, and records
 *   faulty.c      between the core and the driver: faults, and deliberately wrong stores
 *   clock.c       the time of day as this process's clock is set
 */
#ifndef HISTORY_RUN_H
#define HISTORY_RUN_H

#include <stdatomic.h>
#include <sys/types.h>

#include "record.h"

enum { MAX_SLOTS = 64, MAX_THREADS = 16, MAX_SETTINGS = 32, COLD_AT_THE_END = 2 };

enum wrong {
    RIGHT,
    WRONG_DROP_MARKS,  /* one write of marks in 50 is acknowledged and not done */
    WRONG_CACHE_MARKS, /* marks are answered from a memory of 20 ms */
    WRONG_SPLIT_BUMP,  /* the counter is raised, then the marks are written */
    WRONG_SAME_EPOCH,  /* the counter is at times not raised */
    WRONG_NO_MARKS,    /* only the namespace's mark is ever read */
    WRONG_LATE_NOTE,   /* a rendering's epoch is that of its end */
    WRONG_LOSE_PUTS,   /* puts of one key in 4 are acknowledged and not done */
    WRONG_NEVER_STALE, /* pairs of stale_epoch and expire_at_ms are not read */
    WRONG_NEVER_DUE,   /* expire_at_ms is not read */
    WRONG_DUE_AT_ONCE, /* a pair is written as if it were due */
    WRONG_ERRORS,      /* one get in 100 fails */
    WRONG_SECRETLY_LOSSY,
    WRONG_MADE_OF_NOTHING, /* without asking the counter */
    WRONG_N
};
const char *wrong_name(enum wrong wrong);
const char *wrong_words(enum wrong wrong);

struct run {
    const char *url, *tags_url; /* tags_url NULL: the same store */
    const char *settings[MAX_SETTINGS][2];
    size_t n_settings;
    unsigned n_processes, n_threads;
    bool in_process; /* the processes are groups of threads of one, each with a store of its own */
    uint64_t ops;    /* records at most; 0: no limit */
    double seconds;  /* at most */
    uint64_t seed;
    unsigned revalidate_permille;
    unsigned revalidations_per_s; /* all together at most; 0: no limit */
    unsigned fault_permille;
    unsigned hurry_permille; /* calls whose caller gives up after a millisecond */
    unsigned throw_permille; /* renderings that end without a put */
    unsigned pauses;         /* 0: none, 1: usual, 2: long ones too */
    int64_t clock_s;         /* clocks are wrong by up to this */
    bool jump, kill, stop, cold;
    bool disturbed;                              /* by others than this program */
    const char *wipe_tags, *snapshot, *rollback; /* shell commands; NULL: no */
    unsigned lose_every_ms, quiet_ms, tries;
    bool two_rounds; /* as if the driver had no bump() */
    enum wrong wrong;
    bool no_excuse;
    char ns[64];              /* the namespace, another for each run: what is there from others is not seen */
    const char *folder;       /* of the history */
    struct history_head head; /* what all files begin with */
    struct larder_bytes keys[WORLD_MAX * 3], tags[64];
};

enum phase { GO, HOLD, QUIET, OVER };

struct slot { /* of one process */
    _Atomic int64_t clock_off_ms;
    _Atomic uint32_t clock_sets; /* odd: being set */
    _Atomic uint32_t n_workers, n_resting;
};

struct control { /* shared memory of all processes */
    _Atomic int phase;
    _Atomic int faults;
    _Atomic uint64_t n_ops;
    _Atomic uint32_t next_file;
    _Atomic int64_t next_revalidation_ns;
    _Atomic uint32_t generation; /* of the built-in wipe: part of all tags' names */
    _Atomic int n_failures;      /* of the test itself */
    struct slot slots[MAX_SLOTS];
};

/* Exit statuses of a process. */
enum { GROUP_OVER = 0, GROUP_FAILED = 3, GROUP_RETIRED = 10 };

/* A store and its workers, until the run is over, or (with --cold) until it retires.  late: only
 * what comes after quiet. */
int group_run(const struct run *run, struct control *control, unsigned process, unsigned incarnation,
              bool late);
int32_t group_configure(const struct run *run, struct larder_config *config, struct larder_error *error);
bool run_recorder(const struct run *run, struct control *control, struct recorder *rec, unsigned process,
                  unsigned incarnation, unsigned worker, size_t room);

struct worker {
    const struct run *run;
    struct control *control;
    struct slot *slot;
    const struct slot *clock;
    struct larder_store *store;
    struct recorder rec;
    uint64_t random;
    uint8_t phase;
    bool first;           /* the process's one that looks at all keys after quiet */
    bool looked;          /* ... and has done so */
    bool full;            /* no room for records */
    _Atomic int *retires; /* the group's */
    uint64_t steps_left;  /* of the first: until the group retires */
    uint8_t *buffer;      /* for values */
};

void worker_step(struct worker *w);
void worker_look_at_all(struct worker *w);
void worker_ask_epoch(struct worker *w);

/* 0: the history is there; else an exit status, and stderr says why. */
int supervise(const struct run *run);

/* Whose clock this process's is; NULL: the right one. */
void clock_follow(const struct slot *slot);
int64_t clock_now_ms(void);

/* From now on what the loader finds is a driver with these faults (faulty.c). */
void faulty_begin(const struct run *run, struct control *control, uint64_t seed);

#endif
