#include <string.h>

#include "error.h"
#include "unit.h"

static void an_error_carries_its_class_and_one_formatted_line(void) {
    struct larder_error error = {0};
    CU_ASSERT_EQUAL(error_set(&error, LARDER_INVALID, "setting '%s' is %d", "lanes", 7), LARDER_INVALID);
    CU_ASSERT_EQUAL(error.status, LARDER_INVALID);
    CU_ASSERT_STRING_EQUAL(error.text, "setting 'lanes' is 7");
}

static void nobody_has_to_want_the_error(void) {
    CU_ASSERT_EQUAL(error_set(NULL, LARDER_NOMEM, "%d", 1), LARDER_NOMEM);
}

static void line_breaks_from_outside_do_not_make_a_second_line(void) {
    struct larder_error error;
    error_set(&error, LARDER_INVALID, "a\nb\r\tc\x1b[31m\x7f");
    CU_ASSERT_STRING_EQUAL(error.text, "a b  c [31m ");
}

/* Fills the text up to the last `room` bytes and then appends `tail`. */
static void fill(struct larder_error *error, size_t room, const char *tail) {
    char text[LARDER_ERROR_TEXT + 16];
    size_t n = LARDER_ERROR_TEXT - 1 - room;
    memset(text, 'x', n);
    memcpy(text + n, tail, strlen(tail) + 1);
    error_set(error, LARDER_INTERNAL, "%s", text);
}

static void a_long_text_is_cut_where_no_character_is_split(void) {
    static const char *const sequences[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x8d\xb0"};
    struct larder_error error;
    for (size_t i = 0; i < 3; i++) {
        size_t len = strlen(sequences[i]);
        for (size_t room = 0; room < len; room++) {
            fill(&error, room, sequences[i]);
            CU_ASSERT_EQUAL(strlen(error.text), LARDER_ERROR_TEXT - 1 - room);
        }
        fill(&error, len, sequences[i]);
        CU_ASSERT_EQUAL(strlen(error.text), LARDER_ERROR_TEXT - 1);
        /* Whole, and more behind it: it stays. */
        char tail[16];
        snprintf(tail, sizeof(tail), "%syyy", sequences[i]);
        fill(&error, len, tail);
        CU_ASSERT_EQUAL(strlen(error.text), LARDER_ERROR_TEXT - 1);
    }
}

static void bytes_that_are_not_utf8_are_cut_as_they_are(void) {
    struct larder_error error;
    fill(&error, 4, "\x80\x80\x80\x80\x80\x80\x80");
    CU_ASSERT_EQUAL(strlen(error.text), LARDER_ERROR_TEXT - 1);
}

static void every_status_and_kind_has_its_own_word(void) {
    for (int32_t a = LARDER_INTERNAL; a <= LARDER_MISS; a++) {
        CU_ASSERT_STRING_NOT_EQUAL(larder_status_name(a), "unknown");
        for (int32_t b = a + 1; b <= LARDER_MISS; b++)
            CU_ASSERT_STRING_NOT_EQUAL(larder_status_name(a), larder_status_name(b));
    }
    CU_ASSERT_STRING_EQUAL(larder_status_name(LARDER_INTERNAL - 1), "unknown");
    CU_ASSERT_STRING_EQUAL(larder_status_name(2), "unknown");
    CU_ASSERT_STRING_EQUAL(larder_status_name(LARDER_MISS), "miss");
    CU_ASSERT_STRING_EQUAL(larder_status_name(LARDER_DEADLINE), "deadline");
    CU_ASSERT_STRING_EQUAL(larder_kind_name(LARDER_PAGE), "page");
    CU_ASSERT_STRING_EQUAL(larder_kind_name(LARDER_USE_CACHE), "use-cache");
    CU_ASSERT_PTR_NULL(larder_kind_name(0));
    CU_ASSERT_PTR_NULL(larder_kind_name(LARDER_N_KINDS));
    CU_ASSERT_PTR_NULL(larder_kind_name(UINT32_MAX));
}

UNIT_MAIN("error", UNIT(an_error_carries_its_class_and_one_formatted_line),
          UNIT(nobody_has_to_want_the_error), UNIT(line_breaks_from_outside_do_not_make_a_second_line),
          UNIT(a_long_text_is_cut_where_no_character_is_split),
          UNIT(bytes_that_are_not_utf8_are_cut_as_they_are), UNIT(every_status_and_kind_has_its_own_word))
