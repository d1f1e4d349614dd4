/* The tags last seen with a key. */
#include "bytes.h"
#include "guess.h"
#include "unit.h"

static struct guess_table table;

static void a_guess_is_what_was_put_last(void) {
    struct larder_bytes tags[] = {bytes_of("a"), bytes_of(""), bytes_of("ccc")}, got[8];
    guess_put(&table, bytes_of("k"), tags, 3);
    CU_ASSERT(guess_get(&table, bytes_of("k"), got, 8) == 3);
    CU_ASSERT(bytes_equal(got[0], tags[0]) && bytes_equal(got[1], tags[1]) && bytes_equal(got[2], tags[2]));
    guess_put(&table, bytes_of("k"), tags, 1);
    CU_ASSERT(guess_get(&table, bytes_of("k"), got, 8) == 1);
    guess_put(&table, bytes_of("k"), NULL, 0);
    CU_ASSERT(guess_get(&table, bytes_of("k"), got, 8) == 0);
    guess_table_done(&table);
}

static void no_more_is_given_than_there_is_room_for(void) {
    struct larder_bytes tags[] = {bytes_of("a"), bytes_of("b")}, got[1];
    guess_put(&table, bytes_of("k"), tags, 2);
    CU_ASSERT(guess_get(&table, bytes_of("k"), got, 1) == 1);
    guess_table_done(&table);
}

static void another_key_in_the_same_slot_is_not_mistaken(void) {
    struct larder_bytes tag = bytes_of("t"), got[1];
    char name[24];
    size_t found = 0;
    guess_put(&table, bytes_of("k"), &tag, 1);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "other%d", i);
        found += guess_get(&table, bytes_of(name), got, 1);
    }
    CU_ASSERT(found == 0);
    guess_table_done(&table);
}

static void what_is_too_long_is_not_remembered(void) {
    static char text[GUESS_MAX_BYTES + 1];
    struct larder_bytes got[1], tag = {(const uint8_t *)text, sizeof(text)};
    guess_put(&table, bytes_of("k"), &tag, 1);
    CU_ASSERT(guess_get(&table, bytes_of("k"), got, 1) == 0);
    guess_table_done(&table);
}

UNIT_MAIN("guess", UNIT(a_guess_is_what_was_put_last), UNIT(no_more_is_given_than_there_is_room_for),
          UNIT(another_key_in_the_same_slot_is_not_mistaken), UNIT(what_is_too_long_is_not_remembered))
