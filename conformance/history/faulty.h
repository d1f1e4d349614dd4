/*
 * Between the core and a driver.  The program is linked with --wrap=larder_driver_find: what the
 * loader finds is handed to the core with other functions in its tables.  They let an op
 * through, or fail it, delay it, do it twice, do it after it was answered, lose its answer, bend
 * what was read (faulty.c); or they do what a deliberately wrong store does (wrong.c).  It works
 * for every driver, blocking or not, and neither the core nor the driver knows.
 *
 * What is to happen to an op's answer is a plan, found by the op's address when the driver
 * completes it.  What the driver must not be given as it came - later than its answer, under
 * other names - it is given as a copy.
 */
#ifndef HISTORY_FAULTY_H
#define HISTORY_FAULTY_H

#include <pthread.h>

#include "run.h"

struct wrapped;
struct held;

struct instance {
    const struct larder_driver *driver; /* the one below */
    void *inner;
    const struct larder_host *host; /* the core's */
    struct larder_home *home;
    bool blocking;
    struct held *held; /* waiting for its timer; the I/O thread's */
};

struct copy {
    struct larder_op op;        /* what the driver gets; first */
    struct larder_op *original; /* answered when the copy is; NULL: answered already */
    size_t prefix;              /* bytes before each tag and counter that the core does not know of */
    bool kept;                  /* by whoever made it, who waits for `over` */
    bool over;
    int32_t status;
    int64_t epoch;
    const struct larder_host *host;
    struct larder_mark *marks;
    uint8_t *bytes;
};

struct plan {
    struct larder_op *op;
    struct plan *next;
    struct copy *copy; /* op is &copy->op */
    bool lose;         /* the effect stays, the answer is an error */
    unsigned bend;     /* a get's value: 1: one byte is another, 2: it is shorter */
    unsigned swallow;  /* answers that nobody hears */
    int64_t epoch;     /* instead of the driver's; 0: none */
};

/* One of n, from the run's seed; any thread. */
uint32_t faulty_below(uint32_t n);
enum wrong faulty_wrong(void);

/* The driver's function for an op, by its code. */
larder_op_fn *faulty_function(const struct larder_driver *driver, uint32_t code);

/* NULL: no memory.  Tags and key with `prefix` before them. */
struct copy *copy_new(const struct instance *inst, struct larder_op *op, const char *prefix);
void copy_free(struct copy *copy);

/* Adds the plan for an op that is about to be sent. false: no memory. */
bool plan_add(struct plan plan);
/* Answers as the driver would. */
void faulty_complete(struct larder_op *op, const struct larder_result *res);
void faulty_fail(struct larder_op *op, int32_t status);
void faulty_pause(const struct instance *inst, uint32_t most_ns);

/* wrong.c.  true: the op is taken care of. */
bool wrong_call(struct instance *inst, struct larder_op *op);
/* What of a mark the core is shown; false: nothing. */
bool wrong_shows(struct larder_mark *mark);

#endif
