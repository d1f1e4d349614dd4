/*
 * What may be read of marks.
 *
 * One op after the other: exactly what the rule of larder/merge.h gives.  Overlapping ops: marks
 * are a semilattice, in which writing is joining, so a read must be the join of a set of writes:
 * of all that were complete when it began, and of any that overlap it.  More is not asked: two
 * reads that overlap a write may see it in any order.
 */
#include <stdio.h>

#include "larder/merge.h"
#include "model.h"

static struct larder_mark plain(const struct model_mark *m) {
    return (struct larder_mark){
        .expired_epoch = m->expired, .stale_epoch = m->stale, .expire_at_ms = m->expire_at_ms};
}

static int64_t resolved(int64_t epoch, int64_t new_epoch) {
    return epoch == LARDER_NEW_EPOCH ? new_epoch : epoch;
}

static bool same(const struct larder_mark *a, const struct larder_mark *b) {
    return a->expired_epoch == b->expired_epoch && a->stale_epoch == b->stale_epoch &&
           a->expire_at_ms == b->expire_at_ms;
}

static bool is_write(const struct model_event *e) {
    return e->step.kind == MODEL_WRITE || e->step.kind == MODEL_BUMP;
}

/* Whether the answer of e tells about the tag. */
static bool tells(const struct model_event *e, unsigned tag) {
    if (model_failed(e))
        return false;
    return e->step.kind == MODEL_LIST_MARKS || (e->step.kind == MODEL_READ && model_mark_for(&e->step, tag));
}

static bool is_seen(const struct model_event *e, unsigned tag) {
    return e->seen & 1u << tag;
}

static int64_t latest_ms(const struct model_history *h, size_t until) {
    int64_t latest = h->events[until].step.at_ms;
    for (size_t i = 0; i <= until; i++)
        latest = larder_merge_max(latest, h->events[i].step.at_ms);
    return latest;
}

/* "5/-/100": expired_epoch, stale_epoch, expire_at_ms. */
static void show(char text[96], const struct larder_mark *m) {
    char parts[3][28];
    const int64_t members[3] = {m->expired_epoch, m->stale_epoch, m->expire_at_ms};
    for (int i = 0; i < 3; i++) {
        if (members[i] == LARDER_UNSET)
            snprintf(parts[i], sizeof(parts[i]), "-");
        else
            snprintf(parts[i], sizeof(parts[i]), "%lld", (long long)members[i]);
    }
    snprintf(text, 96, "%s/%s/%s", parts[0], parts[1], parts[2]);
}

/* ---- one after the other -------------------------------------------------------------------------- */

static void compare(const struct model_history *h, struct model_verdict *v, size_t at, unsigned tag,
                    const struct larder_mark *want) {
    const struct model_event *e = &h->events[at];
    if (!want) {
        if (!is_seen(e, tag))
            return;
        model_fail(v, at, "op %zu: tag %u has a mark, but none was written", at + 1, tag);
    } else if (!is_seen(e, tag)) {
        model_fail(v, at, "op %zu: the mark of tag %u is missing", at + 1, tag);
    } else {
        struct larder_mark got = plain(&e->marks[tag]);
        int64_t now_ms = latest_ms(h, at); /* a driver may settle a mark as soon as it is due */
        struct larder_mark a = larder_merge_settled(got, now_ms), b = larder_merge_settled(*want, now_ms);
        if (same(&a, &b))
            return;
        char text[2][96];
        show(text[0], &got);
        show(text[1], want);
        model_fail(v, at, "op %zu: the mark of tag %u is %s and should be %s", at + 1, tag, text[0], text[1]);
    }
    v->is_known = true;
    v->due = *e;
    v->due.seen = want ? e->seen | 1u << tag : e->seen & ~(1u << tag);
    if (want)
        v->due.marks[tag] = (struct model_mark){(uint8_t)tag, want->expired_epoch, want->stale_epoch,
                                                want->expire_at_ms};
}

static void check_in_order(const struct model_history *h, struct model_verdict *v, unsigned tag) {
    bool there = false;
    struct larder_mark stored = {0};
    for (size_t i = 0; i < h->n && v->outcome != MODEL_FAILS; i++) {
        const struct model_event *e = &h->events[i];
        const struct model_mark *m = is_write(e) ? model_mark_for(&e->step, tag) : NULL;
        if (m && model_failed(e))
            return; /* nobody can say what is stored from now on, nor when that changes */
        /* Each mark is looked at alone; a miss says that some were there. */
        bool unexplained = e->status == LARDER_MISS ? e->step.n_marks == 1 && !there : there;
        if (m && e->step.if_absent && unexplained) {
            model_fail(v, i,
                       there ? "op %zu: if absent: stored, but tag %u had a mark"
                             : "op %zu: if absent: a miss, but tag %u had no mark",
                       i + 1, tag);
            v->is_known = true;
            v->due = *e;
            v->due.status = there ? LARDER_MISS : LARDER_OK;
        } else if (m && !(e->step.if_absent && there)) {
            struct larder_mark add = plain(m);
            add.expired_epoch = resolved(add.expired_epoch, e->epoch);
            add.stale_epoch = resolved(add.stale_epoch, e->epoch);
            stored = larder_merge_mark(there ? &stored : NULL, &add, e->step.at_ms);
            there = true;
        } else if (tells(e, tag)) {
            if (e->whole || is_seen(e, tag))
                compare(h, v, i, tag, there ? &stored : NULL);
        }
    }
}

/* ---- overlapping -------------------------------------------------------------------------------- */

/* Each mark must say the same at every time of the history, or the order of writes would count. */
static bool is_timeless(const struct model_history *h, unsigned tag) {
    for (size_t i = 0; i < h->n; i++) {
        const struct model_mark *m = is_write(&h->events[i]) ? model_mark_for(&h->events[i].step, tag) : NULL;
        for (size_t j = 0; m && m->expire_at_ms != LARDER_UNSET && j < h->n; j++) {
            if ((m->expire_at_ms <= h->events[j].step.at_ms) != (m->expire_at_ms <= h->events[0].step.at_ms))
                return false;
        }
    }
    return true;
}

static bool is_within(const struct larder_mark *a, const struct larder_mark *b) {
    return a->expired_epoch <= b->expired_epoch && a->stale_epoch <= b->stale_epoch &&
           larder_merge_sooner(a->expire_at_ms, b->expire_at_ms) == b->expire_at_ms;
}

static void join(struct larder_mark *to, const struct larder_mark *m) {
    to->expired_epoch = larder_merge_max(to->expired_epoch, m->expired_epoch);
    to->stale_epoch = larder_merge_max(to->stale_epoch, m->stale_epoch);
    to->expire_at_ms = larder_merge_sooner(to->expire_at_ms, m->expire_at_ms);
}

/* Whether the counter showed what this bump made of it before `read` began: then its marks are
 * there too, though it may not have returned. */
static bool was_shown(const struct model_history *h, const struct model_event *bump,
                      const struct model_event *read) {
    for (size_t i = 0; i < h->n; i++) {
        const struct model_event *e = &h->events[i];
        if (model_failed(e) || e->step.name != bump->step.name || e->returned >= read->called)
            continue;
        if (e->step.kind == MODEL_LOOK && e->epoch >= bump->epoch)
            return true;
        if ((e->step.kind == MODEL_RAISE || e->step.kind == MODEL_BUMP) && e->epoch > bump->epoch)
            return true;
    }
    return false;
}

/* What a write adds to a mark that reads as `got`.  A bump that failed never told its epoch: it
 * is whatever explains the answer and could have come from the counter. */
static struct larder_mark added(const struct model_event *write, const struct model_mark *m,
                                const struct larder_mark *got) {
    struct larder_mark add = plain(m);
    int64_t epochs[2] = {write->epoch, write->epoch};
    if (model_failed(write)) {
        bool due = add.expire_at_ms != LARDER_UNSET && add.expire_at_ms <= write->step.at_ms;
        epochs[0] = larder_merge_max(got->expired_epoch, write->step.at_ms);
        epochs[1] = due ? epochs[0] : larder_merge_max(got->stale_epoch, write->step.at_ms);
    }
    add.expired_epoch = resolved(add.expired_epoch, epochs[0]);
    add.stale_epoch = resolved(add.stale_epoch, epochs[1]);
    return larder_merge_settled(add, write->step.at_ms);
}

static void check_read(const struct model_history *h, struct model_verdict *v, size_t at, unsigned tag) {
    const struct model_event *read = &h->events[at];
    const bool seen = is_seen(read, tag);
    if (!seen && !read->whole)
        return;
    struct larder_mark got = larder_merge_settled(plain(&read->marks[tag]), read->step.at_ms);
    struct larder_mark sum = {
        .expired_epoch = LARDER_UNSET, .stale_epoch = LARDER_UNSET, .expire_at_ms = LARDER_UNSET};
    for (size_t i = 0; i < h->n; i++) {
        const struct model_event *w = &h->events[i];
        const struct model_mark *m = is_write(w) ? model_mark_for(&w->step, tag) : NULL;
        if (!m || w->called > read->returned)
            continue;
        if (w->status == LARDER_MISS) { /* somebody else's mark was there, and stays */
            if (w->returned < read->called && !seen)
                model_fail(v, at, "op %zu: tag %u has no mark, but op %zu found one", at + 1, tag, i + 1);
            continue;
        }
        bool must = !model_failed(w) && w->returned < read->called;
        if (!must && w->step.kind == MODEL_BUMP && !model_failed(w))
            must = was_shown(h, w, read);
        if (w->step.if_absent && !model_failed(w) && seen)
            must = true; /* it was the first, so all that is there came on top of it */
        if (must && !seen) {
            model_fail(v, at, "op %zu: tag %u has no mark, but op %zu has written one", at + 1, tag, i + 1);
            return;
        }
        struct larder_mark add = added(w, m, &got);
        if (must && !is_within(&add, &got)) {
            char text[96];
            show(text, &got);
            model_fail(v, at, "op %zu: the mark of tag %u is %s, without that of op %zu", at + 1, tag, text,
                       i + 1);
            return;
        }
        if (must || is_within(&add, &got))
            join(&sum, &add);
    }
    if (seen && !same(&sum, &got)) {
        char text[2][96];
        show(text[0], &got);
        show(text[1], &sum);
        model_fail(v, at, "op %zu: the mark of tag %u is %s, but no more than %s was written", at + 1, tag,
                   text[0], text[1]);
    }
}

/* A write of a mark if absent is the first of all, or none. */
static void check_if_absent(const struct model_history *h, struct model_verdict *v, size_t at, unsigned tag) {
    const struct model_event *e = &h->events[at];
    bool somebody = false;
    for (size_t i = 0; i < h->n; i++) {
        const struct model_event *other = &h->events[i];
        bool writes = is_write(other) && model_mark_for(&other->step, tag) && other->status != LARDER_MISS;
        if (i == at)
            continue;
        if (writes && other->called < e->returned)
            somebody = true;
        if (e->status != LARDER_OK || model_failed(other))
            continue;
        if (writes && (other->returned < e->called || other->step.if_absent))
            model_fail(v, at, "op %zu: if absent: stored, but tag %u had the mark of op %zu", at + 1, tag,
                       i + 1);
        if (tells(other, tag) && is_seen(other, tag) && other->returned < e->called)
            model_fail(v, at, "op %zu: if absent: stored, but op %zu had seen a mark of tag %u", at + 1,
                       i + 1, tag);
    }
    if (e->status == LARDER_MISS && !somebody)
        model_fail(v, at, "op %zu: if absent: a miss, but tag %u had no mark", at + 1, tag);
}

/* The marks of a bump are never ahead of its counter. */
static void check_bump(const struct model_history *h, struct model_verdict *v, size_t at) {
    const struct model_event *bump = &h->events[at];
    for (size_t i = 0; i < h->n; i++) {
        const struct model_event *read = &h->events[i];
        bool shows = false;
        for (size_t j = 0; j < bump->step.n_marks && !shows; j++) {
            const struct model_mark *m = &bump->step.marks[j];
            if (!tells(read, m->tag) || !is_seen(read, m->tag))
                continue;
            const struct model_mark *got = &read->marks[m->tag];
            shows = (m->expired == LARDER_NEW_EPOCH && got->expired == bump->epoch) ||
                    (m->stale == LARDER_NEW_EPOCH && got->stale == bump->epoch);
        }
        for (size_t j = 0; shows && j < h->n; j++) {
            const struct model_event *e = &h->events[j];
            if (j == at || model_failed(e) || e->step.name != bump->step.name || e->called < read->returned)
                continue;
            bool behind = e->step.kind == MODEL_LOOK
                              ? e->epoch < bump->epoch
                              : (e->step.kind == MODEL_RAISE || e->step.kind == MODEL_BUMP) &&
                                    e->epoch <= bump->epoch;
            if (behind)
                model_fail(v, j, "op %zu: the counter is behind a mark of op %zu, which op %zu had read",
                           j + 1, at + 1, i + 1);
        }
    }
}

static bool has_epoch_of_its_own(const struct model_history *h, size_t at) {
    for (size_t i = 0; i < h->n; i++) {
        const struct model_event *e = &h->events[i];
        for (size_t j = 0; i != at && is_write(e) && j < e->step.n_marks; j++) {
            const struct model_mark *m = &e->step.marks[j];
            if (model_failed(e) && e->step.kind == MODEL_BUMP)
                return false; /* may be the same number, of another counter */
            if (resolved(m->expired, e->epoch) == h->events[at].epoch ||
                resolved(m->stale, e->epoch) == h->events[at].epoch)
                return false;
        }
    }
    return true;
}

void model_check_marks(const struct model_history *h, struct model_verdict *v) {
    for (unsigned tag = 0; tag < MODEL_NAMES && v->outcome != MODEL_FAILS; tag++) {
        if (h->in_order) {
            check_in_order(h, v, tag);
            continue;
        }
        if (!is_timeless(h, tag)) {
            v->outcome = MODEL_UNDECIDED;
            continue;
        }
        for (size_t i = 0; i < h->n && v->outcome != MODEL_FAILS; i++) {
            const struct model_event *e = &h->events[i];
            if (tells(e, tag))
                check_read(h, v, i, tag);
            else if (e->step.kind == MODEL_WRITE && e->step.if_absent && !model_failed(e) &&
                     model_mark_for(&e->step, tag))
                check_if_absent(h, v, i, tag);
        }
    }
    for (size_t i = 0; i < h->n && v->outcome != MODEL_FAILS && !h->in_order; i++) {
        const struct model_event *e = &h->events[i];
        if (e->step.kind == MODEL_BUMP && !model_failed(e) && has_epoch_of_its_own(h, i))
            check_bump(h, v, i);
    }
}
