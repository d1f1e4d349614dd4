/*
 * The themes of the suite, one file each, and what several of them need.  Each test works under
 * names of its own and needs nothing of the tests before it.
 */
#ifndef CONFORMANCE_SUITES_H
#define CONFORMANCE_SUITES_H

#include "drive.h"

/* In the order in which they run. */
extern const struct suite *const all_suites[];
extern const size_t n_suites;

/* Whether the driver is an incremental cache, a tag cache, or both. */
bool has_cache(void);
bool has_tags(void);

/* get(): its status, and in *ret what it tells but the value. */
int32_t get_op(struct backend *b, struct larder_bytes key, struct larder_result *ret);

/* Whether a byte alone may stand in keys and tags (larder_info.key_bytes). */
bool key_byte_allowed(int byte);

bool is_exactly(const struct larder_mark *mark, int64_t expired, int64_t stale, int64_t expire_at_ms);

#endif
