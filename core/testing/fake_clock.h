/* A clock that a test sets by hand, for reactor_new().  One thread moves it; any may read. */
#ifndef CORE_TESTING_FAKE_CLOCK_H
#define CORE_TESTING_FAKE_CLOCK_H

#include <stdatomic.h>

#include "reactor.h"

struct fake_clock {
    _Atomic uint64_t ns;
    _Atomic int64_t ms;
};

static inline uint64_t fake_clock_ns(void *arg) {
    return ((struct fake_clock *)arg)->ns;
}
static inline int64_t fake_clock_ms(void *arg) {
    return ((struct fake_clock *)arg)->ms;
}

static inline struct reactor_clock fake_clock_of(struct fake_clock *clock) {
    return (struct reactor_clock){fake_clock_ns, fake_clock_ms, clock};
}

static inline void fake_clock_pass_ms(struct fake_clock *clock, int64_t ms) {
    clock->ns += (uint64_t)ms * 1000000u;
    clock->ms += ms;
}

#endif
