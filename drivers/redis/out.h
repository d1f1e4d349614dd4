/*
 * What is to be written to a connection: commands (RESP2 arrays of bulks) in a buffer, and large arguments from
 * where they are, in their order.  Nothing here can fail half-way: where memory is short, `failed` is set
 * and the connection that owns it is given up.
 */
#ifndef REDIS_OUT_H
#define REDIS_OUT_H

#include <stdbool.h>
#include <sys/uio.h>

#include "larder/driver.h"

enum {
    RDS_COPY_BELOW = 1024
}; /* bytes: a shorter argument is copied, which is cheaper than one more iovec */

struct rds_piece { /* foreign bytes that come behind text[at - 1] */
    size_t at;
    const uint8_t *ptr;
    size_t len;
};

struct rds_out {
    uint8_t *text;
    size_t len, size;
    struct rds_piece *pieces;
    size_t n_pieces, pieces_size;
    size_t sent_text, sent_pieces, sent_of_piece; /* what has been written already */
    size_t bytes;                                 /* that are not written yet, pieces included */
    uint32_t commands;                            /* that were begun since the owner set it to 0 */
    bool asking;                                  /* each command is preceded by ASKING */
    bool failed;
};

void rds_out_done(struct rds_out *out);
/* All that is in it is forgotten; its memory is kept. */
void rds_out_clear(struct rds_out *out);

/* A command of argc arguments, its name among them; exactly so many rds_arg*() follow. */
void rds_command(struct rds_out *out, const char *name, size_t argc);
void rds_arg(struct rds_out *out, struct larder_bytes arg); /* copied */
void rds_arg_text(struct rds_out *out, const char *arg);    /* copied */
void rds_arg_number(struct rds_out *out, int64_t arg);
/* An argument that consists of head, which is copied, and body, which is written from where it is: it must stay
 * until the reply has come or the connection is lost. */
void rds_arg_value(struct rds_out *out, struct larder_bytes head, struct larder_bytes body);
/* An argument in parts, all copied: its length first, then exactly so many bytes. */
void rds_arg_begin(struct rds_out *out, size_t len);
void rds_arg_part(struct rds_out *out, const void *ptr, size_t len);
void rds_arg_end(struct rds_out *out);

/* What is to be written next: up to `max` pieces, how many.  Then how many bytes were written. */
int rds_out_next(const struct rds_out *out, struct iovec *iov, int max);
void rds_out_sent(struct rds_out *out, size_t n);

#endif
