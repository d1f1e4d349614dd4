/*
 * Linearizability of one object, after Wing and Gong, and Lowe's refinement: an event is put in
 * its place only when its answer makes that necessary.  What is kept while walking through the
 * history is the set of all that may be true: a state of the object, and which of the events
 * under way have taken effect in it.
 */
#include <string.h>

#include "model.h"

enum { SLOTS = 64, MAX_WORLDS = 2048 };

struct world {
    int state;
    uint64_t done; /* bit of a slot: its event has taken effect */
};

struct worlds {
    size_t n;
    bool overflow;
    struct world of[MAX_WORLDS];
};

static bool changes_nothing(const struct model_event *e) {
    switch (e->step.kind) {
    case MODEL_PUT:
    case MODEL_CLAIM: return e->status == LARDER_MISS;
    case MODEL_REMOVE:
    case MODEL_RELEASE:
    case MODEL_LINK: return false;
    default: return true;
    }
}

struct walk {
    const struct model_object *o;
    size_t slots[SLOTS]; /* events under way, or that failed and may happen yet */
    uint64_t busy;       /* slots in use */
    uint64_t optional;   /* of those that failed: they need not happen */
    uint64_t inert;      /* of those that change nothing in any state: reads, and what was a miss */
    struct worlds now, tried, after;
};

/* Whether whatever may follow b may follow a as well: what need not happen is still to come in a,
 * and what changes nothing is over. */
static bool is_better(const struct walk *walk, struct world a, struct world b) {
    const uint64_t rest = ~(walk->optional | walk->inert);
    return a.state == b.state && (a.done & rest) == (b.done & rest) &&
           (a.done & walk->optional & ~b.done) == 0 && (b.done & walk->inert & ~a.done) == 0;
}

/* What changes nothing takes effect as soon as its answer is right. */
static struct world with_inert(const struct walk *walk, struct world w) {
    for (uint64_t left = walk->busy & walk->inert & ~w.done; left; left &= left - 1) {
        size_t s = (size_t)__builtin_ctzll(left);
        int next[2];
        if (walk->o->next(walk->o, w.state, walk->slots[s], next) > 0)
            w.done |= UINT64_C(1) << s;
    }
    return w;
}

static void worlds_add(const struct walk *walk, struct worlds *set, struct world w) {
    for (size_t i = 0; i < set->n; i++) {
        if (is_better(walk, set->of[i], w))
            return;
    }
    if (set->n == MAX_WORLDS)
        set->overflow = true;
    else
        set->of[set->n++] = w;
}

/* Of a set, only what is in use is copied: most hold one world. */
static void worlds_copy(struct worlds *to, const struct worlds *from) {
    to->n = from->n;
    to->overflow = from->overflow;
    memcpy(to->of, from->of, from->n * sizeof(from->of[0]));
}

/* All that one more event can make of w. */
static void try_next(struct walk *walk, struct world w) {
    for (uint64_t left = walk->busy & ~walk->inert & ~w.done; left; left &= left - 1) {
        size_t s = (size_t)__builtin_ctzll(left);
        int next[2];
        unsigned n = walk->o->next(walk->o, w.state, walk->slots[s], next);
        for (unsigned i = 0; i < n; i++) {
            struct world after = {next[i], w.done | UINT64_C(1) << s};
            worlds_add(walk, &walk->tried, with_inert(walk, after));
            after.done = w.done;
            if (walk->o->h->repeats)
                worlds_add(walk, &walk->tried, with_inert(walk, after));
        }
    }
}

/* Everything that may be true once the event in `slot` has taken effect. */
static void worlds_with(struct walk *walk, size_t slot) {
    const uint64_t bit = UINT64_C(1) << slot;
    worlds_copy(&walk->tried, &walk->now);
    walk->after.n = 0;
    walk->after.overflow = false;
    for (size_t i = 0; i < walk->tried.n; i++) { /* grows on the way */
        struct world w = walk->tried.of[i];
        if (w.done & bit)
            worlds_add(walk, &walk->after, (struct world){w.state, w.done & ~bit});
        else
            try_next(walk, w);
    }
    walk->after.overflow |= walk->tried.overflow;
}

/* An event of which nobody knows yet when it takes effect. */
static bool begin_event(struct walk *walk, size_t event) {
    if (~walk->busy == 0)
        return false;
    size_t s = (size_t)__builtin_ctzll(~walk->busy);
    const uint64_t bit = UINT64_C(1) << s;
    const struct model_event *e = &walk->o->h->events[event];
    walk->slots[s] = event;
    walk->busy |= bit;
    walk->optional = model_failed(e) ? walk->optional | bit : walk->optional & ~bit;
    walk->inert = changes_nothing(e) ? walk->inert | bit : walk->inert & ~bit;
    for (size_t i = 0; i < walk->now.n; i++)
        walk->now.of[i] = with_inert(walk, walk->now.of[i]);
    return true;
}

static void states_of(const struct worlds *set, struct model_states *ret) {
    ret->n = 0;
    for (size_t i = 0; i < set->n && ret->n < sizeof(ret->of) / sizeof(ret->of[0]); i++) {
        size_t j = 0;
        while (j < ret->n && ret->of[j] != set->of[i].state)
            j++;
        if (j == ret->n)
            ret->of[ret->n++] = set->of[i].state;
    }
}

/* The slot of an event that is under way. */
static size_t slot_of(const struct walk *walk, size_t event) {
    size_t s = 0;
    while (!(walk->busy & UINT64_C(1) << s) || walk->slots[s] != event)
        s++;
    return s;
}

/* The event answered next, among those called already; n: none is left. */
static size_t next_answered(const struct model_history *h, const size_t *events, size_t n_called, size_t n,
                            uint64_t after) {
    size_t best = n;
    for (size_t i = 0; i < n_called; i++) {
        uint64_t at = model_settled(&h->events[events[i]]);
        if (at != UINT64_MAX && at > after && (best == n || at < model_settled(&h->events[events[best]])))
            best = i;
    }
    return best;
}

enum model_outcome model_order(const struct model_object *o, const size_t *events, size_t n, size_t *ret_at,
                               struct model_states *ret_states) {
    const struct model_history *h = o->h;
    static _Thread_local struct walk walk; /* too large for a stack; nothing outlives the call */
    walk.o = o;
    walk.busy = walk.optional = walk.inert = 0;
    walk.now.n = 0;
    walk.now.overflow = false;
    worlds_add(&walk, &walk.now, (struct world){MODEL_NONE, 0});

    size_t n_called = 0;
    uint64_t at = 0;
    for (;;) {
        size_t i = next_answered(h, events, n_called, n, at);
        bool calls_first = n_called < n &&
                           (i == n || h->events[events[n_called]].called < h->events[events[i]].returned);
        if (!calls_first && i == n)
            return MODEL_HOLDS;
        if (calls_first) {
            if (!begin_event(&walk, events[n_called++]))
                return MODEL_UNDECIDED;
            continue;
        }
        size_t s = slot_of(&walk, events[i]);
        worlds_with(&walk, s);
        if (walk.after.overflow)
            return MODEL_UNDECIDED;
        if (walk.after.n == 0) {
            *ret_at = events[i];
            states_of(&walk.now, ret_states);
            return MODEL_FAILS;
        }
        worlds_copy(&walk.now, &walk.after);
        walk.busy &= ~(UINT64_C(1) << s);
        at = h->events[events[i]].returned;
    }
}
