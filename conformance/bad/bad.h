/*
 * A deliberately wrong driver: a right one (drivers/memory or drivers/fs, compiled in unchanged)
 * and one mistake, which stands in a file of its own and names the members of the tables that it
 * replaces.  bad.c puts the two together.
 *
 *     static void complete(struct larder_op *op, const struct larder_result *res) {
 *         struct larder_result wrong = *res;
 *         wrong.modified_ms = 0;
 *         the_host->complete(op, &wrong);
 *     }
 *     const struct mistake mistake = {.host.complete = complete};
 *
 * State of a mistake is static: one program tries one wrong driver.
 */
#ifndef CONFORMANCE_BAD_H
#define CONFORMANCE_BAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "larder/driver.h"

/* What is not NULL here stands in for the right driver's function; in `host`, for the function
 * that the right driver is given.  Sizes are ignored. */
struct mistake {
    struct larder_cache_ops cache;
    struct larder_tag_ops tags;
    struct larder_host host;
    struct larder_driver driver;       /* open, close, ping, provision, explain, cancel, flush, params */
    uint32_t claims_more, claims_less; /* traits that open() adds, and takes away */
};
extern const struct mistake mistake;

/* The tables below are there as soon as the first instance is being opened. */
extern const struct larder_driver *right;  /* the right driver */
extern const struct larder_host *the_host; /* what the core gave; the right driver has another one */
/* What an instance was opened with; NULL after close(). */
struct larder_home *home_of(void *instance);

/* Calls fn(arg) after what a round trip to a store takes; on the I/O thread, and called there.
 * False: no memory. */
bool later(void *instance, larder_fn *fn, void *arg);

/* A copy to change and to hand to the right driver: what it says of the copy counts for op. */
static inline struct larder_op disguised(struct larder_op *op) {
    struct larder_op copy = *op;
    copy.scratch[3] = op;
    return copy;
}

/* Has the right driver do op and keeps what it says: nothing is emitted, nothing completed.  A
 * value or cursor in the answer holds one reference. */
struct larder_result ask(larder_op_fn *fn, void *instance, const struct larder_op *op);

static inline void answer(struct larder_op *op, int32_t status, const char *detail) {
    struct larder_result res = {.size = sizeof(res), .status = status, .detail = detail};
    the_host->complete(op, &res);
}

/* A buffer with a copy of bytes and room for `more` behind them; NULL: no memory. */
static inline uint8_t *copy_of(struct larder_bytes bytes, size_t more, struct larder_slice *ret) {
    uint8_t *copy = the_host->buf_new(bytes.len + more, ret);
    if (copy && bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    return copy;
}

static inline bool same_bytes(struct larder_bytes a, struct larder_bytes b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

#endif
