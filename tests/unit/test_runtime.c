#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "runtime.h"
#include "unit.h"

struct seen {
    struct task task;
    sem_t ready;
    bool here;
    pthread_t thread;
    char name[16];
    sigset_t blocked;
};

static void look_around(void *arg) {
    struct seen *s = arg;
    s->here = runtime_is_here();
    s->thread = pthread_self();
    pthread_getname_np(pthread_self(), s->name, sizeof(s->name));
    pthread_sigmask(SIG_BLOCK, NULL, &s->blocked);
    sem_post(&s->ready);
}

static void seen_init(struct seen *s) {
    *s = (struct seen){.task = {.fn = look_around, .arg = s}};
    sem_init(&s->ready, 0, 0);
}

static void only_faults_reach(const sigset_t *blocked) {
    for (int sig = 1; sig < SIGRTMAX; sig++) {
        bool fault = sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL;
        bool cannot = sig == SIGKILL || sig == SIGSTOP || (sig > 31 && sig < SIGRTMIN);
        if (!cannot)
            CU_ASSERT_EQUAL(sigismember(blocked, sig) == 1, !fault);
    }
}

/* By their names: a sanitizer may have threads of its own. */
static int io_threads(void) {
    DIR *dir = opendir("/proc/self/task");
    if (!dir)
        return -1;
    int n = 0;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        char path[300], name[16] = "";
        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = fopen(path, "r");
        if (!file)
            continue;
        n += fgets(name, sizeof(name), file) && strcmp(name, "larder-io\n") == 0;
        fclose(file);
    }
    closedir(dir);
    return n;
}

static void the_thread_is_shared_and_ends_with_its_last_user(void) {
    struct reactor *a = runtime_acquire();
    struct reactor *b = runtime_acquire();
    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    CU_ASSERT_PTR_EQUAL(a, b);
    runtime_release();
    struct seen s;
    seen_init(&s);
    reactor_post(b, &s.task);
    sem_wait(&s.ready);
    CU_ASSERT_EQUAL(io_threads(), 1);
    runtime_release();
    while (io_threads() != 0) /* the kernel forgets a thread a moment after it was joined */
        sched_yield();
    sem_destroy(&s.ready);
}

static void the_thread_has_a_name_and_leaves_signals_to_the_host(void) {
    struct reactor *r = runtime_acquire();
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    struct seen s;
    seen_init(&s);
    reactor_post(r, &s.task);
    sem_wait(&s.ready);
    CU_ASSERT_TRUE(s.here);
    CU_ASSERT_FALSE(runtime_is_here());
    CU_ASSERT_FALSE(pthread_equal(s.thread, pthread_self()));
    only_faults_reach(&s.blocked);
    sem_destroy(&s.ready);
    runtime_release();

    sigset_t mine;
    pthread_sigmask(SIG_BLOCK, NULL, &mine);
    CU_ASSERT_EQUAL(sigismember(&mine, SIGUSR1), 0); /* the caller's mask is as it was */
}

struct offloaded {
    struct job job;
    struct reactor *r;
    struct task start;
    struct seen seen;
    char pool_name[16];
    sigset_t pool_blocked;
};

static void pool_work(void *arg) {
    struct offloaded *o = arg;
    pthread_getname_np(pthread_self(), o->pool_name, sizeof(o->pool_name));
    pthread_sigmask(SIG_BLOCK, NULL, &o->pool_blocked);
}

static void pool_done(void *arg) {
    look_around(&((struct offloaded *)arg)->seen);
}

static void pool_start(void *arg) {
    struct offloaded *o = arg;
    o->job = (struct job){.work = pool_work, .done = pool_done, .arg = o};
    reactor_offload(o->r, &o->job);
}

static void pool_threads_leave_signals_to_the_host_too(void) {
    struct offloaded o = {.r = runtime_acquire()};
    CU_ASSERT_PTR_NOT_NULL_FATAL(o.r);
    seen_init(&o.seen);
    o.start = (struct task){.fn = pool_start, .arg = &o};
    reactor_post(o.r, &o.start);
    sem_wait(&o.seen.ready);
    CU_ASSERT_TRUE(o.seen.here);
    only_faults_reach(&o.pool_blocked);
    runtime_release();
    sem_destroy(&o.seen.ready);
    CU_ASSERT_STRING_EQUAL(o.pool_name, "larder-pool");
    CU_ASSERT_STRING_EQUAL(o.seen.name, "larder-io");
}

static void what_was_posted_before_the_last_release_runs(void) {
    struct reactor *r = runtime_acquire();
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    struct seen s;
    seen_init(&s);
    reactor_post(r, &s.task);
    runtime_release();
    CU_ASSERT_EQUAL(sem_trywait(&s.ready), 0);
    CU_ASSERT_TRUE(s.here);
    sem_destroy(&s.ready);
}

static void *come_and_go(void *arg) {
    (void)arg;
    for (int i = 0; i < 200; i++) {
        struct reactor *r = runtime_acquire();
        if (!r)
            abort();
        struct seen s;
        seen_init(&s);
        reactor_post(r, &s.task);
        sem_wait(&s.ready);
        sem_destroy(&s.ready);
        runtime_release();
    }
    return NULL;
}

static void users_may_come_and_go_on_all_threads_at_once(void) {
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

UNIT_MAIN("runtime", UNIT(the_thread_is_shared_and_ends_with_its_last_user),
          UNIT(the_thread_has_a_name_and_leaves_signals_to_the_host),
          UNIT(pool_threads_leave_signals_to_the_host_too),
          UNIT(what_was_posted_before_the_last_release_runs),
          UNIT(users_may_come_and_go_on_all_threads_at_once))
