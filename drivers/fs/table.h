/*
 * What a log says, in memory: a hash table from names (of marks and counters) to their last
 * record.  Owned by the log and used under its lock.
 */
#ifndef FS_TABLE_H
#define FS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "larder/driver.h"

enum fs_kind { FS_MARK = 1, FS_COUNTER = 2 };

struct fs_record {
    uint64_t hi, lo; /* hash of the name; fs_id */
    uint32_t kind;
    struct larder_bytes name;
    int64_t a;          /* mark: expired_epoch; counter: its value */
    int64_t b;          /* mark: stale_epoch */
    int64_t c;          /* mark: expire_at_ms */
    int64_t written_ms; /* the writer's time of day */
};

struct fs_table {
    struct fs_record **slots; /* each one block with its name */
    size_t n_slots;           /* a power of two, or 0 */
    size_t n;
    uint64_t name_bytes; /* of all names */
    int64_t greatest;    /* of all epochs ever seen here; LARDER_UNSET: none */
};

void fs_table_done(struct fs_table *t);
/* What is stored under this record's kind and name; NULL: nothing.  The hash is the caller's. */
const struct fs_record *fs_table_find(const struct fs_table *t, const struct fs_record *like);
/* Adds a copy of it or replaces what is there.  false: no memory, nothing changed. */
bool fs_table_set(struct fs_table *t, const struct fs_record *like);
void fs_table_saw(struct fs_table *t, int64_t epoch);

#endif
