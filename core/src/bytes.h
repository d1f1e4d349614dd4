/* Small helpers for borrowed bytes. */
#ifndef CORE_BYTES_H
#define CORE_BYTES_H

#include <stdbool.h>
#include <string.h>

#include "larder/driver.h"

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

static inline struct larder_bytes bytes_of(const char *text) {
    return (struct larder_bytes){(const uint8_t *)text, text ? strlen(text) : 0};
}

static inline bool bytes_equal(struct larder_bytes a, struct larder_bytes b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool bytes_begin_with(struct larder_bytes a, struct larder_bytes prefix) {
    return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.ptr, prefix.ptr, prefix.len) == 0);
}

/* memcpy that takes (NULL, 0), which the standard's does not; answers where it ended. */
static inline uint8_t *bytes_put(uint8_t *to, struct larder_bytes from) {
    if (from.len > 0)
        memcpy(to, from.ptr, from.len);
    return to + from.len;
}

/* The same for several, one behind the other: moves *at, and answers where the copy is. */
static inline struct larder_bytes bytes_put_next(uint8_t **at, struct larder_bytes from) {
    struct larder_bytes copy = {*at, from.len};
    *at = bytes_put(*at, from);
    return copy;
}

#endif
