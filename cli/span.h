/*
 * JSON that is not unfolded: a value is the span of its text, checked when it is found.  For the output of
 * `next build`, of which most is passed on as it is, and whose manifest may list 100,000 pages.
 */
#ifndef CLI_SPAN_H
#define CLI_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "larder/driver.h"

enum span_type {
    SPAN_NONE,
    SPAN_NULL,
    SPAN_FALSE,
    SPAN_TRUE,
    SPAN_NUMBER,
    SPAN_TEXT,
    SPAN_ARRAY,
    SPAN_OBJECT
};

struct span {
    enum span_type type; /* SPAN_NONE: there is none */
    struct larder_bytes text;
};

/* The one value of a document; *ret_at: where it ends to be JSON.  false: it is none. */
bool span_document(struct larder_bytes document, struct span *ret, size_t *ret_at);

/* Members of an object, or elements of an array (name is SPAN_NONE then), in their order.  Begin with zeroes. */
struct span_walk {
    size_t at;
    struct span name, value;
};
bool span_next(struct span container, struct span_walk *walk);
/* The last member of that name; SPAN_NONE: there is none, or it is no object. */
struct span span_member(struct span object, const char *name);
bool span_is_text(struct span text, const char *expected);

/* A text's characters as WTF-8 (docs/frame.md) into out, which has room for text.text.len bytes. */
size_t span_characters(struct span text, uint8_t *out);
bool span_has_escapes(struct span text);
/* A number; false: it is none. */
bool span_number(struct span value, double *ret);

#endif
