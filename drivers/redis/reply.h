/*
 * Replies of a server in RESP2 (https://redis.io/docs/latest/develop/reference/protocol-spec/), once they are read;
 * and how the value of an entry begins.  Pure.
 *
 * reader.h makes them of what comes.
 */
#ifndef REDIS_REPLY_H
#define REDIS_REPLY_H

#include <stdbool.h>

#include "larder/driver.h"

enum {
    RDS_MAX_BULK = 512 << 20,   /* bytes: the server's own limit (proto-max-bulk-len) */
    RDS_MAX_ELEMENTS = 1 << 18, /* of one reply, all levels together */
    RDS_MAX_LINE = 64 << 10     /* of what stands before a bulk: bytes without an end */
};

enum rds_type {
    RDS_STATUS = '+',
    RDS_ERROR = '-',
    RDS_INTEGER = ':',
    RDS_BULK = '$',
    RDS_ARRAY = '*',
    RDS_NIL = '_'
};

struct rds_reply {
    uint8_t type; /* enum rds_type; a null bulk and a null array are RDS_NIL */
    uint32_t n;   /* array: elements */
    int64_t integer;
    struct larder_bytes text; /* status, error, bulk */
    struct rds_reply *elements;
};

enum rds_framed { RDS_MORE, RDS_WHOLE, RDS_GARBAGE, RDS_NO_MEMORY };

/* "$123\r\n" at the beginning of bytes: RDS_WHOLE, its length (-1: nil) and where it ends; RDS_MORE;
 * RDS_GARBAGE.  Only for bytes that begin with `$`. */
enum rds_framed rds_bulk_head(struct larder_bytes bytes, int64_t *ret_len, size_t *ret_end);

/* Whether text begins with the word (of an error: "MOVED"), followed by a space or its end. */
bool rds_begins(struct larder_bytes text, const char *word);
/* A decimal number, all of text. */
bool rds_number(struct larder_bytes text, int64_t *ret);
bool rds_is(const struct rds_reply *reply, const char *text);

#endif
