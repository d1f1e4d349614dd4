#include "line.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* How many bytes a sequence has that begins with this byte; 1 for what cannot begin one. */
static size_t sequence_len(uint8_t lead) {
    if (lead >= 0xf0)
        return 4;
    if (lead >= 0xe0)
        return 3;
    return lead >= 0xc0 ? 2 : 1;
}

/* A text that was cut at len: where its last whole sequence ends. */
static size_t whole_len(const char *text, size_t len) {
    size_t at = len;
    while (at > 0 && len - at < 3 && ((uint8_t)text[at - 1] & 0xc0) == 0x80)
        at--;
    if (at == 0)
        return len;
    at--;
    return sequence_len((uint8_t)text[at]) > len - at ? at : len;
}

void line_format(char *out, size_t size, const char *format, va_list args) {
    int n = vsnprintf(out, size, format, args);
    if (n < 0)
        out[0] = '\0';
    size_t len = strlen(out);
    if (n > 0 && (size_t)n > len) {
        len = whole_len(out, len);
        out[len] = '\0';
    }
    for (size_t i = 0; i < len; i++) {
        if ((uint8_t)out[i] < 0x20 || out[i] == 0x7f)
            out[i] = ' ';
    }
}
