/*
 * Reading entries for many requests at once: from the memory of this process where it has one that
 * is young enough (entry_cache.h), else from the store, where gets of one key share one read.  A
 * get that begins while a put of this process encodes the same key waits for that and is given
 * what was put.
 *
 * A read that was sent before a put or a remove of its key is not shared any more by gets that
 * begin after it, and what it brings is not kept.  Marks are another matter: mark_reader.h.
 * Reactor's thread only.
 */
#ifndef CORE_ENTRY_READER_H
#define CORE_ENTRY_READER_H

#include "backend.h"
#include "entry_cache.h"
#include "epoch.h"
#include "key.h"
#include "outage.h"

struct entry_flight;
struct entry_reader;

struct entry_want { /* the asker's memory until fn, or until entry_wanted() returned true */
    struct entry_want *next;
    struct larder_bytes key;      /* as the store has it; kept by the asker */
    struct larder_bytes full_key; /* what must be in the frame; kept by the asker */
    bool any_key;                 /* `key` may be a hash, and full_key is not known */
    bool v8;
    bool past_memory; /* ask the store, whatever is in memory */
    uint64_t deadline_ns;
    void (*fn)(void *arg, struct entry_want *want); /* once */
    void *arg;
    struct trace *trace; /* of the asker; NULL: none */
    /* Set before fn: */
    int32_t status;    /* LARDER_OK, LARDER_MISS, LARDER_CORRUPT or an error */
    struct kept *kept; /* with LARDER_OK: one reference, the asker's */
    bool from_memory;
    int64_t known;             /* the epoch that was known when what is in memory was read */
    bool unsure;               /* what is in memory is good for the present outage alone */
    uint64_t trusted_until_ns; /* when what is in memory for the key will be too old */
    int32_t native_code;
    uint32_t retry_after_ms;
    const char *detail; /* good during fn */
};

enum { ENTRY_FLIGHT_BUCKETS = 256 };

struct entry_reader_stats { /* counters of the store, relaxed atomics */
    uint64_t *bytes_read, *corrupt, *joined;
    uint64_t *memory_entries, *memory_bytes; /* now */
};

struct entry_reader {
    struct backend *below;
    const struct backend *tags; /* whose limits say how it takes tags */
    struct entry_cache cache;
    const struct epoch_book *epoch;
    const struct outage *outage;
    uint64_t memory_age_ns; /* what is older is read again */
    struct entry_flight *flights[ENTRY_FLIGHT_BUCKETS];
    size_t n_flights;
    struct entry_reader_stats stats;
};

/* Nothing is asked of the two yet: they may not be open.  stats: all members set. */
void entry_reader_init(struct entry_reader *reader, struct backend *below, const struct backend *tags,
                       const struct epoch_book *epoch, const struct outage *outage, size_t memory_bytes,
                       uint64_t memory_age_ns, const struct entry_reader_stats *stats);
/* Nothing may be under way. */
void entry_reader_done(struct entry_reader *reader);

/* True: the answer is in *want already, and fn will not be called.  False: fn will be, later. */
bool entry_wanted(struct entry_reader *reader, struct entry_want *want);

/* What memory has, whatever its age, for want's keys: one reference, or NULL.  Decodes where need be,
 * so it is for outages, when the thread has little else to do.  The want itself may be under way. */
struct kept *entry_recall(struct entry_reader *reader, const struct entry_want *want, struct read_at *ret_at);

/* A put of key begins: gets that begin now wait for what entry_put_over() brings.  NULL: no
 * memory, and nobody waits. */
struct entry_flight *entry_put_begins(struct entry_reader *reader, struct larder_bytes key);
/* frame: what is on its way to the store; empty: nothing will be.  unsure: it will not be stored, and is
 * for the outage that is on, if one is.  flight may be NULL. */
void entry_put_over(struct entry_reader *reader, struct entry_flight *flight, struct larder_bytes key,
                    struct larder_slice frame, int64_t epoch, bool unsure);

/* The store may have something else for key now: reads under way are not shared any more. */
void entry_outdate(struct entry_reader *reader, struct larder_bytes key);
/* The same, and what is in memory goes. */
void entry_forget(struct entry_reader *reader, struct larder_bytes key);

#endif
