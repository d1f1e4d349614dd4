/*
 * Markup is ASCII with islands of other text, so every loop here first takes blocks of ASCII
 * (16 bytes at a time with SSE2) and walks the islands code point by code point.
 *
 * A block is written whole where it is known that so much is still to be written, and only what
 * was ASCII of it is counted: so many letters of input make at least so much output.
 */
#include "text.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { BLOCK = 16 };

/* How many of the len bytes at text come before the first that is not ASCII. */
static size_t ascii_run(const uint8_t *text, size_t len) {
    size_t i = 0;
#if defined(__SSE2__)
    while (len - i >= BLOCK) {
        int high = _mm_movemask_epi8(_mm_loadu_si128((const void *)(text + i)));
        if (high != 0)
            return i + (size_t)__builtin_ctz((unsigned)high);
        i += BLOCK;
        for (; len - i >= 4 * BLOCK; i += 4 * BLOCK) {
            const __m128i *at = (const void *)(text + i);
            __m128i ab = _mm_or_si128(_mm_loadu_si128(at), _mm_loadu_si128(at + 1));
            __m128i cd = _mm_or_si128(_mm_loadu_si128(at + 2), _mm_loadu_si128(at + 3));
            if (_mm_movemask_epi8(_mm_or_si128(ab, cd)) != 0)
                break;
        }
    }
#else
    for (; len - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, text + i, sizeof(word));
        if ((word & 0x8080808080808080u) != 0)
            break;
    }
#endif
    while (i < len && text[i] < 0x80)
        i++;
    return i;
}

/* Copies the ASCII that text begins with, and says how much that was.  room: how many letters of
 * output are sure to be wanted still. */
static size_t ascii_copy(const uint8_t *text, size_t len, uint8_t *out, size_t room) {
    size_t i = 0;
#if defined(__SSE2__)
    for (; len - i >= BLOCK && room - i >= BLOCK; i += BLOCK) {
        __m128i bytes = _mm_loadu_si128((const void *)(text + i));
        int high = _mm_movemask_epi8(bytes);
        _mm_storeu_si128((void *)(out + i), bytes);
        if (high != 0)
            return i + (size_t)__builtin_ctz((unsigned)high);
    }
#else
    (void)room;
#endif
    for (; i < len && text[i] < 0x80; i++)
        out[i] = text[i];
    return i;
}

/* The same, to UTF-16. */
static size_t ascii_widen(const uint8_t *text, size_t len, uint16_t *out, size_t room) {
    size_t i = 0;
#if defined(__SSE2__)
    for (; len - i >= BLOCK && room - i >= BLOCK; i += BLOCK) {
        __m128i bytes = _mm_loadu_si128((const void *)(text + i));
        int high = _mm_movemask_epi8(bytes);
        _mm_storeu_si128((void *)(out + i), _mm_unpacklo_epi8(bytes, _mm_setzero_si128()));
        _mm_storeu_si128((void *)(out + i + BLOCK / 2), _mm_unpackhi_epi8(bytes, _mm_setzero_si128()));
        if (high != 0)
            return i + (size_t)__builtin_ctz((unsigned)high);
    }
#else
    (void)room;
#endif
    for (; i < len && text[i] < 0x80; i++)
        out[i] = text[i];
    return i;
}

#if defined(__SSE2__)
/* Bit i is set where unit i of the 16 in a and b is not ASCII. */
static int not_ascii(__m128i a, __m128i b) {
    const __m128i ascii = _mm_set1_epi16(0x7F), zero = _mm_setzero_si128();
    /* Saturating: what is greater than 0x7F is greater than 0 after the subtraction. */
    __m128i over = _mm_packs_epi16(_mm_cmpeq_epi16(_mm_subs_epu16(a, ascii), zero),
                                   _mm_cmpeq_epi16(_mm_subs_epu16(b, ascii), zero));
    return ~_mm_movemask_epi8(over) & 0xFFFF;
}
#endif

/* How many units come before the first that is not ASCII. */
static size_t ascii_run_of_utf16(const uint16_t *text, size_t units) {
    size_t i = 0;
#if defined(__SSE2__)
    for (; units - i >= BLOCK; i += BLOCK) {
        const __m128i *at = (const void *)(text + i);
        int high = not_ascii(_mm_loadu_si128(at), _mm_loadu_si128(at + 1));
        if (high != 0)
            return i + (size_t)__builtin_ctz((unsigned)high);
    }
#endif
    while (i < units && text[i] < 0x80)
        i++;
    return i;
}

/* Copies them, too.  Every unit makes at least one byte, so a block has room. */
static size_t ascii_narrow(const uint16_t *text, size_t units, uint8_t *out) {
    size_t i = 0;
#if defined(__SSE2__)
    for (; units - i >= BLOCK; i += BLOCK) {
        const __m128i *at = (const void *)(text + i);
        __m128i a = _mm_loadu_si128(at), b = _mm_loadu_si128(at + 1);
        int high = not_ascii(a, b);
        _mm_storeu_si128((void *)(out + i), _mm_packus_epi16(a, b));
        if (high != 0)
            return i + (size_t)__builtin_ctz((unsigned)high);
    }
#endif
    for (; i < units && text[i] < 0x80; i++)
        out[i] = (uint8_t)text[i];
    return i;
}

/* Of a unit, or of a whole code point: all its bits count. */
static bool is_lead_surrogate(uint32_t unit) {
    return (unit & ~0x3FFu) == 0xD800u;
}

static bool is_trail_surrogate(uint32_t unit) {
    return (unit & ~0x3FFu) == 0xDC00u;
}

static uint32_t joined(uint32_t lead, uint32_t trail) {
    return 0x10000u + ((lead & 0x3FFu) << 10) + (trail & 0x3FFu);
}

/* The code point at text[*at], a lone surrogate being one; *at moves behind it. */
static uint32_t next_of_utf16(const uint16_t *text, size_t units, size_t *at) {
    uint32_t unit = text[(*at)++];

    if (is_lead_surrogate(unit) && *at < units && is_trail_surrogate(text[*at]))
        return joined(unit, text[(*at)++]);
    return unit;
}

static size_t utf8_len(uint32_t code) {
    return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

static uint8_t *utf8_put(uint32_t code, uint8_t *out) {
    if (code < 0x80) {
        *out++ = (uint8_t)code;
    } else if (code < 0x800) {
        *out++ = (uint8_t)(0xC0 | code >> 6);
        *out++ = (uint8_t)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        *out++ = (uint8_t)(0xE0 | code >> 12);
        *out++ = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        *out++ = (uint8_t)(0x80 | (code & 0x3F));
    } else {
        *out++ = (uint8_t)(0xF0 | code >> 18);
        *out++ = (uint8_t)(0x80 | (code >> 12 & 0x3F));
        *out++ = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        *out++ = (uint8_t)(0x80 | (code & 0x3F));
    }
    return out;
}

size_t text_utf8_len_of_utf16(const uint16_t *text, size_t units) {
    size_t len = 0;

    for (size_t at = 0; at < units;) {
        size_t run = ascii_run_of_utf16(text + at, units - at);
        len += run;
        at += run;
        while (at < units && text[at] >= 0x80)
            len += utf8_len(next_of_utf16(text, units, &at));
    }
    return len;
}

void text_utf8_from_utf16(const uint16_t *text, size_t units, uint8_t *out) {
    for (size_t at = 0; at < units;) {
        size_t run = ascii_narrow(text + at, units - at, out);
        out += run;
        at += run;
        while (at < units && text[at] >= 0x80)
            out = utf8_put(next_of_utf16(text, units, &at), out);
    }
}

size_t text_utf8_len_of_latin1(const uint8_t *text, size_t len) {
    size_t more = 0;

    for (size_t at = 0; at < len;) {
        at += ascii_run(text + at, len - at);
        for (; at < len && text[at] >= 0x80; at++)
            more++;
    }
    return len + more;
}

void text_utf8_from_latin1(const uint8_t *text, size_t len, uint8_t *out) {
    for (size_t at = 0; at < len;) {
        size_t run = ascii_copy(text + at, len - at, out, len - at);
        out += run;
        at += run;
        for (; at < len && text[at] >= 0x80; at++)
            out = utf8_put(text[at], out);
    }
}

/* The number of bytes, 2 to 4, of the well-formed sequence at text, whose first byte is not
 * ASCII; 0: none.  Sequences that are too long for their code point are refused; surrogates
 * are not (what a pair of them means, the caller knows). */
static size_t sequence(const uint8_t *text, size_t len, uint32_t *ret_code) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t first = text[0], code;
    size_t n;

    if ((first & 0xE0) == 0xC0) {
        n = 2;
        code = first & 0x1F;
    } else if ((first & 0xF0) == 0xE0) {
        n = 3;
        code = first & 0x0F;
    } else if ((first & 0xF8) == 0xF0) {
        n = 4;
        code = first & 0x07;
    } else {
        return 0;
    }
    if (n > len)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3Fu);
    }
    if (code < least[n] || code > 0x10FFFF)
        return 0;
    *ret_code = code;
    return n;
}

struct text_shape text_shape_of_utf8(const uint8_t *text, size_t len) {
    struct text_shape shape = {.valid = true, .ascii = true, .latin1 = true};
    bool after_lead = false; /* the code point before this one was a lone lead surrogate */
    size_t at = 0;

    while (at < len) {
        size_t run = ascii_run(text + at, len - at);
        shape.utf16_units += run;
        at += run;
        after_lead = after_lead && run == 0;
        while (at < len && text[at] >= 0x80) {
            uint32_t code;
            size_t n = sequence(text + at, len - at, &code);
            /* A pair must be one sequence of four bytes, or two texts would read the same. */
            if (n == 0 || (after_lead && is_trail_surrogate(code)))
                return (struct text_shape){.valid = false};
            after_lead = is_lead_surrogate(code);
            shape.ascii = false;
            shape.latin1 = shape.latin1 && code < 0x100;
            shape.utf16_units += code < 0x10000 ? 1 : 2;
            at += n;
        }
    }
    return shape;
}

/* The code point at text[*at], not ASCII, of a valid text; *at moves behind it. */
static uint32_t next_of_utf8(const uint8_t *text, size_t *at) {
    const uint8_t *p = text + *at;

    if (p[0] < 0xE0) {
        *at += 2;
        return (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
    }
    if (p[0] < 0xF0) {
        *at += 3;
        return (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
    }
    *at += 4;
    return (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
}

void text_latin1_from_utf8(const uint8_t *text, size_t len, uint8_t *out) {
    for (size_t at = 0; at < len;) {
        size_t run = ascii_copy(text + at, len - at, out, (len - at) / 2);
        out += run;
        at += run;
        while (at < len && text[at] >= 0x80)
            *out++ = (uint8_t)next_of_utf8(text, &at);
    }
}

void text_utf16_from_utf8(const uint8_t *text, size_t len, uint16_t *out) {
    for (size_t at = 0; at < len;) {
        size_t run = ascii_widen(text + at, len - at, out, (len - at) / 3);
        out += run;
        at += run;
        while (at < len && text[at] >= 0x80) {
            uint32_t code = next_of_utf8(text, &at);
            if (code >= 0x10000) {
                *out++ = (uint16_t)(0xD800u + ((code - 0x10000) >> 10));
                code = 0xDC00u + (code & 0x3FF);
            }
            *out++ = (uint16_t)code;
        }
    }
}
