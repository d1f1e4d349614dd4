/*
 * The event loop under everything: timers, descriptors, posts from other threads, and work
 * moved to a pool.  One thread runs it (runtime.c), or a test steps it by hand under a clock
 * of its own.  Functions marked [any] may be called from any thread; the rest only from the
 * thread that steps.
 */
#ifndef CORE_REACTOR_H
#define CORE_REACTOR_H

#include <stdbool.h>

#include "larder/driver.h"

struct reactor;

struct reactor_clock {             /* both members set */
    uint64_t (*now_ns)(void *arg); /* monotonic; [any] */
    int64_t (*now_ms)(void *arg);  /* since 1970; [any] */
    void *arg;
};

/* clock NULL: the machine's.  NULL: out of memory or descriptors. */
struct reactor *reactor_new(const struct reactor_clock *clock);
/* Runs what is still posted, ends the pool's threads.  Watches and timers must be gone. */
struct reactor *reactor_free(struct reactor *r);

/* One turn: posts, due timers, ready descriptors, then (if anything ran) the turn hooks.
 * wait: sleep until something is due, at most max_ns (UINT64_MAX: no bound); without it never
 * sleep.  Under a clock of one's own waiting is not allowed.  Returns how many callbacks ran. */
unsigned reactor_step(struct reactor *r, bool wait, uint64_t max_ns);

uint64_t reactor_now_ns(struct reactor *r); /* [any] */
int64_t reactor_now_ms(struct reactor *r);  /* [any] */
/* When the present turn began: no reading of the clock, and at most a turn behind. */
uint64_t reactor_turn_ns(const struct reactor *r);
/* [any] A test steps this reactor under a clock of its own: nothing may sleep or use threads. */
bool reactor_is_stepped(const struct reactor *r);

/* A call to be made; memory of the caller's, in one queue at a time. */
struct task {
    struct task *next;
    larder_fn *fn;
    void *arg;
};

/* [any] Run task->fn(task->arg) in the reactor's thread, in the order of posting.  The task's
 * memory may be reused or freed from inside fn.  Never fails, never blocks; wakes the thread
 * only when it sleeps (or is about to). */
void reactor_post(struct reactor *r, struct task *task);

/* Called at the end of each turn in which something ran, in the order of adding: to send what
 * a burst gathered.  If a hook posts or completes something, the turn goes on until quiet. */
struct turn_hook {
    struct turn_hook *next;
    larder_fn *fn;
    void *arg;
};
void reactor_hook_add(struct reactor *r, struct turn_hook *hook);
void reactor_hook_remove(struct reactor *r, struct turn_hook *hook);

/* One-shot timers in a heap.  The memory is the owner's. */
struct larder_timer {
    struct reactor *reactor;
    larder_fn *fn;
    void *arg;
    uint64_t due_ns;
    size_t heap_at; /* place in the heap; SIZE_MAX: idle */
};
void timer_init(struct larder_timer *t, struct reactor *r, larder_fn *fn, void *arg);
/* UINT64_MAX stops it.  LARDER_NOMEM where the heap cannot grow (the timer is idle then). */
int32_t timer_set(struct larder_timer *t, uint64_t due_ns);
void timer_done(struct larder_timer *t);
/* [any] How many are set, at about this moment: for those who look for leaks. */
size_t reactor_timers(const struct reactor *r);

/* As watch, rewatch, unwatch of struct larder_host. */
struct larder_watch *watch_new(struct reactor *r, int fd, uint32_t events, larder_fd_fn *fn, void *arg);
int32_t watch_set(struct larder_watch *w, uint32_t events);
struct larder_watch *watch_free(struct larder_watch *w);
/* From now on nobody is in a hurry for this one: while there is other work it is looked at only now and
 * then, so that it costs that work nothing. */
void watch_be_patient(struct larder_watch *w);

struct lane_job { /* see lanes.h */
    struct lane_job *next;
    void (*run)(struct lane_job *job, uint32_t lane);
};

/* [any] work(arg) on a pool thread, then done(arg) in the reactor's thread.  The memory of
 * *job is the caller's until done has been called.  Threads (at most OFFLOAD_THREADS) start
 * when first needed; where none can be started, work runs in the reactor's thread.  Under a
 * clock of one's own (tests) work runs inside reactor_step(), so that all is deterministic. */
struct job {
    larder_fn *work;
    larder_fn *done;
    void *arg;
    struct reactor *reactor; /* this and what follows: set by reactor_offload() */
    struct task task;
    struct lane_job lane_job;
};
enum { OFFLOAD_THREADS = 2 };
void reactor_offload(struct reactor *r, struct job *job);

#endif
