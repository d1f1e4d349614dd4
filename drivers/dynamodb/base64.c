#include "base64.h"

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

/* The six bits of a character, with KNOWN; 0 where it is not of the alphabet. */
enum { KNOWN = 64, SIX_BITS = 63 };
static const uint8_t six_bits[256] = {
    0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,  0,  0,  0,  0,  0,   0,   0,
    0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,  0,  0,  0,  0,  0,   0,   126,
    0,   0,   0,   127, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 0,  0,  0,  0,  0,  0,   0,   64,
    65,  66,  67,  68,  69,  70,  71,  72,  73,  74,  75,  76,  77,  78,  79, 80, 81, 82, 83, 84,  85,  86,
    87,  88,  89,  0,   0,   0,   0,   0,   0,   90,  91,  92,  93,  94,  95, 96, 97, 98, 99, 100, 101, 102,
    103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 0,   0,  0,  0,  0};

static bool decode_four(const uint8_t four[4], uint32_t *ret_bits) {
    const uint8_t a = six_bits[four[0]], b = six_bits[four[1]], c = six_bits[four[2]], d = six_bits[four[3]];
    *ret_bits = (uint32_t)(a & SIX_BITS) << 18 | (uint32_t)(b & SIX_BITS) << 12 |
                (uint32_t)(c & SIX_BITS) << 6 | (d & SIX_BITS);
    return a & b & c & d & KNOWN;
}

bool ddb_base64_decode(struct larder_bytes raw, uint8_t *out) {
    uint32_t bits;
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
    for (; size >= 3; at += 4, size -= 3) {
        if (!decode_four(raw.ptr + at, &bits))
            return false;
        *out++ = (uint8_t)(bits >> 16);
        *out++ = (uint8_t)(bits >> 8);
        *out++ = (uint8_t)bits;
    }
    if (at == raw.len)
        return true;
    /* The last four with padding: its bits are those of an A. */
    const uint8_t last[4] = {raw.ptr[at], raw.ptr[at + 1], size == 2 ? raw.ptr[at + 2] : 'A', 'A'};
    if (!decode_four(last, &bits))
        return false;
    *out++ = (uint8_t)(bits >> 16);
    if (size == 2)
        *out = (uint8_t)(bits >> 8);
    return true;
}
