/*
 * Threads for one blocking driver instance: at most n calls at once, each on a lane of its
 * own.  Started when first needed.
 */
#ifndef CORE_LANES_H
#define CORE_LANES_H

#include "reactor.h"

struct lanes;

struct lane_job {                    /* memory of the caller's until run has been called */
    struct lane_job *next;
    void (*run)(struct lane_job *job, uint32_t lane);   /* on the lane's thread */
};

/* The reactor tells whether this is a test under a clock of its own: then jobs run inside
 * reactor_step(), in order, all on lane 0, without threads. */
struct lanes *lanes_new(struct reactor *r, uint32_t n);
/* Waits for running jobs; queued ones are run first.  NULL is allowed. */
struct lanes *lanes_free(struct lanes *lanes);
/* [any] */
void lanes_submit(struct lanes *lanes, struct lane_job *job);
/* [any] Take a job back that no lane has begun: true, and run will not be called. */
bool lanes_withdraw(struct lanes *lanes, struct lane_job *job);
/* Jobs queued and running, for metrics. */
size_t lanes_busy(struct lanes *lanes);

#endif
