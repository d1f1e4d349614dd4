/*
 * The slots of a Redis Cluster: which one a key is in, and which node has it.
 * https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
 *
 * Nothing here waits or talks to anybody: replies come in, and a map goes out.
 */
#ifndef REDIS_SLOT_H
#define REDIS_SLOT_H

#include <hiredis/hiredis.h>
#include <stdbool.h>

#include "larder/driver.h"

enum {
    SLOT_COUNT = 16384,
    SLOT_HOST_SIZE = 256, /* a host name or address, with its NUL: RFC 1035 allows 253 bytes */
    SLOT_NODES_MAX = 4096 /* a cluster has at most 1000 masters, by its own advice; more is no cluster */
};

/* CRC-16/XMODEM of the key, or of its hash tag, modulo 16384. */
uint16_t slot_of(struct larder_bytes key);
/* What decides about the slot: what stands between the first { and the first } after it, unless that is
 * nothing; else all of the key. */
struct larder_bytes slot_hashed_part(struct larder_bytes key);

struct slot_node {
    char host[SLOT_HOST_SIZE];
    uint16_t port;
    bool
        gone; /* the last map does not tell of it; its place is kept, so that numbers of nodes stay good ... */
    bool unused; /* ... until its user has set this: then another node may get the place */
};

/* A primary and its replicas. */
struct slot_shard {
    uint16_t primary;
    uint16_t n_replicas;
    uint16_t replicas[8]; /* more are not used */
};

enum { SLOT_NOBODY = UINT16_MAX };

/* Zeroed: no map yet.  All numbers of nodes and shards are indices here. */
struct slot_map {
    struct slot_node *nodes;
    size_t n_nodes, room_nodes;
    struct slot_shard *shards;
    size_t n_shards, room_shards;
    uint16_t
        *shard_of; /* SLOT_COUNT of them, SLOT_NOBODY where no node says that it has the slot; NULL: no map */
    size_t n_covered; /* slots that somebody has */
};

void slot_map_done(struct slot_map *map);

/* Replace what the map says by a reply to CLUSTER SLOTS from the node `from`.  A node that does not say its own
 * name is `from`'s host, as the protocol has it; one whose name is not known ("?") is left out.  Nodes keep their
 * numbers.  LARDER_OK; LARDER_CORRUPT for what is no such reply, LARDER_NOMEM: then the map is as it was,
 * but for nodes that may have been added. */
int32_t slot_map_take(struct slot_map *map, const redisReply *reply, const char *from);

/* One slot is at this node now (MOVED).  LARDER_OK or LARDER_NOMEM. */
int32_t slot_map_move(struct slot_map *map, uint16_t slot, const char *host, uint16_t port);

/* The number of this node, which is added if it is new; SLOT_NOBODY without memory. */
uint16_t slot_map_node(struct slot_map *map, const char *host, uint16_t port);

/* NULL: nobody has it, as far as is known. */
const struct slot_shard *slot_map_find(const struct slot_map *map, uint16_t slot);

/* "MOVED 3999 127.0.0.1:6381", "ASK 3999 ::1:6381", "MOVED 3999 :6381" (the host that answered). */
struct slot_redirect {
    bool ask;
    uint16_t slot, port;
    char host[SLOT_HOST_SIZE]; /* "": that of the node that answered */
};
/* false: the error is none of these, or nothing to be followed. */
bool slot_redirect_read(const char *error, size_t len, struct slot_redirect *ret);

#endif
