#include "json.h"

#include <endian.h>
#include <string.h>

enum { DEEPEST = 32 }; /* an item of maps and lists has at most 32 levels */

static bool fail(struct ddb_json *j) {
    j->bad = true;
    j->at = j->end;
    return false;
}

/* The next byte that is no white space, or -1. */
static int peek(struct ddb_json *j) {
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\n' || *j->at == '\r' || *j->at == '\t'))
        j->at++;
    return j->at < j->end ? *j->at : -1;
}

static bool take(struct ddb_json *j, char c) {
    if (j->bad || peek(j) != c)
        return fail(j);
    j->at++;
    return true;
}

bool ddb_json_enter(struct ddb_json *j, char open) {
    return take(j, open);
}

/* Before the next member or element: past its comma, or past the bracket that ends them. */
static bool more(struct ddb_json *j, bool *first, char close) {
    if (j->bad)
        return false;
    if (peek(j) == close) {
        j->at++;
        return false;
    }
    bool is_first = *first;
    *first = false;
    return is_first || take(j, ',');
}

bool ddb_json_member(struct ddb_json *j, bool *first, struct larder_bytes *ret_name) {
    return more(j, first, '}') && ddb_json_string(j, ret_name) && take(j, ':');
}

bool ddb_json_element(struct ddb_json *j, bool *first) {
    return more(j, first, ']');
}

bool ddb_json_string(struct ddb_json *j, struct larder_bytes *ret_raw) {
    if (!take(j, '"'))
        return false;
    const uint8_t *begin = j->at;
    for (;;) {
        const uint8_t *quote = memchr(j->at, '"', (size_t)(j->end - j->at));
        if (!quote)
            return fail(j);
        const uint8_t *escape = memchr(j->at, '\\', (size_t)(quote - j->at));
        if (!escape) {
            *ret_raw = (struct larder_bytes){begin, (size_t)(quote - begin)};
            j->at = quote + 1;
            return true;
        }
        j->at = escape + 2; /* at most behind the quote */
    }
}

/* true, false, null or a number: told by its letters alone, since nobody looks at it. */
static bool skip_word(struct ddb_json *j) {
    const uint8_t *begin = j->at;
    while (j->at < j->end && ((*j->at >= 'a' && *j->at <= 'z') || (*j->at >= '0' && *j->at <= '9') ||
                              *j->at == '-' || *j->at == '+' || *j->at == '.' || *j->at == 'E'))
        j->at++;
    return j->at > begin || fail(j);
}

bool ddb_json_skip(struct ddb_json *j, struct larder_bytes *ret_raw) {
    char closes[DEEPEST];
    bool firsts[DEEPEST];
    size_t depth = 0;
    struct larder_bytes ignored;
    peek(j);
    const uint8_t *begin = j->at;
    do {
        if (depth > 0) {
            bool is_object = closes[depth - 1] == '}';
            bool has_next = is_object ? ddb_json_member(j, &firsts[depth - 1], &ignored)
                                      : ddb_json_element(j, &firsts[depth - 1]);
            if (!has_next) {
                depth--;
                continue;
            }
        }
        int c = j->bad ? -1 : peek(j);
        if (c == '{' || c == '[') {
            if (depth == DEEPEST)
                return fail(j);
            j->at++;
            closes[depth] = c == '{' ? '}' : ']';
            firsts[depth++] = true;
        } else if (c == '"' ? !ddb_json_string(j, &ignored) : !skip_word(j)) {
            return fail(j);
        }
    } while (depth > 0 && !j->bad);
    if (ret_raw && !j->bad)
        *ret_raw = (struct larder_bytes){begin, (size_t)(j->at - begin)};
    return !j->bad;
}

bool ddb_json_ended(struct ddb_json *j) {
    return !j->bad && peek(j) == -1;
}

bool ddb_json_is(struct larder_bytes raw, const char *text) {
    size_t len = strlen(text);
    return raw.len == len && memcmp(raw.ptr, text, len) == 0;
}

/* ---- strings ------------------------------------------------------------------------------------ */

int ddb_hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of \uXXXX at `at`. */
static bool unit_at(struct larder_bytes raw, size_t at, uint32_t *ret) {
    uint32_t unit = 0;
    if (raw.len < 4 || at > raw.len - 4)
        return false;
    for (size_t i = 0; i < 4; i++) {
        int digit = ddb_hex_digit(raw.ptr[at + i]);
        if (digit < 0)
            return false;
        unit = unit << 4 | (uint32_t)digit;
    }
    *ret = unit;
    return true;
}

/* The character of a \u at *at, the place of its digits, and perhaps of the one that follows it. */
static bool character_at(struct larder_bytes raw, size_t *at, uint32_t *ret) {
    uint32_t high, low;
    if (!unit_at(raw, *at, &high))
        return false;
    *at += 4;
    if (high < 0xD800 || high > 0xDFFF) {
        *ret = high;
        return true;
    }
    if (high > 0xDBFF || raw.len - *at < 6 || raw.ptr[*at] != '\\' || raw.ptr[*at + 1] != 'u' ||
        !unit_at(raw, *at + 2, &low) || low < 0xDC00 || low > 0xDFFF)
        return false;
    *at += 6;
    *ret = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    return true;
}

static size_t put_utf8(uint32_t c, uint8_t out[4]) {
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xC0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xE0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 63));
        out[2] = (uint8_t)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 63));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 63));
    out[3] = (uint8_t)(0x80 | (c & 63));
    return 4;
}

/* What an escape of two characters stands for; 0: it is none. */
static uint8_t short_escape(uint8_t c) {
    switch (c) {
    case '"':
    case '\\':
    case '/': return c;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
    }
}

bool ddb_json_unescape(struct larder_bytes raw, uint8_t *out, size_t size, size_t *ret_len) {
    size_t len = 0;
    for (size_t at = 0; at < raw.len;) {
        uint8_t bytes[4] = {raw.ptr[at++]};
        size_t n = 1;
        if (bytes[0] == '\\') {
            if (at == raw.len)
                return false;
            uint8_t c = raw.ptr[at++];
            uint32_t character = short_escape(c);
            if (c == 'u' ? !character_at(raw, &at, &character) : character == 0)
                return false;
            n = put_utf8(character, bytes);
        }
        if (n > size - len)
            return false;
        memcpy(out + len, bytes, n);
        len += n;
    }
    *ret_len = len;
    return true;
}

bool ddb_json_integer(struct larder_bytes raw, int64_t *ret) {
    bool negative = raw.len > 0 && raw.ptr[0] == '-';
    int64_t number = 0;
    if (raw.len == (size_t)negative)
        return false;
    for (size_t i = negative; i < raw.len; i++) {
        uint8_t digit = (uint8_t)(raw.ptr[i] - '0');
        /* Downwards, for there is one more number below zero than above. */
        if (digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_sub_overflow(number, digit, &number))
            return false;
    }
    if (!negative && __builtin_sub_overflow(0, number, &number))
        return false;
    *ret = number;
    return true;
}

/* ---- base64 ------------------------------------------------------------------------------------- */

bool ddb_base64_size(struct larder_bytes raw, size_t *ret) {
    if (raw.len % 4 != 0)
        return false;
    size_t padding = 0;
    while (padding < 2 && padding < raw.len && raw.ptr[raw.len - 1 - padding] == '=')
        padding++;
    *ret = raw.len / 4 * 3 - padding;
    return true;
}

/* The six bits of a character; NONE where it is not of the alphabet. */
enum { NONE = 128 };
static const uint8_t six_bits[256] = {
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 62,  128, 128, 128, 63,  52,  53,  54,  55,  56,  57,  58,  59,  60,  61,  128, 128,
    128, 128, 128, 128, 128, 0,   1,   2,   3,   4,   5,   6,   7,   8,   9,   10,  11,  12,  13,  14,
    15,  16,  17,  18,  19,  20,  21,  22,  23,  24,  25,  128, 128, 128, 128, 128, 128, 26,  27,  28,
    29,  30,  31,  32,  33,  34,  35,  36,  37,  38,  39,  40,  41,  42,  43,  44,  45,  46,  47,  48,
    49,  50,  51,  128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128};

/* What four characters stand for, in the upper 24 bits; *seen collects whether any was none. */
static uint32_t decode_four(const uint8_t four[4], uint32_t *seen) {
    const uint32_t a = six_bits[four[0]], b = six_bits[four[1]], c = six_bits[four[2]], d = six_bits[four[3]];
    *seen |= a | b | c | d;
    return a << 26 | b << 20 | c << 14 | d << 8;
}

bool ddb_base64_decode(struct larder_bytes raw, uint8_t *out) {
    uint32_t seen = 0, bits;
    size_t at = 0, size;
    if (!ddb_base64_size(raw, &size))
        return false;
    for (; size >= 4; at += 4, size -= 3, out += 3) { /* four bytes are written, the last one again */
        bits = htobe32(decode_four(raw.ptr + at, &seen));
        memcpy(out, &bits, sizeof(bits));
    }
    if (at < raw.len) { /* the last four, with padding or without: its bits are those of an A */
        const uint8_t last[4] = {raw.ptr[at], raw.ptr[at + 1], size > 1 ? raw.ptr[at + 2] : 'A',
                                 size > 2 ? raw.ptr[at + 3] : 'A'};
        bits = htobe32(decode_four(last, &seen));
        memcpy(out, &bits, size);
    }
    return !(seen & NONE);
}
