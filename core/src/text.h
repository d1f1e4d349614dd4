/*
 * Transcoding between what V8 holds (Latin-1, UTF-16) and what is stored (UTF-8, generalised to
 * lone surrogates: WTF-8, https://simonsapin.github.io/wtf-8/).  Lossless both ways.
 */
#ifndef CORE_TEXT_H
#define CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that the WTF-8 form takes. */
size_t text_utf8_len_of_utf16(const uint16_t *text, size_t units);
size_t text_utf8_len_of_latin1(const uint8_t *text, size_t len);
/* Write exactly that many. */
void text_utf8_from_utf16(const uint16_t *text, size_t units, uint8_t *out);
void text_utf8_from_latin1(const uint8_t *text, size_t len, uint8_t *out);

/* What a WTF-8 text needs in V8.  valid false: not WTF-8. */
struct text_shape {
    bool valid;
    bool ascii;
    bool latin1; /* no code point above 255 */
    size_t utf16_units;
};
struct text_shape text_shape_of_utf8(const uint8_t *text, size_t len);
/* For a text of a valid shape; latin1: out takes utf16_units bytes. */
void text_latin1_from_utf8(const uint8_t *text, size_t len, uint8_t *out);
void text_utf16_from_utf8(const uint8_t *text, size_t len, uint16_t *out);

#endif
