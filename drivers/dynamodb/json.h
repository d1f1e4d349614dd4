/*
 * Reading the JSON of replies.  A cursor over the bytes that came, without a tree and without memory of
 * its own: strings are told as they stand there, so that a value of 400 KB is found by two memchr() and
 * decoded once, into where it is wanted.  (cJSON takes 250 us for such a reply and ends a string at its
 * first \u0000, which a key may have.)
 *
 * What comes is not believed: anything that is no JSON, or nested too deeply, makes the cursor `bad`,
 * and then every call says that there is nothing more.  So loops end, and one look at `bad` behind
 * them is enough.
 */
#ifndef DYNAMODB_JSON_H
#define DYNAMODB_JSON_H

#include <stdbool.h>

#include "larder/driver.h"

struct ddb_json {
    const uint8_t *at, *end;
    bool bad;
};

static inline struct ddb_json ddb_json_of(struct larder_bytes bytes) {
    static const uint8_t none[1];
    const uint8_t *ptr = bytes.len > 0 ? bytes.ptr : none;
    return (struct ddb_json){.at = ptr, .end = ptr + bytes.len};
}

/*
 * An object is read so; each value must be read or skipped:
 *
 *     for (bool first = ddb_json_enter(&j, '{'); ddb_json_member(&j, &first, &name);)
 *         if (ddb_json_is(name, "Item")) read_it(&j); else ddb_json_skip(&j);
 *
 * and an array with '[' and ddb_json_element().
 */
bool ddb_json_enter(struct ddb_json *j, char open);
bool ddb_json_member(struct ddb_json *j, bool *first, struct larder_bytes *ret_name);
bool ddb_json_element(struct ddb_json *j, bool *first);

/* The string at the cursor, as it stands between its quotes. */
bool ddb_json_string(struct ddb_json *j, struct larder_bytes *ret_raw);
/* Any value; ret_raw (may be NULL): its bytes. */
bool ddb_json_skip(struct ddb_json *j, struct larder_bytes *ret_raw);
/* Whether nothing but white space is left, and all before was right. */
bool ddb_json_ended(struct ddb_json *j);

/* 0 to 15; -1: it is none. */
int ddb_hex_digit(uint8_t c);
/* Whether a raw string is this text of plain characters. */
bool ddb_json_is(struct larder_bytes raw, const char *text);
/* The characters of a raw string as UTF-8 into out; false: longer than size, a bad escape, or half a
 * surrogate pair.  Bytes outside of escapes are taken as they are. */
bool ddb_json_unescape(struct larder_bytes raw, uint8_t *out, size_t size, size_t *ret_len);
/* A raw string that is an integer, as DynamoDB writes numbers. */
bool ddb_json_integer(struct larder_bytes raw, int64_t *ret);

#endif
