/* Text for people, cut to the size of its buffer. */
#ifndef CORE_LINE_H
#define CORE_LINE_H

#include <stdarg.h>
#include <stddef.h>

/* vsnprintf() that cuts on a UTF-8 boundary and leaves no control characters: one line. */
void line_format(char *out, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

#endif
