/* What comes out of a run, for people and for programs. */
#ifndef CONFORMANCE_REPORT_H
#define CONFORMANCE_REPORT_H

#include <stdio.h>

#include "run.h"

/* While it runs: lines for people, or TAP. */
void console_begin(const struct run *run);
void console_began(const struct run *run, const struct outcome *o);
void console_ended(const struct run *run, const struct outcome *o);
void console_end(const struct run *run);

void tap_begin(const struct run *run);
void tap_ended(const struct run *run, const struct outcome *o);
void tap_end(const struct run *run);

/* Afterwards. */
void report_json(FILE *out, const struct run *run);
void report_junit(FILE *out, const struct run *run);
void report_markdown(FILE *out, const struct run *run);

#endif
