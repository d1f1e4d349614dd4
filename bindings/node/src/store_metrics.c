#include "store_metrics.h"

#include <stdlib.h>

#include "args.h"
#include "client.h"

/* The handle of the store, or NULL where it is closed: then nothing is answered. */
static const struct handle *open_handle(const struct args *args) {
    const struct handle *handle = args->data;
    return handle && handle->shared ? handle : NULL;
}

/* The first failure stays. */
struct filling {
    napi_env env;
    napi_status status;
};

static void set(struct filling *f, napi_value object, const char *name, napi_value value) {
    if (f->status == napi_ok)
        f->status = napi_set_named_property(f->env, object, name, value);
}

static void set_number(struct filling *f, napi_value object, const char *name, double number) {
    napi_value value;
    if (f->status == napi_ok)
        f->status = napi_create_double(f->env, number, &value);
    if (f->status == napi_ok)
        set(f, object, name, value);
}

static void set_text(struct filling *f, napi_value object, const char *name, const char *text) {
    napi_value value;
    if (f->status == napi_ok)
        f->status = napi_create_string_utf8(f->env, text, NAPI_AUTO_LENGTH, &value);
    if (f->status == napi_ok)
        set(f, object, name, value);
}

static napi_value new_object(struct filling *f) {
    napi_value object = NULL;
    if (f->status == napi_ok)
        f->status = napi_create_object(f->env, &object);
    return object;
}

/* ---- stats ------------------------------------------------------------------------- */

static void set_store(struct filling *f, napi_value object, const struct larder_stats *s) {
    const struct {
        const char *name;
        uint64_t count;
    } counters[] = {
        {"gets", s->gets},
        {"hits", s->hits},
        {"stale", s->stale},
        {"gone", s->gone},
        {"misses", s->misses},
        {"getErrors", s->get_errors},
        {"puts", s->puts},
        {"putErrors", s->put_errors},
        {"removes", s->removes},
        {"revalidations", s->revalidations},
        {"revalidationErrors", s->revalidation_errors},
        {"markReads", s->mark_reads},
        {"marksRead", s->marks_read},
        {"epochReads", s->epoch_reads},
        {"corrupt", s->corrupt},
        {"deadlines", s->deadlines},
        {"late", s->late},
        {"bytesRead", s->bytes_read},
        {"bytesWritten", s->bytes_written},
        {"inflight", s->inflight},
        {"epoch", s->epoch > 0 ? (uint64_t)s->epoch : 0},
        {"memoryHits", s->memory_hits},
        {"memoryEntries", s->memory_entries},
        {"memoryBytes", s->memory_bytes},
        {"joined", s->joined},
        {"journalPending", s->journal_pending},
        {"journalRepeats", s->journal_repeats},
        {"outageServed", s->outage_served},
        {"outageUnstored", s->outage_unstored},
    };
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
        set_number(f, object, counters[i].name, (double)counters[i].count);
}

static double ms_of(uint64_t ns) {
    return (double)ns / 1e6;
}

static void set_op(struct filling *f, napi_value ops, uint32_t code, const struct larder_op_metrics *m) {
    uint64_t calls = 0, errors = 0;
    for (size_t i = 0; i < LARDER_N_CLASSES; i++) {
        calls += m->answers[i];
        errors += LARDER_STATUS_OF(i) < 0 ? m->answers[i] : 0;
    }
    if (calls == 0)
        return;
    napi_value op = new_object(f);
    set_number(f, op, "calls", (double)calls);
    set_number(f, op, "errors", (double)errors);
    set_number(f, op, "misses", (double)m->answers[LARDER_CLASS(LARDER_MISS)]);
    set_number(f, op, "bytesSent", (double)m->bytes_sent);
    set_number(f, op, "bytesReceived", (double)m->bytes_received);
    set_number(f, op, "p50Ms", ms_of(larder_histogram_quantile(&m->latency, 0.5)));
    set_number(f, op, "p99Ms", ms_of(larder_histogram_quantile(&m->latency, 0.99)));
    set_number(f, op, "maxMs", ms_of(m->latency.max_ns));
    set(f, ops, larder_op_name(code), op);
}

static napi_value instance_of(struct filling *f, const struct larder_instance_metrics *m) {
    static const char *const states[] = {"off", "closed", "open", "half-open"};
    napi_value instance = new_object(f), ops = new_object(f);
    set_text(f, instance, "role", m->role);
    set_text(f, instance, "driver", m->driver);
    set_text(f, instance, "breaker",
             m->breaker.state < sizeof(states) / sizeof(states[0]) ? states[m->breaker.state] : "");
    set_text(f, instance, "breakerReason", m->breaker.reason);
    set_number(f, instance, "breakerOpened", (double)m->breaker.opened);
    set_number(f, instance, "refused", (double)m->breaker.refused);
    set_number(f, instance, "retries", (double)m->retry.retries);
    set_number(f, instance, "throttled", (double)m->retry.throttled);
    set_number(f, instance, "inflight", (double)m->inflight);
    set_number(f, instance, "queued", (double)m->queued);
    for (uint32_t code = 1; code < LARDER_N_OPS; code++)
        set_op(f, ops, code, &m->ops[code]);
    set(f, instance, "ops", ops);
    return instance;
}

napi_value js_stats(napi_env env, napi_callback_info info) {
    struct args args;
    struct scratch scratch;
    struct filling f = {.env = env};
    scratch_init(&scratch);
    args_init(&args, env, info, &scratch);
    scratch_done(&scratch);
    const struct handle *handle = open_handle(&args);
    struct larder_metrics *m = handle ? larder_metrics(handle->shared->store) : NULL;
    napi_value instances = NULL, ret = new_object(&f);
    if (!m)
        return NULL;
    set_store(&f, ret, &m->stats);
    if (f.status == napi_ok)
        f.status = napi_create_array_with_length(env, (size_t)m->n_instances, &instances);
    for (uint32_t i = 0; i < m->n_instances; i++) {
        napi_value instance = instance_of(&f, &m->instances[i]);
        if (f.status == napi_ok)
            f.status = napi_set_element(env, instances, i, instance);
    }
    if (f.status == napi_ok)
        set(&f, ret, "instances", instances);
    larder_metrics_free(m);
    return f.status == napi_ok ? ret : NULL;
}

/* ---- metrics ------------------------------------------------------------------------- */

static struct larder_label *labels_of(const struct larder_bytes *names, const struct larder_bytes *values,
                                      size_t n) {
    struct larder_label *labels = calloc(n + 1, sizeof(*labels));
    for (size_t i = 0; labels && i < n; i++) /* texts of args_texts() end with a NUL */
        labels[i] = (struct larder_label){(const char *)names[i].ptr, (const char *)values[i].ptr};
    return labels;
}

napi_value js_metrics(napi_env env, napi_callback_info info) {
    struct args args;
    struct scratch scratch;
    size_t n_names, n_values;
    napi_value ret = NULL;
    scratch_init(&scratch);
    args_init(&args, env, info, &scratch);
    uint32_t format = args_u32(&args, 0, "format");
    const struct larder_bytes *names = args_texts(&args, 1, "names", &n_names);
    const struct larder_bytes *values = args_texts(&args, 2, "values", &n_values);
    const struct handle *handle = open_handle(&args);
    if (args.status == LARDER_OK && handle && n_names == n_values) {
        struct larder_metrics *m = larder_metrics(handle->shared->store);
        struct larder_label *labels = labels_of(names, values, n_names);
        char *text = m && labels ? larder_metrics_text(m, format, labels, n_names) : NULL;
        if (text && napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &ret) != napi_ok)
            ret = NULL;
        free(text);
        free(labels);
        larder_metrics_free(m);
    }
    scratch_done(&scratch);
    return ret;
}
