/*
 * Marks and counters.  memcached has no merging, so each is read with its cas, changed here, and
 * stored if it is still the same.  One of those who try at once always gets through.
 *
 * Either may be evicted like any item: LARDER_LOSSY.  So a mark that is not there may have been one of any epoch
 * up to what the counter says, and is made with no less.  For that the counter is read while the mark is not
 * there, and nobody else makes it in between: first a placeholder is added, which is no mark to anybody; then the
 * counter is read; then the placeholder becomes the mark, if it is still the same.  A placeholder has
 * random bits that no other has: who finds his own knows that it was there all the time since he added
 * it, so it and the counter are asked for together.
 *
 * A counter that is not there begins anew at the time of day, which is greater than what was lost.
 */
#include <string.h>

#include "larder/merge.h"
#include "mc.h"

/* ---- counters ------------------------------------------------------------------------------------------ */

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
static int64_t next_of(struct mc_call *c, const struct mc_name *name, const struct counter *counter,
                       int64_t add) {
    int64_t now_ms = c->op->now_ms;
    if (counter->readable)
        return larder_merge_max(plus(counter->number, add), now_ms);
    int64_t before = known(c->mc, name);
    return before == LARDER_UNSET ? now_ms : larder_merge_max(plus(before, 1), now_ms);
}

/* Answers max(stored + add, now) and stores it; with add 0 what is stored, and stores it where nothing is. */
static int32_t count(struct mc_call *c, const struct mc_ask *where, int64_t add, int64_t *ret) {
    for (uint32_t n = 1;; n++) {
        struct counter counter = {0};
        int32_t status = mc_fetch(c, where, 1, on_counter, &counter);
        if (status != LARDER_OK)
            return status;
        int64_t number = counter.number;
        if (!counter.readable || add > 0) {
            uint8_t item[MC_COUNTER_BYTES];
            number = next_of(c, &where->name, &counter, add);
            mc_counter_put(number, item);
            status = mc_store(c, counter.stored ? MC_CAS : MC_ADD, where,
                              (struct larder_bytes){item, sizeof(item)}, 0, counter.cas);
        }
        if (status == LARDER_OK) {
            learn(c->mc, &where->name, number);
            *ret = number;
        }
        if (status != LARDER_MISS)
            return status;
        mc_back_off(c, n);
    }
}

int32_t mc_advance(struct mc_call *c) {
    struct mc_ask where;
    mc_ask(c->mc, MC_COUNTER, c->op->key, &where);
    return count(c, &where, c->op->add, &c->res.epoch);
}

/* ---- read -------------------------------------------------------------------------------------------- */

struct reading {
    const struct larder_mark *marks; /* of asks[0] on */
};

static int32_t on_read(struct mc_call *c, void *arg, size_t i, const struct mc_found *found) {
    const struct reading *r = arg;
    struct larder_mark mark = {.tag = r->marks[i].tag};
    struct mc_id id;
    if (mc_placeholder_parse(found->item, &id))
        return LARDER_OK;
    if (!mc_mark_parse(found->item, &mark))
        return mc_fail(c, LARDER_CORRUPT, "what is stored is no mark of a known form");
    int32_t status = c->mc->host->emit_mark(c->op, &mark);
    return status == LARDER_OK ? status : mc_fail(c, status, "the mark was not taken");
}

/* Up to `most` marks from marks[at] on. */
static size_t ask_marks(const struct mc_call *c, size_t at, size_t most, struct mc_ask asks[]) {
    size_t n = 0;
    for (; n < most && at + n < c->op->n_marks; n++)
        mc_ask(c->mc, MC_MARK, c->op->marks[at + n].tag, &asks[n]);
    return n;
}

int32_t mc_read(struct mc_call *c) {
    int32_t status = LARDER_OK;
    for (size_t at = 0, n; status == LARDER_OK && at < c->op->n_marks; at += n) {
        struct mc_ask asks[MC_WINDOW];
        struct reading r = {&c->op->marks[at]};
        n = ask_marks(c, at, MC_WINDOW, asks);
        status = mc_fetch(c, asks, n, on_read, &r);
    }
    return status;
}

/* ---- write ------------------------------------------------------------------------------------------- */

/* Of a window, whose last ask is the counter. */
enum { MARKS = MC_WINDOW - 1, PLACEHOLDER_S = 60 };

enum state { ABSENT, STORED, PLACEHOLDER, UNREADABLE };

struct slot { /* one mark on its way */
    bool done;
    enum state state;
    struct larder_mark mark; /* STORED */
    struct mc_id id;         /* PLACEHOLDER */
    struct mc_id own;        /* of the last that this op added */
    uint64_t cas;
};

struct writing {
    const struct larder_mark *marks; /* of slots[0] on */
    size_t n, left;                  /* slots; those that are not done */
    struct mc_ask asks[MC_WINDOW];   /* of all slots, and of the counter */
    struct slot slots[MARKS];
    struct counter counter; /* as it was read together with the slots */
    bool knows_floor;
    int64_t floor;           /* what the counter said after they were read */
    bool heeds;              /* there is a counter */
    bool placed;             /* there are placeholders of this op's */
    bool missed;             /* LARDER_IF_ABSENT */
    size_t index[MC_WINDOW]; /* asked for now: which slot; n: the counter */
};

static int32_t on_slot(struct mc_call *c, void *arg, size_t i, const struct mc_found *found) {
    struct writing *w = arg;
    if (w->index[i] == w->n)
        return on_counter(c, &w->counter, 0, found);
    struct slot *slot = &w->slots[w->index[i]];
    slot->cas = found->cas;
    slot->state = mc_mark_parse(found->item, &slot->mark)        ? STORED
                  : mc_placeholder_parse(found->item, &slot->id) ? PLACEHOLDER
                                                                 : UNREADABLE;
    return LARDER_OK;
}

/* What is stored of those that are not done. */
static int32_t look(struct mc_call *c, struct writing *w) {
    struct mc_ask asks[MC_WINDOW];
    size_t n = 0;
    for (size_t i = 0; i <= w->n; i++) {
        if (i < w->n ? w->slots[i].done : !w->placed)
            continue;
        if (i < w->n)
            w->slots[i].state = ABSENT;
        w->index[n] = i;
        asks[n++] = w->asks[i];
    }
    w->counter = (struct counter){0};
    w->knows_floor = false;
    return mc_fetch(c, asks, n, on_slot, w);
}

/* No mark that was lost had a greater epoch than *ret. */
static int32_t floor_of(struct mc_call *c, struct writing *w, const struct slot *slot, int64_t *ret) {
    bool own = slot->state == PLACEHOLDER && memcmp(&slot->id, &slot->own, sizeof(slot->id)) == 0;
    if (own && w->counter.readable) {
        *ret = w->counter.number;
        return LARDER_OK;
    }
    if (!w->knows_floor) {
        int32_t status = count(c, &w->asks[w->n], 0, &w->floor);
        if (status != LARDER_OK)
            return status;
        w->knows_floor = true;
    }
    *ret = w->floor;
    return LARDER_OK;
}

static int32_t merged(struct mc_call *c, struct writing *w, size_t i, struct larder_mark *ret) {
    const struct slot *slot = &w->slots[i];
    const struct larder_mark *add = &w->marks[i];
    struct larder_mark base = {
        .expired_epoch = LARDER_UNSET, .stale_epoch = LARDER_UNSET, .expire_at_ms = LARDER_UNSET};
    if (slot->state == STORED) {
        base = slot->mark;
    } else if (w->heeds) {
        int32_t status = floor_of(c, w, slot, &base.expired_epoch);
        if (status != LARDER_OK)
            return status;
    } else if (slot->state == UNREADABLE) { /* nobody knows what it said: what is older is gone */
        base.expired_epoch = larder_merge_max(add->expired_epoch, add->stale_epoch);
    } else {
        *ret = larder_merge_mark(NULL, add, c->op->now_ms);
        return LARDER_OK;
    }
    *ret = larder_merge_mark(&base, add, c->op->now_ms);
    return LARDER_OK;
}

static bool same(const struct larder_mark *a, const struct larder_mark *b) {
    return a->expired_epoch == b->expired_epoch && a->stale_epoch == b->stale_epoch &&
           a->expire_at_ms == b->expire_at_ms;
}

static void is_done(struct writing *w, struct slot *slot) {
    slot->done = true;
    w->left--;
}

/* What is stored becomes the mark, if it is still the same. */
static int32_t replace(struct mc_call *c, struct writing *w, size_t i) {
    struct slot *slot = &w->slots[i];
    struct larder_mark mark;
    uint8_t item[MC_MARK_BYTES];
    int32_t status = merged(c, w, i, &mark);
    if (status == LARDER_OK && !(slot->state == STORED && same(&mark, &slot->mark))) {
        mc_mark_put(&mark, item);
        status = mc_store(c, slot->state == ABSENT ? MC_ADD : MC_CAS, &w->asks[i],
                          (struct larder_bytes){item, sizeof(item)}, 0, slot->cas);
    }
    if (status == LARDER_OK)
        is_done(w, slot);
    return status == LARDER_MISS ? LARDER_OK : status;
}

/* Whether it is there is seen by the next look. */
static int32_t place(struct mc_call *c, struct writing *w, size_t i) {
    struct slot *slot = &w->slots[i];
    uint8_t item[MC_PLACEHOLDER_BYTES];
    int32_t status = mc_new_id(c, &slot->own);
    if (status != LARDER_OK)
        return status;
    mc_placeholder_put(&slot->own, item);
    status = mc_store(c, MC_ADD, &w->asks[i], (struct larder_bytes){item, sizeof(item)}, PLACEHOLDER_S, 0);
    w->placed = true;
    return status == LARDER_MISS ? LARDER_OK : status;
}

static int32_t step(struct mc_call *c, struct writing *w, size_t i) {
    struct slot *slot = &w->slots[i];
    if (slot->state == STORED && (c->op->flags & LARDER_IF_ABSENT)) {
        w->missed = true;
        is_done(w, slot);
        return LARDER_OK;
    }
    if (slot->state == ABSENT && w->heeds)
        return place(c, w, i);
    return replace(c, w, i);
}

/* It looks first, also with LARDER_IF_ABSENT: a put asks so for all of its tags, and mostly they are there. */
static int32_t write_window(struct mc_call *c, struct writing *w) {
    int32_t status = LARDER_OK;
    w->left = w->n;
    w->placed = false;
    memset(w->slots, 0, sizeof(w->slots));
    for (uint32_t n = 0; status == LARDER_OK && w->left > 0; n++) {
        mc_back_off(c, n / 2);
        status = look(c, w);
        for (size_t i = 0; status == LARDER_OK && i < w->n; i++)
            if (!w->slots[i].done)
                status = step(c, w, i);
    }
    return status;
}

int32_t mc_write(struct mc_call *c) {
    struct writing w = {.heeds = c->op->key.len > 0};
    int32_t status = LARDER_OK;
    for (size_t at = 0; status == LARDER_OK && at < c->op->n_marks; at += w.n) {
        w.marks = &c->op->marks[at];
        w.n = ask_marks(c, at, MARKS, w.asks);
        mc_ask(c->mc, MC_COUNTER, c->op->key, &w.asks[w.n]);
        status = write_window(c, &w);
    }
    return status == LARDER_OK && w.missed ? LARDER_MISS : status;
}
