/* What the marks that a request has read say of an entry (docs/semantics.md, "The verdict"). */
#ifndef CORE_VERDICT_H
#define CORE_VERDICT_H

#include "mark_reader.h"

struct request;

/* The mark that was read for a tag.  NULL: it has none, it was not asked for, or the read failed. */
const struct larder_mark *mark_told(const struct mark_want *want, struct larder_bytes tag);

/* Over the namespace's mark, the request's own tags and the entry's; a guess that was wrong has
 * no say.  While marks cannot be read (r->in_outage), what this process knows of them counts as well.
 * Told to r's trace. */
uint32_t verdict_over(const struct request *r, int64_t epoch);

#endif
