#include <stdlib.h>
#include <string.h>

#include "larder/merge.h"
#include "memory.h"

enum { LATELY_MS = 100 };

struct tag_list {
    size_t n;
    struct larder_bytes tags[]; /* the bytes stand behind the array */
};

/* ---- losing marks and counters (setting lossy); under the store's lock -------------------- */

/* xorshift64*: the same from the same seed. */
static uint64_t random_of(struct store *store) {
    uint64_t x = store->random != 0 ? store->random : 1;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    store->random = x;
    return (x * UINT64_C(0x2545F4914F6CDD1D)) >> 16;
}

/* NULL: this time none is lost. */
static struct map_node *to_be_lost(struct store *store, const struct map *map, int64_t one_in) {
    if (one_in <= 0 || map->n == 0 || random_of(store) % (uint64_t)one_in != 0)
        return NULL;
    struct map_node *node = map_from(map, (struct larder_bytes){0});
    for (uint64_t skip = random_of(store) % map->n; skip > 0; skip--)
        node = map_next(node);
    return node;
}

/* Before what a revalidation does: for what is written, something else goes.  Of counters those that were
 * raised lately stay: a call that is under way brings an earlier time of day, from which they would come
 * back smaller.  docs/semantics.md names that condition. */
static void lose(struct memory *m, const struct larder_op *op) {
    struct store *store = m->store;
    struct map_node *mark = to_be_lost(store, &store->marks, m->config->lossy);
    struct map_node *counter = to_be_lost(store, &store->counters, m->config->lossy_counter);
    if (mark)
        free(map_remove(&store->marks, mark->key));
    if (counter && *(int64_t *)counter->value < op->now_ms - LATELY_MS)
        free(map_remove(&store->counters, counter->key));
}

/* ---- counters; under the store's lock ------------------------------------------------------------- */

/* The counter of op->key: *ret_is_new: it holds nothing yet.  NULL: no memory. */
static int64_t *counter_find(struct store *store, const struct larder_op *op, bool *ret_is_new) {
    struct map_node *node = map_find(&store->counters, op->key);
    *ret_is_new = node == NULL;
    if (node)
        return node->value;
    int64_t *counter = malloc(sizeof(*counter));
    if (counter && !map_add(&store->counters, op->key, counter)) {
        free(counter);
        counter = NULL;
    }
    return counter;
}

/* What the counter shows after op->add.  The greatest number of all stands for something else
 * (LARDER_NEW_EPOCH), so the counter stops before it. */
static int64_t counted(const int64_t *counter, bool is_new, int64_t add, int64_t now_ms) {
    if (is_new)
        return now_ms > add ? now_ms : add;
    if (add == 0)
        return *counter;
    int64_t sum = *counter < LARDER_NEW_EPOCH - 1 - add ? *counter + add : LARDER_NEW_EPOCH - 1;
    return sum > now_ms ? sum : now_ms;
}

static int32_t counter_raise(struct store *store, const struct larder_op *op, int64_t add,
                             int64_t *ret_epoch) {
    bool is_new;
    int64_t *counter = counter_find(store, op, &is_new);
    if (!counter)
        return LARDER_NOMEM;
    *ret_epoch = *counter = counted(counter, is_new, add, op->now_ms);
    return LARDER_OK;
}

static bool is_lossy(const struct memory *m) {
    return m->config->lossy > 0 || m->config->lossy_counter > 0;
}

/* ---- marks; all under the store's lock ---------------------------------------------------- */

static const struct larder_mark no_mark = {
    .expired_epoch = LARDER_UNSET, .stale_epoch = LARDER_UNSET, .expire_at_ms = LARDER_UNSET};

static void marks_remove_from(struct store *store, const struct larder_mark *marks, const bool *added,
                              size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (added[i])
            free(map_remove(&store->marks, marks[i].tag));
    }
}

/* Makes a place for each tag that has none, so that writing all of them cannot fail half-way;
 * added[i] tells which are new.  LARDER_NOMEM: nothing changed. */
static int32_t marks_prepare(struct store *store, const struct larder_mark *marks, bool *added, size_t n) {
    for (size_t i = 0; i < n; i++) {
        added[i] = false;
        if (map_find(&store->marks, marks[i].tag))
            continue;
        struct larder_mark *mark = malloc(sizeof(*mark));
        struct map_node *node = mark ? map_add(&store->marks, marks[i].tag, mark) : NULL;
        if (!node) {
            free(mark);
            marks_remove_from(store, marks, added, i);
            return LARDER_NOMEM;
        }
        *mark = no_mark;
        mark->tag = node->key;
        added[i] = true;
    }
    return LARDER_OK;
}

static int64_t resolved(int64_t epoch, int64_t new_epoch) {
    return epoch == LARDER_NEW_EPOCH ? new_epoch : epoch;
}

/* least: what a mark that was lost could have said; LARDER_UNSET: none is lost here. */
static void marks_merge(struct store *store, const struct larder_op *op, const bool *added, int64_t new_epoch,
                        int64_t least) {
    for (size_t i = 0; i < op->n_marks; i++) {
        struct larder_mark add = op->marks[i];
        struct larder_mark *stored = map_find(&store->marks, add.tag)->value;
        add.expired_epoch = resolved(add.expired_epoch, new_epoch);
        add.stale_epoch = resolved(add.stale_epoch, new_epoch);
        add.tag = stored->tag; /* the store's own copy */
        if (added[i] && least != LARDER_UNSET)
            stored->expired_epoch = least;
        bool first = added[i] && least == LARDER_UNSET;
        *stored = larder_merge_mark(first ? NULL : stored, &add, op->now_ms);
    }
}

static void memory_read(void *instance, struct larder_op *op) {
    struct memory *m = instance;
    if (memory_refuses_flags(m, op, 0))
        return;
    int32_t status = LARDER_OK;

    pthread_mutex_lock(&m->store->lock);
    for (size_t i = 0; i < op->n_marks && status == LARDER_OK; i++) {
        struct map_node *node = map_find(&m->store->marks, op->marks[i].tag);
        if (node)
            status = m->host->emit_mark(op, node->value);
    }
    pthread_mutex_unlock(&m->store->lock);
    memory_answer(m, op, status, NULL);
}

/* LARDER_IF_ABSENT looks at each mark for itself; one that was there makes it a miss. */
static int32_t write_locked(struct store *store, const struct larder_op *op, bool *added, int64_t least) {
    if (!(op->flags & LARDER_IF_ABSENT)) {
        int32_t status = marks_prepare(store, op->marks, added, op->n_marks);
        if (status == LARDER_OK)
            marks_merge(store, op, added, LARDER_UNSET, least);
        return status;
    }

    int32_t answer = LARDER_OK;
    for (size_t i = 0; i < op->n_marks; i++) {
        struct larder_op one = *op;
        one.marks = &op->marks[i];
        one.n_marks = 1;
        if (map_find(&store->marks, op->marks[i].tag)) {
            answer = LARDER_MISS;
            continue;
        }
        if (marks_prepare(store, one.marks, added, 1) != LARDER_OK)
            return LARDER_NOMEM;
        marks_merge(store, &one, added, LARDER_UNSET, least);
    }
    return answer;
}

/* Only bump() makes a new epoch; taken for a number it would outdate everything for ever. */
static bool has_new_epoch(const struct larder_op *op) {
    for (size_t i = 0; i < op->n_marks; i++) {
        if (op->marks[i].expired_epoch == LARDER_NEW_EPOCH || op->marks[i].stale_epoch == LARDER_NEW_EPOCH)
            return true;
    }
    return false;
}

static void memory_write(void *instance, struct larder_op *op) {
    struct memory *m = instance;
    if (memory_refuses_flags(m, op, LARDER_IF_ABSENT))
        return;
    if (has_new_epoch(op)) {
        memory_answer(m, op, LARDER_INVALID, "LARDER_NEW_EPOCH means something in bump() alone");
        return;
    }
    bool *added = calloc(op->n_marks + 1, sizeof(*added));
    if (!added) {
        memory_answer(m, op, LARDER_NOMEM, NULL);
        return;
    }
    int32_t status = LARDER_OK;
    int64_t least = LARDER_UNSET;
    pthread_mutex_lock(&m->store->lock);
    if (!(op->flags & LARDER_IF_ABSENT))
        lose(m, op);
    if (is_lossy(m) && op->key.len > 0)
        status = counter_raise(m->store, op, 0, &least);
    if (status == LARDER_OK)
        status = write_locked(m->store, op, added, least);
    pthread_mutex_unlock(&m->store->lock);
    free(added);
    memory_answer(m, op, status, NULL);
}

static void memory_list_marks(void *instance, struct larder_op *op) {
    struct memory *m = instance;
    if (memory_refuses_flags(m, op, 0))
        return;
    struct larder_slice cursor = {0};
    struct page page;

    pthread_mutex_lock(&m->store->lock);
    int32_t status = page_begin(&page, &m->store->marks, op->key, op);
    struct map_node *node;
    while (status == LARDER_OK && (node = page_next(&page)))
        status = m->host->emit_mark(op, node->value);
    if (status == LARDER_OK)
        status = page_end(&page, m->host, &cursor);
    pthread_mutex_unlock(&m->store->lock);
    page_answer(m, op, status, cursor);
}

/* ---- advance and bump ---------------------------------------------------------------------- */

static void memory_advance(void *instance, struct larder_op *op) {
    struct memory *m = instance;
    if (memory_refuses_flags(m, op, 0))
        return;
    if (op->add < 0) {
        memory_answer(m, op, LARDER_INVALID, "a counter only goes up");
        return;
    }
    struct larder_result res = {.size = sizeof(res)};
    pthread_mutex_lock(&m->store->lock);
    if (op->add > 0)
        lose(m, op);
    res.status = counter_raise(m->store, op, op->add, &res.epoch);
    pthread_mutex_unlock(&m->store->lock);
    m->host->complete(op, &res);
}

/* Counter and marks, or neither. */
static int32_t bump_locked(struct memory *m, const struct larder_op *op, bool *added, int64_t *ret_epoch) {
    const struct map_node *counter = map_find(&m->store->counters, op->key);
    int64_t before = counter ? *(const int64_t *)counter->value : LARDER_UNSET;
    int32_t status = marks_prepare(m->store, op->marks, added, op->n_marks);
    if (status != LARDER_OK)
        return status;
    status = counter_raise(m->store, op, 1, ret_epoch);
    if (status != LARDER_OK) {
        marks_remove_from(m->store, op->marks, added, op->n_marks);
        return status;
    }
    int64_t least = !is_lossy(m) ? LARDER_UNSET : before != LARDER_UNSET ? before : *ret_epoch;
    marks_merge(m->store, op, added, *ret_epoch, least);
    return LARDER_OK;
}

static void memory_bump(void *instance, struct larder_op *op) {
    struct memory *m = instance;
    if (memory_refuses_flags(m, op, 0))
        return;
    struct larder_result res = {.size = sizeof(res), .status = LARDER_NOMEM};
    bool *added = calloc(op->n_marks + 1, sizeof(*added));
    if (added) {
        pthread_mutex_lock(&m->store->lock);
        lose(m, op);
        res.status = bump_locked(m, op, added, &res.epoch);
        pthread_mutex_unlock(&m->store->lock);
        free(added);
    }
    m->host->complete(op, &res);
}

/* ---- the index ---------------------------------------------------------------------------------- */

/* The tag's length, the tag, the key: all pairs of a tag begin with pair_key(tag, {}), and no
 * other pair does.  free() ptr; NULL: no memory. */
static struct larder_bytes pair_key(struct larder_bytes tag, struct larder_bytes key) {
    uint64_t tag_len = tag.len;
    size_t size;
    struct larder_bytes none = {0};
    if (__builtin_add_overflow(sizeof(tag_len), tag.len, &size) ||
        __builtin_add_overflow(size, key.len, &size))
        return none;
    uint8_t *pair = malloc(size);
    if (!pair)
        return none;
    memcpy(pair, &tag_len, sizeof(tag_len));
    if (tag.len > 0)
        memcpy(pair + sizeof(tag_len), tag.ptr, tag.len);
    if (key.len > 0)
        memcpy(pair + sizeof(tag_len) + tag.len, key.ptr, key.len);
    return (struct larder_bytes){pair, size};
}

static void pair_done(struct larder_bytes pair) {
    free((void *)(uintptr_t)pair.ptr);
}

static bool pair_add(struct store *store, struct larder_bytes tag, struct larder_bytes key) {
    struct larder_bytes pair = pair_key(tag, key);
    bool ok = pair.ptr && (map_find(&store->keys_of, pair) || map_add(&store->keys_of, pair, NULL));
    pair_done(pair);
    return ok;
}

static void pair_remove(struct store *store, struct larder_bytes tag, struct larder_bytes key) {
    struct larder_bytes pair = pair_key(tag, key);
    if (pair.ptr)
        map_remove(&store->keys_of, pair);
    pair_done(pair);
}

static struct tag_list *tag_list_new(const struct larder_mark *marks, size_t n) {
    size_t size = sizeof(struct tag_list), array;
    if (__builtin_mul_overflow(n, sizeof(struct larder_bytes), &array) ||
        __builtin_add_overflow(size, array, &size))
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (__builtin_add_overflow(size, marks[i].tag.len, &size))
            return NULL;
    }
    struct tag_list *list = malloc(size);
    if (!list)
        return NULL;
    list->n = n;
    uint8_t *at = (uint8_t *)&list->tags[n];
    for (size_t i = 0; i < n; i++) {
        list->tags[i] = (struct larder_bytes){at, marks[i].tag.len};
        if (marks[i].tag.len > 0)
            memcpy(at, marks[i].tag.ptr, marks[i].tag.len);
        at += marks[i].tag.len;
    }
    return list;
}

void tags_forget(struct store *store, struct larder_bytes key) {
    struct tag_list *list = map_remove(&store->tags_of, key);
    for (size_t i = 0; list && i < list->n; i++)
        pair_remove(store, list->tags[i], key);
    free(list);
}

/* Without memory the key is in the index no more: that is complete, if less than was asked. */
static int32_t link_locked(struct store *store, const struct larder_op *op) {
    tags_forget(store, op->key);
    if (op->n_marks == 0)
        return LARDER_OK;
    struct tag_list *list = tag_list_new(op->marks, op->n_marks);
    if (!list)
        return LARDER_NOMEM;
    if (!map_add(&store->tags_of, op->key, list)) {
        free(list);
        return LARDER_NOMEM;
    }
    for (size_t i = 0; i < list->n; i++) {
        if (!pair_add(store, list->tags[i], op->key)) {
            tags_forget(store, op->key);
            return LARDER_NOMEM;
        }
    }
    return LARDER_OK;
}

static void memory_link(void *instance, struct larder_op *op) {
    struct memory *m = instance;
    if (memory_refuses_flags(m, op, 0))
        return;
    pthread_mutex_lock(&m->store->lock);
    int32_t status = link_locked(m->store, op);
    pthread_mutex_unlock(&m->store->lock);
    memory_answer(m, op, status, NULL);
}

static void memory_keys_of(void *instance, struct larder_op *op) {
    struct memory *m = instance;
    if (memory_refuses_flags(m, op, 0))
        return;
    struct larder_bytes prefix = pair_key(op->key, (struct larder_bytes){0});
    if (!prefix.ptr) {
        memory_answer(m, op, LARDER_NOMEM, NULL);
        return;
    }
    struct larder_slice cursor = {0};
    struct page page;

    pthread_mutex_lock(&m->store->lock);
    int32_t status = page_begin(&page, &m->store->keys_of, prefix, op);
    struct map_node *node;
    while (status == LARDER_OK && (node = page_next(&page))) {
        struct larder_bytes key = {node->key.ptr + prefix.len, node->key.len - prefix.len};
        status = m->host->emit_key(op, key);
    }
    if (status == LARDER_OK)
        status = page_end(&page, m->host, &cursor);
    pthread_mutex_unlock(&m->store->lock);
    pair_done(prefix);
    page_answer(m, op, status, cursor);
}

static void memory_tags_of(void *instance, struct larder_op *op) {
    struct memory *m = instance;
    if (memory_refuses_flags(m, op, 0))
        return;
    int32_t status = LARDER_OK;

    pthread_mutex_lock(&m->store->lock);
    struct map_node *node = map_find(&m->store->tags_of, op->key);
    const struct tag_list *list = node ? node->value : NULL;
    for (size_t i = 0; list && i < list->n && status == LARDER_OK; i++) {
        struct larder_mark mark = no_mark;
        mark.tag = list->tags[i];
        status = m->host->emit_mark(op, &mark);
    }
    pthread_mutex_unlock(&m->store->lock);
    memory_answer(m, op, status, NULL);
}

void tags_done(struct store *store) {
    map_done(&store->marks, free);
    map_done(&store->counters, free);
    map_done(&store->tags_of, free);
    map_done(&store->keys_of, NULL);
}

const struct larder_tag_ops memory_tag_ops = {
    .size = sizeof(memory_tag_ops),
    .read = memory_read,
    .write = memory_write,
    .advance = memory_advance,
    .bump = memory_bump,
    .link = memory_link,
    .keys_of = memory_keys_of,
    .tags_of = memory_tags_of,
    .list_marks = memory_list_marks,
};
