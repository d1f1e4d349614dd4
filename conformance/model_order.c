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

struct walk {
    const struct model_object *o;
    size_t slots[SLOTS]; /* events under way, or that failed and may happen yet */
    uint64_t busy;       /* slots in use */
    struct worlds now, tried, after;
};

static bool worlds_add(struct worlds *set, struct world w) {
    for (size_t i = 0; i < set->n; i++) {
        if (set->of[i].state == w.state && set->of[i].done == w.done)
            return false;
    }
    if (set->n == MAX_WORLDS) {
        set->overflow = true;
        return false;
    }
    set->of[set->n++] = w;
    return true;
}

/* Of a set, only what is in use is copied: most hold one world. */
static void worlds_copy(struct worlds *to, const struct worlds *from) {
    to->n = from->n;
    to->overflow = from->overflow;
    memcpy(to->of, from->of, from->n * sizeof(from->of[0]));
}

/* Everything that may be true once the event in `slot` has taken effect. */
static void worlds_with(struct walk *walk, size_t slot) {
    const uint64_t bit = UINT64_C(1) << slot;
    struct worlds *tried = &walk->tried, *after = &walk->after;
    worlds_copy(tried, &walk->now);
    after->n = 0;
    after->overflow = false;
    for (size_t i = 0; i < tried->n; i++) {
        struct world w = tried->of[i];
        if (w.done & bit) {
            worlds_add(after, (struct world){w.state, w.done & ~bit});
            continue;
        }
        for (uint64_t left = walk->busy & ~w.done; left; left &= left - 1) {
            size_t s = (size_t)__builtin_ctzll(left);
            int next[2];
            unsigned n = walk->o->next(walk->o, w.state, walk->slots[s], next);
            for (unsigned j = 0; j < n; j++)
                worlds_add(tried, (struct world){next[j], w.done | UINT64_C(1) << s});
        }
    }
    after->overflow = tried->overflow || after->overflow;
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
    walk.busy = 0;
    walk.now.n = 0;
    walk.now.overflow = false;
    worlds_add(&walk.now, (struct world){MODEL_NONE, 0});

    size_t n_called = 0;
    uint64_t at = 0;
    for (;;) {
        size_t i = next_answered(h, events, n_called, n, at);
        bool calls_first = n_called < n &&
                           (i == n || h->events[events[n_called]].called < h->events[events[i]].returned);
        if (!calls_first && i == n)
            return MODEL_HOLDS;
        if (calls_first) {
            if (~walk.busy == 0)
                return MODEL_UNDECIDED;
            size_t s = (size_t)__builtin_ctzll(~walk.busy);
            walk.slots[s] = events[n_called++];
            walk.busy |= UINT64_C(1) << s;
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
