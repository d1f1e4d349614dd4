/*
 * Entries: one file each, replaced as a whole.  Claims are entries in a folder of their own,
 * whose value is the owner.
 *
 * The file, little-endian: 0 magic, 8 version, 12 zero, 16 length of the key, 24 of the value,
 * 32 modified_ms, 40 epoch, 48 expires_ms (INT64_MIN: never), 56 XXH3 of the value, 64 XXH3 of the
 * key, 72 XXH3 of the 72 bytes before; then the key, zeros up to a multiple of 16, the value.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "fs.h"

static const char magic[8] = "LRDRENT\n";
enum { VERSION = 1, HEADER = FS_ENTRY_HEADER, ALIGN = 16 };

/* A file's last use is noted by hand, so that mount options do not matter; not each time. */
static const int64_t TOUCH_EVERY_MS = 10 * 60 * 1000;

static void put64(uint8_t *p, uint64_t v) {
    v = htole64(v);
    memcpy(p, &v, sizeof(v));
}

static uint64_t get64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return le64toh(v);
}

static uint64_t padding(uint64_t key_len) {
    return (ALIGN - key_len % ALIGN) % ALIGN;
}

bool fs_entry_parse(const struct fs_folder *f, const uint8_t head[HEADER], uint64_t file_len,
                    struct fs_entry *ret, const char **ret_why) {
    *ret_why = NULL;
    if (file_len < HEADER)
        *ret_why = "its header is cut off";
    else if (memcmp(head, magic, sizeof(magic)) != 0)
        *ret_why = "it does not begin as an entry does";
    else if (get64(head + 8) != VERSION)
        *ret_why = "it is of another version";
    else if (get64(head + 72) != fs_check(f, head, 72))
        *ret_why = "its header does not check";
    if (*ret_why != NULL)
        return false;
    *ret = (struct fs_entry){.key_len = get64(head + 16),
                             .value_len = get64(head + 24),
                             .modified_ms = (int64_t)get64(head + 32),
                             .epoch = (int64_t)get64(head + 40),
                             .expires_ms = (int64_t)get64(head + 48),
                             .value_check = get64(head + 56),
                             .key_check = get64(head + 64)};
    uint64_t left = file_len - HEADER;
    if (ret->key_len > left || padding(ret->key_len) > left - ret->key_len ||
        left - ret->key_len - padding(ret->key_len) != ret->value_len) {
        *ret_why = "its length is wrong";
        return false;
    }
    ret->value_at = HEADER + ret->key_len + padding(ret->key_len);
    return true;
}

static int32_t corrupt(struct fs_call *c, const char *file, const char *why) {
    return fs_fail(c, LARDER_CORRUPT, "%s in %.80s: %s", file, c->fs->root_path, why);
}

int32_t fs_entry_head(struct fs_call *c, int dir, const char *name, struct fs_entry *ret, uint64_t *ret_len,
                      int *ret_fd) {
    uint8_t head[HEADER];
    struct stat st;
    size_t len = 0;
    const char *why;
    int fd = -1;
    int err = sys_open(c->sys, dir, name, O_RDONLY | O_NONBLOCK | O_NOATIME, 0, &fd);
    if (err == EPERM) /* not our file */
        err = sys_open(c->sys, dir, name, O_RDONLY | O_NONBLOCK, 0, &fd);
    if (err == 0 && c->sys->fstat(fd, &st) != 0)
        err = errno;
    if (err == 0 && S_ISREG(st.st_mode))
        err = sys_read(c->sys, fd, head, sizeof(head), 0, &len);
    int32_t status = LARDER_OK;
    if (err == ENOENT)
        status = LARDER_MISS;
    else if (err != 0)
        status = fs_fail_errno(c, err, "read an entry in", NULL);
    else if (!S_ISREG(st.st_mode))
        status = corrupt(c, name, "it is not a file");
    else if (!fs_entry_parse(c->folder, head, len < HEADER ? len : (uint64_t)st.st_size, ret, &why))
        status = corrupt(c, name, why);
    if (status != LARDER_OK) {
        sys_close(c->sys, &fd);
        return status;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): fstat() has filled it where err is 0 */
    *ret_len = (uint64_t)st.st_size;
    *ret_fd = fd;
    return LARDER_OK;
}

/* Whether the key in an open entry is this one; compared piece by piece, since it may be long. */
static int32_t same_key(struct fs_call *c, int fd, const struct fs_entry *e, struct larder_bytes key) {
    uint8_t piece[4096];
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): filled where fs_entry_head() says OK */
    if (e->key_len != key.len)
        return LARDER_MISS;
    for (size_t at = 0; at < key.len;) {
        size_t want = key.len - at < sizeof(piece) ? key.len - at : sizeof(piece), len = 0;
        int err = sys_read(c->sys, fd, piece, want, HEADER + at, &len);
        if (err != 0)
            return fs_fail_errno(c, err, "read an entry in", NULL);
        if (len != want || memcmp(piece, key.ptr + at, want) != 0)
            return LARDER_MISS;
        at += want;
    }
    return LARDER_OK;
}

/* What is stored under this key, though its time may be up: LARDER_OK with *ret.  What cannot be
 * read back is as good as nothing: a put replaces it. */
static int32_t stored_ever(struct fs_call *c, int dir, const char *name, struct fs_entry *ret, int *ret_fd) {
    uint64_t len;
    int fd = -1;
    int32_t status = fs_entry_head(c, dir, name, ret, &len, &fd);
    if (status == LARDER_CORRUPT)
        return LARDER_MISS;
    if (status == LARDER_OK)
        status = same_key(c, fd, ret, c->op->key);
    if (status == LARDER_OK)
        *ret_fd = fd;
    else
        sys_close(c->sys, &fd);
    return status;
}

/* And alive. */
static int32_t stored(struct fs_call *c, int dir, const char *name, struct fs_entry *ret, int *ret_fd) {
    int fd = -1;
    int32_t status = stored_ever(c, dir, name, ret, &fd);
    if (status == LARDER_OK && fs_entry_expired(ret, c->now_ms))
        status = LARDER_MISS;
    if (status == LARDER_OK && ret_fd != NULL)
        *ret_fd = fd;
    else
        sys_close(c->sys, &fd);
    return status;
}

/* ---- get ------------------------------------------------------------------------------------- */

static void touch(struct fs_call *c, int fd, const struct stat *st) {
    int64_t used_ms = (int64_t)st->st_atim.tv_sec * 1000 + st->st_atim.tv_nsec / 1000000;
    if (c->now_ms - TOUCH_EVERY_MS < used_ms || c->now_ms < 0)
        return;
    struct timespec times[2] = {{.tv_sec = c->now_ms / 1000, .tv_nsec = c->now_ms % 1000 * 1000000},
                                {.tv_nsec = UTIME_OMIT}};
    (void)c->sys->futimens(fd, times); /* read-only, not ours: then it counts as unused */
}

/* A slice that pins little else: the file's buffer, or a copy where most of that is not value. */
static int32_t value_of(struct fs_call *c, struct larder_slice file, const struct fs_entry *e) {
    struct larder_slice *value = &c->result.value;
    if (e->value_len == 0)
        return LARDER_OK;
    if (e->value_len >= file.len / 2) {
        *value = (struct larder_slice){file.ptr + e->value_at, e->value_len, file.owner};
        c->fs->host->buf_ref(file.owner);
        return LARDER_OK;
    }
    uint8_t *copy = c->fs->host->buf_new(e->value_len, value);
    if (copy == NULL)
        return fs_fail(c, LARDER_NOMEM, "out of memory for an entry");
    memcpy(copy, file.ptr + e->value_at, e->value_len);
    return LARDER_OK;
}

static int32_t take(struct fs_call *c, const char *path, struct larder_slice file, size_t len) {
    struct fs_entry e;
    const char *why;
    if (!fs_entry_parse(c->folder, file.ptr, len, &e, &why))
        return corrupt(c, path, why);
    if (e.key_check != fs_check(c->folder, file.ptr + HEADER, e.key_len))
        return corrupt(c, path, "its key does not check");
    if (e.key_len != c->op->key.len ||
        (e.key_len > 0 && memcmp(file.ptr + HEADER, c->op->key.ptr, e.key_len) != 0))
        return LARDER_MISS;
    if (fs_entry_expired(&e, c->now_ms))
        return LARDER_MISS;
    if (e.value_check != fs_check(c->folder, file.ptr + e.value_at, e.value_len))
        return corrupt(c, path, "its value does not check");
    c->result.modified_ms = e.modified_ms;
    c->result.epoch = e.epoch;
    return value_of(c, file, &e);
}

int32_t fs_entry_get(struct fs_call *c) {
    char path[FS_PATH];
    struct larder_slice file = {0};
    struct stat st;
    uint8_t *buf;
    size_t len = 0;
    int fd = -1;
    int32_t status = LARDER_OK;
    fs_path(FS_ENTRIES, fs_hash(c->folder, c->op->key), path);

    int err = sys_open(c->sys, c->folder->root, path, O_RDONLY | O_NONBLOCK, 0, &fd);
    if (err == ENOENT)
        return fs_not_there(c);
    if (err == 0 && c->sys->fstat(fd, &st) != 0)
        err = errno;
    if (err != 0) {
        status = fs_fail_errno(c, err, "read", path);
        goto out;
    }
    if (!S_ISREG(st.st_mode) || st.st_size < HEADER) {
        status = corrupt(c, path, S_ISREG(st.st_mode) ? "its header is cut off" : "it is not a file");
        goto out;
    }
    buf = c->fs->host->buf_new((size_t)st.st_size, &file);
    if (buf == NULL) {
        status = fs_fail(c, LARDER_NOMEM, "out of memory for an entry");
        goto out;
    }
    err = sys_read(c->sys, fd, buf, (size_t)st.st_size, 0, &len);
    status = err != 0 ? fs_fail_errno(c, err, "read", path) : take(c, path, file, len);
    if (status == LARDER_OK)
        touch(c, fd, &st);
out:
    c->fs->host->buf_unref(file.owner);
    sys_close(c->sys, &fd);
    return status;
}

/* ---- put, remove -------------------------------------------------------------------------------- */

static int64_t expiry(const struct larder_op *op) {
    int64_t at;
    if (op->ttl_ms <= 0 || __builtin_add_overflow(op->now_ms, op->ttl_ms, &at))
        return LARDER_UNSET;
    return at;
}

/* iovec has no const; nothing is written through it. */
static struct iovec part_of(const void *ptr, size_t len) {
    union {
        const void *in;
        void *out;
    } u = {.in = ptr};
    return (struct iovec){u.out, len};
}

int32_t fs_entry_write(struct fs_call *c, int dir, const char *name, struct larder_bytes key,
                       struct larder_bytes value, const struct fs_entry *times) {
    static const uint8_t zeros[ALIGN];
    uint8_t head[HEADER] = {0};
    memcpy(head, magic, sizeof(magic));
    put64(head + 8, VERSION);
    put64(head + 16, key.len);
    put64(head + 24, value.len);
    put64(head + 32, (uint64_t)times->modified_ms);
    put64(head + 40, (uint64_t)times->epoch);
    put64(head + 48, (uint64_t)times->expires_ms);
    put64(head + 56, fs_check(c->folder, value.ptr, value.len));
    put64(head + 64, fs_check(c->folder, key.ptr, key.len));
    put64(head + 72, fs_check(c->folder, head, 72));

    struct iovec parts[] = {part_of(head, sizeof(head)), part_of(key.ptr, key.len),
                            part_of(zeros, padding(key.len)), part_of(value.ptr, value.len)};
    int err = fs_replace(c, dir, name, parts, 4, c->fs->durability == FS_SYNC_FULL);
    if (err == ENOENT)
        return FS_MOVED; /* the directory went, with the folder or because it was empty */
    if (err != 0) {
        if (err == ENOSPC || err == EDQUOT)
            fs_sweeper_urge(c->fs->sweeper);
        return fs_fail_errno(c, err, "write an entry in", NULL);
    }
    fs_sweeper_grown(c->fs->sweeper, fs_footprint(HEADER + key.len + value.len));
    return LARDER_OK;
}

/* The op's key, value and times as the file `name` in dir; the lock of the name is held. */
static int32_t store(struct fs_call *c, int dir, const char *name) {
    const struct larder_op *op = c->op;
    const struct fs_entry times = {
        .modified_ms = op->modified_ms, .epoch = op->epoch, .expires_ms = expiry(op)};
    return fs_entry_write(c, dir, name, op->key, (struct larder_bytes){op->value.ptr, op->value.len}, &times);
}

int32_t fs_entry_put(struct fs_call *c) {
    struct fs_id id = fs_hash(c->folder, c->op->key);
    struct fs_entry old;
    char name[FS_NAME + 1];
    int dir = -1;
    fs_name(id, name);
    int64_t max_size = c->fs->config->max_size;
    if (max_size > 0 && c->op->value.len > (uint64_t)max_size)
        return fs_fail(c, LARDER_TOO_BIG, "a value of %zu bytes is larger than max-size", c->op->value.len);
    int32_t status = fs_open_dir(c, FS_ENTRIES, id, /* create= */ true, &dir);
    if (status != LARDER_OK)
        return status;
    status = fs_lock(c, fs_lock_of(id));
    if (status != LARDER_OK)
        goto out;
    status = stored(c, dir, name, &old, NULL);
    if (status == LARDER_OK && (c->op->flags & LARDER_IF_ABSENT))
        status = LARDER_MISS;
    else if (status == LARDER_OK && old.epoch > c->op->epoch)
        status = LARDER_OK; /* what is there was rendered from newer data: this put came too late */
    else if (status == LARDER_OK || status == LARDER_MISS)
        status = store(c, dir, name);
    fs_unlock(c, fs_lock_of(id));
out:
    sys_close(c->sys, &dir);
    return status;
}

static int32_t unlink_in(struct fs_call *c, int dir, const char *name) {
    if (c->sys->unlinkat(dir, name, 0) != 0)
        return errno == ENOENT ? LARDER_OK : fs_fail_errno(c, errno, "remove an entry in", NULL);
    int err = c->fs->durability == FS_SYNC_FULL ? sys_fsync(c->sys, dir) : 0;
    return err == 0 ? LARDER_OK : fs_fail_errno(c, err, "sync an entry in", NULL);
}

/* Not compared with the key in the file: two keys of one 128-bit hash do not happen, and would
 * cost one entry. */
int32_t fs_entry_remove(struct fs_call *c) {
    struct fs_id id = fs_hash(c->folder, c->op->key);
    char name[FS_NAME + 1];
    int dir = -1;
    fs_name(id, name);
    int32_t status = fs_open_dir(c, FS_ENTRIES, id, /* create= */ false, &dir);
    if (status == LARDER_OK)
        status = unlink_in(c, dir, name);
    sys_close(c->sys, &dir);
    return status == LARDER_MISS ? LARDER_OK : status;
}

/* ---- claims ---------------------------------------------------------------------------------------- */

/* Whether the claim in fd is the op's owner's. */
static int32_t is_owner(struct fs_call *c, int fd, const struct fs_entry *e) {
    uint8_t owner[256];
    const struct larder_slice *value = &c->op->value;
    size_t len = 0;
    if (e->value_len != value->len)
        return LARDER_MISS;
    int err = sys_read(c->sys, fd, owner, value->len, e->value_at, &len);
    if (err != 0)
        return fs_fail_errno(c, err, "read a claim in", NULL);
    return len == value->len && (len == 0 || memcmp(owner, value->ptr, len) == 0) ? LARDER_OK : LARDER_MISS;
}

static int32_t with_claim(struct fs_call *c, bool take_it) {
    struct fs_id id = fs_hash(c->folder, c->op->key);
    struct fs_entry held = {0};
    bool free_to_take;
    char name[FS_NAME + 1];
    int dir = -1, fd = -1;
    fs_name(id, name);
    if (c->op->value.len > 256)
        return fs_fail(c, LARDER_TOO_BIG, "an owner's name of more than 256 bytes");
    int32_t status = fs_open_dir(c, FS_CLAIMS, id, take_it, &dir);
    if (status != LARDER_OK)
        return status == LARDER_MISS ? LARDER_OK : status;
    status = fs_lock(c, fs_lock_of(id));
    if (status != LARDER_OK)
        goto out;
    /* A claim that is over by this clock may still hold by another's; given back, it holds by none. */
    status = take_it ? stored(c, dir, name, &held, &fd) : stored_ever(c, dir, name, &held, &fd);
    free_to_take = status == LARDER_MISS;
    if (status == LARDER_OK)
        status = is_owner(c, fd, &held);
    if (take_it && (free_to_take || status == LARDER_OK))
        status = store(c, dir, name);
    else if (!take_it && status == LARDER_OK)
        status = unlink_in(c, dir, name);
    else if (!take_it && status == LARDER_MISS)
        status = LARDER_OK;
    fs_unlock(c, fs_lock_of(id));
out:
    sys_close(c->sys, &fd);
    sys_close(c->sys, &dir);
    return status;
}

int32_t fs_claim(struct fs_call *c) {
    return with_claim(c, true);
}

int32_t fs_release(struct fs_call *c) {
    return with_claim(c, false);
}
