/*
 * A driver instance and the layers that stand on it, from below:
 *
 *     driver     fault (where configured)     meter     breaker     retry     compress     namespace
 *
 * Faults come first: everything else must meet them as if the driver had made them.  The meter
 * measures the driver's attempts, not refusals of the breaker.  The breaker sees each attempt, and
 * a retry meets the breaker again.  A value is compressed once, however often it is sent.  A
 * stack that only keeps tags has nothing to compress.
 *
 * Reactor's thread only, but for the counters: relaxed atomics, read by any thread.
 */
#ifndef CORE_STACK_H
#define CORE_STACK_H

#include "backend.h"
#include "config.h"
#include "layers.h"

enum { MAX_STACK = 8 };

struct stack {
    struct backend *levels[MAX_STACK]; /* [0] is the driver; each stands on the one before */
    size_t n;
    struct backend *top;
    const char *role; /* for people: "cache", "tags", "cache+tags" */

    struct layer_fault_settings fault;
    struct layer_meter_settings metering;
    struct layer_breaker_settings breaking;
    struct layer_retry_settings retrying;
    struct layer_compress_settings compress;
    struct layer_namespace_settings ns;

    struct meter meter;
    struct breaker_counters breaker;
    struct larder_retry_metrics retry;
    uint64_t faults;
};

/* Builds a stack in zeroed memory of the caller's; opens nothing.  settings and spec stay until
 * stack_done().  false: no memory; stack_done() is due all the same. */
bool stack_build(struct stack *stack, struct reactor *r, const struct backend_spec *spec,
                 const struct store_settings *settings, const char *role, bool has_entries);
/* No op may be outstanding (stack_busy()).  One that was never built is allowed. */
void stack_done(struct stack *stack);
bool stack_busy(const struct stack *stack);

/* A copy of the counters.  Any thread. */
void stack_metrics(const struct stack *stack, struct larder_instance_metrics *ret);

#endif
