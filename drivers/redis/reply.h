/*
 * Replies of a server in RESP2 (https://redis.io/docs/latest/develop/reference/protocol-spec/), read from
 * memory; pure.  What a server says is not believed: lengths, counts and depth are checked.
 *
 * It is our own, and not hiredis's redisReader: that copies a large bulk two or three times, allocates for each
 * element, and would be one more library to have at run time.  Its results are compared with hiredis's in
 * test/test_reply.c, where that is installed.
 */
#ifndef REDIS_REPLY_H
#define REDIS_REPLY_H

#include <stdbool.h>

#include "larder/driver.h"

enum {
    RDS_MAX_DEPTH = 8,
    RDS_MAX_BULK = 512 << 20,   /* bytes: the server's own limit (proto-max-bulk-len) */
    RDS_MAX_ELEMENTS = 4 << 20, /* of one reply, all levels together */
    RDS_MAX_LINE = 64 << 10     /* of a status, an error, a number */
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
    const struct rds_reply *elements;
};

/* How far the end of a reply has been looked for; zeroed at the beginning of each. */
struct rds_frame {
    size_t at; /* bytes that were looked at */
    uint32_t depth;
    uint32_t n;                   /* elements so far, the reply itself among them */
    uint32_t left[RDS_MAX_DEPTH]; /* elements that are still to come, per level */
};

enum rds_framed { RDS_MORE, RDS_WHOLE, RDS_GARBAGE };
/* Looks on from f->at, in all bytes of the reply that have come so far.  RDS_WHOLE: f->at is its length. */
enum rds_framed rds_frame(struct rds_frame *f, struct larder_bytes bytes);

/* Memory for the elements of one reply at a time; zeroed at first. */
struct rds_tree {
    struct rds_reply *replies;
    uint32_t size;
};
void rds_tree_done(struct rds_tree *tree);
/* A whole reply, as rds_frame() found it, into tree; texts point into bytes.  NULL: no memory. */
const struct rds_reply *rds_tree_read(struct rds_tree *tree, const struct rds_frame *f,
                                      struct larder_bytes bytes);

/* "$123\r\n" at the beginning of bytes: RDS_WHOLE, its length (-1: nil) and where it ends; RDS_MORE;
 * RDS_GARBAGE.  Only for bytes that begin with `$`. */
enum rds_framed rds_bulk_head(struct larder_bytes bytes, int64_t *ret_len, size_t *ret_end);

/* Whether text begins with the word (of an error: "MOVED"), followed by a space or its end. */
bool rds_begins(struct larder_bytes text, const char *word);
/* A decimal number, all of text. */
bool rds_number(struct larder_bytes text, int64_t *ret);
bool rds_is(const struct rds_reply *reply, const char *text);

#endif
