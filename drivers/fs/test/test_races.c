/*
 * Several processes, and several lanes of one, at the same folder at once.  Children report
 * through shared memory and end with 0, or the line where they saw something wrong.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mini.h"
#include "unit.h"

#define TEXT mini_text
enum { PROCESSES = 4, MAX_TIMES = 2000 };

static struct shared {
    _Atomic int64_t values[PROCESSES][MAX_TIMES];
    atomic_int ready, done;
    _Atomic int64_t acknowledged;
} * shared;
static struct mini a;

/* In a child: the line goes to the parent. */
#define MUST(expr)                                                               \
    do {                                                                         \
        if (!(expr)) {                                                           \
            fprintf(stderr, "\nchild %d, line %d: %s\n", self, __LINE__, #expr); \
            return 1;                                                            \
        }                                                                        \
    } while (0)

static void begin(const char *name) {
    mini_now_ms = 1700000000000;
    mini_config(&a, mini_folder(name));
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_FATAL(shared != MAP_FAILED);
}

static void end(void) {
    munmap(shared, sizeof(*shared));
    mini_remove_tree(a.config.path);
    CU_ASSERT_EQUAL(mini_bufs, 0);
}

/* All children begin together, each with an instance of its own. */
static void run_processes(int n, int (*body)(int self)) {
    pid_t pids[PROCESSES];
    fflush(NULL);
    for (int i = 0; i < n; i++) {
        pids[i] = fork();
        CU_ASSERT_FATAL(pids[i] >= 0);
        if (pids[i] == 0) {
            atomic_fetch_add(&shared->ready, 1);
            while (atomic_load(&shared->ready) < n)
                usleep(100);
            mini_open(&a);
            int bad = body(i);
            mini_close(&a);
            atomic_fetch_add(&shared->done, 1);
            _exit(bad);
        }
    }
    for (int i = 0; i < n; i++) {
        int status = 0;
        CU_ASSERT_EQUAL(waitpid(pids[i], &status, 0), pids[i]);
        CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

static int by_number(const void *x, const void *y) {
    int64_t p = *(const int64_t *)x, q = *(const int64_t *)y;
    return p < q ? -1 : p > q;
}

/* ---- counters ------------------------------------------------------------------------------ */

enum { ADVANCES = 400 };

static int advance_body(int self) {
    int64_t last = 0;
    for (int i = 0; i < ADVANCES; i++) {
        int64_t e;
        MUST(mini_advance(&a, (uint32_t)i % 4, "c", 1, &e) == LARDER_OK);
        MUST(e > last);
        last = e;
        atomic_store(&shared->values[self][i], e);
    }
    return 0;
}

static void no_value_of_a_counter_is_given_out_twice(void) {
    static int64_t all[PROCESSES * ADVANCES];
    begin("advance");
    run_processes(PROCESSES, advance_body);
    for (int p = 0; p < PROCESSES; p++)
        for (int i = 0; i < ADVANCES; i++)
            all[p * ADVANCES + i] = atomic_load(&shared->values[p][i]);
    qsort(all, PROCESSES * ADVANCES, sizeof(all[0]), by_number);
    for (int i = 1; i < PROCESSES * ADVANCES; i++)
        CU_ASSERT_NOT_EQUAL(all[i], all[i - 1]);
    CU_ASSERT_EQUAL(all[PROCESSES * ADVANCES - 1], all[0] + PROCESSES * ADVANCES - 1);
    end();
}

/* ---- marks ---------------------------------------------------------------------------------- */

enum { BUMPS = 1500 };

/* Two processes bump; what they acknowledged is in shared memory.  The others read. */
static int bump_body(int self) {
    static const char *const tags[] = {"t", "u"};
    const struct larder_mark ask[] = {{.tag = TEXT("t")}, {.tag = TEXT("u")}};
    int64_t last = 0;
    for (int i = 0; self < 2 ? i < BUMPS : atomic_load(&shared->done) < 2; i++) {
        if (self < 2) {
            int64_t e;
            MUST(mini_bump(&a, 0, "c", tags, 2, &e) == LARDER_OK);
            int64_t known = atomic_load(&shared->acknowledged);
            while (known < e && !atomic_compare_exchange_weak(&shared->acknowledged, &known, e))
                continue;
            continue;
        }
        struct mini_op o;
        int64_t acknowledged = atomic_load(&shared->acknowledged);
        mini_op_init(&o, LARDER_OP_TAGS_READ);
        o.op.lane = (uint32_t)i % 4;
        o.op.marks = ask;
        o.op.n_marks = 2;
        MUST(mini_call(&a, &o) == LARDER_OK);
        if (o.n_marks == 0) {
            MUST(acknowledged == 0);
        } else {
            MUST(o.n_marks == 2);
            MUST(o.marks[0].expired_epoch == o.marks[1].expired_epoch); /* one step, also to readers */
            MUST(o.marks[0].expired_epoch >= acknowledged);             /* sees each completed one */
            MUST(o.marks[0].expired_epoch >= last);
            last = o.marks[0].expired_epoch;
        }
        mini_op_done(&o);
    }
    return 0;
}

/* 3,000 bumps of about 260 bytes: the log is rewritten several times meanwhile. */
static void readers_see_each_bump_as_one_step_while_the_log_is_rewritten(void) {
    begin("bump");
    run_processes(PROCESSES, bump_body);
    CU_ASSERT_EQUAL(mini_warnings, 0);
    end();
}

/* ---- entries --------------------------------------------------------------------------------- */

enum { PUTS = 400 };

static int newest_body(int self) {
    uint32_t seed = 7u + (uint32_t)self;
    char value[32];
    for (int i = 0; i < PUTS; i++) {
        seed = seed * 1664525u + 1013904223u;
        int64_t epoch = seed >> 8;
        snprintf(value, sizeof(value), "%lld", (long long)epoch);
        MUST(mini_put(&a, (uint32_t)i % 4, TEXT("k"), TEXT(value), epoch) == LARDER_OK);
        int64_t known = atomic_load(&shared->acknowledged);
        while (known < epoch && !atomic_compare_exchange_weak(&shared->acknowledged, &known, epoch))
            continue;
        known = atomic_load(&shared->acknowledged);
        int64_t got;
        char out[32];
        MUST(mini_get(&a, (uint32_t)i % 4, TEXT("k"), out, sizeof(out), NULL, &got) == LARDER_OK);
        MUST(got >= known);
        MUST(strtoll(out, NULL, 10) == got); /* value and epoch of one put */
    }
    return 0;
}

static void racing_puts_leave_the_greatest_epoch(void) {
    begin("newest");
    run_processes(PROCESSES, newest_body);
    int64_t epoch = 0;
    mini_open(&a);
    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("k"), NULL, 0, NULL, &epoch), LARDER_OK);
    CU_ASSERT_EQUAL(epoch, atomic_load(&shared->acknowledged));
    mini_close(&a);
    end();
}

static int first_body(int self) {
    char key[16];
    snprintf(key, sizeof(key), "%d", self);
    MUST(mini_bump(&a, 0, "c", (const char *const[]){key}, 1, NULL) == LARDER_OK);
    MUST(mini_put(&a, 1, TEXT(key), TEXT("v"), 1) == LARDER_OK);
    atomic_fetch_add(&shared->acknowledged, 1);
    while (atomic_load(&shared->acknowledged) < PROCESSES)
        usleep(100);
    for (int i = 0; i < PROCESSES; i++) {
        struct larder_mark mark;
        snprintf(key, sizeof(key), "%d", i);
        MUST(mini_read(&a, 0, key, &mark) == LARDER_OK);
        MUST(mini_get(&a, 0, TEXT(key), NULL, 0, NULL, NULL) == LARDER_OK);
    }
    return 0;
}

static void processes_that_create_the_folder_at_once_share_it(void) {
    for (int round = 0; round < 20; round++) {
        begin("first");
        run_processes(PROCESSES, first_body);
        end();
    }
}

static int sweep_body(int self) {
    char key[32], value[5000], out[5000];
    memset(value, 'v', sizeof(value));
    for (int i = 0; i < 150; i++) {
        int n = (i * 7 + self) % 60;
        snprintf(key, sizeof(key), "%d", n);
        int len = snprintf(value, sizeof(value), "%d.", n);
        value[len] = 'v';
        value[sizeof(value) - 1] = 0;
        MUST(mini_put(&a, 0, TEXT(key), TEXT(value), 1) == LARDER_OK);
        int32_t status = mini_get(&a, 1, TEXT(key), out, sizeof(out), NULL, NULL);
        MUST(status == LARDER_OK || status == LARDER_MISS);
        MUST(status == LARDER_MISS || strcmp(out, value) == 0);
        if (i % 10 == self)
            mini_sweep(&a);
        mini_turn();
    }
    return 0;
}

static void sweeping_at_once_harms_nobody(void) {
    struct larder_mark mark;
    begin("sweep");
    a.config.max_size = 100000;
    mini_open(&a);
    CU_ASSERT_EQUAL(mini_write(&a, 0, MINI_MARK("t", 5)), LARDER_OK);
    mini_close(&a);
    run_processes(PROCESSES, sweep_body);
    mini_open(&a);
    CU_ASSERT_EQUAL(mini_read(&a, 0, "t", &mark), LARDER_OK);
    mini_close(&a);
    end();
}

/* ---- lanes ------------------------------------------------------------------------------------- */

static void *lane_body(void *arg) {
    static const char *const tags[] = {"t", "u"};
    uint32_t lane = *(const uint32_t *)arg;
    intptr_t wrong = 0;
    for (int i = 0; i < 150; i++) {
        char key[16], out[64];
        struct larder_mark mark;
        int64_t e, f;
        snprintf(key, sizeof(key), "%d", i % 5);
        wrong += mini_put(&a, lane, TEXT(key), TEXT(key), i) != LARDER_OK;
        wrong += mini_get(&a, lane, TEXT(key), out, sizeof(out), NULL, NULL) != LARDER_OK ||
                 strcmp(out, key) != 0;
        wrong += mini_bump(&a, lane, "c", tags, 2, &e) != LARDER_OK;
        wrong += mini_read(&a, lane, "u", &mark) != LARDER_OK || mark.expired_epoch < e;
        wrong += mini_advance(&a, lane, "c", 0, &f) != LARDER_OK || f < e;
    }
    return (void *)wrong;
}

static void *sweeper_body(void *arg) {
    (void)arg;
    for (int i = 0; i < 5; i++)
        mini_sweep(&a);
    return NULL;
}

static void lanes_of_one_instance_work_at_once(void) {
    pthread_t threads[4], sweeper;
    uint32_t lanes[4];
    begin("lanes");
    mini_open(&a);
    for (uint32_t i = 0; i < 4; i++) {
        lanes[i] = i;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, lane_body, &lanes[i]), 0);
    }
    CU_ASSERT_EQUAL_FATAL(pthread_create(&sweeper, NULL, sweeper_body, NULL), 0);
    for (int i = 0; i < 4; i++) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        CU_ASSERT_PTR_NULL(wrong);
    }
    pthread_join(sweeper, NULL);
    mini_close(&a);
    end();
}

/* ---- waiting ------------------------------------------------------------------------------------- */

static void a_wait_for_a_lock_ends_by_the_deadline(void) {
    struct mini b;
    struct fs_call c;
    begin("wait");
    mini_open(&a);
    b = a;
    mini_open(&b);
    CU_ASSERT_EQUAL(mini_put(&a, 0, TEXT("k"), TEXT("v"), 1), LARDER_OK);
    CU_ASSERT_EQUAL(mini_write(&a, 0, MINI_MARK("t", 5)), LARDER_OK);
    fs_call_init(&c, mini_fs(&b), NULL);
    CU_ASSERT_EQUAL_FATAL(fs_folder_get(&c, FS_READ), LARDER_OK);
    CU_ASSERT_EQUAL(fs_lock(&c, FS_LOCK_LOG), LARDER_OK);
    CU_ASSERT_EQUAL(fs_lock(&c, fs_lock_of(fs_hash(c.folder, TEXT("k")))), LARDER_OK);
    mini_deadline_ns = 3000000;
    mini_now_ns = 1; /* even if the clock stands still */
    struct larder_mark mark;
    CU_ASSERT_EQUAL(mini_write(&a, 0, MINI_MARK("t", 6)), LARDER_DEADLINE);
    CU_ASSERT_EQUAL(mini_put(&a, 0, TEXT("k"), TEXT("w"), 1), LARDER_DEADLINE);
    CU_ASSERT_EQUAL(mini_read(&a, 0, "t", &mark), LARDER_OK); /* readers do not wait for writers */
    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("k"), NULL, 0, NULL, NULL), LARDER_OK);
    mini_now_ns = 0;
    mini_deadline_ns = 20000000000u;
    fs_unlock(&c, FS_LOCK_LOG);
    fs_unlock(&c, fs_lock_of(fs_hash(c.folder, TEXT("k"))));
    fs_folder_unref(c.sys, c.folder);
    CU_ASSERT_EQUAL(mini_write(&a, 0, MINI_MARK("t", 6)), LARDER_OK);
    mini_close(&b);
    mini_close(&a);
    end();
}

UNIT_MAIN("fs races", UNIT(no_value_of_a_counter_is_given_out_twice),
          UNIT(readers_see_each_bump_as_one_step_while_the_log_is_rewritten),
          UNIT(racing_puts_leave_the_greatest_epoch), UNIT(processes_that_create_the_folder_at_once_share_it),
          UNIT(sweeping_at_once_harms_nobody), UNIT(lanes_of_one_instance_work_at_once),
          UNIT(a_wait_for_a_lock_ends_by_the_deadline))
