/*
 * The body of a request as it is written: JSON, with keys escaped and values in base64.  A buffer that
 * grows; one that could not grow stays `failed`, so that a row of calls needs one look at its end.
 */
#ifndef DYNAMODB_TEXT_H
#define DYNAMODB_TEXT_H

#include <stdbool.h>

#include "larder/driver.h"

struct ddb_text { /* begins zeroed */
    uint8_t *ptr;
    size_t len, size;
    bool failed; /* no memory: what was written is not all */
};

void ddb_text_done(struct ddb_text *t);
/* Room for so many more bytes, all at once. */
void ddb_text_reserve(struct ddb_text *t, size_t more);

void ddb_text_add(struct ddb_text *t, struct larder_bytes bytes);
/* JSON as a C string in which ' stands for ", so that it can be read. */
void ddb_text_json(struct ddb_text *t, const char *json);
/* What stands between the quotes of a string; utf8 is well-formed. */
void ddb_text_escaped(struct ddb_text *t, struct larder_bytes utf8);
void ddb_text_number(struct ddb_text *t, int64_t number);
void ddb_text_base64(struct ddb_text *t, struct larder_bytes bytes);

static inline struct larder_bytes ddb_bytes_of(const char *text) {
    return (struct larder_bytes){(const uint8_t *)text, __builtin_strlen(text)};
}

#endif
