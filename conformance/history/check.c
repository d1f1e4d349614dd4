#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"

struct checker {
    const struct history *history;
    const struct check_options *options;
    struct index index;
    struct check_result *result;
};

const char *rule_name(enum rule rule) {
    static const char *const names[RULE_N] = {
        [RULE_STALE_AFTER_REVALIDATION] = "stale-after-revalidation",
        [RULE_NEVER_PUT] = "never-put",
        [RULE_NOT_WHOLE] = "not-whole",
        [RULE_NOT_ALIVE] = "not-alive",
        [RULE_FRESH_THOUGH_STALE] = "fresh-though-stale",
        [RULE_THERE_AFTER_DUE] = "there-after-due",
        [RULE_GONE_TOO_EARLY] = "gone-too-early",
        [RULE_ERROR] = "error",
    };
    return names[rule];
}

/* ---- what was found -------------------------------------------------------------------- */

static const struct record *record_at(const struct history *h, struct place place) {
    return &h->files[place.file].records[place.at];
}

/* The earliest are kept: what comes later often follows from them. */
static void report(struct checker *c, const struct violation *v) {
    struct check_result *ret = c->result;
    int64_t begin_ns = record_at(c->history, v->call)->begin_ns;
    uint64_t at = ret->n_found < VIOLATIONS_KEPT ? ret->n_found : VIOLATIONS_KEPT;
    ret->n_violations[v->rule]++;
    while (at > 0 && record_at(c->history, ret->found[at - 1].call)->begin_ns > begin_ns) {
        if (at < VIOLATIONS_KEPT)
            ret->found[at] = ret->found[at - 1];
        at--;
    }
    if (at < VIOLATIONS_KEPT)
        ret->found[at] = *v;
    if (ret->n_found < VIOLATIONS_KEPT)
        ret->n_found++;
}

static void report_plain(struct checker *c, enum rule rule, struct place call, uint64_t version) {
    struct violation v = {.rule = rule, .call = call, .n_chain = version != VERSION_NONE, .chain = {version}};
    report(c, &v);
}

/* ---- what a lost tag store excuses ------------------------------------------------------- */

enum excuse { EXCUSE_NONE, EXCUSE_LOST, EXCUSE_UNORDERED };

/*
 * docs/semantics.md, "When the tag store is lost".  A roll-back forgets what was acknowledged
 * since.  And the counter begins anew at the time of day: an epoch that was given out before
 * and is not behind that time compares as newer than it is.
 */
static enum excuse excuse_for(const struct checker *c, const struct revalidation *r, const struct record *get,
                              const struct violation *v) {
    const struct index *x = &c->index;
    for (size_t i = 0; i < x->n_losses; i++) {
        const struct loss *loss = &x->losses[i];
        if (loss->begin_ns > get->end_ns)
            continue;
        if (loss->since_ns != LARDER_UNSET && r->end_ns > loss->since_ns && r->begin_ns < loss->end_ns)
            return EXCUSE_LOST;
        int64_t anew = x->wall_base_ms + loss->anew_ns / 1000000 + x->slowest_ms - 1;
        bool after = r->begin_ns > loss->end_ns;
        for (unsigned k = 0; k < v->n_chain; k++) {
            const struct record *put = history_put(c->history, v->chain[k]);
            if (put != NULL && put->epoch >= (after ? r->clock_ms : anew))
                return EXCUSE_UNORDERED;
        }
    }
    return EXCUSE_NONE;
}

/* ---- P1, and what `expire` adds to it -------------------------------------------------------- */

struct question {
    const struct revalidation_list *list; /* by end */
    enum rule rule;
    bool without_stale;
    int64_t due_by_ms; /* only of those whose time has come by then */
};

/*
 * Looks for a revalidation that completed before the get began, and began after the oldest
 * rendering under this tag.  As a rule the first look at the list tells that there is none; the
 * loop runs over revalidations that the version has outlived, which a right store keeps few.
 */
static bool ask(struct checker *c, struct place place, uint64_t version, unsigned tag, int64_t oldest_ns,
                const struct question *q, struct violation *best) {
    const struct record *get = record_at(c->history, place);
    size_t n = list_ended_before(q->list, get->begin_ns - c->index.delay_ns);
    enum excuse excused = EXCUSE_NONE;
    struct violation v = {.rule = q->rule, .call = place, .tag = tag, .has_cause = true};
    while (n > 0 && q->list->greatest[n - 1] > oldest_ns) {
        const struct revalidation *r = &q->list->items[--n];
        if (r->begin_ns <= oldest_ns || r->due_last_ms > q->due_by_ms)
            continue;
        if (v.n_chain == 0)
            v.n_chain = index_chain(&c->index, version, tag, q->without_stale, v.chain);
        enum excuse excuse = EXCUSE_NONE;
        if (c->index.n_losses > 0 && !c->options->no_excuse)
            excuse = excuse_for(c, r, get, &v);
        if (excuse != EXCUSE_NONE) {
            excused = excuse;
            continue;
        }
        v.cause = r->place;
        if (best->n_chain == 0 || v.n_chain < best->n_chain)
            *best = v;
        return true;
    }
    c->result->n_lost += excused == EXCUSE_LOST;
    c->result->n_unordered += excused == EXCUSE_UNORDERED;
    return false;
}

/* One get that returned a version: at most one report, the one that is told in fewest steps. */
static void check_age(struct checker *c, struct place place) {
    const struct record *get = record_at(c->history, place), *put = history_put(c->history, get->version);
    const struct index *x = &c->index;
    uint64_t tags = index_tags(x, get->version) | get->tags | 1;
    int64_t wall_ms = get->flags & R_JUMPED ? INT64_MIN : get->wall_ms;
    struct violation best = {0};
    for (unsigned tag = 0; tag < N_TAGS; tag++) {
        if (!(tags >> tag & 1))
            continue;
        struct question gone = {&x->gone_by_end[tag], RULE_STALE_AFTER_REVALIDATION, false, INT64_MAX};
        struct question fresh = {&x->stale_by_end[tag], RULE_FRESH_THOUGH_STALE, true, INT64_MAX};
        struct question due = {&x->stale_by_end[tag], RULE_THERE_AFTER_DUE, true, wall_ms};
        int64_t oldest = index_oldest(x, get->version, tag, false);
        int64_t oldest_fresh = index_oldest(x, get->version, tag, true);
        if (oldest == INT64_MAX)
            oldest = oldest_fresh = put->began_ns; /* a tag of the request, or the namespace's */
        if (!ask(c, place, get->version, tag, oldest, &gone, &best))
            ask(c, place, get->version, tag, oldest_fresh, get->verdict == LARDER_FRESH ? &fresh : &due,
                &best);
    }
    if (best.n_chain > 0)
        report(c, &best);
}

/*
 * A gone entry that was shown.  An epoch is compared here, to be generous: what the store says a
 * revalidation made is believed.  Two pairs of a mark that meet before either is due share the
 * earlier time, so a due time that was still to come when the first newer pair arrived counts
 * for that one too.
 */
static bool gone_is_right(const struct index *x, const struct record *get, unsigned tag) {
    const struct revalidation_list *gone = &x->gone_by_begin[tag], *stale = &x->stale_by_begin[tag];
    size_t n = list_begun_before(gone, get->end_ns), n_stale = list_begun_before(stale, get->end_ns);
    int64_t arrived_ns = INT64_MAX;
    if (n > 0 && gone->greatest[n - 1] > get->epoch)
        return true;
    for (size_t i = 0; i < n_stale && arrived_ns == INT64_MAX; i++)
        if (stale->items[i].epoch > get->epoch)
            arrived_ns = stale->items[i].begin_ns;
    if (arrived_ns == INT64_MAX)
        return false;
    int64_t now_ms = x->wall_base_ms + get->end_ns / 1000000 + x->fastest_ms + 1;
    int64_t then_ms = x->wall_base_ms + arrived_ns / 1000000 + x->slowest_ms - 1;
    for (size_t i = 0; i < n_stale; i++)
        if (stale->items[i].due_first_ms <= now_ms && stale->items[i].due_last_ms >= then_ms)
            return true;
    return false;
}

static void check_gone(struct checker *c, struct place place) {
    const struct record *get = record_at(c->history, place);
    uint64_t tags = index_tags(&c->index, get->version) | get->tags | 1;
    bool right = !c->index.calm || c->index.lossy || c->index.n_losses > 0 || get->epoch == 0 ||
                 (c->index.first_epoch != LARDER_UNSET && get->epoch < c->index.first_epoch);
    for (unsigned tag = 0; tag < N_TAGS && !right; tag++)
        right = (tags >> tag & 1) && gone_is_right(&c->index, get, tag);
    if (!right)
        report_plain(c, RULE_GONE_TOO_EARLY, place, get->version);
}

/* ---- the rules one call at a time ------------------------------------------------------------ */

/* A put takes effect at any time after it began: when, nobody can say of one that failed. */
static bool check_bytes(struct checker *c, struct place place) {
    const struct record *get = record_at(c->history, place), *put = history_put(c->history, get->version);
    if (put == NULL || put->key != get->key || put->begin_ns > get->end_ns) {
        report_plain(c, RULE_NEVER_PUT, place, put != NULL ? get->version : VERSION_NONE);
        return false;
    }
    if (!(get->flags & R_WHOLE) || get->epoch != put->epoch) {
        report_plain(c, RULE_NOT_WHOLE, place, get->version);
        return false;
    }
    return true;
}

static void check_get(struct checker *c, struct place place) {
    const struct record *get = record_at(c->history, place);
    struct check_result *ret = c->result;
    bool given = get->status == LARDER_OK, shown = get->status >= 0 && get->verdict == LARDER_GONE;
    ret->n_gets++;
    ret->n_get_errors += get->status < 0;
    ret->n_fresh += given && get->verdict == LARDER_FRESH;
    ret->n_stale += given && get->verdict == LARDER_STALE;
    ret->n_gone += shown;
    ret->n_misses += get->status == LARDER_MISS && !shown;
    if (get->end_ns - get->begin_ns > ret->slowest_get_ns)
        ret->slowest_get_ns = get->end_ns - get->begin_ns;

    bool has_value = given || (shown && get->version != VERSION_NONE);
    if (has_value && check_bytes(c, place)) {
        if (get->verdict == LARDER_GONE)
            check_gone(c, place);
        else
            check_age(c, place);
    }
    if (get->phase == PHASE_SECOND) {
        ret->n_second_gets++;
        if (!given || get->verdict != LARDER_FRESH)
            report_plain(c, RULE_NOT_ALIVE, place, has_value ? get->version : VERSION_NONE);
    }
}

static void check_record(struct checker *c, struct place place) {
    const struct record *r = record_at(c->history, place);
    struct check_result *ret = c->result;
    ret->n_records++;
    if (ret->first_ns == 0 || r->begin_ns < ret->first_ns)
        ret->first_ns = r->begin_ns;
    if (r->end_ns > ret->last_ns)
        ret->last_ns = r->end_ns;
    if (r->op == R_PUT) {
        ret->n_puts++;
        ret->n_renders += !(r->flags & R_AGAIN);
    }
    if (r->end_ns == 0) {
        ret->n_unanswered++;
        return;
    }
    bool failed = r->status < 0;
    if (r->op == R_GET)
        check_get(c, place);
    ret->n_put_errors += r->op == R_PUT && failed;
    ret->n_revalidations += r->op == R_REVALIDATE && !failed;
    ret->n_revalidation_errors += r->op == R_REVALIDATE && failed;
    if (failed && c->index.calm && !(r->flags & R_HURRIED))
        report_plain(c, RULE_ERROR, place, VERSION_NONE);
}

/* ---- while the store was away ----------------------------------------------------------------- */

struct answer { /* of a get */
    int64_t end_ns;
    bool is_error;
};

static int by_end(const void *a, const void *b) {
    const struct answer *x = a, *y = b;
    return x->end_ns < y->end_ns ? -1 : x->end_ns > y->end_ns;
}

static size_t gather_answers(const struct history *h, struct answer *to) {
    size_t n = 0;
    for (size_t f = 0; f < h->n_files; f++)
        for (size_t at = 0; at < h->files[f].n; at++) {
            const struct record *r = &h->files[f].records[at];
            if (r->op != R_GET || r->end_ns == 0 || (r->flags & R_HURRIED))
                continue;
            if (to)
                to[n] = (struct answer){r->end_ns, r->status < 0};
            n++;
        }
    return n;
}

static bool find_outage(const struct history *h, struct check_result *ret) {
    size_t n = gather_answers(h, NULL);
    struct answer *answers = n > 0 ? malloc(n * sizeof(*answers)) : NULL;
    int64_t answered_ns = n > 0 ? INT64_MIN : 0;
    bool is_away = false;
    if (n > 0 && answers == NULL)
        return false;
    if (answers != NULL) {
        gather_answers(h, answers);
        qsort(answers, n, sizeof(*answers), by_end);
    }
    for (size_t i = 0; i < n; i++) {
        const struct answer *a = &answers[i];
        if (answered_ns == INT64_MIN)
            answered_ns = a->end_ns;
        if (a->is_error) {
            if (ret->first_error_ns == 0)
                ret->first_error_ns = a->end_ns;
            ret->last_error_ns = a->end_ns;
        }
        if (is_away && a->end_ns - answered_ns > ret->longest_outage_ns)
            ret->longest_outage_ns = a->end_ns - answered_ns;
        is_away = a->is_error;
        if (!a->is_error)
            answered_ns = a->end_ns;
    }
    free(answers);
    return true;
}

bool check_history(const struct history *h, const struct check_options *options, struct check_result *ret,
                   char error[256]) {
    struct checker c = {.history = h, .options = options, .result = ret};
    memset(ret, 0, sizeof(*ret));
    bool good = index_build(&c.index, h, error);
    ret->n_losses = c.index.n_losses;
    for (size_t f = 0; f < h->n_files && good; f++)
        for (size_t at = 0; at < h->files[f].n; at++)
            check_record(&c, (struct place){(uint32_t)f, (uint32_t)at});
    index_done(&c.index);
    if (good && !find_outage(h, ret)) {
        snprintf(error, 256, "out of memory");
        return false;
    }
    return good;
}
