/*
 * One layer over the driver that holds its ops: for the tests of layers that lend an op on as it is.
 * The rig is the program's one; rig_done() finds what was left behind.
 */
#ifndef TESTS_UNIT_LAYER_RIG_H
#define TESTS_UNIT_LAYER_RIG_H

#include <string.h>

#include "buf.h"
#include "bytes.h"
#include "held.h"
#include "layers.h"
#include "unit.h"

static struct {
    struct reactor *r;
    struct backend *below, *top;
} rig;

/* An op that the test sent, until sent_done(). */
struct sent {
    struct op *op;
    unsigned answers;
};

static inline void rig_new(const struct larder_driver *layer, const void *settings) {
    rig.r = held_reactor();
    rig.below = backend_new(rig.r, &held_driver, NULL, NULL);
    rig.top = backend_new(rig.r, layer, settings, rig.below);
    CU_ASSERT_FATAL(rig.below != NULL && rig.top != NULL);
    CU_ASSERT_EQUAL_FATAL(backend_open(rig.top), LARDER_OK);
}

static inline void rig_done(void) {
    settle(rig.r);
    CU_ASSERT(!backend_busy(rig.top) && !backend_busy(rig.below));
    CU_ASSERT_EQUAL(held_count(0), 0);
    backend_free(rig.top);
    backend_free(rig.below);
    reactor_free(rig.r); /* asserts that no timer is left */
    backend_host_clock(NULL);
    held_info = (struct held_info){0};
    CU_ASSERT_EQUAL(buf_live(), 0);
}

static inline void note_answer(void *arg, struct op *op) {
    struct sent *s = arg;
    CU_ASSERT_PTR_EQUAL(s->op, op);
    s->answers++;
}

/* deadline_ms from now; 0: none. */
static inline void send_in(struct sent *s, uint32_t code, const struct op_inputs *in, uint64_t deadline_ms) {
    uint64_t deadline_ns = deadline_ms > 0 ? test_clock.ns + deadline_ms * 1000000u : UINT64_MAX;
    *s = (struct sent){.op = op_new(rig.r, code, in, deadline_ns, note_answer, s)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(s->op);
    backend_call(rig.top, s->op);
    CU_ASSERT_EQUAL(s->answers, 0); /* never inside the call */
    settle(rig.r);
}

static inline void send(struct sent *s, uint32_t code, uint64_t deadline_ms) {
    send_in(s, code, &(struct op_inputs){.key = bytes_of("k")}, deadline_ms);
}

/* Answers the oldest op that the driver holds. */
static inline void answer(uint32_t code, int32_t status) {
    struct larder_op *op = held_take(code);
    CU_ASSERT_PTR_NOT_NULL_FATAL(op);
    answer_status(op, status);
    settle(rig.r);
}

/* A finished op's status; ends it. */
static inline int32_t sent_done(struct sent *s) {
    CU_ASSERT_EQUAL_FATAL(s->answers, 1);
    int32_t status = s->op->result.status;
    s->op = op_free(s->op);
    return status;
}

#endif
