/*
 * The stored form of a compressed value, and the zstd contexts that make and read it.
 *
 *     0   4  C1 'L' 'D' 'Z'           (C1 begins neither a frame's magic nor any text)
 *     4   4  method, little-endian: 1 as it is, 2 zstd
 *     8   8  length of the raw value, little-endian
 *    16      the value
 *
 * A value that does not begin like this is raw and stored without a header, so a store filled
 * without compression reads with it; a raw value that does gets a header of method 1.
 */
#ifndef CORE_SQUEEZE_H
#define CORE_SQUEEZE_H

#include <stdbool.h>

#include "larder/larder.h"

enum { SQUEEZE_HEADER_LEN = 16 };

/* Contexts are big and slow to make, so a few are kept for reuse.  Any thread. */
struct squeezer;
struct squeezer *squeezer_new(int level);           /* NULL: no memory */
struct squeezer *squeezer_free(struct squeezer *s); /* NULL is allowed; returns NULL */

/* What to store for `raw`, one reference in *ret: itself, or compressed where that saves an
 * eighth.  min_bytes: shorter ones are left alone.  LARDER_NOMEM only where a header is needed:
 * without memory to compress, a value is stored raw. */
int32_t squeeze(struct squeezer *s, struct larder_slice raw, uint64_t min_bytes, struct larder_slice *ret);

/* The header of a stored value.  *ret_raw_len: what expand() will give; *ret_coded: whether it
 * has work to do (else it costs nothing).  LARDER_OK; LARDER_MISS: made by a newer version;
 * LARDER_CORRUPT with a constant line in *ret_detail. */
int32_t squeeze_look(struct larder_bytes stored, uint64_t max_raw, uint64_t *ret_raw_len, bool *ret_coded,
                     const char **ret_detail);

/* The raw value, one reference in *ret, never more than max_raw bytes.  Statuses as
 * squeeze_look(), and LARDER_NOMEM. */
int32_t expand(struct squeezer *s, struct larder_slice stored, uint64_t max_raw, struct larder_slice *ret,
               const char **ret_detail);

#endif
