/*
 * Entries kept in the memory of this process, up to so many bytes: decoded, or as the frame that a
 * put has just encoded, which is decoded when somebody first asks.  What is found here may be
 * outdated: whoever answers with it reads the marks of its tags first (get.c).
 *
 * Which entry goes is told by S3-FIFO (Yang and others, "FIFO queues are all you need for cache
 * eviction", SOSP 2023): new entries wait in a small queue, a tenth of the room; what is asked for
 * again before its end moves to the main queue, the rest leaves and only its hash is remembered for
 * a while.  So a crawler that asks for every page once passes through a tenth of the memory and
 * pushes nothing out that people ask for, and a hit costs one counter and moves nothing.
 *
 * Reactor's thread only, but for the references of a kept entry.
 */
#ifndef CORE_ENTRY_CACHE_H
#define CORE_ENTRY_CACHE_H

#include "arena.h"
#include "frame.h"

struct kept {      /* a decoded entry; nothing in it changes once it is made */
    uint32_t refs; /* atomic */
    bool v8;       /* texts as LARDER_F_V8 asks for them */
    struct frame frame;
    struct larder_bytes *tags; /* the entry's, as the tag store takes them */
    struct arena arena;        /* what tags point to */
};
struct kept *kept_ref(struct kept *kept);     /* any thread */
void kept_unref(struct kept *kept);           /* any thread; NULL is allowed */
bool kept_is_shared(const struct kept *kept); /* whether anybody but the asker has a reference */
size_t kept_bytes(const struct kept *kept);   /* of memory, about */

struct read_at {       /* how young something is */
    uint64_t asked_ns; /* when the store was asked for it, or it was put */
    int64_t known;     /* the greatest epoch that this process knew then */
    uint64_t outage;   /* the outage in which alone it may be served (outage.h); 0: it is not so bound */
};

struct cached {                /* what is there for a key; good until the next call that changes the cache */
    struct kept *kept;         /* NULL: only the frame is there */
    struct larder_slice frame; /* not decoded yet; empty where kept is there */
    int64_t epoch;             /* the entry's */
    struct read_at at;
};

struct cache_node;
struct cache_queue { /* newest first */
    struct cache_node *newest, *oldest;
    size_t bytes;
};
struct entry_cache {
    size_t max_bytes; /* 0: nothing is kept */
    struct cache_node **buckets;
    size_t n_buckets; /* a power of two; 0: none yet */
    size_t n;
    struct cache_queue small, main;
    uint64_t *ghosts; /* hashes of keys that left the small queue */
    uint64_t n_evicted;
};

void entry_cache_init(struct entry_cache *cache, size_t max_bytes);
void entry_cache_done(struct entry_cache *cache);
static inline size_t entry_cache_bytes(const struct entry_cache *cache) {
    return cache->small.bytes + cache->main.bytes;
}

/* Counts as a use of it.  NULL: nothing is there. */
const struct cached *entry_cache_find(struct entry_cache *cache, struct larder_bytes key);
/* Takes a reference of its own, and replaces what is there.  What is larger than a quarter of the
 * room, or finds no memory, is not kept. */
void entry_cache_put(struct entry_cache *cache, struct larder_bytes key, struct kept *kept,
                     struct read_at at);
void entry_cache_put_frame(struct entry_cache *cache, struct larder_bytes key, struct larder_slice frame,
                           int64_t epoch, struct read_at at);
void entry_cache_drop(struct entry_cache *cache, struct larder_bytes key);

#endif
