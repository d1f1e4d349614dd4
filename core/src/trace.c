#include "trace.h"

#include <stdlib.h>

#include "bytes.h"
#include "line.h"
#include "log.h"
#include "phrase.h"

enum { MOST_STEPS = 64, STEP_TEXT = 160, HEAD_TEXT = 512, SHOWN_TAGS = 5, PER_SECOND = 20 };
static const uint64_t US = 1000u, SECOND = 1000000000u;

struct trace {
    uint32_t refs; /* atomic */
    bool closed;
    struct reactor *reactor;
    uint64_t began_ns;
    size_t n;
    size_t n_missed; /* steps that had no room */
    char head[HEAD_TEXT];
    struct larder_step steps[MOST_STEPS];
    char texts[MOST_STEPS][STEP_TEXT];
};

/* ---- names -------------------------------------------------------------------------------- */

static bool is_inside_character(uint8_t byte) {
    return (byte & 0xc0) == 0x80;
}

struct trace_name trace_name(struct larder_bytes bytes) {
    enum { FIRST = 40, LAST = 20 };
    struct trace_name name = {0};
    struct phrase out = phrase_begin(name.text, sizeof(name.text));
    size_t first = bytes.len, last = bytes.len;
    if (bytes.len > FIRST + LAST) {
        first = FIRST;
        last = bytes.len - LAST;
        while (first > FIRST - 3 && is_inside_character(bytes.ptr[first]))
            first--;
        while (last < bytes.len && is_inside_character(bytes.ptr[last]))
            last++;
    }
    phrase_add(&out, "\"%.*s", (int)first, bytes.len > 0 ? (const char *)bytes.ptr : "");
    if (last < bytes.len)
        phrase_add(&out, "...%.*s", (int)(bytes.len - last), (const char *)bytes.ptr + last);
    phrase_add(&out, "\"");
    return name;
}

static const char *what_of(const struct larder_request *request) {
    static const char *const names[] = {
        [LARDER_DO_GET] = "get",
        [LARDER_DO_PUT] = "put",
        [LARDER_DO_REMOVE] = "remove",
        [LARDER_DO_LIST] = "list",
        [LARDER_DO_READ_TAGS] = "tags",
        [LARDER_DO_REVALIDATE] = "revalidate",
        [LARDER_DO_CHECK] = "check",
        [LARDER_DO_EPOCH] = "epoch",
        [LARDER_DO_LINK] = "link",
        [LARDER_DO_KEYS_OF] = "keys-of",
        [LARDER_DO_TAGS_OF] = "tags-of",
        [LARDER_DO_LIST_TAGS] = "list-tags",
        [LARDER_DO_PING] = "ping",
        [LARDER_DO_PROVISION] = "provision",
        [LARDER_DO_EXPLAIN] = "explain",
        [LARDER_DO_BUILDS] = "builds",
        [LARDER_DO_NOTE_BUILD] = "note-build",
    };
    return names[request->code];
}

/* ---- what is traced -------------------------------------------------------------------------- */

static bool has_part(struct larder_bytes bytes, const char *part) {
    return bytes.len > 0 && memmem(bytes.ptr, bytes.len, part, strlen(part)) != NULL;
}

/* A put has its key in the entry, a revalidation has none. */
static struct larder_bytes key_of(const struct larder_request *request) {
    return request->code == LARDER_DO_PUT ? request->entry->key : request->key;
}

static bool is_chosen(const char *chosen, const struct larder_request *request) {
    if (strcmp(chosen, "1") == 0)
        return true;
    bool found = has_part(key_of(request), chosen);
    for (size_t i = 0; request->code == LARDER_DO_REVALIDATE && i < request->n_tags && !found; i++)
        found = has_part(request->tags[i], chosen);
    return found;
}

/* About: two threads that see a new second may each let a few more pass. */
static bool passes(struct trace_gate *gate, uint64_t now_ns) {
    uint64_t second = now_ns / SECOND + 1;
    if (__atomic_exchange_n(&gate->second, second, __ATOMIC_RELAXED) != second)
        __atomic_store_n(&gate->begun, 0, __ATOMIC_RELAXED);
    if (__atomic_fetch_add(&gate->begun, 1, __ATOMIC_RELAXED) < PER_SECOND)
        return true;
    __atomic_fetch_add(&gate->missed, 1, __ATOMIC_RELAXED);
    return false;
}

/* ---- beginning and end ------------------------------------------------------------------------- */

static void add_tags(struct phrase *head, const struct larder_bytes *tags, size_t n) {
    for (size_t i = 0; i < n && i < SHOWN_TAGS; i++)
        phrase_add(head, "%s%s", i > 0 ? ", " : n == 1 ? " tag " : " tags ", trace_name(tags[i]).text);
    if (n > SHOWN_TAGS)
        phrase_add(head, " and %zu more", n - SHOWN_TAGS);
}

static void write_head(char out[HEAD_TEXT], const struct larder_request *request) {
    uint32_t kind = request->code == LARDER_DO_PUT ? request->entry->kind : request->kind;
    struct larder_bytes key = key_of(request);
    struct phrase head = phrase_begin(out, HEAD_TEXT);
    phrase_add(&head, "%s", what_of(request));
    if (larder_kind_name(kind) != NULL)
        phrase_add(&head, " %s", larder_kind_name(kind));
    if (key.len > 0)
        phrase_add(&head, " %s", trace_name(key).text);
    if (request->build.len > 0)
        phrase_add(&head, " of build %s", trace_name(request->build).text);
    if (request->code == LARDER_DO_PUT)
        add_tags(&head, request->entry->tags, request->entry->n_tags);
    else
        add_tags(&head, request->tags, request->n_tags);
}

static void clean(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void clean(char *text, size_t size, const char *format, ...) {
    va_list args;
    va_start(args, format);
    line_format(text, size, format, args);
    va_end(args);
}

struct trace *trace_of(struct reactor *r, struct trace_gate *gate, const char *chosen,
                       const struct larder_request *request) {
    bool asked = (request->flags & LARDER_F_TRACE) != 0;
    uint64_t now_ns = reactor_now_ns(r);
    if (!asked && !(is_chosen(chosen, request) && passes(gate, now_ns)))
        return NULL;
    struct trace *trace = malloc(sizeof(*trace));
    if (trace == NULL)
        return NULL;
    char head[HEAD_TEXT];
    uint32_t missed = asked ? 0 : __atomic_exchange_n(&gate->missed, 0, __ATOMIC_RELAXED);
    memset(trace, 0, offsetof(struct trace, steps));
    trace->refs = 1;
    trace->reactor = r;
    trace->began_ns = now_ns;
    write_head(head, request);
    clean(trace->head, sizeof(trace->head), "%s", head);
    TRACE(trace, "queued");
    trace->steps[0].at_ns = 0; /* and not what it took to come here */
    if (missed > 0)
        TRACE(trace, "(%u requests before this one were not traced: more than %d in a second)", missed,
              PER_SECOND);
    return trace;
}

struct trace *trace_ref(struct trace *trace) {
    if (trace != NULL)
        __atomic_add_fetch(&trace->refs, 1, __ATOMIC_RELAXED);
    return trace;
}

void trace_unref(struct trace *trace) {
    if (trace != NULL && __atomic_sub_fetch(&trace->refs, 1, __ATOMIC_ACQ_REL) == 0)
        free(trace);
}

/* ---- steps ------------------------------------------------------------------------------------------ */

static struct larder_step *next_step(struct trace *trace) {
    if (trace->n == MOST_STEPS) {
        trace->n_missed++;
        return NULL;
    }
    struct larder_step *step = &trace->steps[trace->n];
    *step = (struct larder_step){reactor_now_ns(trace->reactor) - trace->began_ns, trace->texts[trace->n]};
    trace->n++;
    return step;
}

void trace_step(struct trace *trace, const char *format, ...) {
    struct larder_step *step = trace->closed ? NULL : next_step(trace);
    if (step == NULL)
        return;
    va_list args;
    va_start(args, format);
    line_format(trace->texts[step - trace->steps], STEP_TEXT, format, args);
    va_end(args);
}

void trace_close(struct trace *trace) {
    trace->closed = true;
}

void trace_delivered(struct trace *trace) {
    struct larder_step *step = next_step(trace);
    if (step != NULL)
        clean(trace->texts[step - trace->steps], STEP_TEXT, "delivered");
    char *text = trace_text(trace);
    if (text != NULL)
        log_text(LARDER_LOG_DEBUG, text);
    free(text);
}

/* ---- as text ----------------------------------------------------------------------------------------- */

const struct larder_step *trace_steps(const struct trace *trace, size_t *ret_n) {
    *ret_n = trace->n;
    return trace->steps;
}

char *trace_text(const struct trace *trace) {
    enum { TIME = 24 };
    size_t size = HEAD_TEXT + (trace->n + 1) * (STEP_TEXT + TIME);
    char *text = malloc(size);
    if (text == NULL)
        return NULL;
    struct phrase out = phrase_begin(text, size);
    phrase_add(&out, "trace: %s", trace->head);
    for (size_t i = 0; i < trace->n; i++)
        phrase_add(&out, "\n%10llu us  %s", (unsigned long long)(trace->steps[i].at_ns / US),
                   trace->steps[i].text);
    if (trace->n_missed > 0)
        phrase_add(&out, "\n%13s  (and %zu steps for which there was no room)", "", trace->n_missed);
    return text;
}
