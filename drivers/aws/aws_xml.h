/* One text out of an XML answer of S3 or STS, without a tree. */
#ifndef AWS_XML_H
#define AWS_XML_H

#include <stdbool.h>

#include "aws_text.h"

/* The text in the first element `name` (without attributes), its entities decoded, added to out.
 * False: there is none, it has elements within, or there is no memory. */
bool aws_xml_text(struct larder_bytes xml, const char *name, struct aws_text *out);
/* Adds the text that stands there, its entities decoded. */
void aws_xml_add_text(struct aws_text *out, struct larder_bytes text);

#endif
