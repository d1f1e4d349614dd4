/* Lines for people: one way out of the process, the hook of larder_set_log(). */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <stdint.h>

/* One line, if its level is wanted and it was not said lately (log_gate.h).  Any thread. */
void log_line(int32_t level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A text of several lines that somebody asked for: neither the level nor the gate keeps it back. */
void log_text(int32_t level, const char *text);

/* The setting `log` of the store that was opened last: "error" ... "debug", "off".  At first "warn". */
void log_set_level(const char *name);

/* Tests: what the gate takes for the time; NULL: the machine's.  Not while anybody logs. */
void log_clock(uint64_t (*now_ns)(void));

#endif
