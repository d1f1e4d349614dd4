/*
 * What is tried: one driver with its settings, the strict host around it, and the layers above
 * that --layer names.  Instances of it on a reactor of this process.
 */
#ifndef CONFORMANCE_TRIED_H
#define CONFORMANCE_TRIED_H

#include "backend.h"

struct tried {
    const struct larder_driver *driver;
    const void *config;
    struct reactor *reactor;
    bool stepped; /* with layers: the reactor is stepped here, under a clock that a test sets */
};
extern struct tried tried;

/* Loads the driver and fills its settings from the options.  False: why is in error. */
bool tried_load(struct larder_error *error);
/* Starts the reactor.  False: no memory, no thread. */
bool tried_start(uint64_t seed, bool policed);
/* Everything is closed. */
void tried_end(void);

/* The reactor's time of day; only where it is stepped. */
void tried_set_time(int64_t now_ms);
/* One turn where it is stepped; nothing happened: time passes a little. */
void tried_step(void);

/* An instance with its layers; NULL: it does not open, and why is in error.  Ends the process where
 * the driver does not return. */
struct backend *tried_open(char error[LARDER_ERROR_SIZE]);
struct backend *tried_close(struct backend *b);
/* All threads of the core's that there may be are there: a thread that is new after this is the
 * driver's. */
void tried_warm_up(void);

#endif
