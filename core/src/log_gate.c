#include "log_gate.h"

#include <string.h>

#include "hash.h"

bool log_gate_passes(struct log_gate *gate, const char *line, uint64_t now_ns, uint64_t *ret_dropped) {
    uint64_t hash = hash_64(line, strlen(line)) | 1;
    size_t at = (size_t)(hash >> 1) % LOG_GATE_RECENT;
    bool repeated = gate->recent[at].hash == hash && now_ns - gate->recent[at].said_ns < LOG_GATE_REPEAT_NS;
    if (now_ns - gate->window_ns >= LOG_GATE_WINDOW_NS) {
        gate->window_ns = now_ns;
        gate->n_lines = 0;
    }
    if (repeated || gate->n_lines == LOG_GATE_LINES) {
        gate->n_dropped++;
        return false;
    }
    gate->n_lines++;
    gate->recent[at].hash = hash;
    gate->recent[at].said_ns = now_ns;
    *ret_dropped = gate->n_dropped;
    gate->n_dropped = 0;
    return true;
}
