#include "entry_cache.h"

#include <stdlib.h>

#include "buf.h"
#include "bytes.h"
#include "hash.h"

enum {
    SMALL_SHARE = 10,   /* the small queue has 1/10 of the room */
    LARGEST_SHARE = 4,  /* one entry may take 1/4 */
    MAX_USES = 3,       /* counted so far: each is one more round in the main queue */
    N_GHOSTS = 1 << 13, /* 64 KB; a later ghost in the same place replaces an earlier one */
    FIRST_BUCKETS = 64,
    BLOCK_OVERHEAD = 16,                /* of the allocator: its header, and half of what it rounds up by */
    BUF_OVERHEAD = 32 + BLOCK_OVERHEAD, /* the header of a buffer as well */
    NODE_OVERHEAD = BLOCK_OVERHEAD + 2 * sizeof(void *) /* its share of buckets as well */
};

struct cache_node {
    struct cached cached; /* first: entry_cache_find() gives this */
    struct cache_node *next_in_bucket;
    struct cache_node *newer, *older;
    struct cache_queue *queue;
    uint64_t hash;
    size_t bytes;
    uint32_t uses;
    size_t key_len;
    uint8_t key[];
};

/* ---- kept entries ------------------------------------------------------------------ */

struct kept *kept_ref(struct kept *kept) {
    __atomic_add_fetch(&kept->refs, 1, __ATOMIC_RELAXED);
    return kept;
}

void kept_unref(struct kept *kept) {
    if (kept == NULL || __atomic_sub_fetch(&kept->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    frame_done(&kept->frame);
    arena_done(&kept->arena);
    free(kept);
}

bool kept_is_shared(const struct kept *kept) {
    return __atomic_load_n(&kept->refs, __ATOMIC_ACQUIRE) > 1;
}

size_t kept_bytes(const struct kept *kept) {
    const struct larder_entry *entry = &kept->frame.entry;
    size_t arrays = entry->n_parts * sizeof(*entry->parts) + entry->n_tags * sizeof(*entry->tags);
    size_t text = kept->frame.text.len > 0 ? kept->frame.text.len + BUF_OVERHEAD : 0;
    return sizeof(*kept) + arrays + 2 * BLOCK_OVERHEAD + kept->frame.bytes.len + BUF_OVERHEAD + text +
           arena_bytes(&kept->arena) + BLOCK_OVERHEAD;
}

/* ---- queues ---------------------------------------------------------------------------- */

static void enqueue(struct cache_queue *queue, struct cache_node *node) {
    node->queue = queue;
    node->newer = NULL;
    node->older = queue->newest;
    if (queue->newest != NULL)
        queue->newest->newer = node;
    else
        queue->oldest = node;
    queue->newest = node;
    queue->bytes += node->bytes;
}

static void dequeue(struct cache_node *node) {
    struct cache_queue *queue = node->queue;
    if (node->newer != NULL)
        node->newer->older = node->older;
    else
        queue->newest = node->older;
    if (node->older != NULL)
        node->older->newer = node->newer;
    else
        queue->oldest = node->newer;
    queue->bytes -= node->bytes;
}

/* ---- the table --------------------------------------------------------------------------- */

static struct cache_node **place_of(const struct entry_cache *cache, uint64_t hash, struct larder_bytes key) {
    struct cache_node **at = &cache->buckets[hash & (cache->n_buckets - 1)];
    while (*at != NULL &&
           ((*at)->hash != hash || !bytes_equal((struct larder_bytes){(*at)->key, (*at)->key_len}, key)))
        at = &(*at)->next_in_bucket;
    return at;
}

/* Chains grow where there is no memory for more buckets. */
static void grow(struct entry_cache *cache) {
    size_t n = cache->n_buckets > 0 ? cache->n_buckets * 2 : FIRST_BUCKETS;
    struct cache_node **buckets = calloc(n, sizeof(struct cache_node *));
    if (buckets == NULL)
        return;
    for (size_t i = 0; i < cache->n_buckets; i++) {
        struct cache_node *node = cache->buckets[i];
        while (node != NULL) {
            struct cache_node *next = node->next_in_bucket;
            node->next_in_bucket = buckets[node->hash & (n - 1)];
            buckets[node->hash & (n - 1)] = node;
            node = next;
        }
    }
    free(cache->buckets);
    cache->buckets = buckets;
    cache->n_buckets = n;
}

static void free_content(struct cache_node *node) {
    kept_unref(node->cached.kept);
    node->cached.kept = NULL;
    slice_done(&node->cached.frame);
}

static void remove_at(struct entry_cache *cache, struct cache_node **at) {
    struct cache_node *node = *at;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): asked for what is there */
    *at = node->next_in_bucket;
    dequeue(node);
    free_content(node);
    free(node);
    cache->n--;
}

/* ---- leaving ------------------------------------------------------------------------------- */

static void evict(struct entry_cache *cache, struct cache_node *node) {
    remove_at(cache, place_of(cache, node->hash, (struct larder_bytes){node->key, node->key_len}));
    cache->n_evicted++;
}

static void shrink_small(struct entry_cache *cache) {
    struct cache_node *node = cache->small.oldest;
    if (node->uses > 0) {
        dequeue(node);
        node->uses = 0;
        enqueue(&cache->main, node);
        return;
    }
    if (cache->ghosts == NULL)
        cache->ghosts = calloc(N_GHOSTS, sizeof(*cache->ghosts));
    if (cache->ghosts != NULL)
        cache->ghosts[node->hash & (N_GHOSTS - 1)] = node->hash;
    evict(cache, node);
}

static void shrink_main(struct entry_cache *cache) {
    struct cache_node *node = cache->main.oldest;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): bytes are only where entries are */
    if (node->uses == 0) {
        evict(cache, node);
        return;
    }
    dequeue(node);
    node->uses--;
    enqueue(&cache->main, node);
}

/* Each round takes an entry out, a use away, or one out of the small queue: it ends. */
static void shrink(struct entry_cache *cache) {
    while (entry_cache_bytes(cache) > cache->max_bytes) {
        bool small = cache->small.oldest != NULL &&
                     (cache->main.oldest == NULL || cache->small.bytes > cache->max_bytes / SMALL_SHARE);
        if (small)
            shrink_small(cache);
        else
            shrink_main(cache);
    }
}

/* ---- in and out ----------------------------------------------------------------------------- */

void entry_cache_init(struct entry_cache *cache, size_t max_bytes) {
    *cache = (struct entry_cache){.max_bytes = max_bytes};
}

void entry_cache_done(struct entry_cache *cache) {
    for (size_t i = 0; i < cache->n_buckets; i++)
        while (cache->buckets[i] != NULL)
            remove_at(cache, &cache->buckets[i]);
    free(cache->buckets);
    free(cache->ghosts);
    *cache = (struct entry_cache){0};
}

const struct cached *entry_cache_find(struct entry_cache *cache, struct larder_bytes key) {
    if (cache->n == 0)
        return NULL;
    struct cache_node *node = *place_of(cache, hash_64(key.ptr, key.len), key);
    if (node == NULL)
        return NULL;
    if (node->uses < MAX_USES)
        node->uses++;
    return &node->cached;
}

/* The key's node without content, in no queue; NULL: no memory. */
static struct cache_node *emptied_node(struct entry_cache *cache, uint64_t hash, struct larder_bytes key) {
    if (cache->n >= cache->n_buckets)
        grow(cache);
    if (cache->n_buckets == 0)
        return NULL;
    struct cache_node **at = place_of(cache, hash, key), *node = *at;
    if (node != NULL) {
        dequeue(node);
        free_content(node);
        return node;
    }
    node = malloc(sizeof(*node) + key.len);
    if (node == NULL)
        return NULL;
    *node = (struct cache_node){.hash = hash, .key_len = key.len};
    bytes_put(node->key, key);
    bool is_back = cache->ghosts != NULL && cache->ghosts[hash & (N_GHOSTS - 1)] == hash;
    node->queue = is_back ? &cache->main : &cache->small;
    *at = node;
    cache->n++;
    return node;
}

static void put(struct entry_cache *cache, struct larder_bytes key, struct cached content, size_t bytes) {
    size_t cost = bytes + sizeof(struct cache_node) + key.len + NODE_OVERHEAD;
    struct cache_node *node = NULL;
    if (cost <= cache->max_bytes / LARGEST_SHARE)
        node = emptied_node(cache, hash_64(key.ptr, key.len), key);
    if (node == NULL) {
        entry_cache_drop(cache, key);
        kept_unref(content.kept);
        slice_done(&content.frame);
        return;
    }
    node->cached = content;
    node->bytes = cost;
    enqueue(node->queue, node);
    shrink(cache);
}

void entry_cache_put(struct entry_cache *cache, struct larder_bytes key, struct kept *kept,
                     struct read_at at) {
    put(cache, key, (struct cached){.kept = kept_ref(kept), .epoch = kept->frame.entry.epoch, .at = at},
        kept_bytes(kept));
}

void entry_cache_put_frame(struct entry_cache *cache, struct larder_bytes key, struct larder_slice frame,
                           int64_t epoch, struct read_at at) {
    put(cache, key, (struct cached){.frame = slice_ref(frame), .epoch = epoch, .at = at},
        frame.len + BUF_OVERHEAD);
}

void entry_cache_drop(struct entry_cache *cache, struct larder_bytes key) {
    if (cache->n == 0)
        return;
    struct cache_node **at = place_of(cache, hash_64(key.ptr, key.len), key);
    if (*at != NULL)
        remove_at(cache, at);
}
