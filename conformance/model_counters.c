/*
 * What counters may answer: each raised number once, and never less than what was told before.
 * One op after the other, exactly max(stored + add, now).
 */
#include "model.h"

static bool raises(const struct model_event *e) {
    return e->step.kind == MODEL_RAISE || e->step.kind == MODEL_BUMP;
}

static bool is_of(const struct model_event *e, unsigned counter) {
    return (raises(e) || e->step.kind == MODEL_LOOK) && e->step.name == counter;
}

static void fail_with(const struct model_history *h, struct model_verdict *v, size_t at, int64_t want) {
    model_fail(v, at, "op %zu: the counter says %lld and should say %lld", at + 1,
               (long long)h->events[at].epoch, (long long)want);
    v->is_known = true;
    v->due = h->events[at];
    v->due.epoch = want;
}

static void check_in_order(const struct model_history *h, struct model_verdict *v, unsigned counter) {
    bool there = false;
    int64_t stored = 0;
    for (size_t i = 0; i < h->n; i++) {
        const struct model_event *e = &h->events[i];
        if (!is_of(e, counter))
            continue;
        if (model_failed(e))
            return;
        if (!there)
            stored = e->step.at_ms;
        else if (raises(e))
            stored = stored + 1 > e->step.at_ms ? stored + 1 : e->step.at_ms;
        there = true;
        if (e->epoch != stored) {
            fail_with(h, v, i, stored);
            return;
        }
    }
}

/* Whether anybody can have made a counter show what op `at`, which looked, was told. */
static bool has_source(const struct model_history *h, size_t at) {
    const struct model_event *look = &h->events[at];
    for (size_t i = 0; i < h->n; i++) {
        const struct model_event *e = &h->events[i];
        if (!is_of(e, look->step.name) || e->called > look->returned)
            continue;
        if (model_failed(e) || (raises(e) && e->epoch == look->epoch) || e->step.at_ms == look->epoch)
            return true; /* whoever comes first makes it from the time */
    }
    return false;
}

static void check_pair(const struct model_history *h, struct model_verdict *v, size_t a, size_t b) {
    const struct model_event *first = &h->events[a], *second = &h->events[b];
    if (a < b && raises(first) && raises(second) && first->epoch == second->epoch)
        model_fail(v, b, "op %zu: the counter gives %lld, which op %zu had already", b + 1,
                   (long long)second->epoch, a + 1);
    if (first->returned < second->called &&
        (raises(second) ? second->epoch <= first->epoch : second->epoch < first->epoch))
        model_fail(v, b, "op %zu: the counter says %lld, after op %zu was told %lld", b + 1,
                   (long long)second->epoch, a + 1, (long long)first->epoch);
}

void model_check_counters(const struct model_history *h, struct model_verdict *v) {
    for (unsigned counter = 0; counter < MODEL_NAMES && h->in_order && v->outcome != MODEL_FAILS; counter++)
        check_in_order(h, v, counter);
    for (size_t b = 0; b < h->n && v->outcome != MODEL_FAILS; b++) {
        const struct model_event *e = &h->events[b];
        if (!is_of(e, e->step.name) || model_failed(e))
            continue;
        if (raises(e) && e->epoch < e->step.at_ms)
            model_fail(v, b, "op %zu: the counter says %lld, less than the time", b + 1, (long long)e->epoch);
        if (!raises(e) && !has_source(h, b))
            model_fail(v, b, "op %zu: the counter says %lld, which nothing has made of it", b + 1,
                       (long long)e->epoch);
        for (size_t a = 0; a < h->n; a++) {
            if (a != b && is_of(&h->events[a], e->step.name) && !model_failed(&h->events[a]))
                check_pair(h, v, a, b);
        }
    }
}
