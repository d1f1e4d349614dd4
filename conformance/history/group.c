/* A process: a store, with its own knowledge of the epoch, and workers on it. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "random.h"
#include "run.h"
#include "value.h"

enum { LOOK_MS = 2, LIFE_STEPS = 400, QUIET_ROOM = 65536 };

struct group {
    const struct run *run;
    struct control *control;
    unsigned process, incarnation;
    bool late;
    struct larder_store *store;
    struct worker workers[MAX_THREADS];
    _Atomic int retires; /* the first worker has had its steps */
};

bool run_recorder(const struct run *run, struct control *control, struct recorder *rec, unsigned process,
                  unsigned incarnation, unsigned worker, size_t room) {
    struct history_head head = run->head;
    char path[4096];
    head.file = atomic_fetch_add(&control->next_file, 1);
    head.process = process;
    head.incarnation = incarnation;
    head.worker = worker;
    snprintf(path, sizeof(path), "%s/%05u.history", run->folder, head.file);
    if (recorder_open(rec, path, &head, room))
        return true;
    fprintf(stderr, "larder-history: %s: %s\n", path, strerror(errno)); /* lint: an early failure */
    return false;
}

int32_t group_configure(const struct run *run, struct larder_config *config, struct larder_error *error) {
    int32_t status = larder_config_set(config, "cache", run->url, "argument", error);
    if (status == LARDER_OK && run->tags_url != NULL)
        status = larder_config_set(config, "tags", run->tags_url, "--tags", error);
    if (status == LARDER_OK)
        status = larder_config_set(config, "namespace", run->ns, "the run", error);
    for (size_t i = 0; i < run->n_settings && status == LARDER_OK; i++)
        status = larder_config_set(config, run->settings[i][0], run->settings[i][1], "--set", error);
    return status;
}

static struct larder_store *open_store(const struct run *run) {
    struct larder_config *config = larder_config_new();
    struct larder_store *store = NULL;
    struct larder_error error = {0};
    int32_t status = group_configure(run, config, &error);
    if (status == LARDER_OK)
        status = larder_open(config, &store, &error);
    if (status != LARDER_OK)
        fprintf(stderr, "larder-history: %s\n", error.text);
    larder_config_free(config);
    return store;
}

static bool may_go_on(struct worker *w) {
    const struct run *run = w->run;
    if (w->steps_left == 0)
        atomic_store(w->retires, 1);
    if (atomic_load_explicit(&w->control->phase, memory_order_relaxed) != GO || w->full ||
        atomic_load_explicit(w->retires, memory_order_relaxed))
        return false;
    return run->ops == 0 || atomic_load_explicit(&w->control->n_ops, memory_order_relaxed) < run->ops;
}

/* Revalidations that failed are tried again behind the callers' backs: quiet begins when they are
 * done.  A process that retires does not wait; that loses what was pending, as dying does. */
static void wait_for_journal(struct worker *w) {
    struct larder_stats stats;
    do {
        larder_stats(w->store, &stats);
        if (stats.journal_pending == 0 && stats.inflight == 0)
            return;
        nanosleep(&(struct timespec){0, LOOK_MS * 1000000}, NULL);
    } while (atomic_load(&w->control->phase) == HOLD);
}

static void *work(void *arg) {
    struct worker *w = arg;
    while (may_go_on(w)) {
        worker_step(w);
        w->steps_left -= w->run->cold && w->first;
    }
    wait_for_journal(w);
    atomic_fetch_add(&w->slot->n_resting, 1);
    while (atomic_load(&w->control->phase) < QUIET) {
        if (atomic_load(w->retires) && atomic_load(&w->control->phase) == GO)
            return NULL;
        nanosleep(&(struct timespec){0, LOOK_MS * 1000000}, NULL);
    }
    if (w->first) {
        if (w->run->quiet_ms > 0)
            worker_look_at_all(w);
        w->looked = true;
    }
    return NULL;
}

/* Each incarnation of a worker decides by numbers of its own. */
static uint64_t seed_of(const struct group *g, unsigned worker) {
    uint64_t state = g->run->seed + ((uint64_t)g->process << 40 | (uint64_t)g->incarnation << 8 | worker);
    return random_next(&state);
}

static bool prepare(struct group *g, unsigned i) {
    struct worker *w = &g->workers[i];
    /* Sparse: a file's length is what it could hold, not what it takes. */
    size_t room = (g->run->ops > 0 ? g->run->ops : 2000000) + QUIET_ROOM;
    *w = (struct worker){.run = g->run,
                         .control = g->control,
                         .slot = &g->control->slots[g->process],
                         .clock = &g->control->slots[g->run->in_process ? 0 : g->process],
                         .store = g->store,
                         .random = seed_of(g, i),
                         .first = i == 0,
                         .retires = &g->retires,
                         .steps_left = UINT64_MAX,
                         .buffer = malloc(VALUE_MAX)};
    if (g->run->cold && i == 0)
        w->steps_left = LIFE_STEPS / 2 + random_below(&w->random, LIFE_STEPS);
    return w->buffer != NULL &&
           run_recorder(g->run, g->control, &w->rec, g->process, g->incarnation, i, room);
}

int group_run(const struct run *run, struct control *control, unsigned process, unsigned incarnation,
              bool late) {
    struct group g = {
        .run = run, .control = control, .process = process, .incarnation = incarnation, .late = late};
    unsigned n_threads = late ? 1 : run->n_threads, prepared = 0, started = 0;
    pthread_t threads[MAX_THREADS];
    int status = GROUP_FAILED;

    atomic_store(&control->slots[process].n_resting, 0);
    atomic_store(&control->slots[process].n_workers, n_threads);
    g.store = open_store(run);
    if (g.store == NULL)
        goto out;
    while (prepared < n_threads && prepare(&g, prepared))
        prepared++;
    if (prepared < n_threads)
        goto out;
    if (!late)
        worker_ask_epoch(&g.workers[0]);
    while (started < n_threads && pthread_create(&threads[started], NULL, work, &g.workers[started]) == 0)
        started++;
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (started == n_threads)
        status = g.workers[0].looked ? GROUP_OVER : GROUP_RETIRED;
out:
    if (status == GROUP_FAILED)
        atomic_fetch_add(&control->n_failures, 1);
    for (unsigned i = 0; i < MAX_THREADS; i++) {
        recorder_close(&g.workers[i].rec);
        free(g.workers[i].buffer);
    }
    larder_close(g.store);
    return status;
}
