#include "grow.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void grow_init(struct grow *g, size_t room) {
    *g = (struct grow){.text = malloc(room), .room = room};
    g->failed = g->text == NULL;
    if (!g->failed)
        g->text[0] = 0;
}

static bool make_room(struct grow *g, size_t n) {
    size_t room = (g->len + n + 1) * 2;
    char *grown = realloc(g->text, room);
    if (grown == NULL) {
        g->failed = true;
        return false;
    }
    g->text = grown;
    g->room = room;
    return true;
}

void grow_put(struct grow *g, const char *format, ...) {
    va_list args;
    if (g->failed)
        return;
    va_start(args, format);
    int n = vsnprintf(g->text + g->len, g->room - g->len, format, args);
    va_end(args);
    if (n >= 0 && (size_t)n >= g->room - g->len) {
        if (!make_room(g, (size_t)n))
            return;
        va_start(args, format);
        n = vsnprintf(g->text + g->len, g->room - g->len, format, args);
        va_end(args);
    }
    g->len += n > 0 ? (size_t)n : 0;
}

void grow_put_escaped(struct grow *g, const char *text) {
    for (; *text != 0; text++) {
        if (*text == '"' || *text == '\\')
            grow_put(g, "\\%c", *text);
        else if (*text == '\n')
            grow_put(g, "%s", "\\n");
        else if ((unsigned char)*text >= 0x20)
            grow_put(g, "%c", *text);
    }
}

char *grow_take(struct grow *g) {
    char *text = g->text;
    if (g->failed) {
        free(text);
        text = NULL;
    }
    *g = (struct grow){.failed = true};
    return text;
}
