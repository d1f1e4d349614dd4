/*
 * Text that grows.  A failure (no memory, over the limit) sticks: a whole line is put together and
 * asked once, at its end, whether it is there.  Always NUL-terminated.
 */
#ifndef AWS_TEXT_H
#define AWS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "larder/driver.h"

struct aws_text { /* all zero: empty */
    char *ptr;    /* NULL until something was added */
    size_t len;
    size_t room;
    bool failed;
};

void aws_text_add(struct aws_text *t, const void *bytes, size_t len);
void aws_text_adds(struct aws_text *t, const char *text);
/* Empty again; the memory is kept for what comes next. */
void aws_text_clear(struct aws_text *t);
/* Overwrites the memory before it is given back: it may have held a secret. */
void aws_text_done(struct aws_text *t);

/* A copy, NUL-terminated, of `text` (NULL: of nothing) in *ret.  False: no memory. */
bool aws_copy(char **ret, const char *text);
bool aws_copy_bytes(char **ret, struct larder_bytes bytes);
/* Overwrites and frees a text; NULL is allowed.  *text is NULL afterwards. */
void aws_wipe(char **text);

/* Whether `bytes` is exactly `text`. */
bool aws_is(struct larder_bytes bytes, const char *text);
struct larder_bytes aws_bytes(const char *text);
/* The text, or "" for NULL. */
static inline const char *aws_or_empty(const char *text) {
    return text ? text : "";
}
/* Neither NULL nor empty: environments set a variable to "" to unset it. */
static inline bool aws_given(const char *text) {
    return text && text[0] != '\0';
}

/* Into out: one line of printable ASCII, shortened to size - 1 bytes.  For details and logs. */
void aws_one_line(char *out, size_t size, struct larder_bytes text);

#endif
