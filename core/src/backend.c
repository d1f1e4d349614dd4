#include "backend.h"

#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"

enum { DEFAULT_INFLIGHT = 1024 };
static const uint64_t RETRY_OPEN_NS = 1000000000u;

/* ---- which function serves a code ------------------------------------------- */

static larder_op_fn *cache_function(const struct larder_cache_ops *ops, uint32_t code) {
#define HAVE(member) (LARDER_HAS(ops, member) ? ops->member : NULL)
    if (ops == NULL)
        return NULL;
    switch (code) {
    case LARDER_OP_GET: return HAVE(get);
    case LARDER_OP_PUT: return HAVE(put);
    case LARDER_OP_REMOVE: return HAVE(remove);
    case LARDER_OP_LIST: return HAVE(list);
    case LARDER_OP_CLAIM: return HAVE(claim);
    case LARDER_OP_RELEASE: return HAVE(release);
    default: return NULL;
    }
}

static larder_op_fn *tag_function(const struct larder_tag_ops *ops, uint32_t code) {
    if (ops == NULL)
        return NULL;
    switch (code) {
    case LARDER_OP_TAGS_READ: return HAVE(read);
    case LARDER_OP_TAGS_WRITE: return HAVE(write);
    case LARDER_OP_ADVANCE: return HAVE(advance);
    case LARDER_OP_BUMP: return HAVE(bump);
    case LARDER_OP_LINK: return HAVE(link);
    case LARDER_OP_KEYS_OF: return HAVE(keys_of);
    case LARDER_OP_TAGS_OF: return HAVE(tags_of);
    case LARDER_OP_LIST_MARKS: return HAVE(list_marks);
    default: return NULL;
    }
#undef HAVE
}

static larder_op_fn *function_of(const struct larder_driver *driver, uint32_t code) {
    switch (code) {
    case LARDER_OP_PING: return driver->ping;
    case LARDER_OP_PROVISION: return LARDER_HAS(driver, provision) ? driver->provision : NULL;
    case LARDER_OP_EXPLAIN: return LARDER_HAS(driver, explain) ? driver->explain : NULL;
    default: break;
    }
    larder_op_fn *fn = cache_function(driver->cache, code);
    return fn != NULL ? fn : tag_function(driver->tags, code);
}

bool backend_can(const struct backend *b, uint32_t code) {
    return function_of(b->driver, code) != NULL &&
           (b->layer.below == NULL || backend_can(b->layer.below, code));
}

/* ---- ops of layers -------------------------------------------------------------------- */

/* A burst of ops goes through every layer: taking their memory from the system and giving it back
 * each time costs several times what the layers do. */
#ifdef __SANITIZE_ADDRESS__
enum { SPARE_BYTES = 1536, MAX_SPARES = 0 }; /* or it would not see an op that is used after its end */
#else
enum { SPARE_BYTES = 1536, MAX_SPARES = 64 };
#endif

struct op *backend_op(struct backend *b, const struct larder_op *of, const struct op_inputs *in,
                      op_done_fn *done, void *arg) {
    size_t size = op_size(in);
    bool spare = size > 0 && size <= SPARE_BYTES;
    void *memory = NULL;
    if (spare && b->spares != NULL) {
        memory = b->spares;
        b->spares = b->spares->next_waiting;
        b->n_spares--;
    } else if (size > 0) {
        memory = malloc(spare ? SPARE_BYTES : size);
    }
    if (memory == NULL)
        return NULL;
    struct op *op = op_init(memory, b->reactor, of->code, in, of->deadline_ns, of->now_ms, done, arg);
    op->spare = spare;
    op->trace = trace_ref(((const struct op *)of)->trace);
    return op;
}

struct op *backend_op_done(struct op *op) {
    struct backend *b = op->backend;
    if (!op->spare || b->n_spares == MAX_SPARES)
        return op_free(op);
    op_done(op);
    op->next_waiting = b->spares;
    b->spares = op;
    b->n_spares++;
    return NULL;
}

static void drop_spares(struct backend *b) {
    while (b->spares != NULL) {
        struct op *op = b->spares;
        b->spares = op->next_waiting;
        free(op);
    }
    b->n_spares = 0;
}

/* ---- open and close ------------------------------------------------------------ */

static void end_burst(void *arg) {
    struct backend *b = arg;
    if (b->n_gathered > 0) {
        size_t n = b->n_gathered;
        b->n_gathered = 0;
        lanes_submit_all(b->lanes, b->gathered_first, b->gathered_last, n);
    }
    if (b->want_flush) {
        b->want_flush = false;
        b->driver->flush(b->instance);
    }
}

static bool has_flush(const struct backend *b) {
    return LARDER_HAS(b->driver, flush) && b->driver->flush != NULL;
}

struct backend *backend_new(struct reactor *r, const struct larder_driver *driver, const void *config,
                            struct backend *below) {
    struct backend *b = calloc(1, sizeof(*b));
    if (b == NULL)
        return NULL;
    b->reactor = r;
    b->driver = driver;
    b->layer = (struct layer_config){.below = below, .settings = config};
    b->config = below != NULL ? &b->layer : config;
    b->home.backend = b;
    b->hook = (struct turn_hook){.fn = end_burst, .arg = b};
    return b;
}

bool backend_busy(const struct backend *b) {
    return b->inflight > 0 || b->n_waiting > 0;
}

struct backend *backend_free(struct backend *b) {
    if (b == NULL)
        return NULL;
    b->lanes = lanes_free(b->lanes);
    drop_spares(b);
    if (b->is_open) {
        reactor_hook_remove(b->reactor, &b->hook);
        b->driver->close(b->instance);
    }
    free(b);
    return NULL;
}

static int32_t open_failed(struct backend *b, int32_t status) {
    b->open_status = status < 0 ? status : LARDER_INTERNAL;
    b->retry_open_ns = reactor_now_ns(b->reactor) + RETRY_OPEN_NS;
    if (b->open_error[0] == 0)
        snprintf(b->open_error, sizeof(b->open_error), "driver %s could not be opened (%s)", b->driver->name,
                 larder_status_name(b->open_status));
    return b->open_status;
}

static int32_t open_now(struct backend *b) {
    struct backend *below = b->layer.below;
    b->open_error[0] = 0;
    if (below != NULL) {
        int32_t status = backend_open(below);
        if (status != LARDER_OK) {
            memcpy(b->open_error, below->open_error, sizeof(b->open_error));
            return open_failed(b, status);
        }
    }
    b->info = (struct larder_info){.size = sizeof(b->info)};
    int32_t status = b->driver->open(&backend_host, &b->home, b->config, &b->info, &b->instance,
                                     b->open_error);
    if (status != LARDER_OK)
        return open_failed(b, status);

    if (b->info.traits & LARDER_BLOCKING) {
        b->lanes = lanes_new(b->reactor, b->info.lanes > 0 ? b->info.lanes : 1);
        if (b->lanes == NULL) {
            b->driver->close(b->instance);
            return open_failed(b, LARDER_NOMEM);
        }
    }
    if (b->info.max_inflight == 0)
        b->info.max_inflight = DEFAULT_INFLIGHT;
    reactor_hook_add(b->reactor, &b->hook);
    b->is_open = true;
    return LARDER_OK;
}

int32_t backend_open(struct backend *b) {
    if (b->is_open)
        return LARDER_OK;
    if (b->open_status != LARDER_OK && reactor_now_ns(b->reactor) < b->retry_open_ns)
        return b->open_status;
    return open_now(b);
}

/* ---- calls ------------------------------------------------------------------------ */

static bool too_late(const struct op *op) {
    return op->pub.deadline_ns != UINT64_MAX && reactor_now_ns(op->reactor) >= op->pub.deadline_ns;
}

/* On a lane.  An op that waited here until its time was up never reaches the driver. */
static void run_on_lane(struct lane_job *job, uint32_t lane) {
    struct op *op = (struct op *)(void *)((char *)job - offsetof(struct op, lane_job));
    struct backend *b = op->backend;
    op->pub.lane = lane;
    if (too_late(op))
        op_fail(&op->pub, LARDER_DEADLINE, "its time was up before a lane was free");
    else
        function_of(b->driver, op->pub.code)(b->instance, &op->pub);
}

static void send(struct backend *b, struct op *op) {
    b->inflight++;
    op->sent = true;
    if (b->lanes != NULL) {
        op->lane_job = (struct lane_job){.run = run_on_lane};
        if (b->n_gathered++ == 0)
            b->gathered_first = &op->lane_job;
        else
            b->gathered_last->next = &op->lane_job;
        b->gathered_last = &op->lane_job;
        return;
    }
    b->want_flush = has_flush(b);
    function_of(b->driver, op->pub.code)(b->instance, &op->pub);
}

/* ---- the queue in front of a driver --------------------------------------------------- */

/* A layer has room for everything: what waits, waits in front of the driver, below the layers
 * that measure it and may refuse it. */
static bool has_room(const struct backend *b) {
    return b->inflight < b->info.max_inflight || b->layer.below != NULL;
}

/* Read by other threads too (metrics.c); written by one. */
static void queue_count(struct backend *b, uint32_t n) {
    __atomic_store_n(&b->n_waiting, n, __ATOMIC_RELAXED);
}

static struct op *queue_take(struct backend *b) {
    struct op *op = b->waiting_first;
    b->waiting_first = op->next_waiting;
    if (b->waiting_first == NULL)
        b->waiting_last = NULL;
    queue_count(b, b->n_waiting - 1);
    return op;
}

static void fail_late(struct op *op) {
    op_fail(&op->pub, LARDER_DEADLINE, "its time was up before the driver had room");
}

/* Those whose time is up leave at the front, so that behind a driver which answers nothing the
 * queue does not grow beyond what came within one deadline. */
static void queue_add(struct backend *b, struct op *op) {
    TRACE(op->trace, "driver %s: %s waits, %u calls are with it", b->driver->name,
          larder_op_name(op->pub.code), b->inflight);
    while (b->waiting_first != NULL && too_late(b->waiting_first))
        fail_late(queue_take(b));
    op->next_waiting = NULL;
    if (b->waiting_last != NULL)
        b->waiting_last->next_waiting = op;
    else
        b->waiting_first = op;
    b->waiting_last = op;
    queue_count(b, b->n_waiting + 1);
}

void backend_call(struct backend *b, struct op *op) {
    op->backend = b;
    int32_t status = backend_open(b);
    if (status != LARDER_OK) {
        op_fail(&op->pub, status, b->open_error);
    } else if (function_of(b->driver, op->pub.code) == NULL) {
        op_fail(&op->pub, LARDER_UNSUPPORTED, "the driver has no such operation");
    } else if (has_room(b)) {
        send(b, op);
    } else {
        queue_add(b, op);
    }
}

void backend_returned(struct op *op) {
    struct backend *b = op->backend;
    b->inflight--;
    while (has_room(b) && b->waiting_first != NULL) {
        struct op *next = queue_take(b);
        if (too_late(next))
            fail_late(next);
        else
            send(b, next);
    }
}

void backend_cancel(struct op *op) {
    struct backend *b = op->backend;
    op->unwanted = true;
    if (!op->sent)
        return;
    if (b->lanes != NULL) {
        end_burst(b);
        if (lanes_withdraw(b->lanes, &op->lane_job))
            op_fail(&op->pub, LARDER_CANCELLED, NULL);
    } else if (LARDER_HAS(b->driver, cancel) && b->driver->cancel != NULL) {
        b->driver->cancel(b->instance, &op->pub);
    }
}
