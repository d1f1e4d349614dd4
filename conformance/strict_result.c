/* What can be judged of a completion without knowing the store. */
#include <inttypes.h>
#include <string.h>

#include "strict_inside.h"

enum { MAX_SECRETS = 32, SHORTEST_SECRET = 4, LONGEST_TEXT = 1 << 16 };

static struct {
    const char *texts[MAX_SECRETS];
    size_t n;
} secrets;

void strict_secret(const char *text) {
    if (text && strlen(text) >= SHORTEST_SECRET && secrets.n < MAX_SECRETS)
        secrets.texts[secrets.n++] = text;
}

/* ---- texts ------------------------------------------------------------------------------- */

/* How many bytes the sequence at `at` has; 0: it is none of UTF-8 (RFC 3629). */
static size_t utf8_len(const uint8_t *at, size_t left) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (n == 1)
        return 1;
    if (at[0] < 0xc0 || at[0] > 0xf7 || n > left)
        return 0;
    uint32_t c = at[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (at[i] & 0x3fu);
    }
    return c >= smallest[n] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) ? n : 0;
}

void text_check(const struct strict_op *op, const char *what, const char *text, size_t len, bool one_line) {
    const uint8_t *bytes = (const uint8_t *)text;
    for (size_t i = 0; i < secrets.n; i++) {
        /* The secret itself is not repeated here either. */
        if (len > 0 && memmem(text, len, secrets.texts[i], strlen(secrets.texts[i])))
            violation(VIOLATION_SECRET, op, "%s has the value of a secret setting in it", what);
    }
    for (size_t at = 0; at < len;) {
        size_t n = utf8_len(bytes + at, len - at);
        bool control = bytes[at] < 0x20 && (one_line || (bytes[at] != '\n' && bytes[at] != '\t'));
        if (n == 0 || control || bytes[at] == 0x7f) {
            violation(VIOLATION_DETAIL, op, "%s has the byte 0x%02x at %zu", what, bytes[at], at);
            return;
        }
        at += n;
    }
}

/* ---- results ------------------------------------------------------------------------------- */

static bool may_miss(const struct strict_op *op) {
    switch (op->as_given.code) {
    case LARDER_OP_GET:
    case LARDER_OP_CLAIM:
    case LARDER_OP_RELEASE: return true;
    case LARDER_OP_PUT:
        return (op->as_given.flags & LARDER_IF_ABSENT) || (op->instance->info.traits & LARDER_NEWEST);
    case LARDER_OP_TAGS_WRITE: return op->as_given.flags & LARDER_IF_ABSENT;
    default: return false;
    }
}

static bool is_paged(uint32_t code) {
    return code == LARDER_OP_LIST || code == LARDER_OP_KEYS_OF || code == LARDER_OP_LIST_MARKS;
}

static void check_slice(const struct strict_op *op, const char *what, struct larder_slice slice) {
    if (slice.len > 0 && !slice.owner)
        violation(VIOLATION_VALUE_FOREIGN, op, "a %s of %zu bytes without an owner", what, slice.len);
}

void result_check(const struct strict_op *op, const struct larder_result *res) {
    const int32_t status = res->status;
    const uint32_t code = op->as_given.code;
    if (status > LARDER_MISS || status < LARDER_INTERNAL)
        violation(VIOLATION_STATUS, op, "the status %" PRId32, status);
    if (status == LARDER_MISS && !may_miss(op))
        violation(VIOLATION_MISS, op, "a %s answers OK or says what went wrong", code_name(code));
    if (status == LARDER_CANCELLED && !op->cancelled)
        violation(VIOLATION_CANCELLED, op, "nobody gave this op up");
    if (res->value.len > 0 || res->value.owner) {
        if (code != LARDER_OP_GET || status != LARDER_OK)
            violation(VIOLATION_VALUE_WITHOUT_OK, op, "a value of %zu bytes in the %s of a %s",
                      res->value.len, larder_status_name(status), code_name(code));
        check_slice(op, "value", res->value);
    }
    if (res->cursor.len > 0 || res->cursor.owner) {
        if (!is_paged(code) || status != LARDER_OK)
            violation(VIOLATION_CURSOR, op, "a cursor of %zu bytes in the %s of a %s", res->cursor.len,
                      larder_status_name(status), code_name(code));
        check_slice(op, "cursor", res->cursor);
    }
    if (res->detail)
        text_check(op, "the detail", res->detail, strnlen(res->detail, LONGEST_TEXT), true);
}
