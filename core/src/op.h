/*
 * One call of a backend: made by the core, lent to a driver, answered once.
 *
 * An op has two owners.  The caller's side ends when `done` has been called: with the driver's
 * answer, or LARDER_DEADLINE when its time is up.  The driver's side ends with complete().  The
 * memory goes when both have ended, so a driver that is late writes into an op that nobody
 * reads, and never into freed memory.  All transitions happen on the reactor's thread;
 * complete() from another thread only queues.
 */
#ifndef CORE_OP_H
#define CORE_OP_H

#include <stdbool.h>

#include "lanes.h"
#include "larder/larder.h"
#include "reactor.h"

struct backend;
struct op;
typedef void op_done_fn(void *arg, struct op *op);

struct op_inputs {                   /* copied into the op */
    struct larder_bytes key;
    struct larder_slice value;       /* one more reference is taken */
    int64_t modified_ms, epoch, add, ttl_ms;
    const struct larder_mark *marks;
    size_t n_marks;
    struct larder_bytes cursor;
    uint64_t limit;
    uint32_t flags;
};

struct op {
    struct larder_op pub;            /* what the driver sees; first, so that a cast finds us */
    struct reactor *reactor;
    struct backend *backend;         /* where it was sent */
    op_done_fn *done;                /* on the reactor's thread, once; NULL after */
    void *arg;
    struct op *parent;               /* emits and the answer of a child go there: op_forward() */
    uint32_t state;                  /* enum op_state */
    uint32_t lent;                   /* the driver has it (or a lane's queue) */
    struct larder_timer timer;       /* deadline */
    struct task task;                /* completion queue */
    struct lane_job lane_job;
    struct op *next_waiting;         /* in the backend's queue beyond max_inflight */

    /* The answer, written by complete() and the emit functions; read in done. */
    struct larder_result result;     /* detail points into detail_text */
    struct larder_mark *got_marks;
    size_t n_got_marks;
    struct larder_bytes *got_keys;
    size_t n_got_keys;
    struct larder_slice got_text;
    struct arena *arena;             /* what got_* point into */
    char detail_text[256];
    uint8_t inputs[];                /* copies of key, marks and cursor */
};

/* NULL: no memory.  code: LARDER_OP_*.  deadline_ns: UINT64_MAX none. */
struct op *op_new(struct reactor *r, uint32_t code, const struct op_inputs *in, uint64_t deadline_ns,
                  op_done_fn *done, void *arg);
/* In `done` (or instead of sending it): the caller's side has ended. */
void op_release(struct op *op);

/* struct larder_host's part that is about ops. */
void op_complete(struct larder_op *pub, const struct larder_result *res);
int32_t op_emit_mark(struct larder_op *pub, const struct larder_mark *mark);
int32_t op_emit_key(struct larder_op *pub, struct larder_bytes key);
int32_t op_emit_text(struct larder_op *pub, struct larder_bytes text);

/* For layers: complete with nothing but a status and one line. */
void op_fail(struct larder_op *pub, int32_t status, const char *detail);

static inline struct op *op_of(struct larder_op *pub) { return (struct op *)pub; }

#endif
