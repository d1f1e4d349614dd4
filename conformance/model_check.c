/*
 * What may be answered: entries, claims, lists, the index; and the check as a whole.
 *
 * Entries and claims are linearizable.  Of a list, of keys_of and of tags_of it is only asked
 * that each record, for itself, is as it was at some moment between call and answer: a walk is
 * no snapshot, and two records need not be of one moment.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model.h"

void model_fail(struct model_verdict *v, size_t at, const char *format, ...) {
    if (v->outcome == MODEL_FAILS)
        return;
    v->outcome = MODEL_FAILS;
    v->at = at;
    v->is_known = false;
    va_list args;
    va_start(args, format);
    vsnprintf(v->why, sizeof(v->why), format, args);
    va_end(args);
}

/* The answer of `at`, with the status that was due. */
static struct model_event *due(const struct model_history *h, struct model_verdict *v, size_t at,
                               int32_t status) {
    v->is_known = true;
    v->due = h->events[at];
    v->due.status = status;
    return &v->due;
}

/* ---- whether something is over --------------------------------------------------------------- */

enum fate {
    THERE,
    PERHAPS, /* its time has come by some clock, so it may have been dropped */
    GONE
};

/* The latest time of day that any op told before `until` was over.  Also before the entry was
 * made: whoever sweeps a store goes by the latest time that it has heard of. */
static int64_t latest_ms(const struct model_history *h, size_t until) {
    int64_t latest = h->events[until].step.at_ms;
    for (size_t i = 0; i < h->n; i++) {
        const struct model_event *e = &h->events[i];
        if (e->called < model_settled(&h->events[until]) && e->step.at_ms > latest)
            latest = e->step.at_ms;
    }
    return latest;
}

/* What `made` (a put or a claim; MODEL_NONE) made, at the time of an event.  strictly: what is
 * over must not show. */
static enum fate fate_of(const struct model_history *h, int made, size_t event, bool strictly) {
    if (made == MODEL_NONE)
        return GONE;
    const struct model_step *s = &h->events[made].step;
    int64_t over_ms;
    if (s->ttl_ms <= 0 || __builtin_add_overflow(s->at_ms, s->ttl_ms, &over_ms))
        return THERE;
    if (strictly && h->events[event].step.at_ms > over_ms)
        return GONE;
    return latest_ms(h, event) >= over_ms ? PERHAPS : THERE;
}

/* ---- entries ----------------------------------------------------------------------------------- */

static unsigned after_put(const struct model_object *o, int state, size_t event, int ret_next[2]) {
    const struct model_history *h = o->h;
    const struct model_event *e = &h->events[event];
    enum fate fate = fate_of(h, state, event, h->traits & LARDER_TTL);
    unsigned n = 0;
    if (e->step.if_absent) {
        if (fate != THERE && e->status != LARDER_MISS)
            ret_next[n++] = (int)event;
        if (fate != GONE && e->status != LARDER_OK)
            ret_next[n++] = state;
        return n;
    }
    /* A driver that does not claim LARDER_NEWEST may still keep the newer one. */
    bool may_stay = fate != GONE && h->events[state].step.epoch > e->step.epoch;
    bool must_stay = may_stay && fate == THERE && (h->traits & LARDER_NEWEST);
    if (!must_stay && e->status != LARDER_MISS)
        ret_next[n++] = (int)event;
    if (may_stay)
        ret_next[n++] = state;
    return n;
}

static unsigned entry_next(const struct model_object *o, int state, size_t event, int ret_next[2]) {
    const struct model_event *e = &o->h->events[event];
    ret_next[0] = state;
    switch (e->step.kind) {
    case MODEL_PUT: return after_put(o, state, event, ret_next);
    case MODEL_REMOVE: ret_next[0] = MODEL_NONE; return 1;
    case MODEL_GET: {
        enum fate fate = fate_of(o->h, state, event, o->h->traits & LARDER_TTL);
        return e->status == LARDER_MISS ? fate != THERE : fate != GONE && e->got == state;
    }
    default: /* a list: what is over may still be in it */
        if (e->seen & 1u << o->name)
            return state != MODEL_NONE;
        return !e->whole || fate_of(o->h, state, event, false) != THERE;
    }
}

static void why_not_entry(const struct model_history *h, struct model_verdict *v, size_t at,
                          const struct model_states *states) {
    const struct model_event *e = &h->events[at];
    bool any = false, over = false; /* whether an entry can have been there; the one answered, but too old */
    for (size_t i = 0; i < states->n; i++) {
        any |= states->of[i] != MODEL_NONE;
        over |= states->of[i] != MODEL_NONE && states->of[i] == e->got;
    }
    size_t op = at + 1;
    if (e->step.kind == MODEL_GET && e->got == MODEL_STRANGE)
        model_fail(v, at, "op %zu: the value, epoch or modified_ms is not that of any put under this key",
                   op);
    else if (e->step.kind == MODEL_GET && e->status == LARDER_MISS)
        model_fail(v, at, "op %zu: a miss, but an entry was there", op);
    else if (e->step.kind == MODEL_GET)
        model_fail(v, at, "op %zu: answers with the entry of op %d, %s", op, e->got + 1,
                   over  ? "whose time is up"
                   : any ? "which is not the one that was there"
                         : "but nothing was there");
    else if (e->step.kind == MODEL_PUT && e->step.if_absent)
        model_fail(v, at, "op %zu: %s", op,
                   e->status == LARDER_MISS ? "if absent: a miss, but nothing was there"
                                            : "if absent: stored, but an entry was there");
    else
        model_fail(v, at, "op %zu: its answer fits no order of the ops that overlap it", op);

    enum fate fate = fate_of(h, states->of[0], at, h->traits & LARDER_TTL);
    if (states->n != 1 || fate == PERHAPS || !h->in_order)
        return;
    bool there = fate == THERE;
    if (e->step.kind == MODEL_GET)
        due(h, v, at, there ? LARDER_OK : LARDER_MISS)->got = there ? states->of[0] : MODEL_NONE;
    else if (e->step.kind == MODEL_PUT && e->step.if_absent)
        due(h, v, at, there ? LARDER_MISS : LARDER_OK);
}

/* ---- claims ------------------------------------------------------------------------------------ */

static unsigned claim_next(const struct model_object *o, int state, size_t event, int ret_next[2]) {
    const struct model_event *e = &o->h->events[event];
    enum fate fate = fate_of(o->h, state, event, true);
    bool own = state != MODEL_NONE && o->h->events[state].step.owner == e->step.owner;
    unsigned n = 0;
    if (e->step.kind == MODEL_RELEASE) { /* late, it does not take away another's */
        ret_next[n++] = own ? MODEL_NONE : state;
        return n;
    }
    if ((fate != THERE || own) && e->status != LARDER_MISS)
        ret_next[n++] = (int)event;
    if (fate != GONE && (own || e->status != LARDER_OK)) /* who has it already may keep its time */
        ret_next[n++] = state;
    return n;
}

static void why_not_claim(const struct model_history *h, struct model_verdict *v, size_t at,
                          const struct model_states *states) {
    bool held = h->events[at].status == LARDER_OK;
    model_fail(v, at,
               held ? "op %zu: claimed, but another owner held it" : "op %zu: a miss, but nobody held it",
               at + 1);
    if (states->n == 1)
        due(h, v, at, held ? LARDER_MISS : LARDER_OK);
}

/* ---- the index ----------------------------------------------------------------------------------- */

static unsigned link_next(const struct model_object *o, int state, size_t event, int ret_next[2]) {
    const struct model_event *e = &o->h->events[event];
    ret_next[0] = (int)event;
    if (e->step.kind == MODEL_LINK)
        return 1;
    ret_next[0] = state;
    bool linked = state != MODEL_NONE && model_mark_for(&o->h->events[state].step, o->tag);
    bool seen = e->seen & 1u << (e->step.kind == MODEL_KEYS_OF ? o->name : o->tag);
    return seen ? linked : !linked || !e->whole;
}

/* ---- picking the events of one object ---------------------------------------------------------- */

typedef bool model_wanted_fn(enum model_kind kind);

static bool is_entry_op(enum model_kind kind) {
    return kind == MODEL_GET || kind == MODEL_PUT || kind == MODEL_REMOVE;
}
static bool is_entry_write(enum model_kind kind) {
    return kind == MODEL_PUT || kind == MODEL_REMOVE;
}
static bool is_claim_op(enum model_kind kind) {
    return kind == MODEL_CLAIM || kind == MODEL_RELEASE;
}
static bool is_link(enum model_kind kind) {
    return kind == MODEL_LINK;
}

/* Those of `name`, and `also` (h->n: none).  A read that failed says nothing. */
static size_t pick(const struct model_history *h, unsigned name, model_wanted_fn *wanted, size_t also,
                   size_t ret_events[MODEL_STEPS]) {
    size_t n = 0;
    for (size_t i = 0; i < h->n; i++) {
        const struct model_event *e = &h->events[i];
        bool is_read = e->step.kind == MODEL_GET;
        if (i == also || (wanted(e->step.kind) && e->step.name == name && !(is_read && model_failed(e))))
            ret_events[n++] = i;
    }
    return n;
}

static void undecided(struct model_verdict *v) {
    if (v->outcome == MODEL_HOLDS)
        v->outcome = MODEL_UNDECIDED;
}

static void check_entries_and_claims(const struct model_history *h, struct model_verdict *v) {
    static const struct {
        model_wanted_fn *wanted;
        unsigned (*next)(const struct model_object *o, int state, size_t event, int ret_next[2]);
        void (*why)(const struct model_history *h, struct model_verdict *v, size_t at,
                    const struct model_states *states);
    } kinds[] = {{is_entry_op, entry_next, why_not_entry}, {is_claim_op, claim_next, why_not_claim}};
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        for (unsigned name = 0; name < MODEL_NAMES && v->outcome != MODEL_FAILS; name++) {
            struct model_object o = {.h = h, .name = name, .next = kinds[k].next};
            size_t events[MODEL_STEPS], at, n = pick(h, name, kinds[k].wanted, h->n, events);
            struct model_states states;
            enum model_outcome outcome = model_order(&o, events, n, &at, &states);
            if (outcome == MODEL_FAILS)
                kinds[k].why(h, v, at, &states);
            else if (outcome == MODEL_UNDECIDED)
                undecided(v);
        }
    }
}

/* One record of one answer, against everything that was written: a bit of `seen`. */
static void check_record(const struct model_history *h, struct model_verdict *v, size_t at,
                         const struct model_object *o, model_wanted_fn *wanted, unsigned bit) {
    const struct model_event *e = &h->events[at];
    const char *what = e->step.kind == MODEL_TAGS_OF ? "tag" : "key";
    size_t events[MODEL_STEPS], where, n = pick(h, o->name, wanted, at, events);
    struct model_states states;
    enum model_outcome outcome = model_order(o, events, n, &where, &states);
    if (outcome == MODEL_UNDECIDED)
        undecided(v);
    if (outcome != MODEL_FAILS || where != at) /* a put's own answer is not judged here */
        return;
    model_fail(v, at,
               e->seen & 1u << bit ? "op %zu: %s %u is in the answer and should not be"
                                   : "op %zu: %s %u is missing in the answer",
               at + 1, what, bit);
    if (h->in_order) {
        struct model_event *d = due(h, v, at, LARDER_OK);
        d->seen ^= 1u << bit;
    }
}

static void check_lists_and_index(const struct model_history *h, struct model_verdict *v) {
    for (size_t at = 0; at < h->n && v->outcome != MODEL_FAILS; at++) {
        const struct model_event *e = &h->events[at];
        for (unsigned i = 0; i < MODEL_NAMES && !model_failed(e) && v->outcome != MODEL_FAILS; i++) {
            struct model_object o = {.h = h, .name = i, .next = link_next};
            switch (e->step.kind) {
            case MODEL_LIST:
                o.next = entry_next;
                check_record(h, v, at, &o, is_entry_write, i);
                break;
            case MODEL_KEYS_OF:
                o.tag = e->step.name;
                check_record(h, v, at, &o, is_link, i);
                break;
            case MODEL_TAGS_OF:
                o.name = e->step.name;
                o.tag = i;
                check_record(h, v, at, &o, is_link, i);
                break;
            default: break;
            }
        }
    }
}

/* ---- the whole ---------------------------------------------------------------------------------- */

static bool may_miss(const struct model_history *h, const struct model_step *s) {
    switch (s->kind) {
    case MODEL_GET:
    case MODEL_CLAIM: return true;
    case MODEL_PUT: return s->if_absent || (h->traits & LARDER_NEWEST);
    case MODEL_WRITE: return s->if_absent;
    default: return false;
    }
}

static void check_statuses(const struct model_history *h, struct model_verdict *v) {
    for (size_t i = 0; i < h->n; i++) {
        const struct model_event *e = &h->events[i];
        bool fine = e->status == LARDER_OK || (e->status == LARDER_MISS && may_miss(h, &e->step)) ||
                    (model_failed(e) && h->errors);
        if (!fine) {
            model_fail(v, i, "op %zu: status %d, which nothing explains", i + 1, e->status);
            if (!may_miss(h, &e->step)) {
                due(h, v, i, LARDER_OK);
                v->is_known = e->step.kind <= MODEL_REMOVE || is_claim_op(e->step.kind) ||
                              e->step.kind == MODEL_WRITE || e->step.kind == MODEL_LINK;
            }
        } else if (!model_failed(e) && e->strange) {
            model_fail(v, i, "op %zu: a record in the answer that was not asked for, or comes twice", i + 1);
        }
    }
}

struct model_verdict model_check(const struct model_history *h) {
    struct model_verdict v = {.outcome = MODEL_HOLDS};
    check_statuses(h, &v);
    if (v.outcome != MODEL_FAILS)
        check_entries_and_claims(h, &v);
    if (v.outcome != MODEL_FAILS)
        check_lists_and_index(h, &v);
    if (v.outcome != MODEL_FAILS)
        model_check_counters(h, &v);
    if (v.outcome != MODEL_FAILS)
        model_check_marks(h, &v);
    return v;
}
