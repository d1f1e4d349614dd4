/*
 * Revalidations that failed and must not be lost: kept, and tried again until they succeed.  While
 * one is pending, this process treats its tags as marked, whatever the store says of them.
 *
 * Bounded: where more is pending than JOURNAL_TAGS tags, all of it becomes one revalidation of the
 * namespace, which is worse for the cache and never for promise 1.  With a folder (the setting
 * `journal`) what is pending is on disk as well, and another process of this machine takes it over
 * when this one is gone (journal_file.h).  Reactor's thread only.
 */
#ifndef CORE_JOURNAL_H
#define CORE_JOURNAL_H

#include "journal_file.h"
#include "reactor.h"

enum { JOURNAL_TAGS = 10000 };

struct journal_record {
    struct journal_record *next;
    uint64_t id; /* in this process */
    uint32_t mode;
    int64_t expire_at_ms; /* LARDER_MAKE_STALE; LARDER_UNSET: never */
    size_t n_tags;
    struct larder_bytes tags[]; /* as they were given; their bytes follow */
};

struct journal {
    struct larder_store *store;
    struct journal_record *first, **last;
    struct journal_set *set; /* the tags that are pending, as the store takes them; NULL: to be made */
    size_t n_records, n_tags;
    uint64_t next_id, sent_id; /* sent_id: of the record that is being tried */
    bool sending, stopped;
    struct larder_timer timer;
    unsigned tries; /* since one succeeded */
    uint64_t random;
    struct journal_file file;
    uint64_t *stat_pending, *stat_repeats, *stat_kept; /* counters of the store */
};

void journal_init(struct journal *journal, struct larder_store *store, const char *folder);
/* No new attempts; the one under way ends by its deadline. */
void journal_stop(struct journal *journal);
void journal_done(struct journal *journal);

/* A revalidation of these tags failed with a status that repeating may cure.  Copies. */
void journal_add(struct journal *journal, uint32_t mode, int64_t expire_at_ms,
                 const struct larder_bytes *tags, size_t n_tags);
bool journal_may_cure(int32_t status);

/* What is pending says of an entry with this tag (as the store takes it), whatever its epoch:
 * LARDER_FRESH: nothing. */
uint32_t journal_verdict(struct journal *journal, struct larder_bytes tag, int64_t now_ms);

#endif
