/* Replies. */
#include "reply.h"

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

/* ---- small questions ------------------------------------------------------------------------------------------ */

bool rds_begins(struct larder_bytes text, const char *word) {
    const size_t len = strlen(word);
    return text.len >= len && memcmp(text.ptr, word, len) == 0 && (text.len == len || text.ptr[len] == ' ');
}

bool rds_is(const struct rds_reply *reply, const char *text) {
    const size_t len = strlen(text);
    return reply->text.len == len && (len == 0 || memcmp(reply->text.ptr, text, len) == 0);
}
