/* Comparing bytes. */
#ifndef CLI_BYTES_H
#define CLI_BYTES_H

#include <stdbool.h>
#include <string.h>

#include "larder/driver.h"

static inline bool bytes_begin_with(struct larder_bytes bytes, struct larder_bytes prefix) {
    return bytes.len >= prefix.len && (prefix.len == 0 || memcmp(bytes.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool bytes_equal(struct larder_bytes a, struct larder_bytes b) {
    return a.len == b.len && bytes_begin_with(a, b);
}

#endif
