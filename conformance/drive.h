/*
 * Driving one driver the way the core does: loaded by the loader, opened as a backend on the
 * runtime's reactor, called with ops.  The tests here say what they send and look at what came
 * back; all waiting is in drive.c.
 *
 * Every test works under keys, tags and counters of its own (name()), so that a store which
 * keeps what it is given can be used, and used again.
 */
#ifndef CONFORMANCE_DRIVE_H
#define CONFORMANCE_DRIVE_H

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend.h"
#include "buf.h"
#include "bytes.h"

struct drive {
    const struct larder_driver *driver;
    struct reactor *reactor;
    struct backend *one, *two;     /* two instances with the same settings, open throughout */
    int64_t now_ms;                /* the time of day of the ops that are made */
    uint64_t seed;                 /* as printed, and as --seed says it again */
    uint64_t random;               /* state of random_next(), from the seed and the test's name */
    unsigned n_keys;               /* how many keys the tests of paging use */
    unsigned n_inflight;           /* ops outstanding at once */
    uint32_t open_end_ms;          /* drive_has_time() */
    const char *child, *child_key; /* this is a second process (child.h); NULL: it is not */
    const char *args[32];          /* for one: layers, the driver, settings without %t */
    size_t n_args;
    const char *readme; /* the driver's README.md; NULL: none was named */
};
extern struct drive drive;

/* For one test, named by `test`: loads what options.h names, and opens the two instances.  False:
 * told why (result.h); drive_end() is due all the same. */
bool drive_begin(const char *test);
/* One instance, without the strict host: what is this driver?  Nothing ends it. */
bool drive_probe(void);
/* Closes everything, and tells what was left behind. */
void drive_end(void);

/* Whether the driver claims these traits, or has the function of a code.  If not, that is
 * reported as not claimed, and the test has nothing to do. */
bool claims(uint32_t trait, const char *what);
bool has(uint32_t code, const char *what);
/* The report says so.  A test that says it and asserts nothing is "not claimed", never passed. */
void unclaimed(const char *what);

/* A line for the report of this test, shown where it fails: the inputs, how to repeat it. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Whether a test without an end of its own (random sequences) goes on: for a second, or for its
 * share of --time-limit.  Under --seed too: such a test counts its rounds, and round n of a seed
 * is always the same. */
bool drive_has_time(void);

/* Commands of the author that do to the store what no op can: --cut, --restart, --wipe-tags,
 * --rollback.  False: no such option was given, which is reported as not claimed; or the command
 * failed, which fails the test.  %t in a command is the folder of %t.  The command is told which
 * step this is in LARDER_STEP. */
enum hook {
    HOOK_CUT,       /* LARDER_STEP=cut: the store is out of reach */
    HOOK_RESTART,   /* restart: it was stopped and is started again, in reach again after a cut */
    HOOK_WIPE_TAGS, /* wipe-tags: marks and counters are gone, entries stay */
    HOOK_SAVE,      /* --rollback with LARDER_STEP=save: remember the marks and counters of now */
    HOOK_ROLLBACK,  /* --rollback with LARDER_STEP=rollback: they are as they were then */
    N_HOOKS
};
bool hook_run(enum hook hook);
/* Whether hook_run() would run something; reports nothing. */
bool hook_given(enum hook hook);

/* Another instance with the same settings; its end.  NULL: it does not open (said on stderr). */
struct backend *drive_open(void);
struct backend *drive_close(struct backend *b);

/* ---- ops --------------------------------------------------------------------------- */

/* Sends an op and waits.  Never NULL.  op_free() it. */
struct op *call(struct backend *b, uint32_t code, struct op_inputs in);
/* The same for what has nothing but a status. */
int32_t status_of(struct backend *b, uint32_t code, struct op_inputs in);

struct sent {         /* one op among many; memory of the test's */
    struct op *op;    /* answered once drive_wait() has returned; op_free() it */
    unsigned answers; /* how often done was called: 1 */
    /* Numbers that grow with every call and answer: an op that returned before another was
     * called has the smaller one. */
    uint64_t called, returned;
    struct backend *backend;
    bool cancel;
    struct task task;
};
void send_op(struct backend *b, uint32_t code, struct op_inputs in, struct sent *ret);
/* The same with a deadline, and given up as soon as the driver has it. */
void send_unwanted(struct backend *b, uint32_t code, struct op_inputs in, uint64_t deadline_ns, bool cancel,
                   struct sent *ret);
/* Until all that was sent is answered. */
void drive_wait(void);
/* Until no more than so many are not answered yet. */
void drive_wait_for_room(unsigned most);

/* ---- names and values ---------------------------------------------------------------- */

/* "<test>/<run>/<formatted>", good until the program ends. */
struct larder_bytes name(const char *test, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same with raw bytes at the end. */
struct larder_bytes name_bytes(const char *test, const void *tail, size_t len);

/* len bytes told by the seed; slice_done() it. */
struct larder_slice value_of(size_t len, uint64_t seed);
bool value_is(struct larder_slice value, size_t len, uint64_t seed);

/* put() and get() of the value told by a seed. */
int32_t put_value(struct backend *b, struct larder_bytes key, size_t len, uint64_t seed, int64_t epoch);
int32_t get_value(struct backend *b, struct larder_bytes key, size_t len, uint64_t seed);
bool is_there(struct backend *b, struct larder_bytes key);

/* Marks. */
#define UNSET LARDER_UNSET
struct larder_mark mark_of(struct larder_bytes tag, int64_t expired, int64_t stale, int64_t expire_at_ms);
int32_t write_mark(struct backend *b, struct larder_mark mark, uint32_t flags);
/* What is stored for a tag; false: nothing.  The tag of *ret is the argument. */
bool read_mark(struct backend *b, struct larder_bytes tag, struct larder_mark *ret);
int32_t advance(struct backend *b, struct larder_bytes counter, int64_t add, int64_t *ret_epoch);

/* ---- paging ---------------------------------------------------------------------------- */

/* Walks a paged op to its end, alternating between the two instances (a cursor is good in both),
 * and calls seen for each record.  False: an error, or more pages than could be needed. */
typedef void seen_fn(void *arg, struct larder_bytes record);
bool walk(uint32_t code, struct larder_bytes key, uint64_t limit, seen_fn *seen, void *arg);

/* Counts how often each of name(test, "%06u", 0 .. n-1) was seen, and what else. */
struct tally {
    struct larder_bytes prefix;
    unsigned n, found, strangers;
    unsigned char *counts;
};
void tally_init(struct tally *t, const char *test, unsigned n);
void tally_seen(void *tally, struct larder_bytes record);
void tally_done(struct tally *t);

/* ---- tests ------------------------------------------------------------------------------- */

struct unit_test { /* its name says what holds */
    const char *name;
    void (*run)(void);
};
#define UNIT(fn) \
    { #fn, fn }

struct suite {
    const char *name;
    uint32_t needs; /* a code: a driver without it has no such tests */
    const struct unit_test *tests;
    size_t n;
};

/* model.c: repeats a sequence of operations that --replay gives, in the text that the model's own
 * failure printed, on drive.one and drive.two.  0: it holds; else what went wrong is in note()s. */
int model_replay(const char *text);

#endif
