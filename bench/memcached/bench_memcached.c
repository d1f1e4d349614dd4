/*
 * libmemcached by itself, as a program in C would use it: what is left for a driver to add.
 *
 *     bench_memcached [--json] PORT text|binary get|put BYTES THREADS MS
 *
 * One handle for each thread.  A value is copied once, into memory that stays, as that is what a value is for.
 */
#include <libmemcached/memcached.h>
#include <pthread.h>

#include "../bench.h"

enum { KEYS = 64, MOST_THREADS = 64, WARM_UP = 200 };

static struct {
    unsigned long port, threads, bytes, ms;
    bool json, binary, puts;
} wanted;

struct worker {
    pthread_t thread;
    memcached_st *st;
    char *value;
    double *latency_us;
    size_t n, room;
};

static uint64_t until_ns;

static uint64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int key_of(size_t i, char key[64]) {
    return snprintf(key, 64, "bench/%lu-bytes/page-of-some-name-%zu", wanted.bytes, i % KEYS);
}

static void put(struct worker *w, size_t i) {
    char key[64];
    int len = key_of(i, key);
    memcached_return_t rc = memcached_set(w->st, key, (size_t)len, w->value, wanted.bytes, 86400, 0);
    bench_check(rc == MEMCACHED_SUCCESS, memcached_strerror(w->st, rc));
}

static void get(struct worker *w, size_t i) {
    char key[64];
    uint32_t flags;
    size_t value_len, len = (size_t)key_of(i, key);
    memcached_return_t rc;
    char *value = memcached_get(w->st, key, len, &value_len, &flags, &rc);
    bench_check(rc == MEMCACHED_SUCCESS && value_len == wanted.bytes, memcached_strerror(w->st, rc));
    memcpy(w->value, value, value_len);
    free(value);
}

static void *run(void *arg) {
    struct worker *w = arg;
    for (size_t i = 0;; i++) {
        uint64_t begin = clock_ns(CLOCK_MONOTONIC);
        if (begin >= until_ns)
            return NULL;
        if (wanted.puts)
            put(w, i);
        else
            get(w, i);
        if (w->n == w->room) {
            w->room = w->room ? w->room * 2 : 1 << 16;
            w->latency_us = realloc(w->latency_us, w->room * sizeof(double));
            bench_check(w->latency_us != NULL, "out of memory");
        }
        w->latency_us[w->n++] = (double)(clock_ns(CLOCK_MONOTONIC) - begin) / 1e3;
    }
}

static void connect_to(struct worker *w) {
    w->st = memcached_create(NULL);
    w->value = malloc(wanted.bytes);
    bench_check(w->st && w->value, "out of memory");
    for (size_t i = 0; i < wanted.bytes; i++)
        w->value[i] = (char)((uint32_t)i * 2654435761u >> 13);
    memcached_behavior_set(w->st, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
    memcached_behavior_set(w->st, MEMCACHED_BEHAVIOR_BINARY_PROTOCOL, wanted.binary);
    memcached_server_add(w->st, "127.0.0.1", (in_port_t)wanted.port);
    for (size_t i = 0; i < WARM_UP; i++) {
        put(w, i);
        get(w, i);
    }
}

static unsigned long number(const char *text, unsigned long most) {
    char *end;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end || n < 1 || n > most) {
        fprintf(stderr, "bench_memcached: '%s' is not a number from 1 to %lu\n", text, most);
        exit(2);
    }
    return n;
}

static void read_arguments(int argc, char **argv) {
    wanted.json = argc > 1 && strcmp(argv[1], "--json") == 0;
    char **a = argv + (wanted.json ? 2 : 1);
    if (argv + argc - a != 6) {
        fprintf(stderr, "usage: bench_memcached [--json] PORT text|binary get|put BYTES THREADS MS\n");
        exit(2);
    }
    wanted.port = number(a[0], 65535);
    wanted.binary = strcmp(a[1], "binary") == 0;
    wanted.puts = strcmp(a[2], "put") == 0;
    wanted.bytes = number(a[3], 1000000);
    wanted.threads = number(a[4], MOST_THREADS);
    wanted.ms = number(a[5], 600000);
}

int main(int argc, char **argv) {
    static struct worker workers[MOST_THREADS];
    read_arguments(argc, argv);
    for (size_t i = 0; i < wanted.threads; i++)
        connect_to(&workers[i]);
    const uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC), cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    until_ns = begin_ns + wanted.ms * 1000000u;
    for (size_t i = 0; i < wanted.threads; i++)
        bench_check(pthread_create(&workers[i].thread, NULL, run, &workers[i]) == 0, "no thread");
    size_t n = 0;
    for (size_t i = 0; i < wanted.threads; i++) {
        pthread_join(workers[i].thread, NULL);
        n += workers[i].n;
    }
    const double seconds = (double)(clock_ns(CLOCK_MONOTONIC) - begin_ns) / 1e9;
    const double cpu_us = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns) / 1e3;
    double *all = malloc((n + 1) * sizeof(double));
    bench_check(all && n > 0, "nothing was answered in time");
    size_t at = 0;
    for (size_t i = 0; i < wanted.threads; i++) {
        memcpy(all + at, workers[i].latency_us, workers[i].n * sizeof(double));
        at += workers[i].n;
        free(workers[i].latency_us);
        free(workers[i].value);
        memcached_free(workers[i].st);
    }
    qsort(all, n, sizeof(double), bench_by_value);
    if (wanted.json)
        printf(
            "{\"ops\": %zu, \"opsPerSecond\": %.1f, \"p50Us\": %.2f, \"p99Us\": %.2f, \"processUs\": %.3f}\n",
            n, (double)n / seconds, all[n / 2], all[n * 99 / 100], cpu_us / (double)n);
    else
        printf("%.0f a second, p50 %.1f us, p99 %.1f us, CPU %.2f us each\n", (double)n / seconds, all[n / 2],
               all[n * 99 / 100], cpu_us / (double)n);
    free(all);
    return 0;
}
