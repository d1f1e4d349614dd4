#include "frame.h"

#include <endian.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { HEAD = 120, PART = 32, CHECKED_FROM = 24, BINARY = 0, TEXT = 1, ASCII = 2 };

static const uint8_t magic[] = {0xC1, 'L', 'D', 'F', 1, 0, 0, 0};

static uint64_t get64(const uint8_t *at) {
    uint64_t n;
    memcpy(&n, at, sizeof(n));
    return le64toh(n);
}

static uint32_t get32(const uint8_t *at) {
    uint32_t n;
    memcpy(&n, at, sizeof(n));
    return le32toh(n);
}

static void put64(uint8_t *at, uint64_t n) {
    n = htole64(n);
    memcpy(at, &n, sizeof(n));
}

static void put32(uint8_t *at, uint32_t n) {
    n = htole32(n);
    memcpy(at, &n, sizeof(n));
}

/* ---- reading ------------------------------------------------------------------------------------------- */

struct area {
    const uint8_t *at;
    uint64_t left;
};

static bool cut(struct area *from, uint64_t len, struct larder_bytes *ret) {
    if (len > from->left)
        return false;
    *ret = (struct larder_bytes){from->at, (size_t)len};
    from->at += len;
    from->left -= len;
    return true;
}

/* Parts that repeat an earlier one stand in the table alone. */
static bool read_parts(const uint8_t *table, struct area names, struct area text, struct area binary,
                       struct frame_entry *ret) {
    for (size_t i = 0; i < ret->n_parts; i++) {
        const uint8_t *at = table + i * PART;
        struct frame_part *part = &ret->parts[i];
        const uint32_t form = get32(at + 16), first = get32(at + 24);
        if (form > ASCII || first > i || !cut(&names, get32(at + 20), &part->name))
            return false;
        part->is_text = form != BINARY;
        if (first < i) {
            part->data = ret->parts[first].data;
            if (ret->parts[first].is_text != part->is_text)
                return false;
        } else if (!cut(part->is_text ? &text : &binary, get64(at + 8), &part->data)) {
            return false;
        }
    }
    return names.left == 0 && text.left == 0 && binary.left == 0;
}

bool frame_read(struct larder_bytes bytes, struct json_memory *memory, struct frame_entry *ret) {
    struct area areas[6]; /* key, meta, names, tags, text, binary */
    if (bytes.len < HEAD || memcmp(bytes.ptr, magic, sizeof(magic)) != 0 ||
        get64(bytes.ptr + 8) != bytes.len ||
        get64(bytes.ptr + 16) != XXH3_64bits(bytes.ptr + CHECKED_FROM, bytes.len - CHECKED_FROM))
        return false;
    const uint8_t *h = bytes.ptr;
    *ret = (struct frame_entry){.kind = get32(h + 56),
                                .epoch = (int64_t)get64(h + 24),
                                .modified_ms = (int64_t)get64(h + 32),
                                .revalidate_ms = (int64_t)get64(h + 40),
                                .expire_ms = (int64_t)get64(h + 48),
                                .n_tags = get32(h + 60),
                                .n_parts = get32(h + 64)};
    struct area rest = {bytes.ptr + HEAD, bytes.len - HEAD};
    struct larder_bytes tables[2];
    if (ret->n_parts > UINT16_MAX || !cut(&rest, ret->n_parts * PART, &tables[0]) ||
        !cut(&rest, ret->n_tags * 4, &tables[1]))
        return false;
    for (size_t i = 0; i < 6; i++) {
        struct larder_bytes area;
        if (!cut(&rest, get64(h + 72 + 8 * i), &area))
            return false;
        areas[i] = (struct area){area.ptr, area.len};
    }
    ret->key = (struct larder_bytes){areas[0].at, (size_t)areas[0].left};
    ret->meta = (struct larder_bytes){areas[1].at, (size_t)areas[1].left};
    ret->tags = json_alloc(memory, (ret->n_tags + 1) * sizeof(ret->tags[0]));
    ret->parts = json_alloc(memory, (ret->n_parts + 1) * sizeof(ret->parts[0]));
    if (rest.left != 0 || !ret->tags || !ret->parts)
        return false;
    for (size_t i = 0; i < ret->n_tags; i++) {
        if (!cut(&areas[3], get32(tables[1].ptr + 4 * i), &ret->tags[i]))
            return false;
    }
    return areas[3].left == 0 && read_parts(tables[0].ptr, areas[2], areas[4], areas[5], ret);
}

/* ---- writing ------------------------------------------------------------------------------------------- */

struct sizes {
    size_t names, tags, text, binary;
};

static struct sizes sizes_of(const struct frame_entry *e) {
    struct sizes s = {0};
    for (size_t i = 0; i < e->n_tags; i++)
        s.tags += e->tags[i].len;
    for (size_t i = 0; i < e->n_parts; i++) {
        s.names += e->parts[i].name.len;
        *(e->parts[i].is_text ? &s.text : &s.binary) += e->parts[i].data.len;
    }
    return s;
}

size_t frame_len(const struct frame_entry *e) {
    const struct sizes s = sizes_of(e);
    return HEAD + e->n_parts * PART + e->n_tags * 4 + e->key.len + e->meta.len + s.names + s.tags + s.text +
           s.binary;
}

static uint8_t *put(uint8_t *to, struct larder_bytes bytes) {
    if (bytes.len > 0)
        memcpy(to, bytes.ptr, bytes.len);
    return to + bytes.len;
}

static bool is_ascii(struct larder_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] >= 0x80)
            return false;
    }
    return true;
}

static void put_table(const struct frame_entry *e, uint8_t *at, uint64_t text_len) {
    uint64_t text = 0, binary = text_len; /* binary parts are counted from the text area's beginning, too */
    for (size_t i = 0; i < e->n_parts; i++, at += PART) {
        const struct frame_part *part = &e->parts[i];
        uint64_t *begin = part->is_text ? &text : &binary;
        put64(at, *begin);
        put64(at + 8, part->data.len);
        put32(at + 16, !part->is_text ? BINARY : is_ascii(part->data) ? ASCII : TEXT);
        put32(at + 20, (uint32_t)part->name.len);
        put32(at + 24, (uint32_t)i);
        put32(at + 28, 0);
        *begin += part->data.len;
    }
}

void frame_write(const struct frame_entry *e, uint8_t *out) {
    const struct sizes s = sizes_of(e);
    const size_t lens[] = {e->key.len, e->meta.len, s.names, s.tags, s.text, s.binary};
    const size_t len = frame_len(e);
    memset(out, 0, HEAD);
    memcpy(out, magic, sizeof(magic));
    put64(out + 8, len);
    put64(out + 24, (uint64_t)e->epoch);
    put64(out + 32, (uint64_t)e->modified_ms);
    put64(out + 40, (uint64_t)e->revalidate_ms);
    put64(out + 48, (uint64_t)e->expire_ms);
    put32(out + 56, e->kind);
    put32(out + 60, (uint32_t)e->n_tags);
    put32(out + 64, (uint32_t)e->n_parts);
    for (size_t i = 0; i < 6; i++)
        put64(out + 72 + 8 * i, lens[i]);
    uint8_t *at = out + HEAD;
    put_table(e, at, s.text);
    at += e->n_parts * PART;
    for (size_t i = 0; i < e->n_tags; i++, at += 4)
        put32(at, (uint32_t)e->tags[i].len);
    at = put(at, e->key);
    at = put(at, e->meta);
    for (size_t i = 0; i < e->n_parts; i++)
        at = put(at, e->parts[i].name);
    for (size_t i = 0; i < e->n_tags; i++)
        at = put(at, e->tags[i]);
    for (int text = 1; text >= 0; text--)
        for (size_t i = 0; i < e->n_parts; i++)
            if (e->parts[i].is_text == text)
                at = put(at, e->parts[i].data);
    put64(out + 16, XXH3_64bits(out + CHECKED_FROM, len - CHECKED_FROM));
}
