/* Counters of several processes added, and those of one subtracted from later ones. */
#ifndef CLI_TALLY_H
#define CLI_TALLY_H

#include "live.h"

/* All of them as if they were one: what counts is added, of epochs the greatest is taken, and driver
 * instances of the same role and driver are one row, with the breaker of the one that is worst off.
 * larder_metrics_free() it.  NULL: no memory. */
struct larder_metrics *tally_sum(const struct process *processes, size_t n);

/* What was counted since; gauges stay what they are.  before: of the same store, and earlier. */
void tally_since(struct larder_metrics *now, const struct larder_metrics *before);

/* Calls of an op, and of those the ones that failed. */
uint64_t tally_calls(const struct larder_op_metrics *op, uint64_t *ret_errors);

#endif
