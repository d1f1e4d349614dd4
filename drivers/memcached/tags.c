/*
 * Marks and counters.  memcached has no merging, so each is read with its cas, changed here, and
 * stored if it is still the same; where there is none, it is added if there is still none.  One of those
 * who try at once always gets through.
 *
 * Either may be evicted like any item: LARDER_LOSSY.  A mark that is not there is for the core to make up
 * for.  A counter that is not there begins anew at the time of day, which is greater than what was lost.
 */
#include <string.h>

#include "larder/merge.h"
#include "mc.h"

/* ---- read -------------------------------------------------------------------------------------------- */

struct reading {
    const struct larder_mark *marks; /* of asks[0] on */
};

static int32_t on_read(struct mc_call *c, void *arg, size_t i, const struct mc_found *found) {
    const struct reading *r = arg;
    struct larder_mark mark = {.tag = r->marks[i].tag};
    if (!mc_mark_parse(found->item, &mark))
        return mc_fail(c, LARDER_CORRUPT, "what is stored is no mark of a known form");
    int32_t status = c->mc->host->emit_mark(c->op, &mark);
    return status == LARDER_OK ? status : mc_fail(c, status, "the mark was not taken");
}

/* Up to MC_WINDOW marks from marks[at] on. */
static size_t ask_marks(const struct mc_call *c, size_t at, struct mc_ask asks[MC_WINDOW]) {
    size_t n = 0;
    for (; n < MC_WINDOW && at + n < c->op->n_marks; n++)
        mc_ask(c->mc, MC_MARK, c->op->marks[at + n].tag, &asks[n]);
    return n;
}

int32_t mc_read(struct mc_call *c) {
    int32_t status = LARDER_OK;
    for (size_t at = 0, n; status == LARDER_OK && at < c->op->n_marks; at += n) {
        struct mc_ask asks[MC_WINDOW];
        struct reading r = {&c->op->marks[at]};
        n = ask_marks(c, at, asks);
        status = mc_fetch(c, asks, n, on_read, &r);
    }
    return status;
}

/* ---- write ------------------------------------------------------------------------------------------- */

enum state { ABSENT, STORED, UNREADABLE };

struct stored {
    enum state state;
    struct larder_mark mark;
    uint64_t cas;
};

static int32_t on_stored(struct mc_call *c, void *arg, size_t i, const struct mc_found *found) {
    struct stored *stored = (struct stored *)arg + i;
    (void)c;
    stored->state = mc_mark_parse(found->item, &stored->mark) ? STORED : UNREADABLE;
    stored->cas = found->cas;
    return LARDER_OK;
}

static bool same(const struct larder_mark *a, const struct larder_mark *b) {
    return a->expired_epoch == b->expired_epoch && a->stale_epoch == b->stale_epoch &&
           a->expire_at_ms == b->expire_at_ms;
}

/* What is to be stored; nobody knows what an unreadable one said, so all that is older is gone. */
static struct larder_mark merged(const struct stored *stored, const struct larder_mark *add, int64_t now_ms) {
    struct larder_mark mark = larder_merge_mark(stored->state == STORED ? &stored->mark : NULL, add, now_ms);
    if (stored->state == UNREADABLE)
        mark.expired_epoch = larder_merge_max(mark.expired_epoch, mark.stale_epoch);
    return mark;
}

static int32_t store_mark(struct mc_call *c, const struct mc_ask *where, const struct larder_mark *mark,
                          const struct stored *stored) {
    uint8_t item[MC_MARK_BYTES];
    mc_mark_put(mark, item);
    return mc_store(c, stored->state == ABSENT ? MC_ADD : MC_CAS, where,
                    (struct larder_bytes){item, sizeof(item)}, 0, stored->cas);
}

/* *stored is what was read a moment ago, and is read again where it has changed since. */
static int32_t merge(struct mc_call *c, const struct mc_ask *where, const struct larder_mark *add,
                     struct stored *stored) {
    for (uint32_t n = 1;; n++) {
        struct larder_mark mark = merged(stored, add, c->op->now_ms);
        if (stored->state == STORED && same(&mark, &stored->mark))
            return LARDER_OK;
        int32_t status = store_mark(c, where, &mark, stored);
        if (status != LARDER_MISS)
            return status;
        mc_back_off(c, n);
        *stored = (struct stored){0};
        status = mc_fetch(c, where, 1, on_stored, stored);
        if (status != LARDER_OK)
            return status;
    }
}

static int32_t write_absent(struct mc_call *c) {
    static const struct stored absent = {0};
    bool missed = false;
    for (size_t i = 0; i < c->op->n_marks; i++) {
        struct mc_ask where;
        mc_ask(c->mc, MC_MARK, c->op->marks[i].tag, &where);
        int32_t status = store_mark(c, &where, &c->op->marks[i], &absent);
        if (status < 0)
            return status;
        missed = missed || status == LARDER_MISS;
    }
    return missed ? LARDER_MISS : LARDER_OK;
}

int32_t mc_write(struct mc_call *c) {
    int32_t status = LARDER_OK;
    if (c->op->flags & LARDER_IF_ABSENT)
        return write_absent(c);
    for (size_t at = 0, n; status == LARDER_OK && at < c->op->n_marks; at += n) {
        struct mc_ask asks[MC_WINDOW];
        struct stored stored[MC_WINDOW] = {0};
        n = ask_marks(c, at, asks);
        status = mc_fetch(c, asks, n, on_stored, stored);
        for (size_t i = 0; status == LARDER_OK && i < n; i++)
            status = merge(c, &asks[i], &c->op->marks[at + i], &stored[i]);
    }
    return status;
}

/* ---- advance ------------------------------------------------------------------------------------------ */

struct counter {
    bool stored, readable;
    int64_t number;
    uint64_t cas;
};

static int32_t on_counter(struct mc_call *c, void *arg, size_t i, const struct mc_found *found) {
    struct counter *counter = arg;
    (void)c;
    (void)i;
    counter->stored = true;
    counter->readable = mc_counter_parse(found->item, &counter->number);
    counter->cas = found->cas;
    return LARDER_OK;
}

static bool is_last(const struct mc *mc, const struct mc_name *name) {
    return mc->last.name.len == name->len && memcmp(mc->last.name.text, name->text, name->len) == 0;
}

/* The greatest number that this process knows of; a counter that was lost begins behind it, so that it
 * does so also where this machine's clock is behind others'. */
static int64_t known(struct mc *mc, const struct mc_name *name) {
    pthread_mutex_lock(&mc->lock);
    int64_t number = is_last(mc, name) ? mc->last.number : LARDER_UNSET;
    pthread_mutex_unlock(&mc->lock);
    return number;
}

static void learn(struct mc *mc, const struct mc_name *name, int64_t number) {
    pthread_mutex_lock(&mc->lock);
    if (!is_last(mc, name)) {
        mc->last.name = *name;
        mc->last.number = number;
    } else {
        mc->last.number = larder_merge_max(mc->last.number, number);
    }
    pthread_mutex_unlock(&mc->lock);
}

static int64_t plus(int64_t number, int64_t add) {
    return number < INT64_MAX - 1 - add ? number + add : INT64_MAX - 1;
}

/* Of a counter as it was read. */
static int64_t next_of(struct mc_call *c, const struct mc_name *name, const struct counter *counter) {
    int64_t now_ms = c->op->now_ms, add = c->op->add;
    if (counter->readable)
        return larder_merge_max(plus(counter->number, add), now_ms);
    int64_t before = known(c->mc, name);
    return before == LARDER_UNSET ? now_ms : larder_merge_max(plus(before, 1), now_ms);
}

int32_t mc_advance(struct mc_call *c) {
    struct mc_ask where;
    mc_ask(c->mc, MC_COUNTER, c->op->key, &where);
    for (uint32_t n = 1;; n++) {
        struct counter counter = {0};
        int32_t status = mc_fetch(c, &where, 1, on_counter, &counter);
        if (status != LARDER_OK)
            return status;
        int64_t number = counter.number;
        if (!counter.readable || c->op->add > 0) {
            uint8_t item[MC_COUNTER_BYTES];
            number = next_of(c, &where.name, &counter);
            mc_counter_put(number, item);
            status = mc_store(c, counter.stored ? MC_CAS : MC_ADD, &where,
                              (struct larder_bytes){item, sizeof(item)}, 0, counter.cas);
        }
        if (status == LARDER_OK) {
            learn(c->mc, &where.name, number);
            c->res.epoch = number;
        }
        if (status != LARDER_MISS)
            return status;
        mc_back_off(c, n);
    }
}
