/*
 * Typed settings: text in, a filled configuration struct out (larder_param of driver.h).
 * Numbers take units: BYTES "64KB" "1.5GiB" (K = 1024 both ways), MS "500ms" "2s" "10min" "1h"
 * "1d" and plain milliseconds.  BOOL: true false yes no on off 1 0.
 *
 * Pure but for param_set_env(); not for use of one set from two threads at once.
 */
#ifndef CORE_PARAM_H
#define CORE_PARAM_H

#include <stdbool.h>

#include "larder/larder.h"

struct param_set; /* one configuration struct and the texts it points to */

/* A struct of config_size bytes with every preset in place; NULL: no memory.  The table stays
 * the caller's, lives longer than the set, and has been checked (loader_check()). */
struct param_set *param_set_new(const struct larder_param *params, size_t n, size_t config_size);
struct param_set *param_set_free(struct param_set *set); /* wipes secrets; NULL is allowed */
/* `who` ("driver s3", "the store") and `where` ("larder.json") appear in errors:
 * unknown setting 'bukcet' of driver s3 (larder.json), did you mean 'bucket'? */
int32_t param_set_text(struct param_set *set, const char *who, const char *where, const char *name,
                       const char *value, struct larder_error *error);
/* Names in `env` members of the table that are set in the environment (and not empty), where
 * nothing was set. */
int32_t param_set_env(struct param_set *set, const char *who, struct larder_error *error);
/* Every required setting is there: else an error that names it. */
int32_t param_set_check(const struct param_set *set, const char *who, struct larder_error *error);
const void *param_set_config(const struct param_set *set);

/* What setting i of the table was set to, and where; NULL where its preset stands. */
const char *param_set_text_at(const struct param_set *set, size_t i);
const char *param_set_where_at(const struct param_set *set, size_t i);
/* Both sets are of one table, and every setting has the same value. */
bool param_set_equal(const struct param_set *a, const struct param_set *b);

/* The index of a name in a table; n where it is not there. */
size_t param_find(const struct larder_param *params, size_t n, const char *name);
/* The known name nearest to `name` (edit distance), or NULL where none is near. */
const char *param_nearest(const struct larder_param *params, size_t n, const char *name);
/* For param_nearest() over other lists of names: changes that turn one into the other; more
 * than any limit where one of them is very long. */
size_t param_distance(const char *a, const char *b);
/* Whether a name this far from what was written is worth suggesting. */
bool param_is_near(const char *written, size_t distance);

/* Whether a table's setting accepts value.  A number (and a BOOL, as 0 or 1) goes to
 * *ret_number; otherwise `why` says what is allowed: "is not one of: auto, on, off". */
bool param_accepts(const struct larder_param *param, const char *value, int64_t *ret_number, char *why,
                   size_t why_size);
bool param_is_number(const struct larder_param *param); /* INT, BYTES, MS, BOOL */
/* A number as param_accepts() reads it: "64KB", "2s", "true". */
void param_format(const struct larder_param *param, int64_t number, char *out, size_t size);

/* "***" in place of a secret; userinfo passwords and query secrets of a URL replaced.  param
 * NULL: any text that may hold a URL.  Into out, always terminated. */
void param_redact(const struct larder_param *param, const char *value, char *out, size_t size);
/* value for an error message: redacted, cut where it is long, on one line. */
enum { PARAM_SHOWN = 128 };
const char *param_shown(const struct larder_param *param, const char *value, char out[PARAM_SHOWN]);

#endif
