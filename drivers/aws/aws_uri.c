#include "aws_uri.h"

#include <stdlib.h>
#include <string.h>

static bool is_unreserved(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static void encode(struct aws_text *out, struct larder_bytes bytes, bool is_path) {
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0, from = 0; i <= bytes.len; i++) {
        if (i < bytes.len && (is_unreserved(bytes.ptr[i]) || (is_path && bytes.ptr[i] == '/')))
            continue;
        if (i > from)
            aws_text_add(out, bytes.ptr + from, i - from);
        from = i + 1;
        if (i < bytes.len)
            aws_text_add(out, (const char[]){'%', hex[bytes.ptr[i] >> 4], hex[bytes.ptr[i] & 15]}, 3);
    }
}

void aws_uri_add_path(struct aws_text *out, struct larder_bytes bytes) {
    encode(out, bytes, true);
}

void aws_uri_add(struct aws_text *out, struct larder_bytes bytes) {
    encode(out, bytes, false);
}

struct encoded { /* a parameter, as offsets: the text may move while it grows */
    size_t name, name_len, value, value_len;
};

static int compare_texts(const char *a, size_t a_len, const char *b, size_t b_len) {
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int compare_params(const void *a, const void *b, void *text) {
    const struct encoded *x = a, *y = b;
    const char *t = text;
    int order = compare_texts(t + x->name, x->name_len, t + y->name, y->name_len);
    return order != 0 ? order : compare_texts(t + x->value, x->value_len, t + y->value, y->value_len);
}

bool aws_uri_add_query(struct aws_text *out, const struct aws_param *params, size_t n) {
    struct aws_text all = {0};
    struct encoded *sorted = n > 0 ? calloc(n, sizeof(*sorted)) : NULL;
    if (n > 0 && !sorted)
        out->failed = true;
    for (size_t i = 0; sorted && i < n; i++) {
        sorted[i].name = all.len;
        encode(&all, params[i].name, false);
        sorted[i].name_len = all.len - sorted[i].name;
        sorted[i].value = all.len;
        encode(&all, params[i].value, false);
        sorted[i].value_len = all.len - sorted[i].value;
    }
    if (all.failed)
        out->failed = true;
    if (sorted && all.ptr && !out->failed) {
        qsort_r(sorted, n, sizeof(*sorted), compare_params, all.ptr);
        for (size_t i = 0; i < n; i++) {
            aws_text_adds(out, i > 0 ? "&" : "");
            aws_text_add(out, all.ptr + sorted[i].name, sorted[i].name_len);
            aws_text_adds(out, "=");
            aws_text_add(out, all.ptr + sorted[i].value, sorted[i].value_len);
        }
    }
    free(sorted);
    aws_text_done(&all);
    return !out->failed;
}

void aws_uri_add_signed_path(struct aws_text *out, const char *path) {
    const size_t begin = out->len;
    const char *last = "";
    while (*path) {
        const size_t len = strcspn(path, "/");
        const struct larder_bytes part = {(const uint8_t *)path, len};
        last = path;
        path += len + (path[len] == '/');
        if (part.len == 0 || aws_is(part, "."))
            continue;
        if (!aws_is(part, "..")) {
            aws_text_adds(out, "/");
            encode(out, part, false);
            continue;
        }
        while (out->len > begin && out->ptr[--out->len] != '/')
            ;
    }
    /* It ended in a slash, or in a part that is gone. */
    const struct larder_bytes end = aws_bytes(last);
    if (end.len == 0 || memchr(last, '/', end.len) || aws_is(end, ".") || aws_is(end, "..") ||
        out->len == begin)
        aws_text_adds(out, "/");
}
