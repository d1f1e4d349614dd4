/*
 * The log of marks and counters when files are torn, damaged, lost, full of old records, or
 * replaced under the reader.  The rule behind all of it: what once was expired never comes back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mini.h"
#include "unit.h"

#define TEXT mini_text

static struct mini a;
static char log_path[4200];

static void begin(const char *name) {
    mini_now_ms = 1700000000000;
    mini_now_ns = 0;
    mini_config(&a, mini_folder(name));
    mini_open(&a);
    snprintf(log_path, sizeof(log_path), "%.4000s/marks", a.config.path);
}

static void end(void) {
    mini_close(&a);
    mini_remove_tree(a.config.path);
    CU_ASSERT_EQUAL(mini_bufs, 0);
}

static void reopen(void) {
    mini_close(&a);
    mini_open(&a);
}

static size_t load(uint8_t **ret) {
    FILE *f = fopen(log_path, "rb");
    CU_ASSERT_FATAL(f != NULL);
    *ret = malloc(1 << 20);
    CU_ASSERT_FATAL(*ret != NULL);
    size_t n = fread(*ret, 1, 1 << 20, f);
    fclose(f);
    return n;
}

static void save(const uint8_t *bytes, size_t len) {
    FILE *f = fopen(log_path, "wb");
    CU_ASSERT_FATAL(f != NULL);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, len, f), len);
    fclose(f);
}

static int64_t expired(const char *tag) {
    struct larder_mark mark;
    int32_t status = mini_read(&a, 0, tag, &mark);
    if (status == LARDER_MISS)
        return LARDER_UNSET;
    CU_ASSERT_EQUAL(status, LARDER_OK);
    return mark.expired_epoch;
}

static int64_t bump(const char *tag) {
    const char *const tags[] = {tag, "all"};
    int64_t epoch = 0;
    CU_ASSERT_EQUAL(mini_bump(&a, 0, "c", tags, 2, &epoch), LARDER_OK);
    return epoch;
}

/* ---- torn ------------------------------------------------------------------------------- */

static void a_torn_end_costs_nothing_that_was_acknowledged(void) {
    uint8_t *bytes;
    int64_t e, now;
    begin("torn");
    int64_t first = bump("t");
    struct stat st;
    CU_ASSERT_EQUAL(stat(log_path, &st), 0);
    size_t whole = (size_t)st.st_size;
    int64_t second = bump("u");
    size_t len = load(&bytes);
    CU_ASSERT(len > whole);
    int warned = mini_warnings;
    for (size_t cut = whole; cut < len; cut++) {
        save(bytes, cut);
        reopen();
        CU_ASSERT_EQUAL(expired("t"), first);
        CU_ASSERT_EQUAL(expired("u"), LARDER_UNSET);
        CU_ASSERT_EQUAL(mini_advance(&a, 0, "c", 0, &e), LARDER_OK);
        CU_ASSERT_EQUAL(e, first);
        /* The next writer cuts it off, and another process sees both. */
        mini_now_ms += 5;
        now = bump("v");
        CU_ASSERT(now > first);
        reopen();
        CU_ASSERT_EQUAL(expired("v"), now);
        CU_ASSERT_EQUAL(expired("t"), first);
    }
    CU_ASSERT_EQUAL(mini_warnings, warned);
    save(bytes, len);
    reopen();
    CU_ASSERT_EQUAL(expired("u"), second);
    free(bytes);
    end();
}

static void a_reader_sees_a_batch_only_when_it_is_whole(void) {
    uint8_t *bytes;
    begin("growing");
    int64_t first = bump("t");
    struct stat st;
    CU_ASSERT_EQUAL(stat(log_path, &st), 0);
    int64_t second = bump("t");
    size_t len = load(&bytes);
    CU_ASSERT_EQUAL(truncate(log_path, st.st_size), 0);
    reopen();
    int fd = open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC);
    for (size_t at = (size_t)st.st_size; at < len; at++) {
        CU_ASSERT_EQUAL(expired("t"), first);
        CU_ASSERT_EQUAL(expired("all"), first);
        CU_ASSERT_EQUAL(write(fd, bytes + at, 1), 1);
    }
    CU_ASSERT_EQUAL(expired("t"), second);
    CU_ASSERT_EQUAL(expired("all"), second);
    close(fd);
    free(bytes);
    end();
}

/* ---- damaged ------------------------------------------------------------------------------ */

/* What must hold once something is broken: every tag is expired at least up to what was
 * acknowledged, and the counter goes on above all of it. */
static void check_nothing_came_back(int64_t acknowledged) {
    int64_t e = 0;
    CU_ASSERT(expired("t") >= acknowledged);
    CU_ASSERT(expired("u") >= acknowledged);
    CU_ASSERT(expired("never revalidated") >= acknowledged || expired("u") == acknowledged);
    CU_ASSERT_EQUAL(mini_advance(&a, 0, "c", 0, &e), LARDER_OK);
    CU_ASSERT(e >= acknowledged);
    int64_t next = bump("t");
    CU_ASSERT(next > acknowledged && next > e);
    CU_ASSERT_EQUAL(expired("t"), next);
    /* Other counters too: one of a namespace of which nothing is known any more. */
    CU_ASSERT_EQUAL(mini_advance(&a, 0, "other", 1, &e), LARDER_OK);
    CU_ASSERT(e >= acknowledged);
}

static void any_damaged_byte_expires_rather_than_forgets(void) {
    uint8_t *bytes;
    begin("damage");
    mini_now_ms += 100000;
    bump("u");
    int64_t last = bump("t");
    struct stat st;
    CU_ASSERT_EQUAL(stat(log_path, &st), 0);
    int64_t u = bump("u");
    mini_now_ms -= 100000; /* the clock went back since: the counter is ahead of it */
    size_t len = load(&bytes);
    for (size_t at = 0; at < len; at++) {
        bytes[at] ^= 0x20;
        save(bytes, len);
        bytes[at] ^= 0x20;
        reopen();
        if (expired("t") == last && expired("u") == u)
            CU_FAIL("damage went unnoticed");
        /* Only where the last batch itself cannot be read is its epoch unknown. */
        check_nothing_came_back(at < (size_t)st.st_size ? u : last);
    }
    free(bytes);
    end();
}

static void damage_in_the_middle_keeps_the_greatest_epoch_behind_it(void) {
    uint8_t *bytes;
    begin("middle");
    mini_now_ms += 100000;
    bump("t");
    struct stat st;
    CU_ASSERT_EQUAL(stat(log_path, &st), 0);
    bump("t");
    int64_t last = bump("u");
    mini_now_ms -= 100000;
    size_t len = load(&bytes);
    bytes[st.st_size + 40] ^= 1; /* in the second of three batches */
    save(bytes, len);
    reopen();
    check_nothing_came_back(last);
    CU_ASSERT(strstr(mini_last_warning, "damaged or missing") != NULL);
    free(bytes);
    end();
}

static void a_log_cut_shorter_under_a_reader_is_damage(void) {
    begin("cut");
    mini_now_ms += 100000;
    bump("t");
    struct stat st;
    CU_ASSERT_EQUAL(stat(log_path, &st), 0);
    int64_t last = bump("u");
    mini_now_ms -= 100000;
    CU_ASSERT_EQUAL(expired("u"), last);
    CU_ASSERT_EQUAL(truncate(log_path, st.st_size), 0);
    check_nothing_came_back(last); /* this process remembers */
    end();
}

static void zeros_at_the_end_are_damage(void) {
    begin("zeros");
    int64_t last = bump("t");
    bump("u");
    struct stat st;
    CU_ASSERT_EQUAL(stat(log_path, &st), 0);
    CU_ASSERT_EQUAL(truncate(log_path, st.st_size + 100), 0); /* what a power cut may leave */
    reopen();
    check_nothing_came_back(last);
    end();
}

static void a_lost_log_expires_everything(void) {
    begin("lost");
    int64_t last = bump("t");
    CU_ASSERT_EQUAL(unlink(log_path), 0);
    check_nothing_came_back(last);
    CU_ASSERT_EQUAL(unlink(log_path), 0);
    reopen();
    mini_now_ms += 1;
    check_nothing_came_back(last);
    end();
}

static void a_log_of_another_folder_is_not_believed(void) {
    uint8_t *bytes;
    begin("foreign");
    bump("t");
    size_t len = load(&bytes);
    end();
    begin("foreign");
    mini_now_ms += 10;
    int64_t last = bump("t");
    save(bytes, len);
    reopen();
    check_nothing_came_back(last);
    free(bytes);
    end();
}

static void a_log_of_a_newer_format_is_refused_not_wiped(void) {
    struct larder_mark mark;
    uint8_t head[64];
    begin("newer");
    bump("t");
    int fd = open(log_path, O_RDWR | O_CLOEXEC);
    CU_ASSERT_EQUAL(pread(fd, head, 64, 0), 64);
    struct fs_call c;
    fs_call_init(&c, mini_fs(&a), NULL);
    CU_ASSERT_EQUAL_FATAL(fs_folder_get(&c, FS_READ), LARDER_OK);
    head[8] = 2;
    uint64_t check = fs_check(c.folder, head, 56);
    memcpy(head + 56, &check, 8);
    fs_folder_unref(c.sys, c.folder);
    CU_ASSERT_EQUAL(pwrite(fd, head, 64, 0), 64);
    close(fd);
    reopen();
    CU_ASSERT_EQUAL(mini_read(&a, 0, "t", &mark), LARDER_UNSUPPORTED);
    CU_ASSERT_EQUAL(mini_write(&a, 0, MINI_MARK("t", 1)), LARDER_UNSUPPORTED);
    CU_ASSERT_EQUAL(access(log_path, F_OK), 0);
    end();
}

/* ---- compaction ------------------------------------------------------------------------------ */

static void a_log_of_old_records_is_rewritten_and_keeps_the_new_ones(void) {
    struct mini other;
    struct stat st, was;
    char name[32];
    begin("compact");
    other = a;
    mini_open(&other);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "once/%d", i);
        CU_ASSERT_EQUAL(mini_write(&a, 0, MINI_MARK(name, i)), LARDER_OK);
    }
    CU_ASSERT_EQUAL(stat(log_path, &was), 0);
    int64_t last = 0;
    ino_t ino = was.st_ino;
    int rewrites = 0;
    for (int i = 0; i < 4000; i++) {
        last = bump(i % 2 ? "t" : "u");
        CU_ASSERT_EQUAL(stat(log_path, &st), 0);
        rewrites += st.st_ino != ino;
        ino = st.st_ino;
        if (i % 100 == 0) { /* a reader who looks now and then sees each state */
            struct larder_mark mark;
            CU_ASSERT_EQUAL(mini_read(&other, 1, i % 2 ? "t" : "u", &mark), LARDER_OK);
            CU_ASSERT_EQUAL(mark.expired_epoch, last);
        }
    }
    CU_ASSERT(rewrites >= 1 && rewrites <= 10);
    CU_ASSERT(st.st_size < 300 * 1024);
    reopen();
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "once/%d", i);
        CU_ASSERT_EQUAL(expired(name), i);
    }
    CU_ASSERT_EQUAL(expired("t"), last);
    CU_ASSERT_EQUAL(expired("nothing"), LARDER_UNSET);
    mini_close(&other);
    end();
}

/* Rewrites the log now: what an unsure sync does. */
static void force_rewrite(void) {
    mini_fs(&a)->folder->log.rewrite = true;
    CU_ASSERT_EQUAL(mini_write(&a, 0, MINI_MARK("forced", 1)), LARDER_OK);
}

static void marks_past_their_age_go_into_the_floor(void) {
    int64_t e;
    begin("age");
    CU_ASSERT_EQUAL(mini_write(&a, 0, MINI_MARK("old", 50)), LARDER_OK);
    CU_ASSERT_EQUAL(mini_advance(&a, 0, "c", 1, &e), LARDER_OK);
    mini_now_ms += 200ll * 86400000;
    CU_ASSERT_EQUAL(mini_write(&a, 0, MINI_MARK("young", 60)), LARDER_OK);
    force_rewrite();
    reopen();
    CU_ASSERT_EQUAL(expired("nothing"), LARDER_UNSET);
    CU_ASSERT_EQUAL(expired("old"), 50);
    mini_now_ms += 200ll * 86400000;
    force_rewrite();
    reopen();
    CU_ASSERT_EQUAL(expired("old"), 50); /* by the floor, as every other tag */
    CU_ASSERT_EQUAL(expired("nothing"), 50);
    CU_ASSERT_EQUAL(expired("young"), 60);
    int64_t f;
    CU_ASSERT_EQUAL(mini_advance(&a, 0, "c", 0, &f), LARDER_OK);
    CU_ASSERT_EQUAL(e, f); /* counters have no age */
    end();
}

static void a_counter_below_the_floor_comes_back_above_it(void) {
    int64_t e;
    begin("floor");
    mini_now_ms += 1000000;
    int64_t last = bump("t");
    mini_now_ms -= 1000000;
    CU_ASSERT_EQUAL(unlink(log_path), 0); /* this process still knows `last` */
    CU_ASSERT_EQUAL(mini_advance(&a, 0, "c", 0, &e), LARDER_OK);
    CU_ASSERT(e >= last);
    reopen();
    int64_t f = bump("t");
    CU_ASSERT(f > e);
    end();
}

static void a_batch_larger_than_a_chunk_is_read_back(void) {
    enum { TAG = 3 << 20 };
    char *tag = malloc(TAG + 1);
    CU_ASSERT_FATAL(tag != NULL);
    memset(tag, 'x', TAG);
    tag[TAG] = 0;
    begin("big");
    CU_ASSERT_EQUAL(mini_write(&a, 0, MINI_MARK("before", 1)), LARDER_OK);
    CU_ASSERT_EQUAL(mini_write(&a, 0, MINI_MARK(tag, 2)), LARDER_OK);
    CU_ASSERT_EQUAL(mini_write(&a, 0, MINI_MARK("after", 3)), LARDER_OK);
    reopen();
    CU_ASSERT_EQUAL(expired("before"), 1);
    CU_ASSERT_EQUAL(expired(tag), 2);
    CU_ASSERT_EQUAL(expired("after"), 3);
    force_rewrite();
    reopen();
    CU_ASSERT_EQUAL(expired(tag), 2);
    free(tag);
    end();
}

static void many_batches_span_many_chunks(void) {
    char name[64];
    begin("chunks");
    mini_now_ns = 0;
    for (int i = 0; i < 30000; i++) {
        snprintf(name, sizeof(name), "a tag with some length/%d", i);
        CU_ASSERT_EQUAL_FATAL(mini_write(&a, 0, MINI_MARK(name, i)), LARDER_OK);
    }
    reopen();
    for (int i = 0; i < 30000; i += 777) {
        snprintf(name, sizeof(name), "a tag with some length/%d", i);
        CU_ASSERT_EQUAL(expired(name), i);
    }
    force_rewrite();
    reopen();
    for (int i = 0; i < 30000; i += 333) {
        snprintf(name, sizeof(name), "a tag with some length/%d", i);
        CU_ASSERT_EQUAL(expired(name), i);
    }
    end();
}

/* ---- the folder replaced under a running process --------------------------------------------- */

static void a_folder_removed_while_in_use_begins_anew(void) {
    struct mini other;
    char out[8];
    begin("removed");
    other = a;
    mini_open(&other);
    int64_t last = bump("t");
    CU_ASSERT_EQUAL(mini_put(&a, 0, TEXT("k"), TEXT("v"), 1), LARDER_OK);
    CU_ASSERT_EQUAL(mini_get(&other, 0, TEXT("k"), NULL, 0, NULL, NULL), LARDER_OK);
    mini_remove_tree(a.config.path);

    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("k"), NULL, 0, NULL, NULL), LARDER_MISS);
    CU_ASSERT_EQUAL(expired("t"), LARDER_UNSET); /* wiped: the core notices by its namespace's mark */
    mini_now_ms += 1;
    CU_ASSERT_EQUAL(mini_put(&other, 0, TEXT("k"), TEXT("w"), 1), LARDER_OK);
    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("k"), out, sizeof(out), NULL, NULL), LARDER_OK);
    CU_ASSERT_STRING_EQUAL(out, "w");
    CU_ASSERT(bump("t") > last);
    struct larder_mark mark;
    CU_ASSERT_EQUAL(mini_read(&other, 0, "t", &mark), LARDER_OK);
    CU_ASSERT(mark.expired_epoch > last);
    mini_close(&other);
    end();
}

static void a_folder_emptied_while_in_use_begins_anew(void) {
    struct mini other;
    char command[4200];
    begin("emptied");
    other = a;
    mini_open(&other);
    int64_t last = bump("t");
    CU_ASSERT_EQUAL(mini_put(&a, 0, TEXT("k"), TEXT("v"), 1), LARDER_OK);
    CU_ASSERT_EQUAL(mini_put(&other, 0, TEXT("l"), TEXT("v"), 1), LARDER_OK);
    const char *const names[] = {"entries", "larder-fs", "marks", "locks"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(command, sizeof(command), "%.4000s/%s", a.config.path, names[i]);
        mini_remove_tree(command);
        if (access(command, F_OK) == 0)
            CU_ASSERT_EQUAL(unlink(command), 0);
    }
    mini_now_ms += 1;
    CU_ASSERT(bump("t") > last);
    struct larder_mark mark;
    CU_ASSERT_EQUAL(mini_read(&other, 0, "t", &mark), LARDER_OK);
    CU_ASSERT(mark.expired_epoch > last);
    CU_ASSERT_EQUAL(mini_put(&other, 0, TEXT("k"), TEXT("v"), 1), LARDER_OK);
    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("k"), NULL, 0, NULL, NULL), LARDER_OK);
    mini_close(&other);
    end();
}

static void a_folder_exchanged_for_another_is_noticed(void) {
    char aside[4200];
    struct mini other;
    begin("exchanged");
    mini_now_ns = 1000000000;
    bump("t");
    CU_ASSERT_EQUAL(mini_put(&a, 0, TEXT("k"), TEXT("old"), 1), LARDER_OK);
    snprintf(aside, sizeof(aside), "%.4000s-aside", a.config.path);
    CU_ASSERT_EQUAL(rename(a.config.path, aside), 0);
    other = a;
    mini_open(&other);
    CU_ASSERT_EQUAL(mini_write(&other, 0, MINI_MARK("t", 7)), LARDER_OK);
    CU_ASSERT_EQUAL(expired("t"), 7); /* marks at once */
    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("k"), NULL, 0, NULL, NULL), LARDER_MISS);
    mini_close(&other);
    mini_remove_tree(aside);
    mini_now_ns = 0;
    end();
}

static void a_damaged_marker_begins_the_folder_anew(void) {
    char path[4200];
    begin("marker");
    int64_t last = bump("t");
    snprintf(path, sizeof(path), "%.4000s/larder-fs", a.config.path);
    CU_ASSERT_EQUAL(truncate(path, 100), 0);
    reopen();
    mini_now_ms += 1;
    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("k"), NULL, 0, NULL, NULL), LARDER_MISS);
    CU_ASSERT(bump("t") > last);
    CU_ASSERT(strstr(mini_last_warning, "begins anew") != NULL);
    FILE *f = fopen(path, "w");
    CU_ASSERT_FATAL(f != NULL);
    fprintf(f, "larder-fs 2\nsomething newer\n");
    fclose(f);
    reopen();
    CU_ASSERT_EQUAL(mini_put(&a, 0, TEXT("k"), TEXT("v"), 1), LARDER_UNSUPPORTED);
    end();
}

UNIT_MAIN("fs log", UNIT(a_torn_end_costs_nothing_that_was_acknowledged),
          UNIT(a_reader_sees_a_batch_only_when_it_is_whole),
          UNIT(any_damaged_byte_expires_rather_than_forgets),
          UNIT(damage_in_the_middle_keeps_the_greatest_epoch_behind_it),
          UNIT(a_log_cut_shorter_under_a_reader_is_damage), UNIT(zeros_at_the_end_are_damage),
          UNIT(a_lost_log_expires_everything), UNIT(a_log_of_another_folder_is_not_believed),
          UNIT(a_log_of_a_newer_format_is_refused_not_wiped),
          UNIT(a_log_of_old_records_is_rewritten_and_keeps_the_new_ones),
          UNIT(marks_past_their_age_go_into_the_floor), UNIT(a_counter_below_the_floor_comes_back_above_it),
          UNIT(a_batch_larger_than_a_chunk_is_read_back), UNIT(many_batches_span_many_chunks),
          UNIT(a_folder_removed_while_in_use_begins_anew), UNIT(a_folder_emptied_while_in_use_begins_anew),
          UNIT(a_folder_exchanged_for_another_is_noticed), UNIT(a_damaged_marker_begins_the_folder_anew))
