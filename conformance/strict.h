/*
 * A host that polices instead of serving.  It stands between the core and the driver that is
 * tried, in the shape of a driver: the core calls it as it would call the driver, it calls the
 * driver with ops and a struct larder_host of its own, and whatever the driver does against
 * larder/driver.h is reported under a name, with the history of the op.
 *
 * Nothing here can be noticed by a driver that keeps the contract, however slow the machine.
 */
#ifndef CONFORMANCE_STRICT_H
#define CONFORMANCE_STRICT_H

#include <stdbool.h>

#include "larder/driver.h"

/* What a driver did wrong.  The texts are what a report says, and what conformance/bad looks for. */
#define VIOLATIONS(X)                                                   \
    X(COMPLETED_TWICE, "completed twice")                               \
    X(NEVER_COMPLETED, "never completed")                               \
    X(UNKNOWN_OP, "an op that it was never given")                      \
    X(COMPLETED_AFTER_CLOSE, "completed after close")                   \
    X(RETURNED_EARLY, "a blocking call returned before its completion") \
    X(EMITTED_LATE, "emitted after completion")                         \
    X(EMITTED_WRONG, "emitted what the op does not ask for")            \
    X(STATUS, "a status that is not in driver.h")                       \
    X(MISS, "MISS where it is no answer")                               \
    X(CANCELLED, "CANCELLED without cancel()")                          \
    X(DEADLINE, "deadline ignored")                                     \
    X(RESULT_SIZE, "a result without its size")                         \
    X(VALUE_WITHOUT_OK, "a value without OK")                           \
    X(VALUE_FOREIGN, "a value that lies in no buffer of the host")      \
    X(CURSOR, "a cursor where there is none")                           \
    X(DETAIL, "a text that is not one line of UTF-8")                   \
    X(SECRET, "a secret in a text")                                     \
    X(OP_TOUCHED, "op touched after completion")                        \
    X(OP_OVERRUN, "op read beyond its end")                             \
    X(OP_WRITTEN, "op written")                                         \
    X(PUT_VALUE_WRITTEN, "put's value written")                         \
    X(VALUE_WRITTEN, "value written after handing over")                \
    X(BUF_OVERRUN, "buffer used beyond its end")                        \
    X(BUF_TOUCHED, "buffer used after its last reference")              \
    X(BUF_RELEASED_TWICE, "buffer released twice")                      \
    X(BUF_LEAKED, "buffer leaked")                                      \
    X(HOST_WRITTEN, "host or configuration written")                    \
    X(IO_THREAD, "io function on another thread")                       \
    X(IO_BLOCKED, "I/O thread blocked")                                 \
    X(TIMER_LEAKED, "timer leaked")                                     \
    X(TIMER_STALE, "timer used after it was freed")                     \
    X(WATCH_LEAKED, "watch leaked")                                     \
    X(WATCH_STALE, "watch used after it was freed")                     \
    X(WATCH_CLOSED, "descriptor closed before unwatch")                 \
    X(FD_LEAKED, "descriptor leaked")                                   \
    X(FD_CLOSED, "descriptor of another closed")                        \
    X(THREAD_LEAKED, "thread leaked")                                   \
    X(OPEN_INFO, "open gave what driver.h does not allow")              \
    X(OPEN_REASON, "open failed without a reason")                      \
    X(OPEN_LEFT, "a failed open left something behind")                 \
    X(HOME_STALE, "host function for an instance that is closed")

#define VIOLATION_ENUM(name, text) VIOLATION_##name,
enum violation { VIOLATIONS(VIOLATION_ENUM) N_VIOLATIONS };
#undef VIOLATION_ENUM

const char *violation_text(enum violation v);

/* The driver with the host around it, as a driver.  Once per process: one driver is tried.  seed
 * tells the order in which completions and posts are let through. */
const struct larder_driver *strict_around(const struct larder_driver *tried, uint64_t seed, bool real_time);
/* A text that may stand in no detail, log line or answer. */
void strict_secret(const char *text);

/* Patience has ended: names the ops that the driver has not completed and the call that it has
 * not returned from, and answers how many there are. */
unsigned strict_blame_outstanding(void);
/* Every instance is closed and every answer given back: what is left over is reported. */
void strict_audit(void);

/* Allocations of host functions fail where this answers true (starve.h); NULL: never. */
void strict_starve(bool (*must_fail)(const char *function));

#endif
