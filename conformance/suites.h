/*
 * The themes of the suite, one file each, and what several of them need.  Each test works under
 * names of its own, needs nothing of the tests before it, and runs in a process of its own.
 */
#ifndef CONFORMANCE_SUITES_H
#define CONFORMANCE_SUITES_H

#include "drive.h"

/* In the order in which they run. */
extern const struct suite *const all_suites[];
extern const size_t n_suites;

static const struct larder_bytes NOTHING = {0};

/* Whether the driver is an incremental cache, a tag cache, or both. */
bool has_cache(void);
bool has_tags(void);

/* One instance for even numbers, the other for odd ones. */
struct backend *either(unsigned no);
/* A put that the other instance sees, and a mark.  Numbers rise under one key. */
void use_instance(struct backend *b, struct larder_bytes key, unsigned no);

/* ---- entries -------------------------------------------------------------------------- */

/* get(): its status, and in *ret what it tells but the value. */
int32_t get_op(struct backend *b, struct larder_bytes key, struct larder_result *ret);
int32_t remove_key(struct backend *b, struct larder_bytes key);

/* A value of this length, and times, that are told by one number; whether an answer is exactly
 * what was put so: one put's, never a mixture of two. */
struct op_inputs whole_put(struct larder_bytes key, size_t len, uint32_t no); /* slice_done() its value */
bool is_whole(const struct op *get, uint32_t *ret_no);

/* Entries with nothing in them under name(test, "%06u", first ...), many at a time; and away with
 * them.  False: an op failed. */
bool put_many(const char *test, unsigned first, unsigned n);
bool remove_many(const char *test, unsigned first, unsigned n);

/* ---- names -------------------------------------------------------------------------------- */

/* Whether a byte alone may stand in keys and tags (larder_info.key_bytes); whether all of a text. */
bool key_byte_allowed(int byte);
bool name_allowed(struct larder_bytes text);

/* Ends of names that were trouble somewhere: paths, NUL, controls, markup, UTF-8. */
extern const struct larder_bytes awkward[];
extern const size_t n_awkward;

/* ---- marks -------------------------------------------------------------------------------- */

bool is_exactly(const struct larder_mark *mark, int64_t expired, int64_t stale, int64_t expire_at_ms);

/* Whether two marks say the same at a time: a pair that is due may have moved into expired_epoch or
 * not. */
bool says_the_same(struct larder_mark a, struct larder_mark b, int64_t now_ms);

/* As many as one op takes, for as long as it needs.  The first status that is not LARDER_OK. */
int32_t write_marks(struct backend *b, const struct larder_mark *marks, size_t n);
/* What is stored for each tag of `ask`, in ret[i], with all unset where there is nothing.  False: an
 * error, or an answer to something that was not asked. */
bool read_marks(struct backend *b, const struct larder_mark *ask, size_t n, struct larder_mark *ret);

#endif
