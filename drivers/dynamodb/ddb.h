/*
 * The inside of the DynamoDB driver.  README.md has the shapes of the items and why they are so; each
 * part says here what it does:
 *
 *     text.h, json.h     requests as they are written, replies as they are read; pure
 *     base64.h, crc.h    the values in both; the checksum of replies; pure
 *     item.h, reply.h    names and attributes of items, the shapes of replies; pure
 *     schema.h           what the table shall be, and is; pure
 *     call.c             one call of DynamoDB over drivers/aws, and what its errors mean
 *     task.c             one op on its way: refusals, failures, its completion
 *     fan.c, batch.c     many calls for one op: so many at once, waits between attempts
 *     entry.c, chunk.c   entries, and values that need several items; claim.c: claims
 *     mark.c, counter.c  marks and epochs
 *     opennext.h, twin.c the items of OpenNext beside marks: what they are, pure, and how they are kept
 *     look.c, tell.c     its original mode: what it said before a tag was known here, and what it is told
 *     index.c, page.c    which key carries which tag; everything that comes in pages
 *     admin.c            ping, provision, explain
 *
 * THREADS.  All of it runs on the core's I/O thread; nothing here waits.
 */
#ifndef DYNAMODB_DDB_H
#define DYNAMODB_DDB_H

#include "aws_settings.h"
#include "crc.h"
#include "item.h"
#include "larder/merge.h"
#include "opennext.h"
#include "reply.h"

enum {
    DDB_CHUNK_BYTES = 384 << 10, /* of a value in one item; with names it stays below 400 KB */
    DDB_MAX_VALUE = 20 << 20,
    DDB_MAX_CHUNKS = (DDB_MAX_VALUE + DDB_CHUNK_BYTES - 1) / DDB_CHUNK_BYTES,
    DDB_CHUNK_GRACE_S = 3600, /* chunks outlive their head by this, so that they never go first */
    DDB_BATCH_GET = 100,      /* items; DynamoDB's limits */
    DDB_BATCH_WRITE = 25
};

struct ddb_config { /* table: params[] in dynamodb.c */
    const char *url;
    const char *table;
    const char *prefix;
    const char *schema;
    const char *build_id;
    const char *default_region;
    int64_t shards;
    int64_t mark_max_age_ms;
    int64_t max_attempts;      /* 0: the core's */
    int64_t write_concurrency; /* more than DDB_WINDOW counts as that */
    struct aws_settings aws;
};

/* How far the counter of a namespace is known to be, on account of what OpenNext wrote (twin.c).  One namespace is
 * remembered, the last, if it is no longer than any of the core's: an instance of a store sees no other. */
struct ddb_floor {
    uint8_t ns[256];
    size_t ns_len;
    int64_t epoch;
};

struct ddb {
    const struct larder_host *host;
    struct larder_home *home;
    const struct ddb_config *config;
    char table[256]; /* the setting, or from the url */
    char build_prefix[OPENNEXT_MAX_KEY + 1];
    struct ddb_names names;
    struct ddb_floor floor;
    struct ddb_telling *tellings;   /* tell.c */
    uint32_t n_tellings, n_telling; /* all, and those under way */
    struct aws_settings aws;        /* as set, with the region that counts */
    struct aws_client *client;
    int64_t seen_epoch;    /* the greatest that a counter answered: tells which condition to try first */
    uint64_t random_state; /* for waits */
    struct ddb_crc crc;
};

/* ---- call.c ---------------------------------------------------------------------------------------- */

/* Statuses of this driver's own, never given to the core. */
enum {
    DDB_CONDITION = 100,  /* the condition of a write did not hold */
    DDB_NO_TABLE,         /* ResourceNotFoundException */
    DDB_IN_USE,           /* ResourceInUseException: it exists, or is being changed */
    DDB_UNKNOWN_OPERATION /* a server that is like DynamoDB and lacks this */
};

struct ddb_reply { /* lives for the call of ddb_reply_fn */
    int32_t status;
    struct larder_bytes body; /* JSON; LARDER_OK alone */
    uint32_t retry_after_ms;
    int32_t native_code;
    const char *detail;
};
typedef void ddb_reply_fn(void *arg, const struct ddb_reply *reply);

/* Makes d->client from the settings: LARDER_OK, or a status with the reason in error. */
int32_t ddb_call_init(struct ddb *d, char *error);
void ddb_call_done(struct ddb *d);

/* Calls `operation` ("GetItem"), within op's deadline, and once.  The body is taken over, whatever the
 * answer.  LARDER_OK: fn(arg) will be called, after this has returned; else it will not. */
int32_t ddb_call(struct ddb *d, const struct larder_op *op, const char *operation, struct ddb_text *body,
                 ddb_reply_fn *fn, void *arg) __attribute__((warn_unused_result));

/* ---- task.c ---------------------------------------------------------------------------------------- */

struct ddb_task { /* the first member of what is kept for an op */
    struct ddb *d;
    struct larder_op *op;
    struct larder_result res; /* a failure is kept here as soon as it is known */
    char detail[256];
};

/* Whether the driver can do what is asked: a flag that is not known, a key or tag that is too long or
 * no UTF-8 completes the op with the reason. */
bool ddb_accepts(struct ddb *d, struct larder_op *op, uint32_t flags);
/* Zeroed but for the head.  NULL: no memory, and the op is completed. */
void *ddb_task_new(struct ddb *d, struct larder_op *op, size_t size);
/* Completes the op with task->res and this status, and frees the task. */
void ddb_task_end(struct ddb_task *task, int32_t status);
void ddb_answer(struct ddb *d, struct larder_op *op, int32_t status, const char *detail);
/* Keeps a failure in task->res, the first of several; both return its status as the core is to hear it. */
int32_t ddb_task_failed(struct ddb_task *task, const struct ddb_reply *reply);
int32_t ddb_task_refused(struct ddb_task *task, int32_t status, const char *detail);
/* What a reply is that cannot be read: LARDER_RETRY where it is no JSON (something between here and
 * DynamoDB made it up), else LARDER_CORRUPT: the item is not as this driver writes it. */
int32_t ddb_task_unreadable(struct ddb_task *task, struct larder_bytes body);

/* Calls, for the task as arg; where that fails, the task ends. */
void ddb_task_call(struct ddb_task *task, const char *operation, struct ddb_text *body, ddb_reply_fn *fn);

uint64_t ddb_random(struct ddb *d);
/* The time when what lives ttl_ms from now on is over; LARDER_UNSET: never. */
int64_t ddb_expiry_ms(int64_t now_ms, int64_t ttl_ms);
/* The first whole second that is not before it. */
int64_t ddb_seconds(int64_t ms);

/* ,'Key':{..}: what a request on one item goes on with */
void ddb_text_key_of(struct ddb_text *t, const struct ddb *d, const struct ddb_name *name);

/* ---- fan.c ------------------------------------------------------------------------------------------ */

enum { DDB_WINDOW = 16 };

struct ddb_fan;
struct ddb_slot { /* one job that is under way */
    struct ddb_fan *fan;
    size_t i; /* which one */
    bool busy;
    uint32_t attempts;
    uint32_t step;           /* the job's own, zero at its start */
    bool was_there;          /* mark.c: whether there was a mark ... */
    struct larder_mark seen; /* ... and which, when it was read */
    struct ddb_text left;    /* batches: what is to be sent again */
    struct larder_timer *timer;
    void (*again)(struct ddb_slot *slot);
};
typedef void ddb_slot_fn(struct ddb_slot *slot);

/*
 * n jobs, some of them at once; `window`, `items`, `target` and `is_patient` are set before, where they are
 * used.  start(slot) begins job slot->i; each job ends with one ddb_slot_done() or ddb_slot_fail().  After
 * a failure no more are begun.  When none is under way any more, over(fan) is called; it may free the fan,
 * and so may be what ddb_fan_run() ends with.
 */
struct ddb_fan {
    struct ddb_task *task;
    size_t n, next;
    uint32_t running;
    int32_t status; /* of the first failure, which is in task->res */
    bool spreading;
    ddb_slot_fn *start;
    void (*over)(struct ddb_fan *fan);
    uint32_t window; /* so many at once, at most DDB_WINDOW; 0: as many */
    bool is_patient; /* ddb_slot_fail_or_wait() */
    /* twin.c: which item of OpenNext's a job is about, and what comes to it; NULL: a twin, and a mark of the op. */
    struct larder_mark (*target)(const struct ddb_slot *slot, struct opennext_key *ret_key);
    /* batch.c: BatchGetItem, and what is done with a JSON array of items, of which some may be still to
     * come; NULL: BatchWriteItem.  Answers as ddb_task_refused() does. */
    int32_t (*items)(struct ddb_slot *slot, struct larder_bytes items);
    struct ddb_slot slots[DDB_WINDOW];
};

void ddb_fan_run(struct ddb_fan *fan, struct ddb_task *task, size_t n, ddb_slot_fn *start,
                 void (*over)(struct ddb_fan *fan));
/* The window of a fan that writes: the setting. */
uint32_t ddb_write_window(const struct ddb *d);
void ddb_slot_done(struct ddb_slot *slot);
void ddb_slot_fail(struct ddb_slot *slot, const struct ddb_reply *reply);
void ddb_slot_refuse(struct ddb_slot *slot, int32_t status, const char *detail);
/* The failure is in the task already, which has answered this status; LARDER_OK: as ddb_slot_done(). */
void ddb_slot_end(struct ddb_slot *slot, int32_t status);
/* Calls, for the slot as arg; where that fails, the job has failed. */
void ddb_slot_call(struct ddb_slot *slot, const char *operation, struct ddb_text *body, ddb_reply_fn *fn);
/* As ddb_slot_fail(); but where the fan is patient, and what failed did so in passing: again(slot), after a while. */
void ddb_slot_fail_or_wait(struct ddb_slot *slot, const struct ddb_reply *reply, ddb_slot_fn *again);
/* again(slot) after a random while that grows with each attempt; where the deadline comes before, the
 * job fails as LARDER_THROTTLED, and this is why. */
void ddb_slot_wait(struct ddb_slot *slot, ddb_slot_fn *again, const char *why);

/* ---- batch.c ---------------------------------------------------------------------------------------- */

/* Does the job slot->i: a batch of these keys (fan->items) or requests, a JSON array, which is taken
 * over.  At most DDB_BATCH_GET or DDB_BATCH_WRITE of them. */
void ddb_batch(struct ddb_slot *slot, struct ddb_text *array);

/* ---- twin.c ----------------------------------------------------------------------------------------- */

/* Whether the table is one of OpenNext's, and so tags have an item of OpenNext's as well. */
static inline bool ddb_has_twins(const struct ddb *d) {
    return ddb_names_are_opennext(&d->names);
}
/* Does what ddb_read() is to do, for an op that was accepted. */
void ddb_twin_read(struct ddb *d, struct larder_op *op);
/* The job slot->i of a write: that of marks[slot->i % n_marks]. */
void ddb_twin_write(struct ddb_slot *slot);
/* The job slot->i, from where it is known what the item of fan->target was like: it shall be as `item` says.  Where it
 * is another by now, what comes to it is merged once more. */
void ddb_twin_replace(struct ddb_slot *slot, const struct ddb_twin *seen, const struct ddb_twin *item);

/* ---- look.c: the original mode ---------------------------------------------------------------------- */

/* Whether the twin tells all that OpenNext has said of the tag. */
bool ddb_look_is_done(const struct ddb *d, const struct larder_op *op, const struct ddb_item *twin);
/* The job slot->i of a read: makes the twin of op->marks[mark], and looks what other items of the tag say.  Calls
 * ddb_looked(), of twin.c, if they say anything. */
void ddb_look(struct ddb_slot *slot, size_t mark);
void ddb_looked(struct ddb_slot *slot, const struct larder_mark *foreign);
/* A Query for the items of a tag of OpenNext's; last: the raw path that the page before ended with, or len 0. */
void ddb_text_members(struct ddb_text *t, const struct ddb_names *names, struct larder_bytes tag,
                      struct larder_bytes last);

/* ---- tell.c: the original mode ---------------------------------------------------------------------- */

/* Ends the task of a write, whose marks are written: when OpenNext's items for the paths of its tags have been, or
 * when half of the time that is left to it is over.  What is left then is done afterwards. */
void ddb_tell(struct ddb_task *task);
/* In close(): what is not told yet is told to nobody. */
void ddb_tell_done(struct ddb *d);
/* The job slot->i of a link: the item for op->key and the tag op->marks[mark], unless it is there. */
void ddb_tell_member(struct ddb_slot *slot, size_t mark);

/* ---- the ops ---------------------------------------------------------------------------------------- */

larder_op_fn ddb_get, ddb_put, ddb_remove, ddb_claim, ddb_release;
larder_op_fn ddb_read, ddb_write, ddb_advance, ddb_link, ddb_tags_of;
larder_op_fn ddb_list, ddb_keys_of, ddb_list_marks;
larder_op_fn ddb_ping, ddb_provision, ddb_explain;

/* ---- chunk.c ---------------------------------------------------------------------------------------- */

struct ddb_chunks {                  /* of one put */
    char generation[DDB_GENERATION]; /* hex digits */
    size_t n;
    size_t length; /* of the value */
};

void ddb_chunks_new(struct ddb *d, size_t length, struct ddb_chunks *ret);
/* From a head; false: it is none that this driver writes. */
bool ddb_chunks_of(const struct ddb_item *head, struct ddb_chunks *ret);
static inline bool ddb_chunks_same(const struct ddb_chunks *a, const struct ddb_chunks *b) {
    return __builtin_memcmp(a->generation, b->generation, sizeof(a->generation)) == 0;
}
static inline struct larder_bytes ddb_chunks_generation(const struct ddb_chunks *c) {
    return (struct larder_bytes){(const uint8_t *)c->generation, sizeof(c->generation)};
}
/* What the fan's jobs do is for the task's owner to say; these begin the calls of chunk slot->i. */
void ddb_chunk_write(struct ddb_slot *slot, const struct ddb_chunks *c, ddb_reply_fn *fn);
void ddb_chunk_read(struct ddb_slot *slot, const struct ddb_chunks *c, bool consistent, ddb_reply_fn *fn);
void ddb_chunk_delete(struct ddb_slot *slot, const struct ddb_chunks *c, ddb_reply_fn *fn);
/* Where chunk i is in the value. */
size_t ddb_chunk_len(const struct ddb_chunks *c, size_t i);

#endif
