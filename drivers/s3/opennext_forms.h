/* Forms of single values in OpenNext's JSON.  Pure. */
#ifndef S3_OPENNEXT_FORMS_H
#define S3_OPENNEXT_FORMS_H

#include "json.h"

bool opennext_is_utf8(struct larder_bytes text);
/* Whether a body with these headers is kept in base64. */
bool opennext_is_binary(const struct json *headers);
void opennext_add_base64(struct aws_text *out, struct larder_bytes bytes);
/* Into memory of `memory`; false: it is none, or no memory. */
bool opennext_base64(struct larder_bytes text, struct json_memory *memory, struct larder_bytes *ret);

#endif
