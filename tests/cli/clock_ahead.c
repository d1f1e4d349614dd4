/* A driver for the test of larder doctor, made as the wrong ones of conformance/bad are: its counter was raised
 * by a machine whose clock is an hour fast. */
#include "bad.h"

static void advance(void *instance, struct larder_op *op) {
    struct larder_op copy = disguised(op);
    copy.now_ms += 3600 * 1000;
    right->tags->advance(instance, &copy);
}

const struct mistake mistake = {.tags.advance = advance};
