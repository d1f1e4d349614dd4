/*
 * What the layers cost for one op: a driver that answers at once, and one layer after the other on
 * it, as a store stacks them.  Rounds take turns, the median counts.
 *
 *     bench_layers [--json] [--rounds N]
 */

#include "../bench.h"
#include "backend.h"
#include "buf.h"
#include "bytes.h"
#include "layers.h"

enum { BURST = 64, BURSTS = 40, VALUE_LEN = 200 };

static struct larder_slice value;
static struct op *answered[BURST];
static size_t n_answered;

/* ---- a driver that does nothing --------------------------------------------------------- */

static void answer_at_once(void *instance, struct larder_op *op) {
    struct larder_result res = {
        .size = sizeof(res), .status = LARDER_OK, .value = slice_ref(value), .epoch = 1};
    (void)instance;
    op_complete(op, &res);
}

static int32_t idle_open(const struct larder_host *host, struct larder_home *home, const void *config,
                         struct larder_info *info, void **instance, char *error) {
    (void)host, (void)home, (void)config, (void)info;
    error[0] = '\0';
    *instance = &value;
    return LARDER_OK;
}

static void idle_close(void *instance) {
    (void)instance;
}

static const struct larder_cache_ops idle_ops = {
    .size = sizeof(idle_ops), .get = answer_at_once, .put = answer_at_once, .remove = answer_at_once};
static const struct larder_driver idle_driver = {.size = sizeof(idle_driver),
                                                 .abi = LARDER_ABI,
                                                 .name = "idle",
                                                 .version = "0",
                                                 .summary = "Answers at once.",
                                                 .cache = &idle_ops,
                                                 .open = idle_open,
                                                 .close = idle_close,
                                                 .ping = answer_at_once};

/* ---- the stacks ---------------------------------------------------------------------------- */

static struct meter meter;
static struct breaker_counters breaker = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct larder_retry_metrics retry;

static const struct level {
    const char *name;
    const struct larder_driver *driver;
    const void *settings;
} levels[] = {
    {"driver", &idle_driver, NULL},
    {"meter", &layer_meter, &(const struct layer_meter_settings){&meter}},
    {"breaker", &layer_breaker,
     &(const struct layer_breaker_settings){
         .rate = 50, .calls = 20, .window_ms = 10000, .pause_ms = 250, .ping_ms = 500, .counters = &breaker}},
    {"retry", &layer_retry,
     &(const struct layer_retry_settings){.retries = 2, .base_ms = 25, .cap_ms = 1000, .counters = &retry}},
    {"compress", &layer_compress,
     &(const struct layer_compress_settings){.min_bytes = 8192, .level = 1, .max_value = 64 << 20}},
    {"namespace", &layer_namespace, &(const struct layer_namespace_settings){"default"}},
};
enum { N_STACKS = N_ELEMENTS(levels) };

/* Stack n is the driver and n layers on it, each stack with a driver of its own. */
static struct backend *stack_new(struct reactor *r, size_t n) {
    struct backend *top = NULL;
    for (size_t i = 0; i <= n; i++) {
        top = backend_new(r, levels[i].driver, levels[i].settings, top);
        bench_check(top != NULL, "out of memory");
    }
    bench_check(backend_open(top) == LARDER_OK, "a layer does not open");
    return top;
}

static void stack_free(struct backend *top) {
    while (top != NULL) {
        struct backend *below = top->layer.below;
        backend_free(top);
        top = below;
    }
}

static void take(void *arg, struct op *op) {
    (void)arg;
    bench_check(op->result.status == LARDER_OK && op->result.value.len == VALUE_LEN, "a wrong answer");
    answered[n_answered++] = op;
}

/* Nanoseconds of one op, from op_new() to op_free(). */
static double round_of(struct reactor *r, struct backend *top) {
    const struct op_inputs in = {.key = bytes_of("build/page/blog/a-page-of-some-name")};
    uint64_t deadline_ns = reactor_now_ns(r) + 10000000000u, begin = bench_cpu_ns();
    for (unsigned burst = 0; burst < BURSTS; burst++) {
        for (unsigned i = 0; i < BURST; i++) {
            struct op *op = op_new(r, LARDER_OP_GET, &in, deadline_ns, take, NULL);
            bench_check(op != NULL, "out of memory");
            backend_call(top, op);
        }
        while (n_answered < BURST)
            reactor_step(r, false, 0);
        while (n_answered > 0)
            op_free(answered[--n_answered]);
    }
    return (double)(bench_cpu_ns() - begin) / (BURST * BURSTS);
}

/* What the meter cannot do without: two readings of the clock. */
static double clock_round(struct reactor *r) {
    enum { READINGS = BURST * BURSTS };
    uint64_t begin = bench_cpu_ns();
    for (unsigned i = 0; i < 2 * READINGS; i++)
        (void)reactor_now_ns(r); /* of another object: it is called */
    return (double)(bench_cpu_ns() - begin) / READINGS;
}

static void measure(unsigned rounds, double medians[N_STACKS], double *ret_clock) {
    static double times[N_STACKS][BENCH_MAX_ROUNDS], clock_times[BENCH_MAX_ROUNDS];
    struct backend *stacks[N_STACKS];
    struct reactor *r = reactor_new(NULL);
    bench_check(r != NULL, "no reactor");
    for (size_t s = 0; s < N_STACKS; s++)
        stacks[s] = stack_new(r, s);
    for (unsigned i = 0; i < rounds; i++) {
        clock_times[i] = clock_round(r);
        for (size_t s = 0; s < N_STACKS; s++)
            times[s][i] = round_of(r, stacks[s]);
    }
    for (size_t s = 0; s < N_STACKS; s++) {
        stack_free(stacks[s]);
        medians[s] = bench_median(times[s], rounds);
    }
    *ret_clock = bench_median(clock_times, rounds);
    reactor_free(r);
}

static void print(const double *medians, double clock_ns, unsigned rounds, bool json) {
    if (json)
        printf("{\"bench\": \"layers\", \"rounds\": %u, \"stacks\": [\n", rounds);
    else
        printf("%-12s %8s %8s\n", "up to", "ns/op", "more");
    for (size_t s = 0; s < N_STACKS; s++) {
        double more = s > 0 ? medians[s] - medians[s - 1] : 0;
        if (json)
            printf("  {\"name\": \"%s\", \"ns\": %.1f, \"more_ns\": %.1f}%s\n", levels[s].name, medians[s],
                   more, s + 1 < N_STACKS ? "," : "");
        else
            printf("%-12s %8.1f %8.1f\n", levels[s].name, medians[s], more);
    }
    if (json)
        printf("], \"layers_ns\": %.1f, \"clock_ns\": %.1f}\n", medians[N_STACKS - 1] - medians[0], clock_ns);
    else
        printf("all layers   %8s %8.1f\ntwo readings of the clock, which the meter takes: %.1f\n", "",
               medians[N_STACKS - 1] - medians[0], clock_ns);
}

int main(int argc, char **argv) {
    const struct bench_options options = bench_options("bench_layers", argc, argv, 101);
    double medians[N_STACKS], clock_ns;
    uint8_t *bytes = buf_new(VALUE_LEN, &value);
    bench_check(bytes != NULL, "out of memory");
    memset(bytes, 'x', VALUE_LEN);
    measure(options.rounds, medians, &clock_ns);
    slice_done(&value);
    print(medians, clock_ns, options.rounds, options.json);
    return 0;
}
