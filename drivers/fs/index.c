/*
 * Which key carries which tag.  Per key one record, `index-keys/XX/<key's name>`, in the format
 * of an entry: the key, and as its value the tags, each behind its length (4 bytes).  Per tag a
 * directory, `index-tags/XX/<tag's name>/`, with an empty file for each key, named as the key's
 * record.  The record is the truth: a name without a record that carries the tag says nothing,
 * so nothing that is left over by a crash is ever listed.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pick.h"

/* A record that is linked again unchanged is only marked as used, and that at most so often. */
static const int64_t RENEW_EVERY_MS = 86400000;

struct record {
    uint8_t *bytes; /* the file */
    struct larder_bytes key, tags;
    int64_t written_ms; /* of the file, by the file system's clock */
};

static void record_done(struct record *r) {
    free(r->bytes);
    *r = (struct record){0};
}

/* The next tag; false at the end. */
static bool next_tag(struct larder_bytes *rest, struct larder_bytes *ret_tag) {
    uint32_t len;
    if (rest->len < sizeof(len))
        return false;
    memcpy(&len, rest->ptr, sizeof(len));
    len = le32toh(len);
    if (len > rest->len - sizeof(len))
        return false;
    *ret_tag = (struct larder_bytes){rest->ptr + sizeof(len), len};
    *rest = (struct larder_bytes){rest->ptr + sizeof(len) + len, rest->len - sizeof(len) - len};
    return true;
}

static bool has_tag(struct larder_bytes tags, struct larder_bytes tag) {
    struct larder_bytes have;
    while (next_tag(&tags, &have))
        if (have.len == tag.len && (tag.len == 0 || memcmp(have.ptr, tag.ptr, tag.len) == 0))
            return true;
    return false;
}

static bool has_tag_id(const struct fs_folder *f, struct larder_bytes tags, struct fs_id id) {
    struct larder_bytes have;
    while (next_tag(&tags, &have))
        if (fs_id_order(fs_hash(f, have), id) == 0)
            return true;
    return false;
}

/* LARDER_MISS: none, or not a good one. */
static int32_t record_read(struct fs_call *c, struct fs_id id, struct record *ret) {
    char name[FS_NAME + 1];
    struct fs_entry e;
    struct stat st;
    uint64_t file_len = 0;
    size_t len = 0;
    int dir = -1, fd = -1, err = 0;
    *ret = (struct record){0};
    fs_name(id, name);
    int32_t status = fs_open_dir(c, FS_KEYS, id, /* create= */ false, &dir);
    if (status == LARDER_OK)
        status = fs_entry_head(c, dir, name, &e, &file_len, &fd);
    if (status == LARDER_CORRUPT)
        status = LARDER_MISS;
    if (status != LARDER_OK)
        goto out;
    ret->bytes = malloc(file_len);
    if (ret->bytes == NULL) {
        status = fs_fail(c, LARDER_NOMEM, "out of memory for an index record");
        goto out;
    }
    err = sys_read(c->sys, fd, ret->bytes, file_len, 0, &len);
    if (err == 0 && c->sys->fstat(fd, &st) != 0)
        err = errno;
    if (err != 0) {
        status = fs_fail_errno(c, err, "read an index record in", NULL);
        goto out;
    }
    ret->key = (struct larder_bytes){ret->bytes + FS_ENTRY_HEADER, e.key_len};
    ret->tags = (struct larder_bytes){ret->bytes + e.value_at, e.value_len};
    ret->written_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    if (len != file_len || e.key_check != fs_check(c->folder, ret->key.ptr, ret->key.len) ||
        e.value_check != fs_check(c->folder, ret->tags.ptr, ret->tags.len))
        status = LARDER_MISS;
out:
    if (status != LARDER_OK)
        record_done(ret);
    sys_close(c->sys, &fd);
    sys_close(c->sys, &dir);
    return status;
}

/* ---- names under tags --------------------------------------------------------------------- */

/* The directory of a tag. */
static int32_t open_tag(struct fs_call *c, struct fs_id tag, bool create, int *ret_fd) {
    char name[FS_NAME + 1];
    int dir = -1;
    fs_name(tag, name);
    int32_t status = fs_open_dir(c, FS_TAGS, tag, create, &dir);
    if (status != LARDER_OK)
        return status;
    int err = sys_open(c->sys, dir, name, O_RDONLY | O_DIRECTORY, 0, ret_fd);
    if (err == ENOENT && create) {
        err = sys_mkdir(c->sys, dir, name, c->fs->dir_mode, NULL);
        if (err == 0)
            err = sys_open(c->sys, dir, name, O_RDONLY | O_DIRECTORY, 0, ret_fd);
    }
    if (err == ENOENT)
        status = create ? FS_MOVED : LARDER_MISS;
    else if (err != 0)
        status = fs_fail_errno(c, err, "open the index of a tag in", NULL);
    sys_close(c->sys, &dir);
    return status;
}

static int32_t add_name(struct fs_call *c, struct larder_bytes tag, const char *key_name) {
    int dir = -1, fd = -1;
    int32_t status = open_tag(c, fs_hash(c->folder, tag), /* create= */ true, &dir);
    if (status != LARDER_OK)
        return status;
    int err = sys_open(c->sys, dir, key_name, O_WRONLY | O_CREAT | O_NONBLOCK, c->fs->file_mode, &fd);
    sys_close(c->sys, &fd);
    sys_close(c->sys, &dir);
    if (err == ENOENT)
        return FS_MOVED; /* its last name was just removed, and it with it */
    return err == 0 ? LARDER_OK : fs_fail_errno(c, err, "write the index of a tag in", NULL);
}

/* Best effort: what stays is not listed, and swept one day. */
static void remove_name(struct fs_call *c, struct fs_id tag, const char *key_name) {
    char name[FS_NAME + 1];
    int dir = -1;
    if (open_tag(c, tag, /* create= */ false, &dir) != LARDER_OK)
        return;
    c->sys->unlinkat(dir, key_name, 0);
    sys_close(c->sys, &dir);
    fs_name(tag, name);
    if (fs_open_dir(c, FS_TAGS, tag, /* create= */ false, &dir) == LARDER_OK)
        c->sys->unlinkat(dir, name, AT_REMOVEDIR); /* fails unless it is empty */
    sys_close(c->sys, &dir);
}

/* ---- link ------------------------------------------------------------------------------------- */

static int32_t encode_tags(struct fs_call *c, struct larder_bytes *ret) {
    const struct larder_op *op = c->op;
    size_t size = 0;
    for (size_t i = 0; i < op->n_marks; i++) {
        if (op->marks[i].tag.len > UINT32_MAX)
            return fs_fail(c, LARDER_TOO_BIG, "a tag of more than 4 GB");
        size += sizeof(uint32_t) + op->marks[i].tag.len;
    }
    uint8_t *bytes = malloc(size + 1), *p = bytes;
    if (bytes == NULL)
        return fs_fail(c, LARDER_NOMEM, "out of memory for an index record");
    for (size_t i = 0; i < op->n_marks; i++) {
        struct larder_bytes tag = op->marks[i].tag;
        uint32_t len = htole32((uint32_t)tag.len);
        memcpy(p, &len, sizeof(len));
        p += sizeof(len);
        if (tag.len > 0)
            memcpy(p, tag.ptr, tag.len);
        p += tag.len;
    }
    *ret = (struct larder_bytes){bytes, size};
    return LARDER_OK;
}

static int32_t write_record(struct fs_call *c, struct fs_id id, const char *name, struct larder_bytes tags) {
    const struct fs_entry times = {.expires_ms = LARDER_UNSET};
    int dir = -1;
    int32_t status = fs_open_dir(c, FS_KEYS, id, tags.len > 0, &dir);
    if (status == LARDER_OK && tags.len > 0)
        status = fs_entry_write(c, dir, name, c->op->key, tags, &times);
    else if (status == LARDER_OK && c->sys->unlinkat(dir, name, 0) != 0 && errno != ENOENT)
        status = fs_fail_errno(c, errno, "remove an index record in", NULL);
    sys_close(c->sys, &dir);
    return status == LARDER_MISS ? LARDER_OK : status;
}

static void renew(struct fs_call *c, struct fs_id id, const struct record *r) {
    char path[FS_PATH];
    int fd = -1;
    if (c->now_ms < r->written_ms + RENEW_EVERY_MS)
        return;
    fs_path(FS_KEYS, id, path);
    if (sys_open(c->sys, c->folder->root, path, O_RDONLY | O_NONBLOCK, 0, &fd) != 0)
        return;
    struct timespec now = {.tv_sec = c->now_ms / 1000, .tv_nsec = c->now_ms % 1000 * 1000000};
    struct timespec times[2] = {now, now};
    (void)c->sys->futimens(fd, times);
    sys_close(c->sys, &fd);
}

/* First the names that are new, then the record, then the names that went: at every moment the
 * names of what the record says are there. */
static int32_t relink(struct fs_call *c, struct fs_id id, struct larder_bytes tags,
                      const struct record *old) {
    char name[FS_NAME + 1];
    struct larder_bytes rest = tags, tag;
    int32_t status = LARDER_OK;
    fs_name(id, name);
    while (status == LARDER_OK && next_tag(&rest, &tag))
        if (!has_tag(old->tags, tag))
            status = add_name(c, tag, name);
    if (status == LARDER_OK)
        status = write_record(c, id, name, tags);
    rest = old->tags;
    while (status == LARDER_OK && next_tag(&rest, &tag))
        if (!has_tag(tags, tag))
            remove_name(c, fs_hash(c->folder, tag), name);
    return status;
}

int32_t fs_link(struct fs_call *c) {
    struct fs_id id = fs_hash(c->folder, c->op->key);
    struct larder_bytes tags = {0};
    struct record old = {0};
    int32_t status = encode_tags(c, &tags);
    if (status == LARDER_OK)
        status = fs_lock(c, fs_lock_of(id));
    if (status != LARDER_OK)
        goto out;
    status = record_read(c, id, &old);
    if (status == LARDER_OK && old.tags.len == tags.len &&
        (tags.len == 0 || memcmp(old.tags.ptr, tags.ptr, tags.len) == 0))
        renew(c, id, &old);
    else if (status == LARDER_OK || status == LARDER_MISS)
        status = relink(c, id, tags, &old);
    fs_unlock(c, fs_lock_of(id));
out:
    record_done(&old);
    free((void *)(uintptr_t)tags.ptr);
    return status;
}

void fs_index_forget(struct fs_call *c, struct fs_id id) {
    char path[FS_PATH], name[FS_NAME + 1];
    struct record r;
    struct larder_bytes tag;
    fs_name(id, name);
    fs_path(FS_KEYS, id, path);
    if (record_read(c, id, &r) != LARDER_OK)
        return;
    c->sys->unlinkat(c->folder->root, path, 0);
    for (struct larder_bytes rest = r.tags; next_tag(&rest, &tag);)
        remove_name(c, fs_hash(c->folder, tag), name);
    record_done(&r);
}

/* ---- enumeration ------------------------------------------------------------------------------ */

struct scan {
    struct fs_pick pick;
    bool from_start;
    struct fs_id after;
};

static bool offer(void *arg, const char *name) {
    struct scan *s = arg;
    struct fs_id id;
    if (fs_name_parse(name, strlen(name), &id) && (s->from_start || fs_id_order(id, s->after) > 0))
        fs_pick_offer(&s->pick, id, NULL);
    return true;
}

int32_t fs_keys_of(struct fs_call *c) {
    struct scan s = {0};
    int dir = -1, err = 0;
    int32_t status = fs_page_begin(c, &s.pick, &s.from_start, &s.after);
    if (status == LARDER_OK)
        status = open_tag(c, fs_hash(c->folder, c->op->key), /* create= */ false, &dir);
    if (status == LARDER_OK)
        err = sys_each(c->sys, dir, ".", offer, &s);
    if (err != 0 && err != ENOENT)
        status = fs_fail_errno(c, err, "list the index of a tag in", NULL);
    fs_pick_sort(&s.pick);
    for (size_t i = 0; i < s.pick.n && status == LARDER_OK; i++) {
        struct record r;
        status = record_read(c, s.pick.items[i].id, &r);
        if (status == LARDER_OK && has_tag(r.tags, c->op->key))
            status = c->fs->host->emit_key(c->op, r.key);
        if (status == LARDER_MISS)
            status = LARDER_OK;
        record_done(&r);
    }
    if (status == LARDER_OK && s.pick.more)
        fs_page_end(c, s.pick.items[s.pick.n - 1].id);
    sys_close(c->sys, &dir);
    fs_pick_done(&s.pick);
    return status;
}

int32_t fs_tags_of(struct fs_call *c) {
    struct record r;
    struct larder_bytes tag;
    int32_t status = record_read(c, fs_hash(c->folder, c->op->key), &r);
    if (status == LARDER_OK &&
        (r.key.len != c->op->key.len || (r.key.len > 0 && memcmp(r.key.ptr, c->op->key.ptr, r.key.len) != 0)))
        status = LARDER_MISS;
    struct larder_bytes rest = r.tags;
    while (status == LARDER_OK && next_tag(&rest, &tag)) {
        const struct larder_mark mark = {tag, LARDER_UNSET, LARDER_UNSET, LARDER_UNSET};
        status = c->fs->host->emit_mark(c->op, &mark);
    }
    record_done(&r);
    return status;
}

/* ---- sweeping ----------------------------------------------------------------------------------- */

struct sweep {
    struct fs_call *c;
    const atomic_bool *stop;
    int dir; /* of the shard, or of the tag */
    struct fs_id tag;
};

static bool sweep_name(void *arg, const char *name) {
    struct sweep *s = arg;
    struct fs_call *c = s->c;
    struct fs_id id;
    struct record r;
    if (!fs_name_parse(name, strlen(name), &id) || fs_trylock(c, fs_lock_of(id)) != LARDER_OK)
        return !atomic_load(s->stop);
    int32_t status = record_read(c, id, &r);
    if (status == LARDER_MISS || (status == LARDER_OK && !has_tag_id(c->folder, r.tags, s->tag)))
        c->sys->unlinkat(s->dir, name, 0);
    record_done(&r);
    fs_unlock(c, fs_lock_of(id));
    return !atomic_load(s->stop);
}

static bool sweep_tag(void *arg, const char *name) {
    struct sweep *s = arg, inner = *s;
    if (!fs_name_parse(name, strlen(name), &inner.tag) ||
        sys_open(s->c->sys, s->dir, name, O_RDONLY | O_DIRECTORY, 0, &inner.dir) != 0)
        return !atomic_load(s->stop);
    sys_each(s->c->sys, inner.dir, ".", sweep_name, &inner);
    sys_close(s->c->sys, &inner.dir);
    s->c->sys->unlinkat(s->dir, name, AT_REMOVEDIR);
    return !atomic_load(s->stop);
}

static bool sweep_record(void *arg, const char *name) {
    struct sweep *s = arg;
    struct fs_call *c = s->c;
    struct fs_id id;
    struct record r;
    if (!fs_name_parse(name, strlen(name), &id) || fs_trylock(c, fs_lock_of(id)) != LARDER_OK)
        return !atomic_load(s->stop);
    if (record_read(c, id, &r) == LARDER_OK && r.written_ms < c->now_ms - c->fs->config->mark_max_age_ms)
        fs_index_forget(c, id);
    record_done(&r);
    fs_unlock(c, fs_lock_of(id));
    return !atomic_load(s->stop);
}

void fs_index_sweep(struct fs_call *c, const atomic_bool *stop) {
    static const struct {
        const char *kind;
        sys_name_fn *each;
    } parts[] = {{FS_KEYS, sweep_record}, {FS_TAGS, sweep_tag}};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        for (unsigned shard = 0; shard < 256 && !atomic_load(stop); shard++) {
            struct sweep s = {.c = c, .stop = stop, .dir = -1};
            struct fs_id any = {(uint64_t)shard << 56, 0};
            if (fs_open_dir(c, parts[i].kind, any, /* create= */ false, &s.dir) == LARDER_OK)
                sys_each(c->sys, s.dir, ".", parts[i].each, &s);
            sys_close(c->sys, &s.dir);
        }
}
