/*
 * Which lines of the log go out: a store in trouble must not fill a disk.  A line that was said
 * within LOG_GATE_REPEAT_NS is not said again; of others, LOG_GATE_LINES in LOG_GATE_WINDOW_NS pass.
 * What is kept back is counted, and told with the next line that passes.  Not thread-safe.
 */
#ifndef CORE_LOG_GATE_H
#define CORE_LOG_GATE_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_GATE_REPEAT_NS UINT64_C(60000000000)
#define LOG_GATE_WINDOW_NS UINT64_C(10000000000)
enum { LOG_GATE_LINES = 50, LOG_GATE_RECENT = 64 };

struct log_gate { /* zeroed: nothing was said */
    struct {
        uint64_t hash; /* 0: none */
        uint64_t said_ns;
    } recent[LOG_GATE_RECENT]; /* by hash, the later over the earlier */
    uint64_t window_ns;        /* when the window began */
    uint32_t n_lines;          /* in it */
    uint64_t n_dropped;        /* since a line passed */
};

/* True: it is to be said, and before it that *ret_dropped others were not. */
bool log_gate_passes(struct log_gate *gate, const char *line, uint64_t now_ns, uint64_t *ret_dropped);

#endif
