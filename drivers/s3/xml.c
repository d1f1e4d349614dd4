#include "xml.h"

#include <stdio.h>
#include <string.h>

#include "aws_xml.h"

static const uint8_t *find(const uint8_t *at, const uint8_t *end, const char *text) {
    return at < end ? memmem(at, (size_t)(end - at), text, strlen(text)) : NULL;
}

bool s3_xml_next(struct larder_bytes xml, size_t *at, const char *name, struct larder_bytes *ret_inside) {
    char open[64], close[64];
    if (*at >= xml.len)
        return false;
    const uint8_t *limit = xml.ptr + xml.len;
    snprintf(open, sizeof(open), "<%s>", name);
    snprintf(close, sizeof(close), "</%s>", name);
    const uint8_t *from = find(xml.ptr + *at, limit, open);
    const uint8_t *to = from ? find(from + strlen(open), limit, close) : NULL;
    if (!to)
        return false;
    from += strlen(open);
    *ret_inside = (struct larder_bytes){from, (size_t)(to - from)};
    *at = (size_t)(to - xml.ptr) + strlen(close);
    return true;
}

/* Whether the document is one of these, to its end.  The root may have a namespace. */
static bool is_whole(struct larder_bytes xml, const char *root) {
    char open[64], close[64];
    const uint8_t *limit = xml.ptr + xml.len;
    snprintf(open, sizeof(open), "<%s", root);
    snprintf(close, sizeof(close), "</%s>", root);
    const uint8_t *from = xml.len > 0 ? find(xml.ptr, limit, open) : NULL;
    return from && find(from, limit, close);
}

/* Whether the first element `name` says just this. */
static bool says(struct larder_bytes xml, const char *name, const char *text) {
    struct larder_bytes inside;
    size_t at = 0;
    return s3_xml_next(xml, &at, name, &inside) && aws_is(inside, text);
}

bool s3_page_read(struct larder_bytes xml, struct s3_page *ret) {
    if (!is_whole(xml, "ListBucketResult"))
        return false;
    *ret = (struct s3_page){.xml = xml,
                            .is_truncated = says(xml, "IsTruncated", "true"),
                            .is_encoded = says(xml, "EncodingType", "url")};
    return true;
}

static int hex_of(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In its place: it becomes no longer.  AWS writes a space as `+`, others as %20; a plus is %2B to all. */
static void decode_url(struct aws_text *text) {
    size_t to = 0;
    for (size_t i = 0; i < text->len; i++) {
        char c = text->ptr[i];
        const int high = c == '%' && text->len - i > 2 ? hex_of(text->ptr[i + 1]) : -1;
        const int low = high >= 0 ? hex_of(text->ptr[i + 2]) : -1;
        if (low >= 0) {
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        text->ptr[to++] = c;
    }
    if (text->ptr)
        text->ptr[to] = '\0';
    text->len = to;
}

/* The text of the first element `name`, in place of what was in out. */
static bool take_text(struct larder_bytes xml, const char *name, struct aws_text *out) {
    struct larder_bytes inside;
    size_t at = 0;
    aws_text_clear(out);
    if (!s3_xml_next(xml, &at, name, &inside))
        return false;
    aws_xml_add_text(out, inside);
    return true;
}

bool s3_page_next(struct s3_page *page, struct aws_text *name) {
    struct larder_bytes inside;
    while (s3_xml_next(page->xml, &page->at, "Contents", &inside)) {
        if (!take_text(inside, "Key", name))
            continue;
        if (page->is_encoded)
            decode_url(name);
        return true;
    }
    return false;
}

bool s3_deleted_read(struct larder_bytes xml) {
    if (is_whole(xml, "DeleteResult"))
        return true;
    return xml.len > 0 && find(xml.ptr, xml.ptr + xml.len, "<DeleteResult/>") != NULL;
}

bool s3_deleted_next(struct larder_bytes xml, size_t *at, struct aws_text *name, struct aws_text *code) {
    struct larder_bytes inside;
    if (!s3_xml_next(xml, at, "Error", &inside))
        return false;
    take_text(inside, "Key", name);
    take_text(inside, "Code", code);
    return true;
}

/* Servers write a rule in their own way. */
static bool is_rule(struct larder_bytes inside, const struct s3_rule *rule) {
    struct larder_bytes expiration;
    size_t at = 0;
    char days[16];
    snprintf(days, sizeof(days), "%u", rule->days);
    return says(inside, "Prefix", rule->prefix) && says(inside, "Status", "Enabled") &&
           s3_xml_next(inside, &at, "Expiration", &expiration) && says(expiration, "Days", days);
}

static void add_rule(struct aws_text *out, const struct s3_rule *rule) {
    char text[512];
    snprintf(text, sizeof(text),
             "<Rule><ID>%.120s</ID><Filter><Prefix>%.120s</Prefix></Filter><Status>Enabled</Status>"
             "<Expiration><Days>%u</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>1"
             "</NoncurrentDays></NoncurrentVersionExpiration></Rule>",
             rule->id, rule->prefix, rule->days);
    aws_text_adds(out, text);
}

bool s3_lifecycle_with(struct larder_bytes old, const struct s3_rule *rule, struct aws_text *out,
                       bool *ret_changed) {
    struct larder_bytes inside;
    struct aws_text others = {0};
    size_t at = 0;
    bool is_there = false;
    if (old.len > 0 && !is_whole(old, "LifecycleConfiguration"))
        return false;
    while (s3_xml_next(old, &at, "Rule", &inside)) {
        if (says(inside, "ID", rule->id)) {
            is_there = is_there || is_rule(inside, rule);
            continue;
        }
        aws_text_adds(&others, "<Rule>");
        aws_text_add(&others, inside.ptr, inside.len);
        aws_text_adds(&others, "</Rule>");
    }
    *ret_changed = !is_there;
    if (!is_there) {
        aws_text_adds(out, "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        aws_text_add(out, others.ptr, others.len);
        add_rule(out, rule);
        aws_text_adds(out, "</LifecycleConfiguration>");
        out->failed = out->failed || others.failed;
    }
    aws_text_done(&others);
    return true;
}
