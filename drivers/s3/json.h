/* JSON as a tree, for values of OpenNext's.  Texts are WTF-8 (docs/frame.md): a lone surrogate survives.  Pure. */
#ifndef S3_JSON_H
#define S3_JSON_H

#include "aws_text.h"

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json { /* lent from the text, or from its memory */
    enum json_type type;
    struct larder_bytes name; /* of a member */
    struct larder_bytes text; /* STRING: decoded; NUMBER: as written */
    struct json *first, *next;
};

struct json_chunk;
struct json_memory { /* all zero: none yet */
    struct json_chunk *chunks;
    bool failed; /* no memory */
};
/* NULL: no memory. */
void *json_alloc(struct json_memory *memory, size_t len);
void json_memory_done(struct json_memory *memory);

/* NULL: it is no JSON, is nested deeper than 200, or memory->failed. */
struct json *json_parse(struct larder_bytes text, struct json_memory *memory);
/* The member; NULL: it is not there, or node is no object (or NULL). */
const struct json *json_get(const struct json *node, const char *name);
/* The text of the member `name`, if it is one. */
bool json_text(const struct json *node, const char *name, struct larder_bytes *ret);

/* "text", as JSON.stringify() writes it. */
void json_add_string(struct aws_text *out, struct larder_bytes text);
/* The same of what is put in by pieces, between quotes of the caller's. */
void json_add_escaped(struct aws_text *out, struct larder_bytes text);
/* A whole tree. */
void json_add(struct aws_text *out, const struct json *node);

#endif
