#include "aws_json.h"

#include <stdint.h>
#include <string.h>

struct reader {
    const uint8_t *at, *end;
};

static void skip_space(struct reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

static bool take(struct reader *r, char c) {
    skip_space(r);
    if (r->at >= r->end || *r->at != (uint8_t)c)
        return false;
    r->at++;
    return true;
}

static bool read_hex4(struct reader *r, uint32_t *ret) {
    uint32_t value = 0;
    if (r->end - r->at < 4)
        return false;
    for (int i = 0; i < 4; i++, r->at++) {
        const uint8_t c = *r->at;
        uint32_t digit = 16;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (uint32_t)((c | 0x20) - 'a' + 10);
        if (digit > 15)
            return false;
        value = value << 4 | digit;
    }
    *ret = value;
    return true;
}

static void add_utf8(struct aws_text *out, uint32_t c) {
    const uint8_t bytes[4] = {c < 0x80      ? (uint8_t)c
                              : c < 0x800   ? (uint8_t)(0xc0 | c >> 6)
                              : c < 0x10000 ? (uint8_t)(0xe0 | c >> 12)
                                            : (uint8_t)(0xf0 | c >> 18)};
    const int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    aws_text_add(out, bytes, 1);
    for (int i = more; i-- > 0;)
        aws_text_add(out, (const uint8_t[]){(uint8_t)(0x80 | (c >> (6 * i) & 0x3f))}, 1);
}

/* Behind `\`. */
static bool read_escape(struct reader *r, struct aws_text *out) {
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    uint32_t c, low;
    if (r->at >= r->end)
        return false;
    const char escape = (char)*r->at++;
    const char *found = escape ? strchr(names, escape) : NULL;
    if (found) {
        aws_text_add(out, meanings + (found - names), 1);
        return true;
    }
    if (escape != 'u' || !read_hex4(r, &c))
        return false;
    if (c >= 0xd800 && c < 0xdc00) {
        if (r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u')
            return false;
        r->at += 2;
        if (!read_hex4(r, &low) || low < 0xdc00 || low > 0xdfff)
            return false;
        c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
    }
    add_utf8(out, c);
    return true;
}

static bool read_string(struct reader *r, struct aws_text *out) {
    if (!take(r, '"'))
        return false;
    for (;;) {
        const uint8_t *from = r->at;
        while (r->at < r->end && *r->at != '"' && *r->at != '\\')
            r->at++;
        aws_text_add(out, from, (size_t)(r->at - from));
        if (r->at >= r->end || out->failed)
            return false;
        if (*r->at++ == '"')
            return true;
        if (!read_escape(r, out))
            return false;
    }
}

/* Past one value of any kind.  Strings are the only place where a bracket is no bracket. */
static bool skip_value(struct reader *r) {
    size_t depth = 0;
    skip_space(r);
    while (r->at < r->end) {
        const uint8_t c = *r->at;
        if (c == '"') {
            for (r->at++; r->at < r->end && *r->at != '"'; r->at++)
                if (*r->at == '\\' && r->at + 1 < r->end)
                    r->at++;
            if (r->at >= r->end)
                return false;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (depth == 0 && (c == ',' || c == '}' || c == ']')) {
            return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
        r->at++;
        if (depth == 0 && (c == '"' || c == '}' || c == ']'))
            return true;
    }
    return false;
}

/* A text as it is meant, a number as it stands there; null is no value. */
static bool read_scalar(struct reader *r, struct aws_text *out) {
    skip_space(r);
    if (r->at < r->end && *r->at == '"')
        return read_string(r, out);
    const uint8_t *from = r->at;
    while (r->at < r->end && *r->at && strchr("+-.0123456789eE", *r->at))
        r->at++;
    aws_text_add(out, from, (size_t)(r->at - from));
    return r->at > from && !out->failed;
}

bool aws_json_member(struct larder_bytes json, const char *name, struct aws_text *out) {
    struct reader r = {json.ptr, json.ptr + json.len};
    struct aws_text member = {0};
    bool found = false, ok = json.len > 0 && take(&r, '{');
    while (ok && !found) {
        aws_text_clear(&member);
        ok = read_string(&r, &member) && take(&r, ':');
        if (!ok)
            break;
        found = strcmp(aws_or_empty(member.ptr), name) == 0;
        ok = found ? read_scalar(&r, out) : skip_value(&r) && take(&r, ',');
    }
    aws_text_done(&member);
    return ok && found;
}
