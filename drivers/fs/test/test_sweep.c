/* What the sweeper takes, in which order, and what it never takes. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mini.h"
#include "unit.h"

#define TEXT mini_text

static struct mini a;

static void begin(const char *name, int64_t max_size) {
    mini_now_ms = 1700000000000;
    mini_now_ns = 1000000000;
    mini_config(&a, mini_folder(name));
    a.config.max_size = max_size;
    mini_open(&a);
}

static void end(void) {
    mini_close(&a);
    mini_remove_tree(a.config.path);
    mini_now_ns = 0;
    CU_ASSERT_EQUAL(mini_bufs, 0);
}

static void path_of(const char *kind, const char *key, char out[4300]) {
    char name[FS_PATH];
    fs_path(kind, fs_hash(mini_fs(&a)->folder, TEXT(key)), name);
    snprintf(out, 4300, "%.4000s/%s", a.config.path, name);
}

/* As if the entry was last used so long ago. */
static void used(const char *key, int64_t ago_ms) {
    char path[4300];
    int64_t at = mini_now_ms - ago_ms;
    struct timespec times[2] = {{.tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000},
                                {.tv_nsec = UTIME_OMIT}};
    path_of(FS_ENTRIES, key, path);
    CU_ASSERT_EQUAL(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool there(const char *key) {
    char path[4300];
    path_of(FS_ENTRIES, key, path);
    return access(path, F_OK) == 0;
}

static void put(const char *key, size_t len, int64_t ttl_ms) {
    static uint8_t bytes[100000];
    struct mini_op o;
    mini_op_init(&o, LARDER_OP_PUT);
    o.op.key = TEXT(key);
    o.op.value = (struct larder_slice){bytes, len, NULL};
    o.op.ttl_ms = ttl_ms;
    CU_ASSERT_EQUAL(mini_call(&a, &o), LARDER_OK);
    mini_op_done(&o);
}

static void the_least_recently_used_go_first_down_to_nine_tenths(void) {
    char key[16];
    struct larder_mark mark;
    begin("lru", 100 * 8192);
    CU_ASSERT_EQUAL(mini_write(&a, 0, MINI_MARK("t", 5)), LARDER_OK);
    for (int i = 0; i < 110; i++) {
        snprintf(key, sizeof(key), "%d", i);
        put(key, 8000, 0); /* with its header two blocks */
        used(key, (int64_t)(i + 1) * 3600000);
    }
    mini_sweep(&a);
    for (int i = 0; i < 110; i++) {
        snprintf(key, sizeof(key), "%d", i);
        /* Ages within 1.6 % are one class: exact up to about an hour in sixty-four. */
        if (i < 86 || i >= 94)
            CU_ASSERT_EQUAL(there(key), i < 90);
    }
    int left = 0;
    for (int i = 0; i < 110; i++) {
        snprintf(key, sizeof(key), "%d", i);
        left += there(key);
    }
    CU_ASSERT_EQUAL(left, 90);
    CU_ASSERT_EQUAL(mini_read(&a, 0, "t", &mark), LARDER_OK);
    mini_sweep(&a);
    CU_ASSERT(there("0"));
    end();
}

static void a_get_keeps_an_entry_from_being_the_oldest(void) {
    begin("touch", 3 * 8192);
    put("a", 8000, 0);
    put("b", 8000, 0);
    put("c", 8000, 0);
    put("d", 8000, 0);
    used("a", 4 * 3600000);
    used("b", 3 * 3600000);
    used("c", 2 * 3600000);
    used("d", 1 * 3600000);
    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("a"), NULL, 0, NULL, NULL), LARDER_OK);
    mini_sweep(&a);
    CU_ASSERT(there("a"));
    CU_ASSERT_FALSE(there("b"));
    CU_ASSERT_FALSE(there("c"));
    CU_ASSERT(there("d"));
    end();
}

static void the_time_of_use_is_noted_once_in_ten_minutes(void) {
    char path[4300];
    struct stat st, again;
    begin("often", 0);
    put("a", 10, 0);
    used("a", 600000);
    path_of(FS_ENTRIES, "a", path);
    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("a"), NULL, 0, NULL, NULL), LARDER_OK);
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    CU_ASSERT_EQUAL(st.st_atim.tv_sec, mini_now_ms / 1000);
    used("a", 599000);
    CU_ASSERT_EQUAL(stat(path, &again), 0);
    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("a"), NULL, 0, NULL, NULL), LARDER_OK);
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    CU_ASSERT(st.st_atim.tv_sec == again.st_atim.tv_sec || st.st_atim.tv_sec > mini_now_ms / 1000 + 1000000);
    end();
}

static void expired_entries_go_and_others_stay(void) {
    begin("expired", 0);
    put("a", 10, 1000);
    put("b", 10, 5000);
    put("c", 10, 0);
    mini_now_ms += 1000;
    mini_now_ns += 1000000000;
    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("b"), NULL, 0, NULL, NULL), LARDER_OK);
    mini_sweep(&a);
    CU_ASSERT_FALSE(there("a"));
    CU_ASSERT(there("b"));
    CU_ASSERT(there("c"));
    end();
}

/* The time of day is what ops say and nothing else: the next one may come from a clock that was put
 * back, or that a test holds. */
static void nothing_expires_before_an_op_has_told_that_its_time_is_up(void) {
    begin("untold", 0);
    put("a", 10, 1000);
    mini_now_ns += 9000000000;
    mini_sweep(&a);
    CU_ASSERT(there("a"));
    mini_now_ms += 1000;
    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("b"), NULL, 0, NULL, NULL), LARDER_MISS);
    mini_sweep(&a);
    CU_ASSERT_FALSE(there("a"));
    end();
}

static int count_files(const char *path) {
    int n = 0;
    DIR *dir = opendir(path);
    const struct dirent *e;
    while (dir != NULL && (e = readdir(dir)) != NULL) {
        char inner[4600];
        if (e->d_name[0] == '.')
            continue;
        snprintf(inner, sizeof(inner), "%.4300s/%s", path, e->d_name);
        n += e->d_type == DT_DIR ? count_files(inner) : 1;
    }
    if (dir != NULL)
        closedir(dir);
    return n;
}

static void touch_file(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CU_ASSERT(fd >= 0);
    close(fd);
}

static void leftovers_go_and_files_being_written_stay(void) {
    char path[4300], temp[4400];
    struct mini b;
    struct fs_call c;
    begin("temp", 0);
    put("a", 10, 0);
    put("b", 10, 0);
    const char *const keys[] = {"a", "b"};
    for (int i = 0; i < 2; i++) {
        path_of(FS_ENTRIES, keys[i], path);
        char *slash = strrchr(path, '/');
        snprintf(temp, sizeof(temp), "%.*s/tmp-%s-00000000000000%02d", (int)(slash - path), path, slash + 1,
                 i);
        touch_file(temp);
    }
    snprintf(path, sizeof(path), "%.4000s/tmp-marks-0000000000000003", a.config.path);
    touch_file(path);
    CU_ASSERT_EQUAL(mini_advance(&a, 0, "c", 0, NULL), LARDER_OK); /* with it the file of locks */
    int files = count_files(a.config.path);
    b = a;
    mini_open(&b);
    fs_call_init(&c, mini_fs(&b), NULL);
    CU_ASSERT_EQUAL_FATAL(fs_folder_get(&c, FS_READ), LARDER_OK);
    CU_ASSERT_EQUAL(fs_lock(&c, fs_lock_of(fs_hash(c.folder, TEXT("b")))),
                    LARDER_OK); /* as its writer does */
    mini_sweep(&a);
    CU_ASSERT_EQUAL(access(temp, F_OK), 0);
    CU_ASSERT_EQUAL(count_files(a.config.path), files - 2);
    fs_unlock(&c, fs_lock_of(fs_hash(c.folder, TEXT("b"))));
    fs_folder_unref(c.sys, c.folder);
    mini_sweep(&a);
    CU_ASSERT_EQUAL(access(temp, F_OK), -1);
    CU_ASSERT(there("a"));
    CU_ASSERT(there("b"));
    mini_close(&b);
    end();
}

static void what_is_not_ours_stays(void) {
    char path[4300];
    static const char *const names[] = {"README", "entries/00/notes.txt", "entries/zz", "entries/00/tmp-x"};
    begin("foreign", 1);
    put("a", 0, 0);
    snprintf(path, sizeof(path), "%.4000s/entries/00", a.config.path);
    (void)mkdir(path, 0700);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%.4000s/%s", a.config.path, names[i]);
        touch_file(path);
    }
    mini_sweep(&a);
    CU_ASSERT_FALSE(there("a"));
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%.4000s/%s", a.config.path, names[i]);
        CU_ASSERT_EQUAL(access(path, F_OK), 0);
    }
    end();
}

static void empty_directories_go_and_come_back(void) {
    char path[4300];
    begin("empty", 0);
    put("a", 10, 1);
    path_of(FS_ENTRIES, "a", path);
    *strrchr(path, '/') = 0;
    CU_ASSERT_EQUAL(access(path, F_OK), 0);
    mini_now_ms += 1;
    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("a"), NULL, 0, NULL, NULL), LARDER_MISS);
    mini_sweep(&a);
    CU_ASSERT_EQUAL(access(path, F_OK), -1);
    put("a", 10, 0);
    CU_ASSERT(there("a"));
    end();
}

static void link_key(const char *key, const char *tag) {
    struct mini_op o;
    const struct larder_mark mark = {.tag = TEXT(tag)};
    mini_op_init(&o, LARDER_OP_LINK);
    o.op.key = TEXT(key);
    o.op.marks = &mark;
    o.op.n_marks = 1;
    CU_ASSERT_EQUAL(mini_call(&a, &o), LARDER_OK);
    mini_op_done(&o);
}

static size_t keys_of(const char *tag) {
    struct mini_op o;
    mini_op_init(&o, LARDER_OP_KEYS_OF);
    o.op.key = TEXT(tag);
    CU_ASSERT_EQUAL(mini_call(&a, &o), LARDER_OK);
    size_t n = o.n_keys;
    mini_op_done(&o);
    return n;
}

static void the_index_forgets_what_was_evicted(void) {
    char path[4300], leftover[4400];
    begin("index", 0);
    put("a", 10, 1);
    put("b", 10, 0);
    link_key("a", "t");
    link_key("b", "t");
    link_key("elsewhere", "t"); /* its entry is in another store */
    CU_ASSERT_EQUAL(keys_of("t"), 3);
    /* A name without a record, as a crash leaves it. */
    char tag_name[FS_PATH];
    fs_path(FS_TAGS, fs_hash(mini_fs(&a)->folder, TEXT("t")), tag_name);
    snprintf(path, sizeof(path), "%.4000s/%s", a.config.path, tag_name);
    snprintf(leftover, sizeof(leftover), "%s/%032d", path, 7);
    touch_file(leftover);
    CU_ASSERT_EQUAL(keys_of("t"), 3);
    mini_now_ms += 1;
    CU_ASSERT_EQUAL(keys_of("t"), 3);
    mini_sweep(&a);
    CU_ASSERT_EQUAL(keys_of("t"), 2);
    CU_ASSERT_EQUAL(access(leftover, F_OK), -1);
    CU_ASSERT_EQUAL(count_files(path), 2);
    /* Records that nobody renewed for as long as an entry can live. */
    mini_now_ms += 10 * 366ll * 86400000;
    CU_ASSERT_EQUAL(keys_of("t"), 2);
    mini_sweep(&a);
    CU_ASSERT_EQUAL(keys_of("t"), 0);
    CU_ASSERT_EQUAL(access(path, F_OK), -1);
    end();
}

static void growth_starts_a_sweep_before_its_time(void) {
    char key[16];
    begin("growth", 20 * 8192);
    int turns = 0;
    for (int i = 0; i < 60; i++) {
        snprintf(key, sizeof(key), "%d", i);
        put(key, 8000, 0);
        used(key, 1000000 - i * 1000);
        turns += mini_turn() > 0;
    }
    CU_ASSERT(turns > 2);
    char path[4300];
    snprintf(path, sizeof(path), "%.4000s/entries", a.config.path);
    CU_ASSERT(count_files(path) <= 22);
    CU_ASSERT(there("59"));
    CU_ASSERT_FALSE(there("0"));
    end();
}

static void a_close_before_the_sweep_began_is_safe(void) {
    begin("close", 1000);
    put("a", 900, 0);
    put("b", 900, 0); /* posts a sweep */
    mini_close(&a);   /* runs what was posted afterwards */
    mini_open(&a);
    end();
}

UNIT_MAIN("fs sweep", UNIT(the_least_recently_used_go_first_down_to_nine_tenths),
          UNIT(a_get_keeps_an_entry_from_being_the_oldest),
          UNIT(the_time_of_use_is_noted_once_in_ten_minutes), UNIT(expired_entries_go_and_others_stay),
          UNIT(nothing_expires_before_an_op_has_told_that_its_time_is_up),
          UNIT(leftovers_go_and_files_being_written_stay), UNIT(what_is_not_ours_stays),
          UNIT(empty_directories_go_and_come_back), UNIT(the_index_forgets_what_was_evicted),
          UNIT(growth_starts_a_sweep_before_its_time), UNIT(a_close_before_the_sweep_began_is_safe))
