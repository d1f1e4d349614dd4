/*
 * Entries.  One that fits is one item, and atomic by that.  A larger value is cut into chunks, under names
 * that hold an id which nobody has used; the manifest that names them is stored last, in one step, so
 * a reader sees the old entry or the new one.  A chunk may be evicted like any item: then the entry is a
 * miss, and what is left of it goes.  Chunks of what was replaced are not looked for; memcached drops
 * what is not read.
 */
#include <stdlib.h>
#include <string.h>

#include "mc.h"

/* From here on a value is taken over from the library as it lies; below, a copy is cheaper. */
enum { TAKEN_OVER = 32 << 10, MOST_LOOKS = 3 };

static struct larder_bytes key_of(const struct mc_call *c) {
    return c->op->key;
}

/* ---- the head ---------------------------------------------------------------------------------------- */

struct head {
    bool there;  /* and not over */
    bool stored; /* something is, if only something that is over */
    struct mc_entry entry;
    uint64_t cas;
    bool wants_value; /* in: of a whole entry, in res.value */
};

static void free_value(void *arg) {
    free(arg);
}

/* The value of a whole entry, behind its head. */
static int32_t take_value(struct mc_call *c, const struct mc_found *found) {
    const struct larder_host *host = c->mc->host;
    size_t len = found->item.len - MC_HEAD_BYTES;
    if (len == 0)
        return LARDER_OK;
    if (len >= TAKEN_OVER) {
        uint8_t *all = (uint8_t *)memcached_result_take_value(found->result);
        int32_t status = all ? host->buf_wrap(all + MC_HEAD_BYTES, len, free_value, all, &c->res.value)
                             : LARDER_NOMEM;
        if (status == LARDER_OK)
            return LARDER_OK;
        c->res.value = (struct larder_slice){0};
        return mc_fail(c, status, "out of memory for the value");
    }
    uint8_t *to = host->buf_new(len, &c->res.value);
    if (!to) {
        c->res.value = (struct larder_slice){0};
        return mc_fail(c, LARDER_NOMEM, "out of memory for the value");
    }
    memcpy(to, found->item.ptr + MC_HEAD_BYTES, len);
    return LARDER_OK;
}

static int32_t on_head(struct mc_call *c, void *arg, size_t i, const struct mc_found *found) {
    struct head *head = arg;
    (void)i;
    head->stored = true;
    head->cas = found->cas;
    if (!mc_entry_parse(found->item, &head->entry))
        return mc_fail(c, LARDER_CORRUPT, "what is stored is no entry of a known form");
    head->there = !mc_entry_over(&head->entry, c->op->now_ms);
    if (head->there && head->wants_value && head->entry.form == MC_WHOLE)
        return take_value(c, found);
    return LARDER_OK;
}

/* LARDER_OK, also where there is none. */
static int32_t look(struct mc_call *c, const struct mc_ask *where, bool wants_value, struct head *ret) {
    *ret = (struct head){.wants_value = wants_value};
    return mc_fetch(c, where, 1, on_head, ret);
}

/* ---- get --------------------------------------------------------------------------------------------- */

struct gathering {
    const struct mc_entry *entry;
    uint8_t *to;
    uint32_t first; /* the chunk of asks[0] */
    uint32_t n;     /* that were found */
};

static int32_t on_chunk(struct mc_call *c, void *arg, size_t i, const struct mc_found *found) {
    struct gathering *g = arg;
    uint32_t chunk = g->first + (uint32_t)i;
    (void)c;
    if (found->item.len == mc_chunk_length(g->entry, chunk)) { /* else it is as good as missing */
        memcpy(g->to + (size_t)chunk * g->entry->chunk_bytes, found->item.ptr, found->item.len);
        g->n++;
    }
    return LARDER_OK;
}

static void ask_chunk(const struct mc *mc, const struct mc_entry *entry, uint32_t i, struct mc_ask *ret) {
    mc_name_of_chunk(&mc->names, &entry->id, i, &ret->name);
    ret->server = mc_home_of(mc, &ret->name);
}

/* LARDER_MISS: not all of them are there. */
static int32_t gather(struct mc_call *c, const struct mc_entry *entry) {
    const struct larder_host *host = c->mc->host;
    struct gathering g = {.entry = entry};
    int32_t status = LARDER_OK;
    g.to = host->buf_new((size_t)entry->length, &c->res.value);
    if (!g.to) {
        c->res.value = (struct larder_slice){0};
        return mc_fail(c, LARDER_NOMEM, "out of memory for the value");
    }
    while (status == LARDER_OK && g.first < entry->n_chunks) {
        struct mc_ask asks[MC_WINDOW];
        uint32_t n = 0;
        for (; n < MC_WINDOW && g.first + n < entry->n_chunks; n++)
            ask_chunk(c->mc, entry, g.first + n, &asks[n]);
        g.n = 0;
        status = mc_fetch(c, asks, n, on_chunk, &g);
        if (status == LARDER_OK && g.n < n)
            status = LARDER_MISS;
        g.first += n;
    }
    if (status != LARDER_OK) {
        host->buf_unref(c->res.value.owner);
        c->res.value = (struct larder_slice){0};
    }
    return status;
}

/* So that LARDER_IF_ABSENT finds nothing either where a get does.  Best effort: somebody may have been
 * quicker, with an entry that is whole. */
static int32_t take_away(struct mc_call *c, const struct mc_ask *where, uint64_t cas) {
    const struct mc_entry gone = {.form = MC_TAKEN_AWAY};
    uint8_t item[MC_MANIFEST_BYTES];
    size_t len = mc_entry_put(&gone, item);
    int32_t status = mc_store(c, MC_CAS, where, (struct larder_bytes){item, len}, 1, cas);
    return status < 0 ? status : LARDER_MISS;
}

int32_t mc_get(struct mc_call *c) {
    struct mc_ask where;
    struct head head;
    struct mc_id missed = {{0}};
    int32_t status = LARDER_OK;
    mc_ask(c->mc, MC_ENTRY, key_of(c), &where);
    for (unsigned looks = 0; looks < MOST_LOOKS; looks++) {
        status = look(c, &where, true, &head);
        if (status != LARDER_OK)
            return status;
        if (!head.there)
            return LARDER_MISS;
        c->res.modified_ms = head.entry.modified_ms;
        c->res.epoch = head.entry.epoch;
        if (head.entry.form == MC_WHOLE)
            return LARDER_OK;
        if (looks > 0 && memcmp(&missed, &head.entry.id, sizeof(missed)) == 0)
            return take_away(c, &where, head.cas);
        status = gather(c, &head.entry);
        if (status != LARDER_MISS)
            return status;
        missed = head.entry.id; /* evicted; or replaced since, and its chunks with it */
    }
    return LARDER_MISS;
}

/* ---- put and remove ---------------------------------------------------------------------------------- */

static void entry_of(const struct larder_op *op, struct mc_entry *ret) {
    *ret = (struct mc_entry){.form = MC_WHOLE,
                             .modified_ms = op->modified_ms,
                             .epoch = op->epoch,
                             .expires_ms = mc_expires_ms(op->now_ms, op->ttl_ms),
                             .length = op->value.len};
}

/* The item of the key becomes this one.  With LARDER_IF_ABSENT only if there is none, or one that is over. */
static int32_t store_head(struct mc_call *c, const struct mc_ask *where, struct larder_bytes item) {
    const struct larder_op *op = c->op;
    int64_t expiration_s = mc_expiration_s(op->now_ms, op->ttl_ms);
    if (!(op->flags & LARDER_IF_ABSENT))
        return mc_store(c, MC_SET, where, item, expiration_s, 0);
    for (uint32_t n = 1;; n++) {
        struct head head;
        int32_t status = mc_store(c, MC_ADD, where, item, expiration_s, 0);
        if (status != LARDER_MISS)
            return status;
        status = look(c, where, false, &head);
        if (status != LARDER_OK || head.there)
            return status != LARDER_OK ? status : LARDER_MISS;
        if (head.stored) {
            status = mc_store(c, MC_CAS, where, item, expiration_s, head.cas);
            if (status != LARDER_MISS)
                return status;
        }
        mc_back_off(c, n);
    }
}

static int32_t put_whole(struct mc_call *c, const struct mc_ask *where, const struct mc_entry *entry) {
    const struct larder_slice *value = &c->op->value;
    uint8_t small[8 << 10], *item = small; /* the library takes one piece of memory */
    size_t len = MC_HEAD_BYTES + value->len;
    if (len > sizeof(small) && !(item = malloc(len)))
        return mc_fail(c, LARDER_NOMEM, "out of memory for the item");
    mc_entry_put(entry, item);
    if (value->len > 0)
        memcpy(item + MC_HEAD_BYTES, value->ptr, value->len);
    int32_t status = store_head(c, where, (struct larder_bytes){item, len});
    if (item != small)
        free(item);
    return status;
}

static int32_t put_in_chunks(struct mc_call *c, const struct mc_ask *where, struct mc_entry *entry) {
    const struct larder_op *op = c->op;
    const int64_t expiration_s = mc_expiration_s(op->now_ms, op->ttl_ms);
    uint8_t item[MC_MANIFEST_BYTES];
    struct head head = {0};
    /* Before all that is sent. */
    int32_t status = op->flags & LARDER_IF_ABSENT ? look(c, where, false, &head) : LARDER_OK;
    if (status != LARDER_OK || head.there)
        return status != LARDER_OK ? status : LARDER_MISS;
    entry->form = MC_IN_CHUNKS;
    entry->chunk_bytes = (uint32_t)c->mc->config->chunk_bytes;
    entry->n_chunks = mc_chunks(entry->length, entry->chunk_bytes);
    status = mc_new_id(c, &entry->id);
    for (uint32_t i = 0; status == LARDER_OK && i < entry->n_chunks; i++) {
        struct mc_ask chunk;
        struct larder_bytes part = {op->value.ptr + (size_t)i * entry->chunk_bytes,
                                    mc_chunk_length(entry, i)};
        ask_chunk(c->mc, entry, i, &chunk);
        status = mc_store(c, MC_SET, &chunk, part, expiration_s, 0);
    }
    if (status != LARDER_OK)
        return status;
    size_t len = mc_entry_put(entry, item);
    return store_head(c, where, (struct larder_bytes){item, len});
}

int32_t mc_put(struct mc_call *c) {
    struct mc_ask where;
    struct mc_entry entry;
    if (c->op->value.len > MC_MAX_VALUE)
        return mc_fail(c, LARDER_TOO_BIG, "the value is larger than 32 MB");
    mc_ask(c->mc, MC_ENTRY, key_of(c), &where);
    entry_of(c->op, &entry);
    if (c->op->value.len + MC_HEAD_BYTES <= (uint64_t)c->mc->config->chunk_bytes)
        return put_whole(c, &where, &entry);
    return put_in_chunks(c, &where, &entry);
}

int32_t mc_remove(struct mc_call *c) {
    struct mc_ask where;
    mc_ask(c->mc, MC_ENTRY, key_of(c), &where);
    return mc_delete(c, &where);
}
