/* The input as Latin-1, as UTF-16 and as WTF-8: each comes back as it was. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "text.h"

static void *room(size_t bytes) {
    void *memory = malloc(bytes > 0 ? bytes : 1);
    CHECK(memory != NULL);
    return memory;
}

static void as_utf8(const uint8_t *data, size_t size) {
    struct text_shape shape = text_shape_of_utf8(data, size);
    if (!shape.valid)
        return;
    CHECK(shape.utf16_units <= size && (!shape.ascii || (shape.latin1 && shape.utf16_units == size)));
    uint16_t *wide = room(shape.utf16_units * sizeof(*wide));
    text_utf16_from_utf8(data, size, wide);
    CHECK(text_utf8_len_of_utf16(wide, shape.utf16_units) == size);
    uint8_t *back = room(size);
    text_utf8_from_utf16(wide, shape.utf16_units, back);
    CHECK(size == 0 || memcmp(back, data, size) == 0);
    if (shape.latin1) {
        uint8_t *narrow = room(shape.utf16_units);
        text_latin1_from_utf8(data, size, narrow);
        for (size_t i = 0; i < shape.utf16_units; i++)
            CHECK(narrow[i] == wide[i]);
        CHECK(text_utf8_len_of_latin1(narrow, shape.utf16_units) == size);
        text_utf8_from_latin1(narrow, shape.utf16_units, back);
        CHECK(size == 0 || memcmp(back, data, size) == 0);
        free(narrow);
    }
    free(back);
    free(wide);
}

static void as_utf16(const uint8_t *data, size_t size) {
    size_t units = size / 2;
    uint16_t *text = room(units * sizeof(*text)), *back = room(units * sizeof(*back));
    if (units > 0)
        memcpy(text, data, units * sizeof(*text));
    size_t len = text_utf8_len_of_utf16(text, units);
    uint8_t *utf8 = room(len);
    text_utf8_from_utf16(text, units, utf8);
    struct text_shape shape = text_shape_of_utf8(utf8, len);
    CHECK(shape.valid && shape.utf16_units == units);
    text_utf16_from_utf8(utf8, len, back);
    CHECK(units == 0 || memcmp(back, text, units * sizeof(*text)) == 0);
    free(utf8);
    free(text);
    free(back);
}

static void as_latin1(const uint8_t *data, size_t size) {
    size_t len = text_utf8_len_of_latin1(data, size);
    uint8_t *utf8 = room(len), *back = room(size);
    text_utf8_from_latin1(data, size, utf8);
    struct text_shape shape = text_shape_of_utf8(utf8, len);
    CHECK(shape.valid && shape.latin1 && shape.utf16_units == size);
    text_latin1_from_utf8(utf8, len, back);
    CHECK(size == 0 || memcmp(back, data, size) == 0);
    free(utf8);
    free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    as_utf8(data, size);
    as_utf16(data, size);
    as_latin1(data, size);
    return 0;
}
