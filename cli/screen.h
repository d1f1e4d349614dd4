/*
 * A terminal as a screen that is drawn again and again: the other screen of the terminal, no cursor,
 * keys without Enter.  Everything is put back by screen_leave(), and signals that end or stop the
 * program are turned into an answer of screen_wait(), so that there is no other way out.
 */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct screen {
    bool utf8;   /* the terminal shows more than ASCII */
    bool colour; /* NO_COLOR is not set */
    size_t columns, rows;
    size_t row; /* that is written next */
    char *text; /* the picture so far */
    size_t len, room;
};

enum screen_event { SCREEN_TIME, SCREEN_KEY, SCREEN_RESIZED, SCREEN_END };

/* false: this is no terminal, or it cannot be set. */
bool screen_enter(struct screen *screen);
void screen_leave(struct screen *screen);

/* Waits until then (clock_ms()), or for something before.  *ret_key: of SCREEN_KEY. */
enum screen_event screen_wait(struct screen *screen, int64_t until_ms, char *ret_key);

/* Begins a picture, adds a line to it (cut at the right edge; none below the last row), shows it. */
void screen_begin(struct screen *screen);
void screen_line(struct screen *screen, const char *format, ...) __attribute__((format(printf, 2, 3)));
void screen_show(struct screen *screen);

#endif
