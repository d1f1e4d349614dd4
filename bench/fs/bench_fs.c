/*
 * What the file-system driver costs above the system calls that nobody can avoid, in one run on
 * one machine: medians of batches that take turns.
 *
 *     bench_fs [folder]
 *
 * "raw" is what a careful program would do by hand: open, fstat, read, close to read a file of
 * the same size; open, write, close, rename to write one; one stat() to see that nothing changed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fs/test/mini.h"

enum { ROUNDS = 15, SMALL = 4096, LARGE = 300 * 1024, N_TAGS = 10, N_STORED_TAGS = 2000 };

static struct mini m;
static char raw_small[4200], raw_large[4200], raw_new[4200];
static uint8_t *bytes;
static struct larder_mark tags[N_TAGS];
static char tag_names[N_TAGS][32];
static volatile uint64_t sink;

static void must(bool ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "bench_fs: %s failed\n", what);
        exit(1);
    }
}

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void read_raw(const char *path) {
    struct stat st;
    struct larder_slice out;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0 && fstat(fd, &st) == 0, "open");
    uint8_t *buf = mini_host.buf_new((size_t)st.st_size, &out);
    must(buf != NULL && read(fd, buf, (size_t)st.st_size) == st.st_size, "read");
    sink += buf[0];
    mini_host.buf_unref(out.owner);
    close(fd);
}

static void write_raw(const char *path, size_t len) {
    int fd = open(raw_new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    must(fd >= 0 && write(fd, bytes, len) == (ssize_t)len, "write");
    close(fd);
    must(rename(raw_new, path) == 0, "rename");
}

static void get(const char *key, size_t len) {
    struct mini_op o;
    mini_op_init(&o, LARDER_OP_GET);
    o.op.key = mini_text(key);
    must(mini_call(&m, &o) == LARDER_OK && o.result.value.len == len, "get");
    sink += o.result.value.ptr[0];
    mini_op_done(&o);
}

static void put(const char *key, size_t len) {
    must(mini_put(&m, 0, mini_text(key), (struct larder_bytes){bytes, len}, 1) == LARDER_OK, "put");
}

static void raw_get_small(void) {
    read_raw(raw_small);
}
static void get_small(void) {
    get("small", SMALL);
}
static void raw_get_large(void) {
    read_raw(raw_large);
}
static void get_large(void) {
    get("large", LARGE);
}
static void get_miss(void) {
    must(mini_get(&m, 0, mini_text("nothing"), NULL, 0, NULL, NULL) == LARDER_MISS, "miss");
}
static void raw_put_small(void) {
    write_raw(raw_small, SMALL);
}
static void put_small(void) {
    put("small", SMALL);
}
static void raw_put_large(void) {
    write_raw(raw_large, LARGE);
}
static void put_large(void) {
    put("large", LARGE);
}
static void raw_stat(void) {
    struct stat st;
    must(stat(raw_small, &st) == 0, "stat");
}
static void read_tags(void) {
    struct mini_op o;
    mini_op_init(&o, LARDER_OP_TAGS_READ);
    o.op.marks = tags;
    o.op.n_marks = N_TAGS;
    must(mini_call(&m, &o) == LARDER_OK && o.n_marks == N_TAGS, "tags.read");
    mini_op_done(&o);
}
static void bump(void) {
    const char *const names[] = {tag_names[0], tag_names[1]};
    must(mini_bump(&m, 0, "epoch", names, 2, NULL) == LARDER_OK, "bump");
}
static void look(void) {
    must(mini_advance(&m, 0, "epoch", 0, NULL) == LARDER_OK, "advance");
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
        int times;
    } jobs[] = {
        {"get 4 KB", get_small, 2000},      {"  raw", raw_get_small, 2000},
        {"get 300 KB", get_large, 300},     {"  raw", raw_get_large, 300},
        {"get, not there", get_miss, 2000}, {"tags.read of 10 tags", read_tags, 4000},
        {"  raw stat()", raw_stat, 4000},   {"advance(0)", look, 4000},
        {"bump, 2 tags", bump, 500},        {"put 4 KB", put_small, 500},
        {"  raw", raw_put_small, 500},      {"put 300 KB", put_large, 100},
        {"  raw", raw_put_large, 100},
    };
    enum { N = sizeof(jobs) / sizeof(jobs[0]) };
    static double took[N][ROUNDS];
    const char *folder = argc > 1 ? argv[1] : mini_folder("bench");

    mini_config(&m, folder);
    mini_open(&m);
    bytes = malloc(LARGE);
    must(bytes != NULL, "malloc");
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (uint8_t)(i * 31);
    put("small", SMALL);
    put("large", LARGE);
    snprintf(raw_small, sizeof(raw_small), "%.4000s/raw-small", folder);
    snprintf(raw_large, sizeof(raw_large), "%.4000s/raw-large", folder);
    snprintf(raw_new, sizeof(raw_new), "%.4000s/raw-new", folder);
    raw_put_small();
    raw_put_large();
    for (int i = 0; i < N_STORED_TAGS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "_N_T_/posts/%d", i);
        must(mini_write(&m, 0, MINI_MARK(name, i)) == LARDER_OK, "tags.write");
    }
    for (int i = 0; i < N_TAGS; i++) {
        snprintf(tag_names[i], sizeof(tag_names[i]), "_N_T_/posts/%d", i * 7);
        tags[i] = (struct larder_mark){.tag = mini_text(tag_names[i])};
    }

    for (int round = 0; round < ROUNDS; round++)
        for (int j = 0; j < N; j++) {
            double begin = now_us();
            for (int i = 0; i < jobs[j].times; i++)
                jobs[j].run();
            took[j][round] = (now_us() - begin) / jobs[j].times;
        }
    printf("%-24s %10s %10s   us per call, of %d rounds\n", "", "median", "least", ROUNDS);
    for (int j = 0; j < N; j++) {
        qsort(took[j], ROUNDS, sizeof(double), by_value);
        printf("%-24s %10.2f %10.2f\n", jobs[j].name, took[j][ROUNDS / 2], took[j][0]);
    }
    mini_close(&m);
    mini_remove_tree(folder);
    free(bytes);
    return 0;
}
