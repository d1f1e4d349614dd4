/*
 * The tags last seen with an entry, by key: so that a get can ask for their marks at once, in
 * parallel with the entry.  A wrong guess costs a second read and nothing else.
 */
#ifndef CORE_GUESS_H
#define CORE_GUESS_H

#include "larder/larder.h"

enum { GUESS_SLOTS = 1024, GUESS_MAX_BYTES = 1024 }; /* a guess holds at most so many bytes */

struct guess;
struct guess_table {
    struct guess *slots[GUESS_SLOTS];
};

/* The tags guessed for a key, appended to out (room for max); they point into the table and are
 * good until the next guess_put().  Returns how many. */
size_t guess_get(const struct guess_table *table, struct larder_bytes key, struct larder_bytes *out,
                 size_t max);
void guess_put(struct guess_table *table, struct larder_bytes key, const struct larder_bytes *tags, size_t n);
void guess_table_done(struct guess_table *table);

#endif
