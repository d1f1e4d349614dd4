/* Frames for programs: an entry and its bytes in one block (larder.h). */
#include <stdlib.h>

#include "buf.h"
#include "bytes.h"
#include "frame.h"

struct larder_frame {
    struct frame decoded;
};

/* Takes over the slice's reference. */
static int32_t wrap(struct larder_slice bytes, struct larder_frame **ret_frame) {
    const char *detail;
    struct larder_frame *frame = malloc(sizeof(*frame));
    int32_t status = LARDER_NOMEM;
    if (frame != NULL)
        status = frame_decode(bytes, (struct larder_bytes){0}, false, &frame->decoded, &detail);
    slice_done(&bytes);
    if (status == LARDER_OK)
        *ret_frame = frame;
    else
        free(frame);
    return status;
}

int32_t larder_frame_encode(const struct larder_entry *entry, struct larder_frame **ret_frame) {
    struct larder_slice bytes;
    int32_t status = frame_encode(entry, UINT64_MAX, &bytes);
    return status == LARDER_OK ? wrap(bytes, ret_frame) : status;
}

int32_t larder_frame_decode(struct larder_bytes bytes, struct larder_frame **ret_frame) {
    struct larder_slice copy;
    uint8_t *to = buf_new(bytes.len, &copy);
    if (to == NULL)
        return LARDER_NOMEM;
    bytes_put(to, bytes);
    return wrap(copy, ret_frame);
}

struct larder_bytes larder_frame_bytes(const struct larder_frame *frame) {
    return slice_bytes(frame->decoded.bytes);
}

const struct larder_entry *larder_frame_entry(const struct larder_frame *frame) {
    return &frame->decoded.entry;
}

struct larder_frame *larder_frame_free(struct larder_frame *frame) {
    if (frame != NULL)
        frame_done(&frame->decoded);
    free(frame);
    return NULL;
}
