/*
 * Output: keys and tags as text that can be typed again, JSON of one line per document, and
 * times for people.
 *
 * The notation of keys: what is printable UTF-8 stands for itself, a backslash is \\, any other
 * byte is \xNN.  JSON carries the same notation, since a JSON string holds no arbitrary bytes.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "larder/driver.h"

struct larder_bytes bytes_of_text(const char *text);
void escape_print(FILE *file, struct larder_bytes bytes);
/* Text of another process for a table: '?' for what is not printable ASCII, cut to size. */
const char *tame_text(const char *text, char *out, size_t size);
/* Back to bytes, in out (as long as text); *ret_len of them.  false: a backslash that begins
 * neither \\ nor \xNN. */
bool escape_read(const char *text, uint8_t *out, size_t *ret_len);

enum { JSON_DEPTH = 8 };

struct json {
    FILE *file;
    unsigned depth;
    bool some[JSON_DEPTH]; /* something stands at this depth already */
    char close[JSON_DEPTH];
};

/* name NULL: an element of an array, or the document.  The document ends with a newline. */
void json_object(struct json *json, const char *name);
void json_array(struct json *json, const char *name);
void json_end(struct json *json);
void json_text(struct json *json, const char *name, const char *text);
void json_bytes(struct json *json, const char *name, struct larder_bytes bytes); /* in the notation */
void json_utf8(struct json *json, const char *name,
               struct larder_bytes bytes); /* as it is; U+FFFD for what is not UTF-8 */
void json_number(struct json *json, const char *name, int64_t number);
void json_bool(struct json *json, const char *name, bool value);
void json_null(struct json *json, const char *name);

/* 2026-11-22T03:40:12.345Z */
enum { TIME_TEXT = 80 };
const char *time_text(int64_t ms, char out[TIME_TEXT]);
/* "1h", "90s", "5ms": the largest unit that divides. */
const char *duration_text(int64_t ms, char out[TIME_TEXT]);

#endif
