/* One line of text built in a buffer of fixed size: cut when full, always terminated. */
#ifndef CORE_PHRASE_H
#define CORE_PHRASE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct phrase {
    char *text;
    size_t size; /* of the buffer; at least 1 */
    size_t len;
};

static inline struct phrase phrase_begin(char *buffer, size_t size) {
    buffer[0] = '\0';
    return (struct phrase){buffer, size, 0};
}

__attribute__((format(printf, 2, 3))) static inline void phrase_add(struct phrase *phrase, const char *format,
                                                                    ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(phrase->text + phrase->len, phrase->size - phrase->len, format, args);
    va_end(args);
    if (n < 0)
        return;
    size_t left = phrase->size - phrase->len - 1;
    phrase->len += (size_t)n < left ? (size_t)n : left;
}

/* What an errno means, in a text that no other thread overwrites. */
static inline const char *errno_text(int number) {
#ifdef __GLIBC__
    const char *text = strerrordesc_np(number);
    return text ? text : "unknown error";
#else
    static _Thread_local char text[64];
    return strerror_r(number, text, sizeof text) == 0 ? text : "unknown error";
#endif
}

#endif
