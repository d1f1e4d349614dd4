/* The root folder: finding, creating and recognising it; the file locks in it. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "fs.h"

/* The format marker, one text file:
 *     larder-fs 1\n<384 hex digits: the secret>\n<16 hex digits: XXH3 of the secret>\n
 * The secret goes into every hash, so that nobody who chooses keys can choose hashes. */
#define MARKER FS_MARKER
#define MARKER_HEAD FS_MARKER " 1\n"
enum { MARKER_LEN = sizeof(MARKER_HEAD) - 1 + 2 * FS_SECRET + 1 + 16 + 1, MARKER_MAX = 4096 };

#define LOCKS "locks"

static const uint64_t CHECK_EVERY_NS = 1000000000u;

/* ---- hashes and names ------------------------------------------------------------ */

struct fs_id fs_hash(const struct fs_folder *f, struct larder_bytes key) {
    XXH128_hash_t h = XXH3_128bits_withSecret(key.len > 0 ? (const void *)key.ptr : "", key.len, f->secret,
                                              FS_SECRET);
    return (struct fs_id){h.high64, h.low64};
}

uint64_t fs_check(const struct fs_folder *f, const void *ptr, size_t len) {
    return XXH3_64bits_withSecret(len > 0 ? ptr : "", len, f->secret, FS_SECRET);
}

static void hex_put(char *out, const uint8_t *bytes, size_t n) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

static bool hex_get(const char *text, uint8_t *out, size_t n) {
    for (size_t i = 0; i < 2 * n; i++) {
        char ch = text[i];
        int digit = ch >= '0' && ch <= '9' ? ch - '0' : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        out[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : out[i / 2] | digit);
    }
    return true;
}

static void id_bytes(struct fs_id id, uint8_t out[16]) {
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(id.hi >> (56 - 8 * i));
        out[8 + i] = (uint8_t)(id.lo >> (56 - 8 * i));
    }
}

void fs_name(struct fs_id id, char out[FS_NAME + 1]) {
    uint8_t bytes[16];
    id_bytes(id, bytes);
    hex_put(out, bytes, sizeof(bytes));
    out[FS_NAME] = 0;
}

bool fs_name_parse(const char *name, size_t len, struct fs_id *ret_id) {
    uint8_t bytes[16];
    if (len != FS_NAME || !hex_get(name, bytes, sizeof(bytes)))
        return false;
    struct fs_id id = {0, 0};
    for (int i = 0; i < 8; i++) {
        id.hi = id.hi << 8 | bytes[i];
        id.lo = id.lo << 8 | bytes[8 + i];
    }
    *ret_id = id;
    return true;
}

/* ---- locks ------------------------------------------------------------------------- */

/* Each lane has an open file of its own, since that is what owns such a lock: so lanes exclude
 * each other as processes do. */
static int32_t lock_file(struct fs_call *c) {
    int *fd = &c->folder->locks[c->lane];
    if (*fd >= 0)
        return LARDER_OK;
    int err = sys_open(c->sys, c->folder->root, LOCKS, O_RDWR | O_CREAT, c->fs->file_mode, fd);
    if (err == ENOENT)
        return FS_MOVED; /* O_CREAT fails so only in a removed folder */
    return err == 0 ? LARDER_OK : fs_fail_errno(c, err, "open", LOCKS);
}

/* Somebody may have deleted the file: then a lock on ours excludes nobody who opens it now. */
static bool lock_file_is_current(const struct fs_call *c) {
    struct stat ours, there;
    return c->sys->fstat(c->folder->locks[c->lane], &ours) == 0 &&
           c->sys->fstatat(c->folder->root, LOCKS, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

static int set_lock(struct fs_call *c, uint64_t at, short type) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = 1};
    while (c->sys->setlk(c->folder->locks[c->lane], &lock) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

int32_t fs_trylock(struct fs_call *c, uint64_t at) {
    int32_t status = lock_file(c);
    if (status != LARDER_OK)
        return status;
    int err = set_lock(c, at, F_WRLCK);
    if (err == EAGAIN || err == EACCES)
        return LARDER_MISS;
    if (err != 0)
        return fs_fail_errno(c, err, "lock", LOCKS);
    if (at == FS_LOCK_LOG && !lock_file_is_current(c)) {
        sys_close(c->sys, &c->folder->locks[c->lane]);
        return LARDER_MISS;
    }
    return LARDER_OK;
}

/* Waiting in the kernel would not end at a deadline, so this asks again and again, after pauses
 * that grow and differ from waiter to waiter.  They are counted too, since a test's clock may
 * stand still. */
int32_t fs_lock(struct fs_call *c, uint64_t at) {
    enum { FIRST_NS = 20 * 1000, LONGEST_NS = 2 * 1000 * 1000 };
    const uint64_t no_deadline_ns = 60ull * 1000000000u;
    uint64_t left_ns = no_deadline_ns, waited_ns = 0, pause_ns = FIRST_NS;
    if (c->deadline_ns != UINT64_MAX) {
        uint64_t now_ns = c->fs->host->now_ns();
        left_ns = now_ns < c->deadline_ns ? c->deadline_ns - now_ns : 0;
    }
    for (;;) {
        int32_t status = fs_trylock(c, at);
        if (status != LARDER_MISS)
            return status;
        if (waited_ns >= left_ns || fs_in_time(c) != LARDER_OK)
            return fs_fail(c, c->deadline_ns != UINT64_MAX ? LARDER_DEADLINE : LARDER_RETRY,
                           "a lock in %.80s was held by others until the time was up", c->fs->root_path);
        uint64_t spread = (at ^ c->fs->host->now_ns() ^ (uint64_t)c->lane << 7) % (pause_ns / 2);
        struct timespec pause = {0, (long)(pause_ns / 2 + spread)};
        nanosleep(&pause, NULL);
        waited_ns += (uint64_t)pause.tv_nsec;
        if (pause_ns < LONGEST_NS)
            pause_ns *= 2;
    }
}

void fs_unlock(struct fs_call *c, uint64_t at) {
    /* A lock server may fail to take it back.  Without the file there is no lock. */
    if (c->folder->locks[c->lane] >= 0 && set_lock(c, at, F_UNLCK) != 0)
        sys_close(c->sys, &c->folder->locks[c->lane]);
}

/* ---- the marker ----------------------------------------------------------------------- */

/* LARDER_MISS: none, or one that cannot be used (which is as good as none to a writer: *ret_bad). */
static int32_t read_marker(struct fs_call *c, struct fs_folder *f, const char **ret_bad) {
    char text[MARKER_MAX];
    size_t len = 0;
    struct stat st;
    *ret_bad = NULL;
    sys_close(c->sys, &f->marker);
    int err = sys_open(c->sys, f->root, MARKER, O_RDONLY | O_NONBLOCK, 0, &f->marker);
    if (err == ENOENT)
        return LARDER_MISS;
    if (err == 0 && c->sys->fstat(f->marker, &st) != 0)
        err = errno;
    if (err == 0)
        err = sys_read(c->sys, f->marker, text, sizeof(text), 0, &len);
    if (err != 0)
        return fs_fail_errno(c, err, "read", MARKER);

    const size_t head = sizeof(MARKER_HEAD) - 1;
    uint8_t check[8];
    if (len >= sizeof(MARKER) && memcmp(text, MARKER " ", sizeof(MARKER)) == 0 &&
        (len < head || memcmp(text, MARKER_HEAD, head) != 0) && memchr(text, '\n', len) != NULL)
        return fs_fail(c, LARDER_UNSUPPORTED, "%.80s/%s is of a format that this version does not know",
                       c->fs->root_path, MARKER);
    if (len != MARKER_LEN || memcmp(text, MARKER_HEAD, head) != 0 || text[head + 2 * FS_SECRET] != '\n' ||
        text[MARKER_LEN - 1] != '\n' || !hex_get(text + head, f->secret, FS_SECRET) ||
        !hex_get(text + head + 2 * FS_SECRET + 1, check, sizeof(check)))
        *ret_bad = "is not what this driver writes";
    else {
        uint8_t expected[8];
        XXH64_canonical_t canonical;
        XXH64_canonicalFromHash(&canonical, XXH3_64bits(f->secret, FS_SECRET));
        memcpy(expected, canonical.digest, sizeof(expected));
        if (memcmp(check, expected, sizeof(check)) != 0)
            *ret_bad = "is damaged";
    }
    if (*ret_bad != NULL)
        return LARDER_MISS;
    f->marker_dev = st.st_dev;
    f->marker_ino = st.st_ino;
    return LARDER_OK;
}

static int32_t write_marker(struct fs_call *c, struct fs_folder *f) {
    char text[MARKER_LEN];
    const size_t head = sizeof(MARKER_HEAD) - 1;
    XXH64_canonical_t check;
    XXH64_canonicalFromHash(&check, XXH3_64bits(f->secret, FS_SECRET));
    memcpy(text, MARKER_HEAD, head);
    hex_put(text + head, f->secret, FS_SECRET);
    text[head + 2 * FS_SECRET] = '\n';
    hex_put(text + head + 2 * FS_SECRET + 1, check.digest, sizeof(check.digest));
    text[MARKER_LEN - 1] = '\n';
    struct iovec part = {text, sizeof(text)};
    int err = fs_replace(c, f->root, MARKER, &part, 1, c->fs->durability != FS_SYNC_NONE);
    return err == 0 ? LARDER_OK : fs_fail_errno(c, err, "write", MARKER);
}

/* Makes what is not there: under the log's lock, so one process does it and the others find it.
 * The log comes first: a marker without a log is a folder that lost its log. */
static int32_t make_format(struct fs_call *c, struct fs_folder *f) {
    const char *bad;
    int32_t status = fs_lock(c, FS_LOCK_LOG);
    if (status != LARDER_OK)
        return status;
    status = read_marker(c, f, &bad);
    if (status != LARDER_MISS)
        goto out;
    if (bad != NULL) {
        char line[LARDER_ERROR_SIZE];
        snprintf(line, sizeof(line), "%.150s/%s %s: the folder begins anew", c->fs->root_path, MARKER, bad);
        c->fs->host->log(c->fs->home, LARDER_LOG_WARN, line);
    }
    if (c->sys->random(f->secret, FS_SECRET) != FS_SECRET) {
        status = fs_fail(c, LARDER_RETRY, "the kernel gives no random numbers");
        goto out;
    }
    status = fs_log_create(c);
    if (status == LARDER_OK)
        status = write_marker(c, f);
    if (status == LARDER_OK)
        status = read_marker(c, f, &bad);
    if (status == LARDER_MISS)
        status = FS_MOVED;
out:
    fs_unlock(c, FS_LOCK_LOG);
    return status;
}

/* ---- the folder ------------------------------------------------------------------------ */

/* What is synced inside a new directory is worth nothing while its own name can be lost. */
static int sync_parent(struct fs_call *c, const char *path) {
    size_t len = (size_t)(strrchr(path, '/') - path);
    char *parent = malloc(len + 3);
    if (parent == NULL)
        return ENOMEM;
    memcpy(parent, path, len);
    memcpy(parent + len, "/.", 3); /* a link there is the user's, as in open_root() */
    int err = sys_fsync_dir(c->sys, AT_FDCWD, parent);
    free(parent);
    return err;
}

/* mkdir -p; the path is absolute. */
static int make_path(struct fs_call *c) {
    char *path = strdup(c->fs->root_path);
    if (path == NULL)
        return ENOMEM;
    int err = 0;
    for (char *p = path + 1; err == 0; p++) {
        char was = *p;
        if (was != '/' && was != 0)
            continue;
        *p = 0;
        bool made = false;
        err = sys_mkdir(c->sys, AT_FDCWD, path, c->fs->dir_mode, &made);
        /* What is there already may refuse with any reason (read-only, no access): opening tells. */
        struct stat st;
        if (err != 0 && c->sys->fstatat(AT_FDCWD, path, &st, 0) == 0 && S_ISDIR(st.st_mode))
            err = 0;
        if (made && c->fs->durability != FS_SYNC_NONE)
            err = sync_parent(c, path);
        *p = was;
        if (was == 0)
            break;
    }
    free(path);
    return err;
}

/* The root itself may be a link: it is the user's path.  Hence the dot, since sys_open() does
 * not follow a link at the end. */
static int open_root(struct fs_call *c, int *ret_fd) {
    size_t len = strlen(c->fs->root_path);
    char *path = malloc(len + 3);
    if (path == NULL)
        return ENOMEM;
    memcpy(path, c->fs->root_path, len);
    memcpy(path + len, "/.", 3);
    int err = sys_open(c->sys, AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, ret_fd);
    free(path);
    return err;
}

static bool is_network(uint64_t magic) {
    switch (magic) {
    case 0x6969u:     /* NFS */
    case 0x517Bu:     /* SMB */
    case 0xFF534D42u: /* CIFS */
    case 0xFE534D42u: /* SMB2 */
    case 0x01021997u: /* 9P */
    case 0x65735546u: /* FUSE, virtiofs */
    case 0x00C36400u: /* Ceph */
    case 0x5346414Fu: /* AFS */
    case 0x6B414653u: /* kAFS */
    case 0x73757245u: /* Coda */
    case 0x0BD00BD0u: /* Lustre */
    case 0x786F4256u: /* VirtualBox shared folder */
    case 0xBACBACBCu: /* VMware shared folder */ return true;
    default: return false;
    }
}

struct fs_folder *fs_folder_unref(const struct fs_sys *sys, struct fs_folder *f) {
    if (f == NULL || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    sys_close(sys, &f->root);
    sys_close(sys, &f->marker);
    for (uint32_t i = 0; f->locks != NULL && i < f->n_locks; i++)
        sys_close(sys, &f->locks[i]);
    fs_log_done(&f->log, sys);
    free(f->locks);
    free(f);
    return NULL;
}

static struct fs_folder *folder_new(const struct fs *fs) {
    struct fs_folder *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return NULL;
    atomic_init(&f->refs, 1);
    f->root = f->marker = -1;
    f->n_locks = fs->n_lanes + 1;
    fs_log_init(&f->log);
    f->locks = malloc(f->n_locks * sizeof(*f->locks));
    if (f->locks == NULL)
        return fs_folder_unref(fs->sys, f);
    for (uint32_t i = 0; i < f->n_locks; i++)
        f->locks[i] = -1;
    return f;
}

/* Finds the folder on the disk, or makes it; c->folder is it afterwards. */
static int32_t folder_open(struct fs_call *c, enum fs_need need) {
    const char *bad = NULL;
    uint64_t magic = 0;
    int32_t status;
    struct fs_folder *f = c->folder = folder_new(c->fs);
    if (f == NULL)
        return LARDER_NOMEM;

    int err = open_root(c, &f->root);
    if (err == ENOENT && need == FS_READ)
        return LARDER_MISS;
    if (err == ENOENT) {
        err = make_path(c);
        if (err == 0)
            err = open_root(c, &f->root);
        if (err != 0)
            return fs_fail_errno(c, err, "create the folder", NULL);
    }
    if (err != 0)
        return fs_fail_errno(c, err, "open the folder", NULL);

    if (strcmp(c->fs->config->coherence, "auto") != 0)
        f->network = strcmp(c->fs->config->coherence, "network") == 0;
    else if (c->sys->fstype(f->root, &magic) == 0)
        f->network = is_network(magic);

    status = read_marker(c, f, &bad);
    if (status == LARDER_MISS && need == FS_WRITE)
        status = make_format(c, f);
    return status;
}

/* A failure to look (a directory above that may not be searched, say) is no news. */
static bool replaced_on_disk(const struct fs_call *c, const struct fs_folder *f) {
    struct stat st;
    if (c->sys->fstatat(AT_FDCWD, c->fs->marker_path, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT || errno == ENOTDIR;
    return st.st_dev != f->marker_dev || st.st_ino != f->marker_ino;
}

bool fs_folder_is_current(struct fs_call *c) {
    if (replaced_on_disk(c, c->folder))
        return false;
    atomic_store_explicit(&c->fs->checked_ns, c->fs->host->now_ns(), memory_order_relaxed);
    return true;
}

int32_t fs_not_there(struct fs_call *c) {
    return fs_folder_is_current(c) ? LARDER_MISS : FS_MOVED;
}

int32_t fs_folder_get(struct fs_call *c, enum fs_need need) {
    struct fs *fs = c->fs;
    pthread_mutex_lock(&fs->lock);
    c->folder = fs->folder;
    if (c->folder != NULL)
        atomic_fetch_add_explicit(&c->folder->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&fs->lock);

    if (c->folder != NULL) {
        uint64_t checked_ns = atomic_load_explicit(&fs->checked_ns, memory_order_relaxed);
        if (!c->recheck && fs->host->now_ns() < checked_ns + CHECK_EVERY_NS)
            return LARDER_OK;
        if (fs_folder_is_current(c)) {
            c->recheck = false;
            return LARDER_OK;
        }
        c->folder = fs_folder_unref(c->sys, c->folder);
    }

    int32_t status = folder_open(c, need);
    if (status != LARDER_OK) {
        c->folder = fs_folder_unref(c->sys, c->folder);
        return status;
    }
    /* Two lanes may have found it at once: the first one's stays, so that its log is read once. */
    pthread_mutex_lock(&fs->lock);
    struct fs_folder *was = fs->folder;
    if (was != NULL && was->marker_ino == c->folder->marker_ino && was->marker_dev == c->folder->marker_dev) {
        fs->folder = was;
        was = c->folder;
        c->folder = fs->folder;
    } else {
        fs->folder = c->folder;
    }
    atomic_fetch_add_explicit(&c->folder->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&fs->lock);
    fs_folder_unref(c->sys, was);
    atomic_store_explicit(&fs->checked_ns, fs->host->now_ns(), memory_order_relaxed);
    c->recheck = false;
    return LARDER_OK;
}

/* ---- files in it ----------------------------------------------------------------------- */

/* On the way of each get: no snprintf(). */
void fs_path(const char *kind, struct fs_id id, char out[FS_PATH]) {
    enum { SHARD = 2 };
    char name[FS_NAME + 1];
    size_t len = strlen(kind);
    fs_name(id, name);
    assert(len <= FS_PATH - sizeof(name) - SHARD - 2); /* kinds are this driver's own words */
    memcpy(out, kind, len);
    out[len++] = '/';
    memcpy(out + len, name, SHARD);
    out[len + SHARD] = '/';
    memcpy(out + len + SHARD + 1, name, sizeof(name));
}

static int32_t open_step(struct fs_call *c, int dir, const char *name, const char *shown, bool create,
                         int *ret_fd) {
    int err = sys_open(c->sys, dir, name, O_RDONLY | O_DIRECTORY, 0, ret_fd);
    if (err == ENOENT && !create)
        return fs_not_there(c);
    if (err == ENOENT) {
        bool made = false;
        err = sys_mkdir(c->sys, dir, name, c->fs->dir_mode, &made);
        if (err == 0 && made && c->fs->durability == FS_SYNC_FULL)
            err = sys_fsync(c->sys, dir);
        if (err == 0)
            err = sys_open(c->sys, dir, name, O_RDONLY | O_DIRECTORY, 0, ret_fd);
        if (err == ENOENT)
            return FS_MOVED; /* what it should be in has been removed */
    }
    return err == 0 ? LARDER_OK : fs_fail_errno(c, err, create ? "create" : "open", shown);
}

int32_t fs_open_dir(struct fs_call *c, const char *kind, struct fs_id id, bool create, int *ret_fd) {
    char shown[FS_PATH], shard[3];
    int kind_dir = -1;
    snprintf(shard, sizeof(shard), "%02x", (unsigned)(id.hi >> 56));
    snprintf(shown, sizeof(shown), "%s/%s", kind, shard);
    int32_t status = open_step(c, c->folder->root, kind, kind, create, &kind_dir);
    if (status == LARDER_OK)
        status = open_step(c, kind_dir, shard, shown, create, ret_fd);
    sys_close(c->sys, &kind_dir);
    return status;
}

/* The name holds that of the file it is for: whoever gets that file's lock knows that nobody
 * writes it, so a leftover is known at once, without its writer's process id or age. */
int fs_temp_new(struct fs_call *c, int dir, const char *name, char out[FS_TEMP_NAME], int *ret_fd) {
    int err = EEXIST;
    for (int turn = 0; err == EEXIST && turn < 16; turn++) {
        uint64_t n = atomic_fetch_add_explicit(&c->fs->temp_n, 1, memory_order_relaxed);
        snprintf(out, FS_TEMP_NAME, "tmp-%s-%016llx", name, (unsigned long long)n);
        err = sys_open(c->sys, dir, out, O_WRONLY | O_CREAT | O_EXCL, c->fs->file_mode, ret_fd);
    }
    return err;
}

/* ext4 starts writing a file out when it is renamed over another one, so that a power cut leaves
 * one of the two; a put would wait for that, at ten times its cost.  What a power cut leaves is
 * checked on reading here, so the two are exchanged instead, which is as atomic to readers. */
static int move_over(struct fs_call *c, int dir, const char *temp, const char *name, bool sync) {
    if (!sync && c->sys->renameat2(dir, temp, dir, name, RENAME_EXCHANGE) == 0) {
        c->sys->unlinkat(dir, temp, 0); /* the old one; should this fail, it is a leftover */
        return 0;
    }
    return c->sys->renameat2(dir, temp, dir, name, 0) == 0 ? 0 : errno;
}

int fs_replace(struct fs_call *c, int dir, const char *name, struct iovec *parts, int n, bool sync) {
    char temp[FS_TEMP_NAME];
    int fd = -1;
    int err = fs_temp_new(c, dir, name, temp, &fd);
    if (err != 0)
        return err;
    err = sys_writev(c->sys, fd, parts, n);
    if (err == 0 && sync)
        err = sys_fsync(c->sys, fd);
    int close_err = sys_close(c->sys, &fd);
    if (err == 0)
        err = close_err;
    if (err == 0)
        err = move_over(c, dir, temp, name, sync);
    if (err != 0) {
        c->sys->unlinkat(dir, temp, 0);
        return err;
    }
    return sync ? sys_fsync(c->sys, dir) : 0;
}
