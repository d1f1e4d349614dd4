/*
 * Threads for one blocking driver instance: at most n calls at once, each on a lane of its
 * own.  Started when first needed.
 */
#ifndef CORE_LANES_H
#define CORE_LANES_H

#include "reactor.h"

struct lanes;

/* struct lane_job (reactor.h): memory of the caller's until run has been called; run is called
 * on the lane's thread. */

/* The reactor tells whether this is a test under a clock of its own: then jobs run inside
 * reactor_step(), in order, all on lane 0, without threads.  They do so, too, while no thread
 * can be started at all.  NULL: no memory. */
struct lanes *lanes_new(struct reactor *r, uint32_t n);
/* The same with another name for the threads than "larder-lane" (a constant, 15 bytes). */
struct lanes *lanes_new_named(struct reactor *r, uint32_t n, const char *name);
/* On the reactor's thread.  Waits for running jobs; queued ones are run first.  NULL is allowed. */
struct lanes *lanes_free(struct lanes *lanes);
/* [any] */
void lanes_submit(struct lanes *lanes, struct lane_job *job);
/* [any] n jobs that are linked by next, from first to last: one lock, and no lane is woken
 * before all of them are there. */
void lanes_submit_all(struct lanes *lanes, struct lane_job *first, struct lane_job *last, size_t n);
/* [any] Take a job back that no lane has begun: true, and run will not be called. */
bool lanes_withdraw(struct lanes *lanes, struct lane_job *job);
/* Jobs queued and running, for metrics. */
size_t lanes_busy(struct lanes *lanes);

#endif
