/* How a violation reads. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "phrase.h"
#include "result.h"
#include "strict_inside.h"

enum { MAX_REPORTS = 3 }; /* of one kind in one test: the fourth teaches nobody */

const char *violation_text(enum violation v) {
#define VIOLATION_TEXT(name, text) text,
    static const char *const texts[] = {VIOLATIONS(VIOLATION_TEXT)};
#undef VIOLATION_TEXT
    return texts[v];
}

const char *code_name(uint32_t code) {
    static const char *const names[] = {
        [LARDER_OP_GET] = "GET",
        [LARDER_OP_PUT] = "PUT",
        [LARDER_OP_REMOVE] = "REMOVE",
        [LARDER_OP_LIST] = "LIST",
        [LARDER_OP_CLAIM] = "CLAIM",
        [LARDER_OP_RELEASE] = "RELEASE",
        [LARDER_OP_TAGS_READ] = "TAGS_READ",
        [LARDER_OP_TAGS_WRITE] = "TAGS_WRITE",
        [LARDER_OP_ADVANCE] = "ADVANCE",
        [LARDER_OP_BUMP] = "BUMP",
        [LARDER_OP_LINK] = "LINK",
        [LARDER_OP_KEYS_OF] = "KEYS_OF",
        [LARDER_OP_TAGS_OF] = "TAGS_OF",
        [LARDER_OP_LIST_MARKS] = "LIST_MARKS",
        [LARDER_OP_PING] = "PING",
        [LARDER_OP_PROVISION] = "PROVISION",
        [LARDER_OP_EXPLAIN] = "EXPLAIN",
    };
    return code < N_ELEMENTS(names) && names[code] ? names[code] : "an unknown op";
}

void thread_name(char out[NAME_ROOM]) {
    char own[16] = "";
    if (strict.io_known && pthread_equal(pthread_self(), strict.io_thread)) {
        snprintf(out, NAME_ROOM, "the I/O thread");
    } else {
        pthread_getname_np(pthread_self(), own, sizeof(own));
        snprintf(out, NAME_ROOM, "%s %d", own, (int)gettid());
    }
}

/* Under the lock.  What repeats itself on one thread is one event; of too many the last ones stay. */
void event_add(struct strict_op *op, const char *what, int32_t status) {
    char thread[NAME_ROOM];
    thread_name(thread);
    struct event *last = op->n_events > 0 ? &op->events[op->n_events - 1] : NULL;
    if (last && last->what == what && last->status == status && strcmp(last->thread, thread) == 0) {
        last->times++;
        return;
    }
    if (op->n_events == MAX_EVENTS) {
        memmove(&op->events[1], &op->events[2], (MAX_EVENTS - 2) * sizeof(op->events[0]));
        op->n_events--;
        op->n_lost++;
    }
    struct event *e = &op->events[op->n_events++];
    *e = (struct event){.what = what, .status = status, .times = 1, .at_ns = strict.outer->now_ns()};
    memcpy(e->thread, thread, sizeof(e->thread));
}

static void add_history(struct phrase *text, const struct strict_op *op) {
    phrase_add(text, "\nop %" PRIu64 ", %s%s%s%s, instance %u:", op->as_given.id,
               code_name(op->as_given.code), op->key[0] ? " of \"" : "", op->key, op->key[0] ? "\"" : "",
               op->instance->no);
    for (unsigned i = 0; i < op->n_events; i++) {
        const struct event *e = &op->events[i];
        phrase_add(text, "\n  %9.3f ms  %s", (double)(e->at_ns - op->events[0].at_ns) / 1e6, e->what);
        if (strcmp(e->what, "completed") == 0)
            phrase_add(text, " %s", larder_status_name(e->status));
        if (e->times > 1)
            phrase_add(text, " %u times", e->times);
        phrase_add(text, " on %s", e->thread);
        if (i == 0 && op->n_lost > 0)
            phrase_add(text, "\n             (%u things left out)", op->n_lost);
    }
}

/* Takes no lock and no memory: it may be called by a signal handler. */
__attribute__((format(printf, 3, 0))) static void report(enum violation v, const struct strict_op *op,
                                                         const char *format, va_list args) {
    static atomic_uint reports[N_VIOLATIONS];
    if (atomic_fetch_add(&reports[v], 1) >= MAX_REPORTS)
        return;
    char line[1024], text[4000];
    if (vsnprintf(line, sizeof(line), format, args) < 0)
        line[0] = '\0';
    struct phrase phrase = phrase_begin(text, sizeof(text));
    phrase_add(&phrase, "%s: %s", violation_text(v), line);
    if (op)
        add_history(&phrase, op);
    result_say_text(RESULT_VIOLATION, text);
}

void violation(enum violation v, const struct strict_op *op, const char *format, ...) {
    va_list args;
    va_start(args, format);
    report(v, op, format, args);
    va_end(args);
}

void violation_end(enum violation v, const struct strict_op *op, const char *format, ...) {
    va_list args;
    va_start(args, format);
    report(v, op, format, args);
    va_end(args);
    _exit(EXIT_FAILURE);
}
