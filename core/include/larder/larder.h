/*
 * larder/larder.h - the storage core as its users see it: bindings, the command line, tests.
 *
 * A *store* is a configured pair of an incremental cache and a tag cache, each served by a
 * driver (driver.h) below the core's layers.  One request, one answer:
 *
 *     larder_submit(store, &request, done, arg);      asynchronous
 *     larder_call(store, &request, &answer);          waits; for tools and tests
 *
 * THREADS.  Every function may be called from any thread, except where it says otherwise.
 * `done` runs on the core's I/O thread, never inside larder_submit(), exactly once; it must
 * not block and must not call larder_call() or larder_close() on the same process.
 *
 * MEMORY.  An answer lives for the duration of `done`; larder_answer_ref() keeps it, and all
 * it points to, for as long as wanted; larder_answer_buf() keeps what one part lies in.
 *
 * VERSIONS.  Until 1.0 this header may change in any release; driver.h alone carries an ABI
 * promise.  What the values mean - marks, epochs, verdicts - is docs/semantics.md.
 */
#ifndef LARDER_H
#define LARDER_H

#include "larder/driver.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LARDER_API __attribute__((visibility("default")))

LARDER_API const char *larder_version(void);

/* The class of an outcome as a word ("miss", "deadline"); "unknown" for anything else. */
LARDER_API const char *larder_status_name(int32_t status);

/* ---- errors that people read ------------------------------------------------- */

#define LARDER_ERROR_TEXT 512

struct larder_error {
    int32_t status;                  /* a class of driver.h */
    char text[LARDER_ERROR_TEXT];    /* one line that names the thing, the place and the way out */
};

/* ---- configuration ------------------------------------------------------------ */

/* Settings collected from several places, the later winning; checked by larder_open() or
 * larder_config_check().  Names: a store setting ("namespace"), "cache" and "tags" (a URL or
 * a driver's name), and "cache.NAME" or "tags.NAME" for a setting of that driver.  Not for
 * use from two threads at once. */
struct larder_config;

LARDER_API struct larder_config *larder_config_new(void);               /* NULL: no memory */
LARDER_API struct larder_config *larder_config_free(struct larder_config *config);

/* One setting.  `where` says where it came from, for error messages ("larder.json"). */
LARDER_API int32_t larder_config_set(struct larder_config *config, const char *name, const char *value,
                                     const char *where, struct larder_error *error);
/* A JSON object: {"cache": "fs:dir" | {"driver": "fs", ...}, "tags": ..., "namespace": ...}. */
LARDER_API int32_t larder_config_json(struct larder_config *config, const char *text, size_t len,
                                      const char *where, struct larder_error *error);
/* The file at path; with path NULL the one that LARDER_CONFIG names, else ./larder.json,
 * which may be absent. */
LARDER_API int32_t larder_config_file(struct larder_config *config, const char *path,
                                      struct larder_error *error);
/* LARDER_NAMESPACE, LARDER_CACHE, LARDER_CACHE_PASSWORD ...: the setting's name in capitals
 * with _ for - and for the dot. */
LARDER_API int32_t larder_config_env(struct larder_config *config, struct larder_error *error);
/* Loads the drivers and checks every setting, opening nothing. */
LARDER_API int32_t larder_config_check(const struct larder_config *config, struct larder_error *error);
/* The effective configuration as one JSON object, secrets as "***", in *ret_json (free() it). */
LARDER_API int32_t larder_config_print(const struct larder_config *config, char **ret_json,
                                       struct larder_error *error);

/* ---- drivers ------------------------------------------------------------------- */

/* Find driver `name` - its name, one of its URL schemes, or a path with a slash - load and
 * check it.  Drivers stay loaded for the life of the process. */
LARDER_API int32_t larder_driver_find(const char *name, const struct larder_driver **ret_driver,
                                      struct larder_error *error);
/* Calls fn for each loadable driver on the search path (driver set) and for each file there
 * that is refused (driver NULL, error set). */
LARDER_API void larder_driver_each(void (*fn)(void *arg, const char *path, const struct larder_driver *driver,
                                              const struct larder_error *error),
                                   void *arg);

/* The settings of a store, in the shape of a driver's, for help texts and documentation. */
LARDER_API const struct larder_param *larder_store_params(size_t *ret_n);

/* For programs with options of their own: reads value as a setting of this type and these bounds
 * is read ("10min", "64MB"); a number, or 0 or 1, goes to *ret_number.  The error says what is
 * allowed: '5 parsecs' is not a duration: ... */
LARDER_API int32_t larder_param_read(const struct larder_param *param, const char *value, int64_t *ret_number,
                                     struct larder_error *error);
/* Of n names the one most like what was written, for "did you mean"; NULL where none is near. */
LARDER_API const char *larder_nearest(const char *written, const char *const *names, size_t n);

/* ---- a store -------------------------------------------------------------------- */

struct larder_store;

/* Checks the configuration and loads the drivers; does not wait for a backend.  A driver
 * instance that cannot be opened yet is tried again, at most once a second, when requests
 * come in; they are answered with the reason meanwhile. */
LARDER_API int32_t larder_open(const struct larder_config *config, struct larder_store **ret_store,
                               struct larder_error *error);
/* Refuses new requests, lets running ones end (each has a deadline), closes the drivers and
 * waits for that.  NULL is allowed. */
LARDER_API void larder_close(struct larder_store *store);

/* Waits until every request accepted so far is answered, at most timeout_ms.  1: all are; 0: not. */
LARDER_API int larder_drain(struct larder_store *store, uint32_t timeout_ms);

/* What a render that begins now notes, readable without a call for as long as the store is open:
 * an aligned double, written atomically; 0 before any is known.  It is the greatest epoch that this
 * process knows, or, with `mark-age`, that the latest answer of a get told. */
LARDER_API const double *larder_epoch_cell(const struct larder_store *store);
/* How many revalidations through this store have ended, or wait to be tried again, in the same way:
 * while it stands, none of this process has outdated what an answer's trusted_until_ns says. */
LARDER_API const double *larder_changes_cell(const struct larder_store *store);
/* What a binding may keep of answers, to give them again without asking while they are trusted
 * (trusted_until_ns, larder_changes_cell()).  From `mark-age`, `memory` and `memory-share`. */
struct larder_keeping {
    uint64_t max_bytes;              /* in each place that keeps any: half of `memory`; 0: none */
    uint64_t max_ms;                 /* no answer is trusted for longer */
    uint32_t share_binary;           /* 1: binary parts, too, may be given to several readers */
    uint32_t reserved;
};

LARDER_API void larder_keeping(const struct larder_store *store, struct larder_keeping *ret);
/* How long a binding lets a framework wait for a put (`set-wait`): the put goes on, to its own end. */
LARDER_API uint64_t larder_set_wait_ms(const struct larder_store *store);
/* n gets were answered by what a binding kept: they count as hits, from memory. */
LARDER_API void larder_count_kept(struct larder_store *store, uint64_t n);
/* The greatest epoch that this process knows.  Not what a render notes, where `mark-age` is greater
 * than 0, unless all that it is made of is read after a revalidation of this process has ended. */
LARDER_API int64_t larder_epoch_known(const struct larder_store *store);
/* The greatest epoch that this process knew age_ms ago; 0 when that is longer ago than the
 * store remembers. */
LARDER_API int64_t larder_epoch_at(const struct larder_store *store, double age_ms);

/* ---- requests -------------------------------------------------------------------- */

/* What an entry is to Next.js, as far as it decides where it lives.  PAGE covers app pages,
 * route handlers, pages-router pages, redirects and null values. */
enum { LARDER_PAGE = 1, LARDER_FETCH, LARDER_IMAGE, LARDER_USE_CACHE, LARDER_N_KINDS };

/* "page", "fetch", "image", "use-cache"; NULL for another number. */
LARDER_API const char *larder_kind_name(uint32_t kind);

enum {
    LARDER_DO_GET = 1,     /* build kind key tags flags          -> verdict entry epoch            */
    LARDER_DO_PUT,         /* entry build flags                  -> OK, or MISS: it was not stored */
    LARDER_DO_REMOVE,      /* build kind key                     -> OK                             */
    LARDER_DO_LIST,        /* prefix(key) cursor limit           -> keys cursor                    */
    LARDER_DO_READ_TAGS,   /* tags                               -> marks epoch                    */
    LARDER_DO_REVALIDATE,  /* tags mode expire_in_ms             -> epoch                          */
    LARDER_DO_CHECK,       /* tags epoch                         -> verdict epoch                  */
    LARDER_DO_EPOCH,       /*                                    -> epoch (asks the store)         */
    LARDER_DO_LINK,        /* build kind key tags                -> OK                             */
    LARDER_DO_KEYS_OF,     /* tags[0] cursor limit               -> keys cursor                    */
    LARDER_DO_TAGS_OF,     /* build kind key                     -> marks (tags alone)             */
    LARDER_DO_LIST_TAGS,   /* prefix(key) cursor limit           -> marks cursor                   */
    LARDER_DO_PING,        /*                                    -> OK once both stores answer     */
    LARDER_DO_PROVISION,   /* flags(DRY_RUN)                     -> text                           */
    LARDER_DO_EXPLAIN,     /* key: the topic                     -> text                           */
    LARDER_DO_BUILDS,      /*                                    -> builds                         */
    LARDER_DO_NOTE_BUILD   /* build mode                         -> OK, or MISS: nothing to change */
};

/* larder_request.flags */
enum {
    LARDER_F_IF_ABSENT = 1 << 0,     /* PUT: leave what is stored, answer LARDER_MISS */
    LARDER_F_DRY_RUN = 1 << 1,       /* PROVISION */
    LARDER_F_V8 = 1 << 2,            /* GET: texts as LATIN1 or UTF16, as V8 takes them uncopied */
    LARDER_F_ANY = 1 << 3,           /* GET: give a gone entry too (verdict GONE); for tools */
    LARDER_F_RENDER = 1 << 4,        /* GET: a miss or gone will be rendered: make sure of the epoch */
    LARDER_F_KEEP_TRYING = 1 << 5,   /* REVALIDATE: if it fails, it is tried again until it succeeds; this
                                        process treats the tags as marked meanwhile */
    LARDER_F_OWN_BINARY = 1 << 6,    /* GET: binary parts are in memory of this answer alone, which the
                                        reader may write into */
    LARDER_F_TELL = 1 << 7,          /* PUT, REMOVE: what is replaced is outdated though no tag of it was
                                        revalidated: no process answers with it from memory any more */
    LARDER_F_LISTED = 1 << 8,        /* GET, REMOVE: key and build are those of a larder_listed; a hash in
                                        place of the key is taken as it is (GET: the answer has the key) */
    LARDER_F_TRACE = 1 << 9,         /* the answer has steps; they are not written to the log */
    LARDER_F_DELIVERS = 1 << 10,     /* larder_answer_delivered() will be called, and ends a trace */
    LARDER_F_RENEWS = 1 << 11        /* PUT: what was rendered before this put, by whichever process, and
                                        arrives later does not replace it (drivers with LARDER_NEWEST).  Where
                                        that cannot be had the put is done all the same, and fails */
};

/* larder_request.mode, REVALIDATE */
enum {
    LARDER_EXPIRE = 0,     /* entries with these tags are gone from now on */
    LARDER_MAKE_STALE = 1  /* they are stale, and gone after expire_in_ms (LARDER_UNSET: never) */
};

/* larder_request.mode, NOTE_BUILD.  The record of the namespace's builds is one small entry of its own, which
 * no list shows; no promise depends on it. */
enum {
    LARDER_BUILD_SEEN = 0, /* a process of it runs: it is first now, unless that was noted within the hour */
    LARDER_BUILD_CURRENT,  /* it is first, at once: it is being deployed */
    LARDER_BUILD_FORGET    /* it is not in the record any more */
};
enum { LARDER_MAX_BUILDS = 64, LARDER_MAX_BUILD_ID = 1024 };   /* in the record; bytes */

/* Text parts are stored as UTF-8, generalised so that a lone surrogate survives (WTF-8). */
enum { LARDER_BINARY = 0, LARDER_UTF8 = 1, LARDER_UTF16 = 2, LARDER_LATIN1 = 3 };

struct larder_part {
    struct larder_bytes name;        /* "html", "segmentData:/_tree" ... */
    struct larder_bytes data;        /* UTF16: 2-byte aligned, native order */
    uint32_t encoding;
    uint32_t reserved;
};

#define LARDER_FOREVER INT64_MAX     /* revalidate_ms: `false`; expire_ms: Infinity */

struct larder_entry {
    uint32_t kind;
    uint32_t n_parts;
    struct larder_bytes key;         /* any bytes, any length */
    struct larder_bytes meta;        /* JSON for the binding: whatever is not in parts; opaque here */
    int64_t epoch;                   /* noted when rendering began; see docs/semantics.md */
    int64_t modified_ms;             /* when rendering began */
    int64_t revalidate_ms;           /* cacheControl, for the binding; LARDER_UNSET: none given */
    int64_t expire_ms;               /* the same; the store keeps an entry at least this long */
    const struct larder_bytes *tags; /* without duplicates */
    size_t n_tags;
    const struct larder_part *parts; /* two with the same pointer and length are stored once */
};

/* Members that a request's code does not use are ignored; zero is a good value for them.
 * PUT borrows entry, and everything it points to, until `done`; all else is copied. */
struct larder_request {
    uint32_t code;                   /* LARDER_DO_* */
    uint32_t flags;
    uint32_t kind;
    uint32_t mode;
    struct larder_bytes build;       /* build id; len 0: the store's setting `build` */
    struct larder_bytes key;
    const struct larder_bytes *tags; /* GET: those of the request: ctx.tags and soft tags */
    size_t n_tags;
    const struct larder_entry *entry;
    int64_t epoch;
    int64_t expire_in_ms;
    struct larder_bytes cursor;
    uint64_t limit;
    uint32_t deadline_ms;            /* 0: the store's setting for this code */
    uint32_t reserved;
};

/* RENEWING: serve it, render nothing, and ask again soon: it is old, but another process renders it just now
 * (setting claim), or marks cannot be read and it is what this process knows (setting on-outage). */
enum { LARDER_FRESH = 1, LARDER_STALE, LARDER_GONE, LARDER_RENEWING };

struct larder_listed {               /* where an entry lives */
    struct larder_bytes build;       /* "shared" for kinds that builds share */
    uint32_t kind;
    uint32_t hashed;                 /* 1: key is "~" and a hash; the full key is in the entry */
    struct larder_bytes key;
};

struct larder_build {                /* that was noted */
    struct larder_bytes id;
    int64_t first_ms;                /* when, for the first time and for the last; UTC, by the noting clocks */
    int64_t seen_ms;
};

struct larder_step {                 /* of what happened to a request */
    uint64_t at_ns;                  /* since larder_submit() */
    const char *text;
};

struct larder_answer {
    int32_t status;                  /* GET: OK with entry and verdict, MISS (also: gone), or an error */
    uint32_t verdict;                /* GET, CHECK: LARDER_FRESH ... ; a GET that is gone: MISS + GONE */
    const struct larder_entry *entry;      /* GET with LARDER_OK, or with F_ANY */
    int64_t epoch;                   /* the greatest epoch known when this was answered */
    const struct larder_mark *marks;
    size_t n_marks;
    const struct larder_listed *keys;
    size_t n_keys;
    struct larder_bytes cursor;      /* len 0: that was all */
    struct larder_bytes text;
    uint32_t retry_after_ms;
    int32_t native_code;
    const char *detail;              /* one line about an error; "" otherwise; never a secret */
    uint64_t trusted_until_ns;       /* GET, fresh: the same may be answered again without asking until
                                        then (CLOCK_MONOTONIC); 0: not at all.  See mark-age. */
    const struct larder_step *steps; /* F_TRACE; at most 64 */
    size_t n_steps;
    const struct larder_build *builds;     /* the one that was noted last comes first: it is the current one */
    size_t n_builds;
};

typedef void larder_answer_fn(void *arg, const struct larder_answer *answer);

/* LARDER_OK: done will be called.  LARDER_NOMEM, LARDER_INVALID (or closing): it will not. */
LARDER_API int32_t larder_submit(struct larder_store *store, const struct larder_request *request,
                                 larder_answer_fn *done, void *arg);
/* Waits for the answer and returns its status.  *ret_answer (may be NULL) is one reference. */
LARDER_API int32_t larder_call(struct larder_store *store, const struct larder_request *request,
                               const struct larder_answer **ret_answer);

LARDER_API const struct larder_answer *larder_answer_ref(const struct larder_answer *answer);
LARDER_API const struct larder_answer *larder_answer_unref(const struct larder_answer *answer); /* NULL */

/* The memory that a part of the answer's entry lies in, *ret_len bytes, which then lives on without the rest of
 * the answer: one reference, for larder_buf_unref().  NULL: ptr is in none of them. */
LARDER_API struct larder_buf *larder_answer_buf(const struct larder_answer *answer, const void *ptr, size_t *ret_len);
LARDER_API void larder_buf_unref(struct larder_buf *buf);

/* The steps as a block of lines for people, as the setting `trace` writes it to the log; free() it.
 * NULL: the request was not traced, or there is no memory. */
LARDER_API char *larder_trace_text(const struct larder_answer *answer);
/* With LARDER_F_DELIVERS: whoever asked has the answer now.  Once, while the store is open; any thread.
 * If the setting `trace` chose the request, it is written to the log here and not before. */
LARDER_API void larder_answer_delivered(const struct larder_answer *answer);

/* ---- counters ---------------------------------------------------------------------- */

struct larder_stats {                /* since the store was opened */
    uint64_t gets, hits, stale, gone, misses, get_errors;
    uint64_t puts, put_errors, removes;
    uint64_t revalidations, revalidation_errors;
    uint64_t mark_reads, marks_read, epoch_reads;   /* calls of the tag store, and marks asked for */
    uint64_t corrupt;                /* entries that could not be verified: answered as misses */
    uint64_t deadlines;              /* requests answered because their time was up */
    uint64_t late;                   /* calls of a driver that came back after their deadline */
    uint64_t bytes_read, bytes_written;
    uint64_t inflight;               /* requests not answered yet */
    int64_t epoch;
    uint64_t memory_hits;            /* gets that were answered from this process's memory */
    uint64_t joined;                 /* gets that shared a read of another, or waited for a put */
    uint64_t memory_entries, memory_bytes;   /* in memory now */
    uint64_t journal_pending;        /* revalidations that failed and are tried again */
    uint64_t journal_kept, journal_repeats;  /* that ever were, and attempts made */
    uint64_t outage_served;          /* gets answered though marks could not be read (on-outage) */
    uint64_t outage_unstored;        /* puts not stored, since they may be built from such answers */
    uint64_t marks_made;             /* marks that a get did not find in a lossy tag store, and made */
};

LARDER_API void larder_stats(const struct larder_store *store, struct larder_stats *ret_stats);

enum {
    LARDER_COUNTER,                  /* only grows; over several processes it adds up */
    LARDER_GAUGE,                    /* how many there are now; it adds up, too */
    LARDER_LEVEL                     /* does not add up: of several, the greatest says most */
};
struct larder_field {                /* a number of 64 bits in a struct of counters */
    const char *name;                /* as JSON and JavaScript have it: "getErrors" */
    size_t at;                       /* so many bytes into the struct */
    uint32_t kind;
};
LARDER_API int64_t larder_field_read(const struct larder_field *field, const void *counters);
/* Every member of struct larder_stats. */
LARDER_API const struct larder_field *larder_stats_fields(size_t *ret_n);

/* Durations in buckets of equal relative width: [0] below 64 ns, then 16 for each power of two
 * (so a value is known to 6.25 %), the last from 68.7 s on.  The buckets are the same everywhere,
 * so histograms of several processes add up exactly. */
enum { LARDER_N_BUCKETS = 482 };

struct larder_histogram {
    uint64_t count;                  /* of all buckets */
    uint64_t sum_ns;
    uint64_t max_ns;
    uint64_t buckets[LARDER_N_BUCKETS];
};

/* What bucket i holds is below this; UINT64_MAX for the last. */
LARDER_API uint64_t larder_bucket_limit_ns(size_t i);
/* One more duration, for programs that measure themselves.  Not atomic: one thread at a time. */
LARDER_API void larder_histogram_record(struct larder_histogram *h, uint64_t ns);
LARDER_API void larder_histogram_add(struct larder_histogram *to, const struct larder_histogram *from);
/* The upper limit of the bucket that the q-quantile (0 to 1) is in, at most max_ns; 0 where empty. */
LARDER_API uint64_t larder_histogram_quantile(const struct larder_histogram *h, double q);

/* Whole requests, from larder_submit() to their answer, by what they were and found. */
enum {
    LARDER_TIMED_GET_MEMORY,         /* GET: an entry that was in this process's memory; its marks were read */
    LARDER_TIMED_GET_STORE,          /* an entry that the store had */
    LARDER_TIMED_GET_NOTHING,        /* no entry: a miss, gone, or an error */
    LARDER_TIMED_PUT,
    LARDER_TIMED_REVALIDATE,
    LARDER_N_TIMED
};
/* "get-memory", "get-store", "get-nothing", "put", "revalidate"; NULL for another number. */
LARDER_API const char *larder_timed_name(uint32_t timed);

/* What follows is about driver instances: one row for each, filled below the store's requests by
 * the layers retry, breaker and meter.  One op of a request may be several attempts here. */

/* "get", "tags-read" ... for LARDER_OP_*; NULL for another number. */
LARDER_API const char *larder_op_name(uint32_t code);

enum { LARDER_N_OPS = LARDER_OP_EXPLAIN + 1 };         /* LARDER_OP_* as an index; 0 is no op */
enum { LARDER_N_CLASSES = 2 - LARDER_INTERNAL };       /* LARDER_CLASS(status) as an index */
#define LARDER_CLASS(status) ((uint32_t)((status) >= 0 ? (status) : 1 - (status)))
#define LARDER_STATUS_OF(index) ((int32_t)(index) <= 1 ? (int32_t)(index) : 1 - (int32_t)(index))

struct larder_op_metrics {           /* attempts of one LARDER_OP_* that have come back */
    uint64_t answers[LARDER_N_CLASSES];
    uint64_t bytes_sent;             /* of values */
    uint64_t bytes_received;
    uint64_t records;                /* marks and keys that were emitted */
    struct larder_histogram latency; /* from the driver's queue to the driver's answer */
};

enum { LARDER_BREAKER_OFF, LARDER_BREAKER_CLOSED, LARDER_BREAKER_OPEN, LARDER_BREAKER_HALF_OPEN };

struct larder_breaker_metrics {
    uint64_t state;                  /* LARDER_BREAKER_* */
    int64_t since_ms;                /* when that state began; UTC; 0: at the start */
    uint64_t opened;                 /* how often */
    uint64_t refused;                /* calls answered at once while open */
    uint64_t probes;                 /* pings sent while open */
    uint64_t failures;               /* answers and silences that counted against the driver */
    uint64_t stuck;                  /* those that were silences: calls out past their deadline */
    char reason[256];                /* why it is, or was last, open; "" if it never was */
};

struct larder_retry_metrics {
    uint64_t retries;                /* attempts after the first */
    uint64_t recovered;              /* ops that a retry made good */
    uint64_t exhausted;              /* ops that failed although attempts, time or tokens were used up */
    uint64_t without_tokens;         /* of those: because the bucket was empty */
    uint64_t throttled;              /* answers that asked for less */
    uint64_t waiting;                /* ops between two attempts, or held back, now */
    uint64_t tokens;                 /* in the bucket now */
    uint64_t pace_ns;                /* least time between two calls now; 0: as they come */
};

struct larder_instance_metrics {
    const char *role;                /* "cache", "tags", or "cache+tags" for one that is both */
    const char *driver;              /* its name; good while the store is open */
    uint64_t inflight;               /* ops with the driver or in its queue */
    uint64_t queued;                 /* those in its queue, over its max_inflight */
    uint64_t faults;                 /* injected by the setting `fault` */
    struct larder_retry_metrics retry;
    struct larder_breaker_metrics breaker;
    struct larder_op_metrics ops[LARDER_N_OPS];
};

/* Every number in struct larder_instance_metrics but those of its ops: "queued", "breakerOpened" ... */
LARDER_API const struct larder_field *larder_instance_fields(size_t *ret_n);
/* "off", "closed", "open", "half-open"; NULL for another number. */
LARDER_API const char *larder_breaker_name(uint64_t state);

struct larder_metrics {
    const char *ns;                  /* the namespace; good while the store is open */
    int64_t pid;                     /* of the process that counted this */
    int64_t up_ms;                   /* since the store was opened */
    struct larder_stats stats;
    struct larder_histogram requests[LARDER_N_TIMED];
    uint64_t n_instances;
    struct larder_instance_metrics *instances;   /* in the same block of memory */
};

/* A copy of all counters at about this moment (single numbers are whole, sums may differ by what
 * is under way); free it with larder_metrics_free().  NULL: no memory.  About 20 KB, and 70 KB
 * a row. */
LARDER_API struct larder_metrics *larder_metrics(const struct larder_store *store);
LARDER_API struct larder_metrics *larder_metrics_free(struct larder_metrics *metrics);   /* NULL */

struct larder_label {                /* both in UTF-8; a name of letters, digits, '.' and '_' */
    const char *name;
    const char *value;
};
enum { LARDER_PROMETHEUS = 1, LARDER_OTLP_JSON };
/* All of it as text for a scraper, or as OpenTelemetry's /v1/metrics takes it, with these labels on
 * every point ("namespace", "host" ...).  free() it.  NULL: no memory, or no such format. */
LARDER_API char *larder_metrics_text(const struct larder_metrics *metrics, uint32_t format,
                                     const struct larder_label *labels, size_t n_labels);

struct larder_metrics_source {       /* one of several processes, told apart by its labels */
    const struct larder_metrics *metrics;
    const struct larder_label *labels;
    size_t n_labels;
};
/* The same of several: each metric once, with the points of all. */
LARDER_API char *larder_metrics_text_of(const struct larder_metrics_source *sources, size_t n,
                                        uint32_t format);

/* All of it as one JSON object, histograms with their buckets, as a running store tells it to whoever
 * asks (below).  free() it.  NULL: no memory.
 *
 *     {"larder": "0.1.0", "pid": 4711, "upMs": 7200000, "namespace": "shop",
 *      "stats": {"gets": 10, ...},                            larder_stats_fields()
 *      "requests": {"get-memory": HISTOGRAM, ...},            larder_timed_name()
 *      "instances": [{"role": "cache+tags", "driver": "fs", "breaker": "closed", "breakerReason": "",
 *                     "queued": 0, ...,                       larder_instance_fields()
 *                     "ops": {"get": {"answers": {"ok": 9}, "bytesSent": 0, "bytesReceived": 4096,
 *                                     "records": 0, "latency": HISTOGRAM}, ...}}, ...]}
 *
 * HISTOGRAM: {"count": 3, "sumNs": 900, "maxNs": 400, "p50Ns": 300, "p95Ns": 400, "p99Ns": 400,
 * "buckets": [[INDEX, COUNT], ...]}, without what is empty.  Ops that were never called are left out. */
LARDER_API char *larder_metrics_json(const struct larder_metrics *metrics);

/* ---- running processes --------------------------------------------------------------- */

/* A store whose setting `live` is a folder, or `auto`, listens there on a socket that only its own
 * user may connect to.  Whoever writes the line "metrics" gets larder_metrics_json() and the end of
 * the stream; anything else just the end.
 *
 * Calls fn with a connected, non-blocking socket of each such store, which is fn's to close, in no
 * order; sockets that a dead process left are removed.  `off` counts as `auto` here: the asker's own
 * setting says nothing of others.  LARDER_MISS: there is no such folder.  LARDER_DENIED: it belongs to
 * somebody else, or others may write there. */
LARDER_API int32_t larder_live_each(const struct larder_config *config, void (*fn)(void *arg, int fd),
                                    void *arg, struct larder_error *error);
/* That folder, as a path for people; free() it. */
LARDER_API int32_t larder_live_folder(const struct larder_config *config, char **ret_path,
                                      struct larder_error *error);

/* ---- the journal's folder ------------------------------------------------------------ */

struct larder_journal_waiting {      /* revalidations that wait in files */
    uint64_t of_living;              /* of processes that go on trying */
    uint64_t of_ended;               /* left behind: who opens the store next on this machine takes them over */
};
/* Looks into a folder of the setting `journal`, for one namespace, and changes nothing.  A folder that
 * is not there has nothing waiting.  LARDER_DENIED or LARDER_INTERNAL: it cannot be read, and why. */
LARDER_API int32_t larder_journal_look(const char *folder, const char *ns,
                                       struct larder_journal_waiting *ret_waiting, struct larder_error *error);

/* ---- entries as bytes ------------------------------------------------------------------ */

/* An entry and its stored form, which checks itself (docs/frame.md); for archives and tools. */
struct larder_frame;

/* LARDER_NOMEM; LARDER_INVALID: no entry that could be stored (see larder_part). */
LARDER_API int32_t larder_frame_encode(const struct larder_entry *entry, struct larder_frame **ret_frame);
/* Copies.  LARDER_CORRUPT: not what was encoded; LARDER_MISS: of a version that is newer than this core;
 * LARDER_NOMEM.  Texts come as LARDER_UTF8. */
LARDER_API int32_t larder_frame_decode(struct larder_bytes bytes, struct larder_frame **ret_frame);
/* Both live as long as the frame. */
LARDER_API struct larder_bytes larder_frame_bytes(const struct larder_frame *frame);
LARDER_API const struct larder_entry *larder_frame_entry(const struct larder_frame *frame);
LARDER_API struct larder_frame *larder_frame_free(struct larder_frame *frame);   /* NULL; answers NULL */

/* How long a frame says it is, from its first LARDER_FRAME_HEAD bytes; 0: they begin no frame.  Nothing
 * is verified yet: do not allocate so much on its word alone. */
enum { LARDER_FRAME_HEAD = 16 };
LARDER_API uint64_t larder_frame_length(const uint8_t head[LARDER_FRAME_HEAD]);

/* ---- the log ------------------------------------------------------------------------------ */

/* Lines for people (levels of driver.h), without a line break at their end and without secrets.
 * Process-wide; NULL: none, which is the default.  Which levels are wanted is the setting `log`;
 * lines that repeat, and more than 50 in 10 s, are held back and counted.  log() runs on any
 * thread, also on several at once, and must not block, nor call larder_set_log(), which waits until
 * the function that it replaces has returned. */
LARDER_API void larder_set_log(void (*log)(void *arg, int32_t level, const char *line), void *arg);
/* "error", "warn", "info", "debug"; NULL for another number. */
LARDER_API const char *larder_log_level_name(int32_t level);

#ifdef __cplusplus
}
#endif
#endif /* LARDER_H */
