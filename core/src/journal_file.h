/*
 * What is pending in a journal, on disk: a file of lines, appended, emptied when nothing is pending.
 *
 *     + ID MODE EXPIRE_AT_MS TAG ... #SUM      pending from here on
 *     - ID #SUM                                not any more
 *
 * Tags are percent-encoded, the empty one is `%`; an absent time is `-`; SUM is the XXH3-64 of what
 * stands before ` #`, in hex, so that a line that was torn or damaged counts as none.  A file is
 * named NAMESPACE.RANDOM.journal and locked (flock) while its process lives: one that can be locked
 * is an orphan.  Writes are not synced: they survive the process, not the machine.
 */
#ifndef CORE_JOURNAL_FILE_H
#define CORE_JOURNAL_FILE_H

#include <stdbool.h>

#include "larder/larder.h"

struct journal_record;

struct journal_file {
    char *folder; /* NULL: nothing is written */
    char *prefix; /* of its name: "NAMESPACE." */
    char *path;   /* NULL: not made yet */
    int fd;
    uint64_t size;
    bool failed; /* said so already */
};

/* folder "" or NULL: nothing is written.  False: no memory. */
bool journal_file_init(struct journal_file *file, const char *folder, const char *ns);
/* Leaves the file where something is pending (is_empty false). */
void journal_file_done(struct journal_file *file, bool is_empty);

/* What cannot be written is said once, and only in memory then. */
void journal_file_add(struct journal_file *file, const struct journal_record *record);
void journal_file_remove(struct journal_file *file, uint64_t id);
/* Nothing is pending. */
void journal_file_clear(struct journal_file *file);
/* Whether it has grown so much that a new one, with nothing but what is pending, is better. */
bool journal_file_is_long(const struct journal_file *file);
void journal_file_rewrite(struct journal_file *file, const struct journal_record *first);

/* Calls fn for each revalidation that the orphans in the folder still have pending, then removes
 * them. */
typedef void journal_adopt_fn(void *arg, uint32_t mode, int64_t expire_at_ms, const struct larder_bytes *tags,
                              size_t n_tags);
void journal_file_adopt(struct journal_file *file, journal_adopt_fn *fn, void *arg);

#endif
