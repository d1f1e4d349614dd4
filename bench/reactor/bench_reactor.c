/*
 * What the event loop costs: posting to it, waking it, timers, and jobs on lanes.
 *
 *     bench_reactor [--rounds N]
 *
 * Posting is compared with a list under a mutex, which is what the reactor's stack of posts
 * would otherwise be.  Rounds take turns, the median counts.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lanes.h"
#include "reactor.h"

enum { MAX_ROUNDS = 101, POSTS = 20000, PRODUCERS = 2, PINGS = 2000, TIMERS = 4096, JOBS = 5000, LANES = 4 };

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void check(bool good, const char *what) {
    if (!good) {
        fprintf(stderr, "bench_reactor: %s\n", what);
        exit(1);
    }
}

/* ---- a list under a mutex, to compare with ------------------------------------------------ */

struct locked {
    pthread_mutex_t lock;
    struct task *first, *last;
};

static void locked_post(struct locked *q, struct task *task) {
    task->next = NULL;
    pthread_mutex_lock(&q->lock);
    if (q->last)
        q->last->next = task;
    else
        q->first = task;
    q->last = task;
    pthread_mutex_unlock(&q->lock);
}

static unsigned locked_run(struct locked *q) {
    pthread_mutex_lock(&q->lock);
    struct task *task = q->first;
    q->first = q->last = NULL;
    pthread_mutex_unlock(&q->lock);
    unsigned ran = 0;
    while (task) {
        struct task *next = task->next;
        task->fn(task->arg);
        task = next;
        ran++;
    }
    return ran;
}

/* ---- posting ------------------------------------------------------------------------------- */

struct producer {
    struct reactor *reactor; /* one of the two */
    struct locked *locked;
    struct task *tasks;
};

static void count(void *arg) {
    ++*(unsigned *)arg;
}

static void *produce(void *arg) {
    struct producer *p = arg;
    for (unsigned i = 0; i < POSTS; i++) {
        if (p->reactor)
            reactor_post(p->reactor, &p->tasks[i]);
        else
            locked_post(p->locked, &p->tasks[i]);
    }
    return NULL;
}

/* Nanoseconds a post, from the first one sent to the last one run, while all producers push and
 * this thread takes. */
static double posting(bool with_reactor, unsigned n_producers) {
    struct locked locked = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct reactor *r = reactor_new(NULL);
    check(r != NULL, "no reactor");
    unsigned counted = 0, wanted = n_producers * POSTS;
    struct producer producers[PRODUCERS];
    pthread_t threads[PRODUCERS];
    uint64_t begun_ns = now_ns();
    for (unsigned i = 0; i < n_producers; i++) {
        producers[i] = (struct producer){with_reactor ? r : NULL, &locked,
                                         calloc(POSTS, sizeof(struct task))};
        check(producers[i].tasks != NULL, "no memory");
        for (unsigned j = 0; j < POSTS; j++)
            producers[i].tasks[j] = (struct task){.fn = count, .arg = &counted};
        check(pthread_create(&threads[i], NULL, produce, &producers[i]) == 0, "no thread");
    }
    while (counted < wanted) {
        if (with_reactor)
            reactor_step(r, false, 0);
        else
            locked_run(&locked);
    }
    double each = (double)(now_ns() - begun_ns) / wanted;
    for (unsigned i = 0; i < n_producers; i++) {
        pthread_join(threads[i], NULL);
        free(producers[i].tasks);
    }
    reactor_free(r);
    return each;
}

static double posting_1(void) {
    return posting(true, 1);
}
static double posting_2(void) {
    return posting(true, PRODUCERS);
}
static double mutex_1(void) {
    return posting(false, 1);
}
static double mutex_2(void) {
    return posting(false, PRODUCERS);
}

/* ---- waking ----------------------------------------------------------------------------------- */

struct loop {
    struct reactor *r;
    bool stop;
    struct task task;
};

static void stop_loop(void *arg) {
    ((struct loop *)arg)->stop = true;
}
static void answer(void *arg) {
    sem_post(arg);
}

static void *loop_main(void *arg) {
    struct loop *loop = arg;
    while (!loop->stop)
        reactor_step(loop->r, true, UINT64_MAX);
    return NULL;
}

/* A post to a reactor that sleeps, until the poster hears of it. */
static double waking(void) {
    struct loop loop = {.r = reactor_new(NULL)};
    check(loop.r != NULL, "no reactor");
    pthread_t thread;
    sem_t heard;
    sem_init(&heard, 0, 0);
    check(pthread_create(&thread, NULL, loop_main, &loop) == 0, "no thread");
    uint64_t begun_ns = now_ns();
    for (int i = 0; i < PINGS; i++) {
        loop.task = (struct task){.fn = answer, .arg = &heard};
        reactor_post(loop.r, &loop.task);
        sem_wait(&heard);
    }
    double each = (double)(now_ns() - begun_ns) / PINGS;
    loop.task = (struct task){.fn = stop_loop, .arg = &loop};
    reactor_post(loop.r, &loop.task);
    pthread_join(thread, NULL);
    sem_destroy(&heard);
    reactor_free(loop.r);
    return each;
}

/* ---- timers -------------------------------------------------------------------------------------- */

static void nothing(void *arg) {
    (void)arg;
}

/* A deadline set and taken back, among thousands. */
static double timing(void) {
    struct reactor *r = reactor_new(NULL);
    struct larder_timer *timers = calloc(TIMERS, sizeof(*timers));
    check(r != NULL && timers != NULL, "no memory");
    uint64_t base_ns = now_ns() + 1000000000u;
    for (unsigned i = 0; i < TIMERS; i++)
        timer_init(&timers[i], r, nothing, NULL);
    uint64_t begun_ns = now_ns();
    for (unsigned i = 0; i < TIMERS; i++)
        check(timer_set(&timers[i], base_ns + i * 1000u) == LARDER_OK, "no memory");
    for (unsigned i = 0; i < TIMERS; i++)
        timer_done(&timers[i]);
    double each = (double)(now_ns() - begun_ns) / TIMERS;
    free(timers);
    reactor_free(r);
    return each;
}

/* ---- lanes ------------------------------------------------------------------------------------------ */

struct hop {
    struct lane_job job; /* first */
    struct task task;
    struct reactor *r;
};

static void hop_run(struct lane_job *job, uint32_t lane) {
    (void)lane;
    struct hop *hop = (struct hop *)job;
    reactor_post(hop->r, &hop->task);
}

/* Jobs that do nothing, sent to lanes at once and answered on the reactor. */
static double hopping(void) {
    struct reactor *r = reactor_new(NULL);
    struct lanes *lanes = r ? lanes_new(r, LANES) : NULL;
    struct hop *hops = calloc(JOBS, sizeof(*hops));
    check(lanes != NULL && hops != NULL, "no memory");
    unsigned back = 0;
    uint64_t begun_ns = now_ns();
    for (unsigned i = 0; i < JOBS; i++) {
        hops[i] = (struct hop){.job = {.run = hop_run}, .task = {.fn = count, .arg = &back}, .r = r};
        lanes_submit(lanes, &hops[i].job);
    }
    while (back < JOBS)
        reactor_step(r, true, UINT64_MAX);
    double each = (double)(now_ns() - begun_ns) / JOBS;
    lanes_free(lanes);
    free(hops);
    reactor_free(r);
    return each;
}

/* ---- main ---------------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        double (*run)(void);
    } all[] = {
        {"post, 1 thread", posting_1},       {"post to a mutexed list, 1 thread", mutex_1},
        {"post, 2 threads", posting_2},      {"post to a mutexed list, 2 threads", mutex_2},
        {"wake a sleeping loop", waking},    {"timer set and stopped, of 4096", timing},
        {"job on a lane and back", hopping},
    };
    enum { N = sizeof(all) / sizeof(all[0]) };
    static double ns[N][MAX_ROUNDS];
    int rounds = 15;
    if (argc == 3 && strcmp(argv[1], "--rounds") == 0)
        rounds = (int)strtol(argv[2], NULL, 10);
    if (rounds < 1 || rounds > MAX_ROUNDS || argc == 2 || argc > 3) {
        fprintf(stderr, "usage: bench_reactor [--rounds 1..%d]\n", MAX_ROUNDS);
        return 2;
    }
    for (int i = 0; i < rounds; i++) {
        for (int j = 0; j < N; j++)
            ns[j][i] = all[j].run();
    }
    printf("%-36s %10s %10s %10s   ns each, wall, %d rounds\n", "", "median", "least", "most", rounds);
    for (int j = 0; j < N; j++) {
        qsort(ns[j], (size_t)rounds, sizeof(double), by_size);
        printf("%-36s %10.0f %10.0f %10.0f\n", all[j].name, ns[j][rounds / 2], ns[j][0], ns[j][rounds - 1]);
    }
    return 0;
}
