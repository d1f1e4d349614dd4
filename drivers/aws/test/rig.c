#include "rig.h"

#include <CUnit/CUnit.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../aws_text.h"
#include "buf.h"
#include "reactor.h"

struct larder_home rig_home;
unsigned rig_watches, rig_timers;
struct aws_environment rig_environment;

/* ---- the host ---------------------------------------------------------------------------------------- */

static struct larder_watch *watch(struct larder_home *home, int fd, uint32_t events, larder_fd_fn *fn,
                                  void *arg) {
    struct larder_watch *w = watch_new(home->reactor, fd, events, fn, arg);
    rig_watches += w != NULL;
    return w;
}

static void unwatch(struct larder_watch *w) {
    rig_watches -= w != NULL;
    watch_free(w);
}

static struct larder_timer *timer(struct larder_home *home, larder_fn *fn, void *arg) {
    struct larder_timer *t = malloc(sizeof(*t));
    if (t) {
        timer_init(t, home->reactor, fn, arg);
        rig_timers++;
    }
    return t;
}

static uint64_t ahead_ns; /* of the reactor's clock */

static void set_timer(struct larder_timer *t, uint64_t due_ns) {
    if (due_ns != UINT64_MAX)
        due_ns = due_ns > ahead_ns ? due_ns - ahead_ns : 0;
    if (timer_set(t, due_ns) != LARDER_OK)
        abort(); /* out of memory; a benchmark has no assertions */
}

static void timer_free(struct larder_timer *t) {
    if (t) {
        timer_done(t);
        free(t);
        rig_timers--;
    }
}

struct later {
    struct task task;
    struct job job;
    larder_fn *fn, *done;
    void *arg;
};

static void run_later(void *arg) {
    struct later l = *(struct later *)arg;
    free(arg);
    l.fn(l.arg);
}

static int32_t post(struct larder_home *home, larder_fn *fn, void *arg) {
    struct later *l = malloc(sizeof(*l));
    if (!l)
        return LARDER_NOMEM;
    *l = (struct later){.task = {.fn = run_later, .arg = l}, .fn = fn, .arg = arg};
    reactor_post(home->reactor, &l->task);
    return LARDER_OK;
}

static void run_work(void *arg) {
    const struct later *l = arg;
    l->fn(l->arg);
}

static void run_done(void *arg) {
    struct later l = *(struct later *)arg;
    free(arg);
    l.done(l.arg);
}

static int32_t offload(struct larder_home *home, larder_fn *work, larder_fn *done, void *arg) {
    struct later *l = malloc(sizeof(*l));
    if (!l)
        return LARDER_NOMEM;
    *l = (struct later){
        .job = {.work = run_work, .done = run_done, .arg = l}, .fn = work, .done = done, .arg = arg};
    reactor_offload(home->reactor, &l->job);
    return LARDER_OK;
}

static uint64_t now_ns(void) {
    return reactor_now_ns(rig_home.reactor) + ahead_ns;
}

void rig_pass_ms(uint64_t ms) {
    ahead_ns += ms * UINT64_C(1000000);
}

static void log_line(struct larder_home *home, int32_t level, const char *line) {
    (void)home;
    (void)level;
    printf("log: %s\n", line);
}

const struct larder_host rig_host = {.size = sizeof(rig_host),
                                     .abi = LARDER_ABI,
                                     .buf_new = buf_new,
                                     .buf_wrap = buf_wrap,
                                     .buf_ref = buf_ref,
                                     .buf_unref = buf_unref,
                                     .now_ns = now_ns,
                                     .log = log_line,
                                     .watch = watch,
                                     .rewatch = watch_set,
                                     .unwatch = unwatch,
                                     .timer = timer,
                                     .timer_set = set_timer,
                                     .timer_free = timer_free,
                                     .post = post,
                                     .offload = offload};

/* ---- around a test ------------------------------------------------------------------------------------ */

static unsigned count(const char *folder) {
    DIR *dir = opendir(folder);
    unsigned n = 0;
    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

static unsigned n_fds, n_threads;
static size_t n_bufs;

static void *nothing(void *arg) {
    return arg;
}

/* A thread that was joined is in /proc for a moment yet. */
static bool are_threads(unsigned n) {
    for (int i = 0; i < 5000 && count("/proc/self/task") != n; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return count("/proc/self/task") == n;
}

/* Before any of ours: one, and the one that ThreadSanitizer starts with the first of the program's. */
static unsigned threads_of_nobody(void) {
#ifdef __SANITIZE_THREAD__
    enum { OWN = 2 };
#else
    enum { OWN = 1 };
#endif
    enum { DOTS = 2 };
    pthread_t thread;
    CU_ASSERT_TRUE_FATAL(pthread_create(&thread, NULL, nothing, NULL) == 0 &&
                         pthread_join(thread, NULL) == 0);
    CU_ASSERT_TRUE(are_threads(OWN + DOTS));
    return OWN + DOTS;
}

void rig_begin(void) {
    rig_server("http"); /* its pipes are there before anything is counted */
    if (n_threads == 0)
        n_threads = threads_of_nobody();
    n_fds = count("/proc/self/fd");
    n_bufs = buf_live();
    rig_home.reactor = reactor_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rig_home.reactor);
}

void rig_end(void) {
    rig_settle();
    CU_ASSERT_EQUAL(rig_watches, 0);
    CU_ASSERT_EQUAL(rig_timers, 0);
    reactor_free(rig_home.reactor);
    CU_ASSERT_EQUAL(buf_live(), n_bufs);
    CU_ASSERT_EQUAL(count("/proc/self/fd"), n_fds);
    CU_ASSERT_TRUE(are_threads(n_threads));
    aws_environment_done(&rig_environment);
}

void rig_run(const int *n, int wanted) {
    const uint64_t give_up_ns = now_ns() + UINT64_C(60000000000);
    while (*n < wanted && now_ns() < give_up_ns)
        reactor_step(rig_home.reactor, true, UINT64_C(100000000));
    CU_ASSERT_EQUAL(*n, wanted);
}

void rig_run_until_file(const char *path) {
    for (int i = 0; i < 6000 && access(path, F_OK) != 0; i++)
        reactor_step(rig_home.reactor, true, UINT64_C(10000000));
    CU_ASSERT_EQUAL(access(path, F_OK), 0);
}

void rig_settle(void) {
    for (int i = 0; i < 1000 && reactor_step(rig_home.reactor, false, 0) > 0; i++)
        ;
}

void rig_set(enum aws_variable variable, const char *value) {
    aws_wipe(&rig_environment.values[variable]);
    CU_ASSERT_TRUE_FATAL(aws_copy(&rig_environment.values[variable], value));
}

/* ---- the server ----------------------------------------------------------------------------------------- */

static struct {
    pid_t pid;
    int to; /* its end is when this is closed */
    char folder[64];
    char lines[512]; /* "http 127.0.0.1:1234\n..." */
} server = {.to = -1};

const char *rig_folder(void) {
    if (!server.folder[0]) {
        snprintf(server.folder, sizeof(server.folder), "/tmp/larder-aws-XXXXXX");
        CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(server.folder));
    }
    return server.folder;
}

const char *rig_file(const char *name, const char *text) {
    static char paths[4][256];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", rig_folder(), name);
    FILE *f = fopen(path, "w");
    const bool written = f && fputs(text, f) >= 0;
    CU_ASSERT_TRUE(f && fclose(f) == 0 && written);
    return path;
}

static void start(void) {
    int in[2], out[2];
    size_t len = 0;
    char node[] = AWS_TEST_NODE, script[] = AWS_TEST_FOLDER "/server.js", folder[64];
    char *const argv[] = {node, script, folder, NULL};
    posix_spawn_file_actions_t actions;
    snprintf(folder, sizeof(folder), "%s", rig_folder());
    CU_ASSERT_EQUAL_FATAL(pipe(in) | pipe(out), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_addclose(&actions, in[1]);
    posix_spawn_file_actions_addclose(&actions, out[0]);
    CU_ASSERT_EQUAL_FATAL(posix_spawn(&server.pid, node, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    server.to = in[1];
    while (len < sizeof(server.lines) - 1 && !strstr(server.lines, "ready\n")) {
        const ssize_t n = read(out[0], server.lines + len, sizeof(server.lines) - 1 - len);
        CU_ASSERT_TRUE_FATAL(n > 0);
        len += (size_t)n;
    }
    close(out[0]);
}

const char *rig_server(const char *which) {
    static char places[4][64];
    static unsigned turn;
    char *place = places[turn++ % 4], wanted[32];
    if (server.to < 0)
        start();
    snprintf(wanted, sizeof(wanted), "%s ", which);
    const char *line = strstr(server.lines, wanted);
    CU_ASSERT_PTR_NOT_NULL_FATAL(line);
    if (line) {
        line += strlen(wanted);
        snprintf(place, sizeof(places[0]), "%.*s", (int)strcspn(line, "\n"), line);
    }
    return place;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int rig_main(int failed) {
    if (server.to >= 0) {
        close(server.to);
        waitpid(server.pid, NULL, 0);
    }
    if (server.folder[0])
        nftw(server.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return failed;
}
