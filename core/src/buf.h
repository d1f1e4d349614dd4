/* Reference-counted memory behind slices.  All functions: any thread. */
#ifndef CORE_BUF_H
#define CORE_BUF_H

#include "larder/driver.h"

/* As in struct larder_host. */
uint8_t *buf_new(size_t len, struct larder_slice *out);
int32_t buf_wrap(const void *ptr, size_t len, larder_fn *release, void *arg, struct larder_slice *out);
void buf_ref(struct larder_buf *buf);
void buf_unref(struct larder_buf *buf);

/* How many are alive: tests compare it before and after. */
size_t buf_live(void);

/* slice = {}; gives back its reference. */
void slice_done(struct larder_slice *slice);
/* Another reference to the same bytes. */
struct larder_slice slice_ref(struct larder_slice slice);

static inline struct larder_bytes slice_bytes(struct larder_slice s) {
    return (struct larder_bytes){s.ptr, s.len};
}

#endif
