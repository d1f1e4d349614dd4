#include "aws_xml.h"

#include <stdint.h>
#include <string.h>

static const struct {
    const char *name, *text;
} entities[] = {{"amp;", "&"}, {"lt;", "<"}, {"gt;", ">"}, {"quot;", "\""}, {"apos;", "'"}};

static void add_decoded(struct aws_text *out, const uint8_t *at, const uint8_t *end) {
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
    add_decoded(out, at, end);
    return !out->failed;
}
