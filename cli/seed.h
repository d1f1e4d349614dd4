/* What the parts of `larder seed` share. */
#ifndef CLI_SEED_H
#define CLI_SEED_H

#include "cli.h"
#include "flight.h"
#include "seed_entry.h"
#include "seed_note.h"

/* A set of 64-bit hashes.  Two texts with one hash cost a rendering, and nothing else. */
struct hashes {
    uint64_t *slots;
    size_t n, room; /* a power of 2, or 0 */
};
uint64_t hash_of(struct larder_bytes bytes);
bool hashes_add(struct hashes *hashes, uint64_t hash); /* false: no memory */
bool hashes_have(const struct hashes *hashes, uint64_t hash);
void hashes_done(struct hashes *hashes);

struct seed_counts {
    uint64_t seeded;  /* with --dry-run: that would be */
    uint64_t present; /* something is stored there already */
    uint64_t gone;    /* revalidated since the build began */
    uint64_t older;   /* rendered before the build's epoch was noted, or perhaps made of what was */
    uint64_t missing; /* listed by the build, without its files */
    uint64_t failed;  /* named: files that cannot be read, entries that the store refused */
    uint64_t bytes;   /* of the entries that were stored, about */
};

enum { SEED_COMPLAINTS = 8 };

struct seed {
    struct cli *cli;
    const char *dir; /* of the build output */
    char *build;     /* its id */
    uint32_t next_major;
    struct seed_note note;
    int64_t epoch, at_ms; /* of what is seeded; what is older than at_ms was rendered before it was known */
    bool dry_run, replace;
    struct hashes present;    /* keys that are stored already, where the build was seeded before */
    struct hashes older_tags; /* of fetched data that may be older than the build */
    bool older_fetches;       /* there is such data */
    struct progress progress; /* the main thread's */

    struct flight flight; /* its lock is that of what follows */
    struct seed_counts counts;
    char *complaints[SEED_COMPLAINTS];
    size_t n_complaints;
    bool stop; /* the store is not there, or there is no memory */
    int32_t stop_status;
    char stop_detail[LARDER_ERROR_TEXT];
};

/* One entry, from its files to the store's answer. */
struct seed_job {
    struct seed *seed;
    char *file; /* for people */
    struct seed_entry made;
    size_t flight_bytes;
    uint32_t put_flags;
    bool failed; /* something of it was complained about */
};

/* file is copied.  NULL: no memory, and the seed is stopped. */
struct seed_job *seed_job_new(struct seed *seed, const char *file);
void seed_job_free(struct seed_job *job);
/* Takes the job over: makes the entry, and sees to it that it is stored. */
void seed_job_send(struct seed_job *job, const struct seed_source *source, int64_t modified_ms,
                   struct span revalidate, struct span expire);
/* Counts one as failed and says why, at the end. */
void seed_complain(struct seed *seed, const char *file, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same of a job, which stays the caller's. */
void seed_job_complain(struct seed_job *job, const char *file, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void seed_count(struct seed *seed, uint64_t *counter); /* one more */
bool seed_stopped(struct seed *seed);

/* A file of at most 1 GB, whose bytes are kept with the entry.  false: it is not there (*ret_there false), or cannot be read
 * (true: that is told).  ret_modified_ms may be NULL. */
bool seed_read(struct seed_job *job, const char *path, struct seed_bytes *ret, int64_t *ret_modified_ms);
/* The same as JSON: false where it is none, too, which is told. */
bool seed_read_json(struct seed_job *job, const char *path, struct span *ret, bool *ret_there);

/* All entries of a build output: of Next.js, and of OpenNext.  A CODE_. */
int seed_walk_next(struct seed *seed);
int seed_walk_open(struct seed *seed, const char *root);
/* The id of the OpenNext build in dir (.open-next), and its cache folder; both malloc()ed.  NULL: there is none, or
 * there are several. */
char *seed_open_build(const char *dir, char **ret_root);
/* What Next.js fetched for the build, in folder/; older: only what its tags are is wanted. */
int seed_walk_fetches(struct seed *seed, const char *folder, bool only_tags);
/* Whether anything in folder/ is older than the build's note; *ret_any: there is something. */
bool seed_fetches_are_older(const struct seed *seed, const char *folder, bool *ret_any);

/* "dir/name", malloc()ed; NULL: no memory. */
char *seed_path(const char *dir, const char *name);

#endif
