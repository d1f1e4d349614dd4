/*
 * What the checker looks things up in: revalidations by tag, versions with what they are built
 * from, and the times at which the tag store was lost.  Built in O(n log n); memory grows with
 * renders (about 150 bytes each) and revalidations, not with gets.
 */
#ifndef HISTORY_INDEX_H
#define HISTORY_INDEX_H

#include "check.h"

enum { N_TAGS = 64, ROOT_DEPTH = CHAIN_MAX };

struct revalidation {
    int64_t begin_ns, end_ns; /* end INT64_MAX: not known to have completed */
    int64_t epoch;            /* at least what its marks got; INT64_MAX: not known */
    int64_t clock_ms;         /* the earliest that its process's clock may have told: at most that */
    /* The earliest and latest time that `expire` can have named; INT64_MAX: none, or not known. */
    int64_t due_first_ms, due_last_ms;
    struct place place;
};

struct revalidation_list {
    struct revalidation *items;
    int64_t *greatest; /* over items[0..i]: begin_ns in a list by end, epoch in one by begin */
    size_t n, room;
};

struct loss {
    int64_t begin_ns, end_ns;
    int64_t since_ns; /* a roll-back: what was written after this is forgotten; LARDER_UNSET: a wipe */
    /* When the oldest call began that was under way: an op has the time of day of when it was made,
     * and it may be that op which makes the counter anew. */
    int64_t anew_ns;
};

struct index {
    const struct history *history;
    /* Completed ones, by the time of that; entries are gone, or stale. */
    struct revalidation_list gone_by_end[N_TAGS], stale_by_end[N_TAGS];
    /* All that began, by the time of that. */
    struct revalidation_list gone_by_begin[N_TAGS], stale_by_begin[N_TAGS];
    struct loss *losses;
    size_t n_losses;

    uint32_t **ordinals; /* file, place -> number of the version, from 1 */
    uint64_t *carried;   /* version -> its tags and those of all that it is built from */
    size_t *pool_at;     /* version -> where in the pool; SIZE_MAX: not computed, SIZE_MAX - 1: being */
    size_t n_versions;
    int64_t *pool;
    size_t n_pool, pool_room;

    int64_t wall_base_ms;
    int64_t slowest_ms, fastest_ms; /* how far clocks were from the right time at most */
    int64_t first_epoch;            /* told before all else: the namespace's mark is not above it */
    int64_t delay_ns;
    bool calm, lossy;
};

/* false: out of memory, or the history makes no sense. */
bool index_build(struct index *x, const struct history *h, char error[256]);
void index_done(struct index *x);

/* When the oldest rendering began that `version` was built from and that carries the tag, itself
 * included; without_stale: not through what was stale when it was used, and known to be.
 * INT64_MAX: there is none. */
int64_t index_oldest(const struct index *x, uint64_t version, unsigned tag, bool without_stale);
/* The versions from `version` to that oldest rendering; their number, at most CHAIN_MAX. */
unsigned index_chain(const struct index *x, uint64_t version, unsigned tag, bool without_stale,
                     uint64_t chain[CHAIN_MAX]);
/* Their own tags, and what they inherit.  0: no such version. */
uint64_t index_tags(const struct index *x, uint64_t version);

/* How many of a list by end ended before at_ns; of one by begin began before it. */
size_t list_ended_before(const struct revalidation_list *list, int64_t at_ns);
size_t list_begun_before(const struct revalidation_list *list, int64_t at_ns);

#endif
