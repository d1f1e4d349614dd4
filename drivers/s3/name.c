#include "name.h"

#include <string.h>

static bool is_plain(uint8_t c, bool begins_part) {
    if (c == '/' || c == '.')
        return !begins_part;
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '$';
}

void s3_name_add_key(struct aws_text *out, struct larder_bytes key) {
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0, from = 0; i <= key.len; i++) {
        if (i < key.len && is_plain(key.ptr[i], i == 0 || key.ptr[i - 1] == '/'))
            continue;
        if (i > from)
            aws_text_add(out, key.ptr + from, i - from);
        from = i + 1;
        if (i < key.len)
            aws_text_add(out, (const char[]){'=', hex[key.ptr[i] >> 4], hex[key.ptr[i] & 15]}, 3);
    }
}

static int hex_of(uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool s3_name_read_key(struct larder_bytes name, uint8_t *out, size_t *ret_len) {
    size_t len = 0;
    if (name.len == 0 || name.ptr[name.len - 1] != '~')
        return false;
    for (size_t i = 0; i + 1 < name.len; len++) {
        const bool begins_part = len == 0 || out[len - 1] == '/';
        if (is_plain(name.ptr[i], begins_part)) {
            out[len] = name.ptr[i++];
            continue;
        }
        const int high = name.ptr[i] == '=' && i + 3 < name.len ? hex_of(name.ptr[i + 1]) : -1;
        const int low = high >= 0 ? hex_of(name.ptr[i + 2]) : -1;
        if (low < 0 || is_plain((uint8_t)(high << 4 | low), begins_part))
            return false;
        out[len] = (uint8_t)(high << 4 | low);
        i += 3;
    }
    *ret_len = len;
    return true;
}

bool s3_number(struct larder_bytes text, int64_t *ret) {
    const bool minus = text.len > 0 && text.ptr[0] == '-';
    int64_t number = 0;
    if (text.len == minus)
        return false;
    for (size_t i = minus; i < text.len; i++) {
        const int digit = text.ptr[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_sub_overflow(number, digit, &number)) /* downwards: there is one more below zero */
            return false;
    }
    if (!minus && __builtin_mul_overflow(number, -1, &number))
        return false;
    *ret = number;
    return true;
}
