#include "faulty.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend.h"
#include "random.h"

enum { MAX_WRAPPED = 4, BUCKETS = 256, SLOW_NS = 20000000, LATE_NS = 50000000, PREFIX_ROOM = 32 };

struct wrapped {
    struct larder_driver pub; /* what the core sees; first */
    struct larder_cache_ops cache;
    struct larder_tag_ops tags;
    const struct larder_driver *driver;
};

struct held { /* on a driver that must not block */
    struct instance *inst;
    struct larder_op *op;
    struct copy *copy; /* op is its; NULL: op is the core's */
    struct larder_timer *timer;
    struct held *next;
};

/* One for the process: the core gives the functions that stand for a driver no other way to know
 * what is asked for. */
static struct {
    const struct run *run;
    struct control *control;
    _Atomic uint64_t random;
    pthread_mutex_t lock;    /* of all below */
    struct larder_host host; /* what drivers are given: as long-lived as the core's own */
    struct wrapped wrapped[MAX_WRAPPED];
    size_t n_wrapped;
    struct plan *plans[BUCKETS];
    _Atomic size_t n_plans;
} faulty = {.lock = PTHREAD_MUTEX_INITIALIZER};

uint32_t faulty_below(uint32_t n) {
    uint64_t state = atomic_fetch_add(&faulty.random, 0x9E3779B97F4A7C15u);
    return random_below(&state, n);
}

enum wrong faulty_wrong(void) {
    return faulty.run->wrong;
}

/* ---- plans --------------------------------------------------------------------------- */

static struct plan **bucket_of(const struct larder_op *op) {
    uint64_t state = (uint64_t)(uintptr_t)op;
    return &faulty.plans[random_next(&state) % BUCKETS];
}

bool plan_add(struct plan plan) {
    struct plan *kept = malloc(sizeof(*kept));
    if (kept == NULL)
        return false;
    *kept = plan;
    pthread_mutex_lock(&faulty.lock);
    struct plan **bucket = bucket_of(plan.op);
    kept->next = *bucket;
    *bucket = kept;
    atomic_fetch_add(&faulty.n_plans, 1);
    pthread_mutex_unlock(&faulty.lock);
    return true;
}

/* An op may have two plans: as a copy, and for its fate. */
static bool plan_take(const struct larder_op *op, struct plan *ret) {
    struct plan *found = NULL;
    *ret = (struct plan){0};
    if (atomic_load(&faulty.n_plans) == 0)
        return false;
    pthread_mutex_lock(&faulty.lock);
    for (struct plan **at = bucket_of(op); *at != NULL;) {
        if ((*at)->op != op) {
            at = &(*at)->next;
            continue;
        }
        if ((*at)->swallow > 0) {
            (*at)->swallow--;
            *ret = (struct plan){.swallow = 1};
            pthread_mutex_unlock(&faulty.lock);
            return true;
        }
        found = *at;
        *at = found->next;
        ret->copy = found->copy != NULL ? found->copy : ret->copy;
        ret->lose |= found->lose;
        ret->bend |= found->bend;
        ret->epoch = found->epoch != 0 ? found->epoch : ret->epoch;
        free(found);
        atomic_fetch_sub(&faulty.n_plans, 1);
    }
    pthread_mutex_unlock(&faulty.lock);
    return found != NULL;
}

static struct copy *copy_of(const struct larder_op *op) {
    struct copy *copy = NULL;
    if (atomic_load(&faulty.n_plans) == 0)
        return NULL;
    pthread_mutex_lock(&faulty.lock);
    for (const struct plan *p = *bucket_of(op); p != NULL && copy == NULL; p = p->next)
        if (p->op == op)
            copy = p->copy;
    pthread_mutex_unlock(&faulty.lock);
    return copy;
}

/* ---- copies ---------------------------------------------------------------------------- */

static struct larder_bytes copy_bytes(struct copy *c, size_t *at, const char *prefix,
                                      struct larder_bytes from) {
    struct larder_bytes to = {c->bytes + *at, c->prefix + from.len};
    if (c->prefix > 0)
        memcpy(c->bytes + *at, prefix, c->prefix);
    if (from.len > 0)
        memcpy(c->bytes + *at + c->prefix, from.ptr, from.len);
    *at += to.len;
    return to;
}

struct copy *copy_new(const struct instance *inst, struct larder_op *op, const char *prefix) {
    struct copy *c = calloc(1, sizeof(*c));
    size_t size = 1, at = 0;
    if (c == NULL)
        return NULL;
    c->prefix = strlen(prefix);
    size += c->prefix + op->key.len;
    for (size_t i = 0; i < op->n_marks; i++)
        size += c->prefix + op->marks[i].tag.len;
    c->bytes = malloc(size);
    c->marks = calloc(op->n_marks + 1, sizeof(*c->marks));
    if (c->bytes == NULL || c->marks == NULL) {
        copy_free(c);
        return NULL;
    }
    c->host = inst->host;
    c->original = op;
    c->op = *op;
    c->op.key = copy_bytes(c, &at, prefix, op->key);
    for (size_t i = 0; i < op->n_marks; i++) {
        c->marks[i] = op->marks[i];
        c->marks[i].tag = copy_bytes(c, &at, prefix, op->marks[i].tag);
    }
    c->op.marks = c->marks;
    memset(c->op.scratch, 0, sizeof(c->op.scratch));
    if (op->value.owner != NULL)
        inst->host->buf_ref(op->value.owner);
    return c;
}

void copy_free(struct copy *c) {
    if (c->op.value.owner != NULL)
        c->host->buf_unref(c->op.value.owner);
    free(c->marks);
    free(c->bytes);
    free(c);
}

/* ---- answers ----------------------------------------------------------------------------- */

/* Another value of which a byte differs, or the end is missing: to be found out by its reader. */
static void bend_value(struct larder_result *res, unsigned how) {
    struct larder_slice bent = {0};
    if (res->status != LARDER_OK || res->value.len == 0)
        return;
    uint8_t *bytes = backend_host.buf_new(res->value.len, &bent);
    if (bytes == NULL)
        return;
    memcpy(bytes, res->value.ptr, res->value.len);
    if (how & 1)
        bytes[faulty_below((uint32_t)res->value.len)] ^= (uint8_t)(1 + faulty_below(255));
    else
        bent.len = faulty_below((uint32_t)bent.len);
    backend_host.buf_unref(res->value.owner);
    res->value = bent;
    if (bent.len == 0) {
        backend_host.buf_unref(bent.owner);
        res->value = (struct larder_slice){0};
    }
}

static void finish_copy(struct copy *c, const struct larder_result *res) {
    struct larder_op *original = c->original;
    if (c->kept) {
        c->status = res->status;
        c->epoch = res->epoch;
        c->over = true;
        return;
    }
    copy_free(c);
    if (original != NULL)
        faulty_complete(original, res);
    else if (res->value.owner != NULL)
        backend_host.buf_unref(res->value.owner);
}

void faulty_complete(struct larder_op *op, const struct larder_result *res) {
    struct larder_result told = *res;
    struct plan plan;
    if (!plan_take(op, &plan)) {
        backend_host.complete(op, res);
        return;
    }
    if (plan.swallow > 0)
        return;
    if (plan.bend != 0)
        bend_value(&told, plan.bend);
    if (plan.epoch != 0)
        told.epoch = plan.epoch;
    if (plan.lose && told.status >= 0)
        told = (struct larder_result){
            .size = sizeof(told), .status = LARDER_RETRY, .detail = "the answer was lost on its way"};
    if (plan.copy != NULL)
        finish_copy(plan.copy, &told);
    else
        backend_host.complete(op, &told);
}

void faulty_fail(struct larder_op *op, int32_t status) {
    struct larder_result res = {.size = sizeof(res),
                                .status = status,
                                .retry_after_ms = status == LARDER_THROTTLED ? 5 : 0,
                                .detail = status < 0 ? "a fault on purpose" : NULL};
    faulty_complete(op, &res);
}

static int32_t my_emit_mark(struct larder_op *op, const struct larder_mark *mark) {
    struct larder_mark shown = *mark;
    struct copy *c = copy_of(op);
    if (c != NULL && c->original == NULL)
        return LARDER_OK;
    if (c != NULL && shown.tag.len >= c->prefix) {
        shown.tag.ptr += c->prefix;
        shown.tag.len -= c->prefix;
    }
    if (!wrong_shows(&shown))
        return LARDER_OK;
    return c != NULL ? my_emit_mark(c->original, &shown) : backend_host.emit_mark(op, &shown);
}

/* ---- calls --------------------------------------------------------------------------------- */

larder_op_fn *faulty_function(const struct larder_driver *d, uint32_t code) {
    switch (code) {
    case LARDER_OP_GET: return d->cache->get;
    case LARDER_OP_PUT: return d->cache->put;
    case LARDER_OP_REMOVE: return d->cache->remove;
    case LARDER_OP_LIST: return d->cache->list;
    case LARDER_OP_CLAIM: return d->cache->claim;
    case LARDER_OP_RELEASE: return d->cache->release;
    case LARDER_OP_TAGS_READ: return d->tags->read;
    case LARDER_OP_TAGS_WRITE: return d->tags->write;
    case LARDER_OP_ADVANCE: return d->tags->advance;
    case LARDER_OP_BUMP: return d->tags->bump;
    case LARDER_OP_LINK: return d->tags->link;
    case LARDER_OP_KEYS_OF: return d->tags->keys_of;
    case LARDER_OP_TAGS_OF: return d->tags->tags_of;
    case LARDER_OP_LIST_MARKS: return d->tags->list_marks;
    case LARDER_OP_PING: return d->ping;
    case LARDER_OP_PROVISION: return d->provision;
    default: return d->explain;
    }
}

static void send(struct instance *inst, struct larder_op *op) {
    if (!wrong_call(inst, op))
        faulty_function(inst->driver, op->code)(inst->inner, op);
}

void faulty_pause(const struct instance *inst, uint32_t most_ns) {
    struct timespec t = {0, (long)faulty_below(most_ns)};
    if (inst->blocking)
        nanosleep(&t, NULL);
}

static void held_free(struct held *h) {
    h->inst->host->timer_free(h->timer);
    free(h);
}

static void held_is_due(void *arg) {
    struct held *h = arg;
    struct instance *inst = h->inst;
    struct larder_op *op = h->op;
    struct held **at = &inst->held;
    while (*at != h)
        at = &(*at)->next;
    *at = h->next;
    held_free(h);
    send(inst, op);
}

/* Sends op some time later; on a driver that blocks, the caller's thread waits for that. */
static void send_later(struct instance *inst, struct larder_op *op, struct copy *copy, uint32_t most_ns) {
    struct held *h;
    if (inst->blocking) {
        faulty_pause(inst, most_ns);
        send(inst, op);
        return;
    }
    h = calloc(1, sizeof(*h));
    struct larder_timer *timer = h != NULL ? inst->host->timer(inst->home, held_is_due, h) : NULL;
    if (timer == NULL) {
        free(h);
        send(inst, op);
        return;
    }
    *h = (struct held){.inst = inst, .op = op, .copy = copy, .timer = timer, .next = inst->held};
    inst->held = h;
    inst->host->timer_set(timer, inst->host->now_ns() + faulty_below(most_ns));
}

/* Answered as failed now; done later. */
static void do_late(struct instance *inst, struct larder_op *op) {
    struct copy *copy = copy_new(inst, op, "");
    if (copy == NULL || !plan_add((struct plan){.op = &copy->op, .copy = copy})) {
        if (copy != NULL)
            copy_free(copy);
        faulty_fail(op, LARDER_NOMEM);
        return;
    }
    copy->original = NULL;
    copy->op.deadline_ns = UINT64_MAX;
    faulty_fail(op, LARDER_RETRY);
    send_later(inst, &copy->op, copy, LATE_NS);
}

/* The first time's answer is not heard; a driver that answers later gets it once only. */
static void do_twice(struct instance *inst, struct larder_op *op) {
    if (!inst->blocking || !plan_add((struct plan){.op = op, .swallow = 1})) {
        send(inst, op);
        return;
    }
    send(inst, op);
    memset(op->scratch, 0, sizeof(op->scratch));
    send(inst, op);
}

static bool is_write(const struct larder_op *op) {
    return op->code == LARDER_OP_PUT || op->code == LARDER_OP_REMOVE || op->code == LARDER_OP_TAGS_WRITE ||
           op->code == LARDER_OP_BUMP || (op->code == LARDER_OP_ADVANCE && op->add > 0);
}

static void with_faults(struct instance *inst, struct larder_op *op) {
    static const int32_t errors[] = {LARDER_RETRY, LARDER_RETRY, LARDER_THROTTLED, LARDER_INTERNAL};
    uint32_t dice = faulty_below(is_write(op) ? 6 : op->code == LARDER_OP_GET ? 4 : 2);
    if (!atomic_load(&faulty.control->faults) || faulty_below(1000) >= faulty.run->fault_permille) {
        send(inst, op);
        return;
    }
    if (dice == 0)
        faulty_fail(op, errors[faulty_below(4)]);
    else if (dice == 1)
        send_later(inst, op, NULL, SLOW_NS);
    else if (!is_write(op)) {
        plan_add((struct plan){.op = op, .bend = dice - 1});
        send(inst, op);
    } else if (dice == 2) {
        do_late(inst, op);
    } else if (dice == 3) {
        do_twice(inst, op);
    } else {
        plan_add((struct plan){.op = op, .lose = true});
        send(inst, op);
    }
}

/* The built-in wipe: from a new generation on, marks and counters have other names in the store,
 * so that none of the old ones is there. */
static void on_op(void *instance, struct larder_op *op) {
    struct instance *inst = instance;
    uint32_t generation = atomic_load(&faulty.control->generation);
    bool of_tags = op->code == LARDER_OP_TAGS_READ || op->code == LARDER_OP_TAGS_WRITE ||
                   op->code == LARDER_OP_ADVANCE || op->code == LARDER_OP_BUMP;
    char prefix[PREFIX_ROOM];
    if (generation == 0 || !of_tags) {
        with_faults(inst, op);
        return;
    }
    snprintf(prefix, sizeof(prefix), "%u~", generation);
    struct copy *copy = copy_new(inst, op, prefix);
    if (copy == NULL || !plan_add((struct plan){.op = &copy->op, .copy = copy})) {
        if (copy != NULL)
            copy_free(copy);
        faulty_fail(op, LARDER_NOMEM);
        return;
    }
    with_faults(inst, &copy->op);
}

/* ---- the driver that the core sees -------------------------------------------------------- */

static int32_t my_open(const struct larder_host *host, struct larder_home *home, const void *config,
                       struct larder_info *info, void **instance, char *error) {
    /* The core's own: the only way from an instance to be to its driver. */
    const struct wrapped *w = (const struct wrapped *)(const void *)home->backend->driver;
    struct instance *inst = calloc(1, sizeof(*inst));
    if (inst == NULL)
        return LARDER_NOMEM;
    *inst = (struct instance){.driver = w->driver, .host = host, .home = home};
    int32_t status = w->driver->open(&faulty.host, home, config, info, &inst->inner, error);
    if (status != LARDER_OK) {
        free(inst);
        return status;
    }
    if (faulty_wrong() == WRONG_SECRETLY_LOSSY)
        info->traits &= ~(uint32_t)LARDER_LOSSY;
    inst->blocking = (info->traits & LARDER_BLOCKING) != 0;
    *instance = inst;
    return LARDER_OK;
}

static void my_close(void *instance) {
    struct instance *inst = instance;
    while (inst->held != NULL) { /* only what nobody waits for */
        struct plan plan;
        struct held *h = inst->held;
        struct copy *copy = h->copy;
        inst->held = h->next;
        held_free(h);
        if (copy != NULL && plan_take(&copy->op, &plan))
            copy_free(copy);
    }
    inst->driver->close(inst->inner);
    free(inst);
}

static void my_flush(void *instance) {
    struct instance *inst = instance;
    inst->driver->flush(inst->inner);
}

static void wrap(struct wrapped *w, const struct larder_driver *d) {
    *w = (struct wrapped){.pub = *d, .driver = d};
    w->pub.open = my_open;
    w->pub.close = my_close;
    w->pub.cancel = NULL; /* its op may be a copy's original */
    w->pub.ping = d->ping != NULL ? on_op : NULL;
    w->pub.provision = d->provision != NULL ? on_op : NULL;
    w->pub.explain = d->explain != NULL ? on_op : NULL;
    w->pub.flush = d->flush != NULL ? my_flush : NULL;
#define FORWARD(table, member) w->table.member = d->table->member != NULL ? on_op : NULL
    if (d->cache != NULL) {
        w->cache.size = sizeof(w->cache);
        FORWARD(cache, get);
        FORWARD(cache, put);
        FORWARD(cache, remove);
        FORWARD(cache, list);
        FORWARD(cache, claim);
        FORWARD(cache, release);
        w->pub.cache = &w->cache;
    }
    if (d->tags != NULL) {
        w->tags.size = sizeof(w->tags);
        FORWARD(tags, read);
        FORWARD(tags, write);
        FORWARD(tags, advance);
        if (!faulty.run->two_rounds)
            FORWARD(tags, bump);
        FORWARD(tags, link);
        FORWARD(tags, keys_of);
        FORWARD(tags, tags_of);
        FORWARD(tags, list_marks);
        w->pub.tags = &w->tags;
    }
#undef FORWARD
}

int32_t __real_larder_driver_find(const char *name, const struct larder_driver **ret,
                                  struct larder_error *error);
int32_t __wrap_larder_driver_find(const char *name, const struct larder_driver **ret,
                                  struct larder_error *error);

int32_t __wrap_larder_driver_find(const char *name, const struct larder_driver **ret,
                                  struct larder_error *error) {
    const struct larder_driver *found = NULL;
    int32_t status = __real_larder_driver_find(name, &found, error);
    if (status == LARDER_OK && faulty.run != NULL) {
        size_t i = 0;
        pthread_mutex_lock(&faulty.lock);
        while (i < faulty.n_wrapped && faulty.wrapped[i].driver != found)
            i++;
        if (i == faulty.n_wrapped && i < MAX_WRAPPED)
            wrap(&faulty.wrapped[faulty.n_wrapped++], found);
        if (i < MAX_WRAPPED)
            found = &faulty.wrapped[i].pub;
        pthread_mutex_unlock(&faulty.lock);
    }
    if (status == LARDER_OK)
        *ret = found;
    return status;
}

void faulty_begin(const struct run *run, struct control *control, uint64_t seed) {
    faulty.control = control;
    faulty.host = backend_host;
    faulty.host.complete = faulty_complete;
    faulty.host.emit_mark = my_emit_mark;
    atomic_store(&faulty.random, seed);
    faulty.run = run;
}
