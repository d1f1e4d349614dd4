/*
 * The inside of the S3 driver.  README.md has the layout of the bucket and why it is so; each part says
 * here what it does:
 *
 *     name.h, xml.h, sum.h   names of objects, answers, checksums; pure
 *     call.c                 one request over drivers/aws, and what its errors mean
 *     task.c                 one op on its way: refusals, failures, its completion; how many bytes are under way
 *     entry.c                get and put
 *     remove.c               removes, gathered to a request
 *     claim.c                claims
 *     list.c                 keys by their beginning
 *     admin.c                ping, provision, explain
 *     layout.c               layout=opennext: which object a key has, its body made and read on a pool thread
 *     opennext.h, frame.h, json.h  the same as pure functions: names and JSON of OpenNext's, Larder's frame
 *
 * THREADS.  All of it runs on the core's I/O thread; nothing here waits.
 */
#ifndef S3_S3_H
#define S3_S3_H

#include "aws_client.h"
#include "aws_time.h"
#include "name.h"
#include "opennext.h"
#include "sum.h"

enum {
    S3_MAX_VALUE = 64 << 20,
    S3_MAX_ANSWER = 8 << 20, /* of a list, an error: a page is below 3 MB */
    S3_MAX_BUILD_ID = 128,
    S3_MOST_HEADERS = 16
};

struct s3_config { /* table: params[] in s3.c */
    const char *url;
    const char *bucket;
    const char *prefix;
    const char *layout, *build_id, *key_prefix;
    const char *default_region;
    const char *addressing;
    const char *conditional;
    const char *checksum;
    const char *sse, *kms_key, *storage_class;
    int64_t batch_removes;
    int64_t sign_payload;
    int64_t max_attempts; /* 0: the core's */
    int64_t bytes_under_way;
    int64_t max_age_ms;
    int64_t upload_lag_ms;
    struct aws_settings aws;
};

struct s3_task;
struct s3_queue {
    struct s3_task *first, *last;
};

struct s3 {
    const struct larder_host *host;
    struct larder_home *home;
    const struct s3_config *config;
    char bucket[256]; /* the settings, or from the url */
    char prefix[S3_MAX_PREFIX + 1], key_prefix[S3_MAX_PREFIX + 1];
    bool is_opennext;
    struct opennext opennext;
    struct aws_settings aws; /* as set, with the region that counts */
    struct aws_client *client;
    struct s3_crc *crc;         /* checksum=crc32; else NULL */
    struct aws_text name, path; /* of the request that is being made */
    bool conditional;           /* the server writes on conditions, as far as is known */
    bool bare_etags;            /* and wants ETags without quotes there ... */
    bool etags_held;            /* ... which is known: one such condition has held */
    /* What is under way, in bytes: of puts as they are, of gets as the last ones were. */
    int64_t bytes_under_way, usual_bytes;
    struct s3_queue waiting; /* for room there */
    bool pumping;
    struct s3_queue removes; /* gathered until flush() */
};

/* ---- call.c ---------------------------------------------------------------------------------------- */

/* Statuses of this driver's own, never given to the core. */
enum {
    S3_NO_KEY = 100,
    S3_NO_BUCKET,
    S3_CONDITION,      /* what a write was bound to did not hold */
    S3_CONFLICT,       /* perhaps the same; else the server failed */
    S3_NOT_IMPLEMENTED /* a server that is like S3 and lacks this */
};

/* Makes s->client from the settings: LARDER_OK, or a status with the reason in error. */
int32_t s3_call_init(struct s3 *s, char *error);
void s3_call_done(struct s3 *s);

struct s3_request {
    const char *method;
    struct larder_bytes name; /* of the object; len 0: the bucket */
    const char *query;        /* NULL: none */
    const struct aws_header *headers;
    size_t n_headers;
    struct larder_bytes body; /* borrowed until done */
    bool sign_payload;        /* as S3 demands of some; else as is set */
    size_t max_body;
};
/* Calls within op's deadline, and once.  LARDER_OK: done(arg) will be called, after this has returned;
 * else it will not. */
int32_t s3_call(struct s3 *s, const struct larder_op *op, const struct s3_request *request,
                aws_client_done *done, void *arg, struct aws_call **ret_call)
    __attribute__((warn_unused_result));
/* What an answer means to this driver: LARDER_OK, one of the above, or a status for the core. */
int32_t s3_status(const struct aws_answer *answer);

/* ---- task.c ---------------------------------------------------------------------------------------- */

struct s3_task { /* the first member of what is kept for an op */
    struct s3 *s;
    struct larder_op *op;
    struct s3_task *next;  /* in the queue it is in */
    struct aws_call *call; /* under way; NULL: none, or it cannot be cancelled */
    struct larder_result res;
    int64_t bytes;                       /* counted as under way */
    void (*start)(struct s3_task *task); /* when there is room */
    struct aws_text body;                /* of its requests, where it makes one; freed with it */
    void *conversion;                    /* layout.c; freed with it */
    char detail[320];
};

void s3_answer(struct s3 *s, struct larder_op *op, int32_t status, const char *detail);
/* Whether the driver can do what is asked: a flag that is not known or a key that is too long completes
 * the op with the reason. */
bool s3_accepts(struct s3 *s, struct larder_op *op, uint32_t flags);
/* Zeroed but for the head.  NULL: no memory, and the op is completed. */
void *s3_task_new(struct s3 *s, struct larder_op *op, size_t size);
/* Completes the op with task->res and this status, and frees the task. */
void s3_task_end(struct s3_task *task, int32_t status);
/* The same with a reason. */
void s3_task_refuse(struct s3_task *task, int32_t status, const char *detail);
/* The same with what the answer says, which is no success. */
void s3_task_fail(struct s3_task *task, const struct aws_answer *answer);
/* Calls, for the task as arg; where that fails, the task ends. */
void s3_task_call(struct s3_task *task, const struct s3_request *request, aws_client_done *done);
/* start(task) now, or when so many bytes more may be under way. */
void s3_task_enter(struct s3_task *task, int64_t bytes, void (*start)(struct s3_task *task));

void s3_queue_add(struct s3_queue *queue, struct s3_task *task);
struct s3_task *s3_queue_take(struct s3_queue *queue);

/* The name of the object for a key into s->name; `what`: "e" or "c".  False: no memory. */
bool s3_name(struct s3 *s, const char *what, struct larder_bytes key);
static inline struct larder_bytes s3_name_bytes(const struct s3 *s) {
    return (struct larder_bytes){(const uint8_t *)s->name.ptr, s->name.len};
}
/* The time when what lives ttl_ms from now on is over; LARDER_UNSET: never. */
int64_t s3_expiry_ms(int64_t now_ms, int64_t ttl_ms);

/* ---- entry.c: the numbers beside a value ------------------------------------------------------------- */

struct s3_meta {
    int64_t modified_ms, epoch;
    int64_t expires_ms; /* LARDER_UNSET: never */
};

enum { S3_NUMBER_SIZE = 24 };
/* False: they are not there, or no numbers. */
bool s3_meta_read(struct larder_bytes headers, struct s3_meta *ret);
static inline bool s3_is_over(int64_t expires_ms, int64_t now_ms) {
    return expires_ms != LARDER_UNSET && expires_ms <= now_ms;
}
/*
 * The ETag of what is there, as the server says it: with quotes.  Ceph's gateway, and what is built on it,
 * holds a condition only by the ETag without them (block/buzz issue 3002 on GitHub), others by both
 * or by the one with; which, the first condition that fails without reason tells.
 */
enum { S3_ETAG_SIZE = 128 };
struct s3_etag {
    char text[S3_ETAG_SIZE]; /* "": none is known */
    bool sent_bare;          /* how s3_etag_form() has put it last */
};
/* False: there is none.  `refused`: a write on the condition of what ret holds was, just now. */
bool s3_etag_read(struct s3 *s, struct larder_bytes headers, bool refused, struct s3_etag *ret);
/* As If-Match wants it. */
void s3_etag_form(const struct s3 *s, struct s3_etag *etag, char out[S3_ETAG_SIZE]);
/* S3 answers what it holds, and what it has stored, with an ETag; a page of somebody between does not. */
bool s3_is_of_s3(const struct aws_answer *answer);

/* ---- layout.c ---------------------------------------------------------------------------------------- */

/* The name of the object of an entry into s->name.  *ret_kind: of OpenNext's, and *ret_key the entry's; 0: it is
 * Larder's own.  False: no memory. */
bool s3_object(struct s3 *s, struct larder_bytes key, uint32_t *ret_kind, struct larder_bytes *ret_key);
/* Ends a get with the entry in the answer. */
void s3_read_opennext(struct s3_task *task, const struct aws_answer *answer, uint32_t kind,
                      struct larder_bytes key);
/* Puts the JSON of op->value into task->body, and then calls done(task); or ends the task. */
void s3_make_opennext(struct s3_task *task, void (*done)(struct s3_task *task));

/* ---- the ops ---------------------------------------------------------------------------------------- */

larder_op_fn s3_get, s3_put, s3_remove, s3_claim, s3_release, s3_list;
larder_op_fn s3_ping, s3_provision, s3_explain, s3_cancel;
/* Sends the removes that were gathered. */
void s3_flush(void *instance);

#endif
