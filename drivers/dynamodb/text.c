#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"

enum { SMALLEST = 512 };

void ddb_text_done(struct ddb_text *t) {
    free(t->ptr);
    *t = (struct ddb_text){0};
}

void ddb_text_reserve(struct ddb_text *t, size_t more) {
    size_t needed;
    if (t->failed || more <= t->size - t->len)
        return;
    if (__builtin_add_overflow(t->len, more, &needed)) {
        t->failed = true;
        return;
    }
    size_t size = t->size < SIZE_MAX / 2 ? 2 * t->size : SIZE_MAX;
    if (size < SMALLEST)
        size = SMALLEST;
    if (size < needed)
        size = needed;
    uint8_t *ptr = realloc(t->ptr, size);
    if (!ptr) {
        t->failed = true;
        return;
    }
    t->ptr = ptr;
    t->size = size;
}

void ddb_text_add(struct ddb_text *t, struct larder_bytes bytes) {
    ddb_text_reserve(t, bytes.len);
    if (t->failed || bytes.len == 0)
        return;
    memcpy(t->ptr + t->len, bytes.ptr, bytes.len);
    t->len += bytes.len;
}

void ddb_text_json(struct ddb_text *t, const char *json) {
    size_t len = strlen(json);
    ddb_text_reserve(t, len);
    if (t->failed)
        return;
    for (size_t i = 0; i < len; i++)
        t->ptr[t->len++] = json[i] == '\'' ? '"' : (uint8_t)json[i];
}

void ddb_text_escaped(struct ddb_text *t, struct larder_bytes utf8) {
    enum { LONGEST = 6 }; /* \u0000 */
    static const char digits[] = "0123456789abcdef";
    size_t most;
    if (__builtin_mul_overflow(utf8.len, LONGEST, &most)) {
        t->failed = true;
        return;
    }
    ddb_text_reserve(t, most);
    if (t->failed || most == 0)
        return;
    uint8_t *to = t->ptr + t->len;
    for (size_t i = 0; i < utf8.len; i++) {
        uint8_t c = utf8.ptr[i];
        if (c == '"' || c == '\\') {
            *to++ = '\\';
            *to++ = c;
        } else if (c < 0x20) {
            memcpy(to, "\\u00", 4);
            to[4] = (uint8_t)digits[c >> 4];
            to[5] = (uint8_t)digits[c & 15];
            to += LONGEST;
        } else {
            *to++ = c;
        }
    }
    t->len = (size_t)(to - t->ptr);
}

void ddb_text_number(struct ddb_text *t, int64_t number) {
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%lld", (long long)number);
    ddb_text_add(t, (struct larder_bytes){(const uint8_t *)digits, (size_t)len});
}

void ddb_text_base64(struct ddb_text *t, struct larder_bytes bytes) {
    const size_t len = ddb_base64_len(bytes.len);
    ddb_text_reserve(t, len);
    if (t->failed || len == 0)
        return;
    ddb_base64_encode(bytes, t->ptr + t->len);
    t->len += len;
}
