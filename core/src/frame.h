/*
 * The stored form of an entry: one self-contained, checksummed frame.  docs/frame.md has the
 * layout byte by byte.  Pure functions, any thread.
 */
#ifndef CORE_FRAME_H
#define CORE_FRAME_H

#include <stdbool.h>

#include "larder/larder.h"

/* Encodes entry into one buffer (one reference in *ret).  Text parts become WTF-8 (LATIN1 and
 * UTF16 are transcoded); parts with the same pointer, length and encoding are stored once.
 * LARDER_NOMEM; LARDER_TOO_BIG over max_bytes; LARDER_INVALID (an unknown kind or encoding, an
 * odd UTF16 length or address, UTF8 that is not WTF-8, more than 2^16-1 parts, a tag or name of
 * 4 GB). */
int32_t frame_encode(const struct larder_entry *entry, uint64_t max_bytes, struct larder_slice *ret);

/* A decoded entry: `entry` points into the frame's bytes and into `text` (transcoded parts). */
struct frame {
    struct larder_entry entry;
    struct larder_slice bytes; /* one reference to the frame */
    struct larder_slice text;  /* transcoded texts, or empty */
    void *arrays;              /* tags[] and parts[] */
};

/* Checks everything - magic, version, lengths, checksum, and the full key against `key` unless
 * key.ptr is NULL - and fills *ret (frame_done() it).  Takes its own reference to `bytes`.
 * v8: text parts come as LARDER_LATIN1 (all code points below 256; ASCII without a copy) or
 * LARDER_UTF16; else as LARDER_UTF8.  LARDER_CORRUPT with one line in detail (a constant
 * string), LARDER_MISS for an unknown newer version or another key, LARDER_NOMEM; then *ret is
 * not touched. */
int32_t frame_decode(struct larder_slice bytes, struct larder_bytes key, bool v8, struct frame *ret,
                     const char **ret_detail);
void frame_done(struct frame *frame);

/* Whether decoding may take more than about 100 us, and so belongs on a pool thread: a frame of
 * more than 1 MB, or (v8) more than 32 KB of text that is not ASCII.  A guess from what the
 * frame says of itself: nothing is checked but that it is read within its bounds. */
bool frame_is_slow(struct larder_slice bytes, bool v8);

#endif
