#include "result.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "phrase.h"

/* Held for the time of a write.  Also in a signal handler: the fault that it is about happened in
 * the driver's code, not in a thread that writes here. */
static pthread_mutex_t one_writer = PTHREAD_MUTEX_INITIALIZER;
static int out = -1;
static atomic_uint bad;

void result_to(int fd) {
    out = fd;
}

static void write_all(int fd, const char *bytes, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno != EINTR)
            return; /* whoever reads is gone */
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
    }
}

void result_say_text(enum result_kind kind, const char *text) {
    char record[RESULT_TEXT + 2];
    size_t len = strnlen(text, RESULT_TEXT);
    if (kind == RESULT_FAILURE || kind == RESULT_VIOLATION)
        atomic_fetch_add(&bad, 1);
    record[0] = (char)kind;
    memcpy(record + 1, text, len);
    record[1 + len] = out >= 0 ? '\0' : '\n';
    pthread_mutex_lock(&one_writer);
    if (out >= 0)
        write_all(out, record, len + 2);
    else if (kind != RESULT_END && kind != RESULT_WHERE)
        write_all(STDERR_FILENO, record + 1, len + 1);
    pthread_mutex_unlock(&one_writer);
}

void result_say(enum result_kind kind, const char *format, ...) {
    char text[RESULT_TEXT + 1];
    va_list args;
    va_start(args, format);
    if (vsnprintf(text, sizeof(text), format, args) < 0)
        text[0] = '\0';
    va_end(args);
    result_say_text(kind, text);
}

unsigned result_bad(void) {
    return atomic_load(&bad);
}

size_t result_parse(const char *bytes, size_t len, result_fn *fn, void *arg) {
    size_t used = 0;
    for (;;) {
        const char *end = memchr(bytes + used, '\0', len - used);
        if (!end)
            return used;
        if (end > bytes + used)
            fn(arg, (enum result_kind)bytes[used], bytes + used + 1);
        used = (size_t)(end - bytes) + 1;
    }
}
