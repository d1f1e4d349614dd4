/* Metrics as programs read them. */
#include <cJSON.h>
#include <ctype.h>

#define FAILING_ALLOC_HERE
#include "bytes.h"
#include "failing_alloc.h"
#include "histogram.h"
#include "larder/larder.h"
#include "unit.h"

static struct larder_metrics *sample(void) {
    struct larder_metrics *m = calloc(1, sizeof(*m) + sizeof(m->instances[0]));
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    m->stats = (struct larder_stats){
        .gets = 10, .hits = 7, .misses = 3, .epoch = 1700000000005, .inflight = 2};
    m->n_instances = 1;
    m->instances = (struct larder_instance_metrics *)(m + 1);
    struct larder_instance_metrics *i = &m->instances[0];
    i->role = "cache+tags";
    i->driver = "redis";
    i->breaker.state = LARDER_BREAKER_OPEN;
    i->retry.retries = 4;
    struct larder_op_metrics *get = &i->ops[LARDER_OP_GET];
    get->answers[LARDER_CLASS(LARDER_OK)] = 2;
    get->answers[LARDER_CLASS(LARDER_THROTTLED)] = 1;
    get->bytes_received = 4096;
    const uint64_t took_ns[] = {30000, 700000, 70000000000u};
    for (size_t k = 0; k < N_ELEMENTS(took_ns); k++)
        larder_histogram_record(&get->latency, took_ns[k]);
    larder_histogram_record(&m->requests[LARDER_TIMED_GET_MEMORY], 30000);
    return m;
}

static bool has_line(const char *text, const char *line) {
    size_t len = strlen(line);
    for (const char *at = text; (at = strstr(at, line)) != NULL; at++)
        if ((at == text || at[-1] == '\n') && at[len] == '\n')
            return true;
    printf("\n  no line: %s\n", line);
    return false;
}

static void prometheus_reads_counters_gauges_and_histograms(void) {
    struct larder_metrics *m = sample();
    const struct larder_label ns = {"namespace", "shop"};
    char *text = larder_metrics_text(m, LARDER_PROMETHEUS, &ns, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    static const char *const lines[] = {
        "# TYPE larder_gets_total counter",
        "larder_gets_total{namespace=\"shop\",result=\"hit\"} 7",
        "larder_gets_total{namespace=\"shop\",result=\"miss\"} 3",
        "# TYPE larder_inflight gauge",
        "larder_inflight{namespace=\"shop\"} 2",
        "larder_epoch{namespace=\"shop\"} 1700000000005",
        "larder_breaker_state{namespace=\"shop\",role=\"cache+tags\",driver=\"redis\"} 2",
        "larder_retries_total{namespace=\"shop\",role=\"cache+tags\",driver=\"redis\"} 4",
        "larder_driver_calls_total{namespace=\"shop\",role=\"cache+tags\",driver=\"redis\",op=\"get\",status="
        "\"ok\"} 2",
        "larder_driver_calls_total{namespace=\"shop\",role=\"cache+tags\",driver=\"redis\",op=\"get\",status="
        "\"throttled\"} 1",
        "# TYPE larder_request_latency_seconds histogram",
        "larder_request_latency_seconds_bucket{namespace=\"shop\",request=\"get-memory\",le=\"5e-05\"} 1",
        "larder_request_latency_seconds_count{namespace=\"shop\",request=\"get-memory\"} 1",
        "# TYPE larder_driver_latency_seconds histogram",
        "larder_driver_latency_seconds_bucket{namespace=\"shop\",role=\"cache+tags\",driver=\"redis\",op="
        "\"get\","
        "le=\"5e-05\"} 1",
        "larder_driver_latency_seconds_bucket{namespace=\"shop\",role=\"cache+tags\",driver=\"redis\",op="
        "\"get\","
        "le=\"0.001\"} 2",
        "larder_driver_latency_seconds_bucket{namespace=\"shop\",role=\"cache+tags\",driver=\"redis\",op="
        "\"get\","
        "le=\"10\"} 2",
        "larder_driver_latency_seconds_bucket{namespace=\"shop\",role=\"cache+tags\",driver=\"redis\",op="
        "\"get\","
        "le=\"+Inf\"} 3",
        "larder_driver_latency_seconds_count{namespace=\"shop\",role=\"cache+tags\",driver=\"redis\",op="
        "\"get\"} 3",
        "larder_driver_received_bytes_total{namespace=\"shop\",role=\"cache+tags\",driver=\"redis\",op="
        "\"get\"} 4096",
    };
    for (size_t i = 0; i < N_ELEMENTS(lines); i++)
        CU_ASSERT(has_line(text, lines[i]));
    free(text);
    larder_metrics_free(m);
}

/* Each line is a comment or `name{labels} number`; each family is described once, before its points. */
static void every_line_is_of_the_format(void) {
    struct larder_metrics *m = sample();
    char *text = larder_metrics_text(m, LARDER_PROMETHEUS, NULL, 0), *rest = text, family[128] = "";
    unsigned n = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != 0; n++) {
        if (strncmp(line, "# TYPE ", 7) == 0) {
            size_t len = strcspn(line + 7, " ");
            CU_ASSERT_FATAL(len < sizeof(family));
            memcpy(family, line + 7, len);
            family[len] = 0;
            continue;
        }
        if (*line == '#')
            continue;
        CU_ASSERT(strncmp(line, family, strlen(family)) == 0);
        char *end, *brace = strchr(line, '{'), *value = strrchr(line, ' ');
        CU_ASSERT_FATAL(brace != NULL && value != NULL);
        for (const char *c = line; c < brace; c++)
            CU_ASSERT(isalnum((unsigned char)*c) || *c == '_');
        strtod(value + 1, &end);
        CU_ASSERT(value[-1] == '}' && end != value + 1 && *end == 0);
    }
    CU_ASSERT(n > 60);
    free(text);
    larder_metrics_free(m);
}

/* A scraper takes each family once, with all its points together. */
static void several_processes_are_one_text(void) {
    struct larder_metrics *a = sample(), *b = sample();
    const struct larder_label labels[] = {{"pid", "1"}, {"pid", "2"}};
    const struct larder_metrics_source sources[] = {{a, &labels[0], 1}, {b, &labels[1], 1}};
    b->stats.hits = 70;
    char *text = larder_metrics_text_of(sources, 2, LARDER_PROMETHEUS);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    static const char *const lines[] = {
        "larder_gets_total{pid=\"1\",result=\"hit\"} 7",
        "larder_gets_total{pid=\"2\",result=\"hit\"} 70",
        "larder_epoch{pid=\"1\"} 1700000000005\nlarder_epoch{pid=\"2\"} 1700000000005",
        "larder_request_latency_seconds_count{pid=\"2\",request=\"get-memory\"} 1",
        "larder_retries_total{pid=\"2\",role=\"cache+tags\",driver=\"redis\"} 4",
        "larder_driver_latency_seconds_count{pid=\"2\",role=\"cache+tags\",driver=\"redis\",op=\"get\"} 3",
    };
    for (size_t i = 0; i < N_ELEMENTS(lines); i++)
        CU_ASSERT(has_line(text, lines[i]));
    const char *type = strstr(text, "# TYPE larder_gets_total");
    CU_ASSERT(type != NULL && strstr(type + 1, "# TYPE larder_gets_total") == NULL);
    free(text);
    larder_metrics_free(a);
    larder_metrics_free(b);
}

static const cJSON *metric_of(const cJSON *root, const char *name) {
    const cJSON *resource = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "resourceMetrics"), 0);
    const cJSON *scope = cJSON_GetArrayItem(cJSON_GetObjectItem(resource, "scopeMetrics"), 0), *metric;
    cJSON_ArrayForEach(metric, cJSON_GetObjectItem(scope, "metrics")) {
        if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(metric, "name")), name) == 0)
            return metric;
    }
    return NULL;
}

static const cJSON *first_point(const cJSON *root, const char *name, const char *shape) {
    return cJSON_GetArrayItem(
        cJSON_GetObjectItem(cJSON_GetObjectItem(metric_of(root, name), shape), "dataPoints"), 0);
}

static void opentelemetry_reads_the_same(void) {
    struct larder_metrics *m = sample();
    const struct larder_label label = {"host", "a \"b\" \\ c\nd"};
    char *text = larder_metrics_text(m, LARDER_OTLP_JSON, &label, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    cJSON *root = cJSON_Parse(text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(root);
    const cJSON *point = first_point(root, "larder.gets", "sum");
    CU_ASSERT_STRING_EQUAL(cJSON_GetStringValue(cJSON_GetObjectItem(point, "asInt")), "7");
    const cJSON *host = cJSON_GetArrayItem(cJSON_GetObjectItem(point, "attributes"), 0);
    CU_ASSERT_STRING_EQUAL(
        cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(host, "value"), "stringValue")),
        label.value);
    CU_ASSERT_PTR_NOT_NULL(first_point(root, "larder.inflight", "gauge"));
    point = first_point(root, "larder.driver.latency", "histogram");
    const cJSON *counts = cJSON_GetObjectItem(point, "bucketCounts");
    int n = cJSON_GetArraySize(counts), sum = 0;
    CU_ASSERT(n == cJSON_GetArraySize(cJSON_GetObjectItem(point, "explicitBounds")) + 1);
    for (int i = 0; i < n; i++)
        sum += (int)strtol(cJSON_GetStringValue(cJSON_GetArrayItem(counts, i)), NULL, 10);
    CU_ASSERT(sum == 3);
    CU_ASSERT_STRING_EQUAL(cJSON_GetStringValue(cJSON_GetObjectItem(point, "count")), "3");
    cJSON_Delete(root);
    free(text);
    larder_metrics_free(m);
}

static void another_format_is_refused(void) {
    struct larder_metrics *m = sample();
    CU_ASSERT_PTR_NULL(larder_metrics_text(m, 0, NULL, 0));
    CU_ASSERT_PTR_NULL(larder_metrics_text(m, 99, NULL, 0));
    larder_metrics_free(m);
}

static char *prometheus(const struct larder_metrics *m) {
    return larder_metrics_text(m, LARDER_PROMETHEUS, NULL, 0);
}

static char *otlp(const struct larder_metrics *m) {
    return larder_metrics_text(m, LARDER_OTLP_JSON, NULL, 0);
}

/* A part of a text is none. */
static void where_memory_ends_there_is_no_text(void) {
    struct larder_metrics *m = sample();
    char *(*const writers[])(const struct larder_metrics *) = {prometheus, otlp, larder_metrics_json};
    m->ns = "shop";
    for (size_t i = 0; i < LARDER_N_BUCKETS; i++) /* longer than the room that a text begins with */
        m->requests[0].buckets[i] = UINT64_C(1) << 62;
    m->instances[0].ops[LARDER_OP_PUT] = m->instances[0].ops[LARDER_OP_GET];
    for (size_t k = 0; k < N_ELEMENTS(writers); k++) {
        unsigned long n = 1;
        for (;; n++) {
            alloc_countdown = n;
            alloc_failures = 0;
            char *text = writers[k](m);
            alloc_countdown = 0;
            CU_ASSERT_EQUAL(text == NULL, alloc_failures > 0);
            free(text);
            if (alloc_failures == 0)
                break;
        }
        CU_ASSERT(n > 1);
    }
    larder_metrics_free(m);
}

UNIT_MAIN("metrics_text", UNIT(prometheus_reads_counters_gauges_and_histograms),
          UNIT(every_line_is_of_the_format), UNIT(several_processes_are_one_text),
          UNIT(opentelemetry_reads_the_same), UNIT(another_format_is_refused),
          UNIT(where_memory_ends_there_is_no_text))
