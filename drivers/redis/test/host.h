/* Of the host, what the intake needs: buffers. */
#ifndef REDIS_TEST_HOST_H
#define REDIS_TEST_HOST_H

#include "buf.h"

static inline uint8_t *no_buf(size_t len, struct larder_slice *out) {
    (void)len;
    (void)out;
    return NULL;
}

static const struct larder_host test_host = {
    .size = sizeof(test_host), .buf_new = buf_new, .buf_unref = buf_unref};
static const struct larder_host test_host_without_memory = {
    .size = sizeof(test_host), .buf_new = no_buf, .buf_unref = buf_unref};

#endif
