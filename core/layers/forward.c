#include "forward.h"

void forward_call(struct backend *below, struct larder_op *pub, const struct op_inputs *in,
                  op_done_fn *done) {
    struct op *child = backend_op(below, pub, in, done, pub);

    if (child == NULL) {
        op_fail(pub, LARDER_NOMEM, "out of memory");
        return;
    }
    pub->scratch[FORWARD_CHILD] = child;
    backend_call(below, child);
}

struct op_level *forward_lend(struct larder_op *pub, op_done_fn *back, void *arg) {
    struct op_level *level = op_lend((struct op *)pub, back, arg);

    if (level == NULL)
        op_fail(pub, LARDER_INTERNAL, "too many layers stand on each other");
    return level;
}

void forward_as_is(struct backend *below, struct larder_op *pub) {
    struct op_inputs in = op_inputs_of(pub);

    forward_call(below, pub, &in, forward_done);
}

void forward_done(void *arg, struct op *child) {
    struct larder_op *pub = arg;
    struct op *up = arg; /* an op begins with what drivers see of it */

    pub->scratch[FORWARD_CHILD] = NULL;
    up->marks = child->marks;
    up->n_marks = child->n_marks;
    up->room_marks = child->room_marks;
    up->keys = child->keys;
    up->n_keys = child->n_keys;
    up->room_keys = child->room_keys;
    up->text = child->text;
    up->text_len = child->text_len;
    up->room_text = child->room_text;
    up->arena = child->arena;
    child->marks = NULL;
    child->keys = NULL;
    child->text = NULL;
    child->arena = (struct arena){0};
    op_pass(pub, child);
    backend_op_done(child);
}

void forward_cancel(struct larder_op *pub) {
    struct op *child = pub->scratch[FORWARD_CHILD];

    if (child != NULL)
        backend_cancel(child);
}

struct larder_info forward_info(const struct backend *below) {
    struct larder_info info = below->info;

    info.size = sizeof(info);
    info.traits &= ~(uint32_t)LARDER_BLOCKING;
    info.lanes = 0;
    return info;
}
