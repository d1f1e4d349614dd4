#include "aws_text.h"

#include <stdlib.h>
#include <string.h>

/* Far above every text that is made here; below where sizes could wrap. */
enum { LONGEST = 1 << 24 };

/* realloc() would leave the old bytes, a token perhaps, in freed memory. */
static bool make_room(struct aws_text *t, size_t need) {
    size_t room = t->room ? t->room : 256;
    if (need <= t->room)
        return true;
    if (need > LONGEST)
        return false;
    while (room < need)
        room *= 2;
    char *ptr = malloc(room);
    if (!ptr)
        return false;
    if (t->ptr) {
        memcpy(ptr, t->ptr, t->len + 1);
        explicit_bzero(t->ptr, t->room);
        free(t->ptr);
    }
    t->ptr = ptr;
    t->room = room;
    return true;
}

void aws_text_add(struct aws_text *t, const void *bytes, size_t len) {
    if (t->failed || len > LONGEST || !make_room(t, t->len + len + 1)) {
        t->failed = true;
        return;
    }
    if (len > 0)
        memcpy(t->ptr + t->len, bytes, len);
    t->len += len;
    t->ptr[t->len] = '\0';
}

void aws_text_adds(struct aws_text *t, const char *text) {
    aws_text_add(t, text, strlen(text));
}

void aws_text_clear(struct aws_text *t) {
    t->len = 0;
    t->failed = false;
    if (t->ptr)
        t->ptr[0] = '\0';
}

void aws_text_done(struct aws_text *t) {
    if (t->ptr)
        explicit_bzero(t->ptr, t->room);
    free(t->ptr);
    *t = (struct aws_text){0};
}

bool aws_copy_bytes(char **ret, struct larder_bytes bytes) {
    char *copy = malloc(bytes.len + 1);
    if (!copy)
        return false;
    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    copy[bytes.len] = '\0';
    *ret = copy;
    return true;
}

bool aws_copy(char **ret, const char *text) {
    if (!text) {
        *ret = NULL;
        return true;
    }
    return aws_copy_bytes(ret, aws_bytes(text));
}

void aws_wipe(char **text) {
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

bool aws_is(struct larder_bytes bytes, const char *text) {
    return bytes.len == strlen(text) && (bytes.len == 0 || memcmp(bytes.ptr, text, bytes.len) == 0);
}

struct larder_bytes aws_bytes(const char *text) {
    return (struct larder_bytes){(const uint8_t *)text, strlen(text)};
}

void aws_one_line(char *out, size_t size, struct larder_bytes text) {
    size_t n = text.len < size - 1 ? text.len : size - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = text.ptr[i] >= ' ' && text.ptr[i] <= '~' ? (char)text.ptr[i] : ' ';
    out[n] = '\0';
}
