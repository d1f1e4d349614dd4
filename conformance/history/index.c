#include "index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t NOT_COMPUTED = SIZE_MAX, COMPUTING = SIZE_MAX - 1;

static bool no_memory(char error[256]) {
    snprintf(error, 256, "out of memory");
    return false;
}

static bool no_sense(char error[256], uint32_t file, size_t at, const char *what) {
    snprintf(error, 256, "record %zu of file %u makes no sense: %s", at, file, what);
    return false;
}

/* ---- revalidations ------------------------------------------------------------------- */

static bool list_add(struct revalidation_list *list, const struct revalidation *item) {
    if (list->n == list->room) {
        size_t room = list->room > 0 ? list->room * 2 : 64;
        struct revalidation *items = realloc(list->items, room * sizeof(*items));
        if (items == NULL)
            return false;
        list->items = items;
        list->room = room;
    }
    list->items[list->n++] = *item;
    return true;
}

static int order(int64_t a, int64_t b) {
    return a < b ? -1 : a > b;
}

static int by_end(const void *a, const void *b) {
    const struct revalidation *left = a, *right = b;
    return order(left->end_ns, right->end_ns);
}

static int by_begin(const void *a, const void *b) {
    const struct revalidation *left = a, *right = b;
    return order(left->begin_ns, right->begin_ns);
}

static bool list_finish(struct revalidation_list *list, bool ends) {
    int64_t greatest = INT64_MIN;
    if (list->n == 0)
        return true;
    qsort(list->items, list->n, sizeof(*list->items), ends ? by_end : by_begin);
    list->greatest = malloc(list->n * sizeof(*list->greatest));
    if (list->greatest == NULL)
        return false;
    for (size_t i = 0; i < list->n; i++) {
        int64_t value = ends ? list->items[i].begin_ns : list->items[i].epoch;
        greatest = value > greatest ? value : greatest;
        list->greatest[i] = greatest;
    }
    return true;
}

/* How many of a list that is sorted by its ends (else its beginnings) come before at_ns. */
static size_t count_before(const struct revalidation_list *list, int64_t at_ns, bool ends) {
    size_t low = 0, high = list->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if ((ends ? list->items[mid].end_ns : list->items[mid].begin_ns) < at_ns)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

size_t list_ended_before(const struct revalidation_list *list, int64_t at_ns) {
    return count_before(list, at_ns, true);
}

size_t list_begun_before(const struct revalidation_list *list, int64_t at_ns) {
    return count_before(list, at_ns, false);
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static bool add_revalidation(struct index *x, const struct record *r, struct place place) {
    bool done = r->end_ns != 0 && r->status == LARDER_OK;
    struct revalidation item = {.begin_ns = r->begin_ns,
                                .end_ns = done ? r->end_ns : INT64_MAX,
                                .epoch = done ? r->epoch : INT64_MAX,
                                .clock_ms = earlier(r->wall_ms, done ? r->wall_end_ms : r->wall_ms),
                                .due_first_ms = INT64_MAX,
                                .due_last_ms = INT64_MAX,
                                .place = place};
    bool stale = r->mode == LARDER_MAKE_STALE;
    if (stale && r->expire_in_ms != LARDER_UNSET) {
        int64_t first = r->end_ns != 0 ? earlier(r->wall_ms, r->wall_end_ms) : r->wall_ms;
        item.due_first_ms = first + r->expire_in_ms;
        if (r->flags & R_JUMPED || r->end_ns == 0)
            item.due_first_ms = INT64_MIN;
        else
            item.due_last_ms = later(r->wall_ms, r->wall_end_ms) + r->expire_in_ms;
    }
    for (unsigned tag = 0; tag < N_TAGS; tag++) {
        if (!(r->tags >> tag & 1))
            continue;
        if (!list_add(stale ? &x->stale_by_begin[tag] : &x->gone_by_begin[tag], &item) ||
            (done && !list_add(stale ? &x->stale_by_end[tag] : &x->gone_by_end[tag], &item)))
            return false;
    }
    return true;
}

static bool add_loss(struct index *x, const struct record *r) {
    struct loss *losses = realloc(x->losses, (x->n_losses + 1) * sizeof(*losses));
    if (losses == NULL)
        return false;
    x->losses = losses;
    losses[x->n_losses++] = (struct loss){r->begin_ns, r->end_ns != 0 ? r->end_ns : INT64_MAX, r->began_ns,
                                          r->begin_ns};
    return true;
}

/* ---- versions ------------------------------------------------------------------------- */

static size_t ordinal_of(const struct index *x, uint64_t version) {
    return history_put(x->history, version) != NULL ? x->ordinals[version >> 32][(uint32_t)version] : 0;
}

/* Two numbers for each tag, in the order of the tags: see index_oldest(). */
static int64_t *times_of(const struct index *x, size_t ordinal, unsigned tag) {
    uint64_t below = x->carried[ordinal] & ((UINT64_C(1) << tag) - 1);
    return &x->pool[x->pool_at[ordinal] + 2 * (size_t)__builtin_popcountll(below)];
}

static bool pool_take(struct index *x, size_t ordinal) {
    size_t need = 2 * (size_t)__builtin_popcountll(x->carried[ordinal]);
    if (x->n_pool + need > x->pool_room) {
        size_t room = (x->n_pool + need) * 2 + 1024;
        int64_t *pool = realloc(x->pool, room * sizeof(*pool));
        if (pool == NULL)
            return false;
        x->pool = pool;
        x->pool_room = room;
    }
    x->pool_at[ordinal] = x->n_pool;
    x->n_pool += need;
    return true;
}

/* What is built from something is put after that was: so it goes down the levels of the world,
 * and a circle, or a chain deeper than any world, is a damaged history. */
static bool compute(struct index *x, uint64_t version, unsigned depth, char error[256]) {
    size_t me = ordinal_of(x, version);
    const struct record *put = history_put(x->history, version);
    if (me == 0 || (x->pool_at[me] != NOT_COMPUTED && x->pool_at[me] != COMPUTING))
        return true;
    if (x->pool_at[me] == COMPUTING || depth == ROOT_DEPTH)
        return no_sense(error, (uint32_t)(version >> 32), (uint32_t)version, "it is built from itself");
    x->pool_at[me] = COMPUTING;
    x->carried[me] = put->tags;
    for (unsigned i = 0; i < put->n_ingredients; i++) {
        if (!compute(x, put->ingredients[i], depth + 1, error))
            return false;
        x->carried[me] |= index_tags(x, put->ingredients[i]);
    }
    if (!pool_take(x, me))
        return no_memory(error);
    for (unsigned tag = 0; tag < N_TAGS; tag++) {
        if (!(x->carried[me] >> tag & 1))
            continue;
        int64_t *times = times_of(x, me, tag);
        times[0] = times[1] = put->tags >> tag & 1 ? put->began_ns : INT64_MAX;
        for (unsigned i = 0; i < put->n_ingredients; i++) {
            times[0] = earlier(times[0], index_oldest(x, put->ingredients[i], tag, false));
            if (!(put->stale_ingredients >> i & 1))
                times[1] = earlier(times[1], index_oldest(x, put->ingredients[i], tag, true));
        }
    }
    return true;
}

uint64_t index_tags(const struct index *x, uint64_t version) {
    size_t ordinal = ordinal_of(x, version);
    return ordinal != 0 ? x->carried[ordinal] : 0;
}

int64_t index_oldest(const struct index *x, uint64_t version, unsigned tag, bool without_stale) {
    size_t ordinal = ordinal_of(x, version);
    if (ordinal == 0 || !(x->carried[ordinal] >> tag & 1))
        return INT64_MAX;
    return times_of(x, ordinal, tag)[without_stale ? 1 : 0];
}

unsigned index_chain(const struct index *x, uint64_t version, unsigned tag, bool without_stale,
                     uint64_t chain[CHAIN_MAX]) {
    unsigned n = 0;
    while (n < CHAIN_MAX) {
        const struct record *put = history_put(x->history, version);
        int64_t oldest = index_oldest(x, version, tag, without_stale);
        chain[n++] = version;
        if (put == NULL || (put->tags >> tag & 1 && put->began_ns == oldest))
            break;
        unsigned i = 0;
        while (i < put->n_ingredients && ((without_stale && put->stale_ingredients >> i & 1) ||
                                          index_oldest(x, put->ingredients[i], tag, without_stale) != oldest))
            i++;
        if (i == put->n_ingredients)
            break;
        version = put->ingredients[i];
    }
    return n;
}

/* ---- building ---------------------------------------------------------------------------- */

static const char *what_is_wrong(const struct record *r) {
    if (r->op == 0 || r->op >= R_OPS)
        return "its kind is unknown";
    if (r->n_ingredients > MAX_INGREDIENTS)
        return "it has too many ingredients";
    if (r->end_ns != 0 && r->end_ns < r->begin_ns)
        return "it ended before it began";
    return NULL;
}

static void note_clock(struct index *x, const struct record *r) {
    if (r->op == R_LOSS || r->flags & R_JUMPED)
        return;
    int64_t off_ms = r->wall_ms - x->wall_base_ms - r->begin_ns / 1000000;
    x->slowest_ms = earlier(x->slowest_ms, off_ms);
    x->fastest_ms = later(x->fastest_ms, off_ms);
}

static bool read_file(struct index *x, const struct history_file *f, char error[256]) {
    uint32_t *ordinals = f->n > 0 ? calloc(f->n, sizeof(*ordinals)) : NULL;
    if (f->n > 0 && ordinals == NULL)
        return no_memory(error);
    x->ordinals[f->head->file] = ordinals;
    for (size_t at = 0; at < f->n; at++) {
        const struct record *r = &f->records[at];
        const char *wrong = what_is_wrong(r);
        if (wrong != NULL)
            return no_sense(error, f->head->file, at, wrong);
        note_clock(x, r);
        if (r->op == R_PUT && !(r->flags & R_AGAIN))
            ordinals[at] = (uint32_t)++x->n_versions;
        struct place place = {f->head->file, (uint32_t)at};
        if ((r->op == R_REVALIDATE && !add_revalidation(x, r, place)) || (r->op == R_LOSS && !add_loss(x, r)))
            return no_memory(error);
        if (r->op == R_EPOCH && r->end_ns != 0 && r->status == LARDER_OK)
            x->first_epoch = x->first_epoch == LARDER_UNSET ? r->epoch : earlier(x->first_epoch, r->epoch);
    }
    return true;
}

/* What was never answered was under way for as long as a call takes at most. */
static void note_calls_under_way(struct index *x) {
    const int64_t longest_ns = INT64_C(3000000000);
    for (size_t f = 0; f < x->history->n_files && x->n_losses > 0; f++) {
        for (size_t at = 0; at < x->history->files[f].n; at++) {
            const struct record *r = &x->history->files[f].records[at];
            int64_t end_ns = r->end_ns != 0 ? r->end_ns : r->begin_ns + longest_ns;
            for (size_t i = 0; i < x->n_losses; i++)
                if (r->begin_ns < x->losses[i].anew_ns && end_ns > x->losses[i].begin_ns && r->op != R_LOSS)
                    x->losses[i].anew_ns = r->begin_ns;
        }
    }
}

static bool compute_all(struct index *x, char error[256]) {
    size_t n = x->n_versions + 1;
    x->carried = calloc(n, sizeof(*x->carried));
    x->pool_at = malloc(n * sizeof(*x->pool_at));
    if (x->carried == NULL || x->pool_at == NULL)
        return no_memory(error);
    for (size_t i = 0; i < n; i++)
        x->pool_at[i] = NOT_COMPUTED;
    for (size_t f = 0; f < x->history->n_files; f++)
        for (size_t at = 0; at < x->history->files[f].n; at++)
            if (x->ordinals[f][at] != 0 && !compute(x, VERSION(f, at), 0, error))
                return false;
    return true;
}

bool index_build(struct index *x, const struct history *h, char error[256]) {
    *x = (struct index){.history = h, .first_epoch = LARDER_UNSET, .calm = true};
    x->ordinals = calloc(h->n_files + 1, sizeof(uint32_t *));
    if (x->ordinals == NULL)
        return no_memory(error);
    for (size_t i = 0; i < h->n_files; i++) {
        if (h->files[i].head == NULL)
            continue;
        x->wall_base_ms = h->files[i].head->wall_base_ms;
        x->calm = x->calm && h->files[i].head->calm;
        x->lossy = x->lossy || h->files[i].head->lossy;
        x->delay_ns = (int64_t)h->files[i].head->delay_ms * 1000000;
        if (!read_file(x, &h->files[i], error))
            return false;
    }
    note_calls_under_way(x);
    for (unsigned tag = 0; tag < N_TAGS; tag++)
        if (!list_finish(&x->gone_by_end[tag], true) || !list_finish(&x->stale_by_end[tag], true) ||
            !list_finish(&x->gone_by_begin[tag], false) || !list_finish(&x->stale_by_begin[tag], false))
            return no_memory(error);
    return compute_all(x, error);
}

static void list_done(struct revalidation_list *list) {
    free(list->items);
    free(list->greatest);
}

void index_done(struct index *x) {
    for (unsigned tag = 0; tag < N_TAGS; tag++) {
        list_done(&x->gone_by_end[tag]);
        list_done(&x->stale_by_end[tag]);
        list_done(&x->gone_by_begin[tag]);
        list_done(&x->stale_by_begin[tag]);
    }
    for (size_t i = 0; x->ordinals != NULL && i < x->history->n_files; i++)
        free(x->ordinals[i]);
    free(x->ordinals);
    free(x->losses);
    free(x->carried);
    free(x->pool_at);
    free(x->pool);
}
