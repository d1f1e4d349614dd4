/*
 * The parent of all processes.  It opens no store.  What it does to the others - kill, stop,
 * set a clock, lose the tag store - comes at times of its own, drawn from the seed.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "random.h"
#include "run.h"

enum {
    TICK_MS = 5,
    KILL_EVERY_MS = 150,
    STOP_EVERY_MS = 120,
    STOP_LONGEST_MS = 250,
    JUMP_EVERY_MS = 100,
    PROGRESS_EVERY_MS = 200,
    REST_LIMIT_S = 120, /* then something hangs */
    LATE_INCARNATION = 1000000
};

struct child {
    pid_t pid; /* 0: none */
    unsigned incarnation;
    int64_t stopped_until_ns; /* 0: it runs */
    bool killed;              /* by us */
    bool over;
};

struct parent {
    const struct run *run;
    struct control *control;
    struct child children[MAX_SLOTS];
    unsigned n_children;
    struct recorder rec;
    uint64_t random;
    int64_t begin_ns, next_kill_ns, next_stop_ns, next_jump_ns, next_loss_ns, next_progress_ns;
    int64_t snapshot_ns; /* 0: none taken */
    unsigned n_kills, n_stops, n_jumps, n_losses, n_restarts;
    bool failed;
};

static const int64_t MS = 1000000;

static void say(struct parent *p, const char *what, unsigned process) {
    fprintf(stderr, "larder-history: process %u %s\n", process, what);
    p->failed = true;
}

/* A time to come, `every` on average. */
static int64_t some_time(struct parent *p, int64_t every_ms) {
    return monotonic_ns() + (every_ms / 2 + random_below(&p->random, (uint32_t)every_ms)) * MS;
}

/* ---- processes ------------------------------------------------------------------------- */

struct pretend { /* a process that is a thread */
    const struct run *run;
    struct control *control;
    unsigned process;
    bool late;
    int status;
};

static void *pretend_main(void *arg) {
    struct pretend *p = arg;
    unsigned incarnation = p->late ? LATE_INCARNATION : 0;
    do
        p->status = group_run(p->run, p->control, p->process, incarnation++,
                              p->late || atomic_load(&p->control->phase) != GO);
    while (p->status == GROUP_RETIRED);
    return NULL;
}

/* All in one: the processes, and after quiet those that are cold. */
static int run_threads(const struct run *run, struct control *control) {
    struct pretend all[MAX_SLOTS];
    pthread_t threads[MAX_SLOTS];
    unsigned n = run->n_processes + COLD_AT_THE_END, started = 0;
    int status = GROUP_OVER;
    clock_follow(&control->slots[0]);
    for (; started < n; started++) {
        bool late = started >= run->n_processes;
        while (late && atomic_load(&control->phase) < QUIET && atomic_load(&control->n_failures) == 0)
            nanosleep(&(struct timespec){0, TICK_MS * MS}, NULL);
        all[started] = (struct pretend){.run = run, .control = control, .process = started, .late = late};
        if (pthread_create(&threads[started], NULL, pretend_main, &all[started]) != 0)
            break;
    }
    status = started < n ? GROUP_FAILED : GROUP_OVER;
    while (started > 0) {
        pthread_join(threads[--started], NULL);
        status = all[started].status != GROUP_OVER ? GROUP_FAILED : status;
    }
    return status;
}

static int child_main(const struct parent *p, unsigned process, bool late) {
    const struct run *run = p->run;
    unsigned incarnation = p->children[process].incarnation;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (run->fault_permille > 0 || run->wrong != RIGHT || run->two_rounds ||
        atomic_load(&p->control->generation) > 0)
        faulty_begin(run, p->control,
                     run->seed ^ ((uint64_t)process << 32 | incarnation) * 0x9E3779B97F4A7C15u);
    if (run->in_process)
        return run_threads(run, p->control);
    clock_follow(&p->control->slots[process]);
    return group_run(run, p->control, process, incarnation, late);
}

static void start(struct parent *p, unsigned process, bool late) {
    struct child *c = &p->children[process];
    atomic_store(&p->control->slots[process].n_workers, 1);
    atomic_store(&p->control->slots[process].n_resting, 0);
    *c = (struct child){.incarnation = c->incarnation + 1};
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        exit(child_main(p, process, late));
    if (pid < 0)
        say(p, "could not be started", process);
    else
        c->pid = pid;
}

static void one_ended(struct parent *p, unsigned process, int how) {
    struct child *c = &p->children[process];
    bool running = atomic_load(&p->control->phase) == GO;
    c->pid = 0;
    if (WIFEXITED(how) && WEXITSTATUS(how) == GROUP_OVER) {
        c->over = true;
    } else if ((WIFSIGNALED(how) && c->killed) || (WIFEXITED(how) && WEXITSTATUS(how) == GROUP_RETIRED)) {
        p->n_restarts++;
        start(p, process, !running);
    } else if (WIFSIGNALED(how)) {
        fprintf(stderr, "larder-history: signal %d: ", WTERMSIG(how));
        say(p, "died", process);
    } else {
        say(p, "failed", process);
    }
}

static void reap(struct parent *p) {
    for (unsigned i = 0; i < p->n_children; i++) {
        int how;
        if (p->children[i].pid > 0 && waitpid(p->children[i].pid, &how, WNOHANG) == p->children[i].pid)
            one_ended(p, i, how);
    }
}

/* ---- what is done to them ------------------------------------------------------------------ */

static struct child *any_child(struct parent *p) {
    struct child *c = &p->children[random_below(&p->random, p->n_children)];
    return c->pid > 0 && !c->killed ? c : NULL;
}

static void wake(struct parent *p, bool all) {
    for (unsigned i = 0; i < p->n_children; i++) {
        struct child *c = &p->children[i];
        if (c->stopped_until_ns == 0 || c->pid == 0 || (!all && monotonic_ns() < c->stopped_until_ns))
            continue;
        c->stopped_until_ns = 0;
        kill(c->pid, SIGCONT);
    }
}

static void kill_and_stop(struct parent *p) {
    int64_t now_ns = monotonic_ns();
    struct child *c;
    wake(p, false);
    if (p->run->kill && now_ns >= p->next_kill_ns) {
        p->next_kill_ns = some_time(p, KILL_EVERY_MS);
        if ((c = any_child(p)) != NULL) {
            c->killed = true;
            p->n_kills++;
            kill(c->pid, SIGKILL);
        }
    }
    if (p->run->stop && now_ns >= p->next_stop_ns) {
        p->next_stop_ns = some_time(p, STOP_EVERY_MS);
        if ((c = any_child(p)) != NULL && c->stopped_until_ns == 0) {
            c->stopped_until_ns = now_ns + (1 + random_below(&p->random, STOP_LONGEST_MS)) * MS;
            p->n_stops++;
            kill(c->pid, SIGSTOP);
        }
    }
}

static void set_clock(struct parent *p, unsigned process) {
    struct slot *slot = &p->control->slots[process];
    int64_t most_ms = p->run->clock_s * 1000;
    int64_t off_ms = (int64_t)(random_next(&p->random) % (uint64_t)(2 * most_ms + 1)) - most_ms;
    if (random_below(&p->random, 3) == 0)
        off_ms = 0;
    else if (random_below(&p->random, 2) == 0)
        off_ms = off_ms < 0 ? -most_ms : most_ms;
    atomic_fetch_add(&slot->clock_sets, 1);
    atomic_store(&slot->clock_off_ms, off_ms);
    atomic_fetch_add(&slot->clock_sets, 1);
    p->n_jumps++;
}

static void run_command(struct parent *p, const char *command) {
    const char *args[] = {"sh", "-c", command, NULL};
    pid_t pid;
    int how = -1;
    if (posix_spawn(&pid, "/bin/sh", NULL, NULL, (char *const *)(uintptr_t)args, environ) == 0)
        while (waitpid(pid, &how, 0) < 0 && errno == EINTR) {}
    if (how != 0) {
        fprintf(stderr, "larder-history: the command failed: %s\n", command);
        p->failed = true;
    }
}

/* Wipes, or takes a snapshot and some time later goes back to it. */
static void lose_tags(struct parent *p) {
    const struct run *run = p->run;
    struct record call = {.op = R_LOSS, .began_ns = LARDER_UNSET};
    size_t at;
    bool wipe = run->wipe_tags != NULL && (run->rollback == NULL || random_below(&p->random, 2) == 0);
    int64_t now_ns = monotonic_ns();
    if ((run->wipe_tags == NULL && run->rollback == NULL) || now_ns < p->next_loss_ns)
        return;
    p->next_loss_ns = some_time(p, run->lose_every_ms);
    if (!wipe && p->snapshot_ns == 0) {
        p->snapshot_ns = now_ns;
        run_command(p, run->snapshot);
        return;
    }
    call.begin_ns = now_ns;
    call.wall_ms = clock_now_ms();
    if (!wipe)
        call.began_ns = p->snapshot_ns;
    p->snapshot_ns = 0; /* what was taken before a wipe is older than what the wipe forgot */
    struct record *r = recorder_begin(&p->rec, &call, &at);
    if (r == NULL)
        return;
    p->n_losses++;
    if (wipe && strcmp(run->wipe_tags, "renamed") == 0)
        atomic_fetch_add(&p->control->generation, 1);
    else
        run_command(p, wipe ? run->wipe_tags : run->rollback);
    recorder_end(r, monotonic_ns());
}

/* ---- the course of a run -------------------------------------------------------------------- */

static bool is_time_up(struct parent *p) {
    const struct run *run = p->run;
    double passed_s = (double)(monotonic_ns() - p->begin_ns) / 1e9;
    return p->failed || passed_s >= run->seconds ||
           (run->ops > 0 && atomic_load(&p->control->n_ops) >= run->ops);
}

static void show_progress(struct parent *p, const char *what) {
    int64_t now_ns = monotonic_ns();
    if (now_ns < p->next_progress_ns || !isatty(STDERR_FILENO))
        return;
    p->next_progress_ns = now_ns + PROGRESS_EVERY_MS * MS;
    fprintf(stderr, "\r%6.1f s  %llu calls, %u kills, %u stops, %u clocks set, %u losses  %-10s",
            (double)(now_ns - p->begin_ns) / 1e9, (unsigned long long)atomic_load(&p->control->n_ops),
            p->n_kills, p->n_stops, p->n_jumps, p->n_losses, what);
    fflush(stderr);
}

static void tick(struct parent *p, const char *what) {
    nanosleep(&(struct timespec){0, TICK_MS * MS}, NULL);
    reap(p);
    p->failed = p->failed || atomic_load(&p->control->n_failures) > 0;
    show_progress(p, what);
}

static void disturb(struct parent *p) {
    kill_and_stop(p);
    lose_tags(p);
    if (p->run->jump && monotonic_ns() >= p->next_jump_ns) {
        p->next_jump_ns = some_time(p, JUMP_EVERY_MS);
        set_clock(p, random_below(&p->random, p->n_children));
    }
}

static bool all_rest(const struct parent *p) {
    unsigned n = p->run->n_processes; /* pretended ones have slots too */
    for (unsigned i = 0; i < n; i++) {
        const struct slot *slot = &p->control->slots[i];
        if (atomic_load(&slot->n_resting) < atomic_load(&slot->n_workers))
            return false;
    }
    return true;
}

static bool all_over(const struct parent *p) {
    for (unsigned i = 0; i < p->n_children; i++)
        if (!p->children[i].over)
            return false;
    return true;
}

static void wait_until(struct parent *p, bool (*done)(const struct parent *p), const char *what) {
    int64_t limit_ns = monotonic_ns() + REST_LIMIT_S * 1000 * MS;
    while (!p->failed && !done(p)) {
        tick(p, what);
        if (monotonic_ns() > limit_ns) {
            fprintf(stderr, "larder-history: after %d s there is still no %s\n", REST_LIMIT_S, what);
            p->failed = true;
        }
    }
}

static void end_all(struct parent *p) {
    for (unsigned i = 0; i < p->n_children; i++) {
        int how;
        if (p->children[i].pid > 0 && kill(p->children[i].pid, SIGKILL) == 0)
            while (waitpid(p->children[i].pid, &how, 0) < 0 && errno == EINTR) {}
    }
}

static void conduct(struct parent *p) {
    const struct run *run = p->run;
    p->n_children = run->in_process ? 1 : run->n_processes;
    for (unsigned i = 0; i < run->n_processes && run->clock_s > 0; i++)
        set_clock(p, i);
    for (unsigned i = 0; i < run->n_processes; i++)
        atomic_store(&p->control->slots[i].n_workers, 1);
    for (unsigned i = 0; i < p->n_children; i++)
        start(p, i, false);
    atomic_store(&p->control->faults, 1);
    p->begin_ns = monotonic_ns();
    p->next_kill_ns = some_time(p, KILL_EVERY_MS);
    p->next_stop_ns = some_time(p, STOP_EVERY_MS);
    p->next_jump_ns = some_time(p, JUMP_EVERY_MS);
    p->next_loss_ns = some_time(p, run->lose_every_ms);
    while (!is_time_up(p)) {
        disturb(p);
        tick(p, "running");
    }

    wake(p, true);
    atomic_store(&p->control->faults, 0);
    atomic_store(&p->control->phase, HOLD);
    wait_until(p, all_rest, "rest");
    int64_t quiet_ns = monotonic_ns() + run->quiet_ms * MS;
    while (!p->failed && monotonic_ns() < quiet_ns)
        tick(p, "quiet");
    atomic_store(&p->control->phase, QUIET);
    for (unsigned i = 0; i < COLD_AT_THE_END && !run->in_process && !p->failed; i++)
        start(p, p->n_children++, true);
    wait_until(p, all_over, "end");
    end_all(p);
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\n");
}

int supervise(const struct run *run) {
    struct parent p = {.run = run, .random = run->seed};
    p.control = mmap(NULL, sizeof(*p.control), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p.control == MAP_FAILED) {
        fprintf(stderr, "larder-history: %s\n", strerror(errno)); /* lint: one thread */
        return 2;
    }
    atomic_store(&p.control->generation, run->wipe_tags != NULL && strcmp(run->wipe_tags, "renamed") == 0);
    if (run_recorder(run, p.control, &p.rec, MAX_SLOTS, 0, 0, 65536))
        conduct(&p);
    else
        p.failed = true;
    recorder_close(&p.rec);
    munmap(p.control, sizeof(*p.control));
    return p.failed ? 1 : 0;
}
