#include "base64.h"

#include <endian.h>
#include <string.h>

/* Where AVX2 pays for the question. */
enum { LONG = 64 };

void ddb_base64_encode(struct larder_bytes bytes, uint8_t *out) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *from = bytes.ptr;
    uint8_t *to = out;
    size_t left = bytes.len;
#if defined(__x86_64__)
    if (left >= LONG && __builtin_cpu_supports("avx2")) {
        const size_t done = ddb_base64_encode_avx2(from, left, to);
        from += done;
        left -= done;
        to += ddb_base64_len(done);
    }
#endif
    for (; left >= 3; left -= 3, from += 3, to += 4) {
        uint32_t bits = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
        to[0] = (uint8_t)alphabet[bits >> 18];
        to[1] = (uint8_t)alphabet[bits >> 12 & 63];
        to[2] = (uint8_t)alphabet[bits >> 6 & 63];
        to[3] = (uint8_t)alphabet[bits & 63];
    }
    if (left > 0) {
        uint32_t bits = (uint32_t)from[0] << 16 | (left > 1 ? (uint32_t)from[1] << 8 : 0);
        to[0] = (uint8_t)alphabet[bits >> 18];
        to[1] = (uint8_t)alphabet[bits >> 12 & 63];
        to[2] = left > 1 ? (uint8_t)alphabet[bits >> 6 & 63] : '=';
        to[3] = '=';
    }
}

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
#if defined(__x86_64__)
    if (size >= LONG && __builtin_cpu_supports("avx2")) {
        const size_t done = ddb_base64_decode_avx2(raw.ptr, out, size);
        out += done;
        size -= done;
        at = ddb_base64_len(done);
    }
#endif
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
