#include "span.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH = 128 };

struct scan {
    const uint8_t *from;
    size_t at, len;
};

static void skip_blanks(struct scan *scan) {
    while (scan->at < scan->len && (scan->from[scan->at] == ' ' || scan->from[scan->at] == '\n' ||
                                    scan->from[scan->at] == '\r' || scan->from[scan->at] == '\t'))
        scan->at++;
}

static int peek(const struct scan *scan) {
    return scan->at < scan->len ? scan->from[scan->at] : -1;
}

static bool take(struct scan *scan, uint8_t c) {
    if (peek(scan) != c)
        return false;
    scan->at++;
    return true;
}

static int hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool scan_escape(struct scan *scan) {
    int c = peek(scan);
    scan->at++;
    if (c < 0)
        return false;
    if (c != 'u')
        return strchr("\"\\/bfnrt", c) != NULL && c != 0;
    for (int i = 0; i < 4; i++, scan->at++) {
        if (scan->at >= scan->len || hex_digit(scan->from[scan->at]) < 0)
            return false;
    }
    return true;
}

static bool scan_text(struct scan *scan) {
    if (!take(scan, '"'))
        return false;
    for (;;) {
        int c = peek(scan);
        if (c < 0x20)
            return false;
        scan->at++;
        if (c == '"')
            return true;
        if (c == '\\' && !scan_escape(scan))
            return false;
    }
}

static bool scan_digits(struct scan *scan) {
    size_t begin = scan->at;
    while (peek(scan) >= '0' && peek(scan) <= '9')
        scan->at++;
    return scan->at > begin;
}

static bool scan_number(struct scan *scan) {
    take(scan, '-');
    if (!take(scan, '0') && !scan_digits(scan))
        return false;
    if (take(scan, '.') && !scan_digits(scan))
        return false;
    if (take(scan, 'e') || take(scan, 'E')) {
        if (!take(scan, '+'))
            take(scan, '-');
        return scan_digits(scan);
    }
    return true;
}

static bool scan_word(struct scan *scan, const char *word) {
    size_t len = strlen(word);
    if (scan->len - scan->at < len || memcmp(scan->from + scan->at, word, len) != 0)
        return false;
    scan->at += len;
    return true;
}

/* A value that holds no others. */
static bool scan_plain(struct scan *scan, enum span_type *ret) {
    switch (peek(scan)) {
    case '"': *ret = SPAN_TEXT; return scan_text(scan);
    case 't': *ret = SPAN_TRUE; return scan_word(scan, "true");
    case 'f': *ret = SPAN_FALSE; return scan_word(scan, "false");
    case 'n': *ret = SPAN_NULL; return scan_word(scan, "null");
    default: *ret = SPAN_NUMBER; return scan_number(scan);
    }
}

static bool scan_name(struct scan *scan) {
    skip_blanks(scan);
    if (!scan_text(scan))
        return false;
    skip_blanks(scan);
    return take(scan, ':');
}

/* Any value: a stack of what is open in place of recursion. */
static bool scan_value(struct scan *scan, enum span_type *ret) {
    char open[DEPTH];
    size_t depth = 0;
    bool first = true;
    enum span_type type;
    for (;;) {
        skip_blanks(scan);
        int c = peek(scan);
        if (c == '{' || c == '[') {
            if (depth == DEPTH)
                return false;
            if (first)
                *ret = c == '{' ? SPAN_OBJECT : SPAN_ARRAY;
            first = false;
            open[depth++] = (char)(c == '{' ? '}' : ']');
            scan->at++;
            skip_blanks(scan);
            if (peek(scan) != open[depth - 1]) {
                if (c == '{' && !scan_name(scan))
                    return false;
                continue;
            }
        } else {
            if (!scan_plain(scan, first ? ret : &type))
                return false;
            first = false;
        }
        for (;;) { /* behind a value, or in an empty container */
            if (depth == 0)
                return true;
            skip_blanks(scan);
            if (take(scan, (uint8_t)open[depth - 1])) {
                depth--;
                continue;
            }
            if (!take(scan, ',') || (open[depth - 1] == '}' && !scan_name(scan)))
                return false;
            break;
        }
    }
}

static bool scan_span(struct scan *scan, struct span *ret) {
    skip_blanks(scan);
    size_t begin = scan->at;
    if (!scan_value(scan, &ret->type))
        return false;
    ret->text = (struct larder_bytes){scan->from + begin, scan->at - begin};
    return true;
}

bool span_document(struct larder_bytes document, struct span *ret, size_t *ret_at) {
    struct scan scan = {document.ptr, 0, document.len};
    bool good = scan_span(&scan, ret);
    if (good) {
        skip_blanks(&scan);
        good = scan.at == scan.len;
    }
    *ret_at = scan.at < scan.len ? scan.at : scan.len;
    if (!good)
        *ret = (struct span){0};
    return good;
}

/* What is inside was checked with the document. */
bool span_next(struct span container, struct span_walk *walk) {
    if (container.type != SPAN_OBJECT && container.type != SPAN_ARRAY)
        return false;
    struct scan scan = {container.text.ptr, walk->at > 0 ? walk->at : 1, container.text.len};
    skip_blanks(&scan);
    take(&scan, ',');
    skip_blanks(&scan);
    if (peek(&scan) == '}' || peek(&scan) == ']')
        return false;
    walk->name = (struct span){0};
    if (container.type == SPAN_OBJECT) {
        if (!scan_span(&scan, &walk->name))
            return false;
        skip_blanks(&scan);
        take(&scan, ':');
    }
    if (!scan_span(&scan, &walk->value))
        return false;
    walk->at = scan.at;
    return true;
}

bool span_has_escapes(struct span text) {
    return memchr(text.text.ptr, '\\', text.text.len) != NULL;
}

bool span_is_text(struct span text, const char *expected) {
    size_t len = strlen(expected);
    return text.type == SPAN_TEXT && text.text.len == len + 2 &&
           memcmp(text.text.ptr + 1, expected, len) == 0;
}

struct span span_member(struct span object, const char *name) {
    struct span found = {0};
    struct span_walk walk = {0};
    while (object.type == SPAN_OBJECT && span_next(object, &walk)) {
        if (span_is_text(walk.name, name))
            found = walk.value;
    }
    return found;
}

/* ---- texts ----------------------------------------------------------------------------------------------- */

static uint32_t read_unit(const uint8_t *digits) {
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++)
        unit = unit << 4 | (uint32_t)hex_digit(digits[i]);
    return unit;
}

static uint8_t *put_code(uint8_t *out, uint32_t code) {
    if (code < 0x80) {
        *out++ = (uint8_t)code;
    } else if (code < 0x800) {
        *out++ = (uint8_t)(0xc0 | code >> 6);
        *out++ = (uint8_t)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *out++ = (uint8_t)(0xe0 | code >> 12);
        *out++ = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        *out++ = (uint8_t)(0x80 | (code & 0x3f));
    } else {
        *out++ = (uint8_t)(0xf0 | code >> 18);
        *out++ = (uint8_t)(0x80 | (code >> 12 & 0x3f));
        *out++ = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        *out++ = (uint8_t)(0x80 | (code & 0x3f));
    }
    return out;
}

size_t span_characters(struct span text, uint8_t *out) {
    static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
    const uint8_t *p = text.text.ptr + 1, *end = text.text.ptr + text.text.len - 1;
    uint8_t *begin = out;
    while (p < end) {
        if (*p != '\\') {
            *out++ = *p++;
            continue;
        }
        uint8_t c = p[1];
        const char *letter = strchr(letters, c);
        p += 2;
        if (c != 'u') {
            *out++ = letter ? (uint8_t)meant[letter - letters] : c;
            continue;
        }
        uint32_t code = read_unit(p);
        p += 4;
        if (code >= 0xd800 && code < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
            uint32_t low = read_unit(p + 2);
            if (low >= 0xdc00 && low < 0xe000) {
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                p += 6;
            }
        }
        out = put_code(out, code);
    }
    return (size_t)(out - begin);
}

bool span_number(struct span value, double *ret) {
    char text[64];
    if (value.type != SPAN_NUMBER || value.text.len >= sizeof text)
        return false;
    memcpy(text, value.text.ptr, value.text.len);
    text[value.text.len] = '\0';
    *ret = strtod(text, NULL);
    return true;
}
