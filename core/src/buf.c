#include "buf.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "pool.h"

struct larder_buf {
    atomic_size_t refs;
    larder_fn *release; /* buf_wrap(); NULL: the bytes are behind the header */
    void *arg;
    size_t capacity; /* of the pool's block that this is; 0: from malloc() */
    _Alignas(max_align_t) uint8_t bytes[];
};

static atomic_size_t live;

static struct larder_buf *buf_make(size_t len) {
    size_t size;
    if (__builtin_add_overflow(sizeof(struct larder_buf), len, &size) || size > PTRDIFF_MAX)
        return NULL;
    size_t capacity = 0;
    struct larder_buf *buf = pool_take(size, &capacity);
    if (!buf)
        buf = malloc(size);
    if (!buf)
        return NULL;
    buf->capacity = capacity;
    atomic_init(&buf->refs, 1);
    buf->release = NULL;
    buf->arg = NULL;
    atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return buf;
}

uint8_t *buf_new(size_t len, struct larder_slice *out) {
    struct larder_buf *buf = buf_make(len);
    if (!buf)
        return NULL;
    *out = (struct larder_slice){buf->bytes, len, buf};
    return buf->bytes;
}

int32_t buf_wrap(const void *ptr, size_t len, larder_fn *release, void *arg, struct larder_slice *out) {
    struct larder_buf *buf = buf_make(0);
    if (!buf) {
        release(arg);
        return LARDER_NOMEM;
    }
    buf->release = release;
    buf->arg = arg;
    *out = (struct larder_slice){ptr, len, buf};
    return LARDER_OK;
}

void buf_ref(struct larder_buf *buf) {
    if (buf)
        atomic_fetch_add_explicit(&buf->refs, 1, memory_order_relaxed);
}

void buf_unref(struct larder_buf *buf) {
    /* Release: what this thread did with the bytes comes before their end.  Acquire: the last
     * one sees what all the others did. */
    if (!buf || atomic_fetch_sub_explicit(&buf->refs, 1, memory_order_acq_rel) != 1)
        return;
    larder_fn *release = buf->release;
    void *arg = buf->arg;
    if (buf->capacity > 0)
        pool_give(buf, buf->capacity);
    else
        free(buf);
    atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    if (release)
        release(arg);
}

size_t buf_live(void) {
    return atomic_load_explicit(&live, memory_order_relaxed);
}

void slice_done(struct larder_slice *slice) {
    buf_unref(slice->owner);
    *slice = (struct larder_slice){0};
}

struct larder_slice slice_ref(struct larder_slice slice) {
    buf_ref(slice.owner);
    return slice;
}
