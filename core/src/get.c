/*
 * Reading: an entry and the marks of its tags, together, and what they say of each other.
 *
 * The entry, the marks of the tags that are known beforehand (the request's, and those last
 * seen with this key) and, where a render may follow, the question for the epoch are sent at
 * once.  The marks of tags that only the entry told of are read after it.
 */
#include "buf.h"
#include "bytes.h"
#include "marks.h"
#include "request.h"

enum { MAX_GUESSED = 128 };

static void go_on(struct request *r);

/* ---- the verdict ---------------------------------------------------------------- */

static uint32_t worse(uint32_t a, uint32_t b) {
    return a > b ? a : b; /* FRESH < STALE < GONE */
}

static uint32_t verdict_of_tag(const struct request *r, struct larder_bytes tag, int64_t epoch) {
    const struct larder_mark *mark = NULL;
    if (r->want.batch != NULL)
        mark = mark_batch_find(r->want.batch, tag);
    if (mark == NULL && r->more.batch != NULL)
        mark = mark_batch_find(r->more.batch, tag);
    return mark != NULL ? mark_verdict(mark, epoch, reactor_now_ms(r->store->reactor)) : LARDER_FRESH;
}

/* Over the namespace's mark, the request's own tags and the entry's; a guess that was wrong has
 * no say. */
static uint32_t verdict_over(const struct request *r, int64_t epoch) {
    uint32_t verdict = verdict_of_tag(r, (struct larder_bytes){0}, epoch);
    for (size_t i = 0; i < r->n_own_tags; i++)
        verdict = worse(verdict, verdict_of_tag(r, r->tags[i], epoch));
    for (size_t i = 0; r->has_frame && i < r->frame.entry.n_tags; i++)
        verdict = worse(verdict, verdict_of_tag(r, r->entry_tags[i], epoch));
    return verdict;
}

/* ---- the end ---------------------------------------------------------------------- */

static void drop_wants(struct request *r) {
    mark_want_done(&r->want);
    mark_want_done(&r->more);
}

static void answer_marks_failed(struct request *r, const struct mark_want *want) {
    if (!r->answered) {
        r->answer.native_code = want->native_code;
        r->answer.retry_after_ms = want->retry_after_ms;
        request_answer(r, want->status, want->detail);
    }
    drop_wants(r);
}

static bool renders_next(const struct request *r) {
    return r->verdict == LARDER_GONE || !r->has_frame;
}

static void finish(struct request *r) {
    bool give = r->has_frame && (r->verdict != LARDER_GONE || (r->in.flags & LARDER_F_ANY));
    int32_t read = r->op->result.status;
    r->answer.verdict = r->verdict;
    if (give)
        r->answer.entry = &r->frame.entry;
    if (r->failed != LARDER_OK)
        request_answer(r, r->failed, "out of memory");
    else if (read < 0 && read != LARDER_CORRUPT)
        request_answer_op(r, r->op);
    else
        request_answer(r, give ? LARDER_OK : LARDER_MISS, NULL);
    drop_wants(r);
}

/* ---- the steps --------------------------------------------------------------------- */

static void more_marks_here(void *arg, struct mark_want *want) {
    struct request *r = arg;
    (void)want;
    r->more_here = true;
    go_on(r);
    request_unref(r);
}

/* Asks for the marks of the entry's tags that the first read did not have.  True: none, or
 * answered. */
static bool ask_for_more(struct request *r) {
    size_t n = 0, n_tags = r->frame.entry.n_tags;
    struct larder_bytes *missing = arena_alloc(&r->arena, n_tags * sizeof(*missing));
    if (missing == NULL) {
        request_answer(r, LARDER_NOMEM, "out of memory");
        drop_wants(r);
        return false;
    }
    for (size_t i = 0; i < n_tags; i++)
        if (!mark_batch_asked(r->want.batch, r->entry_tags[i]))
            missing[n++] = r->entry_tags[i];
    if (n == 0) {
        r->more_here = true;
        return true;
    }
    r->more = (struct mark_want){.tags = missing,
                                 .n_tags = n,
                                 .deadline_ns = r->deadline_ns,
                                 .fn = more_marks_here,
                                 .arg = request_ref(r)};
    marks_want(&r->store->marks, &r->more);
    return false;
}

/* Pure, and of this request's frame alone: on the reactor's thread or on a pool's. */
static void decode(void *arg) {
    struct request *r = arg;
    const char *why;
    r->decode_status = frame_decode(r->op->result.value, r->in.key, (r->in.flags & LARDER_F_V8) != 0,
                                    &r->frame, &why);
    r->has_frame = r->decode_status == LARDER_OK;
}

/* What the entry's store gave has been decoded.  What cannot be verified is a miss, and counted. */
static void take_entry(struct request *r) {
    if (r->op->result.status == LARDER_OK)
        STAT_ADD(r->store, bytes_read, r->op->result.value.len);
    if (r->op->result.status == LARDER_CORRUPT || r->decode_status == LARDER_CORRUPT)
        STAT(r->store, corrupt);
    if (r->decode_status == LARDER_NOMEM)
        r->failed = LARDER_NOMEM;
    if (!r->has_frame)
        return;
    r->entry_tags = request_map_tags(r, r->frame.entry.tags, r->frame.entry.n_tags);
    if (r->entry_tags == NULL) {
        frame_done(&r->frame);
        r->has_frame = false;
        r->failed = LARDER_NOMEM;
        return;
    }
    guess_put(&r->store->guesses, request_key(r), r->frame.entry.tags, r->frame.entry.n_tags);
}

/* Whatever has arrived: is it enough for the next step? */
static void go_on(struct request *r) {
    if (r->answered) {
        if (r->marks_here && (r->more_here || r->more.fn == NULL))
            drop_wants(r);
        return;
    }
    if (!r->entry_here || !r->marks_here)
        return;
    if (r->want.status != LARDER_OK) {
        answer_marks_failed(r, &r->want);
        return;
    }
    if (r->has_frame && !r->more_here) {
        if (r->more.fn != NULL || !ask_for_more(r))
            return;
    }
    if (r->more.fn != NULL && r->more.status != LARDER_OK) {
        answer_marks_failed(r, &r->more);
        return;
    }
    if (r->verdict == 0 && r->has_frame)
        r->verdict = verdict_over(r, r->frame.entry.epoch);
    if (renders_next(r) && !r->epoch_here)
        return;
    finish(r);
}

static void decoded(void *arg) {
    struct request *r = arg;
    r->entry_here = true;
    if (!r->answered)
        take_entry(r);
    go_on(r);
    request_unref(r);
}

static void entry_here(void *arg, struct op *op) {
    struct request *r = arg;
    r->op = op;
    if (r->answered || op->result.status != LARDER_OK) {
        decoded(r);
    } else if (frame_is_slow(op->result.value, (r->in.flags & LARDER_F_V8) != 0)) {
        r->job = (struct job){.work = decode, .done = decoded, .arg = r};
        reactor_offload(r->store->reactor, &r->job);
    } else {
        decode(r);
        decoded(r);
    }
}

static void marks_here(void *arg, struct mark_want *want) {
    struct request *r = arg;
    (void)want;
    r->marks_here = true;
    go_on(r);
    request_unref(r);
}

/* The counter could not be read: what is known is smaller, which is safe. */
static void epoch_here(void *arg, int32_t status) {
    struct request *r = arg;
    (void)status;
    r->epoch_here = true;
    go_on(r);
    request_unref(r);
}

/* A process that has heard of the counter within `epoch-age` knows enough to render. */
static void ask_epoch_if_old(struct request *r) {
    struct larder_store *store = r->store;
    uint64_t age_ns = (uint64_t)store->settings->epoch_age_ms * 1000000u;
    uint64_t heard_ns = store->epoch.asked_ns;
    bool young = heard_ns != 0 && reactor_now_ns(store->reactor) - heard_ns <= age_ns;
    r->epoch_here = young || !(r->in.flags & LARDER_F_RENDER);
    if (r->epoch_here)
        return;
    r->epoch_wait = (struct epoch_wait){.fn = epoch_here, .arg = request_ref(r)};
    store_ask_epoch(store, &r->epoch_wait, r->deadline_ns);
}

/* The request's tags and the guessed ones, as the store takes them. */
static bool gather_tags(struct request *r) {
    struct larder_bytes guessed[MAX_GUESSED];
    size_t n_guessed = r->physical != NULL
                           ? guess_get(&r->store->guesses, request_key(r), guessed, MAX_GUESSED)
                           : 0;
    size_t n = r->in.n_tags;
    struct larder_bytes *all = arena_alloc(&r->arena, (n + n_guessed) * sizeof(*all));
    if (all == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        all[i] = r->in.tags[i];
    for (size_t i = 0; i < n_guessed; i++) {
        uint8_t *copy = arena_alloc(&r->arena, guessed[i].len);
        if (copy == NULL)
            return false;
        bytes_put(copy, guessed[i]);
        all[n + i] = (struct larder_bytes){copy, guessed[i].len};
    }
    r->tags = request_map_tags(r, all, n + n_guessed);
    r->n_own_tags = n;
    r->n_tags = n + n_guessed;
    return r->tags != NULL;
}

static bool want_marks(struct request *r, void (*fn)(void *arg, struct mark_want *want)) {
    if (!gather_tags(r)) {
        request_answer(r, LARDER_NOMEM, "out of memory");
        return false;
    }
    r->want = (struct mark_want){
        .tags = r->tags, .n_tags = r->n_tags, .deadline_ns = r->deadline_ns, .fn = fn, .arg = request_ref(r)};
    marks_want(&r->store->marks, &r->want);
    return true;
}

void get_start(struct request *r) {
    if (!request_make_key(r))
        return;
    struct op_inputs in = {.key = request_key(r)};
    struct op *op = request_op(r, LARDER_OP_GET, &in, entry_here);
    if (op == NULL)
        return;
    backend_call(r->store->cache.top, op);
    if (want_marks(r, marks_here))
        ask_epoch_if_old(r);
}

/* ---- marks without an entry ------------------------------------------------------------ */

static void check_over(void *arg, struct mark_want *want) {
    struct request *r = arg;
    if (!r->answered && want->status == LARDER_OK) {
        r->answer.verdict = verdict_over(r, r->in.epoch);
        request_answer(r, LARDER_OK, NULL);
        drop_wants(r);
    } else {
        answer_marks_failed(r, want);
    }
    request_unref(r);
}

void check_start(struct request *r) {
    want_marks(r, check_over);
}

/* The marks of the request's tags, under the names that the caller knows them by. */
static void read_tags_over(void *arg, struct mark_want *want) {
    struct request *r = arg;
    if (!r->answered && want->status == LARDER_OK) {
        struct larder_mark *marks = arena_alloc(&r->arena, r->in.n_tags * sizeof(*marks));
        size_t n = 0;
        for (size_t i = 0; marks != NULL && i < r->in.n_tags; i++) {
            const struct larder_mark *mark = mark_batch_find(want->batch, r->tags[i]);
            if (mark == NULL)
                continue;
            marks[n] = *mark;
            marks[n++].tag = r->in.tags[i];
        }
        r->answer.marks = marks;
        r->answer.n_marks = n;
        request_answer(r, marks != NULL ? LARDER_OK : LARDER_NOMEM, NULL);
        drop_wants(r);
    } else {
        answer_marks_failed(r, want);
    }
    request_unref(r);
}

void read_tags_start(struct request *r) {
    want_marks(r, read_tags_over);
}

/* ---- the epoch ------------------------------------------------------------------------------ */

static void epoch_told(void *arg, int32_t status) {
    struct request *r = arg;
    request_answer(r, status, status != LARDER_OK ? "the epoch could not be read" : NULL);
    request_unref(r);
}

static void namespace_is_marked(void *arg, struct mark_want *want) {
    struct request *r = arg;
    if (r->answered || want->status != LARDER_OK) {
        answer_marks_failed(r, want);
    } else {
        drop_wants(r);
        r->epoch_wait = (struct epoch_wait){.fn = epoch_told, .arg = request_ref(r)};
        store_ask_epoch(r->store, &r->epoch_wait, r->deadline_ns);
    }
    request_unref(r);
}

/* The namespace's mark first: where this makes it, the epoch that is told counts as fresh under
 * it.  A build that records its epoch depends on that. */
void epoch_start(struct request *r) {
    want_marks(r, namespace_is_marked);
}
