#include "tally.h"

#include <stdlib.h>
#include <string.h>

static uint64_t *number(void *counters, const struct larder_field *field) {
    return (uint64_t *)(void *)((uint8_t *)counters + field->at);
}

/* ---- adding ----------------------------------------------------------------------------------------- */

static void add_fields(const struct larder_field *fields, size_t n, void *to, const void *from) {
    for (size_t i = 0; i < n; i++) {
        uint64_t value = (uint64_t)larder_field_read(&fields[i], from), *sum = number(to, &fields[i]);
        if (fields[i].kind == LARDER_LEVEL)
            *sum = value > *sum ? value : *sum;
        else
            *sum += value;
    }
}

static void add_op(struct larder_op_metrics *to, const struct larder_op_metrics *from) {
    for (size_t i = 0; i < LARDER_N_CLASSES; i++)
        to->answers[i] += from->answers[i];
    to->bytes_sent += from->bytes_sent;
    to->bytes_received += from->bytes_received;
    to->records += from->records;
    larder_histogram_add(&to->latency, &from->latency);
}

/* The row of this role and driver, made where there is none. */
static struct larder_instance_metrics *row_for(struct larder_metrics *sum,
                                               const struct larder_instance_metrics *like) {
    for (uint64_t i = 0; i < sum->n_instances; i++) {
        struct larder_instance_metrics *row = &sum->instances[i];
        if (strcmp(row->role, like->role) == 0 && strcmp(row->driver, like->driver) == 0)
            return row;
    }
    struct larder_instance_metrics *row = &sum->instances[sum->n_instances++];
    row->role = like->role;
    row->driver = like->driver;
    return row;
}

static void add_instance(struct larder_metrics *sum, const struct larder_instance_metrics *from) {
    size_t n;
    const struct larder_field *fields = larder_instance_fields(&n);
    struct larder_instance_metrics *to = row_for(sum, from);
    add_fields(fields, n, to, from);
    for (size_t code = 0; code < LARDER_N_OPS; code++)
        add_op(&to->ops[code], &from->ops[code]);
}

struct larder_metrics *tally_sum(const struct process *processes, size_t n) {
    size_t n_rows = 0, n_fields;
    const struct larder_field *fields = larder_stats_fields(&n_fields);
    for (size_t i = 0; i < n; i++)
        n_rows += processes[i].metrics->n_instances;
    struct larder_metrics *sum = calloc(1, sizeof *sum + n_rows * sizeof sum->instances[0]);
    if (sum == NULL)
        return NULL;
    sum->instances = (struct larder_instance_metrics *)(sum + 1);
    sum->ns = n > 0 ? processes[0].metrics->ns : "";
    for (size_t i = 0; i < n; i++) {
        const struct larder_metrics *m = processes[i].metrics;
        sum->up_ms = m->up_ms > sum->up_ms ? m->up_ms : sum->up_ms;
        add_fields(fields, n_fields, &sum->stats, &m->stats);
        for (size_t k = 0; k < LARDER_N_TIMED; k++)
            larder_histogram_add(&sum->requests[k], &m->requests[k]);
        for (uint64_t k = 0; k < m->n_instances; k++)
            add_instance(sum, &m->instances[k]);
    }
    return sum;
}

/* ---- subtracting ------------------------------------------------------------------------------------ */

static void less(uint64_t *now, uint64_t before) {
    *now = *now > before ? *now - before : 0;
}

static void less_fields(const struct larder_field *fields, size_t n, void *now, const void *before) {
    for (size_t i = 0; i < n; i++) {
        if (fields[i].kind == LARDER_COUNTER)
            less(number(now, &fields[i]), (uint64_t)larder_field_read(&fields[i], before));
    }
}

/* The greatest since then is not known; the bucket that it is in is. */
static void less_histogram(struct larder_histogram *now, const struct larder_histogram *before) {
    less(&now->count, before->count);
    less(&now->sum_ns, before->sum_ns);
    uint64_t most_ns = 0;
    for (size_t i = 0; i < LARDER_N_BUCKETS; i++) {
        less(&now->buckets[i], before->buckets[i]);
        if (now->buckets[i] > 0)
            most_ns = larder_bucket_limit_ns(i);
    }
    now->max_ns = most_ns < now->max_ns ? most_ns : now->max_ns;
}

static void less_op(struct larder_op_metrics *now, const struct larder_op_metrics *before) {
    for (size_t i = 0; i < LARDER_N_CLASSES; i++)
        less(&now->answers[i], before->answers[i]);
    less(&now->bytes_sent, before->bytes_sent);
    less(&now->bytes_received, before->bytes_received);
    less(&now->records, before->records);
    less_histogram(&now->latency, &before->latency);
}

void tally_since(struct larder_metrics *now, const struct larder_metrics *before) {
    size_t n;
    const struct larder_field *fields = larder_stats_fields(&n);
    less_fields(fields, n, &now->stats, &before->stats);
    for (size_t i = 0; i < LARDER_N_TIMED; i++)
        less_histogram(&now->requests[i], &before->requests[i]);
    fields = larder_instance_fields(&n);
    for (uint64_t i = 0; i < now->n_instances && i < before->n_instances; i++) {
        less_fields(fields, n, &now->instances[i], &before->instances[i]);
        for (size_t code = 0; code < LARDER_N_OPS; code++)
            less_op(&now->instances[i].ops[code], &before->instances[i].ops[code]);
    }
}

uint64_t tally_calls(const struct larder_op_metrics *op, uint64_t *ret_errors) {
    uint64_t calls = 0;
    *ret_errors = 0;
    for (uint32_t i = 0; i < LARDER_N_CLASSES; i++) {
        calls += op->answers[i];
        *ret_errors += LARDER_STATUS_OF(i) < 0 ? op->answers[i] : 0;
    }
    return calls;
}
