#include "json.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 200, CHUNK = 16 << 10 };

struct json_chunk {
    struct json_chunk *next;
    size_t used, room;
    _Alignas(16) uint8_t bytes[];
};

void *json_alloc(struct json_memory *memory, size_t len) {
    struct json_chunk *chunk = memory->chunks;
    len = (len + 15) & ~(size_t)15;
    if (!chunk || chunk->room - chunk->used < len) {
        const size_t room = len > CHUNK ? len : CHUNK;
        chunk = malloc(sizeof(*chunk) + room);
        if (!chunk) {
            memory->failed = true;
            return NULL;
        }
        *chunk = (struct json_chunk){.next = memory->chunks, .room = room};
        memory->chunks = chunk;
    }
    void *ptr = chunk->bytes + chunk->used;
    chunk->used += len;
    return ptr;
}

void json_memory_done(struct json_memory *memory) {
    for (struct json_chunk *chunk = memory->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    *memory = (struct json_memory){0};
}

/* ---- reading ------------------------------------------------------------------------------------------- */

struct reader {
    const uint8_t *at, *end;
    struct json_memory *memory;
};

static void skip_space(struct reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

static bool take(struct reader *r, const char *text) {
    const size_t len = strlen(text);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, text, len) != 0)
        return false;
    r->at += len;
    return true;
}

/* Four hex digits; -1: they are none. */
static int read_unit(const uint8_t *at, const uint8_t *end) {
    int unit = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        const int c = at[i] | 0x20;
        if (at[i] >= '0' && at[i] <= '9')
            unit = unit * 16 + (at[i] - '0');
        else if (c >= 'a' && c <= 'f')
            unit = unit * 16 + (c - 'a' + 10);
        else
            return -1;
    }
    return unit;
}

static uint8_t *put_code_point(uint8_t *to, unsigned c) {
    if (c < 0x80) {
        *to++ = (uint8_t)c;
    } else if (c < 0x800) {
        *to++ = (uint8_t)(0xC0 | c >> 6);
        *to++ = (uint8_t)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *to++ = (uint8_t)(0xE0 | c >> 12);
        *to++ = (uint8_t)(0x80 | (c >> 6 & 63));
        *to++ = (uint8_t)(0x80 | (c & 63));
    } else {
        *to++ = (uint8_t)(0xF0 | c >> 18);
        *to++ = (uint8_t)(0x80 | (c >> 12 & 63));
        *to++ = (uint8_t)(0x80 | (c >> 6 & 63));
        *to++ = (uint8_t)(0x80 | (c & 63));
    }
    return to;
}

/* Behind a backslash; *at moves behind the escape.  NULL: it is none. */
static uint8_t *unescape(const uint8_t **at, const uint8_t *end, uint8_t *to) {
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    const uint8_t c = *at < end ? *(*at)++ : 0;
    const char *known = c ? strchr(from, c) : NULL;
    if (known) {
        *to++ = (uint8_t)into[known - from];
        return to;
    }
    int unit = c == 'u' ? read_unit(*at, end) : -1;
    if (unit < 0)
        return NULL;
    *at += 4;
    if (unit >= 0xD800 && unit < 0xDC00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
        const int low = read_unit(*at + 2, end);
        if (low >= 0xDC00 && low < 0xE000) {
            *at += 6;
            return put_code_point(to,
                                  0x10000u + ((unsigned)(unit - 0xD800) << 10) + (unsigned)(low - 0xDC00));
        }
    }
    return put_code_point(to, (unsigned)unit);
}

static bool read_string(struct reader *r, struct larder_bytes *ret) {
    if (!take(r, "\""))
        return false;
    const uint8_t *from = r->at;
    while (r->at < r->end && *r->at != '"' && *r->at != '\\' && *r->at >= 0x20)
        r->at++;
    if (r->at == r->end || *r->at < 0x20)
        return false;
    if (*r->at == '"') { /* as it is */
        *ret = (struct larder_bytes){from, (size_t)(r->at - from)};
        r->at++;
        return true;
    }
    const uint8_t *close = r->at;
    while (close < r->end && *close != '"')
        close += *close == '\\' ? 2 : 1;
    if (close >= r->end)
        return false;
    uint8_t *bytes = json_alloc(r->memory, (size_t)(close - from) + 1), *to = bytes;
    if (!bytes)
        return false;
    for (r->at = from; r->at < close;) {
        const uint8_t *slash = memchr(r->at, '\\', (size_t)(close - r->at));
        const size_t plain = (size_t)((slash ? slash : close) - r->at);
        for (size_t i = 0; i < plain; i++) {
            if (r->at[i] < 0x20)
                return false;
        }
        memcpy(to, r->at, plain);
        to += plain;
        r->at += plain;
        if (!slash)
            continue;
        r->at++;
        to = unescape(&r->at, close, to);
        if (!to)
            return false;
    }
    r->at = close + 1;
    *ret = (struct larder_bytes){bytes, (size_t)(to - bytes)};
    return true;
}

static bool read_number(struct reader *r, struct larder_bytes *ret) {
    const uint8_t *from = r->at;
    while (r->at < r->end && *r->at && strchr("+-.0123456789eE", *r->at))
        r->at++;
    *ret = (struct larder_bytes){from, (size_t)(r->at - from)};
    return ret->len > 0 && (*from == '-' || (*from >= '0' && *from <= '9'));
}

static struct json *read_value(struct reader *r, unsigned depth);

/* What stands between brackets; the opening one has been read. */
static bool read_children(struct reader *r, struct json *node, const char *close, unsigned depth) {
    struct json **link = &node->first;
    skip_space(r);
    if (take(r, close))
        return true;
    for (;;) {
        struct larder_bytes name = {0};
        skip_space(r);
        if (node->type == JSON_OBJECT) {
            if (!read_string(r, &name))
                return false;
            skip_space(r);
            if (!take(r, ":"))
                return false;
        }
        *link = read_value(r, depth + 1);
        if (!*link)
            return false;
        (*link)->name = name;
        link = &(*link)->next;
        skip_space(r);
        if (take(r, close))
            return true;
        if (!take(r, ","))
            return false;
    }
}

static struct json *read_value(struct reader *r, unsigned depth) {
    struct json *node = depth < MOST_DEPTH ? json_alloc(r->memory, sizeof(*node)) : NULL;
    bool ok = true;
    if (!node)
        return NULL;
    *node = (struct json){.type = JSON_NULL};
    skip_space(r);
    if (take(r, "null")) {
        node->type = JSON_NULL;
    } else if (take(r, "true")) {
        node->type = JSON_TRUE;
    } else if (take(r, "false")) {
        node->type = JSON_FALSE;
    } else if (take(r, "{")) {
        node->type = JSON_OBJECT;
        ok = read_children(r, node, "}", depth);
    } else if (take(r, "[")) {
        node->type = JSON_ARRAY;
        ok = read_children(r, node, "]", depth);
    } else if (r->at < r->end && *r->at == '"') {
        node->type = JSON_STRING;
        ok = read_string(r, &node->text);
    } else {
        node->type = JSON_NUMBER;
        ok = read_number(r, &node->text);
    }
    return ok ? node : NULL;
}

struct json *json_parse(struct larder_bytes text, struct json_memory *memory) {
    if (text.len == 0)
        return NULL;
    struct reader r = {.at = text.ptr, .end = text.ptr + text.len, .memory = memory};
    struct json *node = read_value(&r, 0);
    skip_space(&r);
    return node && r.at == r.end ? node : NULL;
}

const struct json *json_get(const struct json *node, const char *name) {
    const struct json *child = node && node->type == JSON_OBJECT ? node->first : NULL;
    while (child && !aws_is(child->name, name))
        child = child->next;
    return child;
}

bool json_text(const struct json *node, const char *name, struct larder_bytes *ret) {
    const struct json *child = json_get(node, name);
    if (!child || child->type != JSON_STRING)
        return false;
    *ret = child->text;
    return true;
}

/* ---- writing ------------------------------------------------------------------------------------------- */

void json_add_escaped(struct aws_text *out, struct larder_bytes text) {
    static const char hex[] = "0123456789abcdef", from[] = "\b\t\n\f\r\"\\", into[] = "btnfr\"\\";
    size_t done = 0;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        const bool surrogate = c == 0xED && text.len - i > 2 && text.ptr[i + 1] >= 0xA0;
        if (c >= 0x20 && c != '"' && c != '\\' && !surrogate)
            continue;
        aws_text_add(out, text.ptr + done, i - done);
        const char *known = c ? strchr(from, c) : NULL;
        if (surrogate) { /* JSON.stringify() writes lone ones so */
            const unsigned unit = 0xD000u | (text.ptr[i + 1] & 63u) << 6 | (text.ptr[i + 2] & 63u);
            aws_text_add(out,
                         (const char[]){'\\', 'u', hex[unit >> 12], hex[unit >> 8 & 15], hex[unit >> 4 & 15],
                                        hex[unit & 15]},
                         6);
            i += 2;
        } else if (known) {
            aws_text_add(out, (const char[]){'\\', into[known - from]}, 2);
        } else {
            aws_text_add(out, (const char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
        }
        done = i + 1;
    }
    if (text.len > done)
        aws_text_add(out, text.ptr + done, text.len - done);
}

void json_add_string(struct aws_text *out, struct larder_bytes text) {
    aws_text_adds(out, "\"");
    json_add_escaped(out, text);
    aws_text_adds(out, "\"");
}

void json_add(struct aws_text *out, const struct json *node) {
    static const char *const words[] = {"null", "false", "true"};
    switch (node->type) {
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE: aws_text_adds(out, words[node->type]); return;
    case JSON_NUMBER: aws_text_add(out, node->text.ptr, node->text.len); return;
    case JSON_STRING: json_add_string(out, node->text); return;
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    aws_text_adds(out, node->type == JSON_ARRAY ? "[" : "{");
    for (const struct json *child = node->first; child; child = child->next) {
        if (node->type == JSON_OBJECT) {
            json_add_string(out, child->name);
            aws_text_adds(out, ":");
        }
        json_add(out, child);
        if (child->next)
            aws_text_adds(out, ",");
    }
    aws_text_adds(out, node->type == JSON_ARRAY ? "]" : "}");
}
