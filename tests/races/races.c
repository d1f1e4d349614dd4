/*
 * Promise 1 under real races: never stale after revalidation.
 *
 * Workers, each with a store of its own and so with its own knowledge of the epoch, render a
 * page P from a data entry F (both carry tag t) and revalidate t after changing the "database",
 * a number.  Before each get a worker notes the newest version whose revalidation has
 * completed; what the get answers must not be older.  Pauses of random length stand between
 * any two steps.
 *
 *     races DRIVER_URL processes|threads WORKERS STEPS [SEED]
 *
 * Processes for stores that processes share (fs); threads for memory, where the stores share
 * one memory by name.  Exit 0: the promise held.  1: it did not, with the history's end.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "larder/larder.h"
#include "random.h"

#define BYTES(text) ((struct larder_bytes){(const uint8_t *)(text), sizeof(text) - 1})

struct shared {                /* between all workers, also over fork() */
    _Atomic int64_t database;  /* the newest version written */
    _Atomic int64_t completed; /* the newest whose revalidation has completed */
    _Atomic int violations, failures;
    _Atomic long gets, hits, renders, revalidations;
};

struct worker {
    struct shared *shared;
    struct larder_store *store;
    uint64_t random;
    int steps;
    int no;
};

static const char *url;

static void pause_a_little(struct worker *w) {
    uint64_t roll = random_next(&w->random) % 16;
    if (roll < 8)
        return;
    struct timespec t = {0, (long)(random_next(&w->random) % (roll == 15 ? 2000000 : 50000))};
    nanosleep(&t, NULL);
}

static void raise_to(_Atomic int64_t *at, int64_t value) {
    int64_t old = atomic_load(at);
    while (old < value && !atomic_compare_exchange_weak(at, &old, value)) {}
}

static void fail(struct worker *w, const char *what, const char *detail) {
    fprintf(stderr, "worker %d: %s: %s\n", w->no, what, detail);
    atomic_fetch_add(&w->shared->failures, 1);
}

/* What the store has for a key: its version, or 0 and the epoch that a render notes. */
static int64_t get(struct worker *w, struct larder_bytes key, int64_t *ret_note) {
    const struct larder_answer *a = NULL;
    int64_t needed = atomic_load(&w->shared->completed), version = 0;
    struct larder_request get = {.code = LARDER_DO_GET,
                                 .kind = LARDER_FETCH,
                                 .key = key,
                                 .flags = LARDER_F_RENDER,
                                 .deadline_ms = 20000};
    int32_t status = larder_call(w->store, &get, &a);

    atomic_fetch_add(&w->shared->gets, 1);
    *ret_note = a != NULL ? a->epoch : 0;
    if (status == LARDER_OK) {
        memcpy(&version, a->entry->parts[0].data.ptr, sizeof(version));
        atomic_fetch_add(&w->shared->hits, 1);
        if (version < needed) {
            fprintf(stderr,
                    "worker %d: %.*s is version %lld of epoch %lld, but %lld was revalidated before\n", w->no,
                    (int)key.len, (const char *)key.ptr, (long long)version, (long long)a->entry->epoch,
                    (long long)needed);
            atomic_fetch_add(&w->shared->violations, 1);
        }
    } else if (status < 0) {
        fail(w, "get", a != NULL ? a->detail : larder_status_name(status));
    }
    larder_answer_unref(a);
    return version;
}

static void put(struct worker *w, struct larder_bytes key, int64_t version, int64_t note) {
    struct larder_bytes tag = BYTES("t");
    struct larder_part part = {.name = BYTES("body"), .data = {(const uint8_t *)&version, sizeof(version)}};
    struct larder_entry entry = {.kind = LARDER_FETCH,
                                 .n_parts = 1,
                                 .key = key,
                                 .meta = BYTES("{}"),
                                 .epoch = note,
                                 .modified_ms = 1,
                                 .revalidate_ms = LARDER_UNSET,
                                 .expire_ms = LARDER_UNSET,
                                 .tags = &tag,
                                 .n_tags = 1,
                                 .parts = &part};
    struct larder_request put = {.code = LARDER_DO_PUT, .entry = &entry, .deadline_ms = 20000};
    int32_t status = larder_call(w->store, &put, NULL);
    if (status < 0)
        fail(w, "put", larder_status_name(status));
}

static int64_t render_data(struct worker *w) {
    int64_t note, version = get(w, BYTES("F"), &note);
    if (version != 0)
        return version;
    pause_a_little(w);
    version = atomic_load(&w->shared->database);
    pause_a_little(w);
    put(w, BYTES("F"), version, note);
    return version;
}

static void view_page(struct worker *w) {
    int64_t note, version = get(w, BYTES("P"), &note);
    if (version != 0)
        return;
    atomic_fetch_add(&w->shared->renders, 1);
    pause_a_little(w);
    version = render_data(w);
    pause_a_little(w);
    put(w, BYTES("P"), version, note);
}

static void change_and_revalidate(struct worker *w) {
    struct larder_bytes tag = BYTES("t");
    struct larder_request request = {
        .code = LARDER_DO_REVALIDATE, .tags = &tag, .n_tags = 1, .deadline_ms = 20000};
    int64_t version = atomic_fetch_add(&w->shared->database, 1) + 1;
    pause_a_little(w);
    int32_t status = larder_call(w->store, &request, NULL);
    if (status == LARDER_OK)
        raise_to(&w->shared->completed, version);
    else
        fail(w, "revalidate", larder_status_name(status));
    atomic_fetch_add(&w->shared->revalidations, 1);
}

static struct larder_store *open_store(void) {
    struct larder_config *config = larder_config_new();
    struct larder_store *store = NULL;
    struct larder_error error = {0};
    int32_t status = larder_config_set(config, "cache", url, "argument", &error);
    if (status == LARDER_OK)
        status = larder_open(config, &store, &error);
    if (status != LARDER_OK)
        fprintf(stderr, "races: %s\n", error.text);
    larder_config_free(config);
    return store;
}

static void *work(void *arg) {
    struct worker *w = arg;
    w->store = open_store();
    if (w->store == NULL) {
        atomic_fetch_add(&w->shared->failures, 1);
        return NULL;
    }
    for (int i = 0; i < w->steps && atomic_load(&w->shared->violations) == 0; i++) {
        if (random_next(&w->random) % 8 == 0)
            change_and_revalidate(w);
        else
            view_page(w);
        pause_a_little(w);
    }
    larder_close(w->store);
    return NULL;
}

static void run_processes(struct worker *workers, int n) {
    for (int i = 0; i < n; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            work(&workers[i]);
            _exit(0);
        }
        if (pid < 0)
            atomic_fetch_add(&workers[i].shared->failures, 1);
    }
    for (int status; wait(&status) > 0;)
        if (!WIFEXITED(status))
            atomic_fetch_add(&workers[0].shared->failures, 1);
}

static void run_threads(struct worker *workers, int n) {
    pthread_t threads[64];
    int started = 0;
    while (started < n && pthread_create(&threads[started], NULL, work, &workers[started]) == 0)
        started++;
    if (started < n)
        atomic_fetch_add(&workers[0].shared->failures, 1);
    while (started > 0)
        pthread_join(threads[--started], NULL);
}

int main(int argc, char **argv) {
    struct worker workers[64] = {{0}};
    if (argc < 5) {
        fprintf(stderr, "usage: races DRIVER_URL processes|threads WORKERS STEPS [SEED]\n");
        return 2;
    }
    url = argv[1];
    long n = strtol(argv[3], NULL, 10), steps = strtol(argv[4], NULL, 10);
    uint64_t seed = argc > 5 ? strtoull(argv[5], NULL, 10) : (uint64_t)time(NULL);
    struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                                 -1, 0);
    if (n < 1 || n > 64 || steps < 1 || shared == MAP_FAILED)
        return 2;
    shared->database = 1;
    for (int i = 0; i < n; i++)
        workers[i] = (struct worker){
            .shared = shared, .random = seed * 64 + (uint64_t)i, .steps = (int)steps, .no = i};
    if (strcmp(argv[2], "threads") == 0)
        run_threads(workers, (int)n);
    else
        run_processes(workers, (int)n);

    printf("seed %llu: %ld gets, %ld hits, %ld renders, %ld revalidations, %d violations, %d failures\n",
           (unsigned long long)seed, shared->gets, shared->hits, shared->renders, shared->revalidations,
           shared->violations, shared->failures);
    if (shared->hits == 0 || shared->revalidations == 0) {
        fprintf(stderr, "races: nothing was proven: no hit, or no revalidation\n");
        return 1;
    }
    return shared->violations > 0 || shared->failures > 0;
}
