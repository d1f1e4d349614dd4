/* A violation, a record and a result in words, and as JSON. */
#ifndef HISTORY_EXPLAIN_H
#define HISTORY_EXPLAIN_H

#include <stdio.h>

#include "check.h"

/* The shortest excerpt of the history that shows it. */
void explain(FILE *out, const struct history *h, const struct violation *v, int64_t start_ns);
void explain_result(FILE *out, const struct check_result *result);
/* One object; command may be NULL. */
void explain_json(FILE *out, const struct history *h, const struct check_result *result);
/* A record as one line, for `show`. */
void explain_record(FILE *out, const struct history *h, struct place place, int64_t start_ns);
/* In all rules. */
uint64_t violations_of(const struct check_result *result);

#endif
