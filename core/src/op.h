/*
 * One call of a backend: made by the core, lent to a driver, completed once.
 *
 * An op has no timer.  Whoever waits for it has one (request.h) and may stop waiting at any
 * time; the op goes on living until the driver has completed it, because "exactly one
 * completion" is the driver's duty and its memory is the driver's until then.  `done` is
 * always called, on the reactor's thread, never inside backend_call() or complete(); it looks
 * at the answer and ends the op with op_free(), at once or later.
 */
#ifndef CORE_OP_H
#define CORE_OP_H

#include <stdbool.h>

#include "arena.h"
#include "lanes.h"
#include "larder/larder.h"
#include "reactor.h"
#include "trace.h"

struct backend;
struct op;
typedef void op_done_fn(void *arg, struct op *op);

struct op_inputs { /* all copied into the op */
    struct larder_bytes key;
    struct larder_slice value; /* one more reference is taken */
    int64_t modified_ms, epoch, add, ttl_ms;
    const struct larder_mark *marks;
    size_t n_marks;
    struct larder_bytes cursor;
    uint64_t limit;
    uint32_t flags;
};

/* A layer that leaves an op as it is lends it to the backend below, instead of sending a copy:
 * where the op came from, and what the layer wants to know when it is back.  Nothing is
 * allocated, and the answer comes up through all such layers in one call. */
struct op_level {
    struct backend *backend; /* the layer's own */
    op_done_fn *done;
    void *arg;
    bool sent;
    void *note[3]; /* the layer's */
    uint64_t at_ns;
};
enum { OP_LEVELS = 6 };

struct op {
    struct larder_op pub; /* what the driver sees; first, so that a cast finds us */
    struct reactor *reactor;
    struct backend *backend; /* where it was sent; NULL: nowhere yet */
    op_done_fn *done;
    void *arg;
    struct task task; /* on its way back */
    struct lane_job lane_job;
    struct op *next_waiting; /* in the backend's queue beyond max_inflight */
    bool sent;               /* counted in backend->inflight */
    bool spare;              /* of a size that backend_op_done() keeps */
    bool unwanted;           /* backend_cancel(): not worth another attempt */
    bool refused;            /* answered by a breaker, not by the driver: the same */
    uint64_t back_ns;        /* when the driver answered; 0: no meter on the way */
    uint32_t n_levels;
    struct trace *trace; /* of the request that it was made for; one reference; NULL: none */

    /* The answer, written by complete() and the emit functions; for `done` and after. */
    struct larder_result result; /* detail: never NULL */
    struct larder_mark *marks;
    size_t n_marks;
    struct larder_bytes *keys;
    size_t n_keys;
    char *text; /* not terminated */
    size_t text_len;
    struct arena arena; /* what marks and keys point to */

    size_t room_marks, room_keys, room_text;
    /* What follows is not zeroed by op_new(). */
    struct op_level levels[OP_LEVELS];
    char detail[256];
    _Alignas(8) uint8_t inputs[]; /* copies of marks, key and cursor */
};

/* NULL: no memory.  code: LARDER_OP_*.  deadline_ns is for the driver; UINT64_MAX: none. */
struct op *op_new(struct reactor *r, uint32_t code, const struct op_inputs *in, uint64_t deadline_ns,
                  op_done_fn *done, void *arg);
/* The same in memory of op_size() bytes, whose owner ends the op with op_done(). */
struct op *op_init(void *memory, struct reactor *r, uint32_t code, const struct op_inputs *in,
                   uint64_t deadline_ns, int64_t now_ms, op_done_fn *done, void *arg);
/* What an op with these inputs takes; 0: more than there is. */
size_t op_size(const struct op_inputs *in);
void op_done(struct op *op);
/* A finished op, or one that was never sent.  Any thread.  NULL is allowed; returns NULL. */
struct op *op_free(struct op *op);

/* What an op was given, as inputs for another: for layers, which send a changed copy down. */
struct op_inputs op_inputs_of(const struct larder_op *pub);

/* struct larder_host's part that is about ops.  Any thread. */
void op_complete(struct larder_op *pub, const struct larder_result *res);
int32_t op_emit_mark(struct larder_op *pub, const struct larder_mark *mark);
int32_t op_emit_key(struct larder_op *pub, struct larder_bytes key);
int32_t op_emit_text(struct larder_op *pub, struct larder_bytes text);

/* Complete with nothing but a status and one line (NULL: none). */
void op_fail(struct larder_op *pub, int32_t status, const char *detail);
/* For layers, which forward.h wraps: a level more, whose layer gets the op in back(arg, op);
 * the caller sends it below.  Its scratch[] must be untouched.  NULL: OP_LEVELS are in use. */
struct op_level *op_lend(struct op *op, op_done_fn *back, void *arg);
/* In back(): the layer has the op again, as if it had never been sent on. */
void op_take_back(struct op *op);
/* In back(): takes the op back and hands it, with its answer, to whoever sent it. */
void op_return(struct op *op);
/* The same, later, for one that was taken back; on the reactor's thread, not in a call from above. */
void op_go_up(struct op *op);
/* Forgets an answer and all that was emitted, for another attempt under a new id. */
void op_renew(struct op *op);
static inline struct op_level *op_top_level(struct op *op) {
    return &op->levels[op->n_levels - 1];
}

/* For layers: complete pub with the answer of `from` (status, times, cursor, detail, and its
 * value, whose reference passes on); emitted records are not copied. */
void op_pass(struct larder_op *pub, struct op *from);

#endif
