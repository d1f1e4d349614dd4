/*
 * A store that is down fails each request.  One line when requests of a sort begin to fail and one
 * when they succeed again, and of outages that follow within a minute only the first: those lines
 * are for whoever watches a log; the counters have the rest.  Reactor's thread only.
 */
#ifndef CORE_FAILING_H
#define CORE_FAILING_H

#include <stdbool.h>
#include <stdint.h>

struct request;

enum { FAILING_READS, FAILING_WRITES, FAILING_REVALIDATIONS, N_FAILING };

struct failing {
    uint64_t since_ns; /* 0: there is none */
    uint64_t told_ns;  /* when the beginning of one was last told; 0: never */
    uint64_t failed;   /* requests, in this one */
    bool told;
};

/* The request, whose detail is set, is about to be answered so. */
void failing_note(const struct request *r, int32_t status);

#endif
