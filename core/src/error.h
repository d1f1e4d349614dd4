/* Filling struct larder_error. */
#ifndef CORE_ERROR_H
#define CORE_ERROR_H

#include "larder/larder.h"

/* Sets *error (which may be NULL) and returns status, so that `return error_set(...)` reads
 * well.  The text is cut at LARDER_ERROR_TEXT, on a UTF-8 boundary. */
int32_t error_set(struct larder_error *error, int32_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
