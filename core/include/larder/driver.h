/*
 * larder/driver.h - the contract between the storage core and one storage driver.
 *
 * A driver is a shared object that exports exactly one function, which
 * LARDER_EXPORT_DRIVER() writes for it.  It links against nothing of ours: every
 * service comes through struct larder_host.  It offers an incremental cache (struct
 * larder_cache_ops), a tag cache (struct larder_tag_ops), or both.
 *
 * THREADS.  All calls into one instance come from the core's I/O thread, one at a
 * time, so a driver needs no locks - except for a driver that says LARDER_BLOCKING
 * (see there).  A host function is marked [io] when only that thread may call it, and
 * [any] otherwise.  No host function calls back into the driver before it returns.
 *
 * ONE OPERATION, ONE COMPLETION.  For every op handed to it the driver calls
 * host->complete(op, ...) exactly once, inside the call or later.  Nothing cancels that
 * duty: not a deadline that has passed, not cancel().  The core answers its own caller
 * when the deadline passes, and drops what the driver says afterwards.
 *
 * GROWTH.  A struct whose first member is `size` may gain members at its end in any
 * release.  Whoever fills it sets size to its own sizeof; whoever reads it touches only
 * members that LARDER_HAS().  Everything else here is frozen for the life of LARDER_ABI.
 * No enum, bool, bit-field, off_t or time_t is stored in a struct, so compiler switches
 * cannot change a layout, and no struct has padding, so LARDER_HAS() never mistakes
 * padding for a member.
 *
 * TEXT is UTF-8.  TIMES: *_ns count on the monotonic clock of host->now_ns(); *_ms are
 * milliseconds since 1970-01-01 UTC.  A driver takes the time of day from op->now_ms and
 * from nowhere else.  64-bit platforms only.
 */
#ifndef LARDER_DRIVER_H
#define LARDER_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LARDER_ABI 1u

#define LARDER_HAS(s, member) \
    ((s)->size >= (size_t)((const char *)(&(s)->member + 1) - (const char *)(s)))

/* ---- bytes ---------------------------------------------------------------- */

struct larder_buf;                   /* reference-counted memory, owned by the core */

struct larder_bytes {                /* borrowed; the lender says for how long */
    const uint8_t *ptr;              /* not NUL-terminated; may be NULL when len is 0 */
    size_t len;
};

struct larder_slice {                /* a view into a larder_buf; immutable once handed on */
    const uint8_t *ptr;
    size_t len;
    struct larder_buf *owner;        /* NULL only when len is 0 */
};

/* ---- outcomes ------------------------------------------------------------- */

/* Chosen by what the caller should do next, not by what went wrong inside. */
enum {
    LARDER_OK          = 0,
    LARDER_MISS        = 1,   /* not stored: an answer, not a failure */
    LARDER_RETRY       = -1,  /* passing fault; every op is idempotent, so repeating is safe */
    LARDER_THROTTLED   = -2,  /* as LARDER_RETRY, but not before retry_after_ms */
    LARDER_DEADLINE    = -3,  /* too late; a write may or may not have happened */
    LARDER_CANCELLED   = -4,  /* cancel() was honoured */
    LARDER_TOO_BIG     = -5,  /* over a limit of the store */
    LARDER_DENIED      = -6,  /* credentials or permissions; repeating will not help */
    LARDER_INVALID     = -7,  /* the request itself is wrong */
    LARDER_CORRUPT     = -8,  /* what is stored cannot be read back */
    LARDER_UNSUPPORTED = -9,
    LARDER_NOMEM       = -10,
    LARDER_INTERNAL    = -11
};

/* ---- operations ----------------------------------------------------------- */

#define LARDER_UNSET INT64_MIN       /* an absent epoch or *_ms */

/* In bump(): "the epoch that this call makes". */
#define LARDER_NEW_EPOCH INT64_MAX

/* Since when the entries that carry `tag` are no good.  Order is told by epochs, numbers
 * that the store itself hands out (see advance), never by clocks; an entry is older than a
 * mark when its epoch is smaller.  See docs/semantics.md. */
struct larder_mark {
    struct larder_bytes tag;
    int64_t expired_epoch;           /* older entries are gone */
    int64_t stale_epoch;             /* older entries are stale ... */
    int64_t expire_at_ms;            /* ... and gone once the clock reaches this */
};

/* Made by the core.  All members, and the memory they point to, stay valid and unchanged
 * until the driver completes the op; a value may be kept longer by taking a reference. */
struct larder_op {
    uint32_t size;
    uint32_t code;                   /* LARDER_OP_*: for logs and metrics; the function called says it */
    uint64_t id;                     /* unique in this process; put it in logs */
    uint64_t deadline_ns;            /* UINT64_MAX: none */
    int64_t now_ms;                  /* the time of day when the op was made */
    uint32_t flags;                  /* LARDER_IF_ABSENT ...; a bit you do not know: LARDER_UNSUPPORTED */
    uint32_t lane;                   /* LARDER_BLOCKING: see larder_info.lanes; else 0 */
    void *scratch[4];                /* the driver's own; all NULL at the start */
    struct larder_bytes key;         /* the entry's key; a tag in keys_of; a prefix in list; a counter
                                        in advance, bump and write */
    struct larder_slice value;       /* put */
    int64_t modified_ms;             /* put: when rendering of the value began */
    int64_t epoch;                   /* put: the epoch that the rendering noted, or a later one (LARDER_NEWEST) */
    int64_t add;                     /* advance: 1 raises the epoch, 0 looks at it */
    int64_t ttl_ms;                  /* put: may be dropped after this; 0: keep */
    const struct larder_mark *marks; /* read, write, bump, link: the tags, without duplicates */
    size_t n_marks;
    struct larder_bytes cursor;      /* paged ops: where the last page ended; len 0: from the start */
    uint64_t limit;                  /* paged ops: a hint of how many emits; 0: the driver's choice */
};

enum {                               /* larder_op.flags */
    LARDER_IF_ABSENT = 1 << 0,       /* put, write: leave what is stored, and say LARDER_MISS */
    LARDER_DRY_RUN   = 1 << 1        /* provision: emit_text() what would be done, and do nothing */
};

/* Paged ops (list, keys_of, list_marks): a cursor is self-contained, good in another
 * instance or process, without time limit.  A page may be empty and still have a cursor.  A
 * record may come twice; one that is there throughout comes at least once. */

struct larder_result {
    uint32_t size;
    int32_t status;
    struct larder_slice value;       /* get: one reference passes to the core; zero unless LARDER_OK */
    int64_t modified_ms;             /* get: exactly what put was given */
    int64_t epoch;                   /* get: exactly what put was given; advance, bump: the new one */
    struct larder_slice cursor;      /* list, keys_of: where to go on; len 0: that was all */
    uint32_t retry_after_ms;
    int32_t native_code;             /* errno, HTTP status: for people, never for logic */
    const char *detail;              /* one line, no secrets; copied; may be NULL */
};

typedef void larder_op_fn(void *instance, struct larder_op *op);

/* The incremental cache: whole values under opaque keys.  get, put and remove are
 * required; NULL elsewhere means that the store cannot do it.  All ops may be repeated. */
struct larder_cache_ops {
    size_t size;
    /* key -> value, modified_ms and epoch, or LARDER_MISS. */
    larder_op_fn *get;
    /* Store value, modified_ms and epoch under key.  Readers see the old entry or the new
     * one, never a mixture, also when the writer dies half-way. */
    larder_op_fn *put;
    /* LARDER_OK whether or not the key was there. */
    larder_op_fn *remove;
    /* Paged: emit_key() for stored keys that begin with key, in any order. */
    larder_op_fn *list;
    /* Optional: take key for the owner named by value, for ttl_ms, if nobody holds it
     * (LARDER_OK) or tell that somebody does (LARDER_MISS); and give it back.  Advisory. */
    larder_op_fn *claim;
    larder_op_fn *release;
};

/* The tag cache.  read, write and advance are required.  The index (link, keys_of, tags_of)
 * is all or nothing; correctness never depends on it, only enumeration does. */
struct larder_tag_ops {
    size_t size;
    /* emit_mark() for each of marks[].tag that has one.  Sees every completed write. */
    larder_op_fn *read;
    /* Merge marks[] into what is stored, each atomically, by the rule of docs/semantics.md.
     *
     * LARDER_LOSSY: a mark that is not there may have been lost, and what is written now may be
     * older than it was: sent long ago, or twice.  So a mark is never made with less than the
     * counter named key says (as advance with add 0; key.len 0: nothing to heed): merge into one
     * whose expired_epoch that is.  It is read while the mark is not there, and no other write of
     * the mark comes between: one script; or a placeholder (which read does not emit), then the
     * counter, then a compare-and-swap of that placeholder. */
    larder_op_fn *write;
    /* The counter named key: answer max(stored + op->add, op->now_ms) in epoch and store it
     * (with add 0: answer what is stored, and create it from now_ms if it is not there).
     * Atomic over all processes. */
    larder_op_fn *advance;
    /* Optional: advance(+1) the counter named key and merge marks[], in which
     * LARDER_NEW_EPOCH stands for the new value, so that nobody sees the one without the
     * other.  NULL: the core makes two rounds of advance and write.  LARDER_LOSSY: a mark that is
     * not there is made as in write, with what the counter said before. */
    larder_op_fn *bump;
    /* key now carries exactly the tags marks[].tag; n_marks 0 forgets the key. */
    larder_op_fn *link;
    /* Paged: emit_key() for the keys that carry the tag `key`. */
    larder_op_fn *keys_of;
    /* emit_mark() with the tag alone for each tag that `key` carries. */
    larder_op_fn *tags_of;
    /* Optional, paged: emit_mark() for stored marks whose tag begins with key. */
    larder_op_fn *list_marks;
};

enum {
    LARDER_OP_GET = 1, LARDER_OP_PUT, LARDER_OP_REMOVE, LARDER_OP_LIST,
    LARDER_OP_CLAIM, LARDER_OP_RELEASE,
    LARDER_OP_TAGS_READ, LARDER_OP_TAGS_WRITE, LARDER_OP_ADVANCE, LARDER_OP_BUMP, LARDER_OP_LINK, LARDER_OP_KEYS_OF, LARDER_OP_TAGS_OF, LARDER_OP_LIST_MARKS,
    LARDER_OP_PING, LARDER_OP_PROVISION, LARDER_OP_EXPLAIN
};

/* ---- what the core offers -------------------------------------------------- */

struct larder_home;                  /* names one instance to the core */
struct larder_watch;
struct larder_timer;
typedef void larder_fn(void *arg);
typedef void larder_fd_fn(void *arg, int fd, uint32_t events);
enum { LARDER_READ = 1, LARDER_WRITE = 2 };
enum { LARDER_LOG_ERROR, LARDER_LOG_WARN, LARDER_LOG_INFO, LARDER_LOG_DEBUG };

struct larder_host {
    uint32_t size;
    uint32_t abi;

    /* [any] Finish op; do not touch op afterwards. */
    void (*complete)(struct larder_op *op, const struct larder_result *res);
    /* [any] Before complete(): add one record to the answer.  Copies.  A status. */
    int32_t (*emit_mark)(struct larder_op *op, const struct larder_mark *mark);
    int32_t (*emit_key)(struct larder_op *op, struct larder_bytes key);
    int32_t (*emit_text)(struct larder_op *op, struct larder_bytes text);
    /* [any] Unasked news: somebody wrote this mark (pub/sub).  Copies.  Its tag as ops have it,
     * namespace included; no LARDER_NEW_EPOCH.  What is remembered of the tag is outdated at once,
     * never made fresher, and nothing is trusted for longer: so news may come late, twice, in any
     * order, before the store shows the mark, of tags nobody asked for, or not at all, and a
     * subscription that breaks need not be told of.  Until close() is called. */
    void (*mark_seen)(struct larder_home *home, const struct larder_mark *mark);

    /* [any] len writable bytes, one reference, in *out; NULL: out of memory.  Write only
     * before *out is handed on. */
    uint8_t *(*buf_new)(size_t len, struct larder_slice *out);
    /* [any] Adopt foreign memory: release(arg) runs once, on any thread, also if this fails
     * (LARDER_NOMEM), and possibly inside this call or buf_unref(). */
    int32_t (*buf_wrap)(const void *ptr, size_t len, larder_fn *release, void *arg,
                        struct larder_slice *out);
    void (*buf_ref)(struct larder_buf *buf);      /* [any] NULL, the owner of what is empty, is allowed */
    void (*buf_unref)(struct larder_buf *buf);    /* [any] NULL is allowed */

    uint64_t (*now_ns)(void);                     /* [any] */
    void (*log)(struct larder_home *home, int32_t level, const char *line);  /* [any] */

    /* [io] Readiness of a descriptor that the driver keeps owning; level-triggered.
     * unwatch before closing the descriptor; after it fn is not called again. */
    struct larder_watch *(*watch)(struct larder_home *home, int fd, uint32_t events,
                                  larder_fd_fn *fn, void *arg);
    int32_t (*rewatch)(struct larder_watch *w, uint32_t events);
    void (*unwatch)(struct larder_watch *w);
    /* [io] A one-shot timer, created idle.  UINT64_MAX stops it. */
    struct larder_timer *(*timer)(struct larder_home *home, larder_fn *fn, void *arg);
    void (*timer_set)(struct larder_timer *t, uint64_t due_ns);
    void (*timer_free)(struct larder_timer *t);
    /* [any] Run fn(arg) soon on the I/O thread. */
    int32_t (*post)(struct larder_home *home, larder_fn *fn, void *arg);
    /* [io] work(arg) on a pool thread, then done(arg) on the I/O thread.  For what would
     * block the I/O thread for more than about 100 us (name resolution, say). */
    int32_t (*offload)(struct larder_home *home, larder_fn *work, larder_fn *done, void *arg);
};

/* ---- what the driver declares ---------------------------------------------- */

enum {                               /* larder_info.traits: claims that the conformance suite tests */
    LARDER_BLOCKING   = 1 << 0,  /* op functions may sleep: they are called on pool threads, at
                                    most `lanes` at once, and complete the op before they return.
                                    No two calls in progress share op->lane, so state kept per
                                    lane needs no lock.  Waits must end by op->deadline_ns. */
    LARDER_SHARED     = 1 << 1,  /* other processes see completed writes */
    LARDER_PERSISTENT = 1 << 2,  /* completed writes survive kill -9 of this process */
    LARDER_TTL        = 1 << 3,  /* ttl_ms is honoured */
    LARDER_NEWEST     = 1 << 4,  /* a put never replaces an entry with a greater epoch */
    LARDER_LOSSY      = 1 << 5,  /* a single mark, or a counter, may be lost (eviction): see write */
    LARDER_DURABLE    = 1 << 6,  /* completed writes of marks and epochs survive any one crash */
    LARDER_LOCAL      = 1 << 7   /* a value comes at the speed of memory or of a local disk: the core
                                    need not make it smaller to make it faster */
};

struct larder_info {                 /* filled by open(); arrives zeroed but for size */
    uint32_t size;
    uint32_t traits;
    uint64_t max_key;                /* bytes; 0: no limit */
    uint64_t max_value;              /* bytes; 0: no limit */
    uint32_t max_marks;              /* records per op; 0: no limit */
    uint32_t max_inflight;           /* ops outstanding; 0: the core's default */
    uint32_t lanes;                  /* LARDER_BLOCKING: concurrent calls; 0: one */
    uint32_t key_bytes;              /* in keys and tags: 0 any byte, 1 UTF-8, 2 printable ASCII */
    uint32_t max_attempts;           /* of a call that fails in passing: the core's `retries` + 1 in this
                                        instance, unless `retries` is 0; 0: as the core is set */
    uint32_t unused;                 /* 0 */
};

enum { LARDER_P_TEXT = 1, LARDER_P_SECRET, LARDER_P_BOOL, LARDER_P_INT, LARDER_P_BYTES, LARDER_P_MS };

struct larder_param {                /* one setting; the core parses and checks it */
    const char *name;                /* "connect-timeout" */
    uint32_t type;                   /* TEXT, SECRET: const char * member; else int64_t */
    uint32_t offset;                 /* of that member in the driver's config struct */
    const char *preset;              /* default, as text; NULL: the setting is required */
    int64_t min, max;                /* bounds of a number, both inclusive */
    const char *choices;             /* TEXT: "a|b|c"; NULL: any */
    const char *env;                 /* names read from the environment, "A|B"; NULL: none but LARDER_* */
    const char *help;                /* one line */
};
/* The setting named "url" (a text) receives what stands before `?` in a configured URL: for a URL
 * that begins with the driver's own name and `:` but not `://`, the rest (`fs:.next/cache` gives
 * ".next/cache"); otherwise all of it ("redis://host:6379", "unix:/run/redis.sock").  A driver
 * that is configured by a path or a plain name gets no url that way.  The values behind `?`
 * arrive percent-decoded, url as it is written. */
#define LARDER_AT(type, member) \
    ((uint32_t)(offsetof(type, member) + \
                0 * sizeof(char[sizeof(((type *)0)->member) == 8 ? 1 : -1])))

#define LARDER_ERROR_SIZE 256        /* bytes at open()'s `error`, NUL included */

struct larder_driver {
    uint32_t size;
    uint32_t abi;                    /* LARDER_ABI */
    uint64_t needs;                  /* features the core must know, else it refuses; 0 */
    const char *name;                /* [a-z0-9-]+ */
    const char *schemes;             /* URL schemes besides name: "rediss|unix|redis+cluster"; or NULL */
    const char *version;
    const char *summary;             /* one line */
    const struct larder_param *params;
    size_t n_params;
    size_t param_size;               /* sizeof(struct larder_param) */
    size_t config_size;              /* sizeof the config struct */
    const struct larder_cache_ops *cache;  /* NULL: no incremental cache here */
    const struct larder_tag_ops *tags;     /* NULL: no tag cache here */

    /* Make an instance, on the I/O thread.  config stays valid until close() returns.  Must
     * not wait for the network.  On failure returns a status < 0, explains in error, and
     * leaves nothing behind; close() is then not called. */
    int32_t (*open)(const struct larder_host *host, struct larder_home *home, const void *config,
                    struct larder_info *info, void **instance, char *error);
    /* On the I/O thread; no op is outstanding, no lane is busy.  Release everything. */
    void (*close)(void *instance);
    /* LARDER_OK once the store answers. */
    larder_op_fn *ping;
    /* Optional.  Create what the store needs (a table, a bucket, a folder); doing it again
     * changes nothing; what exists and does not fit is named exactly. */
    larder_op_fn *provision;
    /* Optional.  emit_text() about the topic named key: "iam" (the smallest policy) ... */
    larder_op_fn *explain;
    /* Optional; never for LARDER_BLOCKING.  The answer is no longer wanted; complete op early
     * if that is cheap.  op stays valid until this returns.  A driver that completes ops on
     * other threads leaves it NULL. */
    larder_op_fn *cancel;
    /* Optional, on the I/O thread.  The burst of calls is over: send what you gathered. */
    void (*flush)(void *instance);
};

#if defined(__GNUC__)
#define LARDER_PUBLIC __attribute__((visibility("default")))
#else
#define LARDER_PUBLIC
#endif

const struct larder_driver *larder_driver_v1(void);
#define LARDER_EXPORT_DRIVER(drv) \
    LARDER_PUBLIC const struct larder_driver *larder_driver_v1(void) { return &(drv); } \
    struct larder_export_driver_needs_a_semicolon

#ifdef __cplusplus
}
#endif
#endif /* LARDER_DRIVER_H */
