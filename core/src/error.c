#include "error.h"

#include "line.h"

int32_t error_set(struct larder_error *error, int32_t status, const char *format, ...) {
    if (error) {
        va_list args;
        va_start(args, format);
        line_format(error->text, sizeof(error->text), format, args);
        va_end(args);
        error->status = status;
    }
    return status;
}
