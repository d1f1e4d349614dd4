/*
 * Typed settings: text in, a filled configuration struct out (larder_param of driver.h).
 * Numbers take units: BYTES "64KB" "1.5GiB" (K = 1024 both ways), MS "500ms" "2s" "10min" "1h"
 * "1d" and plain milliseconds.  BOOL: true false yes no on off 1 0.
 */
#ifndef CORE_PARAM_H
#define CORE_PARAM_H

#include "larder/larder.h"

struct param_set;                    /* one configuration struct and the texts it points to */

/* A struct of config_size bytes with every preset in place. */
struct param_set *param_set_new(const struct larder_param *params, size_t n, size_t config_size);
struct param_set *param_set_free(struct param_set *set);    /* wipes secrets */
/* `who` ("driver s3", "the store") and `where` ("larder.json") appear in errors:
 * unknown setting 'bukcet' of driver s3 (larder.json), did you mean 'bucket'? */
int32_t param_set_text(struct param_set *set, const char *who, const char *where, const char *name,
                       const char *value, struct larder_error *error);
/* Names in `env` members of the table that are set in the environment, where nothing was set. */
int32_t param_set_env(struct param_set *set, const char *who, struct larder_error *error);
/* Every required setting is there: else an error that names it. */
int32_t param_set_check(const struct param_set *set, const char *who, struct larder_error *error);
const void *param_set_config(const struct param_set *set);

/* The known name nearest to `name` (edit distance), or NULL where none is near. */
const char *param_nearest(const struct larder_param *params, size_t n, const char *name);

/* "*** " in place of a secret; userinfo passwords and query secrets of a URL replaced.  Into
 * out, always terminated. */
void param_redact(const struct larder_param *param, const char *value, char *out, size_t size);

#endif
