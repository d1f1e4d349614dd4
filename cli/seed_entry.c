#include "seed_entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "output.h"

/* As entry.js: strings above this are parts. */
enum { LONG_STRING = 512, MAX_DEPTH = 100, MAX_NAME = 1024 };
static const double FOREVER_S = 4294967294.0; /* answer.js */
static const char tags_header[] = "x-next-cache-tags", implicit[] = "_N_T_";

/* ---- memory ------------------------------------------------------------------------------------------ */

/* Room for one more of `size` bytes in *list, which holds n. */
static bool grow(struct seed_entry *entry, void **list, size_t n, size_t *room, size_t size) {
    if (n < *room)
        return true;
    size_t more = *room ? *room * 2 : 16;
    void *grown = reallocarray(*list, more, size);
    if (grown == NULL) {
        entry->no_memory = true;
        return false;
    }
    *list = grown;
    *room = more;
    return true;
}

void *seed_adopt(struct seed_entry *entry, void *memory, size_t len) {
    void *list = entry->kept;
    bool grown = memory != NULL && grow(entry, &list, entry->n_kept, &entry->kept_room, sizeof *entry->kept);
    entry->kept = list;
    if (!grown) {
        entry->no_memory = true;
        free(memory);
        return NULL;
    }
    entry->bytes += len;
    return entry->kept[entry->n_kept++] = memory;
}

void *seed_keep(struct seed_entry *entry, size_t len) {
    return seed_adopt(entry, malloc(len ? len : 1), len);
}

void seed_entry_done(struct seed_entry *entry) {
    for (size_t i = 0; i < entry->n_kept; i++)
        free(entry->kept[i]);
    free(entry->kept);
    free(entry->parts);
    free(entry->tags);
    free(entry->meta);
    *entry = (struct seed_entry){0};
}

struct larder_bytes seed_characters(struct seed_entry *entry, struct span text) {
    uint8_t *copy;
    if (text.type != SPAN_TEXT)
        return (struct larder_bytes){0};
    if (!span_has_escapes(text))
        return (struct larder_bytes){text.text.ptr + 1, text.text.len - 2};
    copy = seed_keep(entry, text.text.len);
    return copy ? (struct larder_bytes){copy, span_characters(text, copy)} : (struct larder_bytes){0};
}

/* ---- meta: JSON as JSON.stringify() writes it --------------------------------------------------------- */

static void put(struct seed_entry *entry, const void *bytes, size_t len) {
    if (entry->no_memory)
        return;
    if (entry->meta_room - entry->meta_len < len) {
        size_t room = (entry->meta_len + len) * 2 + 256;
        char *grown = realloc(entry->meta, room);
        if (grown == NULL) {
            entry->no_memory = true;
            return;
        }
        entry->meta = grown;
        entry->meta_room = room;
    }
    if (len > 0)
        memcpy(entry->meta + entry->meta_len, bytes, len);
    entry->meta_len += len;
}

static void put_plain(struct seed_entry *entry, const char *text) {
    put(entry, text, strlen(text));
}

/* A surrogate, which WTF-8 has where there is no pair of them. */
static bool is_surrogate(struct larder_bytes text, size_t at) {
    return text.ptr[at] == 0xed && text.len - at >= 3 && text.ptr[at + 1] >= 0xa0;
}

static void put_escaped(struct seed_entry *entry, struct larder_bytes text) {
    static const char control[] = "\b\f\n\r\t", letters[] = "bfnrt";
    char escape[8];
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        const char *found = c ? strchr(control, c) : NULL;
        if (c == '"' || c == '\\') {
            snprintf(escape, sizeof escape, "\\%c", c);
        } else if (found) {
            snprintf(escape, sizeof escape, "\\%c", letters[found - control]);
        } else if (c < 0x20) {
            snprintf(escape, sizeof escape, "\\u%04x", c);
        } else if (is_surrogate(text, i)) {
            unsigned code = 0xd000u | (text.ptr[i + 1] & 0x3fu) << 6 | (text.ptr[i + 2] & 0x3fu);
            snprintf(escape, sizeof escape, "\\u%04x", code);
            i += 2;
        } else {
            put(entry, &c, 1);
            continue;
        }
        put_plain(entry, escape);
    }
}

/* ---- parts ------------------------------------------------------------------------------------------------ */

static size_t part(struct seed_entry *entry, const char *name, struct larder_bytes data, uint32_t encoding) {
    void *list = entry->parts;
    size_t n = entry->entry.n_parts;
    if (!grow(entry, &list, n, &entry->parts_room, sizeof *entry->parts))
        return 0;
    entry->parts = list;
    char *copy = seed_keep(entry, strlen(name) + 1);
    if (copy == NULL)
        return 0;
    memcpy(copy, name, strlen(name) + 1);
    entry->parts[n] = (struct larder_part){.name = bytes_of_text(copy), .data = data, .encoding = encoding};
    entry->entry.n_parts++;
    return n;
}

static void put_part(struct seed_entry *entry, const char *before, size_t i, const char *behind) {
    char text[64];
    snprintf(text, sizeof text, "%s%zu%s", before, i, behind);
    put_plain(entry, text);
}

/* In units of UTF-16, as JavaScript counts. */
static bool is_long(struct larder_bytes text) {
    size_t units = 0;
    if (text.len <= LONG_STRING)
        return false;
    for (size_t i = 0; i < text.len && units <= LONG_STRING; i++)
        units += (text.ptr[i] & 0xc0) != 0x80 ? (text.ptr[i] >= 0xf0 ? 2 : 1) : 0;
    return units > LONG_STRING;
}

static void put_text(struct seed_entry *entry, const char *name, struct larder_bytes text) {
    if (is_long(text)) {
        put_part(entry, "\"$", part(entry, name, text, LARDER_UTF8), "\"");
        return;
    }
    put_plain(entry, text.len > 0 && text.ptr[0] == '$' ? "\"$" : "\"");
    put_escaped(entry, text);
    put_plain(entry, "\"");
}

static void put_buffer(struct seed_entry *entry, const char *name, struct larder_bytes data) {
    put_part(entry, "\"$", part(entry, name, data, LARDER_BINARY), "\"");
}

/* ---- any value --------------------------------------------------------------------------------------------- */

static void put_value(struct seed_entry *entry, const char *name, struct span value, int depth);

static void put_members(struct seed_entry *entry, const char *name, struct span value, int depth) {
    struct span_walk walk = {0};
    const bool array = value.type == SPAN_ARRAY;
    put_plain(entry, array ? "[" : "{");
    for (size_t i = 0; span_next(value, &walk); i++) {
        char at[MAX_NAME];
        if (i > 0)
            put_plain(entry, ",");
        if (array) {
            snprintf(at, sizeof at, "%s[%zu]", name, i);
        } else {
            struct larder_bytes member = seed_characters(entry, walk.name);
            snprintf(at, sizeof at, "%s%s%.*s", name, *name ? "." : "",
                     (int)(member.len < MAX_NAME / 2 ? member.len : MAX_NAME / 2),
                     member.len ? (const char *)member.ptr : "");
            put_plain(entry, "\"");
            put_escaped(entry, member);
            put_plain(entry, "\":");
        }
        put_value(entry, at, walk.value, depth + 1);
    }
    put_plain(entry, array ? "]" : "}");
}

static void put_value(struct seed_entry *entry, const char *name, struct span value, int depth) {
    switch (value.type) {
    case SPAN_TEXT: put_text(entry, name, seed_characters(entry, value)); break;
    case SPAN_ARRAY:
    case SPAN_OBJECT:
        entry->too_deep = entry->too_deep || depth > MAX_DEPTH;
        if (!entry->too_deep)
            put_members(entry, name, value, depth);
        break;
    default: put(entry, value.text.ptr, value.text.len);
    }
}

/* A member of the value itself; nothing where there is none. */
static void put_member(struct seed_entry *entry, const char *name, struct span value) {
    if (value.type == SPAN_NONE)
        return;
    put_plain(entry, ",\"");
    put_plain(entry, name);
    put_plain(entry, "\":");
    put_value(entry, name, value, 1);
}

static void put_member_text(struct seed_entry *entry, const char *name, struct larder_bytes text) {
    put_plain(entry, ",\"");
    put_plain(entry, name);
    put_plain(entry, "\":");
    put_text(entry, name, text);
}

static void put_member_buffer(struct seed_entry *entry, const char *name, struct seed_bytes data) {
    if (!data.there)
        return;
    put_plain(entry, ",\"");
    put_plain(entry, name);
    put_plain(entry, "\":");
    put_buffer(entry, name, data.bytes);
}

static bool has_proto(struct span value) {
    return memmem(value.text.ptr, value.text.len, "__proto__", 9) != NULL;
}

/* JSON by contract: above the limit as one text, which need not be walked. */
static void put_page_data(struct seed_entry *entry, struct span data) {
    const bool walked = data.type != SPAN_OBJECT && data.type != SPAN_ARRAY;
    if (walked || (!is_long(data.text) && !has_proto(data))) {
        put_member(entry, "pageData", data);
        return;
    }
    put_plain(entry, ",\"pageData\":[\"$j\",");
    put_part(entry, "", part(entry, "pageData", data.text, LARDER_UTF8), "]");
}

/* "/_full" is rscData: the same part, and one Buffer again when it is read. */
static void put_segments(struct seed_entry *entry, const struct seed_source *source) {
    size_t rsc = 0;
    while (rsc < entry->entry.n_parts && entry->parts[rsc].data.ptr != source->rsc.bytes.ptr)
        rsc++;
    put_plain(entry, ",\"segmentData\":[\"$m\"");
    for (size_t i = 0; i < source->n_segments; i++) {
        const struct seed_segment *segment = &source->segments[i];
        const bool same = source->rsc.there && segment->data.ptr == source->rsc.bytes.ptr;
        char name[MAX_NAME];
        snprintf(name, sizeof name, "segmentData:%.*s",
                 (int)(segment->path.len < 900 ? segment->path.len : 900), (const char *)segment->path.ptr);
        put_plain(entry, ",");
        put_text(entry, "segmentData", segment->path);
        put_plain(entry, ",");
        if (same)
            put_part(entry, "\"$", rsc, "\"");
        else
            put_buffer(entry, name, segment->data);
    }
    put_plain(entry, "]");
}

/* ---- tags ------------------------------------------------------------------------------------------------------ */

static bool is_tagged(const struct seed_entry *entry, struct larder_bytes tag) {
    for (size_t i = 0; i < entry->entry.n_tags; i++) {
        if (bytes_equal(entry->tags[i], tag))
            return true;
    }
    return false;
}

static void add_tag(struct seed_entry *entry, struct larder_bytes tag) {
    void *list = entry->tags;
    if (tag.len == 0 || is_tagged(entry, tag) ||
        !grow(entry, &list, entry->entry.n_tags, &entry->tags_room, sizeof *entry->tags))
        return;
    entry->tags = list;
    entry->tags[entry->entry.n_tags++] = tag;
}

static void add_header_tags(struct seed_entry *entry, struct span headers) {
    struct larder_bytes rest = seed_characters(entry, span_member(headers, tags_header));
    while (rest.len > 0) {
        const uint8_t *comma = memchr(rest.ptr, ',', rest.len);
        size_t len = comma ? (size_t)(comma - rest.ptr) : rest.len;
        add_tag(entry, (struct larder_bytes){rest.ptr, len});
        len += comma != NULL;
        rest = (struct larder_bytes){rest.ptr + len, rest.len - len};
    }
}

struct larder_bytes seed_path_of(struct larder_bytes key) {
    static const struct larder_bytes scoped = {(const uint8_t *)"/route-cache/", 13};
    if (!bytes_begin_with(key, scoped))
        return key;
    const uint8_t *at = memmem(key.ptr, key.len, "/$/", 3);
    return at ? (struct larder_bytes){at + 2, key.len - (size_t)(at + 2 - key.ptr)} : key;
}

static void add_path_tag(struct seed_entry *entry, struct larder_bytes path) {
    const size_t prefix = sizeof implicit - 1;
    char *tag = seed_keep(entry, prefix + path.len);
    if (tag == NULL)
        return;
    memcpy(tag, implicit, prefix);
    memcpy(tag + prefix, path.ptr, path.len);
    add_tag(entry, (struct larder_bytes){(const uint8_t *)tag, prefix + path.len});
}

/* Pages of the pages router have no tags of their own: that of their path, as revalidatePath() has it. */
static void add_own_path(struct seed_entry *entry, struct larder_bytes key) {
    static const struct larder_bytes prefix = {(const uint8_t *)implicit, sizeof implicit - 1};
    struct larder_bytes root = bytes_of_text("/"), index = bytes_of_text("/index"), path = seed_path_of(key);
    for (size_t i = 0; i < entry->entry.n_tags; i++) {
        if (bytes_begin_with(entry->tags[i], prefix))
            return;
    }
    if (bytes_equal(path, index))
        path = root;
    else if (bytes_begin_with(path, bytes_of_text("/index/")))
        path = (struct larder_bytes){path.ptr + index.len, path.len - index.len};
    add_path_tag(entry, path);
    if (bytes_equal(path, root))
        add_path_tag(entry, index);
    if (bytes_equal(path, index))
        add_path_tag(entry, root);
}

static void add_fetch_tags(struct seed_entry *entry, struct span fetch) {
    struct span_walk walk = {0};
    struct span tags = span_member(fetch, "tags");
    while (tags.type == SPAN_ARRAY && span_next(tags, &walk))
        add_tag(entry, seed_characters(entry, walk.value));
}

/* ---- the whole ---------------------------------------------------------------------------------------------------- */

static void put_headers(struct seed_entry *entry, const struct seed_source *source, bool always) {
    struct span headers = span_member(source->meta, "headers");
    if (headers.type == SPAN_NONE && always)
        put_plain(entry, ",\"headers\":{}");
    put_member(entry, "headers", headers);
    put_member(entry, "status", span_member(source->meta, "status"));
}

static void put_app_page(struct seed_entry *entry, const struct seed_source *source) {
    const bool old = source->next_major < 15;
    put_plain(entry, old ? "{\"kind\":\"PAGE\"" : "{\"kind\":\"APP_PAGE\"");
    put_member_text(entry, "html", source->html.bytes);
    if (old)
        put_member_text(entry, "pageData", source->rsc.bytes);
    else
        put_member_buffer(entry, "rscData", source->rsc);
    put_member(entry, "postponed", span_member(source->meta, "postponed"));
    put_headers(entry, source, old);
    if (source->has_segments && !old)
        put_segments(entry, source);
}

void seed_entry_make(struct seed_entry *entry, const struct seed_source *source) {
    const bool old = source->next_major < 15;
    switch (source->shape) {
    case SEED_APP_PAGE: put_app_page(entry, source); break;
    case SEED_PAGES:
        put_plain(entry, old ? "{\"kind\":\"PAGE\"" : "{\"kind\":\"PAGES\"");
        put_member_text(entry, "html", source->html.bytes);
        put_page_data(entry, source->page_data);
        put_headers(entry, source, old);
        break;
    case SEED_ROUTE:
        put_plain(entry, old ? "{\"kind\":\"ROUTE\"" : "{\"kind\":\"APP_ROUTE\"");
        put_member_buffer(entry, "body", source->body);
        put_headers(entry, source, false);
        break;
    case SEED_FETCH: put_value(entry, "", source->fetch, 0); break;
    }
    if (source->shape != SEED_FETCH)
        put_plain(entry, "}");
    add_header_tags(entry, span_member(source->meta, "headers"));
    if (source->shape == SEED_PAGES || (source->shape == SEED_APP_PAGE && old))
        add_own_path(entry, source->key);
    if (source->shape == SEED_FETCH)
        add_fetch_tags(entry, source->fetch);
    entry->entry.kind = source->shape == SEED_FETCH ? LARDER_FETCH : LARDER_PAGE;
    entry->entry.key = source->key;
    entry->entry.meta = (struct larder_bytes){(const uint8_t *)entry->meta, entry->meta_len};
    entry->entry.parts = entry->parts;
    entry->entry.tags = entry->tags;
    entry->bytes += entry->meta_len;
}

int64_t seed_life_ms(struct span seconds) {
    double value;
    if (seconds.type == SPAN_FALSE)
        return LARDER_FOREVER;
    if (!span_number(seconds, &value))
        return LARDER_UNSET;
    return value >= FOREVER_S ? LARDER_FOREVER : value <= 0 ? 0 : (int64_t)(value * 1000);
}
