/*
 * What every layer does: send a copy of an op down, and its answer up.  The upper op lives until
 * the layer completes it, and the layer does that only when the lower one has come back, so the
 * lower one may point to the upper.  Reactor's thread only.
 */
#ifndef CORE_FORWARD_H
#define CORE_FORWARD_H

#include "backend.h"

/* Use of scratch[] of an op that a layer has. */
enum {
    FORWARD_CHILD, /* the op sent down, while it is there */
    FORWARD_LAYER, /* the layer's instance */
    FORWARD_OWN    /* the layer's, per op */
};

/* Sends a new op with inputs `in` to below; done(pub, child) ends with forward_done() or with
 * op_free(child) and a completion of pub.  Completes pub itself where there is no memory. */
void forward_call(struct backend *below, struct larder_op *pub, const struct op_inputs *in, op_done_fn *done);
/* For layers that change no inputs: lends the op itself instead of a copy.  The caller notes what it
 * wants in the level that it gets and sends the op with backend_call(); back(arg, op) looks at the
 * answer and ends with op_return(op).  NULL: there are too many layers, and pub is completed. */
struct op_level *forward_lend(struct larder_op *pub, op_done_fn *back, void *arg);
/* An unchanged copy; the answer goes up unchanged. */
void forward_as_is(struct backend *below, struct larder_op *pub);
/* An op_done_fn, arg: the upper op.  Completes it with all that child answered: status, value,
 * records and text; nothing is copied. */
void forward_done(void *pub, struct op *child);
/* A driver's cancel(): asks below, where the op is there. */
void forward_cancel(struct larder_op *pub);

/* The info of a layer that changes nothing: of what it stands on, but without waiting. */
struct larder_info forward_info(const struct backend *below);

/* A driver's functions with the one body that they all call; `fn` is larder_op_fn. */
#define FORWARD_CACHE_OPS(fn)                                                                    \
    {                                                                                            \
        .size = sizeof(struct larder_cache_ops), .get = fn, .put = fn, .remove = fn, .list = fn, \
        .claim = fn, .release = fn                                                               \
    }
#define FORWARD_TAG_OPS(fn)                                                                        \
    {                                                                                              \
        .size = sizeof(struct larder_tag_ops), .read = fn, .write = fn, .advance = fn, .bump = fn, \
        .link = fn, .keys_of = fn, .tags_of = fn, .list_marks = fn                                 \
    }

#endif
