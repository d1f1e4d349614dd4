/*
 * Archives of entries: docs/archive.md has the format.  They are written and read from beginning to end,
 * with one entry in memory at a time.
 */
#ifndef CLI_ARCHIVE_H
#define CLI_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "larder/larder.h"

/* What the tag store of the importer is compared with: a mark that was written when the export began. */
struct archive_proof {
    struct larder_bytes tag; /* len 0: there is none */
    int64_t epoch;           /* of that mark: what the store had handed out until then */
};

/* ---- writing ------------------------------------------------------------------------------------- */

struct archive_writer {
    FILE *file; /* the caller's */
    uint64_t n_entries, n_bytes;
};

/* All: LARDER_OK, LARDER_NOMEM, LARDER_INTERNAL (errno says why it could not be written). */
int32_t archive_begin(struct archive_writer *writer, FILE *file, const struct archive_proof *proof,
                      int64_t now_ms);
int32_t archive_put(struct archive_writer *writer, struct larder_bytes build,
                    const struct larder_entry *entry);
int32_t archive_end(struct archive_writer *writer);

/* ---- reading ------------------------------------------------------------------------------------- */

struct archive_reader {
    FILE *file; /* the caller's */
    struct archive_proof proof;
    int64_t made_ms;
    uint64_t n_entries;
    uint64_t at;                     /* where the record begins that was last read, or could not be */
    const char *why;                 /* with LARDER_CORRUPT: what is wrong there */
    uint64_t end;                    /* where that record ends */
    struct larder_frame *head, *now; /* of what proof and entry point to */
    uint8_t *bytes;
    size_t room;
    struct larder_bytes build; /* of the entry last read */
    struct larder_entry entry;
};

/* LARDER_OK: what follows is an archive.  LARDER_CORRUPT: it is none, or of a version that is not known;
 * LARDER_NOMEM.  archive_done() in each case. */
int32_t archive_open(struct archive_reader *reader, FILE *file);
/* The next entry into reader->entry and ->build, good until the next call; LARDER_MISS: that was all, and all
 * is there; LARDER_CORRUPT, LARDER_NOMEM. */
int32_t archive_next(struct archive_reader *reader);
void archive_done(struct archive_reader *reader);

#endif
