/* What P:l:{KEY} says. */
#ifndef REDIS_INDEX_H
#define REDIS_INDEX_H

#include "rds.h"

struct rds_links {
    int64_t linked_ms;
    struct larder_bytes rest;
};

struct rds_links rds_links_of(struct larder_bytes stored);
bool rds_links_next(struct rds_links *links, struct larder_bytes *ret_tag);
bool rds_links_have(struct larder_bytes stored, struct larder_bytes tag);

#endif
