/* From the JSON of OpenNext's to an entry: the other way of opennext_json.c. */
#include <stdlib.h>
#include <string.h>

#include "opennext.h"
#include "opennext_forms.h"

struct maker {
    struct json_memory *memory;
    struct aws_text *meta;
    struct frame_entry *entry;
    size_t room; /* of entry->parts */
    bool first;
};

/* One part more: its number in *ret. */
static bool add_part(struct maker *m, const char *name, struct larder_bytes data, bool is_text, size_t *ret) {
    struct frame_entry *e = m->entry;
    if (e->n_parts == m->room) {
        const size_t room = m->room ? 2 * m->room : 16;
        struct frame_part *parts = room > UINT16_MAX + 1 ? NULL
                                                         : json_alloc(m->memory, room * sizeof(*parts));
        if (!parts)
            return false;
        if (e->n_parts > 0)
            memcpy(parts, e->parts, e->n_parts * sizeof(*parts));
        e->parts = parts;
        m->room = room;
    }
    *ret = e->n_parts;
    e->parts[e->n_parts++] = (struct frame_part){aws_bytes(name), data, is_text};
    return true;
}

/* ---- the text of meta ------------------------------------------------------------------------------------ */

static void add_number(struct maker *m, size_t n) {
    char text[24];
    size_t at = sizeof(text);
    do
        text[--at] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    aws_text_add(m->meta, text + at, sizeof(text) - at);
}

/* As entry.js writes a text: one that begins with "$" gets another. */
static void add_text(struct maker *m, struct larder_bytes text) {
    aws_text_adds(m->meta, text.len > 0 && text.ptr[0] == '$' ? "\"$" : "\"");
    json_add_escaped(m->meta, text);
    aws_text_adds(m->meta, "\"");
}

static void add_value(struct maker *m, const struct json *node) {
    if (node->type == JSON_STRING) {
        add_text(m, node->text);
        return;
    }
    if (node->type != JSON_ARRAY && node->type != JSON_OBJECT) {
        json_add(m->meta, node);
        return;
    }
    aws_text_adds(m->meta, node->type == JSON_ARRAY ? "[" : "{");
    for (const struct json *child = node->first; child; child = child->next) {
        if (node->type == JSON_OBJECT) {
            json_add_string(m->meta, child->name);
            aws_text_adds(m->meta, ":");
        }
        add_value(m, child);
        aws_text_adds(m->meta, child->next ? "," : "");
    }
    aws_text_adds(m->meta, node->type == JSON_ARRAY ? "]" : "}");
}

static void begin_member(struct maker *m, const char *name) {
    aws_text_adds(m->meta, m->first ? "\"" : ",\"");
    aws_text_adds(m->meta, name);
    aws_text_adds(m->meta, "\":");
    m->first = false;
}

static void add_member(struct maker *m, const char *name, const struct json *node) {
    if (!node)
        return;
    begin_member(m, name);
    add_value(m, node);
}

static void add_kind(struct maker *m, const struct json *own, const char *kind) {
    struct larder_bytes told;
    begin_member(m, "kind");
    json_add_string(m->meta, json_text(own, "kind", &told) ? told : aws_bytes(kind));
}

/* "name":"$3" */
static bool add_ref(struct maker *m, const char *name, struct larder_bytes data, bool is_text) {
    size_t n;
    if (!add_part(m, name, data, is_text, &n))
        return false;
    begin_member(m, name);
    aws_text_adds(m->meta, "\"$");
    add_number(m, n);
    aws_text_adds(m->meta, "\"");
    return true;
}

/* "name":["$m","/_tree","$4",...]: bytes by name */
static bool add_segments(struct maker *m, const struct json *segments) {
    if (!segments || segments->type != JSON_OBJECT)
        return true;
    begin_member(m, "segmentData");
    aws_text_adds(m->meta, "[\"$m\"");
    for (const struct json *child = segments->first; child; child = child->next) {
        size_t n;
        if (child->type != JSON_STRING || !add_part(m, "segmentData", child->text, false, &n))
            return false;
        aws_text_adds(m->meta, ",");
        add_text(m, child->name);
        aws_text_adds(m->meta, ",\"$");
        add_number(m, n);
        aws_text_adds(m->meta, "\"");
    }
    aws_text_adds(m->meta, "]");
    return true;
}

/* "name":["$j",3]: JSON by contract, which may be large and need not be walked */
static bool add_json(struct maker *m, const char *name, const struct json *node) {
    struct aws_text json = {0};
    size_t n = 0;
    if (node)
        json_add(&json, node);
    else
        aws_text_adds(&json, "{}");
    uint8_t *copy = json.failed ? NULL : json_alloc(m->memory, json.len);
    if (copy)
        memcpy(copy, json.ptr, json.len);
    const bool ok = copy && add_part(m, name, (struct larder_bytes){copy, json.len}, true, &n);
    aws_text_done(&json);
    begin_member(m, name);
    aws_text_adds(m->meta, "[\"$j\",");
    add_number(m, n);
    aws_text_adds(m->meta, "]");
    return ok;
}

/* ---- life and tags ---------------------------------------------------------------------------------------- */

/* Seconds, or false: for ever. */
static int64_t life_of(const struct json *node) {
    char text[32];
    if (!node || node->type == JSON_FALSE)
        return node ? INT64_MAX : LARDER_UNSET;
    if (node->type != JSON_NUMBER || node->text.len >= sizeof(text))
        return LARDER_UNSET;
    memcpy(text, node->text.ptr, node->text.len);
    text[node->text.len] = '\0';
    const double s = strtod(text, NULL);
    if (!(s > 0))
        return 0;
    return s >= 4294967294.0 ? INT64_MAX : (int64_t)(s * 1000 + 0.5); /* what Next.js writes for Infinity */
}

static bool has_tag(const struct frame_entry *e, struct larder_bytes tag) {
    for (size_t i = 0; i < e->n_tags; i++) {
        if (e->tags[i].len == tag.len && memcmp(e->tags[i].ptr, tag.ptr, tag.len) == 0)
            return true;
    }
    return false;
}

static bool add_tags(struct maker *m, const struct json *list) {
    struct frame_entry *e = m->entry;
    size_t n = e->n_tags;
    for (const struct json *at = list && list->type == JSON_ARRAY ? list->first : NULL; at; at = at->next)
        n++;
    struct larder_bytes *tags = json_alloc(m->memory, (n + 1) * sizeof(*tags));
    if (!tags)
        return false;
    if (e->n_tags > 0)
        memcpy(tags, e->tags, e->n_tags * sizeof(*tags));
    e->tags = tags;
    for (const struct json *at = list && list->type == JSON_ARRAY ? list->first : NULL; at; at = at->next) {
        if (at->type == JSON_STRING && at->text.len > 0 && !has_tag(e, at->text))
            e->tags[e->n_tags++] = at->text;
    }
    return true;
}

/* "a,b": the header x-next-cache-tags. */
static bool add_header_tags(struct maker *m, const struct json *headers) {
    struct larder_bytes text;
    if (!json_text(headers, "x-next-cache-tags", &text) || text.len == 0)
        return true;
    size_t n = 1;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == ',';
    m->entry->tags = json_alloc(m->memory, n * sizeof(m->entry->tags[0]));
    if (!m->entry->tags)
        return false;
    for (size_t at = 0; at <= text.len;) {
        const uint8_t *comma = at < text.len ? memchr(text.ptr + at, ',', text.len - at) : NULL;
        const size_t len = comma ? (size_t)(comma - text.ptr) - at : text.len - at;
        const struct larder_bytes tag = {text.ptr + at, len};
        if (len > 0 && !has_tag(m->entry, tag))
            m->entry->tags[m->entry->n_tags++] = tag;
        at += len + 1;
    }
    return true;
}

static void take_number(const struct json *own, const char *name, int64_t *ret) {
    struct larder_bytes text;
    int64_t number;
    if (json_text(own, name, &text) && s3_number(text, &number))
        *ret = number;
}

/* ---- kinds ------------------------------------------------------------------------------------------------ */

static const struct json *add_head(struct maker *m, const struct json *root, const char *first,
                                   const char *second) {
    const struct json *meta = json_get(root, "meta");
    add_member(m, first, json_get(meta, first));
    add_member(m, second, json_get(meta, second));
    return json_get(meta, "headers");
}

static int32_t read_page(struct maker *m, const struct json *root, const struct json *own) {
    struct larder_bytes type, html = {0}, text, kind = {0};
    const bool has_html = json_text(root, "html", &html);
    const struct json *headers = NULL, *data = json_get(root, "json");
    bool ok = true;
    if (!json_text(root, "type", &type))
        return LARDER_MISS;
    json_text(own, "kind", &kind);
    if (aws_is(type, "app") && has_html) {
        const bool is_old = aws_is(kind, "PAGE");
        add_kind(m, own, "APP_PAGE");
        ok = add_ref(m, "html", html, true);
        if (ok && json_text(root, "rsc", &text))
            ok = add_ref(m, is_old ? "pageData" : "rscData", text, is_old);
        headers = add_head(m, root, "headers", "postponed");
        add_member(m, "status", json_get(json_get(root, "meta"), "status"));
        ok = ok && add_segments(m, json_get(root, "segmentData"));
    } else if (aws_is(type, "page") && has_html) {
        add_kind(m, own, "PAGES");
        ok = add_ref(m, "html", html, true) && add_json(m, "pageData", data);
        headers = add_head(m, root, "headers", "status");
    } else if (aws_is(type, "route") && json_text(root, "body", &text)) {
        headers = json_get(json_get(root, "meta"), "headers");
        add_kind(m, own, "APP_ROUTE");
        if (opennext_is_binary(headers) && !opennext_base64(text, m->memory, &text))
            return m->memory->failed ? LARDER_NOMEM : LARDER_CORRUPT;
        ok = add_ref(m, "body", text, false);
        add_head(m, root, "headers", "status");
    } else if (aws_is(type, "redirect")) {
        add_kind(m, own, "REDIRECT");
        add_member(m, "props", json_get(root, "props"));
    } else {
        return LARDER_MISS;
    }
    return ok && add_header_tags(m, headers) ? LARDER_OK : LARDER_NOMEM;
}

static int32_t read_fetch(struct maker *m, const struct json *root) {
    const struct json *data = json_get(root, "data");
    struct larder_bytes body, kind;
    size_t n;
    if (!json_text(root, "kind", &kind) || !aws_is(kind, "FETCH") || !data || data->type != JSON_OBJECT)
        return LARDER_MISS;
    for (const struct json *child = root->first; child; child = child->next) {
        if (aws_is(child->name, "larder"))
            continue;
        aws_text_adds(m->meta, m->first ? "" : ",");
        m->first = false;
        json_add_string(m->meta, child->name);
        aws_text_adds(m->meta, ":");
        if (child != data || !json_text(data, "body", &body)) {
            add_value(m, child);
            continue;
        }
        if (!add_part(m, "data.body", body, true, &n)) /* it may be large */
            return LARDER_NOMEM;
        aws_text_adds(m->meta, "{");
        for (const struct json *at = data->first; at; at = at->next) {
            json_add_string(m->meta, at->name);
            aws_text_adds(m->meta, ":");
            if (aws_is(at->name, "body")) {
                aws_text_adds(m->meta, "\"$");
                add_number(m, n);
                aws_text_adds(m->meta, "\"");
            } else {
                add_value(m, at);
            }
            aws_text_adds(m->meta, at->next ? "," : "");
        }
        aws_text_adds(m->meta, "}");
    }
    return add_tags(m, json_get(root, "tags")) && add_tags(m, json_get(data, "tags")) ? LARDER_OK
                                                                                      : LARDER_NOMEM;
}

static int32_t read_use_cache(struct maker *m, const struct json *root) {
    static const char *const names[] = {"tags", "stale", "timestamp", "expire", "revalidate"};
    struct larder_bytes value;
    size_t n;
    if (!json_text(root, "value", &value) || !json_get(root, "timestamp"))
        return LARDER_MISS;
    if (!add_part(m, "value", value, false, &n))
        return LARDER_NOMEM;
    for (size_t i = 0; i < 5; i++) {
        const struct json *node = json_get(root, names[i]);
        if (node) { /* as it is: these handlers read it without the ways of entry.js */
            begin_member(m, names[i]);
            json_add(m->meta, node);
        }
    }
    m->entry->expire_ms = life_of(json_get(root, "expire"));
    return add_tags(m, json_get(root, "tags")) ? LARDER_OK : LARDER_NOMEM;
}

/* The frame itself, of a value that OpenNext has no form for. */
static int32_t read_frame(struct maker *m, struct larder_bytes text) {
    struct larder_bytes bytes;
    struct frame_entry found;
    if (!opennext_base64(text, m->memory, &bytes) || !frame_read(bytes, m->memory, &found))
        return m->memory->failed ? LARDER_NOMEM : LARDER_CORRUPT;
    if (found.kind != m->entry->kind || found.key.len != m->entry->key.len ||
        (found.key.len > 0 && memcmp(found.key.ptr, m->entry->key.ptr, found.key.len) != 0))
        return LARDER_MISS;
    *m->entry = found;
    return LARDER_OK;
}

int32_t opennext_entry(struct larder_bytes json, struct json_memory *memory, struct aws_text *text,
                       struct frame_entry *ret) {
    const struct json *root = json_parse(json, memory);
    const struct json *own = json_get(root, "larder");
    struct maker m = {.memory = memory, .meta = text, .entry = ret, .first = true};
    struct larder_bytes frame;
    int32_t status = LARDER_MISS;
    if (!root)
        return memory->failed ? LARDER_NOMEM : LARDER_CORRUPT;
    if (json_text(own, "frame", &frame))
        return read_frame(&m, frame);
    ret->revalidate_ms = life_of(json_get(root, "revalidate"));
    ret->expire_ms = LARDER_UNSET;
    aws_text_clear(text);
    aws_text_adds(text, "{");
    if (ret->kind == FRAME_PAGE)
        status = read_page(&m, root, own);
    else if (ret->kind == FRAME_FETCH)
        status = read_fetch(&m, root);
    else if (ret->kind == FRAME_USE_CACHE)
        status = read_use_cache(&m, root);
    aws_text_adds(text, "}");
    if (status != LARDER_OK)
        return status;
    if (own) {
        take_number(own, "revalidate", &ret->revalidate_ms);
        take_number(own, "expire", &ret->expire_ms);
        ret->n_tags = 0;
        if (!add_tags(&m, json_get(own, "tags")))
            return LARDER_NOMEM;
    }
    ret->meta = (struct larder_bytes){(const uint8_t *)text->ptr, text->len};
    return text->failed || memory->failed ? LARDER_NOMEM : LARDER_OK;
}
