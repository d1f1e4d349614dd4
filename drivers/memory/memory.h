/*
 * The inside of the memory driver: a store of entries, marks, counters, claims and the index,
 * and the instances that look at it.
 *
 *     memory.c   the driver's table; instances and the stores they share
 *     entries.c  the incremental cache: values, claims, what goes when there is no room
 *     tags.c     the tag cache: marks, counters, the index
 *     map.c      the ordered map under all of it
 *
 * Every op completes inside its call.  The store's lock is held while an op looks at the store
 * and emits, never while it completes.
 */
#ifndef MEMORY_MEMORY_H
#define MEMORY_MEMORY_H

#include <pthread.h>
#include <stdbool.h>

#include "larder/driver.h"
#include "map.h"

struct memory_config { /* table: params[] in memory.c */
    const char *name;
    int64_t max_size;
    int64_t max_value;
    int64_t lossy, lossy_counter, lossy_seed;
};

struct entry {
    struct map_node *node;     /* where it hangs; its key */
    struct larder_slice value; /* one reference */
    int64_t modified_ms, epoch;
    int64_t expire_at_ms;        /* LARDER_UNSET: never */
    struct entry *older, *newer; /* by last use */
};

struct store {
    const struct larder_host *host;
    pthread_mutex_t lock; /* of all below */
    struct map entries;   /* struct entry */
    struct entry *oldest, *newest;
    uint64_t size;          /* what entries count for max_size */
    struct map claims;      /* struct claim */
    size_t claims_to_sweep; /* how many there may be before those that are over go */
    struct map marks;       /* struct larder_mark; its tag is the node's key */
    struct map counters;    /* int64_t */
    struct map tags_of;     /* key -> struct tag_list */
    struct map keys_of;     /* tag and key as one (pair_key()); no value */
    uint64_t random;        /* which marks are lost (setting lossy) */

    /* Of the driver's list of stores (memory.c), under its lock. */
    struct store *next;
    unsigned instances;
    char *name; /* "": not shared */
    int64_t max_size;
};

struct memory { /* an instance */
    const struct larder_host *host;
    const struct memory_config *config;
    struct store *store;
};

/* ---- memory.c -------------------------------------------------------------------- */

void memory_answer(struct memory *m, struct larder_op *op, int32_t status, const char *detail);
/* Completes op and says true if it has a flag that is not among those known. */
bool memory_refuses_flags(struct memory *m, struct larder_op *op, uint32_t known);

/* The frame of an op that walks a map in pages: `at` is the first node to look at.  The cursor
 * is the last key that was looked at, so it needs no state anywhere. */
struct page {
    struct larder_bytes prefix; /* of the keys that belong to the answer */
    struct map_node *at;
    struct map_node *last; /* looked at */
    uint64_t left;
};
/* LARDER_INVALID: the cursor is none of ours. */
int32_t page_begin(struct page *page, const struct map *map, struct larder_bytes prefix,
                   const struct larder_op *op);
/* The next node of the page; NULL: it is full, or that was all. */
struct map_node *page_next(struct page *page);
/* The cursor for what is left, a new reference, or an empty slice.  LARDER_NOMEM. */
int32_t page_end(const struct page *page, const struct larder_host *host, struct larder_slice *ret_cursor);
/* Completes a paged op. */
void page_answer(struct memory *m, struct larder_op *op, int32_t status, struct larder_slice cursor);

static inline bool bytes_same(struct larder_bytes a, struct larder_bytes b) {
    return a.len == b.len && (a.len == 0 || __builtin_memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* ---- entries.c, tags.c -------------------------------------------------------------- */

extern const struct larder_cache_ops memory_cache_ops;
extern const struct larder_tag_ops memory_tag_ops;

void entries_done(struct store *store);
void tags_done(struct store *store);
/* The index knows key no more.  Under the store's lock. */
void tags_forget(struct store *store, struct larder_bytes key);

#endif
