#include "reactor.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "lanes.h"

enum {
    EVENTS_PER_TURN = 64,
    /* A hook that posts each time it is called gets this many calls a turn; the rest waits for
     * the next turn, which looks at timers and descriptors first. */
    HOOK_ROUNDS = 16,
    /* Of turns that do not sleep, each of these looks at patient descriptors too. */
    PATIENT_TURNS = 64
};

struct larder_watch {
    struct reactor *reactor;
    larder_fd_fn *fn; /* NULL: freed, and on the list of the dead until the turn ends */
    void *arg;
    int fd;
    uint32_t events;
    bool patient;
    struct larder_watch *next_dead;
};

struct reactor {
    struct reactor_clock clock;
    bool stepped;
    int epoll_fd, wake_fd;

    /* Posts, the newest first: a stack that any thread pushes on and the reactor takes whole,
     * so nothing is ever unlinked from it and no ABA can happen. */
    _Atomic(struct task *) posted;
    /* The reactor's thread is in epoll_wait(), or will be without looking at `posted` again. */
    atomic_bool sleeping;

    uint64_t turn_ns; /* when this turn began */
    struct larder_timer **heap;
    size_t n_timers, heap_room;

    size_t n_watches; /* those that epoll knows */
    size_t n_patient; /* of these: those that nobody is in a hurry for */
    unsigned busy_turns;
    struct larder_watch *dead;

    struct turn_hook *hooks;
    struct turn_hook *next_hook; /* while hooks run: the next one */

    struct lanes *pool;
};

/* ---- clock -------------------------------------------------------------------- */

static uint64_t machine_now_ns(void *arg) {
    (void)arg;
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int64_t machine_now_ms(void *arg) {
    (void)arg;
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

uint64_t reactor_now_ns(struct reactor *r) {
    return r->clock.now_ns(r->clock.arg);
}
uint64_t reactor_turn_ns(const struct reactor *r) {
    return r->turn_ns;
}
int64_t reactor_now_ms(struct reactor *r) {
    return r->clock.now_ms(r->clock.arg);
}
bool reactor_is_stepped(const struct reactor *r) {
    return r->stepped;
}

/* ---- posts --------------------------------------------------------------------- */

/*
 * No wake-up is lost: the poster pushes and then looks at `sleeping`, the reactor sets
 * `sleeping` and then looks at `posted`.  All four are sequentially consistent, so at least one
 * of the two sees what the other did.
 */
void reactor_post(struct reactor *r, struct task *task) {
    struct task *top = atomic_load_explicit(&r->posted, memory_order_relaxed);
    do
        task->next = top;
    while (!atomic_compare_exchange_weak(&r->posted, &top, task));

    if (atomic_load(&r->sleeping) && atomic_exchange(&r->sleeping, false)) {
        /* Never read: watched edge-triggered, each write wakes, and 2^64 of them do not come. */
        const uint64_t one = 1;
        while (write(r->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
            ;
    }
}

static bool posts_pending(struct reactor *r) {
    return atomic_load(&r->posted) != NULL;
}

/* Runs what is posted now, not what that posts. */
static unsigned posts_run(struct reactor *r) {
    struct task *newest = atomic_exchange_explicit(&r->posted, NULL, memory_order_acquire);
    struct task *task = NULL;
    while (newest) {
        struct task *older = newest->next;
        newest->next = task;
        task = newest;
        newest = older;
    }

    unsigned ran = 0;
    while (task) {
        struct task *next = task->next;
        task->fn(task->arg); /* may free or post the task */
        task = next;
        ran++;
    }
    return ran;
}

/* ---- timers -------------------------------------------------------------------- */

static void heap_place(struct reactor *r, size_t at, struct larder_timer *t) {
    r->heap[at] = t;
    t->heap_at = at;
}

/* Puts t into the hole at `at`, moving the hole up or down to where t belongs. */
static void heap_sift(struct reactor *r, size_t at, struct larder_timer *t) {
    while (at > 0 && t->due_ns < r->heap[(at - 1) / 2]->due_ns) {
        heap_place(r, at, r->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= r->n_timers)
            break;
        if (child + 1 < r->n_timers && r->heap[child + 1]->due_ns < r->heap[child]->due_ns)
            child++;
        if (r->heap[child]->due_ns >= t->due_ns)
            break;
        heap_place(r, at, r->heap[child]);
        at = child;
    }
    heap_place(r, at, t);
}

/* Others may be looking: reactor_timers(). */
static void set_n_timers(struct reactor *r, size_t n) {
    __atomic_store_n(&r->n_timers, n, __ATOMIC_RELAXED);
}

size_t reactor_timers(const struct reactor *r) {
    return __atomic_load_n(&r->n_timers, __ATOMIC_RELAXED);
}

static void heap_remove(struct reactor *r, struct larder_timer *t) {
    size_t at = t->heap_at;
    set_n_timers(r, r->n_timers - 1);
    struct larder_timer *last = r->heap[r->n_timers];
    t->heap_at = SIZE_MAX;
    if (last != t)
        heap_sift(r, at, last);
}

static bool heap_grow(struct reactor *r) {
    if (r->n_timers < r->heap_room)
        return true;
    size_t room = r->heap_room ? r->heap_room * 2 : 64;
    struct larder_timer **heap = reallocarray(r->heap, room, sizeof(struct larder_timer *));
    if (!heap)
        return false;
    r->heap = heap;
    r->heap_room = room;
    return true;
}

void timer_init(struct larder_timer *t, struct reactor *r, larder_fn *fn, void *arg) {
    *t = (struct larder_timer){.reactor = r, .fn = fn, .arg = arg, .due_ns = UINT64_MAX, .heap_at = SIZE_MAX};
}

int32_t timer_set(struct larder_timer *t, uint64_t due_ns) {
    struct reactor *r = t->reactor;
    t->due_ns = due_ns;
    if (due_ns == UINT64_MAX) {
        if (t->heap_at != SIZE_MAX)
            heap_remove(r, t);
        return LARDER_OK;
    }
    if (t->heap_at == SIZE_MAX) {
        if (!heap_grow(r)) {
            t->due_ns = UINT64_MAX;
            return LARDER_NOMEM;
        }
        t->heap_at = r->n_timers;
        set_n_timers(r, r->n_timers + 1);
    }
    heap_sift(r, t->heap_at, t);
    return LARDER_OK;
}

void timer_done(struct larder_timer *t) {
    (void)timer_set(t, UINT64_MAX);
}

/* Those due now.  One that sets itself again for a time that has passed waits for the next
 * turn: hence the budget. */
static unsigned timers_run(struct reactor *r) {
    if (r->n_timers == 0)
        return 0;
    uint64_t now_ns = reactor_now_ns(r);
    unsigned ran = 0;
    for (size_t budget = r->n_timers; budget > 0 && r->n_timers > 0; budget--) {
        struct larder_timer *t = r->heap[0];
        if (t->due_ns > now_ns)
            break;
        heap_remove(r, t);
        t->due_ns = UINT64_MAX;
        t->fn(t->arg);
        ran++;
    }
    return ran;
}

/* ---- descriptors ---------------------------------------------------------------- */

static void watch_is_known(const struct larder_watch *w) {
    w->reactor->n_watches++;
    w->reactor->n_patient += w->patient;
}

static void watch_is_forgotten(const struct larder_watch *w) {
    w->reactor->n_watches--;
    w->reactor->n_patient -= w->patient;
}

/* A watch that waits for nothing is taken out of epoll, which would report a hang-up for it
 * again and again. */
static int32_t watch_tell_epoll(struct larder_watch *w, uint32_t events) {
    struct reactor *r = w->reactor;
    int op = EPOLL_CTL_MOD;
    if (events == 0)
        op = EPOLL_CTL_DEL;
    else if (w->events == 0)
        op = EPOLL_CTL_ADD;

    struct epoll_event event = {
        .events = ((events & LARDER_READ) ? (uint32_t)EPOLLIN : 0u) |
                  ((events & LARDER_WRITE) ? (uint32_t)EPOLLOUT : 0u),
        .data.ptr = w,
    };
    if (epoll_ctl(r->epoll_fd, op, w->fd, &event) != 0)
        return errno == ENOMEM || errno == ENOSPC ? LARDER_NOMEM : LARDER_INVALID;
    if (op == EPOLL_CTL_ADD)
        watch_is_known(w);
    else if (op == EPOLL_CTL_DEL)
        watch_is_forgotten(w);
    return LARDER_OK;
}

struct larder_watch *watch_new(struct reactor *r, int fd, uint32_t events, larder_fd_fn *fn, void *arg) {
    struct larder_watch *w = calloc(1, sizeof(*w));
    if (!w)
        return NULL;
    w->reactor = r;
    w->fn = fn;
    w->arg = arg;
    w->fd = fd;
    if (watch_set(w, events) != LARDER_OK) {
        free(w);
        return NULL;
    }
    return w;
}

void watch_be_patient(struct larder_watch *w) {
    w->reactor->n_patient += !w->patient && w->events != 0;
    w->patient = true;
}

int32_t watch_set(struct larder_watch *w, uint32_t events) {
    if (events & ~(uint32_t)(LARDER_READ | LARDER_WRITE))
        return LARDER_INVALID;
    if (events == w->events)
        return LARDER_OK;
    int32_t status = watch_tell_epoll(w, events);
    if (status == LARDER_OK)
        w->events = events;
    return status;
}

struct larder_watch *watch_free(struct larder_watch *w) {
    if (!w)
        return NULL;
    if (w->events != 0 && watch_tell_epoll(w, 0) != LARDER_OK)
        watch_is_forgotten(w); /* closed too early by its owner: epoll has, too */
    w->events = 0;
    w->fn = NULL;
    /* This turn's list of events may still point here. */
    w->next_dead = w->reactor->dead;
    w->reactor->dead = w;
    return NULL;
}

static void watches_bury(struct reactor *r) {
    while (r->dead) {
        struct larder_watch *w = r->dead;
        r->dead = w->next_dead;
        free(w);
    }
}

static unsigned watches_run(const struct epoll_event *ready, int n_ready) {
    unsigned ran = 0;
    for (int i = 0; i < n_ready; i++) {
        struct larder_watch *w = ready[i].data.ptr;
        if (!w || !w->fn)
            continue; /* the wake-up descriptor, or freed earlier in this turn */
        uint32_t events = 0;
        if (ready[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
            events |= LARDER_READ;
        if (ready[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
            events |= LARDER_WRITE;
        events &= w->events; /* which may have changed earlier in this turn */
        if (events == 0)
            continue;
        w->fn(w->arg, w->fd, events);
        ran++;
    }
    return ran;
}

/* ---- hooks ---------------------------------------------------------------------- */

void reactor_hook_add(struct reactor *r, struct turn_hook *hook) {
    struct turn_hook **at = &r->hooks;
    while (*at)
        at = &(*at)->next;
    hook->next = NULL;
    *at = hook;
}

void reactor_hook_remove(struct reactor *r, struct turn_hook *hook) {
    if (r->next_hook == hook)
        r->next_hook = hook->next;
    for (struct turn_hook **at = &r->hooks; *at; at = &(*at)->next) {
        if (*at == hook) {
            *at = hook->next;
            break;
        }
    }
}

static void hooks_run(struct reactor *r) {
    for (unsigned round = 1;; round++) {
        for (struct turn_hook *hook = r->hooks; hook; hook = r->next_hook) {
            r->next_hook = hook->next;
            hook->fn(hook->arg);
        }
        r->next_hook = NULL;
        /* Whatever runs is followed by the hooks, in this turn or in the next. */
        if (round == HOOK_ROUNDS || posts_run(r) == 0)
            break;
    }
}

/* ---- offload -------------------------------------------------------------------- */

static void job_done(void *arg) {
    struct job *job = arg;
    job->done(job->arg);
}

static void job_work(struct lane_job *lane_job, uint32_t lane) {
    (void)lane;
    struct job *job = (void *)((char *)lane_job - offsetof(struct job, lane_job));
    job->work(job->arg);
    reactor_post(job->reactor, &job->task);
}

void reactor_offload(struct reactor *r, struct job *job) {
    job->reactor = r;
    job->task.fn = job_done;
    job->task.arg = job;
    job->lane_job.run = job_work;
    if (r->pool)
        lanes_submit(r->pool, &job->lane_job);
    else
        job_work(&job->lane_job, 0); /* reactor_free() has ended the pool */
}

/* ---- the turn -------------------------------------------------------------------- */

struct reactor *reactor_new(const struct reactor_clock *clock) {
    struct reactor *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->stepped = clock != NULL;
    r->clock = clock ? *clock : (struct reactor_clock){machine_now_ns, machine_now_ms, NULL};
    r->turn_ns = reactor_now_ns(r);
    atomic_init(&r->posted, NULL);
    atomic_init(&r->sleeping, false);
    r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->pool = lanes_new_named(r, OFFLOAD_THREADS, "larder-pool");

    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    if (r->epoll_fd < 0 || r->wake_fd < 0 || !r->pool ||
        epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->wake_fd, &event) != 0)
        return reactor_free(r);
    return r;
}

struct reactor *reactor_free(struct reactor *r) {
    if (!r)
        return NULL;
    while (posts_run(r) > 0)
        ;
    r->pool = lanes_free(r->pool); /* whose last jobs post their `done` */
    while (posts_run(r) > 0)
        ;
    assert(r->n_timers == 0 && r->n_watches == 0);
    watches_bury(r);
    free(r->heap);
    if (r->wake_fd >= 0)
        close(r->wake_fd);
    if (r->epoll_fd >= 0)
        close(r->epoll_fd);
    free(r);
    return NULL;
}

/* How long epoll may wait, in its unit, rounded up so that nothing is done too early. */
static int wait_ms(struct reactor *r, uint64_t max_ns) {
    uint64_t wait_ns = max_ns;
    if (r->n_timers > 0) {
        uint64_t now_ns = reactor_now_ns(r);
        uint64_t due_ns = r->heap[0]->due_ns;
        uint64_t left_ns = due_ns > now_ns ? due_ns - now_ns : 0;
        if (left_ns < wait_ns)
            wait_ns = left_ns;
    }
    if (wait_ns == UINT64_MAX)
        return -1;
    uint64_t ms = wait_ns / 1000000 + (wait_ns % 1000000 != 0);
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Whether a turn that does not sleep asks epoll, which costs as much as many a callback. */
static bool looks_anyway(struct reactor *r) {
    if (r->n_watches > r->n_patient || r->stepped)
        return r->n_watches > 0;
    return r->n_watches > 0 && ++r->busy_turns % PATIENT_TURNS == 0;
}

static int descriptors_wait(struct reactor *r, int timeout_ms, struct epoll_event *ready) {
    if (timeout_ms != 0) {
        atomic_store(&r->sleeping, true);
        if (posts_pending(r))
            timeout_ms = 0;
    }
    int n = 0;
    if (timeout_ms != 0 || looks_anyway(r))
        n = epoll_wait(r->epoll_fd, ready, EVENTS_PER_TURN, timeout_ms);
    atomic_store_explicit(&r->sleeping, false, memory_order_relaxed);
    return n; /* below 0: EINTR, in a test under a debugger; the next turn asks again */
}

unsigned reactor_step(struct reactor *r, bool wait, uint64_t max_ns) {
    struct epoll_event ready[EVENTS_PER_TURN];
    int timeout_ms = 0;
    assert(!(wait && r->stepped));
    if (wait && !r->stepped && !posts_pending(r))
        timeout_ms = wait_ms(r, max_ns);

    int n_ready = descriptors_wait(r, timeout_ms, ready);
    r->turn_ns = reactor_now_ns(r);
    unsigned ran = posts_run(r);
    ran += timers_run(r);
    ran += watches_run(ready, n_ready);
    if (ran > 0)
        hooks_run(r);
    watches_bury(r);
    return ran;
}
