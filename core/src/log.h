/* The process-wide log hook (larder_set_log). */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <stdint.h>

void log_line(int32_t level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
