/* The file `marks`: see log.h for what it promises, README.md for its bytes. */
#include "log.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"

#define LOG FS_LOG

enum {
    LOG_VERSION = 1,
    HEADER = 64,     /* of the file */
    BATCH = 32,      /* header of a batch */
    RECORD = 40,     /* head of a record, the name follows */
    CHUNK = 1 << 20, /* read and rewritten at once */
    MAX_PAYLOAD = 1 << 26,
    RESERVE = 1 << 16,
    REWRITE_MIN = 1 << 18 /* a smaller log is left alone however much of it is old */
};
static const char file_magic[8] = "LRDRLOG\n";
static const uint32_t batch_magic = 0x48435442u;

/* ---- bytes -------------------------------------------------------------------------- */

static void put32(uint8_t *p, uint32_t v) {
    v = htole32(v);
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): p has room, or the batch has failed */
    memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v) {
    v = htole64(v);
    memcpy(p, &v, sizeof(v));
}

static uint32_t get32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return le32toh(v);
}

static uint64_t get64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return le64toh(v);
}

/* A header of a file: 0 magic, 8 version, 12 its length, 16 id, 24 floor, 32 zero, 56 check. */
static void header_put(const struct fs_folder *f, uint8_t p[HEADER], uint64_t id, int64_t floor) {
    memset(p, 0, HEADER);
    memcpy(p, file_magic, sizeof(file_magic));
    put32(p + 8, LOG_VERSION);
    put32(p + 12, HEADER);
    put64(p + 16, id);
    put64(p + 24, (uint64_t)floor);
    put64(p + 56, fs_check(f, p, 56));
}

/* A header of a batch: 0 magic, 4 length of the payload, 8 the log's id, 16 check of the payload,
 * 24 check of all before and of the place, so that bytes from elsewhere never pass. */
static uint64_t batch_check(const struct fs_folder *f, const uint8_t p[BATCH], uint64_t at) {
    uint8_t bound[BATCH];
    memcpy(bound, p, 24);
    put64(bound + 24, at);
    return fs_check(f, bound, sizeof(bound));
}

static void batch_seal(const struct fs_folder *f, uint8_t *p, size_t len, uint64_t id, uint64_t at) {
    put32(p, batch_magic);
    put32(p + 4, (uint32_t)(len - BATCH));
    put64(p + 8, id);
    put64(p + 16, fs_check(f, p + BATCH, len - BATCH));
    put64(p + 24, batch_check(f, p, at));
}

/* ---- batches --------------------------------------------------------------------------- */

void fs_batch_init(struct fs_batch *b) {
    *b = (struct fs_batch){.len = BATCH};
}

void fs_batch_done(struct fs_batch *b) {
    free(b->buf);
    *b = (struct fs_batch){0};
}

void fs_batch_add(struct fs_batch *b, const struct fs_record *r) {
    size_t need = b->len + RECORD + r->name.len;
    if (need > b->size && !b->no_memory) {
        size_t size = need + need / 2 + 256;
        uint8_t *buf = realloc(b->buf, size);
        b->no_memory = buf == NULL;
        if (buf != NULL) {
            b->buf = buf;
            b->size = size;
        }
    }
    if (b->no_memory)
        return;
    uint8_t *p = b->buf + b->len;
    put32(p, r->kind);
    put32(p + 4, (uint32_t)r->name.len);
    put64(p + 8, (uint64_t)r->a);
    put64(p + 16, (uint64_t)r->b);
    put64(p + 24, (uint64_t)r->c);
    put64(p + 32, (uint64_t)r->written_ms);
    if (r->name.len > 0)
        memcpy(p + RECORD, r->name.ptr, r->name.len);
    b->len = need;
}

/* One record at *at of a payload; false at its end or where it makes no sense. */
static bool record_get(const struct fs_folder *f, const uint8_t *p, size_t len, size_t *at,
                       struct fs_record *ret) {
    if (len - *at < RECORD || len - *at - RECORD < get32(p + *at + 4))
        return false;
    p += *at;
    struct larder_bytes name = {p + RECORD, get32(p + 4)};
    struct fs_id id = fs_hash(f, name);
    *ret = (struct fs_record){.hi = id.hi,
                              .lo = id.lo,
                              .kind = get32(p),
                              .name = name,
                              .a = (int64_t)get64(p + 8),
                              .b = (int64_t)get64(p + 16),
                              .c = (int64_t)get64(p + 24),
                              .written_ms = (int64_t)get64(p + 32)};
    *at += RECORD + name.len;
    return ret->kind == FS_MARK || ret->kind == FS_COUNTER;
}

/* ---- reading ------------------------------------------------------------------------------ */

enum outcome { GOOD, TORN, DAMAGED, FAILED };

static void forget(struct fs_log *log, const struct fs_sys *sys) {
    int64_t greatest = log->table.greatest;
    fs_table_done(&log->table);
    log->table.greatest = greatest; /* what was once seen bounds what was once handed out */
    sys_close(sys, &log->fd);
    log->loaded = log->given_up = false;
    log->end = log->id = 0;
    log->floor = LARDER_UNSET;
}

void fs_log_init(struct fs_log *log) {
    *log = (struct fs_log){.fd = -1, .floor = LARDER_UNSET, .table.greatest = LARDER_UNSET};
    pthread_mutex_init(&log->lock, NULL);
}

void fs_log_done(struct fs_log *log, const struct fs_sys *sys) {
    forget(log, sys);
    pthread_mutex_destroy(&log->lock);
}

/* What stands at `at`, of which `len` bytes are there: a good batch, whose whole length is in
 * *ret_len (its payload may not be there yet: TORN), the beginning of one, or neither. */
static enum outcome look_at_batch(const struct fs_folder *f, const uint8_t *p, size_t len, uint64_t id,
                                  uint64_t at, size_t *ret_len) {
    uint8_t expected[BATCH];
    *ret_len = 0;
    if (len < BATCH) { /* of a beginning only magic and id can be checked */
        put32(expected, batch_magic);
        put64(expected + 8, id);
        size_t tail = len > 8 ? (len < 16 ? len : 16) - 8 : 0;
        bool ok = memcmp(p, expected, len < 4 ? len : 4) == 0 &&
                  memcmp(p + 8 * (tail > 0), expected + 8, tail) == 0;
        return ok ? TORN : DAMAGED;
    }
    if (get32(p) != batch_magic || get64(p + 8) != id || get64(p + 24) != batch_check(f, p, at) ||
        get32(p + 4) > MAX_PAYLOAD)
        return DAMAGED;
    *ret_len = BATCH + (size_t)get32(p + 4);
    if (len < *ret_len)
        return TORN;
    return get64(p + 16) == fs_check(f, p + BATCH, *ret_len - BATCH) ? GOOD : DAMAGED;
}

static enum outcome apply(struct fs_call *c, const uint8_t *p, size_t len) {
    struct fs_log *log = &c->folder->log;
    struct fs_record r;
    size_t at = 0;
    while (at < len) {
        if (!record_get(c->folder, p, len, &at, &r))
            return DAMAGED;
        if (!fs_table_set(&log->table, &r)) {
            log->loaded = false; /* half applied: to be read from the start */
            fs_fail(c, LARDER_NOMEM, "out of memory for the marks");
            return FAILED;
        }
    }
    return GOOD;
}

/* From log->end to `size`, the file's length.  FAILED: c says why. */
static enum outcome read_on(struct fs_call *c, uint64_t size, int32_t *ret_status) {
    struct fs_log *log = &c->folder->log;
    enum outcome outcome = GOOD;
    size_t room = 0, want = CHUNK;
    uint8_t *buf = NULL;
    while (outcome == GOOD && log->end < size) {
        uint64_t left = size - log->end;
        size_t asked = left < want ? (size_t)left : want, len = asked, at = 0, batch = 0;
        if (len > room) {
            free(buf);
            room = len;
            buf = malloc(room);
        }
        int err = buf == NULL ? ENOMEM : sys_read(c->sys, log->fd, buf, len, log->end, &len);
        if (err != 0) {
            *ret_status = fs_fail_errno(c, err, "read", LOG);
            outcome = FAILED;
            break;
        }
        while (at < len) {
            outcome = look_at_batch(c->folder, buf + at, len - at, log->id, log->end, &batch);
            if (outcome == GOOD)
                outcome = apply(c, buf + at + BATCH, batch - BATCH);
            if (outcome != GOOD)
                break;
            at += batch;
            log->end += batch;
        }
        if (outcome == GOOD && len < asked)
            outcome = TORN; /* shorter than stat() said */
        /* The end of a chunk is no tear.  A larger chunk is needed only for a larger batch. */
        else if (outcome == TORN && len == asked && log->end + (batch > BATCH ? batch : BATCH) <= size) {
            want = batch > want ? batch : want;
            outcome = GOOD;
        }
    }
    free(buf);
    if (outcome == FAILED && *ret_status == LARDER_OK)
        *ret_status = LARDER_NOMEM;
    return outcome;
}

/* Opens the file and reads its header; log->loaded afterwards, unless FAILED. */
static enum outcome open_file(struct fs_call *c, struct stat *ret_st, int32_t *ret_status) {
    struct fs_log *log = &c->folder->log;
    uint8_t head[HEADER];
    size_t len = 0;
    int fd = -1;
    int err = sys_open(c->sys, c->folder->root, LOG, O_RDONLY | O_NONBLOCK, 0, &fd);
    if (err == 0 && c->sys->fstat(fd, ret_st) != 0)
        err = errno;
    if (err == 0)
        err = sys_read(c->sys, fd, head, sizeof(head), 0, &len);
    if (err != 0) {
        sys_close(c->sys, &fd);
        if (err == ENOENT)
            return DAMAGED;
        *ret_status = fs_fail_errno(c, err, "read", LOG);
        return FAILED;
    }
    bool good = len == HEADER && get64(head + 56) == fs_check(c->folder, head, 56) &&
                memcmp(head, file_magic, sizeof(file_magic)) == 0;
    if (good && get32(head + 8) != LOG_VERSION) {
        sys_close(c->sys, &fd);
        *ret_status = fs_fail(c, LARDER_UNSUPPORTED,
                              "%.80s/%s is of a format that this version does not know", c->fs->root_path,
                              LOG);
        return FAILED;
    }
    if (good && log->loaded && log->id == get64(head + 16)) {
        sys_close(c->sys, &log->fd);
        log->fd = fd;
        return GOOD;
    }
    forget(log, c->sys);
    log->fd = fd;
    log->dev = ret_st->st_dev;
    log->ino = ret_st->st_ino;
    if (!good)
        return DAMAGED;
    log->id = get64(head + 16);
    log->floor = (int64_t)get64(head + 24);
    fs_table_saw(&log->table, log->floor);
    log->end = HEADER;
    log->loaded = true;
    return GOOD;
}

/*
 * Makes the table what the file says now.  The table's lock is held; with it the status is
 * LARDER_OK, FS_MOVED, or an error.  *ret_outcome: GOOD; TORN: only a beginning of a batch is
 * behind; DAMAGED (or missing): not what the file once said.
 */
static int32_t refresh(struct fs_call *c, enum outcome *ret_outcome) {
    struct fs_log *log = &c->folder->log;
    struct stat st = {0};
    int32_t status = LARDER_OK;
    *ret_outcome = GOOD;
    bool same = false;
    if (!c->folder->network && log->loaded) {
        if (c->sys->fstatat(AT_FDCWD, c->fs->log_path, &st, AT_SYMLINK_NOFOLLOW) == 0)
            same = st.st_dev == log->dev && st.st_ino == log->ino;
        else if (errno != ENOENT && errno != ENOTDIR)
            return fs_fail_errno(c, errno, "look at", LOG);
    }
    if (!same) {
        if (!c->folder->network && !fs_folder_is_current(c))
            return FS_MOVED;
        *ret_outcome = open_file(c, &st, &status);
    }
    if (log->given_up) {
        *ret_outcome = GOOD;
        return LARDER_OK;
    }
    if (*ret_outcome == GOOD && (uint64_t)st.st_size > log->end)
        *ret_outcome = read_on(c, (uint64_t)st.st_size, &status);
    else if (*ret_outcome == GOOD && (uint64_t)st.st_size < log->end)
        *ret_outcome = DAMAGED;
    if (*ret_outcome == DAMAGED && !fs_folder_is_current(c))
        return FS_MOVED;
    return status;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* Disk space for what comes next, so that a revalidation succeeds on a full disk.  Best effort. */
static void reserve(struct fs_call *c, int fd, uint64_t id, uint64_t end) {
    struct fs_log *log = &c->folder->log;
    if (log->reserved_id == id && end + RESERVE / 2 <= log->reserved)
        return;
    log->reserved_id = id;
    log->reserved = end + RESERVE;
    (void)c->sys->reserve(fd, (off_t)end, RESERVE);
}

/* A file of the given content under the name LOG, whole or not at all. */
static int32_t write_file(struct fs_call *c, const uint8_t *bytes, size_t len, uint64_t id) {
    char temp[FS_TEMP_NAME];
    int fd = -1;
    bool sync = c->fs->durability != FS_SYNC_NONE || c->folder->network;
    int err = fs_temp_new(c, c->folder->root, LOG, temp, &fd);
    if (err == ENOENT)
        return FS_MOVED;
    if (err != 0)
        return fs_fail_errno(c, err, "create", LOG);
    err = sys_write(c->sys, fd, bytes, len, 0);
    if (err == 0)
        reserve(c, fd, id, len);
    if (err == 0 && sync)
        err = sys_fsync(c->sys, fd);
    int close_err = sys_close(c->sys, &fd);
    if (err == 0)
        err = close_err;
    if (err == 0 && c->sys->renameat2(c->folder->root, temp, c->folder->root, LOG, 0) != 0)
        err = errno;
    if (err != 0)
        c->sys->unlinkat(c->folder->root, temp, 0);
    else if (sync)
        err = sys_fsync(c->sys, c->folder->root);
    return err == 0 ? LARDER_OK : fs_fail_errno(c, err, "write", LOG);
}

static int32_t new_id(struct fs_call *c, uint64_t *ret_id) {
    if (c->sys->random(ret_id, sizeof(*ret_id)) != (ssize_t)sizeof(*ret_id))
        return fs_fail(c, LARDER_RETRY, "the kernel gives no random numbers");
    return LARDER_OK;
}

int32_t fs_log_create(struct fs_call *c) {
    uint8_t head[HEADER];
    uint64_t id;
    int32_t status = new_id(c, &id);
    if (status != LARDER_OK)
        return status;
    header_put(c->folder, head, id, LARDER_UNSET);
    return write_file(c, head, sizeof(head), id);
}

/* The whole table as a new file; marks past their age go into the floor.  The file lock and the
 * table's lock are held. */
static int32_t rewrite(struct fs_call *c) {
    struct fs_log *log = &c->folder->log;
    int64_t floor = log->floor, keep_ms = c->fs->config->mark_max_age_ms;
    uint64_t id;
    struct fs_batch all = {.len = HEADER};
    int32_t status = new_id(c, &id);
    if (status != LARDER_OK)
        return status;

    struct fs_batch part;
    fs_batch_init(&part);
    for (size_t i = 0; i <= log->table.n_slots; i++) {
        const struct fs_record *r = i < log->table.n_slots ? log->table.slots[i] : NULL;
        bool old = r != NULL && r->kind == FS_MARK && r->written_ms < c->now_ms - keep_ms;
        if (old && r->a > floor)
            floor = r->a;
        if (old && r->b > floor)
            floor = r->b;
        if (r != NULL && !old)
            fs_batch_add(&part, r);
        bool last = i == log->table.n_slots;
        if (part.len <= BATCH || (!last && part.len < CHUNK) || part.no_memory)
            continue;
        batch_seal(c->folder, part.buf, part.len, id, all.len);
        uint8_t *buf = realloc(all.buf, all.len + part.len);
        if (buf == NULL) {
            part.no_memory = true;
            continue;
        }
        all.buf = buf;
        memcpy(all.buf + all.len, part.buf, part.len);
        all.len += part.len;
        part.len = BATCH;
    }
    if (all.buf == NULL && !part.no_memory)
        all.buf = malloc(all.len);
    if (part.no_memory || all.buf == NULL) {
        status = fs_fail(c, LARDER_NOMEM, "out of memory for rewriting the marks");
    } else {
        header_put(c->folder, all.buf, id, floor);
        status = write_file(c, all.buf, all.len, id);
    }
    fs_batch_done(&part);
    fs_batch_done(&all);
    return status;
}

/* Whatever epochs can still be read from a damaged log: only to bound what it held. */
static void salvage(struct fs_call *c) {
    struct fs_log *log = &c->folder->log;
    struct stat st;
    uint8_t *buf = NULL;
    size_t len = 0;
    if (log->fd < 0 || c->sys->fstat(log->fd, &st) != 0 || st.st_size <= 0 || st.st_size > MAX_PAYLOAD)
        return;
    buf = malloc((size_t)st.st_size);
    if (buf == NULL || sys_read(c->sys, log->fd, buf, (size_t)st.st_size, 0, &len) != 0)
        len = 0;
    for (size_t at = 0; at + BATCH <= len;) {
        size_t batch, in = 0;
        struct fs_record r;
        if (get32(buf + at) != batch_magic ||
            look_at_batch(c->folder, buf + at, len - at, get64(buf + at + 8), at, &batch) != GOOD) {
            at++;
            continue;
        }
        while (in < batch - BATCH && record_get(c->folder, buf + at + BATCH, batch - BATCH, &in, &r)) {
            fs_table_saw(&log->table, r.a);
            if (r.kind == FS_MARK)
                fs_table_saw(&log->table, r.b);
        }
        at += batch;
    }
    free(buf);
}

/* Begins anew above everything the old log can have held. */
static void wipe(struct fs_call *c) {
    struct fs_log *log = &c->folder->log;
    salvage(c);
    int64_t floor = log->table.greatest > c->now_ms ? log->table.greatest : c->now_ms;
    fs_table_done(&log->table);
    log->table.greatest = log->floor = floor;
    char line[LARDER_ERROR_SIZE];
    snprintf(line, sizeof(line),
             "%.120s/%s is damaged or missing: whatever was stored before now counts as revalidated",
             c->fs->root_path, LOG);
    c->fs->host->log(c->fs->home, LARDER_LOG_WARN, line);
}

/* refresh() for a writer, who may mend what he finds. */
static int32_t refresh_and_mend(struct fs_call *c) {
    struct fs_log *log = &c->folder->log;
    enum outcome outcome;
    int32_t status = refresh(c, &outcome);
    if (status != LARDER_OK)
        return status;
    if (log->given_up)
        outcome = DAMAGED;
    if (outcome == DAMAGED) {
        wipe(c);
        status = rewrite(c);
    } else if (log->rewrite) {
        status = rewrite(c);
    } else {
        return LARDER_OK; /* a torn end: fs_log_append() writes over it */
    }
    if (status != LARDER_OK) {
        log->loaded = false;
        return status;
    }
    forget(log, c->sys);
    status = refresh(c, &outcome);
    if (status == LARDER_OK && outcome != GOOD)
        status = fs_fail(c, LARDER_CORRUPT, "%.80s/%s cannot be read back", c->fs->root_path, LOG);
    if (status == LARDER_OK)
        log->rewrite = false;
    return status;
}

int32_t fs_log_write_begin(struct fs_call *c) {
    struct fs_log *log = &c->folder->log;
    int32_t status = fs_lock(c, FS_LOCK_LOG);
    if (status != LARDER_OK)
        return status;
    pthread_mutex_lock(&log->lock);
    status = refresh_and_mend(c);
    pthread_mutex_unlock(&log->lock);
    if (status != LARDER_OK)
        fs_unlock(c, FS_LOCK_LOG);
    return status;
}

void fs_log_write_end(struct fs_call *c) {
    fs_unlock(c, FS_LOCK_LOG);
}

void fs_log_look(struct fs_call *c) {
    pthread_mutex_lock(&c->folder->log.lock);
}

void fs_log_look_end(struct fs_call *c) {
    pthread_mutex_unlock(&c->folder->log.lock);
}

struct place { /* where a batch goes */
    uint64_t id, end;
    dev_t dev;
    ino_t ino;
};

/* What fails half-way is cut off again; if even that fails it is a torn end, which the next
 * writer cuts off.  *ret_unsure: written, but perhaps not on the disk. */
static int32_t append_bytes(struct fs_call *c, const struct fs_batch *b, struct place to, bool *ret_unsure) {
    struct stat st;
    int fd = -1;
    *ret_unsure = false;
    int err = sys_open(c->sys, c->folder->root, LOG, O_WRONLY | O_NONBLOCK, 0, &fd);
    if (err == 0 && c->sys->fstat(fd, &st) != 0)
        err = errno;
    if (err == 0 && !c->folder->network && (st.st_dev != to.dev || st.st_ino != to.ino)) {
        sys_close(c->sys, &fd);
        return FS_MOVED;
    }
    if (err == 0 && (uint64_t)st.st_size > to.end)
        err = sys_truncate(c->sys, fd, to.end);
    if (err == 0) {
        reserve(c, fd, to.id, to.end);
        err = sys_write(c->sys, fd, b->buf, b->len, to.end);
        if (err != 0)
            (void)sys_truncate(c->sys, fd, to.end);
    }
    if (err == 0 && (c->fs->durability != FS_SYNC_NONE || c->folder->network)) {
        err = sys_fdatasync(c->sys, fd);
        *ret_unsure = err != 0;
    }
    int close_err = sys_close(c->sys, &fd);
    if (err == 0 && close_err != 0) {
        err = close_err;
        *ret_unsure = true;
    }
    return err == 0 ? LARDER_OK : fs_fail_errno(c, err, "write", LOG);
}

/* After an append: into the table, and a new file when most of this one is old. */
static int32_t settle(struct fs_call *c) {
    struct fs_log *log = &c->folder->log;
    enum outcome outcome;
    int32_t status = refresh(c, &outcome);
    if (status == LARDER_NOMEM)
        return LARDER_OK; /* it is written; who reads next reads it all */
    if (status != LARDER_OK)
        return status;
    if (outcome != GOOD)
        return fs_fail(c, LARDER_RETRY, "%.80s/%s cannot be read back", c->fs->root_path, LOG);
    uint64_t live = HEADER + BATCH + log->table.n * RECORD + log->table.name_bytes;
    if (log->end <= REWRITE_MIN || log->end <= 3 * live)
        return LARDER_OK;
    status = rewrite(c);
    if (status != LARDER_OK && status != FS_MOVED) /* no concern of this op; the next tries again */
        c->fs->host->log(c->fs->home, LARDER_LOG_WARN, c->detail);
    return LARDER_OK;
}

int32_t fs_log_append(struct fs_call *c, struct fs_batch *b) {
    struct fs_log *log = &c->folder->log;
    if (b->no_memory)
        return fs_fail(c, LARDER_NOMEM, "out of memory for the marks");
    if (b->len - BATCH > MAX_PAYLOAD)
        return fs_fail(c, LARDER_TOO_BIG, "more than 64 MB of marks at once");
    if (b->len == BATCH)
        return LARDER_OK;
    int32_t status = fs_in_time(c);
    if (status != LARDER_OK)
        return status;

    /* Not under the table's lock: readers need not wait for the disk.  Nobody else writes. */
    pthread_mutex_lock(&log->lock);
    struct place to = {.id = log->id, .end = log->end, .dev = log->dev, .ino = log->ino};
    pthread_mutex_unlock(&log->lock);
    bool unsure;
    batch_seal(c->folder, b->buf, b->len, to.id, to.end);
    status = append_bytes(c, b, to, &unsure);

    pthread_mutex_lock(&log->lock);
    log->rewrite |= unsure;
    if (status == LARDER_OK)
        status = settle(c);
    pthread_mutex_unlock(&log->lock);
    return status;
}

/* ---- a reader's frame --------------------------------------------------------------------------- */

/* Not writable and damaged: what this process knows is all that can be said, so for it
 * everything is older than now. */
static void give_up(struct fs_call *c) {
    struct fs_log *log = &c->folder->log;
    wipe(c);
    log->given_up = log->loaded = true;
}

int32_t fs_log_read_begin(struct fs_call *c) {
    struct fs_log *log = &c->folder->log;
    enum outcome outcome;
    pthread_mutex_lock(&log->lock);
    int32_t status = refresh(c, &outcome);
    if (status == LARDER_OK && outcome == DAMAGED) {
        /* Perhaps it was only being written.  Nobody writes while the file lock is held. */
        pthread_mutex_unlock(&log->lock);
        int32_t mended = fs_log_write_begin(c);
        if (mended == LARDER_OK)
            fs_log_write_end(c);
        pthread_mutex_lock(&log->lock);
        status = mended == LARDER_OK ? refresh(c, &outcome) : mended;
        if (mended == LARDER_DENIED) {
            status = refresh(c, &outcome);
            if (status == LARDER_OK && outcome == DAMAGED)
                give_up(c);
        } else if (status == LARDER_OK && outcome == DAMAGED) {
            status = fs_fail(c, LARDER_RETRY, "%.80s/%s changes under the reader", c->fs->root_path, LOG);
        }
    }
    if (status != LARDER_OK)
        pthread_mutex_unlock(&log->lock);
    return status;
}

void fs_log_read_end(struct fs_call *c) {
    pthread_mutex_unlock(&c->folder->log.lock);
}
