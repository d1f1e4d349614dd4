/*
 * What comes in on a connection.  Small replies are gathered in a buffer and read there; the value of an entry is
 * received straight into the slice that the core will own, as soon as its length is known.  Knows no socket:
 * room() says where the next bytes go, took() how many have come, next() what that makes.
 */
#ifndef REDIS_INTAKE_H
#define REDIS_INTAKE_H

#include <sys/uio.h>

#include "reader.h"
#include "request.h"

enum {
    RDS_INTAKE_BYTES = 64 << 10 /* of the buffer */
};

enum rds_value_part { RDS_NO_VALUE, RDS_VALUE_BODY, RDS_VALUE_END };

struct rds_intake {
    const struct larder_host *host;
    uint8_t *buf;
    size_t begin, end;
    struct rds_reader reader;
    struct rds_reply reply; /* of the last value */
    enum rds_value_part part;
    uint8_t head[RDS_HEAD];
    struct larder_slice value; /* one reference, while part is not RDS_NO_VALUE */
    uint8_t *to;               /* where the rest of it goes; NULL: no memory, it is thrown away */
    size_t left;               /* bytes of it that are still to come */
    bool no_memory;
};

void rds_intake_init(struct rds_intake *in, const struct larder_host *host);
void rds_intake_done(struct rds_intake *in);
/* As after init; for a new connection. */
void rds_intake_reset(struct rds_intake *in);

/* Where to receive to; how many pieces (1 or 2); 0: no memory. */
int rds_intake_room(struct rds_intake *in, struct iovec iov[2]);
void rds_intake_took(struct rds_intake *in, size_t n);

enum rds_taken {
    RDS_TAKEN,     /* *ret is set: status, reply, value.  It is valid until the next call */
    RDS_TAKE_MORE, /* nothing whole has come */
    RDS_TAKE_GARBAGE,
    RDS_TAKE_NOMEM /* the connection cannot go on */
};
/* The next reply; is_value: the value of an entry is expected. */
enum rds_taken rds_intake_next(struct rds_intake *in, bool is_value, struct rds_answer *ret);
/* Whether anything has come that was not taken. */
bool rds_intake_is_empty(const struct rds_intake *in);

#endif
