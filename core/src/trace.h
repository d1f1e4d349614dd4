/*
 * What happened to one request, step by step, for a person to read.  A request has a trace where the
 * setting `trace` chooses it, or where the caller asks (LARDER_F_TRACE); all others have NULL, and a
 * step costs them one branch.  Ops that are made for a request carry its trace down, so that the
 * layers and the driver add to it.  What several requests share - a read that others joined, marks
 * that were read for many - tells of itself to the request that it was sent for.
 *
 * Steps are added on the reactor's thread until the request is answered; what comes later is nobody's.
 */
#ifndef CORE_TRACE_H
#define CORE_TRACE_H

#include <stdbool.h>

#include "larder/larder.h"
#include "reactor.h"

struct trace;

/* How many are begun in a second: the rest of the requests that the setting chooses is counted. */
struct trace_gate { /* atomic: requests are submitted on any thread */
    uint64_t second;
    uint32_t begun, missed;
};

/* For a request that is being submitted; NULL: it is not to be traced, or there is no memory. */
struct trace *trace_of(struct reactor *r, struct trace_gate *gate, const char *chosen,
                       const struct larder_request *request);
struct trace *trace_ref(struct trace *trace); /* NULL is allowed */
void trace_unref(struct trace *trace);        /* NULL is allowed */

void trace_step(struct trace *trace, const char *format, ...) __attribute__((format(printf, 2, 3), cold));
#define TRACE(trace, ...)                         \
    do {                                          \
        if (__builtin_expect((trace) != NULL, 0)) \
            trace_step((trace), __VA_ARGS__);     \
    } while (0)

/* The last step that counts: what is added from here on is dropped. */
void trace_close(struct trace *trace);
/* After that, by one thread: the answer has been handed on; and the whole goes to the log. */
void trace_delivered(struct trace *trace);

const struct larder_step *trace_steps(const struct trace *trace, size_t *ret_n);
/* One block of lines, without a line break at its end; free() it.  NULL: no memory. */
char *trace_text(const struct trace *trace);

/* A key or tag as it stands in a step: in quotes, the middle of a long one left out. */
struct trace_name {
    char text[72];
};
struct trace_name trace_name(struct larder_bytes bytes);

#endif
