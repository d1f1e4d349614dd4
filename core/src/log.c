#include "log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "larder/larder.h"
#include "line.h"

enum { LOG_LINE = 1024 };

/* The hook is called under the read lock: once larder_set_log() has returned, the function it
 * replaced is not running and is not called again, so its owner may go.  The hook must
 * therefore not call larder_set_log(). */
static struct {
    pthread_rwlock_t lock;
    atomic_bool wanted; /* without a hook nothing is formatted and no lock taken */
    void (*fn)(void *arg, int32_t level, const char *line);
    void *arg;
} hook = {.lock = PTHREAD_RWLOCK_INITIALIZER};

void larder_set_log(void (*log)(void *arg, int32_t level, const char *line), void *arg) {
    pthread_rwlock_wrlock(&hook.lock);
    hook.fn = log;
    hook.arg = arg;
    atomic_store_explicit(&hook.wanted, log != NULL, memory_order_relaxed);
    pthread_rwlock_unlock(&hook.lock);
}

void log_line(int32_t level, const char *format, ...) {
    if (!atomic_load_explicit(&hook.wanted, memory_order_relaxed))
        return;
    char line[LOG_LINE];
    va_list args;
    va_start(args, format);
    line_format(line, sizeof(line), format, args);
    va_end(args);

    pthread_rwlock_rdlock(&hook.lock);
    if (hook.fn)
        hook.fn(hook.arg, level, line);
    pthread_rwlock_unlock(&hook.lock);
}
