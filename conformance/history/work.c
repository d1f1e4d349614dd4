/*
 * One worker, on a thread of its own: what request handlers do, one call at a time, each call
 * recorded.  Whatever it does is decided by its seed; what comes of it is up to the races.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "random.h"
#include "run.h"
#include "value.h"

enum { MAX_DEPTH = 3, HURRY_MS = 1, CALM_MS = 20000, GROUP_PERMILLE = 500 };

struct got { /* a get's answer */
    int32_t status;
    uint32_t verdict;
    uint64_t version, tags;
    int64_t epoch; /* the entry's */
    int64_t note;  /* the greatest epoch that was known: a rendering that follows stores it */
    int64_t end_ns;
};

struct piece { /* what a page is built from, in hand */
    uint64_t version, tags;
    bool stale;
};

static bool roll(struct worker *w, unsigned permille) {
    return random_below(&w->random, 1000) < permille;
}

static void sleep_ns(int64_t ns) {
    struct timespec t = {ns / 1000000000, ns % 1000000000};
    nanosleep(&t, NULL);
}

/* Between any two steps: nothing as often as not, mostly less than a system call, at times long. */
static void pause_a_little(struct worker *w) {
    uint32_t dice = random_below(&w->random, 1024);
    if (w->run->pauses == 0 || dice < 512 || w->phase != PHASE_RUN)
        return;
    if (w->run->pauses > 1 && dice == 1023)
        sleep_ns(random_below(&w->random, 100000000));
    else
        sleep_ns(random_below(&w->random, dice >= 960 ? 2000000 : 30000));
}

/* ---- calls ---------------------------------------------------------------------------------- */

static uint32_t deadline_of(const struct worker *w, const struct record *call) {
    if (call->flags & R_HURRIED)
        return HURRY_MS;
    return w->run->head.calm ? CALM_MS : 0;
}

/* Publishes the record of a call that is about to be made.  NULL: there is no room for more. */
static struct record *begin(struct worker *w, struct record *call, size_t *ret_at, uint32_t *ret_sets) {
    if (w->phase == PHASE_RUN && roll(w, w->run->hurry_permille))
        call->flags |= R_HURRIED;
    call->phase = w->phase;
    *ret_sets = atomic_load(&w->clock->clock_sets);
    call->wall_ms = clock_now_ms();
    call->begin_ns = monotonic_ns();
    struct record *r = recorder_begin(&w->rec, call, ret_at);
    w->full = r == NULL;
    atomic_fetch_add_explicit(&w->control->n_ops, 1, memory_order_relaxed);
    return r;
}

static void end(struct worker *w, struct record *r, uint32_t sets) {
    int64_t end_ns = monotonic_ns();
    r->wall_end_ms = clock_now_ms();
    if (sets % 2 != 0 || atomic_load(&w->clock->clock_sets) != sets)
        r->flags |= R_JUMPED;
    recorder_end(r, end_ns);
}

static struct got get(struct worker *w, unsigned key, uint8_t flags, uint64_t tags) {
    struct record call = {
        .op = R_GET, .flags = flags, .key = (uint16_t)key, .version = VERSION_NONE, .tags = tags};
    struct got got = {.status = LARDER_INTERNAL, .version = VERSION_NONE};
    const struct larder_answer *a = NULL;
    struct larder_bytes asked[64];
    uint32_t sets;
    size_t at, n = 0;
    struct record *r = begin(w, &call, &at, &sets);
    if (r == NULL)
        return got;
    for (unsigned tag = 1; tag < 64; tag++)
        if (tags >> tag & 1)
            asked[n++] = w->run->tags[tag];
    struct larder_request request = {
        .code = LARDER_DO_GET,
        .kind = world_kind(&w->run->head.world, key),
        .key = w->run->keys[key],
        .tags = asked,
        .n_tags = n,
        .flags = LARDER_F_RENDER | (flags & R_ANY ? LARDER_F_ANY : 0),
        .deadline_ms = deadline_of(w, &call),
    };
    got.status = larder_call(w->store, &request, &a);
    got.end_ns = monotonic_ns(); /* from here on something may be rendered */
    if (a != NULL) {
        got.verdict = a->verdict;
        got.note = a->epoch;
    }
    if (a != NULL && a->entry != NULL && got.status == LARDER_OK) {
        bool whole;
        got.version = value_read(w->run, key, a->entry, &got.tags, &whole);
        got.epoch = a->entry->epoch;
        r->flags |= whole ? R_WHOLE : 0;
    }
    r->status = got.status;
    r->verdict = (uint8_t)got.verdict;
    r->version = got.version;
    r->epoch = got.version != VERSION_NONE ? got.epoch : got.note;
    larder_answer_unref(a);
    end(w, r, sets);
    return got;
}

/* again: of `version`, as a get returned it; else a new version, which is answered. */
static uint64_t put(struct worker *w, struct record *call, uint64_t again) {
    struct larder_bytes tag_room[64];
    struct larder_part parts[2];
    struct larder_entry entry;
    uint32_t sets;
    size_t at;
    call->op = R_PUT;
    call->flags = again != VERSION_NONE ? R_AGAIN : 0;
    struct record *r = begin(w, call, &at, &sets);
    if (r == NULL)
        return VERSION_NONE;
    uint64_t version = again != VERSION_NONE ? again : VERSION(w->rec.head->file, at);
    r->version = version;
    value_make(w->run, call->key, version, call->tags, call->epoch, w->buffer, tag_room, parts, &entry);
    struct larder_request request = {
        .code = LARDER_DO_PUT, .entry = &entry, .deadline_ms = deadline_of(w, call)};
    r->status = larder_call(w->store, &request, NULL);
    end(w, r, sets);
    return version;
}

void worker_ask_epoch(struct worker *w) {
    struct record call = {.op = R_EPOCH};
    const struct larder_answer *a = NULL;
    uint32_t sets;
    size_t at;
    struct record *r = begin(w, &call, &at, &sets);
    if (r == NULL)
        return;
    struct larder_request request = {.code = LARDER_DO_EPOCH, .deadline_ms = deadline_of(w, &call)};
    r->status = larder_call(w->store, &request, &a);
    r->epoch = a != NULL ? a->epoch : 0;
    larder_answer_unref(a);
    end(w, r, sets);
}

static void revalidate(struct worker *w) {
    struct record call = {.op = R_REVALIDATE, .expire_in_ms = LARDER_UNSET};
    const struct world *world = &w->run->head.world;
    const struct larder_answer *a = NULL;
    struct larder_bytes tags[64];
    uint32_t sets, dice = random_below(&w->random, 100);
    size_t at, n = 0;
    if (roll(w, 4))
        call.tags = 1; /* the namespace's: everything */
    for (uint32_t left = 1 + random_below(&w->random, 3); left > 0 && call.tags != 1; left--)
        call.tags |= UINT64_C(2) << random_below(&w->random, world_n_tags(world) - 1);
    if (dice >= 60) {
        call.mode = LARDER_MAKE_STALE;
        if (dice < 90)
            call.expire_in_ms = 1 + random_below(&w->random, 300);
    }
    for (unsigned tag = 0; tag < 64; tag++)
        if (call.tags >> tag & 1)
            tags[n++] = w->run->tags[tag];
    struct record *r = begin(w, &call, &at, &sets);
    if (r == NULL)
        return;
    struct larder_request request = {.code = LARDER_DO_REVALIDATE,
                                     .tags = tags,
                                     .n_tags = n,
                                     .mode = call.mode,
                                     .flags = roll(w, 500) ? LARDER_F_KEEP_TRYING : 0,
                                     .expire_in_ms = call.expire_in_ms,
                                     .deadline_ms = deadline_of(w, r)};
    r->status = larder_call(w->store, &request, &a);
    r->epoch = a != NULL ? a->epoch : 0;
    larder_answer_unref(a);
    end(w, r, sets);
}

/* Bounds the rate at which all workers together raise the epoch. */
static bool may_revalidate(struct worker *w) {
    if (w->run->revalidations_per_s == 0)
        return true;
    int64_t now_ns = monotonic_ns(), next_ns = atomic_load(&w->control->next_revalidation_ns);
    return now_ns >= next_ns &&
           atomic_compare_exchange_strong(&w->control->next_revalidation_ns, &next_ns,
                                          now_ns + 1000000000 / w->run->revalidations_per_s);
}

/* ---- renderings ------------------------------------------------------------------------------- */

/*
 * As a `use cache` handler does, which is told when rendering began and asks what was known
 * then.  Time passes between the two looks at the clock, so it asks for somewhat earlier, and
 * believes the answer only if no more than that has passed.
 */
static int64_t known_at(struct worker *w, int64_t began_ns) {
    const int64_t margin_ns = 50000;
    for (int i = 0; i < 8; i++) {
        int64_t now_ns = monotonic_ns();
        int64_t epoch = larder_epoch_at(w->store, (double)(now_ns - began_ns + margin_ns) / 1e6);
        if (monotonic_ns() - now_ns < margin_ns)
            return epoch;
    }
    return 0;
}

static bool obtain(struct worker *w, unsigned key, struct piece *ret);

/* Of the levels below, at random, without repeats. */
static unsigned choose_ingredients(struct worker *w, unsigned key, unsigned chosen[MAX_INGREDIENTS]) {
    const struct world *world = &w->run->head.world;
    int level = world_level(world, key);
    unsigned n = 0, first, end;
    if (level == LEVEL_DATA)
        return 0;
    world_of_level(world, level, &first, &end);
    unsigned wanted = 1 + random_below(&w->random, MAX_INGREDIENTS - 1);
    for (unsigned i = 0; i < wanted; i++) {
        unsigned candidate = random_below(&w->random, first);
        bool is_new = true;
        for (unsigned k = 0; k < n; k++)
            is_new = is_new && chosen[k] != candidate;
        if (is_new)
            chosen[n++] = candidate;
    }
    return n;
}

/* After a get that found nothing, or nothing fresh.  false: it threw half-way. */
static bool render(struct worker *w, unsigned key, const struct got *got, struct piece *ret) {
    struct record call = {.key = (uint16_t)key, .epoch = got->note, .began_ns = got->end_ns};
    unsigned chosen[MAX_INGREDIENTS];
    bool timed = world_level(&w->run->head.world, key) == LEVEL_MID && roll(w, 500);
    pause_a_little(w);
    if (timed)
        call.began_ns = monotonic_ns();
    call.tags = UINT64_C(1) | UINT64_C(1) << world_tag_of(key);
    if (roll(w, GROUP_PERMILLE))
        call.tags |= UINT64_C(1) << world_group_of(key);
    unsigned n = choose_ingredients(w, key, chosen);
    for (unsigned i = 0; i < n; i++) {
        struct piece piece;
        if (!obtain(w, chosen[i], &piece))
            return false;
        call.ingredients[call.n_ingredients] = piece.version;
        if (piece.stale)
            call.stale_ingredients |= (uint8_t)(1u << call.n_ingredients);
        call.n_ingredients++;
        call.tags |= piece.tags;
        pause_a_little(w);
    }
    if (w->phase == PHASE_RUN && roll(w, w->run->throw_permille)) {
        /* Next.js sets the stale entry again when its refresh throws; it keeps its epoch. */
        struct record same = {
            .key = (uint16_t)key, .epoch = got->epoch, .tags = got->tags, .began_ns = got->end_ns};
        if (got->version != VERSION_NONE)
            put(w, &same, got->version);
        return false;
    }
    if (timed)
        call.epoch = known_at(w, call.began_ns);
    if (w->run->wrong == WRONG_LATE_NOTE) {
        worker_ask_epoch(w);
        call.epoch = larder_epoch_at(w->store, 0);
    }
    uint64_t version = put(w, &call, VERSION_NONE);
    *ret = (struct piece){.version = version, .tags = call.tags};
    return version != VERSION_NONE;
}

/* What a request is served with.  A stale entry is served, and rendered afterwards, or at once. */
static bool obtain(struct worker *w, unsigned key, struct piece *ret) {
    if (w->full)
        return false;
    struct got got = get(w, key, 0, 0);
    if (got.status == LARDER_OK && got.version != VERSION_NONE) {
        *ret = (struct piece){got.version, got.tags, got.verdict != LARDER_FRESH};
        if (got.verdict == LARDER_FRESH)
            return true;
        if (w->phase == PHASE_RUN && roll(w, 500)) {
            struct piece refreshed;
            render(w, key, &got, &refreshed);
            return true;
        }
    }
    return render(w, key, &got, ret);
}

void worker_step(struct worker *w) {
    const struct world *world = &w->run->head.world;
    unsigned first, end;
    struct piece piece;
    if (roll(w, w->run->revalidate_permille) && may_revalidate(w)) {
        revalidate(w);
    } else if (roll(w, 80)) { /* a look that is not followed by a rendering, with soft tags at times */
        uint64_t tags = roll(w, 300) ? UINT64_C(2) << random_below(&w->random, world_n_tags(world) - 1) : 0;
        get(w, random_below(&w->random, world_n_keys(world)), roll(w, 500) ? R_ANY : 0, tags);
    } else if (roll(w, 800) && world->n_pages > 0) {
        world_of_level(world, LEVEL_PAGE, &first, &end);
        obtain(w, first + random_below(&w->random, end - first), &piece);
    } else {
        obtain(w, random_below(&w->random, world_n_keys(world)), &piece);
    }
    pause_a_little(w);
}

/* After quiet: each key is a hit by its second get.  A process that trusts marks for a while
 * learns so much later what it may note: there the promise begins with that. */
void worker_look_at_all(struct worker *w) {
    struct piece piece;
    unsigned n = world_n_keys(&w->run->head.world);
    w->phase = PHASE_FIRST;
    if (w->run->head.delay_ms > 0) {
        for (unsigned key = 0; key < n && !w->full; key++) /* each has marks of its own to learn of */
            obtain(w, key, &piece);
        sleep_ns(((int64_t)w->run->head.delay_ms + 10) * 1000000);
    }
    for (unsigned key = 0; key < n && !w->full; key++) {
        w->phase = PHASE_FIRST;
        obtain(w, key, &piece);
        w->phase = PHASE_SECOND;
        get(w, key, 0, 0);
    }
}
