/* What an error of the server means for whoever asked; pure. */
#ifndef REDIS_ERROR_H
#define REDIS_ERROR_H

#include <stdbool.h>

#include "larder/driver.h"

struct rds_error {
    int32_t status;          /* LARDER_RETRY, LARDER_DENIED ... */
    uint32_t retry_after_ms; /* LARDER_THROTTLED */
};

/* text is that of the reply, from the word in capitals on. */
struct rds_error rds_error_of(struct larder_bytes text);

/* Whether it says that EVALSHA or EVAL is not for this user, or not there at all. */
bool rds_error_forbids_scripts(struct larder_bytes text);

/* The same as a line for people: without line ends, without what could be a secret or is not text; NUL-terminated. */
void rds_error_line(struct larder_bytes text, char *ret, size_t size);

#endif
