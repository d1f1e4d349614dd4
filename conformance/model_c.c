/*
 * A failed program as a test in C: what a person would have written with the helpers of drive.h.
 * What holds is asserted as it was answered; the answer that failed as it should have been.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "model.h"

enum { LINE = 1024 };

struct writer {
    model_line_fn *emit;
    void *arg;
    const struct model_history *h;
    const struct model_verdict *v;
    char inputs[LINE];
};

static void __attribute__((format(printf, 2, 3))) line(struct writer *w, const char *format, ...) {
    char text[2 * LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    w->emit(w->arg, text);
}

static const char *instance_of(const struct model_step *s) {
    return s->instance ? "drive.two" : "drive.one";
}

static const char *code_of(enum model_kind kind) {
    static const char *const codes[N_MODEL_KINDS] = {
        [MODEL_GET] = "GET",         [MODEL_PUT] = "PUT",          [MODEL_REMOVE] = "REMOVE",
        [MODEL_LIST] = "LIST",       [MODEL_CLAIM] = "CLAIM",      [MODEL_RELEASE] = "RELEASE",
        [MODEL_READ] = "TAGS_READ",  [MODEL_WRITE] = "TAGS_WRITE", [MODEL_LOOK] = "ADVANCE",
        [MODEL_RAISE] = "ADVANCE",   [MODEL_BUMP] = "BUMP",        [MODEL_LINK] = "LINK",
        [MODEL_KEYS_OF] = "KEYS_OF", [MODEL_TAGS_OF] = "TAGS_OF",  [MODEL_LIST_MARKS] = "LIST_MARKS"};
    return codes[kind];
}

static const char *status_name(int32_t status) {
    static const char *const errors[] = {"LARDER_RETRY",     "LARDER_THROTTLED", "LARDER_DEADLINE",
                                         "LARDER_CANCELLED", "LARDER_TOO_BIG",   "LARDER_DENIED",
                                         "LARDER_INVALID",   "LARDER_CORRUPT",   "LARDER_UNSUPPORTED",
                                         "LARDER_NOMEM",     "LARDER_INTERNAL"};
    if (status == LARDER_OK)
        return "LARDER_OK";
    if (status == LARDER_MISS)
        return "LARDER_MISS";
    return status < 0 && status >= LARDER_INTERNAL ? errors[-1 - status] : "a status that there is not";
}

/* A time or epoch of the program. */
static const char *time_text(int64_t at, char text[48]) {
    if (at == LARDER_UNSET)
        return "UNSET";
    if (at == LARDER_NEW_EPOCH)
        return "LARDER_NEW_EPOCH";
    if (at == 0)
        return "start_ms";
    snprintf(text, 48, at < 0 ? "start_ms - %" PRId64 : "start_ms + %" PRId64, at < 0 ? -at : at);
    return text;
}

static void mark_text(const struct model_mark *m, char text[256]) {
    char t[3][48];
    snprintf(text, 256, "x%u, %s, %s, %s", m->tag, time_text(m->expired, t[0]), time_text(m->stale, t[1]),
             time_text(m->expire_at_ms, t[2]));
}

/* The op_inputs of a step, into w->inputs. */
static void inputs_of(struct writer *w, const struct model_step *s) {
    size_t len = 0;
#define ADD(...)                                                                    \
    do {                                                                            \
        int n = snprintf(w->inputs + len, sizeof(w->inputs) - len, __VA_ARGS__);    \
        len = n > 0 && (size_t)n < sizeof(w->inputs) - len ? len + (size_t)n : len; \
    } while (0)
    ADD("(struct op_inputs){");
    const size_t head = len;
    if (s->kind == MODEL_LIST || s->kind == MODEL_LIST_MARKS)
        ADD(".key = name(\"model\", \"%%s\", \"\")");
    else if (s->kind != MODEL_READ && s->kind != MODEL_WRITE)
        ADD(".key = x%u", s->name);
    if (s->kind == MODEL_PUT)
        ADD(", .value = value, .modified_ms = %" PRIu32 ", .epoch = %" PRId64, s->id, s->epoch);
    if (s->kind == MODEL_CLAIM || s->kind == MODEL_RELEASE)
        ADD(", .value = value");
    if (s->ttl_ms)
        ADD(", .ttl_ms = %" PRId64, s->ttl_ms);
    if (s->kind == MODEL_RAISE)
        ADD(", .add = 1");
    for (size_t i = 0; i < s->n_marks; i++) {
        char text[256];
        mark_text(&s->marks[i], text);
        ADD("%s{%s}",
            i > 0        ? ", "
            : len > head ? ", .marks = (struct larder_mark[]){"
                         : ".marks = (struct larder_mark[]){",
            text);
    }
    if (s->n_marks > 0)
        ADD("}, .n_marks = %zu", s->n_marks);
    if (s->limit > 0)
        ADD(", .limit = %" PRIu64, s->limit);
    if (s->if_absent)
        ADD(", .flags = LARDER_IF_ABSENT");
    ADD("}");
#undef ADD
}

/* Steps that send a value need one. */
static bool value_line(struct writer *w, const struct model_step *s) {
    if (s->kind == MODEL_PUT)
        line(w, "value = value_of(%" PRIu32 ", %" PRIu32 ");", s->len, s->id);
    else if (s->kind == MODEL_CLAIM || s->kind == MODEL_RELEASE)
        line(w, "value = value_of(8, %u);", s->owner);
    else
        return false;
    return true;
}

/* "x0, x2" */
static unsigned names_seen(uint32_t seen, char text[32]) {
    unsigned n = 0;
    size_t len = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < MODEL_NAMES; i++) {
        if (seen & 1u << i)
            len += (size_t)snprintf(text + len, 32 - len, n++ ? ", x%u" : "x%u", i);
    }
    return n;
}

static void marks_lines(struct writer *w, const struct model_event *e) {
    for (size_t i = 0; i < e->step.n_marks; i++) {
        unsigned tag = e->step.marks[i].tag;
        char t[3][48];
        if (!(e->seen & 1u << tag)) {
            line(w, "CU_ASSERT_FALSE(read_mark(%s, x%u, &mark));", instance_of(&e->step), tag);
            continue;
        }
        const struct model_mark *m = &e->marks[tag];
        line(w, "CU_ASSERT_TRUE(read_mark(%s, x%u, &mark));", instance_of(&e->step), tag);
        line(w, "CU_ASSERT(is_exactly(&mark, %s, %s, %s));", time_text(m->expired, t[0]),
             time_text(m->stale, t[1]), time_text(m->expire_at_ms, t[2]));
    }
}

static bool has_put_helper(const struct writer *w, const struct model_step *s) {
    bool strange = w->h->events[w->v->at].got == MODEL_STRANGE; /* then modified_ms may count */
    return !s->ttl_ms && !s->if_absent && !strange;
}

/* Ops for which drive.h has a helper that says as much.  False: this is not one. */
static bool helper_line(struct writer *w, const struct model_event *e) {
    const struct model_step *s = &e->step;
    char text[256];
    if (s->kind == MODEL_PUT && has_put_helper(w, s)) {
        line(w, "CU_ASSERT_EQUAL(put_value(%s, x%u, %" PRIu32 ", %" PRIu32 ", %" PRId64 "), %s);",
             instance_of(s), s->name, s->len, s->id, s->epoch, status_name(e->status));
        return true;
    }
    if (s->kind == MODEL_WRITE && s->n_marks == 1) {
        mark_text(&s->marks[0], text);
        line(w, "CU_ASSERT_EQUAL(write_mark(%s, mark_of(%s), %s), %s);", instance_of(s), text,
             s->if_absent ? "LARDER_IF_ABSENT" : "0", status_name(e->status));
        return true;
    }
    return false;
}

static void plain_line(struct writer *w, const struct model_event *e) {
    const struct model_step *s = &e->step;
    char text[48];
    bool value = value_line(w, s);
    inputs_of(w, s);
    line(w, "CU_ASSERT_EQUAL(status_of(%s, LARDER_OP_%s, %s), %s);%s%s%s", instance_of(s), code_of(s->kind),
         w->inputs, status_name(e->status), s->kind == MODEL_BUMP ? " /* makes " : "",
         s->kind == MODEL_BUMP ? time_text(e->epoch, text) : "", s->kind == MODEL_BUMP ? " */" : "");
    if (value)
        line(w, "slice_done(&value);");
}

/* What was answered, or should have been, as assertions. */
static void assert_lines(struct writer *w, const struct model_event *e) {
    const struct model_step *s = &e->step;
    char text[48], seen[32];
    switch (s->kind) {
    case MODEL_GET: {
        const struct model_step *put = e->got >= 0 ? &w->h->events[e->got].step : s;
        line(w, "CU_ASSERT_EQUAL(get_value(%s, x%u, %" PRIu32 ", %" PRIu32 "), %s);", instance_of(s), s->name,
             put->len, put->id, status_name(e->status));
        break;
    }
    case MODEL_LIST:
    case MODEL_KEYS_OF:
    case MODEL_TAGS_OF:
    case MODEL_LIST_MARKS: {
        char key[32] = "name(\"model\", \"%s\", \"\")";
        if (s->kind == MODEL_KEYS_OF || s->kind == MODEL_TAGS_OF)
            snprintf(key, sizeof(key), "x%u", s->name);
        unsigned n = names_seen(e->seen, seen);
        line(w, "records = 0;");
        line(w, "CU_ASSERT_TRUE(walk(LARDER_OP_%s, %s, %" PRIu64 ", count, &records));", code_of(s->kind),
             key, s->limit);
        line(w, "CU_ASSERT_EQUAL(records, %u); /* %s */", n, n ? seen : "none");
        break;
    }
    case MODEL_READ: marks_lines(w, e); break;
    case MODEL_LOOK:
    case MODEL_RAISE:
        line(w, "CU_ASSERT_EQUAL(advance(%s, x%u, %d, &epoch), %s);", instance_of(s), s->name,
             s->kind == MODEL_RAISE, status_name(e->status));
        if (e->status == LARDER_OK)
            line(w, "CU_ASSERT_EQUAL(epoch, %s);", time_text(e->epoch, text));
        break;
    default:
        if (helper_line(w, e))
            break;
        plain_line(w, e);
    }
}

/* What was answered, for a person. */
static void answer_text(const struct model_event *e, char text[512]) {
    char seen[32], t[3][48];
    int n = snprintf(text, 512, "%s", status_name(e->status));
    size_t len = n > 0 ? (size_t)n : 0;
    if (e->status < LARDER_OK)
        return;
    switch (e->step.kind) {
    case MODEL_GET:
        if (e->got == MODEL_STRANGE)
            snprintf(text + len, 512 - len, ", of no put");
        else if (e->status == LARDER_OK)
            snprintf(text + len, 512 - len, ", the put of op %d", e->got + 1);
        break;
    case MODEL_LOOK:
    case MODEL_RAISE:
    case MODEL_BUMP: snprintf(text + len, 512 - len, ", %s", time_text(e->epoch, t[0])); break;
    case MODEL_LIST:
    case MODEL_KEYS_OF:
    case MODEL_TAGS_OF: snprintf(text + len, 512 - len, ", %u: %s", names_seen(e->seen, seen), seen); break;
    case MODEL_READ:
    case MODEL_LIST_MARKS:
        for (unsigned i = 0; i < MODEL_NAMES; i++) {
            const struct model_mark *m = &e->marks[i];
            if (!(e->seen & 1u << i) || len >= 400)
                continue;
            n = snprintf(text + len, 512 - len, ", x%u: %s/%s/%s", i, time_text(m->expired, t[0]),
                         time_text(m->stale, t[1]), time_text(m->expire_at_ms, t[2]));
            len += n > 0 ? (size_t)n : 0;
        }
        break;
    default: break;
    }
}

/* Every step needs other variables; declared is what the program at hand uses. */
static void head_lines(struct writer *w, unsigned window) {
    bool names[MODEL_NAMES] = {false}, kinds[N_MODEL_KINDS] = {false}, plain_put = false;
    for (size_t i = 0; i < w->h->n; i++) {
        const struct model_step *s = &w->h->events[i].step;
        bool marks_only = s->kind == MODEL_READ || s->kind == MODEL_WRITE;
        kinds[s->kind] = true;
        plain_put |= s->kind == MODEL_PUT && (window > 1 || !has_put_helper(w, s));
        if (!marks_only && s->kind != MODEL_LIST && s->kind != MODEL_LIST_MARKS)
            names[s->name] = true;
        for (size_t j = 0; j < s->n_marks; j++)
            names[s->marks[j].tag] = true;
    }
    line(w, "int64_t start_ms = drive.now_ms;");
    for (unsigned i = 0; i < MODEL_NAMES; i++) {
        struct larder_bytes end = model_name(i, false);
        bool nul = end.ptr[end.len - 1] == '\0';
        if (names[i] && !nul)
            line(w, "struct larder_bytes x%u = name(\"model\", \"%.*s\");", i, (int)end.len,
                 (const char *)end.ptr);
        else if (names[i])
            line(w, "struct larder_bytes x%u = name_bytes(\"model\", \"%s\\0\", %zu);", i,
                 (const char *)end.ptr, end.len);
    }
    if (plain_put || kinds[MODEL_CLAIM] || kinds[MODEL_RELEASE])
        line(w, "struct larder_slice value;");
    if (window > 1) {
        line(w, "struct sent sent[%zu];", w->h->n);
        return;
    }
    if (kinds[MODEL_READ])
        line(w, "struct larder_mark mark;");
    if (kinds[MODEL_LOOK] || kinds[MODEL_RAISE])
        line(w, "int64_t epoch = 0;");
    if (kinds[MODEL_LIST] || kinds[MODEL_KEYS_OF] || kinds[MODEL_TAGS_OF] || kinds[MODEL_LIST_MARKS])
        line(w, "unsigned records; /* count() adds 1 to it */");
}

void model_print_c(const struct model_history *h, const struct model_verdict *v, unsigned window,
                   model_line_fn *emit, void *arg) {
    struct writer w = {.emit = emit, .arg = arg, .h = h, .v = v};
    int64_t at_ms = 0;
    head_lines(&w, window);
    for (size_t i = 0; i < h->n; i++) {
        const struct model_event *e = &h->events[i];
        bool is_bad = v->outcome == MODEL_FAILS && v->at == i;
        char answer[512], time[48];
        answer_text(e, answer);
        if (window > 1 && i > 0 && (e->step.alone || e->step.at_ms != at_ms))
            line(&w, "drive_wait();");
        else if (window > 1 && i >= window)
            line(&w, "drive_wait_for_room(%u);", window - 1);
        if (e->step.at_ms != at_ms)
            line(&w, "drive.now_ms = %s;", time_text(e->step.at_ms, time));
        at_ms = e->step.at_ms;
        if (is_bad)
            line(&w, "/* %s */", v->why);
        if (window > 1) {
            bool value = value_line(&w, &e->step);
            inputs_of(&w, &e->step);
            line(&w,
                 "send_op(%s, LARDER_OP_%s, %s, &sent[%zu]); /* op %zu, from %" PRIu64 " to %" PRIu64
                 ": %s */",
                 instance_of(&e->step), code_of(e->step.kind), w.inputs, i, i + 1, e->called, e->returned,
                 answer);
            if (value)
                line(&w, "slice_done(&value);");
        } else if (is_bad && !v->is_known) {
            inputs_of(&w, &e->step);
            line(&w, "op_free(call(%s, LARDER_OP_%s, %s)); /* %s */", instance_of(&e->step),
                 code_of(e->step.kind), w.inputs, answer);
        } else {
            assert_lines(&w, is_bad ? &v->due : e);
            if (is_bad)
                line(&w, "/* and was: %s */", answer);
        }
    }
    if (window > 1)
        line(&w, "drive_wait();");
    if (at_ms != 0)
        line(&w, "drive.now_ms = start_ms;");
}
