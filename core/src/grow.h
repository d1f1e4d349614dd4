/* Text that grows as it is written.  Where memory ends, nothing more is added and `failed` says so. */
#ifndef CORE_GROW_H
#define CORE_GROW_H

#include <stdbool.h>
#include <stddef.h>

struct grow {
    char *text; /* with a NUL behind it; NULL before grow_init() or where that failed */
    size_t len, room;
    bool failed;
};

void grow_init(struct grow *g, size_t room);
void grow_put(struct grow *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* As the inside of a string of JSON, or of a label of Prometheus, which knows the same escapes;
 * other control characters are left out. */
void grow_put_escaped(struct grow *g, const char *text);
/* The text, now the caller's to free(); NULL: no memory. */
char *grow_take(struct grow *g);

#endif
