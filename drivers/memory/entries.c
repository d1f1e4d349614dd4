#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* What an entry costs beside its key and value: its structs, and the allocator's share. */
enum { ENTRY_OVERHEAD = 256 };

struct claim {
    int64_t expire_at_ms; /* LARDER_UNSET: never */
    size_t owner_len;
    uint8_t owner[];
};

static int64_t expiry(const struct larder_op *op) {
    int64_t at_ms;
    if (op->ttl_ms <= 0 || __builtin_add_overflow(op->now_ms, op->ttl_ms, &at_ms))
        return LARDER_UNSET;
    return at_ms;
}

static bool is_over(int64_t expire_at_ms, const struct larder_op *op) {
    return expire_at_ms != LARDER_UNSET && expire_at_ms <= op->now_ms;
}

static uint64_t cost(struct larder_bytes key, size_t value_len) {
    return (uint64_t)key.len + value_len + ENTRY_OVERHEAD;
}

/* ---- entries; all under the store's lock ------------------------------------------------- */

static void use_list_remove(struct store *store, struct entry *e) {
    *(e->older ? &e->older->newer : &store->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &store->newest) = e->older;
}

static void use_list_append(struct store *store, struct entry *e) {
    e->newer = NULL;
    e->older = store->newest;
    *(store->newest ? &store->newest->newer : &store->oldest) = e;
    store->newest = e;
}

static void entry_drop(struct store *store, struct entry *e) {
    store->size -= cost(e->node->key, e->value.len);
    use_list_remove(store, e);
    map_remove(&store->entries, e->node->key);
    store->host->buf_unref(e->value.owner);
    free(e);
}

/* The entry under key that is still good; what is over goes. */
static struct entry *entry_find(struct store *store, const struct larder_op *op) {
    struct map_node *node = map_find(&store->entries, op->key);
    struct entry *e = node ? node->value : NULL;
    if (e && is_over(e->expire_at_ms, op)) {
        entry_drop(store, e);
        e = NULL;
    }
    return e;
}

static struct entry *entry_add(struct store *store, struct larder_bytes key) {
    struct entry *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->node = map_add(&store->entries, key, e);
    if (!e->node) {
        free(e);
        return NULL;
    }
    store->size += cost(key, 0);
    use_list_append(store, e);
    return e;
}

static void entry_fill(struct store *store, struct entry *e, const struct larder_op *op) {
    if (op->value.owner)
        store->host->buf_ref(op->value.owner);
    store->host->buf_unref(e->value.owner);
    store->size = store->size - e->value.len + op->value.len;
    e->value = op->value;
    e->modified_ms = op->modified_ms;
    e->epoch = op->epoch;
    e->expire_at_ms = expiry(op);
    use_list_remove(store, e);
    use_list_append(store, e);
}

/* The newest entry alone always fits: memory_put() has looked. */
static void make_room(struct store *store) {
    while (store->max_size > 0 && store->size > (uint64_t)store->max_size && store->oldest != store->newest) {
        tags_forget(store, store->oldest->node->key);
        entry_drop(store, store->oldest);
    }
}

static bool too_big(const struct memory *m, const struct larder_op *op) {
    int64_t max_value = m->config->max_value, max_size = m->config->max_size;
    return (max_value > 0 && op->value.len > (uint64_t)max_value) ||
           (max_size > 0 && cost(op->key, op->value.len) > (uint64_t)max_size);
}

/* ---- ops ------------------------------------------------------------------------------------ */

static void memory_get(void *instance, struct larder_op *op) {
    struct memory *m = instance;
    struct store *store = m->store;
    if (memory_refuses_flags(m, op, 0))
        return;
    struct larder_result res = {.size = sizeof(res), .status = LARDER_MISS};

    pthread_mutex_lock(&store->lock);
    struct entry *e = entry_find(store, op);
    if (e) {
        res.status = LARDER_OK;
        res.value = e->value;
        if (res.value.owner)
            m->host->buf_ref(res.value.owner);
        res.modified_ms = e->modified_ms;
        res.epoch = e->epoch;
        use_list_remove(store, e);
        use_list_append(store, e);
    }
    pthread_mutex_unlock(&store->lock);
    m->host->complete(op, &res);
}

static int32_t put_locked(struct store *store, const struct larder_op *op) {
    struct entry *e = entry_find(store, op);
    if (e && (op->flags & LARDER_IF_ABSENT))
        return LARDER_MISS;
    if (e && e->epoch > op->epoch)
        return LARDER_OK; /* LARDER_NEWEST: as if this put had come first */
    if (!e && !(e = entry_add(store, op->key)))
        return LARDER_NOMEM;
    entry_fill(store, e, op);
    make_room(store);
    return LARDER_OK;
}

static void memory_put(void *instance, struct larder_op *op) {
    struct memory *m = instance;
    if (memory_refuses_flags(m, op, LARDER_IF_ABSENT))
        return;
    if (too_big(m, op)) {
        memory_answer(m, op, LARDER_TOO_BIG, "the value is larger than max-value or max-size allows");
        return;
    }
    pthread_mutex_lock(&m->store->lock);
    int32_t status = put_locked(m->store, op);
    pthread_mutex_unlock(&m->store->lock);
    memory_answer(m, op, status, NULL);
}

static void memory_remove(void *instance, struct larder_op *op) {
    struct memory *m = instance;
    if (memory_refuses_flags(m, op, 0))
        return;
    pthread_mutex_lock(&m->store->lock);
    struct entry *e = entry_find(m->store, op);
    if (e)
        entry_drop(m->store, e);
    pthread_mutex_unlock(&m->store->lock);
    memory_answer(m, op, LARDER_OK, NULL);
}

static void memory_list(void *instance, struct larder_op *op) {
    struct memory *m = instance;
    if (memory_refuses_flags(m, op, 0))
        return;
    struct larder_slice cursor = {0};
    struct page page;

    pthread_mutex_lock(&m->store->lock);
    int32_t status = page_begin(&page, &m->store->entries, op->key, op);
    struct map_node *node;
    while (status == LARDER_OK && (node = page_next(&page))) {
        struct entry *e = node->value;
        if (!is_over(e->expire_at_ms, op))
            status = m->host->emit_key(op, node->key);
    }
    if (status == LARDER_OK)
        status = page_end(&page, m->host, &cursor);
    pthread_mutex_unlock(&m->store->lock);
    page_answer(m, op, status, cursor);
}

/* Claims that nobody gave back and that are over: looked for whenever their number has doubled. */
static void claims_sweep(struct store *store, const struct larder_op *op) {
    if (store->claims.n < store->claims_to_sweep)
        return;
    for (struct map_node *node = map_from(&store->claims, (struct larder_bytes){0}); node;) {
        struct map_node *next = map_next(node);
        struct claim *claim = node->value;
        if (is_over(claim->expire_at_ms, op))
            free(map_remove(&store->claims, node->key));
        node = next;
    }
    store->claims_to_sweep = 2 * store->claims.n + 64;
}

static int32_t claim_locked(struct store *store, const struct larder_op *op) {
    claims_sweep(store, op);
    struct map_node *node = map_find(&store->claims, op->key);
    struct claim *held = node ? node->value : NULL;
    if (held && !is_over(held->expire_at_ms, op)) {
        struct larder_bytes owner = {held->owner, held->owner_len};
        if (!bytes_same(owner, (struct larder_bytes){op->value.ptr, op->value.len}))
            return LARDER_MISS;
    }

    size_t size;
    if (__builtin_add_overflow(sizeof(struct claim), op->value.len, &size))
        return LARDER_NOMEM;
    struct claim *claim = malloc(size);
    if (!claim)
        return LARDER_NOMEM;
    claim->expire_at_ms = expiry(op);
    claim->owner_len = op->value.len;
    if (op->value.len > 0)
        memcpy(claim->owner, op->value.ptr, op->value.len);

    if (node) {
        free(held);
        node->value = claim;
    } else if (!map_add(&store->claims, op->key, claim)) {
        free(claim);
        return LARDER_NOMEM;
    }
    return LARDER_OK;
}

static void memory_claim(void *instance, struct larder_op *op) {
    struct memory *m = instance;
    if (memory_refuses_flags(m, op, 0))
        return;
    pthread_mutex_lock(&m->store->lock);
    int32_t status = claim_locked(m->store, op);
    pthread_mutex_unlock(&m->store->lock);
    memory_answer(m, op, status, NULL);
}

/* Only the owner's own claim is given back: a late release does not take away another's. */
static void memory_release(void *instance, struct larder_op *op) {
    struct memory *m = instance;
    if (memory_refuses_flags(m, op, 0))
        return;
    pthread_mutex_lock(&m->store->lock);
    struct map_node *node = map_find(&m->store->claims, op->key);
    struct claim *held = node ? node->value : NULL;
    if (held) {
        struct larder_bytes owner = {held->owner, held->owner_len};
        if (bytes_same(owner, (struct larder_bytes){op->value.ptr, op->value.len}))
            free(map_remove(&m->store->claims, op->key));
    }
    pthread_mutex_unlock(&m->store->lock);
    memory_answer(m, op, LARDER_OK, NULL);
}

void entries_done(struct store *store) {
    while (store->oldest)
        entry_drop(store, store->oldest);
    map_done(&store->entries, NULL);
    map_done(&store->claims, free);
}

const struct larder_cache_ops memory_cache_ops = {
    .size = sizeof(memory_cache_ops),
    .get = memory_get,
    .put = memory_put,
    .remove = memory_remove,
    .list = memory_list,
    .claim = memory_claim,
    .release = memory_release,
};
