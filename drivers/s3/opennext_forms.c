#include "opennext_forms.h"

#include <string.h>

bool opennext_is_utf8(struct larder_bytes text) {
    for (size_t at = 0; at < text.len;) {
        const uint8_t *p = text.ptr + at;
        const size_t n = p[0] < 0x80   ? 1
                         : p[0] < 0xC2 ? 0
                         : p[0] < 0xE0 ? 2
                         : p[0] < 0xF0 ? 3
                         : p[0] < 0xF5 ? 4
                                       : 0;
        if (n == 0 || n > text.len - at)
            return false;
        for (size_t i = 1; i < n; i++) {
            if ((p[i] & 0xC0) != 0x80)
                return false;
        }
        if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) ||
            (p[0] == 0xF4 && p[1] > 0x8F))
            return false;
        at += n;
    }
    return true;
}

/* isBinaryContentType() of OpenNext looks up what stands before the first `;`, as it is written, in a list
 * (packages/open-next/src/utils/binary.ts): the same list, by what comes before the slash. */
static const struct {
    const char *type, *subtypes; /* each between two spaces */
} binary[] = {
    {"font", " otf woff woff2 "},
    {"image", " bmp gif jpeg png tiff vnd.microsoft.icon webp "},
    {"audio", " 3gpp aac basic flac mpeg ogg wavaudio/webm x-aiff x-midi x-wav "},
    {"video", " 3gpp mp2t mpeg ogg quicktime webm x-msvideo "},
    {"application", " epub+zip java-archive msword octet-stream pdf rtf vnd.amazon.ebook "
                    "vnd.apple.installer+xml vnd.ms-excel"
                    " vnd.ms-powerpoint vnd.openxmlformats-officedocument.presentationml.presentation"
                    " vnd.openxmlformats-officedocument.spreadsheetml.sheet"
                    " vnd.openxmlformats-officedocument.wordprocessingml.document x-7z-compressed "
                    "x-apple-diskimage x-bzip x-bzip2"
                    " x-gzip x-java-archive x-protobuf x-rar-compressed x-tar x-zip zip "},
};

static bool is_listed(struct larder_bytes type) {
    const uint8_t *slash = memchr(type.ptr, '/', type.len);
    if (!slash || memchr(type.ptr, ' ', type.len))
        return false;
    const struct larder_bytes main = {type.ptr, (size_t)(slash - type.ptr)};
    const size_t sub_len = type.len - main.len - 1;
    for (size_t i = 0; i < sizeof(binary) / sizeof(binary[0]) && sub_len > 0; i++) {
        const char *list = binary[i].subtypes;
        if (!aws_is(main, binary[i].type))
            continue;
        for (const char *at = list; (at = memmem(at, strlen(at), slash + 1, sub_len)); at++) {
            if (at[-1] == ' ' && at[sub_len] == ' ')
                return true;
        }
    }
    return false;
}

bool opennext_is_binary(const struct json *headers) {
    struct larder_bytes type;
    if (!json_text(headers, "content-type", &type) || type.len == 0)
        return false;
    const uint8_t *end = memchr(type.ptr, ';', type.len);
    if (end)
        type.len = (size_t)(end - type.ptr);
    return type.len > 0 && is_listed(type);
}

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void opennext_add_base64(struct aws_text *out, struct larder_bytes bytes) {
    char block[1024];
    size_t used = 0;
    for (size_t i = 0; i < bytes.len; i += 3) {
        const size_t left = bytes.len - i;
        const uint32_t three = (uint32_t)bytes.ptr[i] << 16 |
                               (left > 1 ? (uint32_t)bytes.ptr[i + 1] << 8 : 0) |
                               (left > 2 ? bytes.ptr[i + 2] : 0);
        block[used++] = digits[three >> 18];
        block[used++] = digits[three >> 12 & 63];
        block[used++] = left > 1 ? digits[three >> 6 & 63] : '=';
        block[used++] = left > 2 ? digits[three & 63] : '=';
        if (used == sizeof(block)) {
            aws_text_add(out, block, used);
            used = 0;
        }
    }
    aws_text_add(out, block, used);
}

static int digit_of(uint8_t c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool opennext_base64(struct larder_bytes text, struct json_memory *memory, struct larder_bytes *ret) {
    uint8_t *bytes = json_alloc(memory, text.len / 4 * 3 + 3);
    size_t len = 0;
    uint32_t held = 0, bits = 0;
    if (!bytes)
        return false;
    while (text.len > 0 && text.ptr[text.len - 1] == '=')
        text.len--;
    for (size_t i = 0; i < text.len; i++) {
        const int digit = digit_of(text.ptr[i]);
        if (digit < 0)
            return false;
        held = (held << 6 | (uint32_t)digit) & 0xFFFFFF;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[len++] = (uint8_t)(held >> bits);
        }
    }
    *ret = (struct larder_bytes){bytes, len};
    return true;
}
