/*
 * kill -9 against the file-system driver.  Each round two children work on one folder - puts,
 * removes, bumps - and report over pipes what they begin and what has completed; both are killed
 * at random moments, often inside a call.  Then a fresh instance looks, as a new process would:
 *
 *   - every key holds what was last acknowledged or what was in flight, whole;
 *   - no acknowledged mark or epoch is lost, and the marks of one bump appear together;
 *   - the log is at most torn, never damaged;
 *   - the sweeper removes whatever the dead left behind.
 *
 *     crash_fs [rounds [seed [seconds]]]      (1000, from the clock, 45)
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fs/test/mini.h"

enum { CHILDREN = 2, KEYS = 4, MAX_VALUE = 20000 };

struct report {
    int32_t step; /* 0: begins; 1: has completed */
    int32_t op;   /* 0: put, 1: remove, 2: bump */
    int32_t key;
    int32_t status;
    int64_t epoch; /* put: of the value; bump: the new one */
};

struct key_state { /* epoch 0: not stored */
    int64_t acknowledged, in_flight;
    bool flying;
};

static struct mini m;
static struct key_state keys[CHILDREN][KEYS];
static int64_t bumped[CHILDREN], bumped_any; /* acknowledged, or seen after a round */
static int64_t counted;                      /* the counter, looked at after the last round */
static uint64_t seed;
static long round_n, completed, torn_in_flight;

static _Noreturn void fail(const char *what, const char *detail) {
    fprintf(stderr, "crash_fs: round %ld, seed %llu: %s %s\n", round_n, (unsigned long long)seed, what,
            detail);
    exit(1);
}

static uint64_t next_random(uint64_t *state) {
    *state += 0x9E3779B97F4A7C15u;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* A value that says which put it is of, in its first bytes, its length and every other byte. */
static size_t make_value(int64_t epoch, char *out) {
    size_t len = 40 + (size_t)(epoch * 7919 % (MAX_VALUE - 40));
    memset(out, 'a' + (int)(epoch % 26), len);
    int n = snprintf(out, 40, "%lld ", (long long)epoch);
    out[n] = '-';
    out[len] = 0;
    return len;
}

static void key_name(int child, int key, char out[40]) {
    snprintf(out, 40, "child/%d/../key/%d", child, key);
}

/* ---- the children ------------------------------------------------------------------------- */

static void tell(int fd, struct report r) {
    if (write(fd, &r, sizeof(r)) != (ssize_t)sizeof(r))
        _exit(3);
}

static _Noreturn void work(int self, int fd, uint64_t random, int64_t epoch) {
    static char value[MAX_VALUE + 1];
    char name[40], pair[2][16];
    snprintf(pair[0], sizeof(pair[0]), "one/%d", self);
    snprintf(pair[1], sizeof(pair[1]), "two/%d", self);
    const char *const tags[] = {pair[0], pair[1], "shared"};
    mini_open(&m);
    for (;;) {
        uint64_t choice = next_random(&random);
        struct report r = {.op = choice % 8 < 5    ? 0
                                 : choice % 8 == 5 ? 1
                                                   : 2,
                           .key = (int32_t)(choice >> 8) % KEYS};
        r.key = r.key < 0 ? 0 : r.key;
        key_name(self, r.key, name);
        if (r.op == 0)
            r.epoch = ++epoch;
        tell(fd, r);
        if (r.op == 0) {
            size_t len = make_value(r.epoch, value);
            r.status = mini_put(&m, 0, mini_text(name), (struct larder_bytes){(const uint8_t *)value, len},
                                r.epoch);
        } else if (r.op == 1) {
            r.status = mini_remove(&m, mini_text(name));
        } else {
            struct fs_folder *folder = mini_fs(&m)->folder;
            if (folder != NULL && choice >> 60 == 0)
                folder->log.rewrite = true; /* a whole new log, now and then */
            r.status = mini_bump(&m, 0, "c", tags, 3, &r.epoch);
        }
        r.step = 1;
        tell(fd, r);
    }
}

/* ---- the parent ----------------------------------------------------------------------------- */

static void learn(int child, int fd) {
    struct report r;
    ssize_t n;
    while ((n = read(fd, &r, sizeof(r))) == (ssize_t)sizeof(r)) {
        struct key_state *k = &keys[child][r.key];
        if (r.step == 1 && r.status != LARDER_OK)
            fail("an op failed in a child", "");
        if (r.op == 2) {
            if (r.step == 1 && r.epoch > bumped[child])
                bumped[child] = r.epoch;
            if (r.step == 1 && r.epoch > bumped_any)
                bumped_any = r.epoch;
        } else {
            k->flying = r.step == 0;
            k->in_flight = r.op == 0 ? r.epoch : 0;
            if (r.step == 1)
                k->acknowledged = k->in_flight;
        }
        completed += r.step;
    }
    if (n != 0)
        fail("a report was cut off", "");
}

static void check_key(int child, int key) {
    static char out[MAX_VALUE + 2], expected[MAX_VALUE + 1];
    struct key_state *k = &keys[child][key];
    char name[40];
    int64_t epoch = 0;
    size_t len = 0;
    key_name(child, key, name);
    int32_t status = mini_get(&m, 0, mini_text(name), out, sizeof(out), &len, &epoch);
    if (status == LARDER_MISS)
        epoch = 0;
    else if (status != LARDER_OK)
        fail("a key cannot be read:", name);
    if (epoch != k->acknowledged && !(k->flying && epoch == k->in_flight))
        fail("a key holds neither what was acknowledged nor what was in flight:", name);
    if (status == LARDER_OK && (len != make_value(epoch, expected) || memcmp(out, expected, len) != 0))
        fail("a value is torn:", name);
    torn_in_flight += k->flying;
    *k = (struct key_state){.acknowledged = epoch};
}

static int64_t mark_of(const char *tag) {
    struct larder_mark mark;
    int32_t status = mini_read(&m, 0, tag, &mark);
    if (status < 0)
        fail("marks cannot be read:", tag);
    return status == LARDER_OK ? mark.expired_epoch : 0;
}

static void check_marks(void) {
    int64_t counter = 0, shared = mark_of("shared");
    if (mini_advance(&m, 0, "c", 0, &counter) != LARDER_OK)
        fail("the counter cannot be read", "");
    for (int child = 0; child < CHILDREN; child++) {
        char tag[16];
        snprintf(tag, sizeof(tag), "one/%d", child);
        int64_t one = mark_of(tag);
        snprintf(tag, sizeof(tag), "two/%d", child);
        int64_t two = mark_of(tag);
        if (one != two)
            fail("half of a bump is there:", tag);
        if (one < bumped[child])
            fail("an acknowledged mark is lost:", tag);
        if (one > shared || shared > counter)
            fail("a mark is ahead of the counter:", tag);
        bumped[child] = one;
    }
    if (shared < bumped_any || counter < bumped_any || counter < counted)
        fail("an acknowledged epoch is lost", "");
    bumped_any = shared;
    counted = counter; /* looking makes it, before anybody bumps */
}

static long leftovers(const char *path) {
    long n = 0;
    DIR *dir = opendir(path);
    const struct dirent *e;
    while (dir != NULL && (e = readdir(dir)) != NULL) {
        char inner[4600];
        if (e->d_name[0] == '.')
            continue;
        snprintf(inner, sizeof(inner), "%.4300s/%s", path, e->d_name);
        n += strncmp(e->d_name, "tmp-", 4) == 0;
        if (e->d_type == DT_DIR)
            n += leftovers(inner);
    }
    if (dir != NULL)
        closedir(dir);
    return n;
}

static void run_round(uint64_t *random) {
    pid_t pids[CHILDREN];
    int fds[CHILDREN];
    int64_t epoch = 1000000 * (int64_t)(round_n + 1);
    for (int i = 0; i < CHILDREN; i++) {
        int pipe_fds[2];
        uint64_t own = next_random(random);
        if (pipe(pipe_fds) != 0)
            fail("no pipe:", strerror(errno));
        pids[i] = fork();
        if (pids[i] < 0)
            fail("no child:", strerror(errno));
        if (pids[i] == 0) {
            close(pipe_fds[0]);
            work(i, pipe_fds[1], own, epoch);
        }
        close(pipe_fds[1]);
        fds[i] = pipe_fds[0];
    }
    for (int i = 0; i < CHILDREN; i++) {
        struct timespec moment = {0, (long)(next_random(random) % 6000000)};
        nanosleep(&moment, NULL);
        kill(pids[i], SIGKILL);
    }
    for (int i = 0; i < CHILDREN; i++) {
        int status = 0;
        if (waitpid(pids[i], &status, 0) != pids[i] || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
            fail("a child ended by itself", "");
        learn(i, fds[i]);
        close(fds[i]);
    }
}

int main(int argc, char **argv) {
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 1000,
         seconds = argc > 3 ? strtol(argv[3], NULL, 10) : 45;
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
    uint64_t random = seed;
    long left = 0;
    time_t end = time(NULL) + seconds;
    const char *folder = mini_folder("crash");
    mini_config(&m, folder);
    printf("seed %llu\n", (unsigned long long)seed);
    fflush(stdout);
    for (round_n = 0; round_n < rounds && time(NULL) < end; round_n++) {
        run_round(&random);
        mini_open(&m);
        for (int child = 0; child < CHILDREN; child++)
            for (int key = 0; key < KEYS; key++)
                check_key(child, key);
        check_marks();
        if (round_n % 16 == 0) {
            left += leftovers(folder);
            mini_sweep(&m);
            if (leftovers(folder) != 0)
                fail("leftovers stay after a sweep", "");
        }
        mini_close(&m);
        if (mini_warnings != 0)
            fail("the driver warned:", mini_last_warning);
    }
    printf("%ld rounds, %ld completed ops, %ld puts and removes in flight, %ld leftovers swept\n", round_n,
           completed, torn_in_flight, left);
    mini_remove_tree(folder);
    return round_n < 1;
}
