/*
 * The inside of the file-system driver.  README.md has the layout of the folder and what is
 * promised; each part says here what it does:
 *
 *     call.c     one op on its way: its folder, its waiting, its error text
 *     folder.c   the root folder: finding, creating and recognising it; file locks
 *     entry.c    entries, claims; list.c: their enumeration
 *     log.c      the log of marks and counters; table.c: its content in memory
 *     tags.c     the tag cache's ops on top of the log
 *     index.c    which key carries which tag
 *     sweep.c    what is expired, left over or too much
 *
 * THREADS.  Ops run on lanes, several at once, and the sweeper on a pool thread.  What they
 * share is struct fs (its lock), struct fs_folder (never changes but for its log) and struct
 * fs_log (its lock).  Processes share the folder's files and agree by file locks.
 */
#ifndef FS_FS_H
#define FS_FS_H

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "larder/driver.h"
#include "log.h"
#include "sys.h"

/* A status of this driver's own, never given to the core: the folder has been replaced by
 * another one meanwhile (rm -rf, mv); the op begins again with that. */
enum { FS_MOVED = 100 };

#define FS_MARKER "larder-fs"
#define FS_LOG "marks"

enum { FS_SECRET = 192, FS_NAME = 32, FS_PAGE = 1000 };

struct fs_config { /* table: params[] in fs.c */
    const char *path;
    int64_t max_size;
    int64_t sweep_interval_ms;
    const char *fsync;
    const char *coherence;
    int64_t mark_max_age_ms;
    int64_t lanes;
    int64_t private;
};

enum fs_durability { FS_SYNC_NONE, FS_SYNC_MARKS, FS_SYNC_FULL };

struct fs_id { /* of a key or tag: XXH3-128 under the folder's secret */
    uint64_t hi, lo;
};

/* The folder as it was found: replaced as a whole when somebody replaces it on the disk. */
struct fs_folder {
    atomic_uint refs;
    int root;   /* the directory */
    int marker; /* the format marker: kept open, so its inode stays its own */
    dev_t marker_dev;
    ino_t marker_ino;
    uint8_t secret[FS_SECRET];
    bool network; /* only close-to-open is coherent here */
    uint32_t n_locks;
    int *locks; /* per lane (and one for the sweeper): the lock file, or -1 */
    struct fs_log log;
};

struct fs {
    const struct larder_host *host;
    struct larder_home *home;
    const struct fs_sys *sys;
    const struct fs_config *config;
    enum fs_durability durability;
    mode_t file_mode, dir_mode;
    uint32_t n_lanes;
    char *root_path; /* absolute */
    char *marker_path, *log_path;

    pthread_mutex_t lock;        /* of folder */
    struct fs_folder *folder;    /* NULL: not found yet */
    _Atomic uint64_t checked_ns; /* when the folder was last known to be the one at root_path */

    _Atomic uint64_t temp_n; /* makes names of temporary files unique */
    _Atomic int64_t seen_ms; /* the last op's time of day: the sweeper's; LARDER_UNSET: none so far */

    struct fs_sweeper *sweeper;
};

/* One op on its way through this driver, or one sweep. */
struct fs_call {
    struct fs *fs;
    struct larder_op *op; /* NULL: a sweep */
    const struct fs_sys *sys;
    struct fs_folder *folder; /* one reference, or NULL */
    uint32_t lane;
    int64_t now_ms;
    uint64_t deadline_ns;
    bool recheck; /* the folder was found to be replaced */
    int32_t native_code;
    int64_t epoch;               /* the answer of advance and bump */
    struct larder_result result; /* of get: value, modified_ms, epoch */
    char cursor[FS_NAME + 1];    /* of paged ops; empty: that was all */
    char detail[200];
};

/* ---- call.c -------------------------------------------------------------------- */

/* Both fill c->detail and return the status, so that `return fs_fail(...)` reads well. */
int32_t fs_fail(struct fs_call *c, int32_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "cannot <verb> <folder>/<file>: <reason and way out>"; file NULL: the folder alone, as in "cannot
 * write an entry in <folder>: ...". */
int32_t fs_fail_errno(struct fs_call *c, int err, const char *verb, const char *file);

/* LARDER_OK, or LARDER_DEADLINE when the op's time is up. */
int32_t fs_in_time(struct fs_call *c);

/* Run fn on the folder: with FS_WRITE it is created where it is not, else fn is not called and
 * the answer is LARDER_MISS.  Repeats it on FS_MOVED. */
enum fs_need { FS_READ, FS_WRITE };
typedef int32_t fs_fn(struct fs_call *c);
int32_t fs_with_folder(struct fs_call *c, enum fs_need need, fs_fn *fn);

/* ---- folder.c -------------------------------------------------------------------- */

/* Sets c->folder: LARDER_OK, LARDER_MISS (FS_READ: there is none), an error. */
int32_t fs_folder_get(struct fs_call *c, enum fs_need need);
struct fs_folder *fs_folder_unref(const struct fs_sys *sys, struct fs_folder *f);
/* Whether c->folder is still the one at its path. */
bool fs_folder_is_current(struct fs_call *c);
/* After ENOENT: LARDER_MISS, or FS_MOVED where the whole folder is gone. */
int32_t fs_not_there(struct fs_call *c);

struct fs_id fs_hash(const struct fs_folder *f, struct larder_bytes key);
uint64_t fs_check(const struct fs_folder *f, const void *ptr, size_t len);
/* 32 hex digits, NUL-terminated; and back. */
void fs_name(struct fs_id id, char out[FS_NAME + 1]);
bool fs_name_parse(const char *name, size_t len, struct fs_id *ret_id);
static inline int fs_id_order(struct fs_id a, struct fs_id b) {
    if (a.hi != b.hi)
        return a.hi < b.hi ? -1 : 1;
    return a.lo < b.lo ? -1 : a.lo > b.lo;
}

/* File locks, in the folder's file `locks`: one byte each.  They wait until the op's deadline;
 * a dead process holds none. */
enum { FS_LOCK_LOG = 0, FS_LOCK_SWEEP = 1 };
int32_t fs_lock(struct fs_call *c, uint64_t at);
/* LARDER_MISS: somebody has it. */
int32_t fs_trylock(struct fs_call *c, uint64_t at);
void fs_unlock(struct fs_call *c, uint64_t at);
/* The lock for writing what is stored under this id. */
static inline uint64_t fs_lock_of(struct fs_id id) {
    return 4096 + (id.lo & (UINT64_MAX >> 2));
}

/* What there is one file per hash of: in 256 directories each, after the name's first byte. */
#define FS_ENTRIES "entries"
#define FS_CLAIMS "claims"
#define FS_KEYS "index-keys" /* key -> its tags */
#define FS_TAGS "index-tags" /* tag -> a directory of names of keys */
enum { FS_PATH = 64 };
/* "entries/XX/<name>" */
void fs_path(const char *kind, struct fs_id id, char out[FS_PATH]);
/* Opens the directory kind/XX below the root, creating both if create.  No symbolic link is
 * followed.  LARDER_MISS: not there.  FS_MOVED: the folder is not there. */
int32_t fs_open_dir(struct fs_call *c, const char *kind, struct fs_id id, bool create, int *ret_fd);

/* A new temporary file in dir for the file `name`, "tmp-<name>-<unique>"; out holds the name. */
enum { FS_TEMP_NAME = 80 };
int fs_temp_new(struct fs_call *c, int dir, const char *name, char out[FS_TEMP_NAME], int *ret_fd);
/* Replaces the file `name` in dir by parts, whole or not at all.  sync: to the disk as well.
 * 0 or an errno value. */
int fs_replace(struct fs_call *c, int dir, const char *name, struct iovec *parts, int n, bool sync);

/* ---- entry.c ---------------------------------------------------------------------- */

fs_fn fs_entry_get, fs_entry_put, fs_entry_remove, fs_entry_list, fs_claim, fs_release;

/* Reads of an entry file what the sweeper wants. */
enum { FS_ENTRY_HEADER = 80 };
struct fs_entry {
    uint64_t key_len, value_at, value_len, key_check, value_check;
    int64_t modified_ms, epoch;
    int64_t expires_ms; /* LARDER_UNSET: never */
};
/* From the first bytes of a file of file_len bytes: false with one line in *ret_why. */
bool fs_entry_parse(const struct fs_folder *f, const uint8_t head[FS_ENTRY_HEADER], uint64_t file_len,
                    struct fs_entry *ret, const char **ret_why);
/* Opens the file `name` in dir and reads its header: LARDER_OK with its length and descriptor;
 * LARDER_MISS; LARDER_CORRUPT.  Leaves the time of last use alone. */
int32_t fs_entry_head(struct fs_call *c, int dir, const char *name, struct fs_entry *ret, uint64_t *ret_len,
                      int *ret_fd);
/* Makes the file `name` in dir an entry of key and value; the lock of the name is held.  Of
 * `times`, the three times count.  FS_MOVED: dir has been removed. */
int32_t fs_entry_write(struct fs_call *c, int dir, const char *name, struct larder_bytes key,
                       struct larder_bytes value, const struct fs_entry *times);
static inline bool fs_entry_expired(const struct fs_entry *e, int64_t now_ms) {
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): filled where fs_entry_head() says OK */
    return e->expires_ms != LARDER_UNSET && e->expires_ms <= now_ms;
}

/* ---- tags.c, index.c ---------------------------------------------------------------- */

fs_fn fs_tags_read, fs_tags_write, fs_advance, fs_bump, fs_list_marks;
fs_fn fs_link, fs_keys_of, fs_tags_of;
/* The record of the key with this id is forgotten; the lock of the id is held.  Best effort. */
void fs_index_forget(struct fs_call *c, struct fs_id id);
/* Removes names that no record backs, and records not renewed for mark-max-age. */
void fs_index_sweep(struct fs_call *c, const atomic_bool *stop);

/* ---- sweep.c ------------------------------------------------------------------------- */

/* [io] NULL: no memory. */
struct fs_sweeper *fs_sweeper_new(struct fs *fs);
/* [io] Ends a running sweep. */
struct fs_sweeper *fs_sweeper_free(struct fs_sweeper *s);
/* One sweep, here and now; the thread's own, apart from lanes. */
void fs_sweep(struct fs_sweeper *s, struct fs *fs);
/* [any] The folder has grown by so many bytes; urgent: the disk is full. */
void fs_sweeper_grown(struct fs_sweeper *s, uint64_t bytes);
void fs_sweeper_urge(struct fs_sweeper *s);
/* What a file of this length counts for max-size: whole blocks. */
static inline uint64_t fs_footprint(uint64_t len) {
    return (len + 4095) & ~(uint64_t)4095;
}

/* ---- fs.c ------------------------------------------------------------------------------ */

/* open() with a table of system calls: for tests. */
int32_t fs_open_with(const struct fs_sys *sys, const struct larder_host *host, struct larder_home *home,
                     const void *config, struct larder_info *info, void **instance, char *error);
extern const struct larder_driver fs_driver;
void fs_call_init(struct fs_call *c, struct fs *fs, struct larder_op *op);

#endif
