/*
 * A driver instance, or a layer above one: both have the shape of struct larder_driver.  What
 * stands on a backend hands it ops and does not know which it is.  Reactor's thread only.
 */
#ifndef CORE_BACKEND_H
#define CORE_BACKEND_H

#include "op.h"

struct larder_home { /* what a driver's `home` points to */
    struct backend *backend;
};

/* What a layer's open() gets as its config: the backend it stands on (open by then), and its
 * settings. */
struct layer_config {
    struct backend *below;
    const void *settings;
};

struct mark_sink { /* where marks go that a driver heard of without asking */
    void (*seen)(struct mark_sink *sink, const struct larder_mark *mark); /* any thread */
};

struct backend {
    struct reactor *reactor;
    const struct larder_driver *driver;
    const void *config; /* a driver's; for a layer, &layer */
    struct layer_config layer;
    void *instance;
    struct larder_home home;
    struct mark_sink *sink; /* set before it is opened; NULL: they are dropped */
    struct larder_info info;
    struct lanes *lanes;                             /* LARDER_BLOCKING */
    struct lane_job *gathered_first, *gathered_last; /* of this turn: for the lanes, all at once */
    size_t n_gathered;
    bool is_open;
    bool want_flush;
    uint32_t inflight; /* ops with the driver */
    uint32_t n_waiting;
    struct op *waiting_first, *waiting_last; /* beyond max_inflight */
    struct op *spares;                       /* memory of ops that are over, for the next */
    uint32_t n_spares;
    struct turn_hook hook;  /* flush(), or gathered jobs to the lanes */
    uint64_t retry_open_ns; /* no new attempt to open before */
    int32_t open_status;
    char open_error[LARDER_ERROR_SIZE];
};

/* Not opened yet: the first op does that.  below NULL: a driver, and config is its struct; else
 * a layer, and config is its settings.  config stays valid until backend_free(). */
struct backend *backend_new(struct reactor *r, const struct larder_driver *driver, const void *config,
                            struct backend *below);
/* No op may be outstanding (backend_busy()).  Closes the instance; what is below stays.  NULL is
 * allowed; returns NULL. */
struct backend *backend_free(struct backend *b);
bool backend_busy(const struct backend *b);

/* Opens it (and what is below) if it is not.  LARDER_OK, or what the last attempt said, which is
 * in b->open_error too; attempts are a second apart. */
int32_t backend_open(struct backend *b);

/* For layers: an op for b, in memory that is used again, at the time of day of the op that it is made
 * for.  backend_op_done() ends it, once it was sent and is back.  NULL: no memory. */
struct op *backend_op(struct backend *b, const struct larder_op *of, const struct op_inputs *in,
                      op_done_fn *done, void *arg);
struct op *backend_op_done(struct op *op); /* NULL */

/* Send op down.  op->done is called later, never inside this call. */
void backend_call(struct backend *b, struct op *op);
/* Whether the backend, and all below it, have the function for a LARDER_OP_ code. */
bool backend_can(const struct backend *b, uint32_t code);
/* Nobody waits for op any more: tell the driver, which may complete it early. */
void backend_cancel(struct op *op);

/* op.c: a completion has arrived. */
void backend_returned(struct op *op);

/* The services that every driver and layer is given. */
extern const struct larder_host backend_host;
/* Tests: host->now_ns() tells r's time from now on; NULL: the machine's. */
void backend_host_clock(struct reactor *r);

#endif
