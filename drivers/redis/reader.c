/* Replies as hiredis's reader reads them. */
#include "reader.h"

#include <hiredis/hiredis.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory ------------------------------------------------------------------------------------------------- */

struct rds_chunk {
    struct rds_chunk *next;
    size_t size, used;
    alignas(max_align_t) uint8_t bytes[];
};

enum { FIRST_CHUNK = 4 << 10, MOST_KEPT = 256 << 10 };

static void *room_for(struct rds_reader *reader, size_t n, size_t each) {
    struct rds_chunk *chunk = reader->chunks;
    size_t len;
    if (__builtin_mul_overflow(n, each, &len) || len > SIZE_MAX / 4)
        return NULL;
    len = (len + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (!chunk || chunk->size - chunk->used < len) {
        size_t size = chunk ? 2 * chunk->size : FIRST_CHUNK;
        if (size < len)
            size = len;
        chunk = malloc(sizeof(*chunk) + size);
        if (!chunk)
            return NULL;
        *chunk = (struct rds_chunk){.next = reader->chunks, .size = size};
        reader->chunks = chunk;
    }
    uint8_t *at = chunk->bytes + chunk->used;
    chunk->used += len;
    return at;
}

/* The newest chunk is the largest: it alone is kept, unless it was for something unusual. */
static void empty(struct rds_reader *reader, size_t most_kept) {
    struct rds_chunk *chunk = reader->chunks, *next;
    struct rds_chunk *kept = chunk && chunk->size <= most_kept ? chunk : NULL;
    for (; chunk; chunk = next) {
        next = chunk->next;
        if (chunk != kept)
            free(chunk);
    }
    reader->chunks = kept;
    if (kept) {
        kept->next = NULL;
        kept->used = 0;
    }
}

/* ---- what hiredis calls --------------------------------------------------------------------------------------- */

/* The place of an element is in its array, which was made before. */
static struct rds_reply *place(const redisReadTask *task, enum rds_type type) {
    struct rds_reader *reader = task->privdata;
    struct rds_reply *r;
    if (task->parent) {
        const struct rds_reply *array = task->parent->obj;
        r = array->elements + task->idx;
    } else {
        r = room_for(reader, 1, sizeof(*r));
    }
    if (r)
        *r = (struct rds_reply){.type = (uint8_t)type};
    return r;
}

static void *make_text(const redisReadTask *task, char *text, size_t len) {
    struct rds_reply *r = place(task, task->type == REDIS_REPLY_ERROR    ? RDS_ERROR
                                      : task->type == REDIS_REPLY_STATUS ? RDS_STATUS
                                                                         : RDS_BULK);
    uint8_t *copy = r ? room_for(task->privdata, len, 1) : NULL;
    if (!copy)
        return NULL;
    if (len > 0)
        memcpy(copy, text, len);
    r->text = (struct larder_bytes){copy, len};
    return r;
}

static void *make_array(const redisReadTask *task, size_t n) {
    struct rds_reader *reader = task->privdata;
    reader->is_too_much = n > RDS_MAX_ELEMENTS - reader->n;
    struct rds_reply *r = reader->is_too_much ? NULL : place(task, RDS_ARRAY);
    struct rds_reply *elements = r ? room_for(reader, n, sizeof(*elements)) : NULL;
    if (!elements)
        return NULL;
    reader->n += n;
    memset(elements, 0, n * sizeof(*elements)); /* read only once they have come */
    r->elements = elements;
    r->n = (uint32_t)n;
    return r;
}

static void *make_integer(const redisReadTask *task, long long n) {
    struct rds_reply *r = place(task, RDS_INTEGER);
    if (r)
        r->integer = n;
    return r;
}

static void *make_nil(const redisReadTask *task) {
    return place(task, RDS_NIL);
}

/* It is all in the chunks. */
static void free_nothing(void *reply) {
    (void)reply;
}

#if HIREDIS_MAJOR >= 1
#define make_array_of make_array

/* RESP3, which is never asked for. */
static void *refuse(const redisReadTask *task) {
    struct rds_reader *reader = task->privdata;
    reader->is_too_much = true;
    return NULL;
}

static void *refuse_double(const redisReadTask *task, double n, char *text, size_t len) {
    (void)n, (void)text, (void)len;
    return refuse(task);
}

static void *refuse_bool(const redisReadTask *task, int n) {
    (void)n;
    return refuse(task);
}
#else
static void *make_array_of(const redisReadTask *task, int n) {
    return n < 0 ? NULL : make_array(task, (size_t)n);
}
#endif

static redisReplyObjectFunctions functions = {.createString = make_text,
                                              .createArray = make_array_of,
                                              .createInteger = make_integer,
                                              .createNil = make_nil,
#if HIREDIS_MAJOR >= 1
                                              .createDouble = refuse_double,
                                              .createBool = refuse_bool,
#endif
                                              .freeObject = free_nothing};

/* ---- reading -------------------------------------------------------------------------------------------------- */

void rds_reader_reset(struct rds_reader *reader) {
    if (reader->hiredis)
        redisReaderFree(reader->hiredis);
    empty(reader, MOST_KEPT);
    *reader = (struct rds_reader){.chunks = reader->chunks};
}

void rds_reader_done(struct rds_reader *reader) {
    rds_reader_reset(reader);
    empty(reader, 0);
}

static bool is_open(struct rds_reader *reader) {
    if (reader->hiredis)
        return true;
    reader->hiredis = redisReaderCreateWithFunctions(&functions);
    if (reader->hiredis)
        reader->hiredis->privdata = reader;
    return reader->hiredis != NULL;
}

static enum rds_framed failed(struct rds_reader *reader) {
    return reader->hiredis->err == REDIS_ERR_OOM && !reader->is_too_much ? RDS_NO_MEMORY : RDS_GARBAGE;
}

/* What it was given and did not need is not its: whether a value comes next is not for it to know. */
static size_t take_back(redisReader *hiredis) {
    const size_t rest = hiredis->len - hiredis->pos;
    hiredis->pos = hiredis->len;
    return rest;
}

enum rds_framed rds_reader_next(struct rds_reader *reader, struct larder_bytes bytes, size_t *ret_used,
                                const struct rds_reply **ret) {
    /* In portions no larger than what was taken already: so what is copied in vain is no more than the reply. */
    enum { FIRST_PORTION = 512 };
    void *reply = NULL;
    size_t used = 0;
    *ret_used = 0;
    if (!is_open(reader))
        return RDS_NO_MEMORY;
    if (reader->fed == 0)
        empty(reader, MOST_KEPT);
    while (!reply && used < bytes.len) {
        size_t portion = reader->fed < FIRST_PORTION ? FIRST_PORTION : reader->fed;
        if (portion > bytes.len - used)
            portion = bytes.len - used;
        if (redisReaderFeed(reader->hiredis, (const char *)bytes.ptr + used, portion) != REDIS_OK)
            return RDS_NO_MEMORY;
        used += portion;
        reader->fed += portion;
        if (redisReaderGetReply(reader->hiredis, &reply) != REDIS_OK)
            return failed(reader);
        if (!reply && reader->fed > RDS_READER_MOST)
            return RDS_GARBAGE;
    }
    *ret_used = used;
    if (!reply)
        return RDS_MORE;
    *ret_used -= take_back(reader->hiredis);
    reader->fed = reader->n = 0;
    *ret = reply;
    return RDS_WHOLE;
}
