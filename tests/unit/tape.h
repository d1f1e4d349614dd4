/* For tests of the reactor: what ran, as letters in order; and a reactor under a clock. */
#ifndef TESTS_TAPE_H
#define TESTS_TAPE_H

#include "fake_clock.h"
#include "unit.h"

/* What ran, as letters in order. */
struct tape {
    char text[256];
    size_t len;
};

static inline void tape_add(struct tape *tape, char letter) {
    if (tape->len < sizeof(tape->text) - 1)
        tape->text[tape->len++] = letter;
}

struct mark_on {
    struct tape *tape;
    char letter;
};

static inline void write_letter(void *arg) {
    struct mark_on *m = arg;
    tape_add(m->tape, m->letter);
}

static struct fake_clock clock_at = {.ns = 1000000000u, .ms = 1700000000000};

static inline struct reactor *stepped(void) {
    clock_at.ns = 1000000000u;
    struct reactor_clock clock = fake_clock_of(&clock_at);
    struct reactor *r = reactor_new(&clock);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    return r;
}

#endif
