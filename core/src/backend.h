/*
 * A driver instance, or a layer above one: both have the shape of struct larder_driver.  What
 * stands on a backend hands it ops and does not know which it is.
 */
#ifndef CORE_BACKEND_H
#define CORE_BACKEND_H

#include "op.h"

struct larder_home {                 /* what a driver's `home` points to */
    struct reactor *reactor;
    struct backend *backend;
};

struct backend {
    const struct larder_driver *driver;
    const void *config;
    void *instance;
    struct backend *below;           /* a layer's; NULL for a driver */
    struct larder_home home;
    struct larder_info info;
    struct lanes *lanes;             /* LARDER_BLOCKING */
    uint32_t is_open;
    uint32_t inflight;
    uint64_t late;                   /* ops answered before their driver completed them */
    struct op *waiting_first, *waiting_last;
    uint64_t retry_open_ns;          /* no new attempt before */
    int32_t open_status;
    char open_error[LARDER_ERROR_SIZE];
    struct turn_hook hook;           /* flush() */
    uint32_t want_flush;
};

/* What a layer's open() gets as its config: the backend it stands on, and its settings. */
struct layer_config {
    struct backend *below;
    const void *settings;
};

/* Not opened yet; the first op opens it.  below NULL: a driver. */
struct backend *backend_new(struct reactor *r, const struct larder_driver *driver, const void *config,
                            struct backend *below);
/* No op may be outstanding.  Closes the instance; does not free what is below. */
struct backend *backend_free(struct backend *b);

/* Opens it if it is not; LARDER_OK, or the status (and b->open_error) of the last attempt. */
int32_t backend_open(struct backend *b, uint64_t now_ns);

/* Send op down.  op->done is called later, never inside this call. */
void backend_call(struct backend *b, struct op *op);
/* Whether the function for a LARDER_OP_ code exists. */
bool backend_can(const struct backend *b, uint32_t code);
/* Stop waiting for op: done is not called any more; the driver is told if it can be. */
void backend_cancel(struct op *op);

extern const struct larder_host backend_host;

#endif
