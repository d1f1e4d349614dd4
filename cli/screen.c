#include "screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "clock.h"

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};
enum { N_SIGNALS = sizeof signals / sizeof signals[0] };

/* A signal handler can be told nothing, and there is one terminal. */
static struct {
    struct termios termios;
    sigset_t mask;
    struct sigaction actions[N_SIGNALS];
} before;
static volatile sig_atomic_t caught[N_SIGNALS];

static void note(int number) {
    for (size_t i = 0; i < N_SIGNALS; i++) {
        if (signals[i] == number)
            caught[i] = 1;
    }
}

static bool take(int number) {
    for (size_t i = 0; i < N_SIGNALS; i++) {
        if (signals[i] == number && caught[i]) {
            caught[i] = 0;
            return true;
        }
    }
    return false;
}

static bool says_utf8(void) {
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "UTF8");
    }
    return false;
}

static void measure(struct screen *screen) {
    struct winsize size;
    screen->columns = 80;
    screen->rows = 24;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        screen->columns = size.ws_col;
        screen->rows = size.ws_row;
    }
}

static void put(const char *text, size_t len) {
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, text, len);
        if (n < 0 && errno != EINTR)
            return; /* the terminal is gone; SIGHUP comes */
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

/* ---- in and out ------------------------------------------------------------------------------------ */

static bool set_terminal(void) {
    static const char other_screen[] = "\x1b[?1049h\x1b[?25l";
    struct termios raw = before.termios;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_iflag &= ~(tcflag_t)IXON; /* Ctrl-S would hold it up with its signals blocked */
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) != 0)
        return false;
    put(other_screen, sizeof other_screen - 1);
    return true;
}

static void reset_terminal(void) {
    static const char own_screen[] = "\x1b[0m\x1b[?25h\x1b[?1049l";
    put(own_screen, sizeof own_screen - 1);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before.termios);
}

bool screen_enter(struct screen *screen) {
    const char *no_colour = getenv("NO_COLOR");
    *screen = (struct screen){.utf8 = says_utf8(), .colour = no_colour == NULL || *no_colour == '\0'};
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before.termios) != 0)
        return false;
    struct sigaction action = {.sa_handler = note};
    sigset_t mask;
    sigemptyset(&mask);
    for (size_t i = 0; i < N_SIGNALS; i++) {
        sigaddset(&mask, signals[i]);
        caught[i] = 0;
        sigaction(signals[i], &action, &before.actions[i]);
    }
    /* They come while it waits and at no other time. */
    sigprocmask(SIG_BLOCK, &mask, &before.mask);
    measure(screen);
    if (set_terminal())
        return true;
    screen_leave(screen);
    return false;
}

void screen_leave(struct screen *screen) {
    reset_terminal();
    sigprocmask(SIG_SETMASK, &before.mask, NULL);
    for (size_t i = 0; i < N_SIGNALS; i++)
        sigaction(signals[i], &before.actions[i], NULL);
    free(screen->text);
    screen->text = NULL;
}

/* ---- waiting ------------------------------------------------------------------------------------------ */

/* Ctrl-Z: the shell gets its terminal as it was, and this gets it back later. */
static void stop(struct screen *screen) {
    reset_terminal();
    kill(getpid(), SIGSTOP);
    set_terminal();
    measure(screen);
}

static bool took_signal(struct screen *screen, enum screen_event *ret) {
    *ret = SCREEN_END;
    if (take(SIGINT) || take(SIGTERM) || take(SIGHUP) || take(SIGQUIT))
        return true;
    *ret = SCREEN_RESIZED;
    if (take(SIGTSTP)) {
        stop(screen);
        return true;
    }
    if (take(SIGWINCH)) {
        measure(screen);
        return true;
    }
    return false;
}

enum screen_event screen_wait(struct screen *screen, int64_t until_ms, char *ret_key) {
    struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
    enum screen_event event;
    for (;;) {
        int64_t left_ms = until_ms - clock_ms();
        if (left_ms < 0)
            left_ms = 0;
        struct timespec left = {.tv_sec = (time_t)(left_ms / 1000),
                                .tv_nsec = (long)(left_ms % 1000) * 1000000};
        int n = ppoll(&keys, 1, &left, &before.mask);
        if (took_signal(screen, &event))
            return event;
        if (n == 0)
            return SCREEN_TIME;
        if (n > 0 && read(STDIN_FILENO, ret_key, 1) == 1)
            return SCREEN_KEY;
        if (n > 0)
            return SCREEN_END; /* the terminal is gone */
    }
}

/* ---- the picture -------------------------------------------------------------------------------------- */

static void add(struct screen *screen, const char *text, size_t len) {
    if (screen->len + len > screen->room) {
        size_t room = (screen->len + len) * 2;
        char *grown = realloc(screen->text, room);
        if (grown == NULL)
            return; /* a part of the picture is missing */
        screen->text = grown;
        screen->room = room;
    }
    memcpy(screen->text + screen->len, text, len);
    screen->len += len;
}

static void add_text(struct screen *screen, const char *text) {
    add(screen, text, strlen(text));
}

void screen_begin(struct screen *screen) {
    screen->len = 0;
    screen->row = 0;
    add_text(screen, "\x1b[H");
}

/* As much of a line as there are columns for: an escape takes none, the bytes that go on a
 * character of UTF-8 none of their own. */
static size_t fitting(const char *line, size_t columns) {
    size_t i = 0, n = 0;
    while (line[i]) {
        if (line[i] == '\x1b') {
            i += strcspn(line + i, "m");
            i += line[i] != '\0';
            continue;
        }
        if (((unsigned char)line[i] & 0xc0) != 0x80 && n++ == columns)
            break;
        i++;
    }
    return i;
}

void screen_line(struct screen *screen, const char *format, ...) {
    char line[1024];
    va_list args;
    if (screen->row == screen->rows)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (screen->row++ > 0)
        add_text(screen, "\r\n");
    add(screen, line, fitting(line, screen->columns));
    add_text(screen, "\x1b[0m\x1b[K");
}

void screen_show(struct screen *screen) {
    add_text(screen, "\x1b[J");
    put(screen->text, screen->len);
}
