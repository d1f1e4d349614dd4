#include "value.h"

#include <string.h>

#include "random.h"

enum { HEAD = 3 * sizeof(uint64_t), LARGE = 70000 };

/* Most are small; one in 64 is so large that the core encodes it on another thread. */
static size_t length_of(uint64_t version) {
    uint64_t state = version, mixed = random_next(&state);
    return mixed % 64 == 0 ? LARGE + mixed / 64 % 5000 : mixed / 64 % 3000;
}

static void fill(uint64_t version, uint8_t *to, size_t len) {
    uint64_t state = ~version;
    for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
        uint64_t mixed = random_next(&state);
        memcpy(to + at, &mixed, len - at < sizeof(mixed) ? len - at : sizeof(mixed));
    }
}

static bool is_filled(uint64_t version, const uint8_t *from, size_t len) {
    uint64_t state = ~version;
    for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
        uint64_t mixed = random_next(&state);
        if (memcmp(from + at, &mixed, len - at < sizeof(mixed) ? len - at : sizeof(mixed)) != 0)
            return false;
    }
    return true;
}

static bool equal(struct larder_bytes a, struct larder_bytes b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

void value_make(const struct run *run, unsigned key, uint64_t version, uint64_t tags, int64_t epoch,
                uint8_t *buffer, struct larder_bytes *tag_room, struct larder_part parts[2],
                struct larder_entry *ret) {
    const uint64_t head[3] = {version, tags, (uint64_t)epoch};
    size_t len = length_of(version), n_tags = 0;
    memcpy(buffer, head, HEAD);
    fill(version, buffer + HEAD, len);
    parts[0] = (struct larder_part){.name = {(const uint8_t *)"head", 4}, .data = {buffer, HEAD}};
    parts[1] = (struct larder_part){.name = {(const uint8_t *)"body", 4}, .data = {buffer + HEAD, len}};
    for (unsigned tag = 1; tag < 64; tag++)
        if (tags >> tag & 1)
            tag_room[n_tags++] = run->tags[tag];
    *ret = (struct larder_entry){.kind = world_kind(&run->head.world, key),
                                 .n_parts = 2,
                                 .key = run->keys[key],
                                 .meta = {(const uint8_t *)"{}", 2},
                                 .epoch = epoch,
                                 .modified_ms = clock_now_ms(),
                                 .revalidate_ms = LARDER_UNSET,
                                 .expire_ms = LARDER_UNSET,
                                 .tags = tag_room,
                                 .n_tags = n_tags,
                                 .parts = parts};
}

uint64_t value_read(const struct run *run, unsigned key, const struct larder_entry *entry, uint64_t *ret_tags,
                    bool *ret_whole) {
    uint64_t head[3];
    size_t n = 0;
    *ret_whole = false;
    *ret_tags = 0;
    if (entry->n_parts != 2 || entry->parts[0].data.len != HEAD)
        return VERSION_NONE;
    memcpy(head, entry->parts[0].data.ptr, HEAD);
    bool good = equal(entry->key, run->keys[key]) && entry->parts[1].data.len == length_of(head[0]) &&
                is_filled(head[0], entry->parts[1].data.ptr, entry->parts[1].data.len) &&
                (uint64_t)entry->epoch == head[2];
    for (unsigned tag = 1; tag < 64 && good; tag++)
        if (head[1] >> tag & 1)
            good = n < entry->n_tags && equal(entry->tags[n++], run->tags[tag]);
    *ret_whole = good && n == entry->n_tags;
    *ret_tags = head[1];
    return head[0];
}
