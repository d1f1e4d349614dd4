/*
 * Every system call of every op fails once, and for ever, for every reason: what was
 * acknowledged is there, nothing is torn, nothing leaks, and the next op works.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults.h"
#include "unit.h"

#define TEXT mini_text

static struct mini a;
static const char *const tags[] = {"t", "u"};

static void begin(const char *name, const char *fsync) {
    mini_now_ms = 1700000000000;
    faults = (struct faults){0};
    mini_config(&a, mini_folder(name));
    a.config.fsync = fsync;
    a.sys = &faults_sys;
    mini_open(&a);
}

static void end(void) {
    faults = (struct faults){0};
    mini_close(&a);
    mini_remove_tree(a.config.path);
    mini_deadline_ns = 20000000000u;
    CU_ASSERT_EQUAL(mini_bufs, 0);
}

/* ---- what is tried ------------------------------------------------------------------------ */

static int64_t epoch_before, epoch_acked;
static int round_n;

static void value_of(int n, char out[64]) {
    memset(out, 'a' + n % 26, 63);
    snprintf(out, 16, "%d", n);
    out[strlen(out)] = '-';
    out[63] = 0;
}

static int32_t op_put(void) {
    char value[64];
    value_of(++round_n, value);
    return mini_put(&a, 0, TEXT("k"), TEXT(value), round_n);
}
static int32_t op_get(void) {
    return mini_get(&a, 0, TEXT("k"), NULL, 0, NULL, NULL);
}
static int32_t op_remove(void) {
    return mini_remove(&a, TEXT("removed"));
}
static int32_t op_write(void) {
    return mini_write(&a, 0, MINI_MARK("w", ++round_n));
}
static int32_t op_read(void) {
    struct larder_mark mark;
    return mini_read(&a, 0, "t", &mark);
}
static int32_t op_bump(void) {
    int32_t status = mini_bump(&a, 0, "c", tags, 2, &epoch_acked);
    return status;
}
static int32_t op_advance(void) {
    int64_t e;
    int32_t status = mini_advance(&a, 0, "c", 1, &e);
    if (status == LARDER_OK)
        epoch_before = e;
    return status;
}
static int32_t op_link(void) {
    struct mini_op o;
    const struct larder_mark marks[] = {{.tag = TEXT("t")}, {.tag = TEXT(round_n++ % 2 ? "v" : "w")}};
    mini_op_init(&o, LARDER_OP_LINK);
    o.op.key = TEXT("k");
    o.op.marks = marks;
    o.op.n_marks = 2;
    int32_t status = mini_call(&a, &o);
    mini_op_done(&o);
    return status;
}
static int32_t simple(uint32_t code) {
    struct mini_op o;
    mini_op_init(&o, code);
    o.op.key = TEXT(code == LARDER_OP_LIST ? "" : "t");
    o.op.value = (struct larder_slice){(const uint8_t *)"me", 2, NULL};
    int32_t status = mini_call(&a, &o);
    mini_op_done(&o);
    return status;
}
static int32_t op_list(void) {
    return simple(LARDER_OP_LIST);
}
static int32_t op_keys_of(void) {
    return simple(LARDER_OP_KEYS_OF);
}
static int32_t op_claim(void) {
    return simple(LARDER_OP_CLAIM);
}
static int32_t op_sweep(void) {
    mini_sweep(&a);
    return LARDER_OK;
}

static const struct {
    const char *name;
    int32_t (*run)(void);
} ops[] = {{"put", op_put},   {"get", op_get},         {"remove", op_remove},   {"write", op_write},
           {"read", op_read}, {"bump", op_bump},       {"advance", op_advance}, {"link", op_link},
           {"list", op_list}, {"keys_of", op_keys_of}, {"claim", op_claim},     {"sweep", op_sweep}};
enum { N_OPS = sizeof(ops) / sizeof(ops[0]), N_FAST = 8 };

/* Seen by an instance that comes new, without faults: as another process would. */
static void check_state(const char *what, int32_t put_status, int put_n, int32_t bump_status) {
    struct mini b = a;
    char value[64], out[80] = "";
    int64_t epoch = 0;
    struct larder_mark t, u;
    b.sys = &fs_sys_real;
    mini_open(&b);
    CU_ASSERT_EQUAL(mini_get(&b, 0, TEXT("k"), out, sizeof(out), NULL, &epoch), LARDER_OK);
    value_of((int)epoch, value);
    CU_ASSERT_STRING_EQUAL(out, value); /* whole */
    CU_ASSERT(put_status != LARDER_OK || epoch == put_n);
    CU_ASSERT_EQUAL(mini_read(&b, 0, "t", &t), LARDER_OK);
    CU_ASSERT_EQUAL(mini_read(&b, 0, "u", &u), LARDER_OK);
    CU_ASSERT_EQUAL(t.expired_epoch, u.expired_epoch); /* one step */
    CU_ASSERT(t.expired_epoch >= epoch_before || bump_status != LARDER_OK);
    CU_ASSERT(bump_status != LARDER_OK || t.expired_epoch == epoch_acked);
    int64_t counter;
    CU_ASSERT_EQUAL(mini_advance(&b, 0, "c", 0, &counter), LARDER_OK);
    CU_ASSERT(counter >= t.expired_epoch && counter >= epoch_before);
    mini_close(&b);
    (void)what;
}

static void try_every_call(const char *fsync) {
    static const int errors[] = {EIO, ENOSPC, EMFILE, EROFS, EINTR, ENOENT, ENOMEM};
    begin("every", fsync);
    CU_ASSERT_EQUAL(op_put(), LARDER_OK);
    CU_ASSERT_EQUAL(op_bump(), LARDER_OK);
    CU_ASSERT_EQUAL(op_link(), LARDER_OK);
    for (int i = 0; i < N_OPS; i++)
        ops[i].run();
    int fds = faults_open_fds(), warned = mini_warnings;
    long tried = 0;
    for (int forever = 0; forever < 2; forever++)
        for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++)
            for (int i = 0; i < N_OPS; i++)
                for (long at = 1;; at += 1 + at / 16) { /* enumerations make hundreds of like calls */
                    if (forever && errors[e] != EIO && errors[e] != EROFS)
                        break;
                    epoch_before = epoch_before > epoch_acked ? epoch_before : epoch_acked;
                    faults = (struct faults){.kinds = errors[e] == EINTR ? FAIL_INTERRUPTED : FAIL_ALL,
                                             .at = at,
                                             .forever = forever,
                                             .err = errors[e]};
                    int32_t status = ops[i].run();
                    long failed = faults.failed;
                    faults = (struct faults){0};
                    tried++;
                    if (status < 0 && errors[e] == EINTR)
                        CU_FAIL("an interrupted call made an op fail");
                    int now = faults_open_fds();
                    if (now > fds) {
                        printf("\n%s: call %ld failing with %d leaks descriptors\n", ops[i].name, at,
                               errors[e]);
                        CU_FAIL_FATAL("leak");
                    }
                    check_state(ops[i].name, i == 0 ? status : LARDER_MISS, round_n,
                                i == 5 ? status : LARDER_MISS);
                    for (int j = 0; j < N_FAST; j++) { /* the next ones work */
                        int32_t next = ops[j].run();
                        if (next < 0)
                            printf("\n%s after %s, call %ld, errno %d: %d\n", ops[j].name, ops[i].name, at,
                                   errors[e], next);
                        CU_ASSERT(next >= 0);
                    }
                    if (failed == 0)
                        break;
                }
    /* A failing call is no damage to the log. */
    if (mini_warnings != warned && strstr(mini_last_warning, "damaged or missing") != NULL)
        printf("\n%s\n", mini_last_warning);
    CU_ASSERT(strstr(mini_last_warning, "damaged or missing") == NULL);
    printf("%ld faults ", tried);
    end();
}

static void nothing_acknowledged_is_lost_whichever_call_fails(void) {
    try_every_call("none");
}

static void the_same_with_syncs(void) {
    try_every_call("full");
}

static void a_first_use_that_fails_can_be_repeated(void) {
    static const int errors[] = {EIO, ENOSPC, EMFILE, EACCES};
    char value[64];
    for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++)
        for (long at = 1;; at++) {
            begin("first", "full");
            mini_deadline_ns = 20000000; /* EACCES from a lock means that it is held */
            faults = (struct faults){.kinds = FAIL_ALL, .at = at, .forever = at % 2, .err = errors[e]};
            round_n = 0;
            int32_t status = at % 3 == 0 ? op_bump() : op_put();
            long failed = faults.failed;
            faults = (struct faults){0};
            mini_deadline_ns = 20000000000u;
            CU_ASSERT(status <= LARDER_OK);
            int warned = mini_warnings;
            round_n = 0;
            CU_ASSERT_EQUAL(op_put(), LARDER_OK);
            CU_ASSERT_EQUAL(op_bump(), LARDER_OK);
            int64_t e_now;
            char out[80];
            value_of(1, value);
            CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("k"), out, sizeof(out), NULL, &e_now), LARDER_OK);
            CU_ASSERT_STRING_EQUAL(out, value);
            CU_ASSERT_EQUAL(mini_warnings, warned);
            int fds = faults_open_fds();
            mini_close(&a);
            CU_ASSERT_EQUAL(faults_open_fds(), fds - 4); /* root, marker, log, one lane's locks */
            mini_open(&a);
            end();
            if (failed == 0)
                break;
        }
}

static void transfers_may_fall_short(void) {
    char value[64], out[80];
    begin("short", "none");
    for (size_t most = 1; most < 70; most += 7) {
        faults.most = most;
        CU_ASSERT_EQUAL(op_put(), LARDER_OK);
        value_of(round_n, value);
        CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("k"), out, sizeof(out), NULL, NULL), LARDER_OK);
        CU_ASSERT_STRING_EQUAL(out, value);
        CU_ASSERT_EQUAL(op_bump(), LARDER_OK);
        mini_close(&a);
        mini_open(&a);
        struct larder_mark mark;
        CU_ASSERT_EQUAL(mini_read(&a, 0, "t", &mark), LARDER_OK);
        CU_ASSERT_EQUAL(mark.expired_epoch, epoch_acked);
    }
    end();
}

/* ---- a sync that fails -------------------------------------------------------------------- */

static void after_a_failed_sync_the_log_is_written_anew(void) {
    struct stat was, st;
    char path[4200];
    begin("sync", "marks");
    CU_ASSERT_EQUAL(op_bump(), LARDER_OK);
    snprintf(path, sizeof(path), "%.4000s/marks", a.config.path);
    CU_ASSERT_EQUAL(stat(path, &was), 0);
    faults = (struct faults){.kinds = FAIL_FSYNC, .at = 1, .err = EIO};
    CU_ASSERT_EQUAL(op_bump(), LARDER_RETRY);
    faults = (struct faults){0};
    CU_ASSERT_EQUAL(op_bump(), LARDER_OK);
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    CU_ASSERT(st.st_ino != was.st_ino); /* pages of the old one may be marked clean without being written */
    end();
}

static void a_new_folder_is_durable_with_its_own_name(void) {
    static char link[4300], target[4300];
    for (int at = 1; at <= 2; at++) {
        begin("deep", "marks");
        const char *root = a.config.path;
        mini_close(&a);
        snprintf(target, sizeof(target), "%.4000s-target", root);
        snprintf(link, sizeof(link), "%.4000s/link", root);
        mini_remove_tree(target);
        CU_ASSERT_EQUAL(mkdir(root, 0700), 0);
        CU_ASSERT_EQUAL(mkdir(target, 0700), 0);
        CU_ASSERT_EQUAL(symlink(target, link), 0);
        snprintf(link, sizeof(link), "%.4000s/link/new/newer", root);
        a.config.path = link;
        mini_open(&a);
        /* Two directories are made: the sync of either one's parent is asked for, and heard. */
        faults = (struct faults){.kinds = FAIL_FSYNC, .at = at, .err = EIO};
        CU_ASSERT_EQUAL(op_bump(), LARDER_RETRY);
        CU_ASSERT_EQUAL(faults.count, at);
        char next[4400]; /* what would have been made after it */
        snprintf(next, sizeof(next), "%s/new/newer%s", target, at == 1 ? "" : "/locks");
        CU_ASSERT_EQUAL(access(next, F_OK), -1);
        faults = (struct faults){0};
        CU_ASSERT_EQUAL(op_bump(), LARDER_OK);
        snprintf(link, sizeof(link), "%.4000s/new/newer/marks", target);
        CU_ASSERT_EQUAL(access(link, F_OK), 0);
        mini_remove_tree(target);
        a.config.path = root;
        end();
    }
}

/* ---- what people read ------------------------------------------------------------------------ */

static int32_t put_line(char detail[256]) {
    struct mini_op o;
    mini_op_init(&o, LARDER_OP_PUT);
    o.op.key = TEXT("k");
    o.op.value = (struct larder_slice){(const uint8_t *)"v", 1, NULL};
    int32_t status = mini_call(&a, &o);
    memcpy(detail, o.detail, sizeof(o.detail));
    mini_op_done(&o);
    return status;
}

static void errors_name_the_thing_the_place_and_the_way_out(void) {
    static const struct {
        unsigned kinds;
        int err;
        int32_t status;
        const char *text;
    } cases[] = {
        {FAIL_WRITEV, ENOSPC, LARDER_RETRY, "the disk is full: free space or lower max-size"},
        {FAIL_WRITEV, EDQUOT, LARDER_RETRY, "the disk quota is used up: raise it or lower max-size"},
        {FAIL_WRITEV, EIO, LARDER_RETRY, "the disk reports an error"},
        {FAIL_WRITEV, EFBIG, LARDER_TOO_BIG,
         "the file would be too large for this file system or the process's limit"},
        {FAIL_OPENAT, EACCES, LARDER_DENIED, "this process may not: give its user access to the folder"},
        {FAIL_OPENAT, EROFS, LARDER_DENIED,
         "the file system is read-only: mount it writable or choose another folder"},
        {FAIL_OPENAT, EMFILE, LARDER_RETRY,
         "this process has too many open files: raise its limit (ulimit -n)"},
    };
    char detail[256], expected[600];
    begin("lines", "none");
    CU_ASSERT_EQUAL(put_line(detail), LARDER_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        faults = (struct faults){
            .kinds = cases[i].kinds, .at = 1, .forever = true, .err = cases[i].err, .writing_opens = true};
        CU_ASSERT_EQUAL(put_line(detail), cases[i].status);
        faults = (struct faults){0};
        snprintf(expected, sizeof(expected), "cannot write an entry in %s: %s", a.config.path, cases[i].text);
        CU_ASSERT_STRING_EQUAL(detail, expected);
    }
    end();
}

/* ---- read-only ---------------------------------------------------------------------------------- */

static void refuse_writes(int err) {
    faults = (struct faults){
        .kinds = FAIL_WRITES | FAIL_OPENAT, .at = 1, .forever = true, .err = err, .writing_opens = true};
}

static void a_folder_that_may_only_be_read_is_read(void) {
    struct larder_mark mark;
    int64_t e;
    begin("readonly", "none");
    CU_ASSERT_EQUAL(op_put(), LARDER_OK);
    CU_ASSERT_EQUAL(op_bump(), LARDER_OK);
    mini_close(&a);
    mini_open(&a);
    refuse_writes(EROFS);
    CU_ASSERT_EQUAL(op_get(), LARDER_OK);
    CU_ASSERT_EQUAL(mini_read(&a, 0, "t", &mark), LARDER_OK);
    CU_ASSERT_EQUAL(mini_advance(&a, 0, "c", 0, &e), LARDER_OK);
    CU_ASSERT_EQUAL(e, epoch_acked);
    CU_ASSERT_EQUAL(op_list(), LARDER_OK);
    CU_ASSERT_EQUAL(simple(LARDER_OP_PING), LARDER_OK);
    CU_ASSERT_EQUAL(op_put(), LARDER_DENIED);
    CU_ASSERT_EQUAL(op_write(), LARDER_DENIED);
    CU_ASSERT_EQUAL(op_bump(), LARDER_DENIED);
    mini_sweep(&a);
    CU_ASSERT_EQUAL(op_get(), LARDER_OK);
    end();
}

static void a_damaged_log_that_may_only_be_read_expires_everything(void) {
    struct larder_mark mark, again;
    char path[4200];
    struct stat st;
    begin("readdamage", "none");
    CU_ASSERT_EQUAL(op_bump(), LARDER_OK);
    int64_t first = epoch_acked;
    snprintf(path, sizeof(path), "%.4000s/marks", a.config.path);
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    for (int missing = 0; missing < 2; missing++) {
        int done = missing ? unlink(path) : truncate(path, st.st_size + 200);
        CU_ASSERT_EQUAL(done, 0);
        mini_close(&a);
        mini_open(&a);
        refuse_writes(EACCES);
        mini_now_ms += 10;
        CU_ASSERT_EQUAL(mini_read(&a, 0, "t", &mark), LARDER_OK);
        CU_ASSERT(mark.expired_epoch >= first);
        CU_ASSERT_EQUAL(mini_read(&a, 0, "other", &again), LARDER_OK);
        CU_ASSERT_EQUAL(again.expired_epoch, mark.expired_epoch);
        mini_now_ms += 10; /* and stays so: what is stored from now on is not expired again and again */
        CU_ASSERT_EQUAL(mini_read(&a, 0, "t", &again), LARDER_OK);
        CU_ASSERT_EQUAL(again.expired_epoch, mark.expired_epoch);
        faults = (struct faults){0};
        CU_ASSERT_EQUAL(op_bump(), LARDER_OK); /* writable again: mended */
        CU_ASSERT(epoch_acked > mark.expired_epoch);
    }
    end();
}

/* As another user, to whom the modes apply (root may do everything). */
static void another_user_reads_what_the_modes_allow(void) {
    begin("user", "none");
    if (geteuid() != 0) {
        printf("skipped: needs root to become another user ");
        end();
        return;
    }
    CU_ASSERT_EQUAL(op_put(), LARDER_OK);
    CU_ASSERT_EQUAL(op_bump(), LARDER_OK);
    pid_t pid = fork();
    CU_ASSERT_FATAL(pid >= 0);
    if (pid == 0) {
        struct larder_mark mark;
        struct mini b = a;
        int bad = 0;
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(99);
        mini_open(&b);
        bad |= mini_get(&b, 0, TEXT("k"), NULL, 0, NULL, NULL) != LARDER_OK ? 1 : 0;
        bad |= mini_read(&b, 0, "t", &mark) != LARDER_OK ? 2 : 0;
        bad |= mini_put(&b, 0, TEXT("k"), TEXT("v"), 1) != LARDER_DENIED ? 4 : 0;
        bad |= mini_write(&b, 0, MINI_MARK("t", 1)) != LARDER_DENIED ? 8 : 0;
        mini_close(&b);
        _exit(bad);
    }
    int status = 0;
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT(WIFEXITED(status));
    CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
    end();

    begin("private", "none");
    mini_close(&a);
    a.config.private = 1;
    mini_open(&a);
    CU_ASSERT_EQUAL(op_put(), LARDER_OK);
    struct stat st;
    CU_ASSERT_EQUAL(stat(a.config.path, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0700);
    end();
}

/* ---- a disk that is full -------------------------------------------------------------------------- */

static void a_full_disk_refuses_puts_and_takes_revalidations(void) {
    const char *path = mini_folder("full");
    char inside[4200], value[60000];
    memset(value, 'x', sizeof(value));
    if (mkdir(path, 0700) != 0 || mount("none", path, "tmpfs", 0, "size=1m") != 0) {
        printf("skipped: cannot mount a small file system (%s) ", strerror(errno));
        rmdir(path);
        return;
    }
    faults = (struct faults){0};
    snprintf(inside, sizeof(inside), "%.4000s/cache", path);
    mini_config(&a, inside);
    mini_open(&a);
    CU_ASSERT_EQUAL(op_bump(), LARDER_OK);
    int32_t status = LARDER_OK;
    char key[32];
    int n = 0;
    for (; n < 100 && status == LARDER_OK; n++) {
        snprintf(key, sizeof(key), "%d", n);
        status = mini_put(&a, 0, TEXT(key), (struct larder_bytes){(const uint8_t *)value, sizeof(value)}, 1);
    }
    CU_ASSERT_EQUAL(status, LARDER_RETRY);
    CU_ASSERT(n > 5);
    for (int i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(op_bump(), LARDER_OK); /* its space was kept */
    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("0"), NULL, 0, NULL, NULL), LARDER_OK);
    /* The failing put asked for a sweep, which makes room. */
    CU_ASSERT(mini_turn() > 0);
    CU_ASSERT_EQUAL(
        mini_put(&a, 0, TEXT("after"), (struct larder_bytes){(const uint8_t *)value, sizeof(value)}, 1),
        LARDER_OK);
    mini_close(&a);
    mini_remove_tree(inside);
    CU_ASSERT_EQUAL(umount(path), 0);
    CU_ASSERT_EQUAL(rmdir(path), 0);
}

/* ---- things in the way ------------------------------------------------------------------------------ */

static void links_inside_the_folder_are_not_followed(void) {
    char path[4200], target[4200];
    begin("links", "none");
    CU_ASSERT_EQUAL(op_put(), LARDER_OK);
    snprintf(target, sizeof(target), "%.4000s-target", a.config.path);
    snprintf(path, sizeof(path), "%.4000s/entries", a.config.path);
    mini_remove_tree(target);
    CU_ASSERT_EQUAL(rename(path, target), 0);
    CU_ASSERT_EQUAL(symlink(target, path), 0);
    CU_ASSERT_EQUAL(op_put(), LARDER_DENIED);
    CU_ASSERT_EQUAL(unlink(path), 0);
    mini_remove_tree(target);
    end();
}

static void a_file_where_the_folder_should_be_is_named(void) {
    begin("file", "none");
    FILE *f = fopen(a.config.path, "w");
    CU_ASSERT_FATAL(f != NULL);
    fclose(f);
    char detail[256];
    CU_ASSERT_EQUAL(put_line(detail), LARDER_DENIED);
    CU_ASSERT(strstr(detail, "a file is where a folder should be") != NULL);
    CU_ASSERT(strstr(detail, a.config.path) != NULL);
    CU_ASSERT_EQUAL(unlink(a.config.path), 0);
    end();
}

static void a_pipe_in_place_of_an_entry_does_not_hang(void) {
    char path[4200], name[FS_PATH];
    begin("pipe", "none");
    CU_ASSERT_EQUAL(op_put(), LARDER_OK);
    fs_path(FS_ENTRIES, fs_hash(mini_fs(&a)->folder, TEXT("k")), name);
    snprintf(path, sizeof(path), "%.4000s/%s", a.config.path, name);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    CU_ASSERT_EQUAL(op_get(), LARDER_CORRUPT);
    CU_ASSERT_EQUAL(op_put(), LARDER_OK);
    CU_ASSERT_EQUAL(op_get(), LARDER_OK);
    end();
}

static void a_damaged_entry_is_told_and_replaced(void) {
    char path[4200], name[FS_PATH];
    uint8_t bytes[4096];
    begin("corrupt", "none");
    CU_ASSERT_EQUAL(op_put(), LARDER_OK);
    fs_path(FS_ENTRIES, fs_hash(mini_fs(&a)->folder, TEXT("k")), name);
    snprintf(path, sizeof(path), "%.4000s/%s", a.config.path, name);
    FILE *f = fopen(path, "rb");
    CU_ASSERT_FATAL(f != NULL);
    size_t len = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    for (size_t at = 0; at < len; at++) {
        bool padding = at > FS_ENTRY_HEADER &&
                       at < FS_ENTRY_HEADER + 16; /* "k" and 15 zeros that say nothing */
        bytes[at] ^= 4;
        f = fopen(path, "wb");
        CU_ASSERT_FATAL(f != NULL);
        fwrite(bytes, 1, len, f);
        fclose(f);
        bytes[at] ^= 4;
        CU_ASSERT_EQUAL(op_get(), padding ? LARDER_OK : LARDER_CORRUPT);
    }
    for (size_t cut = 0; cut < len; cut++) {
        f = fopen(path, "wb");
        CU_ASSERT_FATAL(f != NULL);
        fwrite(bytes, 1, cut, f);
        fclose(f);
        CU_ASSERT_EQUAL(op_get(), LARDER_CORRUPT);
    }
    CU_ASSERT_EQUAL(op_list(), LARDER_OK);
    CU_ASSERT_EQUAL(op_put(), LARDER_OK);
    CU_ASSERT_EQUAL(op_get(), LARDER_OK);
    end();
}

UNIT_MAIN("fs faults", UNIT(nothing_acknowledged_is_lost_whichever_call_fails), UNIT(the_same_with_syncs),
          UNIT(a_first_use_that_fails_can_be_repeated), UNIT(transfers_may_fall_short),
          UNIT(after_a_failed_sync_the_log_is_written_anew), UNIT(a_new_folder_is_durable_with_its_own_name),
          UNIT(errors_name_the_thing_the_place_and_the_way_out), UNIT(a_folder_that_may_only_be_read_is_read),
          UNIT(a_damaged_log_that_may_only_be_read_expires_everything),
          UNIT(another_user_reads_what_the_modes_allow),
          UNIT(a_full_disk_refuses_puts_and_takes_revalidations),
          UNIT(links_inside_the_folder_are_not_followed), UNIT(a_file_where_the_folder_should_be_is_named),
          UNIT(a_pipe_in_place_of_an_entry_does_not_hang), UNIT(a_damaged_entry_is_told_and_replaced))
