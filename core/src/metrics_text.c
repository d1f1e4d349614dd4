/*
 * Metrics for programs: the text format of Prometheus (0.0.4) and OTLP/JSON, the JSON encoding of
 * OpenTelemetry's protocol 1.x, as its /v1/metrics takes it.  One walk over the counters, two ways
 * to write a point.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "bytes.h"
#include "grow.h"
#include "larder/larder.h"

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct family { /* one metric, with all its points */
    const char *name;
    enum kind kind;
    const char *unit; /* of UCUM; "1": a number */
    const char *help;
};

struct out {
    struct grow text;
    uint32_t format;
    const struct larder_metrics_source *sources;
    size_t n_sources;
    const struct larder_metrics_source *source; /* whose points these are */
    const struct family *family;
    bool any_family, any_point;
    uint64_t now_ns;
};

/* ---- texts ------------------------------------------------------------------------ */

/* Names have '.' and '-' where Prometheus takes only '_'. */
static void put_name(struct out *o, const char *name) {
    for (; *name != 0; name++)
        grow_put(&o->text, "%c",
                 o->format == LARDER_PROMETHEUS && (*name == '.' || *name == '-') ? '_' : *name);
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
        grow_put(&o->text, "%s", *ret_any ? "," : "");
        grow_put(&o->text, "%s", prometheus ? "" : "{\"key\":\"");
        put_name(o, labels[i].name);
        grow_put(&o->text, "%s", prometheus ? "=\"" : "\",\"value\":{\"stringValue\":\"");
        grow_put_escaped(&o->text, labels[i].value);
        grow_put(&o->text, "%s", prometheus ? "\"" : "\"}}");
        *ret_any = true;
    }
}

static void begin_family(struct out *o, const struct family *family) {
    o->family = family;
    o->any_point = false;
    if (o->format == LARDER_PROMETHEUS) {
        static const char *const types[] = {"counter", "gauge", "histogram"};
        grow_put(&o->text, "%s", "# HELP larder_");
        put_name(o, family->name);
        grow_put(&o->text, "%s %s\n# TYPE larder_", suffix_of(family), family->help);
        put_name(o, family->name);
        grow_put(&o->text, "%s %s\n", suffix_of(family), types[family->kind]);
        return;
    }
    static const char *const shapes[] = {"\"sum\":{\"aggregationTemporality\":2,\"isMonotonic\":true,",
                                         "\"gauge\":{", "\"histogram\":{\"aggregationTemporality\":2,"};
    grow_put(&o->text, "%s{\"name\":\"larder.%s\",\"unit\":\"%s\",\"description\":\"%s\",%s\"dataPoints\":[",
             o->any_family ? "," : "", family->name, family->unit, family->help, shapes[family->kind]);
    o->any_family = true;
}

static void end_family(struct out *o) {
    if (o->format != LARDER_PROMETHEUS)
        grow_put(&o->text, "]}}");
}

/* Up to the value.  part: what Prometheus adds to a histogram's name; le: its bound, or NULL. */
static void begin_point(struct out *o, const char *part, const struct larder_label *labels, size_t n,
                        const char *le) {
    bool any = false;
    if (o->format == LARDER_PROMETHEUS) {
        struct larder_label bound = {"le", le};
        grow_put(&o->text, "%s", "larder_");
        put_name(o, o->family->name);
        grow_put(&o->text, "%s%s{", suffix_of(o->family), part);
        put_labels(o, o->source->labels, o->source->n_labels, &any);
        put_labels(o, labels, n, &any);
        put_labels(o, &bound, le != NULL, &any);
        grow_put(&o->text, "%s", "} ");
        return;
    }
    grow_put(&o->text, "%s{\"attributes\":[", o->any_point ? "," : "");
    put_labels(o, o->source->labels, o->source->n_labels, &any);
    put_labels(o, labels, n, &any);
    grow_put(&o->text, "],\"timeUnixNano\":\"%" PRIu64 "\",", o->now_ns);
    o->any_point = true;
}

static void put_point(struct out *o, const struct larder_label *labels, size_t n, uint64_t value) {
    begin_point(o, "", labels, n, NULL);
    grow_put(&o->text, o->format == LARDER_PROMETHEUS ? "%" PRIu64 "\n" : "\"asInt\":\"%" PRIu64 "\"}",
             value);
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
            grow_put(&o->text, "%" PRIu64 "\n", counts[i]);
        }
        begin_point(o, "_sum", labels, n, NULL);
        grow_put(&o->text, "%.9g\n", (double)h->sum_ns / 1e9);
        begin_point(o, "_count", labels, n, NULL);
        grow_put(&o->text, "%" PRIu64 "\n", counts[last]);
        return;
    }
    begin_point(o, "", labels, n, NULL);
    grow_put(&o->text, "\"count\":\"%" PRIu64 "\",\"sum\":%.9g,\"explicitBounds\":[", counts[last],
             (double)h->sum_ns / 1e9);
    for (size_t i = 0; i < last; i++)
        grow_put(&o->text, "%s%g", i > 0 ? "," : "", bounds_s[i]);
    grow_put(&o->text, "%s", "],\"bucketCounts\":[");
    for (size_t i = 0; i <= last; i++)
        grow_put(&o->text, "%s\"%" PRIu64 "\"", i > 0 ? "," : "", counts[i] - (i > 0 ? counts[i - 1] : 0));
    grow_put(&o->text, "%s", "]}");
}

/* ---- the walk: stores ------------------------------------------------------------------- */

static void put_gets(struct out *o) {
    static const struct family gets = {"gets", COUNTER, "1", "Gets by what they found."};
    begin_family(o, &gets);
    for (size_t k = 0; k < o->n_sources; k++) {
        const struct larder_stats *s = &o->sources[k].metrics->stats;
        const struct {
            const char *result;
            uint64_t value;
        } rows[] = {{"hit", s->hits},
                    {"stale", s->stale},
                    {"gone", s->gone},
                    {"miss", s->misses},
                    {"error", s->get_errors}};
        o->source = &o->sources[k];
        for (size_t i = 0; i < N_ELEMENTS(rows); i++)
            put_point(o, &(struct larder_label){"result", rows[i].result}, 1, rows[i].value);
    }
    end_family(o);
}

/* The 64-bit number that is so many bytes into a struct. */
static uint64_t number_at(const void *base, size_t at) {
    uint64_t value;
    memcpy(&value, (const uint8_t *)base + at, sizeof(value));
    return value;
}

static void put_stores(struct out *o) {
    static const struct {
        struct family family;
        size_t at; /* in struct larder_stats */
    } rows[] = {
#define AT(member) offsetof(struct larder_stats, member)
        {{"memory.hits", COUNTER, "1", "Gets answered from the memory of this process."}, AT(memory_hits)},
        {{"memory.entries", GAUGE, "1", "Entries in the memory of this process."}, AT(memory_entries)},
        {{"memory.size", GAUGE, "By", "Bytes of these entries."}, AT(memory_bytes)},
        {{"joined", COUNTER, "1", "Gets that shared the read of another, or waited for a put."}, AT(joined)},
        {{"puts", COUNTER, "1", "Entries stored."}, AT(puts)},
        {{"put.errors", COUNTER, "1", "Entries that could not be stored."}, AT(put_errors)},
        {{"removes", COUNTER, "1", "Entries removed by name."}, AT(removes)},
        {{"revalidations", COUNTER, "1", "Revalidations of tags."}, AT(revalidations)},
        {{"revalidation.errors", COUNTER, "1", "Revalidations that failed."}, AT(revalidation_errors)},
        {{"journal.pending", GAUGE, "1", "Revalidations that failed and are tried again."},
         AT(journal_pending)},
        {{"journal.repeats", COUNTER, "1", "Attempts at these."}, AT(journal_repeats)},
        {{"outage.served", COUNTER, "1", "Gets answered though marks could not be read."}, AT(outage_served)},
        {{"outage.unstored", COUNTER, "1", "Entries not stored: they may be built from such answers."},
         AT(outage_unstored)},
        {{"mark.reads", COUNTER, "1", "Reads of marks from the tag store."}, AT(mark_reads)},
        {{"marks.read", COUNTER, "1", "Marks asked for in these."}, AT(marks_read)},
        {{"marks.made", COUNTER, "1", "Marks that a lossy tag store did not have, and was given."},
         AT(marks_made)},
        {{"epoch.reads", COUNTER, "1", "Reads of the epoch from the tag store."}, AT(epoch_reads)},
        {{"corrupt", COUNTER, "1", "Entries that could not be verified."}, AT(corrupt)},
        {{"deadlines", COUNTER, "1", "Requests answered because their time was up."}, AT(deadlines)},
        {{"late", COUNTER, "1", "Answers of drivers after that."}, AT(late)},
        {{"read", COUNTER, "By", "Bytes of entries read."}, AT(bytes_read)},
        {{"written", COUNTER, "By", "Bytes of entries written."}, AT(bytes_written)},
        {{"inflight", GAUGE, "1", "Requests not answered yet."}, AT(inflight)},
        {{"epoch", GAUGE, "1", "The greatest epoch that this process knows."}, AT(epoch)},
#undef AT
    };
    put_gets(o);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        begin_family(o, &rows[i].family);
        for (size_t k = 0; k < o->n_sources; k++) {
            o->source = &o->sources[k];
            put_point(o, NULL, 0, number_at(&o->source->metrics->stats, rows[i].at));
        }
        end_family(o);
    }
}

static void put_requests(struct out *o) {
    static const struct family latency = {"request.latency", HISTOGRAM, "s",
                                          "Of whole requests, from being submitted to the answer."};
    begin_family(o, &latency);
    for (size_t k = 0; k < o->n_sources; k++) {
        o->source = &o->sources[k];
        for (uint32_t i = 0; i < LARDER_N_TIMED; i++) {
            const struct larder_label label = {"request", larder_timed_name(i)};
            if (o->source->metrics->requests[i].count > 0)
                put_histogram(o, &label, 1, &o->source->metrics->requests[i]);
        }
    }
    end_family(o);
}

/* ---- the walk: instances of drivers -------------------------------------------------------- */

static void put_instances(struct out *o, const struct family *family,
                          void (*put)(struct out *o, const struct larder_instance_metrics *instance,
                                      size_t what),
                          size_t what) {
    begin_family(o, family);
    for (size_t k = 0; k < o->n_sources; k++) {
        o->source = &o->sources[k];
        for (uint64_t i = 0; i < o->source->metrics->n_instances; i++)
            put(o, &o->source->metrics->instances[i], what);
    }
    end_family(o);
}

/* at: of a uint64_t in struct larder_instance_metrics */
static void put_counter(struct out *o, const struct larder_instance_metrics *instance, size_t at) {
    const struct larder_label labels[] = {{"role", instance->role}, {"driver", instance->driver}};
    put_point(o, labels, N_ELEMENTS(labels), number_at(instance, at));
}

static void put_counters(struct out *o) {
    static const struct {
        struct family family;
        size_t at;
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
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        put_instances(o, &rows[i].family, put_counter, rows[i].at);
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

/* what: an enum of_op */
static void put_used_ops(struct out *o, const struct larder_instance_metrics *instance, size_t what) {
    for (uint32_t code = 1; code < LARDER_N_OPS; code++) {
        const struct larder_label labels[] = {{"role", instance->role},
                                              {"driver", instance->driver},
                                              {"op", larder_op_name(code)},
                                              {NULL, NULL}};
        if (was_used(&instance->ops[code]))
            put_op(o, (enum of_op)what, &instance->ops[code], labels);
    }
}

static void put_ops(struct out *o) {
    static const struct family families[] = {
        [ANSWERS] = {"driver.calls", COUNTER, "1", "Answers of the driver by their class."},
        [LATENCY] = {"driver.latency", HISTOGRAM, "s", "From its queue to its answer."},
        [SENT] = {"driver.sent", COUNTER, "By", "Bytes of values given to the driver."},
        [RECEIVED] = {"driver.received", COUNTER, "By", "Bytes of values that the driver gave."},
    };
    for (size_t f = 0; f < N_ELEMENTS(families); f++)
        put_instances(o, &families[f], put_used_ops, f);
}

/* ---- all of it ------------------------------------------------------------------------------ */

char *larder_metrics_text_of(const struct larder_metrics_source *sources, size_t n, uint32_t format) {
    enum { FIRST_ROOM = 16384 };
    struct timespec now;
    struct out o = {.format = format, .sources = sources, .n_sources = n};
    if (format != LARDER_PROMETHEUS && format != LARDER_OTLP_JSON)
        return NULL;
    grow_init(&o.text, FIRST_ROOM);
    clock_gettime(CLOCK_REALTIME, &now);
    o.now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    if (format == LARDER_OTLP_JSON)
        grow_put(&o.text,
                 "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"scope\":{\"name\":\"larder\"},\"metrics\":[");
    put_stores(&o);
    put_requests(&o);
    put_counters(&o);
    put_ops(&o);
    if (format == LARDER_OTLP_JSON)
        grow_put(&o.text, "]}]}]}\n");
    return grow_take(&o.text);
}

char *larder_metrics_text(const struct larder_metrics *metrics, uint32_t format,
                          const struct larder_label *labels, size_t n_labels) {
    return larder_metrics_text_of(&(struct larder_metrics_source){metrics, labels, n_labels}, 1, format);
}
