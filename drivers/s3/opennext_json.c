/*
 * From a frame to the JSON of OpenNext's.  The frame's meta is what the handlers for Next.js made of its value
 * (bindings/node/lib/entry.js): JSON in which "$3" stands for part 3, "$$x" for the text "$x", ["$m", ...] for a
 * Map, ["$j", 3] for JSON in part 3 and ["$u", 3] for bytes.
 */
#include <stdio.h>
#include <string.h>

#include "opennext.h"
#include "opennext_forms.h"

struct writer {
    const struct frame_entry *entry;
    struct aws_text *out;
    bool first;       /* no member of the object is written yet */
    bool unspeakable; /* the value has something that OpenNext's form has no place for */
};

static const struct frame_part *part_of(struct writer *w, struct larder_bytes digits) {
    size_t i = 0;
    for (size_t at = 0; at < digits.len; at++) {
        if (digits.ptr[at] < '0' || digits.ptr[at] > '9' || i > UINT16_MAX)
            return NULL;
        i = i * 10 + (digits.ptr[at] - '0');
    }
    return digits.len > 0 && i < w->entry->n_parts ? &w->entry->parts[i] : NULL;
}

/* A text, or the bytes of a part. */
static bool bytes_of(struct writer *w, const struct json *node, struct larder_bytes *ret, bool *ret_is_text) {
    const struct frame_part *part = NULL;
    *ret_is_text = true;
    if (node->type == JSON_STRING && (node->text.len == 0 || node->text.ptr[0] != '$')) {
        *ret = node->text;
        return true;
    }
    if (node->type == JSON_STRING) {
        const struct larder_bytes behind = {node->text.ptr + 1, node->text.len - 1};
        *ret = behind;
        if (behind.len > 0 && behind.ptr[0] == '$')
            return true;
        part = part_of(w, behind);
    } else if (node->type == JSON_ARRAY && node->first && node->first->next &&
               aws_is(node->first->text, "$u")) {
        part = part_of(w, node->first->next->text);
    }
    if (!part)
        return false;
    *ret = part->data;
    *ret_is_text = part->is_text;
    return true;
}

static void add_text(struct writer *w, const struct json *node) {
    struct larder_bytes text;
    bool is_text;
    if (!bytes_of(w, node, &text, &is_text) || (!is_text && !opennext_is_utf8(text)))
        w->unspeakable = true;
    else
        json_add_string(w->out, text);
}

static void add_value(struct writer *w, const struct json *node);

static void add_map(struct writer *w, const struct json *at) {
    aws_text_adds(w->out, "{");
    for (const char *comma = ""; at && at->next && !w->unspeakable; at = at->next->next, comma = ",") {
        aws_text_adds(w->out, comma);
        add_text(w, at);
        aws_text_adds(w->out, ":");
        add_value(w, at->next);
    }
    aws_text_adds(w->out, "}");
}

static void add_tagged(struct writer *w, const struct json *node) {
    const struct json *name = node->first;
    const struct frame_part *part = name->next ? part_of(w, name->next->text) : NULL;
    if (aws_is(name->text, "$m"))
        add_map(w, name->next);
    else if (aws_is(name->text, "$u"))
        add_text(w, node);
    else if (aws_is(name->text, "$j") && part && part->is_text)
        aws_text_add(w->out, part->data.ptr, part->data.len);
    else
        w->unspeakable = true; /* a date, a Set: nothing that Next.js caches has them */
}

static void add_value(struct writer *w, const struct json *node) {
    if (w->unspeakable)
        return;
    if (node->type == JSON_STRING) {
        add_text(w, node);
        return;
    }
    if (node->type != JSON_ARRAY && node->type != JSON_OBJECT) {
        json_add(w->out, node);
        return;
    }
    const struct json *first = node->first;
    if (node->type == JSON_ARRAY && first && first->type == JSON_STRING && first->text.len > 1 &&
        first->text.ptr[0] == '$' && first->text.ptr[1] > '9') {
        add_tagged(w, node);
        return;
    }
    aws_text_adds(w->out, node->type == JSON_ARRAY ? "[" : "{");
    for (const struct json *child = first; child && !w->unspeakable; child = child->next) {
        if (node->type == JSON_OBJECT) {
            json_add_string(w->out, child->name);
            aws_text_adds(w->out, ":");
        }
        add_value(w, child);
        aws_text_adds(w->out, child->next ? "," : "");
    }
    aws_text_adds(w->out, node->type == JSON_ARRAY ? "]" : "}");
}

/* ---- members ------------------------------------------------------------------------------------------- */

static void begin_member(struct writer *w, const char *name) {
    aws_text_adds(w->out, w->first ? "\"" : ",\"");
    aws_text_adds(w->out, name);
    aws_text_adds(w->out, "\":");
    w->first = false;
}

/* Left out where it is not there, as JSON.stringify() does. */
static void add_member(struct writer *w, const char *name, const struct json *node) {
    if (!node)
        return;
    begin_member(w, name);
    add_value(w, node);
}

/* Whether the value has no members but these. */
static bool has_only(const struct json *value, const char *const *names) {
    for (const struct json *child = value->first; child; child = child->next) {
        size_t i = 0;
        while (names[i] && !aws_is(child->name, names[i]))
            i++;
        if (!names[i])
            return false;
    }
    return true;
}

static void add_meta(struct writer *w, const struct json *value) {
    static const char *const names[] = {"status", "headers", "postponed"};
    begin_member(w, "meta");
    aws_text_adds(w->out, "{");
    w->first = true;
    for (size_t i = 0; i < 3; i++)
        add_member(w, names[i], json_get(value, names[i]));
    aws_text_adds(w->out, "}");
    w->first = false;
}

static void add_life(struct writer *w) {
    const int64_t ms = w->entry->revalidate_ms;
    char text[32];
    if (ms == LARDER_UNSET)
        return;
    begin_member(w, "revalidate");
    if (ms % 1000 == 0 || ms == INT64_MAX)
        snprintf(text, sizeof(text), "%lld", (long long)(ms / 1000));
    else
        snprintf(text, sizeof(text), "%lld.%03lld", (long long)(ms / 1000), (long long)(ms % 1000));
    aws_text_adds(w->out, ms == INT64_MAX ? "false" : text);
}

/* What OpenNext has no member for, and Larder wants back. */
static void add_own(struct writer *w, const struct json *value) {
    const struct json *kind = json_get(value, "kind");
    char text[96];
    begin_member(w, "larder");
    aws_text_adds(w->out, "{");
    if (kind && kind->type == JSON_STRING) {
        aws_text_adds(w->out, "\"kind\":");
        json_add_string(w->out, kind->text);
        aws_text_adds(w->out, ",");
    }
    snprintf(text, sizeof(text), "\"revalidate\":\"%lld\",\"expire\":\"%lld\",\"tags\":[",
             (long long)w->entry->revalidate_ms, (long long)w->entry->expire_ms);
    aws_text_adds(w->out, text);
    for (size_t i = 0; i < w->entry->n_tags; i++) {
        aws_text_adds(w->out, i > 0 ? "," : "");
        json_add_string(w->out, w->entry->tags[i]);
    }
    aws_text_adds(w->out, "]}");
}

/* ---- kinds --------------------------------------------------------------------------------------------- */

static void add_type(struct writer *w, const char *type) {
    begin_member(w, "type");
    aws_text_adds(w->out, "\"");
    aws_text_adds(w->out, type);
    aws_text_adds(w->out, "\"");
}

/* In base64 where its type says that it is no text, as OpenNext has it. */
static void add_body(struct writer *w, const struct json *value) {
    const struct json *body = json_get(value, "body");
    struct larder_bytes bytes;
    bool is_text;
    if (!body || !bytes_of(w, body, &bytes, &is_text)) {
        w->unspeakable = true;
        return;
    }
    begin_member(w, "body");
    if (!opennext_is_binary(json_get(value, "headers"))) {
        add_text(w, body);
        return;
    }
    aws_text_adds(w->out, "\"");
    opennext_add_base64(w->out, bytes);
    aws_text_adds(w->out, "\"");
}

static void add_page(struct writer *w, const struct json *value) {
    static const char *const of_app[] = {"kind",      "html",   "rscData",     "headers",
                                         "postponed", "status", "segmentData", NULL};
    static const char *const of_pages[] = {"kind", "html", "pageData", "headers", "status", NULL};
    static const char *const of_route[] = {"kind", "body", "headers", "status", NULL};
    static const char *const of_redirect[] = {"kind", "props", NULL};
    const struct json *kind = json_get(value, "kind"), *data = json_get(value, "pageData");
    const struct larder_bytes name = kind ? kind->text : (struct larder_bytes){0};
    if (aws_is(name, "APP_PAGE") && has_only(value, of_app)) {
        add_type(w, "app");
        add_member(w, "html", json_get(value, "html"));
        add_member(w, "rsc", json_get(value, "rscData"));
        add_meta(w, value);
        add_life(w);
        add_member(w, "segmentData", json_get(value, "segmentData"));
    } else if ((aws_is(name, "PAGES") || aws_is(name, "PAGE")) && data && has_only(value, of_pages)) {
        const bool is_app = data->type == JSON_STRING; /* Next.js 14: the text is that of an app's page */
        add_type(w, is_app ? "app" : "page");
        add_member(w, "html", json_get(value, "html"));
        add_member(w, is_app ? "rsc" : "json", data);
        if (is_app || json_get(value, "status") || json_get(value, "headers"))
            add_meta(w, value);
        add_life(w);
    } else if ((aws_is(name, "APP_ROUTE") || aws_is(name, "ROUTE")) && has_only(value, of_route)) {
        add_type(w, "route");
        add_body(w, value);
        add_meta(w, value);
        add_life(w);
    } else if (aws_is(name, "REDIRECT") && has_only(value, of_redirect)) {
        add_type(w, "redirect");
        add_member(w, "props", json_get(value, "props"));
        add_life(w);
    } else {
        w->unspeakable = true;
    }
}

static void add_fetch(struct writer *w, const struct json *value) {
    if (value->type != JSON_OBJECT || !json_get(value, "kind")) {
        w->unspeakable = true;
        return;
    }
    for (const struct json *child = value->first; child; child = child->next) {
        aws_text_adds(w->out, w->first ? "" : ",");
        w->first = false;
        json_add_string(w->out, child->name);
        aws_text_adds(w->out, ":");
        add_value(w, child);
    }
}

static void add_use_cache(struct writer *w, const struct json *value) {
    static const char *const names[] = {"tags", "stale", "timestamp", "expire", "revalidate", NULL};
    const struct frame_entry *e = w->entry;
    if (value->type != JSON_OBJECT || !has_only(value, names) || e->n_parts != 1 ||
        !opennext_is_utf8(e->parts[0].data)) {
        w->unspeakable = true;
        return;
    }
    begin_member(w, "value");
    json_add_string(w->out, e->parts[0].data);
    for (size_t i = 0; names[i]; i++)
        add_member(w, names[i], json_get(value, names[i]));
}

static void add_kind(struct writer *w, const struct json *value) {
    switch (w->entry->kind) {
    case FRAME_PAGE: add_page(w, value); break;
    case FRAME_FETCH: add_fetch(w, value); break;
    case FRAME_USE_CACHE: add_use_cache(w, value); break;
    default: w->unspeakable = true; break;
    }
}

bool opennext_json(struct larder_bytes frame, struct json_memory *memory, struct aws_text *out) {
    struct frame_entry entry;
    if (!frame_read(frame, memory, &entry))
        return false;
    const struct json *value = json_parse(entry.meta, memory);
    struct writer w = {.entry = &entry, .out = out, .first = true, .unspeakable = !value};
    if (memory->failed)
        return false;
    aws_text_adds(out, "{");
    if (value)
        add_kind(&w, value);
    if (!w.unspeakable)
        add_own(&w, value);
    if (w.unspeakable) {
        aws_text_clear(out);
        aws_text_adds(out, "{\"type\":\"larder\",\"larder\":{\"frame\":\"");
        opennext_add_base64(out, frame);
        aws_text_adds(out, "\"}");
    }
    aws_text_adds(out, "}");
    return !out->failed;
}
