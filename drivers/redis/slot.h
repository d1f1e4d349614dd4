/*
 * The slots of a Redis Cluster: which one a key is in, and which node has it.
 * https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
 *
 * Pure: replies come in, and a map goes out.
 */
#ifndef REDIS_SLOT_H
#define REDIS_SLOT_H

#include "reply.h"

enum {
    RDS_HOST_SIZE = 256, /* a host name or address, with its NUL: RFC 1035 allows 253 bytes */
    RDS_MAX_NODES = 4096 /* a cluster has at most 1000 masters, by its own advice; more is no cluster */
};

/* CRC-16/XMODEM. */
uint16_t rds_crc16(struct larder_bytes bytes);
/* What decides about the slot: what stands between the first { and the first } after it, unless that is
 * nothing; else all of the key. */
struct larder_bytes rds_slot_part(struct larder_bytes key);

struct rds_map_node {
    char host[RDS_HOST_SIZE];
    uint16_t port;
    bool gone;   /* the last map does not tell of it; its place is kept, numbers of nodes stay good ... */
    bool unused; /* ... until its user has set this: then another node may get the place */
};

/* A primary and its replicas. */
struct rds_shard {
    uint16_t primary;
    uint16_t n_replicas;
    uint16_t replicas[8]; /* more are not used */
};

enum { RDS_NOBODY = UINT16_MAX };

/* Zeroed: no map yet.  All numbers of nodes and shards are indices here. */
struct rds_map {
    struct rds_map_node *nodes;
    size_t n_nodes, room_nodes;
    struct rds_shard *shards;
    size_t n_shards, room_shards;
    uint16_t *shard_of; /* RDS_SLOTS of them, RDS_NOBODY: no node says that it has the slot; NULL: no map */
    size_t n_covered;   /* slots that somebody has */
    size_t n_moved;     /* slots that had another primary, or none, before the last rds_map_take() */
};

void rds_map_done(struct rds_map *map);

/* Replace what the map says by a reply to CLUSTER SLOTS from the node `from`.  A node that does not say its own
 * name is `from`'s host, as the protocol has it; one whose name is not known ("?") is left out.  Nodes keep their
 * numbers.  LARDER_OK; LARDER_CORRUPT for what is no such reply, LARDER_NOMEM: then the map is as it was,
 * but for nodes that may have been added. */
int32_t rds_map_take(struct rds_map *map, const struct rds_reply *reply, const char *from);

/* One slot is at this node now (MOVED).  LARDER_OK or LARDER_NOMEM. */
int32_t rds_map_move(struct rds_map *map, uint16_t slot, const char *host, uint16_t port);

/* The number of this node, which is added if it is new; RDS_NOBODY without memory. */
uint16_t rds_map_node(struct rds_map *map, const char *host, uint16_t port);

/* NULL: nobody has it, as far as is known. */
const struct rds_shard *rds_map_find(const struct rds_map *map, uint16_t slot);

/* "MOVED 3999 127.0.0.1:6381", "ASK 3999 ::1:6381", "MOVED 3999 :6381" (the host that answered). */
struct rds_redirect {
    bool ask;
    uint16_t slot, port;
    char host[RDS_HOST_SIZE]; /* "": that of the node that answered */
};
/* false: the error is none of these, or nothing to be followed. */
bool rds_redirect_read(struct larder_bytes error, struct rds_redirect *ret);

#endif
