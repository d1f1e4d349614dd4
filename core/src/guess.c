#include "guess.h"

#include <stdbool.h>
#include <stdlib.h>

#include "bytes.h"
#include "hash.h"

struct guess {
    uint64_t hash; /* of the key; a collision is a wrong guess */
    size_t n;
    uint8_t bytes[]; /* n times: length (2 bytes, native), tag */
};

size_t guess_get(const struct guess_table *table, struct larder_bytes key, struct larder_bytes *out,
                 size_t max) {
    uint64_t hash = hash_64(key.ptr, key.len);
    const struct guess *g = table->slots[hash % GUESS_SLOTS];
    if (g == NULL || g->hash != hash)
        return 0;
    const uint8_t *at = g->bytes;
    size_t n = g->n < max ? g->n : max;
    for (size_t i = 0; i < n; i++) {
        uint16_t len;
        memcpy(&len, at, sizeof(len));
        out[i] = (struct larder_bytes){at + sizeof(len), len};
        at += sizeof(len) + len;
    }
    return n;
}

static void write_tags(uint8_t *at, const struct larder_bytes *tags, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint16_t len = (uint16_t)tags[i].len;
        memcpy(at, &len, sizeof(len));
        at = bytes_put(at + sizeof(len), tags[i]);
    }
}

static bool same(const struct guess *g, uint64_t hash, const struct larder_bytes *tags, size_t n) {
    if (g == NULL || g->hash != hash || g->n != n)
        return false;
    const uint8_t *at = g->bytes;
    for (size_t i = 0; i < n; i++) {
        uint16_t len;
        memcpy(&len, at, sizeof(len));
        if (!bytes_equal(tags[i], (struct larder_bytes){at + sizeof(len), len}))
            return false;
        at += sizeof(len) + len;
    }
    return true;
}

void guess_put(struct guess_table *table, struct larder_bytes key, const struct larder_bytes *tags,
               size_t n) {
    uint64_t hash = hash_64(key.ptr, key.len);
    struct guess **slot = &table->slots[hash % GUESS_SLOTS];
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        size += sizeof(uint16_t) + tags[i].len;
        if (size > GUESS_MAX_BYTES)
            return;
    }
    if (same(*slot, hash, tags, n))
        return;
    struct guess *g = n > 0 ? malloc(sizeof(*g) + size) : NULL;
    if (g == NULL && n > 0)
        return;
    if (g != NULL) {
        *g = (struct guess){.hash = hash, .n = n};
        write_tags(g->bytes, tags, n);
    }
    free(*slot);
    *slot = g;
}

void guess_table_done(struct guess_table *table) {
    for (size_t i = 0; i < GUESS_SLOTS; i++) {
        free(table->slots[i]);
        table->slots[i] = NULL;
    }
}
