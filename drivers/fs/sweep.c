/*
 * The sweeper: removes what is expired, what dead writers left behind, and, where entries take
 * more than max-size, those that were used longest ago.  Never marks, counters or the format.
 *
 * It runs on a pool thread: soon after open(), every sweep-interval, and earlier when this
 * process alone has written a twentieth of max-size, or when the disk is full.  Several processes
 * may share a folder: one sweeps at a time, the others find its lock and leave it to that one.
 *
 * Memory is constant: one pass adds up bytes by age in classes, a second one removes the oldest
 * classes.  A class is an age within about 1.6 %.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"

enum { SUB_BITS = 6, CLASSES = 64 << SUB_BITS };
static const uint64_t FIRST_NS = 5000000000u, URGE_EVERY_NS = 10000000000u;

struct fs_sweeper {
    atomic_uint refs;
    pthread_mutex_t lock; /* of fs and running */
    pthread_cond_t ended;
    struct fs *fs; /* NULL: closed */
    bool running;
    bool queued; /* [io] */
    struct larder_timer *timer;
    uint64_t interval_ns;
    atomic_bool stop;
    atomic_bool posted;
    atomic_bool urged;
    _Atomic uint64_t grown; /* since the last sweep */
    uint64_t grow_limit;    /* UINT64_MAX: none */
    _Atomic uint64_t urged_ns;
    const struct larder_host *host;
    struct larder_home *home;
    int64_t index_swept_ms; /* the pool thread's */
};

/* ---- one sweep --------------------------------------------------------------------------------- */

struct pass {
    struct fs_call *c;
    const atomic_bool *stop;
    const char *kind;
    int dir;
    bool count;        /* the first pass; else evict */
    uint64_t n_left;   /* names in this directory that stay */
    uint64_t total;    /* bytes of what stays */
    uint64_t *classes; /* bytes by age */
    unsigned cutoff;   /* older classes go */
    uint64_t quota;    /* and so much of this one */
};

/* The age in logarithmic steps, 64 to an octave: greater is older. */
static unsigned class_of(int64_t now_ms, const struct stat *st) {
    int64_t used_ms = (int64_t)st->st_atim.tv_sec * 1000 + st->st_atim.tv_nsec / 1000000;
    uint64_t age = now_ms > used_ms ? (uint64_t)(now_ms - used_ms) : 0;
    if (age < 1u << SUB_BITS)
        return (unsigned)age;
    unsigned log2 = 63u - (unsigned)__builtin_clzll(age);
    unsigned sub = (unsigned)(age >> (log2 - SUB_BITS)) & ((1u << SUB_BITS) - 1);
    return ((log2 - SUB_BITS + 1) << SUB_BITS) + sub;
}

/* Under the name's lock, and only if it is still the file that was looked at. */
static bool evict(struct pass *p, const char *name, struct fs_id id, ino_t ino) {
    struct stat st;
    bool gone = false;
    if (fs_trylock(p->c, fs_lock_of(id)) != LARDER_OK)
        return false;
    if (p->c->sys->fstatat(p->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == ino)
        gone = p->c->sys->unlinkat(p->dir, name, 0) == 0;
    if (gone && strcmp(p->kind, FS_ENTRIES) == 0)
        fs_index_forget(p->c, id);
    fs_unlock(p->c, fs_lock_of(id));
    return gone;
}

/* A temporary file whose target nobody has locked is nobody's. */
static bool is_leftover(const char *name, struct fs_id *ret_id) {
    const size_t head = sizeof("tmp-") - 1;
    return strncmp(name, "tmp-", head) == 0 && strlen(name) > head + FS_NAME && name[head + FS_NAME] == '-' &&
           fs_name_parse(name + head, FS_NAME, ret_id);
}

static void look(struct pass *p, const char *name, struct fs_id id) {
    struct fs_call *c = p->c;
    struct fs_entry e;
    struct stat st;
    uint64_t len;
    int fd = -1;
    if (p->count) {
        int32_t status = fs_entry_head(c, p->dir, name, &e, &len, &fd);
        bool dead = status == LARDER_CORRUPT || (status == LARDER_OK && fs_entry_expired(&e, c->now_ms));
        int err = c->sys->fstatat(p->dir, name, &st, AT_SYMLINK_NOFOLLOW);
        sys_close(c->sys, &fd);
        if (err != 0 || (dead && evict(p, name, id, st.st_ino)))
            return;
        p->n_left++;
        p->total += fs_footprint((uint64_t)st.st_size);
        p->classes[class_of(c->now_ms, &st)] += fs_footprint((uint64_t)st.st_size);
        return;
    }
    if (c->sys->fstatat(p->dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    unsigned class = class_of(c->now_ms, &st);
    uint64_t bytes = fs_footprint((uint64_t)st.st_size);
    if (class < p->cutoff || (class == p->cutoff && p->quota == 0) || !evict(p, name, id, st.st_ino)) {
        p->n_left++;
        return;
    }
    p->total -= bytes < p->total ? bytes : p->total;
    if (class == p->cutoff)
        p->quota -= bytes < p->quota ? bytes : p->quota;
}

static bool sweep_name(void *arg, const char *name) {
    struct pass *p = arg;
    struct fs_id id;
    if (fs_name_parse(name, strlen(name), &id)) {
        look(p, name, id);
    } else if (is_leftover(name, &id) && fs_trylock(p->c, fs_lock_of(id)) == LARDER_OK) {
        p->c->sys->unlinkat(p->dir, name, 0);
        fs_unlock(p->c, fs_lock_of(id));
    } else {
        p->n_left++;
    }
    return !atomic_load(p->stop);
}

/* Every directory of a kind; one that is empty goes (a put that needs it just then makes it again). */
static void sweep_kind(struct pass *p, const char *kind) {
    char path[FS_PATH];
    p->kind = kind;
    for (unsigned shard = 0; shard < 256 && !atomic_load(p->stop); shard++) {
        struct fs_id any = {(uint64_t)shard << 56, 0};
        p->dir = -1;
        p->n_left = 0;
        if (fs_open_dir(p->c, kind, any, /* create= */ false, &p->dir) != LARDER_OK)
            continue;
        int err = sys_each(p->c->sys, p->dir, ".", sweep_name, p);
        sys_close(p->c->sys, &p->dir);
        snprintf(path, sizeof(path), "%s/%02x", kind, shard);
        if (err == 0 && p->n_left == 0 && !atomic_load(p->stop))
            p->c->sys->unlinkat(p->c->folder->root, path, AT_REMOVEDIR);
    }
}

static bool sweep_root_name(void *arg, const char *name) {
    struct pass *p = arg;
    if (strncmp(name, "tmp-", 4) == 0)
        p->c->sys->unlinkat(p->c->folder->root, name, 0);
    return true;
}

static void evict_oldest(struct pass *p, uint64_t target) {
    uint64_t need = p->total - target;
    unsigned class = CLASSES - 1;
    for (; class > 0 && p->classes[class] < need; class --)
        need -= p->classes[class];
    p->cutoff = class;
    p->quota = need;
    p->count = false;
    sweep_kind(p, FS_ENTRIES);
}

static int32_t sweep_folder(struct fs_call *c, struct fs_sweeper *s) {
    uint64_t max = (uint64_t)c->fs->config->max_size, target = UINT64_MAX;
    struct pass entries = {.c = c, .stop = &s->stop, .count = true};
    struct pass others = entries;
    int32_t status = fs_trylock(c, FS_LOCK_SWEEP);
    if (status != LARDER_OK)
        return status;

    if (fs_trylock(c, FS_LOCK_LOG) == LARDER_OK) { /* all temporary files in the root are made under it */
        sys_each(c->sys, c->folder->root, ".", sweep_root_name, &entries);
        fs_unlock(c, FS_LOCK_LOG);
    }
    entries.classes = others.classes = calloc(CLASSES, sizeof(uint64_t));
    if (entries.classes == NULL) {
        fs_unlock(c, FS_LOCK_SWEEP);
        return LARDER_NOMEM;
    }
    uint64_t grown = atomic_load(&s->grown);
    sweep_kind(&others, FS_CLAIMS);
    sweep_kind(&others, FS_KEYS);
    memset(entries.classes, 0, CLASSES * sizeof(uint64_t));
    sweep_kind(&entries, FS_ENTRIES);
    if (max > 0 && entries.total > max)
        target = max / 10 * 9;
    if (atomic_exchange(&s->urged, false) && entries.total / 10 * 9 < target)
        target = entries.total / 10 * 9;
    if (target < entries.total && !atomic_load(&s->stop))
        evict_oldest(&entries, target);
    atomic_fetch_sub(&s->grown, grown);
    free(entries.classes);

    if (!atomic_load(&s->stop) && c->now_ms - s->index_swept_ms >= 86400000) {
        s->index_swept_ms = c->now_ms;
        fs_index_sweep(c, &s->stop);
    }
    fs_unlock(c, FS_LOCK_SWEEP);
    return LARDER_OK;
}

void fs_sweep(struct fs_sweeper *s, struct fs *fs) {
    struct fs_call c;
    if (atomic_load(&fs->seen_ms) == LARDER_UNSET)
        return; /* no op so far has told the time of day */
    fs_call_init(&c, fs, NULL);
    int32_t status = fs_folder_get(&c, FS_READ);
    if (status == LARDER_OK)
        status = sweep_folder(&c, s);
    if (status < 0 && c.detail[0] != 0)
        fs->host->log(fs->home, LARDER_LOG_WARN, c.detail);
    c.folder = fs_folder_unref(c.sys, c.folder);
}

/* ---- when ------------------------------------------------------------------------------------------ */

static void unref(struct fs_sweeper *s) {
    if (atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    pthread_cond_destroy(&s->ended);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* On a pool thread (under a test's clock: on the I/O thread). */
static void work(void *arg) {
    struct fs_sweeper *s = arg;
    pthread_mutex_lock(&s->lock);
    struct fs *fs = s->fs;
    s->running = fs != NULL;
    pthread_mutex_unlock(&s->lock);
    if (fs == NULL)
        return;
    fs_sweep(s, fs);
    pthread_mutex_lock(&s->lock);
    s->running = false;
    pthread_cond_broadcast(&s->ended);
    pthread_mutex_unlock(&s->lock);
}

static void done(void *arg) {
    struct fs_sweeper *s = arg;
    s->queued = false;
    unref(s);
}

static void start(struct fs_sweeper *s) {
    if (s->fs == NULL || s->queued)
        return;
    atomic_fetch_add(&s->refs, 1);
    s->queued = true;
    if (s->host->offload(s->home, work, done, s) != LARDER_OK)
        done(s);
}

static void on_timer(void *arg) {
    struct fs_sweeper *s = arg;
    s->host->timer_set(s->timer, s->host->now_ns() + s->interval_ns);
    start(s);
}

static void on_post(void *arg) {
    struct fs_sweeper *s = arg;
    atomic_store(&s->posted, false);
    start(s);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the post holds a reference of its own */
    unref(s);
}

/* [any] */
static void kick(struct fs_sweeper *s) {
    if (atomic_exchange(&s->posted, true))
        return;
    atomic_fetch_add(&s->refs, 1);
    if (s->host->post(s->home, on_post, s) != LARDER_OK) {
        atomic_store(&s->posted, false);
        unref(s);
    }
}

void fs_sweeper_grown(struct fs_sweeper *s, uint64_t bytes) {
    if (atomic_fetch_add(&s->grown, bytes) + bytes > s->grow_limit)
        kick(s);
}

void fs_sweeper_urge(struct fs_sweeper *s) {
    uint64_t now_ns = s->host->now_ns(), last_ns = atomic_load(&s->urged_ns);
    if (last_ns != 0 && now_ns < last_ns + URGE_EVERY_NS)
        return;
    atomic_store(&s->urged_ns, now_ns);
    atomic_store(&s->urged, true);
    kick(s);
}

struct fs_sweeper *fs_sweeper_new(struct fs *fs) {
    struct fs_sweeper *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    atomic_init(&s->refs, 1);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->ended, NULL);
    s->fs = fs;
    s->host = fs->host;
    s->home = fs->home;
    s->interval_ns = (uint64_t)fs->config->sweep_interval_ms * 1000000u;
    s->grow_limit = fs->config->max_size > 0 ? (uint64_t)fs->config->max_size / 20 : UINT64_MAX;
    s->timer = fs->host->timer(fs->home, on_timer, s);
    if (s->timer == NULL) {
        unref(s);
        return NULL;
    }
    uint64_t first_ns = s->interval_ns < FIRST_NS ? s->interval_ns : FIRST_NS;
    fs->host->timer_set(s->timer, fs->host->now_ns() + first_ns);
    return s;
}

struct fs_sweeper *fs_sweeper_free(struct fs_sweeper *s) {
    if (s == NULL)
        return NULL;
    s->host->timer_free(s->timer);
    atomic_store(&s->stop, true);
    pthread_mutex_lock(&s->lock);
    while (s->running) /* it looks at stop after each file */
        pthread_cond_wait(&s->ended, &s->lock);
    s->fs = NULL;
    pthread_mutex_unlock(&s->lock);
    unref(s);
    return NULL;
}
