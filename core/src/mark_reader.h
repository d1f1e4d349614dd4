/*
 * Reading marks for many requests at once.  What is wanted within one turn of the reactor goes
 * to the tag store as one read, each tag once; while MARK_READS reads are under way the next
 * one gathers.  One whose deadline has passed does not count: it may be stuck.  A request never shares a read that was sent before the request began, so a
 * revalidation that completed before then is always seen.  The exception is the setting mark-age:
 * marks that were read no longer ago than that are trusted (mark_memory.h).
 *
 * The namespace mark (the empty tag) is part of every read.  Where it is absent the tag store
 * is new, or was wiped: it is created with an epoch of its own, so that everything older is
 * gone, and the marks are read again.  In a lossy store that is done for every tag without a mark: a
 * read that ends with LARDER_OK has one for each.  Reactor's thread only.
 */
#ifndef CORE_MARK_READER_H
#define CORE_MARK_READER_H

#include "backend.h"
#include "epoch.h"
#include "outage.h"

struct mark_batch;

enum { MARK_READS = 8 }; /* under way at once and not overdue; the next gathers meanwhile */

struct mark_want { /* the asker's memory until mark_want_done() */
    struct mark_want *next;
    const struct larder_bytes *tags; /* as the store takes them; kept by the asker */
    size_t n_tags;
    uint64_t deadline_ns;
    void (*fn)(void *arg, struct mark_want *want); /* once, never inside marks_want() */
    void *arg;
    struct trace *trace; /* of the asker; NULL: none */
    /* Set before fn: */
    int32_t status;
    int32_t native_code;
    uint32_t retry_after_ms;
    const char *detail;        /* good until mark_want_done() */
    bool remembered;           /* nobody was asked: mark-age */
    struct mark_batch *batch;  /* one reference; NULL: there was no memory */
    uint64_t trusted_until_ns; /* with LARDER_OK; what comes of mark-age */
};

struct mark_reader {
    struct backend *tags;
    struct epoch_book *epoch;
    struct outage *outage; /* is told what is read, and that it could be */
    struct turn_hook hook;
    struct mark_want *first, **last;
    struct mark_batch *reads[MARK_READS]; /* NULL: a free place */
    uint32_t n_reads;                     /* overdue ones too */
    struct mark_memory memory;
    _Alignas(8) double changes; /* of marks that this process heard of: larder_changes_cell() */
    uint64_t *stat_reads, *stat_marks, *stat_made; /* counters of the store */
};

void mark_reader_init(struct mark_reader *reader, struct backend *tags, struct epoch_book *epoch,
                      struct outage *outage, uint64_t mark_age_ns);
/* Nothing may be wanted or under way. */
void mark_reader_done(struct mark_reader *reader);

void marks_want(struct mark_reader *reader, struct mark_want *want);
/* A revalidation of this process begins; and it is over, whether it succeeded or not: what was
 * known of its tags (as the store takes them) is not trusted any more.  Nor is the namespace's mark,
 * so that every entry is judged by something that was read since: a build's pages carry the epoch of
 * a revalidation of its own (larder_epoch_known()), whatever was read before. */
void marks_disturbed(struct mark_reader *reader);
void marks_changed(struct mark_reader *reader, const struct larder_mark *marks, size_t n);

/* Of a lossy store: makes what marks of these tags (as the store takes them) are not there, and does not wait for
 * it.  For what is put, so that it is not outdated by the first revalidation of anything else that comes before it
 * is read. */
void marks_make(struct mark_reader *reader, const struct larder_bytes *tags, size_t n, uint64_t deadline_ns);

/* The driver heard that this mark was written; NULL: that some were, and not which.  What is remembered, and what
 * JavaScript keeps, is outdated by it at once.  It makes nothing fresher, and nothing is trusted for longer. */
void marks_seen(struct mark_reader *reader, const struct larder_mark *mark);

/* After fn: gives the batch back. */
void mark_want_done(struct mark_want *want);

/* The mark of a tag, or NULL; in a batch that was read with LARDER_OK. */
const struct larder_mark *mark_batch_find(const struct mark_batch *batch, struct larder_bytes tag);
/* Whether the tag was part of the read at all. */
bool mark_batch_asked(const struct mark_batch *batch, struct larder_bytes tag);

/* The name of a namespace's counter. */
extern const struct larder_bytes EPOCH_KEY;

#endif
