/* Metrics as Larder's own JSON (larder_metrics_json()), and what its numbers are called. */
#include <inttypes.h>

#include "bytes.h"
#include "grow.h"
#include "larder/larder.h"

const struct larder_field *larder_stats_fields(size_t *ret_n) {
    static const struct larder_field fields[] = {
#define AT(member) offsetof(struct larder_stats, member)
        {"gets", AT(gets), LARDER_COUNTER},
        {"hits", AT(hits), LARDER_COUNTER},
        {"stale", AT(stale), LARDER_COUNTER},
        {"gone", AT(gone), LARDER_COUNTER},
        {"misses", AT(misses), LARDER_COUNTER},
        {"getErrors", AT(get_errors), LARDER_COUNTER},
        {"puts", AT(puts), LARDER_COUNTER},
        {"putErrors", AT(put_errors), LARDER_COUNTER},
        {"removes", AT(removes), LARDER_COUNTER},
        {"revalidations", AT(revalidations), LARDER_COUNTER},
        {"revalidationErrors", AT(revalidation_errors), LARDER_COUNTER},
        {"markReads", AT(mark_reads), LARDER_COUNTER},
        {"marksRead", AT(marks_read), LARDER_COUNTER},
        {"epochReads", AT(epoch_reads), LARDER_COUNTER},
        {"corrupt", AT(corrupt), LARDER_COUNTER},
        {"deadlines", AT(deadlines), LARDER_COUNTER},
        {"late", AT(late), LARDER_COUNTER},
        {"bytesRead", AT(bytes_read), LARDER_COUNTER},
        {"bytesWritten", AT(bytes_written), LARDER_COUNTER},
        {"inflight", AT(inflight), LARDER_GAUGE},
        {"epoch", AT(epoch), LARDER_LEVEL},
        {"memoryHits", AT(memory_hits), LARDER_COUNTER},
        {"joined", AT(joined), LARDER_COUNTER},
        {"memoryEntries", AT(memory_entries), LARDER_GAUGE},
        {"memoryBytes", AT(memory_bytes), LARDER_GAUGE},
        {"journalPending", AT(journal_pending), LARDER_GAUGE},
        {"journalKept", AT(journal_kept), LARDER_COUNTER},
        {"journalRepeats", AT(journal_repeats), LARDER_COUNTER},
        {"outageServed", AT(outage_served), LARDER_COUNTER},
        {"outageUnstored", AT(outage_unstored), LARDER_COUNTER},
        {"marksMade", AT(marks_made), LARDER_COUNTER},
#undef AT
    };
    _Static_assert(N_ELEMENTS(fields) * sizeof(uint64_t) == sizeof(struct larder_stats), "every counter");
    *ret_n = N_ELEMENTS(fields);
    return fields;
}

const struct larder_field *larder_instance_fields(size_t *ret_n) {
    static const struct larder_field fields[] = {
#define AT(member) offsetof(struct larder_instance_metrics, member)
        {"inflight", AT(inflight), LARDER_GAUGE},
        {"queued", AT(queued), LARDER_GAUGE},
        {"faults", AT(faults), LARDER_COUNTER},
        {"retries", AT(retry.retries), LARDER_COUNTER},
        {"recovered", AT(retry.recovered), LARDER_COUNTER},
        {"exhausted", AT(retry.exhausted), LARDER_COUNTER},
        {"withoutTokens", AT(retry.without_tokens), LARDER_COUNTER},
        {"throttled", AT(retry.throttled), LARDER_COUNTER},
        {"waiting", AT(retry.waiting), LARDER_GAUGE},
        {"tokens", AT(retry.tokens), LARDER_GAUGE},
        {"paceNs", AT(retry.pace_ns), LARDER_LEVEL},
        {"breakerState", AT(breaker.state), LARDER_LEVEL},
        {"breakerSinceMs", AT(breaker.since_ms), LARDER_LEVEL},
        {"breakerOpened", AT(breaker.opened), LARDER_COUNTER},
        {"refused", AT(breaker.refused), LARDER_COUNTER},
        {"probes", AT(breaker.probes), LARDER_COUNTER},
        {"failures", AT(breaker.failures), LARDER_COUNTER},
        {"stuck", AT(breaker.stuck), LARDER_COUNTER},
#undef AT
    };
    *ret_n = N_ELEMENTS(fields);
    return fields;
}

int64_t larder_field_read(const struct larder_field *field, const void *counters) {
    int64_t number;
    memcpy(&number, (const uint8_t *)counters + field->at, sizeof(number));
    return number;
}

static void put_fields(struct grow *g, const struct larder_field *fields, size_t n, const void *base) {
    for (size_t i = 0; i < n; i++)
        grow_put(g, "%s\"%s\":%" PRId64, i > 0 ? "," : "", fields[i].name,
                 larder_field_read(&fields[i], base));
}

static void put_text(struct grow *g, const char *name, const char *text) {
    grow_put(g, "\"%s\":\"", name);
    grow_put_escaped(g, text);
    grow_put(g, "\"");
}

static void put_histogram(struct grow *g, const char *name, const struct larder_histogram *h) {
    bool any = false;
    grow_put(g, "\"%s\":{\"count\":%" PRIu64 ",\"sumNs\":%" PRIu64 ",\"maxNs\":%" PRIu64, name, h->count,
             h->sum_ns, h->max_ns);
    grow_put(g, ",\"p50Ns\":%" PRIu64 ",\"p95Ns\":%" PRIu64 ",\"p99Ns\":%" PRIu64 ",\"buckets\":[",
             larder_histogram_quantile(h, 0.5), larder_histogram_quantile(h, 0.95),
             larder_histogram_quantile(h, 0.99));
    for (size_t i = 0; i < LARDER_N_BUCKETS; i++) {
        if (h->buckets[i] == 0)
            continue;
        grow_put(g, "%s[%zu,%" PRIu64 "]", any ? "," : "", i, h->buckets[i]);
        any = true;
    }
    grow_put(g, "]}");
}

static void put_op(struct grow *g, const char *name, const struct larder_op_metrics *op, bool *ret_any) {
    bool any = false;
    for (uint32_t i = 0; i < LARDER_N_CLASSES; i++) {
        if (op->answers[i] == 0)
            continue;
        if (!any)
            grow_put(g, "%s\"%s\":{\"answers\":{", *ret_any ? "," : "", name);
        grow_put(g, "%s\"%s\":%" PRIu64, any ? "," : "", larder_status_name(LARDER_STATUS_OF(i)),
                 op->answers[i]);
        any = true;
    }
    if (!any)
        return;
    grow_put(g, "},\"bytesSent\":%" PRIu64 ",\"bytesReceived\":%" PRIu64 ",\"records\":%" PRIu64 ",",
             op->bytes_sent, op->bytes_received, op->records);
    put_histogram(g, "latency", &op->latency);
    grow_put(g, "}");
    *ret_any = true;
}

static void put_instance(struct grow *g, const struct larder_instance_metrics *instance) {
    size_t n;
    bool any = false;
    const struct larder_field *fields = larder_instance_fields(&n);
    const char *breaker = larder_breaker_name(instance->breaker.state);
    grow_put(g, "{");
    put_text(g, "role", instance->role);
    grow_put(g, ",");
    put_text(g, "driver", instance->driver);
    grow_put(g, ",");
    put_text(g, "breaker", breaker != NULL ? breaker : "");
    grow_put(g, ",");
    put_text(g, "breakerReason", instance->breaker.reason);
    grow_put(g, ",");
    put_fields(g, fields, n, instance);
    grow_put(g, ",\"ops\":{");
    for (uint32_t code = 1; code < LARDER_N_OPS; code++)
        put_op(g, larder_op_name(code), &instance->ops[code], &any);
    grow_put(g, "}}");
}

char *larder_metrics_json(const struct larder_metrics *metrics) {
    enum { FIRST_ROOM = 16384 };
    struct grow g;
    size_t n;
    const struct larder_field *fields = larder_stats_fields(&n);
    grow_init(&g, FIRST_ROOM);
    grow_put(&g, "{");
    put_text(&g, "larder", larder_version());
    grow_put(&g, ",\"pid\":%" PRId64 ",\"upMs\":%" PRId64 ",", metrics->pid, metrics->up_ms);
    put_text(&g, "namespace", metrics->ns);
    grow_put(&g, ",\"stats\":{");
    put_fields(&g, fields, n, &metrics->stats);
    grow_put(&g, "},\"requests\":{");
    for (uint32_t i = 0; i < LARDER_N_TIMED; i++) {
        grow_put(&g, "%s", i > 0 ? "," : "");
        put_histogram(&g, larder_timed_name(i), &metrics->requests[i]);
    }
    grow_put(&g, "},\"instances\":[");
    for (uint64_t i = 0; i < metrics->n_instances; i++) {
        grow_put(&g, "%s", i > 0 ? "," : "");
        put_instance(&g, &metrics->instances[i]);
    }
    grow_put(&g, "]}\n");
    return grow_take(&g);
}
