/*
 * The log of marks and counters: the file `marks`, to which batches are appended, and its
 * content in memory.  A batch is applied whole or not at all, by every reader.
 *
 * FRESHNESS.  A reader asks once per op, by stat() of the log's path, whether the file is still
 * the same and still as long: then what it has in memory is what a read of the file would give.
 *
 * TORN OR DAMAGED.  A writer that died left a prefix of a batch at the end, which was never
 * acknowledged: the next writer cuts it off.  Anything else that does not check is damage, and
 * what stood behind it is not known.  Nothing is guessed then: a new log begins, with a *floor*:
 * a number above every epoch that the old one can have held.  Whatever is older than the floor
 * counts as expired, under every tag, so no forgotten revalidation brings an entry back.
 * The floor also stands for marks that were dropped for their age.
 */
#ifndef FS_LOG_H
#define FS_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "larder/driver.h"
#include "table.h"

struct fs_call;
struct fs_sys;

struct fs_log {
    pthread_mutex_t lock; /* of all below; never held while waiting for a file lock */
    int fd;               /* for reading; -1: not open */
    bool loaded;          /* the table is what the file holds up to end */
    bool rewrite;         /* a sync failed: only a new file can be trusted */
    bool given_up;        /* damaged and not writable: the floor stands for all of it */
    dev_t dev;
    ino_t ino;
    uint64_t id;                    /* in the header and every batch: tells logs apart */
    uint64_t end;                   /* behind the last good batch */
    int64_t floor;                  /* LARDER_UNSET: none */
    uint64_t reserved, reserved_id; /* a writer's own: disk space is kept up to here, in that log */
    struct fs_table table;
};

void fs_log_init(struct fs_log *log);
void fs_log_done(struct fs_log *log, const struct fs_sys *sys);

/* A reader's frame.  LARDER_OK: the lock of the table is held, and it is as fresh as the moment
 * of the call; fs_log_read_end() gives it back.  Else nothing is held. */
int32_t fs_log_read_begin(struct fs_call *c);
void fs_log_read_end(struct fs_call *c);

/* A writer's frame: the file lock is held, nobody else writes; the table is fresh and changes
 * only by fs_log_append().  Look at it between fs_log_look() and fs_log_look_end(). */
int32_t fs_log_write_begin(struct fs_call *c);
void fs_log_write_end(struct fs_call *c);
void fs_log_look(struct fs_call *c);
void fs_log_look_end(struct fs_call *c);

/* Records gathered for one append. */
struct fs_batch {
    uint8_t *buf;
    size_t len, size;
    bool no_memory;
};
void fs_batch_init(struct fs_batch *b);
void fs_batch_done(struct fs_batch *b);
void fs_batch_add(struct fs_batch *b, const struct fs_record *record);
/* In a writer's frame.  LARDER_OK: in the file (on the disk, if so configured), and in the table. */
int32_t fs_log_append(struct fs_call *c, struct fs_batch *b);

/* Creates the log of a new folder: nothing stored, no floor.  The file lock is held. */
int32_t fs_log_create(struct fs_call *c);

#endif
