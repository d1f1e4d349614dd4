/*
 * Reading: an entry and the marks of its tags, together, and what they say of each other.
 *
 * An entry in memory needs its marks alone, which are read for each get.  Where it is fresh that is
 * all; where it is not, another process may have rendered it since, and the store is asked.
 *
 * Else the entry, the marks of the tags that are known beforehand (the request's, and those last
 * seen with this key) and, where a render may follow, the question for the epoch are sent at
 * once.  The marks of tags that only the entry told of are read after it.
 *
 * Where marks cannot be read and `on-outage` is `serve`, what memory or the store has is judged by
 * what this process knows (outage.h).
 */
#include "buf.h"
#include "bytes.h"
#include "marks.h"
#include "request.h"
#include "verdict.h"

enum { MAX_GUESSED = 128, MAX_RAISES = 2 };

static void go_on(struct request *r);
static void go_past_memory(struct request *r);
static bool is_replaced(const struct request *r);

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
    return r->verdict == LARDER_GONE || r->kept == NULL;
}

/* When Next.js will refresh the entry; INT64_MAX: never. */
static int64_t due_at(const struct larder_entry *entry) {
    int64_t due_ms;
    if (entry->revalidate_ms == LARDER_UNSET || entry->revalidate_ms == LARDER_FOREVER ||
        __builtin_add_overflow(entry->modified_ms, entry->revalidate_ms, &due_ms))
        return INT64_MAX;
    return due_ms;
}

static uint64_t lesser(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* Until when a fresh answer could be given again without asking anybody; 0: not at all. */
static uint64_t trusted_until(const struct request *r) {
    struct reactor *reactor = r->store->reactor;
    uint64_t now_ns = reactor_now_ns(reactor);
    uint64_t until_ns = lesser(r->want.trusted_until_ns, r->entry.trusted_until_ns);
    int64_t left_ms = due_at(&r->kept->frame.entry) - reactor_now_ms(reactor);
    if (r->more.fn != NULL)
        until_ns = lesser(until_ns, r->more.trusted_until_ns);
    if (until_ns <= now_ns || left_ms <= 0)
        return 0;
    if ((uint64_t)left_ms < (until_ns - now_ns) / 1000000u)
        until_ns = now_ns + (uint64_t)left_ms * 1000000u;
    return until_ns;
}

/* The entry with its binary parts in memory of this answer's own, for a reader who may write into
 * them: what memory keeps, or another get shares, must not change.  NULL: no memory. */
static const struct larder_entry *with_own_binary(struct request *r) {
    const struct larder_entry *entry = &r->kept->frame.entry;
    const uint8_t *first = NULL, *last = NULL;
    for (size_t i = 0; i < entry->n_parts; i++) {
        const struct larder_part *part = &entry->parts[i];
        if (part->encoding != LARDER_BINARY || part->data.len == 0)
            continue;
        first = first == NULL || part->data.ptr < first ? part->data.ptr : first;
        last = part->data.ptr + part->data.len > last ? part->data.ptr + part->data.len : last;
    }
    if (first == NULL)
        return entry;
    /* All that lies between them, too: binary parts are neighbours in a frame. */
    uint8_t *copy = buf_new((size_t)(last - first), &r->own_binary);
    struct larder_part *parts = arena_alloc(&r->arena, entry->n_parts * sizeof(*parts));
    struct larder_entry *own = arena_alloc(&r->arena, sizeof(*own));
    if (copy == NULL || parts == NULL || own == NULL)
        return NULL;
    memcpy(copy, first, (size_t)(last - first));
    memcpy(parts, entry->parts, entry->n_parts * sizeof(*parts));
    for (size_t i = 0; i < entry->n_parts; i++)
        if (parts[i].encoding == LARDER_BINARY && parts[i].data.len > 0)
            parts[i].data.ptr = copy + (parts[i].data.ptr - first);
    *own = *entry;
    own->parts = parts;
    return own;
}

static void give_entry(struct request *r) {
    bool shared = kept_is_shared(r->kept) && (r->in.flags & LARDER_F_OWN_BINARY);
    r->answer.entry = shared ? with_own_binary(r) : &r->kept->frame.entry;
    if (r->answer.entry == NULL)
        r->read_status = LARDER_NOMEM;
    if (r->verdict == LARDER_FRESH && !r->in_outage && r->store->settings->mark_age_ms > 0)
        r->answer.trusted_until_ns = trusted_until(r);
    if (r->entry.from_memory)
        STAT(r->store, memory_hits);
}

static void finish(struct request *r) {
    if (r->trace != NULL && r->kept != NULL && r->verdict == LARDER_FRESH &&
        due_at(&r->kept->frame.entry) <= reactor_now_ms(r->store->reactor))
        trace_step(r->trace, "due: its time to be revalidated has come");
    bool give = r->kept != NULL && (r->verdict != LARDER_GONE || (r->in.flags & LARDER_F_ANY));
    r->answer.verdict = r->renewing ? LARDER_RENEWING : r->verdict;
    if (give)
        give_entry(r);
    if (r->read_status < 0 && r->read_status != LARDER_CORRUPT)
        request_answer(r, r->read_status, r->read_why);
    else
        request_answer(r, give ? LARDER_OK : LARDER_MISS, NULL);
    drop_wants(r);
}

/* ---- while marks cannot be read ------------------------------------------------------ */

/* The store cannot tell; not: it was asked wrongly, or this process has no memory. */
static bool is_outage(int32_t status) {
    return status != LARDER_NOMEM && journal_may_cure(status);
}

/* The store would not have it any more. */
static bool is_expired(const struct request *r) {
    const struct larder_entry *entry = &r->kept->frame.entry;
    int64_t end_ms;
    return entry->expire_ms != LARDER_UNSET && entry->expire_ms != LARDER_FOREVER &&
           !__builtin_add_overflow(entry->modified_ms, entry->expire_ms, &end_ms) &&
           end_ms <= reactor_now_ms(r->store->reactor);
}

/* What memory has, however old, where the store has not said that there is nothing. */
static bool recall(struct request *r) {
    struct read_at at;
    if (r->kept != NULL || (r->entry_here && r->read_status >= 0))
        return false;
    r->kept = entry_recall(&r->store->entries, &r->entry, &at);
    if (r->kept == NULL)
        return false;
    r->entry.from_memory = true;
    r->entry.known = at.known;
    return true;
}

/* As "renewing", however fresh it seems: nothing that is rendered meanwhile could be stored, and nobody
 * should keep it for long. */
static void finish_without_marks(struct request *r) {
    outage_served(&r->store->outage, epoch_known(&r->store->epoch));
    STAT(r->store, outage_served);
    r->verdict = LARDER_FRESH;
    r->renewing = true;
    r->read_status = LARDER_OK;
    finish(r);
}

/* True: answered, or asked of the store, where there is time for that. */
static bool serve_without_marks(struct request *r, bool in_time) {
    struct larder_store *store = r->store;
    if ((r->in.flags & LARDER_F_ANY) || !outage_may_serve(&store->outage, reactor_now_ns(store->reactor)))
        return false;
    r->in_outage = true;
    bool recalled = recall(r);
    if (r->kept == NULL)
        return false;
    if (verdict_over(r, r->kept->frame.entry.epoch) != LARDER_GONE && !is_expired(r) && !is_replaced(r)) {
        finish_without_marks(r);
        return true;
    }
    if (!in_time || recalled || !r->entry.from_memory)
        return false;
    go_past_memory(r);
    return true;
}

static void marks_failed(struct request *r, const struct mark_want *want) {
    if (is_outage(want->status)) {
        outage_begins(&r->store->outage, want->detail);
        if (serve_without_marks(r, true))
            return;
    }
    answer_marks_failed(r, want);
}

void get_overdue(struct request *r, const char *why) {
    bool read = r->marks_here && r->want.status == LARDER_OK && (r->more.fn == NULL || r->more_here);
    bool served = false;
    request_ref(r); /* it may be gone when it is answered */
    if (!read && r->physical != NULL) {
        outage_begins(&r->store->outage, why);
        served = serve_without_marks(r, false);
    }
    if (!served)
        request_answer(r, LARDER_DEADLINE, why);
    request_unref(r);
}

/* ---- the steps --------------------------------------------------------------------- */

static void tell_of_marks(const struct request *r, const struct mark_want *want) {
    size_t n = 0;
    for (size_t i = 0; i < want->n_tags && want->status == LARDER_OK; i++)
        n += mark_batch_find(want->batch, want->tags[i]) != NULL && want->tags[i].ptr != r->entry_tag.ptr;
    if (want->status == LARDER_OK)
        trace_step(r->trace, "marks: %s, %zu found besides the namespace's",
                   want->remembered ? "remembered" : "read", n);
    else
        trace_step(r->trace, "marks: %s, %s", larder_status_name(want->status), want->detail);
}

static void more_marks_here(void *arg, struct mark_want *want) {
    struct request *r = arg;
    if (r->trace != NULL)
        tell_of_marks(r, want);
    r->more_here = true;
    go_on(r);
    request_unref(r);
}

/* Asks for the marks of the entry's tags that the first read did not have.  True: none, or
 * answered. */
static bool ask_for_more(struct request *r) {
    size_t n = 0, n_tags = r->kept->frame.entry.n_tags;
    struct larder_bytes *missing = arena_alloc(&r->arena, n_tags * sizeof(*missing));
    if (missing == NULL) {
        request_answer(r, LARDER_NOMEM, "out of memory");
        drop_wants(r);
        return false;
    }
    for (size_t i = 0; i < n_tags; i++)
        if (!mark_batch_asked(r->want.batch, r->kept->tags[i]))
            missing[n++] = r->kept->tags[i];
    if (n == 0) {
        r->more_here = true;
        return true;
    }
    TRACE(r->trace, "marks: asked for (%zu that only the entry told of)", n);
    r->more = (struct mark_want){.tags = missing,
                                 .n_tags = n,
                                 .deadline_ns = r->deadline_ns,
                                 .fn = more_marks_here,
                                 .arg = request_ref(r),
                                 .trace = r->trace};
    marks_want(&r->store->marks, &r->more);
    return false;
}

/* NULL: there is none, or no memory for it. */
static const char *text_in(struct arena *arena, const char *text) {
    size_t size = text != NULL ? strlen(text) + 1 : 0;
    char *copy = size > 0 ? arena_alloc(arena, size) : NULL;
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

static void tell_of_entry(const struct request *r, const struct entry_want *want) {
    if (want->kept != NULL)
        trace_step(r->trace, "entry: its frame is good, epoch %lld, tags %zu, bytes %zu",
                   (long long)want->kept->frame.entry.epoch, want->kept->frame.entry.n_tags,
                   want->kept->frame.bytes.len);
    else
        trace_step(r->trace, "entry: %s%s%s",
                   want->status == LARDER_MISS ? "not there" : larder_status_name(want->status),
                   want->detail != NULL && want->detail[0] != '\0' ? ", " : "",
                   want->detail != NULL ? want->detail : "");
}

/* What was said of the entry is in r->entry. */
static void take_entry(struct request *r) {
    const struct entry_want *want = &r->entry;
    r->entry_here = true;
    if (r->answered) { /* with what is in r->kept, perhaps */
        kept_unref(want->kept);
        return;
    }
    r->kept = want->kept;
    r->read_status = want->status;
    if (r->trace != NULL)
        tell_of_entry(r, want);
    if (r->kept != NULL && !want->from_memory)
        guess_put(&r->store->guesses, request_key(r), r->kept->frame.entry.tags, r->kept->frame.entry.n_tags);
    if (want->status >= 0)
        return;
    r->answer.native_code = want->native_code;
    r->answer.retry_after_ms = want->retry_after_ms;
    r->read_why = text_in(&r->arena, want->detail);
}

static void entry_here(void *arg, struct entry_want *want) {
    struct request *r = arg;
    (void)want;
    take_entry(r);
    go_on(r);
    request_unref(r);
}

/* True: it is here already. */
static bool want_entry(struct request *r, bool past_memory) {
    r->entry = (struct entry_want){.key = request_key(r),
                                   .full_key = r->in.key,
                                   .any_key = (r->in.flags & LARDER_F_LISTED) != 0,
                                   .v8 = (r->in.flags & LARDER_F_V8) != 0,
                                   .past_memory = past_memory,
                                   .deadline_ns = r->deadline_ns,
                                   .fn = entry_here,
                                   .arg = r,
                                   .trace = r->trace};
    if (entry_wanted(&r->store->entries, &r->entry)) {
        take_entry(r);
        return true;
    }
    request_ref(r);
    return false;
}

/* The counter could not be read: what is known is smaller, which is safe. */
static void epoch_here(void *arg, int32_t status) {
    struct request *r = arg;
    TRACE(r->trace, "epoch: %s, %lld is known", larder_status_name(status),
          r->answered ? 0LL : (long long)epoch_known(&r->store->epoch));
    r->epoch_here = true;
    go_on(r);
    request_unref(r);
}

static void ask_epoch(struct request *r) {
    r->epoch_here = false;
    r->epoch_wait = (struct epoch_wait){.fn = epoch_here, .arg = request_ref(r), .trace = r->trace};
    store_ask_epoch(r->store, &r->epoch_wait, r->deadline_ns);
}

/* A process that has heard of the counter within `epoch-age` knows enough to render. */
static void ask_epoch_if_old(struct request *r) {
    struct larder_store *store = r->store;
    if (r->epoch_asked)
        return;
    r->epoch_asked = true;
    uint64_t age_ns = (uint64_t)store->settings->epoch_age_ms * 1000000u;
    uint64_t heard_ns = store->epoch.asked_ns;
    bool young = heard_ns != 0 && reactor_now_ns(store->reactor) - heard_ns <= age_ns;
    r->epoch_here = young || !(r->in.flags & LARDER_F_RENDER);
    if (r->epoch_here)
        return;
    TRACE(r->trace, "epoch: what is known is old, so the counter is asked");
    ask_epoch(r);
}

/* There is nothing, or what Next.js will render again; somebody else may have done that already. */
static bool is_old(const struct request *r) {
    return r->kept == NULL || r->verdict != LARDER_FRESH ||
           due_at(&r->kept->frame.entry) <= reactor_now_ms(r->store->reactor);
}

/* What is rendered next must be told from what was rendered in an outage, or it would not be stored.
 * True: not yet; a question that was under way already may not have raised the counter. */
static bool new_epoch_comes_first(struct request *r) {
    if (!(r->in.flags & LARDER_F_RENDER) || !is_old(r) || !store_needs_epoch(r->store) ||
        r->n_raises == MAX_RAISES)
        return false;
    if (!r->epoch_here)
        return true;
    r->n_raises++;
    ask_epoch(r);
    return true;
}

static bool marks_replaced(const struct request *r, const struct larder_mark *mark) {
    return mark != NULL && mark->expired_epoch > r->entry.known;
}

/* Another process put something else in its place, or removed it, since this one had it from the store. */
static bool is_replaced(const struct request *r) {
    if (!r->entry.from_memory || r->entry_tag.ptr == NULL)
        return false;
    return marks_replaced(r, mark_told(&r->want, r->entry_tag)) ||
           (r->in_outage && marks_replaced(r, outage_mark(&r->store->outage, r->entry_tag)));
}

/* What memory had is no good: the store is asked.  The marks that are here stay. */
static void go_past_memory(struct request *r) {
    kept_unref(r->kept);
    r->kept = NULL;
    r->verdict = 0;
    r->entry_here = r->more_here = false;
    mark_want_done(&r->more);
    r->more = (struct mark_want){0};
    ask_epoch_if_old(r);
    if (want_entry(r, true))
        go_on(r);
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
        marks_failed(r, &r->want);
        return;
    }
    if (r->kept != NULL && !r->more_here) {
        if (r->more.fn != NULL || !ask_for_more(r))
            return;
    }
    if (r->more.fn != NULL && r->more.status != LARDER_OK) {
        marks_failed(r, &r->more);
        return;
    }
    if (r->verdict == 0 && r->kept != NULL)
        r->verdict = verdict_over(r, r->kept->frame.entry.epoch);
    if (r->entry.from_memory && (r->entry.unsure || is_old(r) || is_replaced(r))) {
        TRACE(r->trace, "memory: %s, so the store is asked",
              r->entry.unsure              ? "it was good for an outage alone"
              : is_replaced(r)             ? "another process has replaced or removed it"
              : r->verdict != LARDER_FRESH ? "another process may have rendered it since"
                                           : "its time to be revalidated has come");
        go_past_memory(r);
        return;
    }
    if ((renders_next(r) || r->n_raises > 0) && !r->epoch_here)
        return;
    if (new_epoch_comes_first(r))
        return;
    if (is_old(r) && claim_comes_first(r, go_on, go_past_memory))
        return;
    finish(r);
}

static void marks_here(void *arg, struct mark_want *want) {
    struct request *r = arg;
    if (r->trace != NULL)
        tell_of_marks(r, want);
    r->marks_here = true;
    go_on(r);
    request_unref(r);
}

/* The tags last seen with the key, as the store takes them. */
static struct larder_bytes *guessed_tags(struct request *r, size_t *ret_n) {
    struct larder_bytes guessed[MAX_GUESSED];
    size_t n = 0;
    if (r->physical != NULL)
        n = guess_get(&r->store->guesses, request_key(r), guessed, MAX_GUESSED);
    for (size_t i = 0; i < n; i++) { /* the table may change */
        uint8_t *copy = arena_alloc(&r->arena, guessed[i].len);
        if (copy == NULL)
            return NULL;
        bytes_put(copy, guessed[i]);
        guessed[i].ptr = copy;
    }
    *ret_n = n;
    return request_map_tags(r, guessed, n);
}

static bool may_be_in_memory(const struct request *r) {
    return r->physical != NULL && r->store->settings->memory_bytes > 0 && !(r->in.flags & LARDER_F_ANY);
}

static bool add_entry_tag(struct request *r) {
    struct larder_bytes tag = request_entry_tag(r);
    const struct larder_bytes *mapped = tag.ptr != NULL ? request_map_tags(r, &tag, 1) : NULL;
    if (mapped == NULL)
        return false;
    r->entry_tag = r->tags[r->n_tags++] = *mapped;
    return true;
}

/* The request's tags, then the entry's where it is here, else those guessed. */
static bool gather_tags(struct request *r) {
    size_t n_own = r->in.n_tags, n_others = 0;
    const struct larder_bytes *others, *own = request_map_tags(r, r->in.tags, n_own);
    if (r->kept != NULL) {
        others = r->kept->tags;
        n_others = r->kept->frame.entry.n_tags;
    } else {
        others = guessed_tags(r, &n_others);
    }
    r->tags = arena_alloc(&r->arena, (n_own + n_others + 1) * sizeof(*r->tags));
    if (own == NULL || others == NULL || r->tags == NULL)
        return false;
    memcpy(r->tags, own, n_own * sizeof(*own));
    memcpy(r->tags + n_own, others, n_others * sizeof(*others));
    r->n_own_tags = n_own;
    r->n_tags = n_own + n_others;
    return !may_be_in_memory(r) || add_entry_tag(r);
}

static bool want_marks(struct request *r, void (*fn)(void *arg, struct mark_want *want)) {
    if (!gather_tags(r)) {
        request_answer(r, LARDER_NOMEM, "out of memory");
        return false;
    }
    TRACE(r->trace, "marks: asked for (the namespace, %zu of the request, %zu %s)", r->n_own_tags,
          r->n_tags - r->n_own_tags - (r->entry_tag.ptr != NULL),
          r->kept != NULL ? "of the entry" : "expected");
    r->want = (struct mark_want){.tags = r->tags,
                                 .n_tags = r->n_tags,
                                 .deadline_ns = r->deadline_ns,
                                 .fn = fn,
                                 .arg = request_ref(r),
                                 .trace = r->trace};
    marks_want(&r->store->marks, &r->want);
    return true;
}

void get_start(struct request *r) {
    if (!request_make_key(r))
        return;
    bool in_memory = want_entry(r, (r->in.flags & LARDER_F_ANY) != 0) && r->kept != NULL;
    if (want_marks(r, marks_here) && !in_memory)
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
        r->epoch_wait = (struct epoch_wait){.fn = epoch_told, .arg = request_ref(r), .trace = r->trace};
        store_ask_epoch(r->store, &r->epoch_wait, r->deadline_ns);
    }
    request_unref(r);
}

/* The namespace's mark first: where this makes it, the epoch that is told counts as fresh under
 * it.  A build that records its epoch depends on that. */
void epoch_start(struct request *r) {
    want_marks(r, namespace_is_marked);
}
