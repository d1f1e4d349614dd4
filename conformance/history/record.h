/*
 * The history of one worker: a file of fixed-size records, mapped into the worker's memory, so
 * that what a killed process had recorded is there to the last store.
 *
 * A record is published before its call is made and completed after the answer: begin_ns and
 * end_ns, on the machine's monotonic clock, enclose the call, and end_ns 0 says that nobody
 * knows how it went, or when.  Times of two processes compare.
 *
 * The bytes are those of this machine: a history is read where it was written.
 */
#ifndef HISTORY_RECORD_H
#define HISTORY_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "larder/larder.h"
#include "world.h"

enum { MAX_INGREDIENTS = 5, COMMAND_MAX = 3072 };

enum record_op {
    R_GET = 1,
    R_PUT,
    R_REVALIDATE,
    R_EPOCH, /* the store was asked for its epoch: its namespace is marked from then on */
    R_LOSS,  /* the supervisor's: the tag store was wiped or rolled back */
    R_OPS
};

enum {                     /* record.flags */
       R_WHOLE = 1 << 0,   /* get: bytes, tags and key are those of the version */
       R_JUMPED = 1 << 1,  /* this process's clock was set while the call ran */
       R_ANY = 1 << 2,     /* get: a gone entry is shown too (verdict GONE) */
       R_AGAIN = 1 << 3,   /* put: of a version that a get returned, unchanged */
       R_HURRIED = 1 << 4, /* the caller gives up at once: an error is what it asked for */
};

enum { PHASE_RUN = 0, PHASE_FIRST, PHASE_SECOND }; /* after quiet: a key's first and second get */

/* A version is one rendering's value: the file and the place of the record of its put. */
#define VERSION(file, at) ((uint64_t)(file) << 32 | (uint32_t)(at))
#define VERSION_NONE UINT64_MAX

struct record {
    uint8_t op;
    uint8_t verdict; /* get: LARDER_FRESH ...; 0: none */
    uint8_t flags;
    uint8_t phase;
    int32_t status;
    uint16_t key; /* an entry's number in the world */
    uint8_t n_ingredients;
    uint8_t stale_ingredients; /* put: which of them, as bits, were stale when they were used */
    uint32_t mode;             /* revalidate: LARDER_EXPIRE or LARDER_MAKE_STALE */
    int64_t begin_ns, end_ns;
    int64_t wall_ms, wall_end_ms; /* this process's time of day at both */
    int64_t epoch;    /* put: noted; get with an entry: the entry's; else: known when it was answered */
    uint64_t version; /* put, get with an entry */
    int64_t began_ns; /* put: when rendering began; loss: since when what was written is lost */
    int64_t expire_in_ms;
    uint64_t tags; /* bits: put: the entry's; get: the request's; revalidate: those revalidated */
    uint64_t ingredients[MAX_INGREDIENTS]; /* put: the versions that it was built from */
};
_Static_assert(sizeof(struct record) == 128, "two cache lines");

/* What the files of one run have in common, and what is a file's own. */
struct history_head {
    _Alignas(8) char magic[8]; /* zero until all else is there */
    uint32_t version, record_size;
    uint32_t file, process, incarnation, worker;
    uint64_t seed;
    uint64_t n_records;   /* published; written atomically */
    int64_t wall_base_ms; /* the right time of day when the monotonic clock was 0 */
    struct world world;
    uint32_t calm;     /* nothing disturbs: no call may fail that did not ask for it */
    uint32_t delay_ms; /* the store may see a revalidation so much later */
    uint32_t lossy;    /* marks may be lost: an entry may be gone without a revalidation */
    uint32_t reserved;
    char command[COMMAND_MAX];
};

/* ---- writing ------------------------------------------------------------------------- */

struct recorder {
    struct history_head *head;
    struct record *records;
    size_t room;
    size_t map_len;
};

/* Makes the file; like gives all of its head but what is of the file itself.  false: errno. */
bool recorder_open(struct recorder *r, const char *path, const struct history_head *like, size_t room);
void recorder_close(struct recorder *r);
/* A copy of `call`, published: its place is *ret_at.  NULL: the file is full. */
struct record *recorder_begin(struct recorder *r, const struct record *call, size_t *ret_at);
/* The members of the answer are written: this comes last. */
void recorder_end(struct record *record, int64_t end_ns);

int64_t monotonic_ns(void);

/* ---- reading --------------------------------------------------------------------------- */

struct history_file {
    const struct history_head *head;
    const struct record *records;
    size_t n;
    size_t map_len; /* 0: not mapped by us */
};

struct history {
    struct history_file *files; /* at its number; head NULL: there is none */
    size_t n_files;
};

/* Files, or folders of files named *.history.  false: the reason is in error. */
bool history_open(struct history *h, const char *const *paths, size_t n, char error[256]);
void history_close(struct history *h);
/* NULL: there is no such put. */
const struct record *history_put(const struct history *h, uint64_t version);

#endif
