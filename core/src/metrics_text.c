/*
 * Metrics for programs: the text format of Prometheus (0.0.4) and OTLP/JSON, the JSON encoding of
 * OpenTelemetry's protocol 1.x, as its /v1/metrics takes it.  One walk over the counters, two ways
 * to write a point.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bytes.h"
#include "larder/larder.h"

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct family { /* one metric, with all its points */
    const char *name;
    enum kind kind;
    const char *unit; /* of UCUM; "1": a number */
    const char *help;
};

struct out {
    char *text;
    size_t len, room;
    bool failed; /* no memory */
    uint32_t format;
    const struct larder_label *labels; /* on every point */
    size_t n_labels;
    const struct family *family;
    bool any_family, any_point;
    uint64_t now_ns;
};

static void put(struct out *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct out *o, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(o->text + o->len, o->room - o->len, format, args);
    va_end(args);
    if (n >= 0 && (size_t)n >= o->room - o->len) {
        size_t room = (o->len + (size_t)n + 1) * 2;
        char *grown = o->failed ? NULL : realloc(o->text, room);
        o->failed = grown == NULL;
        if (o->failed)
            return;
        o->text = grown;
        o->room = room;
        va_start(args, format);
        n = vsnprintf(o->text + o->len, o->room - o->len, format, args);
        va_end(args);
    }
    o->len += n > 0 ? (size_t)n : 0;
}

/* ---- texts ------------------------------------------------------------------------ */

/* The same escapes serve both formats: of control characters only line breaks can be in a label. */
static void put_text(struct out *o, const char *text) {
    for (; *text != 0; text++) {
        if (*text == '"' || *text == '\\')
            put(o, "\\%c", *text);
        else if (*text == '\n')
            put(o, "%s", "\\n");
        else if ((unsigned char)*text >= 0x20)
            put(o, "%c", *text);
    }
}

/* Names have '.' and '-' where Prometheus takes only '_'. */
static void put_name(struct out *o, const char *name) {
    for (; *name != 0; name++)
        put(o, "%c", o->format == LARDER_PROMETHEUS && (*name == '.' || *name == '-') ? '_' : *name);
}

static const char *suffix_of(const struct family *family) {
    bool is_time = strcmp(family->unit, "s") == 0, is_bytes = strcmp(family->unit, "By") == 0;
    if (family->kind == COUNTER)
        return is_bytes ? "_bytes_total" : "_total";
    return is_time ? "_seconds" : is_bytes ? "_bytes" : "";
}

/* ---- points ------------------------------------------------------------------------- */

static void put_labels(struct out *o, const struct larder_label *labels, size_t n, bool *ret_any) {
    for (size_t i = 0; i < n; i++) {
        bool prometheus = o->format == LARDER_PROMETHEUS;
        put(o, "%s", *ret_any ? "," : "");
        put(o, "%s", prometheus ? "" : "{\"key\":\"");
        put_name(o, labels[i].name);
        put(o, "%s", prometheus ? "=\"" : "\",\"value\":{\"stringValue\":\"");
        put_text(o, labels[i].value);
        put(o, "%s", prometheus ? "\"" : "\"}}");
        *ret_any = true;
    }
}

static void begin_family(struct out *o, const struct family *family) {
    o->family = family;
    o->any_point = false;
    if (o->format == LARDER_PROMETHEUS) {
        static const char *const types[] = {"counter", "gauge", "histogram"};
        put(o, "%s", "# HELP larder_");
        put_name(o, family->name);
        put(o, "%s %s\n# TYPE larder_", suffix_of(family), family->help);
        put_name(o, family->name);
        put(o, "%s %s\n", suffix_of(family), types[family->kind]);
        return;
    }
    static const char *const shapes[] = {"\"sum\":{\"aggregationTemporality\":2,\"isMonotonic\":true,",
                                         "\"gauge\":{", "\"histogram\":{\"aggregationTemporality\":2,"};
    put(o, "%s{\"name\":\"larder.%s\",\"unit\":\"%s\",\"description\":\"%s\",%s\"dataPoints\":[",
        o->any_family ? "," : "", family->name, family->unit, family->help, shapes[family->kind]);
    o->any_family = true;
}

static void end_family(struct out *o) {
    if (o->format != LARDER_PROMETHEUS)
        put(o, "]}}");
}

/* Up to the value.  part: what Prometheus adds to a histogram's name; le: its bound, or NULL. */
static void begin_point(struct out *o, const char *part, const struct larder_label *labels, size_t n,
                        const char *le) {
    bool any = false;
    if (o->format == LARDER_PROMETHEUS) {
        struct larder_label bound = {"le", le};
        put(o, "%s", "larder_");
        put_name(o, o->family->name);
        put(o, "%s%s{", suffix_of(o->family), part);
        put_labels(o, o->labels, o->n_labels, &any);
        put_labels(o, labels, n, &any);
        put_labels(o, &bound, le != NULL, &any);
        put(o, "%s", "} ");
        return;
    }
    put(o, "%s{\"attributes\":[", o->any_point ? "," : "");
    put_labels(o, o->labels, o->n_labels, &any);
    put_labels(o, labels, n, &any);
    put(o, "],\"timeUnixNano\":\"%" PRIu64 "\",", o->now_ns);
    o->any_point = true;
}

static void put_point(struct out *o, const struct larder_label *labels, size_t n, uint64_t value) {
    begin_point(o, "", labels, n, NULL);
    put(o, o->format == LARDER_PROMETHEUS ? "%" PRIu64 "\n" : "\"asInt\":\"%" PRIu64 "\"}", value);
}

static const double bounds_s[] = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                  0.05,    0.1,    0.25,    0.5,    1,     2.5,    5,     10};

/* How many were faster than each bound, and all: a bucket that lies across a bound counts above it,
 * which moves the bound by at most 6.25 %. */
static void cumulate(const struct larder_histogram *h, uint64_t counts[N_ELEMENTS(bounds_s) + 1]) {
    uint64_t sum = 0;
    size_t at = 0;
    for (size_t i = 0; i < N_ELEMENTS(bounds_s); i++) {
        uint64_t bound_ns = (uint64_t)(bounds_s[i] * 1e9 + 0.5);
        while (at < LARDER_N_BUCKETS && larder_bucket_limit_ns(at) <= bound_ns)
            sum += h->buckets[at++];
        counts[i] = sum;
    }
    while (at < LARDER_N_BUCKETS)
        sum += h->buckets[at++];
    counts[N_ELEMENTS(bounds_s)] = sum;
}

static void put_histogram(struct out *o, const struct larder_label *labels, size_t n,
                          const struct larder_histogram *h) {
    uint64_t counts[N_ELEMENTS(bounds_s) + 1];
    const size_t last = N_ELEMENTS(bounds_s);
    cumulate(h, counts);
    if (o->format == LARDER_PROMETHEUS) {
        for (size_t i = 0; i <= last; i++) {
            char le[32] = "+Inf";
            if (i < last)
                snprintf(le, sizeof(le), "%g", bounds_s[i]);
            begin_point(o, "_bucket", labels, n, le);
            put(o, "%" PRIu64 "\n", counts[i]);
        }
        begin_point(o, "_sum", labels, n, NULL);
        put(o, "%.9g\n", (double)h->sum_ns / 1e9);
        begin_point(o, "_count", labels, n, NULL);
        put(o, "%" PRIu64 "\n", counts[last]);
        return;
    }
    begin_point(o, "", labels, n, NULL);
    put(o, "\"count\":\"%" PRIu64 "\",\"sum\":%.9g,\"explicitBounds\":[", counts[last],
        (double)h->sum_ns / 1e9);
    for (size_t i = 0; i < last; i++)
        put(o, "%s%g", i > 0 ? "," : "", bounds_s[i]);
    put(o, "%s", "],\"bucketCounts\":[");
    for (size_t i = 0; i <= last; i++)
        put(o, "%s\"%" PRIu64 "\"", i > 0 ? "," : "", counts[i] - (i > 0 ? counts[i - 1] : 0));
    put(o, "%s", "]}");
}

/* ---- the walk: a store ------------------------------------------------------------------ */

static void put_gets(struct out *o, const struct larder_stats *s) {
    static const struct family gets = {"gets", COUNTER, "1", "Gets by what they found."};
    const struct {
        const char *result;
        uint64_t value;
    } rows[] = {{"hit", s->hits},
                {"stale", s->stale},
                {"gone", s->gone},
                {"miss", s->misses},
                {"error", s->get_errors}};
    begin_family(o, &gets);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        put_point(o, &(struct larder_label){"result", rows[i].result}, 1, rows[i].value);
    end_family(o);
}

static void put_store(struct out *o, const struct larder_stats *s) {
    const struct {
        struct family family;
        uint64_t value;
    } rows[] = {
        {{"memory.hits", COUNTER, "1", "Gets answered from the memory of this process."}, s->memory_hits},
        {{"memory.entries", GAUGE, "1", "Entries in the memory of this process."}, s->memory_entries},
        {{"memory.size", GAUGE, "By", "Bytes of these entries."}, s->memory_bytes},
        {{"joined", COUNTER, "1", "Gets that shared the read of another, or waited for a put."}, s->joined},
        {{"puts", COUNTER, "1", "Entries stored."}, s->puts},
        {{"put.errors", COUNTER, "1", "Entries that could not be stored."}, s->put_errors},
        {{"removes", COUNTER, "1", "Entries removed by name."}, s->removes},
        {{"revalidations", COUNTER, "1", "Revalidations of tags."}, s->revalidations},
        {{"revalidation.errors", COUNTER, "1", "Revalidations that failed."}, s->revalidation_errors},
        {{"journal.pending", GAUGE, "1", "Revalidations that failed and are tried again."},
         s->journal_pending},
        {{"journal.repeats", COUNTER, "1", "Attempts at these."}, s->journal_repeats},
        {{"outage.served", COUNTER, "1", "Gets answered though marks could not be read."}, s->outage_served},
        {{"outage.unstored", COUNTER, "1", "Entries not stored: they may be built from such answers."},
         s->outage_unstored},
        {{"mark.reads", COUNTER, "1", "Reads of marks from the tag store."}, s->mark_reads},
        {{"marks.read", COUNTER, "1", "Marks asked for in these."}, s->marks_read},
        {{"epoch.reads", COUNTER, "1", "Reads of the epoch from the tag store."}, s->epoch_reads},
        {{"corrupt", COUNTER, "1", "Entries that could not be verified."}, s->corrupt},
        {{"deadlines", COUNTER, "1", "Requests answered because their time was up."}, s->deadlines},
        {{"late", COUNTER, "1", "Answers of drivers after that."}, s->late},
        {{"read", COUNTER, "By", "Bytes of entries read."}, s->bytes_read},
        {{"written", COUNTER, "By", "Bytes of entries written."}, s->bytes_written},
        {{"inflight", GAUGE, "1", "Requests not answered yet."}, s->inflight},
        {{"epoch", GAUGE, "1", "The greatest epoch that this process knows."},
         s->epoch > 0 ? (uint64_t)s->epoch : 0},
    };
    put_gets(o, s);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        begin_family(o, &rows[i].family);
        put_point(o, NULL, 0, rows[i].value);
        end_family(o);
    }
}

/* ---- the walk: instances of drivers -------------------------------------------------------- */

static void put_instances(struct out *o, const struct larder_metrics *m) {
    static const struct {
        struct family family;
        size_t at; /* of a uint64_t in struct larder_instance_metrics */
    } rows[] = {
#define AT(member) offsetof(struct larder_instance_metrics, member)
        {{"driver.inflight", GAUGE, "1", "Calls with the driver or in its queue."}, AT(inflight)},
        {{"driver.queued", GAUGE, "1", "Those in its queue."}, AT(queued)},
        {{"driver.faults", COUNTER, "1", "Faults injected by the setting fault."}, AT(faults)},
        {{"retries", COUNTER, "1", "Attempts after the first."}, AT(retry.retries)},
        {{"retry.recovered", COUNTER, "1", "Calls that a further attempt made good."}, AT(retry.recovered)},
        {{"retry.exhausted", COUNTER, "1", "Calls that failed after all attempts."}, AT(retry.exhausted)},
        {{"throttled", COUNTER, "1", "Answers that asked for less."}, AT(retry.throttled)},
        {{"retry.waiting", GAUGE, "1", "Calls between two attempts."}, AT(retry.waiting)},
        {{"breaker.state", GAUGE, "1", "0 off, 1 closed, 2 open, 3 half-open."}, AT(breaker.state)},
        {{"breaker.opened", COUNTER, "1", "How often it opened."}, AT(breaker.opened)},
        {{"breaker.refused", COUNTER, "1", "Calls answered at once while open."}, AT(breaker.refused)},
        {{"breaker.stuck", COUNTER, "1", "Calls out past their deadline."}, AT(breaker.stuck)},
#undef AT
    };
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        begin_family(o, &rows[i].family);
        for (uint64_t k = 0; k < m->n_instances; k++) {
            const struct larder_instance_metrics *instance = &m->instances[k];
            const struct larder_label labels[] = {{"role", instance->role}, {"driver", instance->driver}};
            uint64_t value;
            memcpy(&value, (const uint8_t *)instance + rows[i].at, sizeof(value));
            put_point(o, labels, N_ELEMENTS(labels), value);
        }
        end_family(o);
    }
}

static bool was_used(const struct larder_op_metrics *op) {
    for (size_t i = 0; i < LARDER_N_CLASSES; i++)
        if (op->answers[i] > 0)
            return true;
    return false;
}

enum of_op { ANSWERS, LATENCY, SENT, RECEIVED };

static void put_op(struct out *o, enum of_op what, const struct larder_op_metrics *op,
                   const struct larder_label labels[4]) {
    switch (what) {
    case ANSWERS:
        for (size_t i = 0; i < LARDER_N_CLASSES; i++) {
            struct larder_label own[] = {
                labels[0], labels[1], labels[2], {"status", larder_status_name(LARDER_STATUS_OF(i))}};
            if (op->answers[i] > 0)
                put_point(o, own, N_ELEMENTS(own), op->answers[i]);
        }
        break;
    case LATENCY: put_histogram(o, labels, 3, &op->latency); break;
    case SENT: put_point(o, labels, 3, op->bytes_sent); break;
    case RECEIVED: put_point(o, labels, 3, op->bytes_received); break;
    }
}

static void put_ops(struct out *o, const struct larder_metrics *m) {
    static const struct family families[] = {
        [ANSWERS] = {"driver.calls", COUNTER, "1", "Answers of the driver by their class."},
        [LATENCY] = {"driver.latency", HISTOGRAM, "s", "From its queue to its answer."},
        [SENT] = {"driver.sent", COUNTER, "By", "Bytes of values given to the driver."},
        [RECEIVED] = {"driver.received", COUNTER, "By", "Bytes of values that the driver gave."},
    };
    for (size_t f = 0; f < N_ELEMENTS(families); f++) {
        begin_family(o, &families[f]);
        for (uint64_t k = 0; k < m->n_instances; k++) {
            const struct larder_instance_metrics *instance = &m->instances[k];
            for (uint32_t code = 1; code < LARDER_N_OPS; code++) {
                const struct larder_label labels[] = {{"role", instance->role},
                                                      {"driver", instance->driver},
                                                      {"op", larder_op_name(code)},
                                                      {NULL, NULL}};
                if (was_used(&instance->ops[code]))
                    put_op(o, (enum of_op)f, &instance->ops[code], labels);
            }
        }
        end_family(o);
    }
}

char *larder_metrics_text(const struct larder_metrics *metrics, uint32_t format,
                          const struct larder_label *labels, size_t n_labels) {
    enum { FIRST_ROOM = 16384 };
    struct timespec now;
    struct out o = {.format = format, .labels = labels, .n_labels = n_labels, .room = FIRST_ROOM};
    if (format != LARDER_PROMETHEUS && format != LARDER_OTLP_JSON)
        return NULL;
    o.text = malloc(o.room);
    if (o.text == NULL)
        return NULL;
    clock_gettime(CLOCK_REALTIME, &now);
    o.now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    if (format == LARDER_OTLP_JSON)
        put(&o, "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"scope\":{\"name\":\"larder\"},\"metrics\":[");
    put_store(&o, &metrics->stats);
    put_instances(&o, metrics);
    put_ops(&o, metrics);
    if (format == LARDER_OTLP_JSON)
        put(&o, "]}]}]}\n");
    if (o.failed) {
        free(o.text);
        return NULL;
    }
    return o.text;
}
