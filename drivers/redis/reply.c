/* RESP2, read from memory. */
#include "reply.h"

#include <stdlib.h>
#include <string.h>

/* The line that begins at `at`, without its CRLF; RDS_WHOLE: *ret_next is where the next one begins. */
static enum rds_framed line(struct larder_bytes bytes, size_t at, struct larder_bytes *ret,
                            size_t *ret_next) {
    const size_t left = bytes.len - at;
    const uint8_t *from = bytes.ptr + at;
    const uint8_t *end = left > 0 ? memchr(from, '\r', left < RDS_MAX_LINE ? left : RDS_MAX_LINE) : NULL;
    if (!end)
        return left < RDS_MAX_LINE ? RDS_MORE : RDS_GARBAGE;
    *ret = (struct larder_bytes){from, (size_t)(end - from)};
    *ret_next = at + ret->len + 2;
    if (*ret_next > bytes.len)
        return RDS_MORE;
    return end[1] == '\n' ? RDS_WHOLE : RDS_GARBAGE;
}

bool rds_number(struct larder_bytes text, int64_t *ret) {
    const bool minus = text.len > 0 && text.ptr[0] == '-';
    size_t i = minus;
    int64_t n = 0;
    if (i == text.len || text.len > 20)
        return false;
    for (; i < text.len; i++) {
        const int digit = text.ptr[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, minus ? -digit : digit, &n))
            return false;
    }
    *ret = n;
    return true;
}

static bool is_length(struct larder_bytes digits, int64_t most, int64_t *ret) {
    return rds_number(digits, ret) && *ret >= -1 && *ret <= most;
}

enum rds_framed rds_bulk_head(struct larder_bytes bytes, int64_t *ret_len, size_t *ret_end) {
    struct larder_bytes digits;
    enum rds_framed framed = line(bytes, 1, &digits, ret_end);
    if (framed != RDS_WHOLE)
        return framed == RDS_MORE && bytes.len > 32 ? RDS_GARBAGE : framed;
    return is_length(digits, RDS_MAX_BULK, ret_len) ? RDS_WHOLE : RDS_GARBAGE;
}

/* ---- where a reply ends ------------------------------------------------------------------------------------- */

/* One element begins at f->at; an array counts as its head alone. */
static enum rds_framed one(struct rds_frame *f, struct larder_bytes bytes) {
    struct larder_bytes text;
    size_t next;
    int64_t n;
    if (f->at >= bytes.len)
        return RDS_MORE;
    const uint8_t type = bytes.ptr[f->at];
    if (!memchr("+-:$*", type, 5))
        return RDS_GARBAGE;
    enum rds_framed framed = line(bytes, f->at + 1, &text, &next);
    if (framed != RDS_WHOLE)
        return framed;
    if (type == RDS_INTEGER && !rds_number(text, &n))
        return RDS_GARBAGE;
    if (type == RDS_BULK) {
        if (!is_length(text, RDS_MAX_BULK, &n))
            return RDS_GARBAGE;
        if (n >= 0) {
            const size_t end = next + (size_t)n;
            if (end + 2 > bytes.len)
                return RDS_MORE;
            if (bytes.ptr[end] != '\r' || bytes.ptr[end + 1] != '\n')
                return RDS_GARBAGE;
            next = end + 2;
        }
    }
    if (type == RDS_ARRAY) {
        if (!is_length(text, RDS_MAX_ELEMENTS, &n) || (n > 0 && f->depth == RDS_MAX_DEPTH))
            return RDS_GARBAGE;
        if (n > 0)
            f->left[f->depth++] = (uint32_t)n + 1; /* one is taken off below, for the array itself */
    }
    f->at = next;
    return ++f->n > RDS_MAX_ELEMENTS ? RDS_GARBAGE : RDS_WHOLE;
}

enum rds_framed rds_frame(struct rds_frame *f, struct larder_bytes bytes) {
    do {
        enum rds_framed framed = one(f, bytes);
        if (framed != RDS_WHOLE)
            return framed;
        while (f->depth > 0 && --f->left[f->depth - 1] == 0)
            f->depth--;
    } while (f->depth > 0);
    return RDS_WHOLE;
}

/* ---- what is in it ------------------------------------------------------------------------------------------ */

void rds_tree_done(struct rds_tree *tree) {
    free(tree->replies);
    *tree = (struct rds_tree){0};
}

/* It was framed: nothing here can be wrong any more. */
static struct rds_reply read_one(struct larder_bytes bytes, size_t *at) {
    struct rds_reply r = {.type = bytes.ptr[*at]};
    size_t next = 0;
    (void)line(bytes, *at + 1, &r.text, &next);
    if (r.type == RDS_INTEGER || r.type == RDS_BULK || r.type == RDS_ARRAY)
        (void)rds_number(r.text, &r.integer);
    *at = next;
    if (r.type == RDS_INTEGER || r.type == RDS_STATUS || r.type == RDS_ERROR)
        return r;
    r.text = (struct larder_bytes){0};
    if (r.integer < 0) {
        r.type = RDS_NIL;
    } else if (r.type == RDS_BULK) {
        r.text = (struct larder_bytes){bytes.ptr + next, (size_t)r.integer};
        *at = next + r.text.len + 2;
    } else {
        r.n = (uint32_t)r.integer;
    }
    r.integer = 0;
    return r;
}

/* Elements of an array have to lie side by side, and come with their own elements between them: so each level is
 * written behind the one above.  Where the next free place is at the time an array's head is read, its elements
 * go; a stack tells where to go on. */
const struct rds_reply *rds_tree_read(struct rds_tree *tree, const struct rds_frame *f,
                                      struct larder_bytes bytes) {
    if (tree->size < f->n) {
        const uint32_t size = f->n + 16;
        struct rds_reply *replies = reallocarray(tree->replies, size, sizeof(*replies));
        if (!replies)
            return NULL;
        tree->replies = replies;
        tree->size = size;
    }
    struct {
        struct rds_reply *next;
        uint32_t left;
    } stack[RDS_MAX_DEPTH + 1] = {{tree->replies, 1}};
    struct rds_reply *room = tree->replies + 1;
    size_t at = 0;
    for (int depth = 0; depth >= 0;) {
        if (stack[depth].left == 0) {
            depth--;
            continue;
        }
        struct rds_reply *r = stack[depth].next++;
        stack[depth].left--;
        *r = read_one(bytes, &at);
        if (r->n > 0) {
            r->elements = room;
            depth++;
            stack[depth].next = room;
            stack[depth].left = r->n;
            room += r->n;
        }
    }
    return tree->replies;
}

/* ---- small questions ------------------------------------------------------------------------------------------ */

bool rds_begins(struct larder_bytes text, const char *word) {
    const size_t len = strlen(word);
    return text.len >= len && memcmp(text.ptr, word, len) == 0 && (text.len == len || text.ptr[len] == ' ');
}

bool rds_is(const struct rds_reply *reply, const char *text) {
    const size_t len = strlen(text);
    return reply->text.len == len && (len == 0 || memcmp(reply->text.ptr, text, len) == 0);
}
