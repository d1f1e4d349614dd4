/*
 * Gets or puts through any driver, with so many in flight, for so long.
 *
 *     bench_driver [--json] URL get|put BYTES INFLIGHT MS [store]
 *
 * Without `store` the driver alone is called.  With it a store is asked, as a binding asks it: the layers
 * have their turn, entries are verified, and marks of their tags are looked at.  Either way what happens
 * runs on one thread, if the driver does not block.
 */
#include <pthread.h>
#include <semaphore.h>

#include "../bench.h"
#include "backend.h"
#include "buf.h"
#include "bytes.h"
#include "config.h"
#include "pool.h"

enum {
    KEYS = 64,
    TAGS = 4,
    MAX_INFLIGHT = 1024,
    MAX_VALUE = 64 << 20,
    WARM_UP_MS = 200,
    PATIENCE_MS = 10000
};

static struct {
    const char *url;
    bool json, puts, through_store;
    size_t value_bytes, inflight;
    uint64_t for_ns;
} wanted;

static char keys[KEYS][48];
static struct larder_slice value;
static const struct larder_bytes tags[TAGS] = {{(const uint8_t *)"_N_T_/layout", 12},
                                               {(const uint8_t *)"_N_T_/blog/layout", 17},
                                               {(const uint8_t *)"_N_T_/blog/page", 15},
                                               {(const uint8_t *)"posts", 5}};

/* ---- what is measured ------------------------------------------------------------------------- */

/* One of those in flight: asks again as soon as it is answered, until the time is over. */
struct lane {
    size_t n;
    uint64_t begin_ns;
};
static struct lane lanes[MAX_INFLIGHT];

/* Only the thread that the answers come on touches it while lanes run. */
static struct {
    bool puts;
    uint64_t until_ns; /* and until `least` are asked for */
    size_t running, asked, least;
    double *latency_us;
    size_t n, room;
} now;

static uint64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct larder_bytes key_of(size_t i) {
    const char *key = keys[i % KEYS];
    return (struct larder_bytes){(const uint8_t *)key, strlen(key)};
}

/* Whether the lane asks once more; what it asks for is lane->n.  One reading of the clock ends what was and begins
 * what comes. */
static bool goes_on(struct lane *lane) {
    lane->begin_ns = clock_ns(CLOCK_MONOTONIC);
    if (lane->begin_ns >= now.until_ns && now.asked >= now.least)
        return false;
    lane->n = now.asked++;
    return true;
}

static bool note(struct lane *lane) {
    const uint64_t begin_ns = lane->begin_ns;
    const bool more = goes_on(lane);
    if (now.n == now.room) {
        now.room = now.room == 0 ? 1 << 16 : now.room * 2;
        double *larger = realloc(now.latency_us, now.room * sizeof(double));
        bench_check(larger != NULL, "out of memory");
        now.latency_us = larger;
    }
    now.latency_us[now.n++] = (double)(lane->begin_ns - begin_ns) / 1e3;
    return more;
}

/* ---- the driver alone --------------------------------------------------------------------------- */

static struct reactor *reactor;
static struct backend *backend;

static void driver_ask(struct lane *lane);

static void driver_answered(void *arg, struct op *op) {
    struct lane *lane = arg;
    bench_check(op->result.status == LARDER_OK, op->result.detail);
    bench_check(now.puts || op->result.value.len == value.len, "another value was stored");
    op_free(op);
    if (note(lane))
        driver_ask(lane);
    else
        now.running--;
}

static void driver_ask(struct lane *lane) {
    struct op_inputs in = {.key = key_of(lane->n)};
    if (now.puts) {
        in.value = value;
        in.modified_ms = reactor_now_ms(reactor);
        in.epoch = 1;
        in.ttl_ms = 86400000;
    }
    struct op *op = op_new(reactor, now.puts ? LARDER_OP_PUT : LARDER_OP_GET, &in,
                           lane->begin_ns + PATIENCE_MS * UINT64_C(1000000), driver_answered, lane);
    bench_check(op != NULL, "out of memory");
    backend_call(backend, op);
}

static void driver_begin(void *arg) {
    (void)arg;
    for (size_t i = 0; i < wanted.inflight; i++) {
        (void)goes_on(&lanes[i]);
        driver_ask(&lanes[i]);
    }
}

/* In a turn of the reactor, at whose end gathered calls go out. */
static void driver_run(void) {
    struct task begin = {.fn = driver_begin};
    reactor_post(reactor, &begin);
    while (now.running > 0)
        reactor_step(reactor, true, UINT64_MAX);
}

/* Memory of large values is used again, as it is in a store, but not given back: this ends soon. */
static void driver_wake_pool(void *arg, bool full) {
    (void)arg, (void)full;
}

static void driver_open(const struct store_config *config) {
    pool_start(driver_wake_pool, NULL);
    reactor = reactor_new(NULL);
    bench_check(reactor != NULL, "no reactor");
    backend = backend_new(reactor, config->cache.driver, param_set_config(config->cache.params), NULL);
    bench_check(backend != NULL, "out of memory");
    bench_check(backend_open(backend) == LARDER_OK, backend->open_error);
}

static void driver_close(void) {
    while (backend_busy(backend))
        reactor_step(reactor, true, UINT64_MAX);
    backend_free(backend);
    reactor_free(reactor);
    pool_stop();
}

/* ---- a store ------------------------------------------------------------------------------------ */

static struct larder_store *store;
static struct larder_entry entries[KEYS];
static struct larder_part part;
static sem_t lanes_ended;
static int64_t epoch;

static void store_ask(struct lane *lane);

static void store_answered(void *arg, const struct larder_answer *answer) {
    struct lane *lane = arg;
    bench_check(answer->status == LARDER_OK, answer->detail);
    bench_check(now.puts || (answer->verdict == LARDER_FRESH && answer->entry->n_parts == 1 &&
                             answer->entry->parts[0].data.len == value.len),
                "another entry was stored");
    if (note(lane))
        store_ask(lane);
    else if (--now.running == 0)
        sem_post(&lanes_ended);
}

static void store_ask(struct lane *lane) {
    struct larder_request request = {.code = LARDER_DO_GET, .kind = LARDER_PAGE, .key = key_of(lane->n)};
    if (now.puts) {
        request.code = LARDER_DO_PUT;
        request.entry = &entries[lane->n % KEYS];
    }
    bench_check(larder_submit(store, &request, store_answered, lane) == LARDER_OK, "a request is refused");
}

/* All lanes belong to the I/O thread, so that is where they begin: with the answer to one request. */
static void store_begin(void *arg, const struct larder_answer *answer) {
    (void)arg;
    bench_check(answer->status == LARDER_OK, answer->detail);
    epoch = answer->epoch;
    for (size_t i = 0; i < KEYS; i++)
        entries[i].epoch = epoch;
    for (size_t i = 0; i < wanted.inflight; i++) {
        (void)goes_on(&lanes[i]);
        store_ask(&lanes[i]);
    }
}

static void store_run(void) {
    struct larder_request request = {.code = LARDER_DO_EPOCH};
    bench_check(larder_submit(store, &request, store_begin, NULL) == LARDER_OK, "a request is refused");
    while (sem_wait(&lanes_ended) != 0)
        ;
}

static void store_open(const struct larder_config *config) {
    struct larder_error error;
    bench_check(sem_init(&lanes_ended, 0, 0) == 0, "no semaphore");
    bench_check(larder_open(config, &store, &error) == LARDER_OK, error.text);
    part = (struct larder_part){.data = {value.ptr, value.len}};
    for (size_t i = 0; i < KEYS; i++)
        entries[i] = (struct larder_entry){.kind = LARDER_PAGE,
                                           .n_parts = 1,
                                           .key = key_of(i),
                                           .modified_ms = (int64_t)time(NULL) * 1000,
                                           .revalidate_ms = LARDER_UNSET,
                                           .expire_ms = LARDER_UNSET,
                                           .tags = tags,
                                           .n_tags = TAGS,
                                           .parts = &part};
}

/* ---- the run -------------------------------------------------------------------------------------- */

static void run(bool puts, uint64_t for_ns) {
    now.puts = puts;
    now.least = puts ? KEYS : 1;
    now.n = now.asked = 0;
    now.running = wanted.inflight;
    now.until_ns = clock_ns(CLOCK_MONOTONIC) + for_ns;
    if (wanted.through_store)
        store_run();
    else
        driver_run();
}

static void measure(void) {
    const uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC), cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    run(wanted.puts, wanted.for_ns);
    const double seconds = (double)(clock_ns(CLOCK_MONOTONIC) - begin_ns) / 1e9;
    const double cpu_us = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns) / 1e3;
    const double n = (double)now.n;
    bench_check(now.n > 0, "nothing was answered in time");
    qsort(now.latency_us, now.n, sizeof(double), bench_by_value);
    const double p50_us = now.latency_us[now.n / 2], p99_us = now.latency_us[now.n * 99 / 100];
    if (wanted.json)
        printf("{\"ops\": %.0f, \"opsPerSecond\": %.1f, \"p50Us\": %.2f, \"p99Us\": %.2f, \"processUs\": "
               "%.3f}\n",
               n, n / seconds, p50_us, p99_us, cpu_us / n);
    else
        printf("%.0f a second, p50 %.1f us, p99 %.1f us, CPU %.2f us each\n", n / seconds, p50_us, p99_us,
               cpu_us / n);
}

static size_t number(const char *text, size_t max) {
    char *end;
    errno = 0;
    const unsigned long long n = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < 1 || n > max) {
        fprintf(stderr, "bench_driver: '%s' is not a number from 1 to %zu\n", text, max);
        exit(2);
    }
    return (size_t)n;
}

static void read_arguments(int argc, char **argv) {
    int at = 1;
    if (at < argc && strcmp(argv[at], "--json") == 0) {
        wanted.json = true;
        at++;
    }
    const int left = argc - at;
    const bool good = (left == 5 || (left == 6 && strcmp(argv[at + 5], "store") == 0)) &&
                      (strcmp(argv[at + 1], "get") == 0 || strcmp(argv[at + 1], "put") == 0);
    if (!good) {
        fprintf(stderr, "usage: bench_driver [--json] URL get|put BYTES INFLIGHT MS [store]\n");
        exit(2);
    }
    wanted.url = argv[at];
    wanted.puts = strcmp(argv[at + 1], "put") == 0;
    wanted.value_bytes = number(argv[at + 2], MAX_VALUE);
    wanted.inflight = number(argv[at + 3], MAX_INFLIGHT);
    wanted.for_ns = number(argv[at + 4], 600000) * UINT64_C(1000000);
    wanted.through_store = left == 6;
}

int main(int argc, char **argv) {
    struct larder_error error;
    struct store_config *typed = NULL;
    read_arguments(argc, argv);
    uint8_t *bytes = buf_new(wanted.value_bytes, &value);
    bench_check(bytes != NULL, "out of memory");
    for (size_t i = 0; i < value.len; i++)
        bytes[i] = (uint8_t)((uint32_t)i * 2654435761u >> 13);
    for (size_t i = 0; i < KEYS; i++)
        snprintf(keys[i], sizeof(keys[i]), "/bench/%zu-bytes/page-of-some-name-%zu", value.len, i);
    struct larder_config *config = larder_config_new();
    bench_check(config != NULL, "out of memory");
    /* A store as it is without memory of its own, values as they are. */
    const char *const settings[][2] = {{"cache", wanted.url},     {"memory", "0"},
                                       {"compress", "off"},       {"get-deadline", "10s"},
                                       {"write-deadline", "10s"}, {"build", "bench"}};
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        bench_check(larder_config_set(config, settings[i][0], settings[i][1], "bench_driver", &error) ==
                        LARDER_OK,
                    error.text);
    if (wanted.through_store) {
        store_open(config);
    } else {
        bench_check(store_config_new(config, &typed, &error) == LARDER_OK, error.text);
        driver_open(typed);
    }
    run(true, WARM_UP_MS * UINT64_C(1000000)); /* which stores what is read */
    run(wanted.puts, WARM_UP_MS * UINT64_C(1000000));
    measure();
    if (wanted.through_store)
        larder_close(store);
    else
        driver_close();
    store_config_free(typed);
    larder_config_free(config);
    slice_done(&value);
    free(now.latency_us);
    return 0;
}
