#include "mini.h"

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

_Atomic int64_t mini_now_ms = 1700000000000;
_Atomic uint64_t mini_now_ns = 0;
_Atomic uint64_t mini_deadline_ns = 20000000000u;
atomic_int mini_bufs, mini_warnings;
char mini_last_warning[LARDER_ERROR_SIZE];

struct larder_buf {
    atomic_int refs;
    max_align_t bytes[];
};

struct larder_timer {
    larder_fn *fn;
    void *arg;
    uint64_t due_ns;
};

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static struct queued {
    larder_fn *fn;
    void *arg;
} queue[64];
static size_t n_queued;

static _Noreturn void die(const char *what) {
    fprintf(stderr, "test host: %s\n", what);
    abort();
}

static void *must(void *p) {
    if (p == NULL)
        die("out of memory");
    return p;
}

/* ---- the host ------------------------------------------------------------------------ */

static void complete(struct larder_op *op, const struct larder_result *res) {
    struct mini_op *o = (struct mini_op *)(void *)op;
    if (o->completed++)
        die("an op was completed twice");
    if (res->size != sizeof(*res) || res->status > LARDER_MISS || res->status < LARDER_INTERNAL)
        die("a result makes no sense");
    if (res->status < 0 && (res->detail == NULL || strchr(res->detail, '\n') != NULL))
        die("a failure without one line of reason");
    o->result = *res;
    snprintf(o->detail, sizeof(o->detail), "%s", res->detail != NULL ? res->detail : "");
    if (res->cursor.len > 0) {
        memcpy(o->cursor, res->cursor.ptr, res->cursor.len);
        mini_host.buf_unref(res->cursor.owner);
    }
}

static int32_t emit_mark(struct larder_op *op, const struct larder_mark *mark) {
    struct mini_op *o = (struct mini_op *)(void *)op;
    o->marks = must(realloc(o->marks, (o->n_marks + 1) * sizeof(*o->marks)));
    uint8_t *tag = must(calloc(mark->tag.len + 1, 1));
    if (mark->tag.len > 0)
        memcpy(tag, mark->tag.ptr, mark->tag.len);
    o->marks[o->n_marks] = *mark;
    o->marks[o->n_marks++].tag.ptr = tag;
    return LARDER_OK;
}

static int32_t emit_key(struct larder_op *op, struct larder_bytes key) {
    struct mini_op *o = (struct mini_op *)(void *)op;
    o->keys = must(realloc(o->keys, (o->n_keys + 1) * sizeof(*o->keys)));
    o->key_lens = must(realloc(o->key_lens, (o->n_keys + 1) * sizeof(*o->key_lens)));
    o->keys[o->n_keys] = must(calloc(key.len + 1, 1));
    if (key.len > 0)
        memcpy(o->keys[o->n_keys], key.ptr, key.len);
    o->key_lens[o->n_keys++] = key.len;
    return LARDER_OK;
}

static uint8_t *buf_new(size_t len, struct larder_slice *out) {
    struct larder_buf *buf = malloc(sizeof(*buf) + len);
    if (buf == NULL)
        return NULL;
    atomic_init(&buf->refs, 1);
    atomic_fetch_add(&mini_bufs, 1);
    *out = (struct larder_slice){(uint8_t *)buf->bytes, len, buf};
    return (uint8_t *)buf->bytes;
}

static void buf_ref(struct larder_buf *buf) {
    atomic_fetch_add(&buf->refs, 1);
}

static void buf_unref(struct larder_buf *buf) {
    if (buf != NULL && atomic_fetch_sub(&buf->refs, 1) == 1) {
        atomic_fetch_sub(&mini_bufs, 1);
        free(buf);
    }
}

static uint64_t now_ns(void) {
    uint64_t set = atomic_load(&mini_now_ns);
    struct timespec now;
    if (set != 0)
        return set;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void log_line(struct larder_home *home, int32_t level, const char *line) {
    (void)home;
    if (level <= LARDER_LOG_WARN) {
        atomic_fetch_add(&mini_warnings, 1);
        snprintf(mini_last_warning, sizeof(mini_last_warning), "%s", line);
    }
}

static struct larder_timer *timer_new(struct larder_home *home, larder_fn *fn, void *arg) {
    (void)home;
    struct larder_timer *t = must(malloc(sizeof(*t)));
    *t = (struct larder_timer){fn, arg, UINT64_MAX};
    return t;
}

static void timer_set(struct larder_timer *t, uint64_t due_ns) {
    t->due_ns = due_ns;
}

static void timer_free(struct larder_timer *t) {
    free(t);
}

static int32_t post(struct larder_home *home, larder_fn *fn, void *arg) {
    (void)home;
    pthread_mutex_lock(&queue_lock);
    if (n_queued == sizeof(queue) / sizeof(queue[0]))
        die("too much is posted");
    queue[n_queued++] = (struct queued){fn, arg};
    pthread_mutex_unlock(&queue_lock);
    return LARDER_OK;
}

static int32_t offload(struct larder_home *home, larder_fn *work, larder_fn *done, void *arg) {
    return post(home, work, arg) == LARDER_OK ? post(home, done, arg) : LARDER_NOMEM;
}

int mini_turn(void) {
    int ran = 0;
    for (;; ran++) {
        pthread_mutex_lock(&queue_lock);
        struct queued q = n_queued > 0 ? queue[0] : (struct queued){0};
        if (n_queued > 0)
            memmove(queue, queue + 1, --n_queued * sizeof(queue[0]));
        pthread_mutex_unlock(&queue_lock);
        if (q.fn == NULL)
            return ran;
        q.fn(q.arg);
    }
}

const struct larder_host mini_host = {
    .size = sizeof(mini_host),
    .abi = LARDER_ABI,
    .complete = complete,
    .emit_mark = emit_mark,
    .emit_key = emit_key,
    .emit_text = emit_key,
    .buf_new = buf_new,
    .buf_ref = buf_ref,
    .buf_unref = buf_unref,
    .now_ns = now_ns,
    .log = log_line,
    .timer = timer_new,
    .timer_set = timer_set,
    .timer_free = timer_free,
    .post = post,
    .offload = offload,
};

/* ---- folders ----------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)st;
    (void)at;
    return type == FTW_DP || type == FTW_D ? rmdir(path) : unlink(path);
}

void mini_remove_tree(const char *path) {
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        die("a test folder cannot be removed");
}

const char *mini_folder(const char *name) {
    static char path[4096];
    const char *tmp = getenv("TMPDIR");
    snprintf(path, sizeof(path), "%s/larder-fs-%d-%s", tmp != NULL ? tmp : "/tmp", (int)getpid(), name);
    mini_remove_tree(path);
    return path;
}

/* ---- instances ------------------------------------------------------------------------------ */

void mini_config(struct mini *m, const char *path) {
    *m = (struct mini){.sys = &fs_sys_real,
                       .info.size = sizeof(m->info),
                       .config = {.path = path,
                                  .max_size = 1 << 30,
                                  .sweep_interval_ms = 600000,
                                  .fsync = "none",
                                  .coherence = "auto",
                                  .mark_max_age_ms = 366ll * 86400000,
                                  .lanes = 4}};
}

void mini_open(struct mini *m) {
    if (fs_open_with(m->sys, &mini_host, NULL, &m->config, &m->info, &m->instance, m->error) != LARDER_OK)
        die(m->error);
}

void mini_close(struct mini *m) {
    fs_driver.close(m->instance);
    m->instance = NULL;
    mini_turn();
}

void mini_sweep(struct mini *m) {
    fs_sweep(mini_fs(m)->sweeper, mini_fs(m));
}

struct larder_bytes mini_text(const char *text) {
    return (struct larder_bytes){(const uint8_t *)text, strlen(text)};
}

/* ---- calls -------------------------------------------------------------------------------------- */

void mini_op_init(struct mini_op *o, uint32_t code) {
    *o = (struct mini_op){.op = {.size = sizeof(o->op),
                                 .code = code,
                                 .id = 1,
                                 .deadline_ns = now_ns() + atomic_load(&mini_deadline_ns),
                                 .now_ms = atomic_load(&mini_now_ms)}};
}

int32_t mini_call(struct mini *m, struct mini_op *o) {
    const struct larder_cache_ops *c = fs_driver.cache;
    const struct larder_tag_ops *t = fs_driver.tags;
    larder_op_fn *const fns[] = {[LARDER_OP_GET] = c->get,
                                 [LARDER_OP_PUT] = c->put,
                                 [LARDER_OP_REMOVE] = c->remove,
                                 [LARDER_OP_LIST] = c->list,
                                 [LARDER_OP_CLAIM] = c->claim,
                                 [LARDER_OP_RELEASE] = c->release,
                                 [LARDER_OP_TAGS_READ] = t->read,
                                 [LARDER_OP_TAGS_WRITE] = t->write,
                                 [LARDER_OP_ADVANCE] = t->advance,
                                 [LARDER_OP_BUMP] = t->bump,
                                 [LARDER_OP_LINK] = t->link,
                                 [LARDER_OP_KEYS_OF] = t->keys_of,
                                 [LARDER_OP_TAGS_OF] = t->tags_of,
                                 [LARDER_OP_LIST_MARKS] = t->list_marks,
                                 [LARDER_OP_PING] = fs_driver.ping,
                                 [LARDER_OP_PROVISION] = fs_driver.provision,
                                 [LARDER_OP_EXPLAIN] = fs_driver.explain};
    fns[o->op.code](m->instance, &o->op);
    if (o->completed != 1)
        die("a blocking op was not completed when it returned");
    return o->result.status;
}

void mini_op_done(struct mini_op *o) {
    for (size_t i = 0; i < o->n_marks; i++)
        free((void *)(uintptr_t)o->marks[i].tag.ptr);
    for (size_t i = 0; i < o->n_keys; i++)
        free(o->keys[i]);
    free(o->marks);
    free(o->keys);
    free(o->key_lens);
    buf_unref(o->result.value.owner);
    *o = (struct mini_op){0};
}

int32_t mini_put(struct mini *m, uint32_t lane, struct larder_bytes key, struct larder_bytes value,
                 int64_t epoch) {
    struct mini_op o;
    mini_op_init(&o, LARDER_OP_PUT);
    o.op.lane = lane;
    o.op.key = key;
    o.op.value = (struct larder_slice){value.ptr, value.len, NULL};
    o.op.epoch = epoch;
    o.op.modified_ms = epoch + 7;
    int32_t status = mini_call(m, &o);
    mini_op_done(&o);
    return status;
}

int32_t mini_get(struct mini *m, uint32_t lane, struct larder_bytes key, char *out, size_t size,
                 size_t *ret_len, int64_t *ret_epoch) {
    struct mini_op o;
    mini_op_init(&o, LARDER_OP_GET);
    o.op.lane = lane;
    o.op.key = key;
    int32_t status = mini_call(m, &o);
    if (status == LARDER_OK) {
        size_t len = o.result.value.len;
        if (out != NULL && size > 0) {
            size_t copied = len < size - 1 ? len : size - 1;
            if (copied > 0)
                memcpy(out, o.result.value.ptr, copied);
            out[copied] = 0;
        }
        if (ret_len != NULL)
            *ret_len = len;
        if (ret_epoch != NULL)
            *ret_epoch = o.result.epoch;
    }
    mini_op_done(&o);
    return status;
}

int32_t mini_remove(struct mini *m, struct larder_bytes key) {
    struct mini_op o;
    mini_op_init(&o, LARDER_OP_REMOVE);
    o.op.key = key;
    int32_t status = mini_call(m, &o);
    mini_op_done(&o);
    return status;
}

int32_t mini_write(struct mini *m, uint32_t lane, struct larder_mark mark) {
    struct mini_op o;
    mini_op_init(&o, LARDER_OP_TAGS_WRITE);
    o.op.lane = lane;
    o.op.marks = &mark;
    o.op.n_marks = 1;
    int32_t status = mini_call(m, &o);
    mini_op_done(&o);
    return status;
}

int32_t mini_read(struct mini *m, uint32_t lane, const char *tag, struct larder_mark *ret) {
    struct mini_op o;
    struct larder_mark ask = {.tag = mini_text(tag)};
    mini_op_init(&o, LARDER_OP_TAGS_READ);
    o.op.lane = lane;
    o.op.marks = &ask;
    o.op.n_marks = 1;
    int32_t status = mini_call(m, &o);
    if (status == LARDER_OK && o.n_marks == 0)
        status = LARDER_MISS;
    if (status == LARDER_OK) {
        *ret = o.marks[0];
        ret->tag = (struct larder_bytes){0};
    }
    mini_op_done(&o);
    return status;
}

int32_t mini_advance(struct mini *m, uint32_t lane, const char *name, int64_t add, int64_t *ret_epoch) {
    struct mini_op o;
    mini_op_init(&o, LARDER_OP_ADVANCE);
    o.op.lane = lane;
    o.op.key = mini_text(name);
    o.op.add = add;
    int32_t status = mini_call(m, &o);
    if (status == LARDER_OK && ret_epoch != NULL)
        *ret_epoch = o.result.epoch;
    mini_op_done(&o);
    return status;
}

int32_t mini_bump(struct mini *m, uint32_t lane, const char *name, const char *const tags[], size_t n,
                  int64_t *ret_epoch) {
    struct mini_op o;
    struct larder_mark marks[32];
    mini_op_init(&o, LARDER_OP_BUMP);
    if (n > sizeof(marks) / sizeof(marks[0]))
        die("too many tags");
    for (size_t i = 0; i < n; i++)
        marks[i] = MINI_MARK(tags[i], LARDER_NEW_EPOCH);
    o.op.lane = lane;
    o.op.key = mini_text(name);
    o.op.marks = marks;
    o.op.n_marks = n;
    int32_t status = mini_call(m, &o);
    if (status == LARDER_OK && ret_epoch != NULL)
        *ret_epoch = o.result.epoch;
    mini_op_done(&o);
    return status;
}
