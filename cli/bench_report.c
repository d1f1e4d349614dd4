/* What larder bench has measured, for people and as JSON. */
#include <inttypes.h>

#include "bench.h"

enum { N_MEASURED = BENCH_REMOVE };
static const char *const names[N_MEASURED] = {
    [BENCH_GET] = "get", [BENCH_PUT] = "put", [BENCH_REVALIDATE] = "revalidate"};

static const struct {
    const char *name, *json;
    double q;
} quantiles[] = {
    {"p50", "p50Us", 0.5}, {"p90", "p90Us", 0.9}, {"p99", "p99Us", 0.99}, {"p99.9", "p999Us", 0.999}};
enum { N_QUANTILES = sizeof quantiles / sizeof quantiles[0] };

uint64_t bench_failures(const struct bench_counts *counts) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < LARDER_N_CLASSES; i++)
        n += LARDER_STATUS_OF(i) < 0 ? counts->classes[i] : 0;
    return n;
}

static double per_second(uint64_t n, const struct bench_result *result) {
    return result->took_ns ? (double)n * 1e9 / (double)result->took_ns : 0;
}

/* Of the gets that were answered, those that a request could be served with. */
static double hit_percent(const struct bench_result *result) {
    const uint64_t hits = result->fresh + result->stale, all = hits + result->gone + result->missing;
    return all ? 100 * (double)hits / (double)all : 0;
}

/* ---- for people ----------------------------------------------------------------------------------- */

static void print_row(const char *name, const struct bench_counts *counts,
                      const struct bench_result *result) {
    printf("%-12s%10" PRIu64 "%10.0f%9.2f", name, counts->times.count,
           per_second(counts->times.count, result), per_second(counts->bytes, result) / (1 << 20));
    for (size_t i = 0; i < N_QUANTILES; i++)
        printf("%10.3f", (double)larder_histogram_quantile(&counts->times, quantiles[i].q) / 1e6);
    printf("%10.3f\n", (double)counts->times.max_ns / 1e6);
}

static void print_failures(const char *name, const struct bench_counts *counts) {
    if (bench_failures(counts) == 0)
        return;
    printf("failed %s:", name);
    for (uint32_t i = 0; i < LARDER_N_CLASSES; i++)
        if (LARDER_STATUS_OF(i) < 0 && counts->classes[i] > 0)
            printf(" %s %" PRIu64, larder_status_name(LARDER_STATUS_OF(i)), counts->classes[i]);
    putchar('\n');
}

static void print(const struct bench_plan *plan, const struct bench_result *result) {
    printf("%" PRIu32 " callers, %" PRIu64 " keys of ", plan->inflight, plan->keys);
    if (plan->size_min == plan->size_max)
        printf("%" PRIu64 " bytes", plan->size_min);
    else
        printf("%" PRIu64 " to %" PRIu64 " bytes", plan->size_min, plan->size_max);
    printf(", %.1f s%s\n\n%-12s%10s%10s%9s", (double)result->took_ns / 1e9,
           result->interrupted ? ", interrupted" : "", "", "answers", "per s", "MB/s");
    for (size_t i = 0; i < N_QUANTILES; i++)
        printf("%10s", quantiles[i].name);
    printf("%10s\n", "max (ms)");
    for (size_t i = 0; i < N_MEASURED; i++)
        if (result->ops[i].times.count > 0)
            print_row(names[i], &result->ops[i], result);
    printf("\nhits of gets: %.1f %% (%" PRIu64 " fresh, %" PRIu64 " stale; %" PRIu64 " gone, %" PRIu64
           " not stored)\n",
           hit_percent(result), result->fresh, result->stale, result->gone, result->missing);
    for (size_t i = 0; i < N_MEASURED; i++)
        print_failures(names[i], &result->ops[i]);
    if (result->first_failure != LARDER_OK)
        printf("the first failure: %s%s%s\n", larder_status_name(result->first_failure),
               *result->why ? ": " : "", result->why);
    if (result->wrong > 0)
        printf("gets with bytes that nobody put: %" PRIu64 "\n", result->wrong);
    if (result->left > 0)
        printf("entries that could not be removed: %" PRIu64 "; the store drops them within an hour\n",
               result->left);
}

/* ---- as JSON ------------------------------------------------------------------------------------------ */

static void json_op(struct json *out, const char *name, const struct bench_counts *counts,
                    const struct bench_result *result) {
    json_object(out, name);
    json_number(out, "answers", (int64_t)counts->times.count);
    json_number(out, "perSecond", (int64_t)per_second(counts->times.count, result));
    json_number(out, "bytes", (int64_t)counts->bytes);
    for (size_t i = 0; i < N_QUANTILES; i++)
        json_number(out, quantiles[i].json,
                    (int64_t)(larder_histogram_quantile(&counts->times, quantiles[i].q) / 1000));
    json_number(out, "maxUs", (int64_t)(counts->times.max_ns / 1000));
    json_object(out, "failures");
    for (uint32_t i = 0; i < LARDER_N_CLASSES; i++)
        if (LARDER_STATUS_OF(i) < 0 && counts->classes[i] > 0)
            json_number(out, larder_status_name(LARDER_STATUS_OF(i)), (int64_t)counts->classes[i]);
    json_end(out);
    json_end(out);
}

static void print_json(struct json *out, const struct bench_plan *plan, const struct bench_result *result) {
    json_object(out, NULL);
    json_number(out, "inflight", plan->inflight);
    json_number(out, "keys", (int64_t)plan->keys);
    json_number(out, "sizeMin", (int64_t)plan->size_min);
    json_number(out, "sizeMax", (int64_t)plan->size_max);
    json_number(out, "seed", (int64_t)plan->seed);
    json_number(out, "tookMs", (int64_t)(result->took_ns / 1000000));
    json_bool(out, "interrupted", result->interrupted);
    for (size_t i = 0; i < N_MEASURED; i++)
        json_op(out, names[i], &result->ops[i], result);
    json_number(out, "fresh", (int64_t)result->fresh);
    json_number(out, "stale", (int64_t)result->stale);
    json_number(out, "gone", (int64_t)result->gone);
    json_number(out, "notStored", (int64_t)result->missing);
    json_number(out, "wrong", (int64_t)result->wrong);
    json_number(out, "left", (int64_t)result->left);
    if (result->first_failure != LARDER_OK) {
        json_text(out, "firstFailure", larder_status_name(result->first_failure));
        json_text(out, "why", result->why);
    }
    json_end(out);
}

void bench_tell(struct cli *cli, const struct bench_plan *plan, const struct bench_result *result) {
    if (cli->json)
        print_json(&cli->out, plan, result);
    else
        print(plan, result);
}
