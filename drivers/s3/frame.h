/*
 * The stored form of an entry, as docs/frame.md describes it, for a layout that is not Larder's own: version
 * 1 is read and written.  Pure.
 */
#ifndef S3_FRAME_H
#define S3_FRAME_H

#include "json.h"

enum { FRAME_PAGE = 1, FRAME_FETCH, FRAME_IMAGE, FRAME_USE_CACHE };

struct frame_part {
    struct larder_bytes name, data;
    bool is_text; /* in WTF-8; else bytes */
};

struct frame_entry { /* lent */
    uint32_t kind;
    int64_t epoch, modified_ms, revalidate_ms, expire_ms;
    struct larder_bytes key, meta;
    struct larder_bytes *tags;
    size_t n_tags;
    struct frame_part *parts;
    size_t n_parts;
};

/* False: it is no frame of version 1 that is whole, or memory->failed. */
bool frame_read(struct larder_bytes bytes, struct json_memory *memory, struct frame_entry *ret);

/* How long the frame of an entry is; then the frame itself, into so many bytes. */
size_t frame_len(const struct frame_entry *entry);
void frame_write(const struct frame_entry *entry, uint8_t *out);

#endif
