/* The strict host as a driver: instances, and the calls that go through. */
#include "strict.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "random.h"
#include "strict_inside.h"

static const uint64_t MAGIC = UINT64_C(0x6c61726465723a29);

struct strict strict = {.lock = PTHREAD_MUTEX_INITIALIZER};
_Thread_local struct here strict_here;

/* The host with a copy of today's size, where the driver cannot write. */
static const struct larder_host the_host = {
    .size = sizeof(the_host),
    .abi = LARDER_ABI,
    .complete = strict_complete,
    .emit_mark = strict_emit_mark,
    .emit_key = strict_emit_key,
    .emit_text = strict_emit_text,
    .buf_new = strict_buf_new,
    .buf_wrap = strict_buf_wrap,
    .buf_ref = strict_buf_ref,
    .buf_unref = strict_buf_unref,
    .watch = strict_watch_new,
    .rewatch = strict_rewatch,
    .unwatch = strict_unwatch,
    .timer = strict_timer_new,
    .timer_set = strict_timer_set,
    .timer_free = strict_timer_free,
    .post = strict_post,
    .offload = strict_offload,
};

bool starved(const char *function) {
    return strict.must_fail && strict.must_fail(function);
}

void strict_starve(bool (*must_fail)(const char *function)) {
    strict.must_fail = must_fail;
}

/* ---- what is about an instance, and not about an op ------------------------------------------ */

struct instance *instance_of(struct larder_home *home, const char *function) {
    struct instance *in = (struct instance *)(void *)home;
    strict_lock();
    struct instance *known = strict.instances;
    while (known && known != in)
        known = known->next;
    bool closed = known && known->closed;
    strict_unlock();
    if (!known || known->magic != MAGIC)
        violation_end(VIOLATION_HOME_STALE, NULL, "%s() with a home that was never given", function);
    if (closed)
        violation_end(VIOLATION_HOME_STALE, NULL, "%s() for instance %u, after its close()", function,
                      in->no);
    return in;
}

static void host_mark_seen(struct larder_home *home, const struct larder_mark *mark) {
    struct instance *in = instance_of(home, "mark_seen");
    strict.outer->mark_seen(in->home, mark);
}

static void host_log(struct larder_home *home, int32_t level, const char *line) {
    struct instance *in = instance_of(home, "log");
    text_check(NULL, "a log line", line, strlen(line), true);
    if (level < LARDER_LOG_ERROR || level > LARDER_LOG_DEBUG)
        violation(VIOLATION_STATUS, NULL, "log() with the level %d", level);
    strict.outer->log(in->home, level, line);
}

static const struct larder_host *host_for(const struct larder_host *outer) {
    if (strict.host)
        return strict.host;
    size_t len = sizeof(the_host);
    if (!guard_new(&strict.host_guard, &len, 1, GUARD_HOST, NULL))
        return NULL;
    struct larder_host *host = (struct larder_host *)(void *)strict.host_guard.piece[0].ptr;
    *host = the_host;
    host->now_ns = outer->now_ns;
    host->log = host_log;
    host->mark_seen = host_mark_seen;
    guard_read_only(&strict.host_guard, 0);
    strict.outer = outer;
    strict.host = host;
    return host;
}

static struct instance *instance_new(struct larder_home *home, const void *config) {
    struct instance *in = calloc(1, sizeof(*in));
    size_t len = strict.tried->config_size;
    if (!in)
        return NULL;
    if (!guard_new(&in->config, &len, 1, GUARD_CONFIG, in)) {
        free(in);
        return NULL;
    }
    if (len > 0)
        memcpy(in->config.piece[0].ptr, config, len);
    guard_read_only(&in->config, 0);
    in->magic = MAGIC;
    in->home = home;
    in->reactor = home->backend->reactor;
    in->release = (struct task){.fn = strict_release, .arg = in};
    strict_lock();
    in->no = ++strict.n_instances;
    in->next = strict.instances;
    strict.instances = in;
    if (!strict.io_known) {
        strict.io_thread = pthread_self();
        strict.io_known = true;
    }
    strict_unlock();
    return in;
}

static void instance_end(struct instance *in, const char *when) {
    strict_lock();
    in->open = false;
    in->closed = true;
    strict_unlock();
    strict_io_left(in, when);
    guard_close(&in->config);
}

/* ---- open and close ----------------------------------------------------------------------------- */

static void check_info(const struct larder_info *info) {
    if (info->size != sizeof(*info))
        violation(VIOLATION_OPEN_INFO, NULL, "open() changed info->size from %zu to %u", sizeof(*info),
                  info->size);
    if (info->key_bytes > 2)
        violation(VIOLATION_OPEN_INFO, NULL, "open(): info->key_bytes is %u", info->key_bytes);
    if (!(info->traits & LARDER_BLOCKING) && info->lanes > 0)
        violation(VIOLATION_OPEN_INFO, NULL, "open(): %u lanes without LARDER_BLOCKING", info->lanes);
    if ((info->traits & LARDER_BLOCKING) && LARDER_HAS(strict.tried, cancel) && strict.tried->cancel)
        violation(VIOLATION_OPEN_INFO, NULL, "a driver that is LARDER_BLOCKING has a cancel()");
    if ((info->traits & LARDER_LOSSY) && (info->traits & LARDER_DURABLE))
        violation(VIOLATION_OPEN_INFO, NULL, "open(): LARDER_LOSSY and LARDER_DURABLE exclude each other");
}

static void check_failure(int32_t status, const char *error) {
    size_t len = strnlen(error, LARDER_ERROR_SIZE);
    if (status > 0 || status < LARDER_INTERNAL)
        violation(VIOLATION_STATUS, NULL, "open() returned %d", status);
    if (len == LARDER_ERROR_SIZE)
        violation(VIOLATION_DETAIL, NULL, "the text of open() has no end");
    else if (len == 0)
        violation(VIOLATION_OPEN_REASON, NULL, "open() returned %s and left `error` empty",
                  larder_status_name(status));
    else
        text_check(NULL, "the error of open()", error, len, true);
}

static int32_t strict_open(const struct larder_host *outer, struct larder_home *home, const void *config,
                           struct larder_info *info, void **instance, char *error) {
    const struct larder_host *host = host_for(outer);
    struct instance *in = host ? instance_new(home, config) : NULL;
    const size_t lens[] = {sizeof(*info), LARDER_ERROR_SIZE};
    struct guard guard;
    if (!in || !guard_new(&guard, lens, N_ELEMENTS(lens), GUARD_OPEN, in))
        return LARDER_NOMEM;
    struct larder_info *inner_info = (struct larder_info *)(void *)guard.piece[0].ptr;
    char *inner_error = (char *)guard.piece[1].ptr;
    *inner_info = *info;
    memset(inner_error, 0, LARDER_ERROR_SIZE);

    struct stay stay;
    stay_begin(&stay, in, NULL, "open()");
    in->open = true;
    int32_t status = strict.tried->open(host, (struct larder_home *)(void *)in, in->config.piece[0].ptr,
                                        inner_info, &in->inner, inner_error);
    stay_end(&stay, STAY_UNBOUNDED);
    *info = in->info = *inner_info;
    if (status == LARDER_OK) {
        in->blocking = info->traits & LARDER_BLOCKING;
        check_info(info);
        *instance = in;
    } else {
        check_failure(status, inner_error);
        memcpy(error, inner_error, LARDER_ERROR_SIZE - 1);
        instance_end(in, "open() had failed");
    }
    guard_free(&guard);
    return status;
}

static void strict_close(void *instance) {
    struct instance *in = instance;
    struct stay stay;
    stay_begin(&stay, in, NULL, "close()");
    strict.tried->close(in->inner);
    stay_end(&stay, STAY_UNBOUNDED);
    instance_end(in, "close()");
}

/* ---- calls ------------------------------------------------------------------------------------------ */

/* Any lane that is free may be the next: which one a thread gets means nothing. */
static uint32_t lane_take(struct instance *in, uint32_t given) {
    uint32_t n = in->info.lanes > 0 ? in->info.lanes : 1;
    if (n > MAX_LANES)
        return given;
    strict_lock();
    uint32_t lane = random_below(&strict.random, n);
    while (in->lane_taken[lane])
        lane = (lane + 1) % n;
    in->lane_taken[lane] = true;
    strict_unlock();
    return lane;
}

static void lane_give(struct instance *in, uint32_t lane) {
    strict_lock();
    if (lane < MAX_LANES)
        in->lane_taken[lane] = false;
    strict_unlock();
}

static void through(void *instance, struct larder_op *outer, larder_op_fn *fn) {
    struct instance *in = instance;
    uint64_t bytes = outer->value.len;
    struct strict_op *op = strict_op_new(in, outer);
    if (!op) {
        op_fail(outer, LARDER_NOMEM, "the strict host has no memory");
        return;
    }
    const char *what = code_name(outer->code);
    struct stay stay;
    uint32_t lane = 0;
    if (in->blocking)
        op->inner->lane = op->as_given.lane = lane = lane_take(in, outer->lane);
    stay_begin(&stay, in, op, what);
    fn(in->inner, op->inner);
    stay_end(&stay, in->blocking ? STAY_UNBOUNDED : bytes);
    if (in->blocking) {
        stay_judge_deadline(&stay, op);
        lane_give(in, lane);
    }
    strict_op_returned(op);
}

#define THROUGH(name, function)                              \
    static void name(void *instance, struct larder_op *op) { \
        through(instance, op, strict.tried->function);       \
    }
THROUGH(do_get, cache->get)
THROUGH(do_put, cache->put)
THROUGH(do_remove, cache->remove)
THROUGH(do_list, cache->list)
THROUGH(do_claim, cache->claim)
THROUGH(do_release, cache->release)
THROUGH(do_read, tags->read)
THROUGH(do_write, tags->write)
THROUGH(do_advance, tags->advance)
THROUGH(do_bump, tags->bump)
THROUGH(do_link, tags->link)
THROUGH(do_keys_of, tags->keys_of)
THROUGH(do_tags_of, tags->tags_of)
THROUGH(do_list_marks, tags->list_marks)
THROUGH(do_ping, ping)
THROUGH(do_provision, provision)
THROUGH(do_explain, explain)
#undef THROUGH

static void do_cancel(void *instance, struct larder_op *outer) {
    strict_op_cancel(instance, outer);
}

static void do_flush(void *instance) {
    struct instance *in = instance;
    struct stay stay;
    stay_begin(&stay, in, NULL, "flush()");
    strict.tried->flush(in->inner);
    stay_end(&stay, 0);
}

/* In a signal handler. */
static void on_fault(const struct guard *g, const uint8_t *at, enum guard_access access) {
    static const char *const names[] = {[GUARD_HOST] = "the host's table",
                                        [GUARD_CONFIG] = "its configuration",
                                        [GUARD_OPEN] = "open()'s info and error"};
    const char *did = access == GUARD_WRITE ? "wrote" : access == GUARD_READ ? "read" : "touched";
    if (g->kind == GUARD_OP)
        strict_op_fault(g, at, access);
    if (g->kind == GUARD_BUF)
        strict_buf_fault(g, at, access);
    const struct guard_piece *last = &g->piece[g->n - 1];
    bool beyond = at >= last->ptr + last->len;
    violation_end(beyond ? VIOLATION_BUF_OVERRUN : VIOLATION_HOST_WRITTEN, strict_here.op,
                  "the driver %s %s%s%s", did, beyond ? "beyond " : "", names[g->kind],
                  g->closed ? ", after close()" : "");
}

/* The loader has made copies of today's size of all tables (loader.h), so every member is there. */
const struct larder_driver *strict_around(const struct larder_driver *tried, uint64_t seed, bool real_time) {
    static struct larder_cache_ops cache;
    static struct larder_tag_ops tags;
    static struct larder_driver around;
    strict.tried = tried;
    strict.random = seed;
    strict.real_time = real_time;
    guard_on_fault(on_fault);
    around = *tried;
    around.open = strict_open;
    around.close = strict_close;
    around.ping = do_ping;
    around.provision = tried->provision ? do_provision : NULL;
    around.explain = tried->explain ? do_explain : NULL;
    around.cancel = tried->cancel ? do_cancel : NULL;
    around.flush = tried->flush ? do_flush : NULL;
    if (tried->cache) {
        const struct larder_cache_ops *t = tried->cache;
        cache = (struct larder_cache_ops){
            .size = sizeof(cache),
            .get = do_get,
            .put = do_put,
            .remove = do_remove,
            .list = t->list ? do_list : NULL,
            .claim = t->claim ? do_claim : NULL,
            .release = t->release ? do_release : NULL,
        };
        around.cache = &cache;
    }
    if (tried->tags) {
        const struct larder_tag_ops *t = tried->tags;
        tags = (struct larder_tag_ops){
            .size = sizeof(tags),
            .read = do_read,
            .write = do_write,
            .advance = do_advance,
            .bump = t->bump ? do_bump : NULL,
            .link = t->link ? do_link : NULL,
            .keys_of = t->keys_of ? do_keys_of : NULL,
            .tags_of = t->tags_of ? do_tags_of : NULL,
            .list_marks = t->list_marks ? do_list_marks : NULL,
        };
        around.tags = &tags;
    }
    return &around;
}

void strict_audit(void) {
    strict_op_audit();
    strict_buf_audit();
    for (struct instance *in = strict.instances; in;) {
        struct instance *next = in->next;
        guard_free(&in->config);
        strict_io_done(in);
        free(in);
        in = next;
    }
    strict.instances = NULL;
}
