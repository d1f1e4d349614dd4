/* What the marks that a request has read say of an entry (docs/semantics.md, "The verdict"). */
#ifndef CORE_VERDICT_H
#define CORE_VERDICT_H

#include <stdint.h>

struct request;

/* Over the namespace's mark, the request's own tags and the entry's; a guess that was wrong has
 * no say.  Told to r's trace. */
uint32_t verdict_over(const struct request *r, int64_t epoch);

#endif
