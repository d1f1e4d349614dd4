/* The members of one JSON object, without a tree: errors and credentials are flat objects. */
#ifndef AWS_JSON_H
#define AWS_JSON_H

#include <stdbool.h>

#include "aws_text.h"

/* The text or number of the member `name` of the object in `json`, decoded, added to out.  False: it
 * is not there, is no text or number, json is no object as far as it was read, or there is no memory. */
bool aws_json_member(struct larder_bytes json, const char *name, struct aws_text *out);

#endif
