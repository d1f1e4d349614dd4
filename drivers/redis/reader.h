/*
 * Replies as hiredis's reader reads them, made into struct rds_reply.  Everything that a server says goes through it
 * but the values of entries (intake.h): it copies a bulk twice, which nobody notices of a mark, and everybody of a
 * page.  What a server says is not believed: counts and the length of it all are checked.
 *
 * hiredis 0.14 and 1.x.
 */
#ifndef REDIS_READER_H
#define REDIS_READER_H

#include "reply.h"

struct redisReader;
struct rds_chunk;

struct rds_reader { /* zeroed at first */
    struct redisReader *hiredis;
    struct rds_chunk *chunks; /* of the replies and their texts, used anew for each reply; the newest first */
    size_t fed;               /* bytes of a reply that has not come to its end */
    size_t n;                 /* elements of it so far */
    bool is_too_much;
};

enum { RDS_READER_MOST = 64 << 20 }; /* bytes of one reply */

void rds_reader_done(struct rds_reader *reader);
/* What has come of a reply is forgotten; for a new connection. */
void rds_reader_reset(struct rds_reader *reader);

/* Reads on, in bytes that follow those it was given before.  *ret_used of them belong to this reply: all, unless its
 * end was among them.  RDS_WHOLE: *ret, valid until the next call. */
enum rds_framed rds_reader_next(struct rds_reader *reader, struct larder_bytes bytes, size_t *ret_used,
                                const struct rds_reply **ret);

#endif
