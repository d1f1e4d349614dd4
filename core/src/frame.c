/*
 * Layout and reasons: docs/frame.md.  Everything read from a frame is compared with what is left
 * of it before it is used; sums of outside numbers are checked.
 */
#include "frame.h"

#include <endian.h>
#include <stdlib.h>

#include "buf.h"
#include "bytes.h"
#include "hash.h"
#include "text.h"

enum {
    VERSION = 1,
    CHECKED_FROM = 24, /* the checksum covers what follows it */
    PREFIX_LEN = 120,
    PART_LEN = 32, /* one record of the table of parts */
    TAG_LEN = 4,
    MAX_PARTS = UINT16_MAX,
    SLOW_BYTES = 1 << 20,
    SLOW_TEXT_BYTES = 32 << 10
};

static const uint8_t magic[4] = {0xC1, 'L', 'D', 'F'}; /* 0xC1 begins no text */

/* How a part is stored. */
enum { STORED_BINARY = 0, STORED_TEXT = 1, STORED_ASCII = 2, N_STORED };

/* ---- little-endian numbers ------------------------------------------------------ */

static uint8_t *put_u32(uint8_t *to, uint32_t value) {
    value = htole32(value);
    memcpy(to, &value, sizeof(value));
    return to + sizeof(value);
}

static uint8_t *put_u64(uint8_t *to, uint64_t value) {
    value = htole64(value);
    memcpy(to, &value, sizeof(value));
    return to + sizeof(value);
}

static uint32_t get_u32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static uint64_t get_u64(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

uint64_t larder_frame_length(const uint8_t head[LARDER_FRAME_HEAD]) {
    return memcmp(head, magic, sizeof(magic)) == 0 ? get_u64(head + 8) : 0;
}

static uint64_t checksum(struct larder_bytes frame) {
    return hash_64(frame.ptr + CHECKED_FROM, frame.len - CHECKED_FROM);
}

/* ---- the fixed prefix ------------------------------------------------------------ */

/* Lengths in bytes of what follows the prefix, in this order. */
struct lengths {
    uint64_t parts_table, tags_table;
    uint64_t key, meta, names, tags, text, binary;
};

/* false: the sum is beyond 64 bits. */
static bool lengths_sum(const struct lengths *l, uint64_t *ret) {
    const uint64_t all[] = {l->parts_table, l->tags_table, l->key,  l->meta,
                            l->names,       l->tags,       l->text, l->binary};
    uint64_t sum = PREFIX_LEN;

    for (size_t i = 0; i < N_ELEMENTS(all); i++) {
        if (__builtin_add_overflow(sum, all[i], &sum))
            return false;
    }
    *ret = sum;
    return true;
}

/* ---- encoding --------------------------------------------------------------------- */

struct plan_part {
    uint64_t len;   /* as stored */
    uint32_t first; /* the part whose bytes these are; itself, if no earlier one */
    uint32_t stored;
};

struct plan {
    struct plan_part *parts;
    uint32_t *slots; /* hash table of parts met: index + 1; 0 is free */
    size_t n_slots;  /* a power of 2, at least twice the parts */
    struct lengths lengths;
};

static int32_t plan_new(struct plan *plan, uint32_t n_parts) {
    size_t n_slots = 2;

    while (n_slots < 2 * (size_t)n_parts)
        n_slots *= 2;
    struct plan_part *parts = calloc(1, n_parts * sizeof(*parts) + n_slots * sizeof(uint32_t));
    if (parts == NULL)
        return LARDER_NOMEM;
    *plan = (struct plan){.parts = parts, .slots = (uint32_t *)(void *)(parts + n_parts), .n_slots = n_slots};
    return LARDER_OK;
}

static bool same_bytes(const struct larder_part *a, const struct larder_part *b) {
    return a->data.ptr == b->data.ptr && a->data.len == b->data.len && a->encoding == b->encoding;
}

/* The first part with the same bytes as part i, which is i itself where there is none. */
static uint32_t plan_first(struct plan *plan, const struct larder_part *parts, uint32_t i) {
    const struct larder_part *part = &parts[i];
    uint64_t mix = ((uint64_t)(uintptr_t)part->data.ptr ^ (uint64_t)part->data.len << 32 ^ part->encoding) *
                   0x9E3779B97F4A7C15u;

    for (size_t slot = (size_t)(mix >> 32);; slot++) {
        uint32_t *at = &plan->slots[slot & (plan->n_slots - 1)];
        if (*at == 0) {
            *at = i + 1;
            return i;
        }
        if (same_bytes(&parts[*at - 1], part))
            return *at - 1;
    }
}

static int32_t plan_part(const struct larder_part *part, struct plan_part *ret) {
    struct larder_bytes data = part->data;

    if (part->name.len > UINT32_MAX)
        return LARDER_INVALID;
    ret->len = data.len;
    ret->stored = STORED_TEXT;
    switch (part->encoding) {
    case LARDER_BINARY: ret->stored = STORED_BINARY; break;
    case LARDER_UTF8: {
        struct text_shape shape = text_shape_of_utf8(data.ptr, data.len);
        if (!shape.valid)
            return LARDER_INVALID;
        if (shape.ascii)
            ret->stored = STORED_ASCII;
        break;
    }
    case LARDER_LATIN1:
        ret->len = text_utf8_len_of_latin1(data.ptr, data.len);
        if (ret->len == data.len)
            ret->stored = STORED_ASCII;
        break;
    case LARDER_UTF16:
        if (data.len % 2 != 0 || (uintptr_t)data.ptr % _Alignof(uint16_t) != 0)
            return LARDER_INVALID;
        ret->len = text_utf8_len_of_utf16((const void *)data.ptr, data.len / 2);
        if (ret->len == data.len / 2)
            ret->stored = STORED_ASCII;
        break;
    default: return LARDER_INVALID;
    }
    return LARDER_OK;
}

/* Lengths here are of memory that exists; only their sums can be too great. */
static int32_t plan_make(struct plan *plan, const struct larder_entry *entry, uint64_t max_bytes,
                         uint64_t *ret) {
    struct lengths *l = &plan->lengths;
    bool fits = true;

    l->parts_table = (uint64_t)entry->n_parts * PART_LEN;
    l->tags_table = (uint64_t)entry->n_tags * TAG_LEN;
    l->key = entry->key.len;
    l->meta = entry->meta.len;
    for (size_t i = 0; i < entry->n_tags; i++) {
        if (entry->tags[i].len > UINT32_MAX)
            return LARDER_INVALID;
        fits = fits && !__builtin_add_overflow(l->tags, entry->tags[i].len, &l->tags);
    }
    for (uint32_t i = 0; i < entry->n_parts; i++) {
        struct plan_part *part = &plan->parts[i];
        part->first = plan_first(plan, entry->parts, i);
        if (part->first != i) {
            if (entry->parts[i].name.len > UINT32_MAX)
                return LARDER_INVALID;
            part->len = plan->parts[part->first].len;
            part->stored = plan->parts[part->first].stored;
        } else {
            int32_t status = plan_part(&entry->parts[i], part);
            if (status != LARDER_OK)
                return status;
            uint64_t *sum = part->stored == STORED_BINARY ? &l->binary : &l->text;
            fits = fits && !__builtin_add_overflow(*sum, part->len, sum);
        }
        fits = fits && !__builtin_add_overflow(l->names, entry->parts[i].name.len, &l->names);
    }
    if (!fits || !lengths_sum(l, ret) || *ret > max_bytes || *ret > SIZE_MAX / 2)
        return LARDER_TOO_BIG;
    return LARDER_OK;
}

static void put_data(const struct larder_part *part, uint32_t stored, uint8_t *to) {
    struct larder_bytes data = part->data;

    if (part->encoding == LARDER_UTF16)
        text_utf8_from_utf16((const void *)data.ptr, data.len / 2, to);
    else if (part->encoding == LARDER_LATIN1 && stored != STORED_ASCII)
        text_utf8_from_latin1(data.ptr, data.len, to);
    else
        bytes_put(to, data);
}

static uint8_t *put_prefix(uint8_t *to, const struct larder_entry *entry, const struct lengths *l) {
    to = put_u64(to, (uint64_t)entry->epoch);
    to = put_u64(to, (uint64_t)entry->modified_ms);
    to = put_u64(to, (uint64_t)entry->revalidate_ms);
    to = put_u64(to, (uint64_t)entry->expire_ms);
    to = put_u32(to, entry->kind);
    to = put_u32(to, (uint32_t)entry->n_tags);
    to = put_u32(to, entry->n_parts);
    to = put_u32(to, 0);
    to = put_u64(to, l->key);
    to = put_u64(to, l->meta);
    to = put_u64(to, l->names);
    to = put_u64(to, l->tags);
    to = put_u64(to, l->text);
    return put_u64(to, l->binary);
}

static void write_frame(const struct larder_entry *entry, struct plan *plan, uint64_t total, uint8_t *frame) {
    const struct lengths *l = &plan->lengths;
    uint8_t *to = put_prefix(frame + CHECKED_FROM, entry, l);
    uint64_t next[2] = {0, l->text}; /* where the next text and the next binary part begin */
    uint8_t *data = frame + (total - l->text - l->binary);

    for (uint32_t i = 0; i < entry->n_parts; i++) {
        const struct plan_part *part = &plan->parts[i];
        uint64_t *end = &next[part->stored == STORED_BINARY];
        uint64_t offset = *end;
        if (part->first == i) {
            put_data(&entry->parts[i], part->stored, data + offset);
            *end += part->len;
        } else {
            /* Written before: its record tells where. */
            offset = get_u64(frame + PREFIX_LEN + (size_t)part->first * PART_LEN);
        }
        to = put_u64(to, offset);
        to = put_u64(to, part->len);
        to = put_u32(to, part->stored);
        to = put_u32(to, (uint32_t)entry->parts[i].name.len);
        to = put_u32(to, part->first);
        to = put_u32(to, 0);
    }
    for (size_t i = 0; i < entry->n_tags; i++)
        to = put_u32(to, (uint32_t)entry->tags[i].len);
    to = bytes_put(to, entry->key);
    to = bytes_put(to, entry->meta);
    for (uint32_t i = 0; i < entry->n_parts; i++)
        to = bytes_put(to, entry->parts[i].name);
    for (size_t i = 0; i < entry->n_tags; i++)
        to = bytes_put(to, entry->tags[i]);

    memcpy(frame, magic, sizeof(magic));
    put_u32(frame + 4, VERSION);
    put_u64(frame + 8, total);
    put_u64(frame + 16, checksum((struct larder_bytes){frame, total}));
}

int32_t frame_encode(const struct larder_entry *entry, uint64_t max_bytes, struct larder_slice *ret) {
    struct plan plan = {0};
    uint64_t total;

    if (entry->kind == 0 || entry->kind >= LARDER_N_KINDS || entry->n_parts > MAX_PARTS ||
        entry->n_tags > UINT32_MAX)
        return LARDER_INVALID;
    int32_t status = plan_new(&plan, entry->n_parts);
    if (status != LARDER_OK)
        return status;
    status = plan_make(&plan, entry, max_bytes, &total);
    if (status == LARDER_OK) {
        uint8_t *frame = buf_new(total, ret);
        if (frame != NULL)
            write_frame(entry, &plan, total, frame);
        else
            status = LARDER_NOMEM;
    }
    free(plan.parts);
    return status;
}

/* ---- decoding --------------------------------------------------------------------- */

struct reader {
    const uint8_t *parts_table, *tags_table;
    const uint8_t *key, *meta, *names, *tags, *data;
    struct lengths lengths;
    uint32_t n_parts, n_tags;
};

static int32_t corrupt(const char **ret_detail, const char *detail) {
    *ret_detail = detail;
    return LARDER_CORRUPT;
}

/* Magic, version, length, checksum, and that the areas fill the frame exactly. */
static int32_t read_prefix(struct larder_bytes frame, struct reader *r, const char **ret_detail) {
    struct lengths *l = &r->lengths;
    const uint8_t *at = frame.ptr;
    uint64_t sum;

    if (frame.len < 8 || memcmp(at, magic, sizeof(magic)) != 0)
        return corrupt(ret_detail, "not a frame");
    if (get_u32(at + 4) > VERSION)
        return LARDER_MISS;
    if (get_u32(at + 4) != VERSION)
        return corrupt(ret_detail, "frame of an impossible version");
    if (frame.len < PREFIX_LEN || get_u64(at + 8) != frame.len)
        return corrupt(ret_detail, "frame of another length than it says");
    if (get_u64(at + 16) != checksum(frame))
        return corrupt(ret_detail, "frame with a wrong checksum");

    r->n_tags = get_u32(at + 60);
    r->n_parts = get_u32(at + 64);
    l->parts_table = (uint64_t)r->n_parts * PART_LEN;
    l->tags_table = (uint64_t)r->n_tags * TAG_LEN;
    l->key = get_u64(at + 72);
    l->meta = get_u64(at + 80);
    l->names = get_u64(at + 88);
    l->tags = get_u64(at + 96);
    l->text = get_u64(at + 104);
    l->binary = get_u64(at + 112);
    if (get_u32(at + 68) != 0 || r->n_parts > MAX_PARTS || !lengths_sum(l, &sum) || sum != frame.len)
        return corrupt(ret_detail, "frame whose lengths do not add up");

    /* No area ends behind the frame, since all of them together do not. */
    r->parts_table = at + PREFIX_LEN;
    r->tags_table = r->parts_table + l->parts_table;
    r->key = r->tags_table + l->tags_table;
    r->meta = r->key + l->key;
    r->names = r->meta + l->meta;
    r->tags = r->names + l->names;
    r->data = r->tags + l->tags;
    return LARDER_OK;
}

static int32_t read_tags(const struct reader *r, struct larder_bytes *tags, const char **ret_detail) {
    uint64_t used = 0;

    for (uint32_t i = 0; i < r->n_tags; i++) {
        uint64_t len = get_u32(r->tags_table + (size_t)i * TAG_LEN);
        if (len > r->lengths.tags - used)
            return corrupt(ret_detail, "frame with a tag outside of it");
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): tags has n_tags */
        tags[i] = (struct larder_bytes){r->tags + used, len};
        used += len;
    }
    return used == r->lengths.tags ? LARDER_OK : corrupt(ret_detail, "frame with bytes of no tag");
}

/* Names and bytes, as stored.  A part's bytes begin where those of the part before end, or are
 * exactly those of an earlier part: so no byte is read as two texts. */
static int32_t read_parts(const struct reader *r, struct larder_part *parts, const char **ret_detail) {
    uint64_t next[2] = {0, r->lengths.text};
    const uint64_t end[2] = {r->lengths.text, r->lengths.text + r->lengths.binary};
    uint64_t names = 0;

    for (uint32_t i = 0; i < r->n_parts; i++) {
        const uint8_t *record = r->parts_table + (size_t)i * PART_LEN;
        uint64_t offset = get_u64(record), len = get_u64(record + 8), name_len = get_u32(record + 20);
        uint32_t stored = get_u32(record + 16), first = get_u32(record + 24);
        bool binary = stored == STORED_BINARY;

        if (stored >= N_STORED || first > i || get_u32(record + 28) != 0 ||
            name_len > r->lengths.names - names)
            return corrupt(ret_detail, "frame with an impossible part");
        if (first < i) {
            /* Offset, length and encoding are the first 20 bytes of both records. */
            if (memcmp(record, r->parts_table + (size_t)first * PART_LEN, 20) != 0)
                return corrupt(ret_detail, "frame with a part that is not what it repeats");
        } else if (offset != next[binary] || len > end[binary] - offset) {
            return corrupt(ret_detail, "frame with a part outside of it");
        } else {
            next[binary] += len;
        }
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): parts has n_parts */
        parts[i] = (struct larder_part){
            .name = {r->names + names, name_len},
            .data = {r->data + offset, len},
            .encoding = binary ? LARDER_BINARY : LARDER_UTF8,
        };
        names += name_len;
    }
    if (next[0] != end[0] || next[1] != end[1] || names != r->lengths.names)
        return corrupt(ret_detail, "frame with bytes of no part");
    return LARDER_OK;
}

/* Whether part i is a text that must be transcoded for V8, and is not the repeat of one.  ASCII
 * stays where it is; whether a text is ASCII was settled when it was stored, and a wrong answer
 * would cost wrong letters, not memory. */
static bool is_transcoded(const struct reader *r, uint32_t i) {
    const uint8_t *record = r->parts_table + (size_t)i * PART_LEN;

    return get_u32(record + 16) == STORED_TEXT && get_u32(record + 24) == i;
}

/* Sets encoding and (later) length of the transcoded texts; *ret_need: the bytes they take. */
static int32_t plan_v8(const struct reader *r, struct larder_part *parts, size_t *ret_need,
                       const char **ret_detail) {
    size_t need = 0;

    for (uint32_t i = 0; i < r->n_parts; i++) {
        struct larder_part *part = &parts[i];
        if (part->encoding == LARDER_UTF8)
            part->encoding = LARDER_LATIN1;
        if (!is_transcoded(r, i))
            continue;
        struct text_shape shape = text_shape_of_utf8(part->data.ptr, part->data.len);
        if (!shape.valid)
            return corrupt(ret_detail, "frame with a text that is not WTF-8");
        if (!shape.latin1)
            part->encoding = LARDER_UTF16;
        part->data.len = shape.utf16_units * (shape.latin1 ? 1 : 2);
        need += part->data.len + part->data.len % 2; /* every text begins at an even address */
    }
    *ret_need = need;
    return LARDER_OK;
}

static int32_t to_v8(const struct reader *r, struct frame *frame, struct larder_part *parts,
                     const char **ret_detail) {
    size_t need;
    int32_t status = plan_v8(r, parts, &need, ret_detail);

    if (status != LARDER_OK || need == 0)
        return status;
    uint8_t *to = buf_new(need, &frame->text);
    if (to == NULL)
        return LARDER_NOMEM;
    for (uint32_t i = 0; i < r->n_parts; i++) {
        struct larder_part *part = &parts[i];
        const uint8_t *record = r->parts_table + (size_t)i * PART_LEN;
        uint64_t stored_len = get_u64(record + 8);
        if (!is_transcoded(r, i)) {
            const struct larder_part *first = &parts[get_u32(record + 24)];
            part->data = first->data;
            part->encoding = first->encoding;
            continue;
        }
        if (part->encoding == LARDER_LATIN1)
            text_latin1_from_utf8(part->data.ptr, stored_len, to);
        else
            text_utf16_from_utf8(part->data.ptr, stored_len, (void *)to);
        part->data.ptr = to;
        to += part->data.len + part->data.len % 2;
    }
    return LARDER_OK;
}

int32_t frame_decode(struct larder_slice bytes, struct larder_bytes key, bool v8, struct frame *ret,
                     const char **ret_detail) {
    struct frame frame = {0};
    struct reader r;
    struct larder_part *parts = NULL;

    int32_t status = read_prefix(slice_bytes(bytes), &r, ret_detail);
    if (status != LARDER_OK)
        return status;
    struct larder_bytes full_key = {r.key, r.lengths.key};
    if (key.ptr != NULL && !bytes_equal(key, full_key))
        return LARDER_MISS;

    size_t parts_size = r.n_parts * sizeof(*parts);
    size_t arrays_size = parts_size + r.n_tags * sizeof(struct larder_bytes);
    struct larder_bytes *tags = NULL;
    if (arrays_size > 0) {
        frame.arrays = malloc(arrays_size);
        if (frame.arrays == NULL)
            return LARDER_NOMEM;
        parts = frame.arrays;
        tags = (void *)((uint8_t *)frame.arrays + parts_size);
    }
    status = read_tags(&r, tags, ret_detail);
    if (status == LARDER_OK)
        status = read_parts(&r, parts, ret_detail);
    if (status == LARDER_OK && v8)
        status = to_v8(&r, &frame, parts, ret_detail);
    if (status != LARDER_OK) {
        frame_done(&frame);
        return status;
    }

    const uint8_t *at = bytes.ptr;
    frame.bytes = slice_ref(bytes);
    frame.entry = (struct larder_entry){
        .kind = get_u32(at + 56),
        .n_parts = r.n_parts,
        .key = full_key,
        .meta = {r.meta, r.lengths.meta},
        .epoch = (int64_t)get_u64(at + 24),
        .modified_ms = (int64_t)get_u64(at + 32),
        .revalidate_ms = (int64_t)get_u64(at + 40),
        .expire_ms = (int64_t)get_u64(at + 48),
        .tags = tags,
        .n_tags = r.n_tags,
        .parts = parts,
    };
    *ret = frame;
    return LARDER_OK;
}

bool frame_is_slow(struct larder_slice bytes, bool v8) {
    const uint8_t *at = bytes.ptr;
    uint64_t text = 0;

    if (bytes.len > SLOW_BYTES)
        return true;
    if (!v8 || bytes.len < PREFIX_LEN + SLOW_TEXT_BYTES)
        return false;
    uint64_t room = (bytes.len - PREFIX_LEN) / PART_LEN, n = get_u32(at + 64);
    for (uint64_t i = 0; i < n && i < room; i++) {
        const uint8_t *record = at + PREFIX_LEN + i * PART_LEN;
        uint64_t len = get_u64(record + 8);
        if (get_u32(record + 16) == STORED_TEXT)
            text += len < bytes.len ? len : bytes.len;
    }
    return text > SLOW_TEXT_BYTES;
}

void frame_done(struct frame *frame) {
    slice_done(&frame->bytes);
    slice_done(&frame->text);
    free(frame->arrays);
    *frame = (struct frame){0};
}
