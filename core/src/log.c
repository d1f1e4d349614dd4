#include "log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "larder/larder.h"
#include "line.h"
#include "log_gate.h"

enum { LOG_LINE = 1024 };

/* The hook is called under the read lock: once larder_set_log() has returned, the function it
 * replaced is not running and is not called again, so its owner may go.  The hook must
 * therefore not call larder_set_log(). */
static struct {
    pthread_rwlock_t lock;
    atomic_bool wanted;   /* without a hook nothing is formatted and no lock taken */
    _Atomic int32_t most; /* lines of a higher level are not wanted */
    void (*fn)(void *arg, int32_t level, const char *line);
    void *arg;
    pthread_mutex_t gate_lock;
    struct log_gate gate;
    uint64_t (*clock)(void);
} hook = {
    .lock = PTHREAD_RWLOCK_INITIALIZER, .most = LARDER_LOG_WARN, .gate_lock = PTHREAD_MUTEX_INITIALIZER};

void log_clock(uint64_t (*now_ns)(void)) {
    hook.clock = now_ns;
}

static uint64_t now_ns(void) {
    struct timespec now;
    if (hook.clock != NULL)
        return hook.clock();
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void log_set_level(const char *name) {
    int32_t most = LARDER_LOG_DEBUG;
    while (most >= 0 && strcmp(larder_log_level_name(most), name) != 0)
        most--;
    atomic_store_explicit(&hook.most, most, memory_order_relaxed); /* "off": -1 */
}

void larder_set_log(void (*log)(void *arg, int32_t level, const char *line), void *arg) {
    pthread_rwlock_wrlock(&hook.lock);
    hook.fn = log;
    hook.arg = arg;
    hook.gate = (struct log_gate){0}; /* it has heard nothing yet */
    atomic_store_explicit(&hook.wanted, log != NULL, memory_order_relaxed);
    pthread_rwlock_unlock(&hook.lock);
}

/* Under the read lock, with a hook. */
static void say(int32_t level, const char *line) {
    char note[96];
    uint64_t n_dropped;
    pthread_mutex_lock(&hook.gate_lock);
    bool passes = log_gate_passes(&hook.gate, line, now_ns(), &n_dropped);
    pthread_mutex_unlock(&hook.gate_lock);
    if (!passes)
        return;
    if (n_dropped > 0) {
        snprintf(note, sizeof(note), "%llu line%s dropped (repeated, or more than %d in %d s)",
                 (unsigned long long)n_dropped, n_dropped == 1 ? "" : "s", LOG_GATE_LINES,
                 (int)(LOG_GATE_WINDOW_NS / 1000000000u));
        hook.fn(hook.arg, level, note);
    }
    hook.fn(hook.arg, level, line);
}

void log_line(int32_t level, const char *format, ...) {
    if (!atomic_load_explicit(&hook.wanted, memory_order_relaxed) ||
        level > atomic_load_explicit(&hook.most, memory_order_relaxed))
        return;
    char line[LOG_LINE];
    va_list args;
    va_start(args, format);
    line_format(line, sizeof(line), format, args);
    va_end(args);

    pthread_rwlock_rdlock(&hook.lock);
    if (hook.fn)
        say(level, line);
    pthread_rwlock_unlock(&hook.lock);
}

void log_text(int32_t level, const char *text) {
    pthread_rwlock_rdlock(&hook.lock);
    if (hook.fn)
        hook.fn(hook.arg, level, text);
    pthread_rwlock_unlock(&hook.lock);
}
