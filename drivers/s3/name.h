/*
 * The names of objects.  A key of Larder's is any bytes; a name that every server for S3 takes, and that
 * can be read in a console, is not.  So a name is
 *
 *     PREFIX/e/KEY~        an entry
 *     PREFIX/c/KEY~        a claim on one
 *
 * with KEY written byte by byte: A-Z a-z 0-9 - _ . $ / as they are, all others as =XX in upper case; and so
 * a `/` behind another, and a `.` that begins a part, for some servers take "a//b" and "a/../b" for paths.
 * What a byte becomes depends on the one before it alone, so names begin alike where keys do, and
 * can be listed by that.  The `~` at the end keeps "a" and "a/b" apart on servers where a name cannot be
 * both an object and a folder, and is why no name ends in `/`.
 *
 * Pure.
 */
#ifndef S3_NAME_H
#define S3_NAME_H

#include "aws_text.h"

enum {
    S3_MAX_NAME = 1024, /* bytes, S3's limit */
    S3_MAX_PREFIX = 64
};

/* What the longest key may have, whatever its bytes. */
static inline size_t s3_max_key(size_t prefix_len) {
    return (S3_MAX_NAME - prefix_len - 4) / 3;
}

/* Adds KEY as it stands in a name, without the `~`; also for what keys begin with. */
void s3_name_add_key(struct aws_text *out, struct larder_bytes key);
/* The key of "KEY~", into out, which has room for name.len bytes.  False: no such name is ever written. */
bool s3_name_read_key(struct larder_bytes name, uint8_t *out, size_t *ret_len);

/* A number as metadata and claims have it: decimal digits, perhaps a minus, and nothing else. */
bool s3_number(struct larder_bytes text, int64_t *ret);

#endif
