/*
 * News of marks (setting `push`): whoever has written marks publishes them, and every process subscribes to that,
 * on a connection of its own.  It is a help and no promise: what is lost while the subscription is down is seen when the
 * marks are read, as ever.
 *
 * A message: "M1", then for each mark the length of its tag (four bytes, most significant first), the tag, and the mark as
 * it is stored.
 */
#ifndef REDIS_PUSH_H
#define REDIS_PUSH_H

#include "larder/driver.h"

struct rds;
struct rds_push;

/* Begins to subscribe, with the first of the URL's hosts that lets it.  NULL: no memory. */
struct rds_push *rds_push_new(struct rds *d);
void rds_push_free(struct rds_push *push); /* accepts NULL */

/* Marks begin ... begin + n of the op were written; epoch stands for LARDER_NEW_EPOCH.  Nothing, without `push`. */
void rds_push_tell(struct rds *d, const struct larder_op *op, size_t begin, size_t n, int64_t epoch);

#endif
