#include "aws_xml.h"

#include <stdint.h>
#include <string.h>

static const struct {
    const char *name, *text;
} entities[] = {{"amp;", "&"}, {"lt;", "<"}, {"gt;", ">"}, {"quot;", "\""}, {"apos;", "'"}};

/* "#39;" or "#x27;", one byte of ASCII; as many bytes as were read, or 0. */
static size_t read_number(const uint8_t *at, size_t len, char *ret) {
    const bool hex = len > 1 && at[1] == 'x';
    size_t i = hex ? 2 : 1;
    unsigned number = 0;
    if (len == 0 || at[0] != '#')
        return 0;
    for (; i < len && i < 6 && at[i] != ';'; i++) {
        const unsigned c = at[i] | 0x20u;
        if (at[i] >= '0' && at[i] <= '9')
            number = number * (hex ? 16 : 10) + (at[i] - '0');
        else if (hex && c >= 'a' && c <= 'f')
            number = number * 16 + (c - 'a' + 10);
        else
            return 0;
    }
    *ret = (char)number;
    return i < len && at[i] == ';' && number > 0 && number < 0x80 ? i + 1 : 0;
}

void aws_xml_add_text(struct aws_text *out, struct larder_bytes text) {
    const uint8_t *at = text.ptr, *end = text.len > 0 ? text.ptr + text.len : at;
    while (at < end) {
        const uint8_t *amp = memchr(at, '&', (size_t)(end - at));
        aws_text_add(out, at, (size_t)((amp ? amp : end) - at));
        at = amp ? amp + 1 : end;
        for (size_t i = 0; amp && i < sizeof(entities) / sizeof(entities[0]); i++) {
            const size_t len = strlen(entities[i].name);
            if ((size_t)(end - at) >= len && memcmp(at, entities[i].name, len) == 0) {
                aws_text_adds(out, entities[i].text);
                at += len;
                amp = NULL;
            }
        }
        char byte;
        const size_t number_len = amp ? read_number(at, (size_t)(end - at), &byte) : 0;
        if (number_len > 0) {
            aws_text_add(out, &byte, 1);
            at += number_len;
            amp = NULL;
        }
        if (amp) /* one that we do not know stays as it is written */
            aws_text_adds(out, "&");
    }
}

bool aws_xml_text(struct larder_bytes xml, const char *name, struct aws_text *out) {
    struct aws_text tag = {0};
    aws_text_adds(&tag, "<");
    aws_text_adds(&tag, name);
    aws_text_adds(&tag, ">");
    const uint8_t *limit = xml.ptr + xml.len, *end = NULL;
    const uint8_t *at = !tag.failed && xml.len > 0 ? memmem(xml.ptr, xml.len, tag.ptr, tag.len) : NULL;
    if (at) {
        at += tag.len;
        end = memchr(at, '<', (size_t)(limit - at));
    }
    aws_text_done(&tag);
    if (!end || limit - end < 2 || end[1] != '/')
        return false;
    aws_xml_add_text(out, (struct larder_bytes){at, (size_t)(end - at)});
    return !out->failed;
}
