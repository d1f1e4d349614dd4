/* Writing: put, remove, and the index entry that goes with them where `index` is on. */
#include <stdio.h>

#include "buf.h"
#include "bytes.h"
#include "request.h"

enum { ENCODE_INLINE_BYTES = 64 * 1024 }; /* above: a pool thread; about 20 us of the reactor's */

/* ---- the last of one or two ops answers -------------------------------------------- */

/* The first one is what the request answers. */
static void note_failure(struct request *r, const struct op *op) {
    if (op->result.status >= 0 || r->failed != LARDER_OK)
        return;
    r->failed = op->result.status;
    if (!r->answered) {
        r->answer.native_code = op->result.native_code;
        r->answer.retry_after_ms = op->result.retry_after_ms;
    }
}

static void op_over(struct request *r, struct op *op, bool keep_answer) {
    note_failure(r, op);
    if (keep_answer)
        r->op = op;
    if (--r->n_pending == 0 && !r->answered) {
        const struct op *told = keep_answer ? op : r->op;
        request_answer(r, r->failed != LARDER_OK ? r->failed : told->result.status,
                       r->failed != LARDER_OK && op->result.status < 0 ? op->result.detail
                                                                       : told->result.detail);
    }
    if (!keep_answer)
        op_free(op);
    request_unref(r);
}

static void main_over(void *arg, struct op *op) {
    op_over(arg, op, true);
}

static void told(void *arg, const struct larder_answer *answer) {
    struct request *r = arg;
    (void)answer; /* the journal goes on with it; memory-age bounds what it costs meanwhile */
    op_over(r, r->told_op, true);
}

/* Other processes may have in memory what is replaced or removed: a mark on the entry's own tag tells
 * them, before this is answered.  True: told() ends it. */
static bool tell_others(struct request *r, struct op *op) {
    if (r->answered || !(r->in.flags & LARDER_F_TELL) || op->result.status != LARDER_OK)
        return false;
    struct larder_bytes tag = request_entry_tag(r);
    struct larder_request tell = {
        .code = LARDER_DO_REVALIDATE, .flags = LARDER_F_KEEP_TRYING, .tags = &tag, .n_tags = 1};
    TRACE(r->trace, "others are told: a mark on the entry's own tag");
    r->told_op = op;
    return tag.ptr != NULL && larder_submit(r->store, &tell, told, r) == LARDER_OK;
}

/* A read that was sent while this was under way may have found either. */
static void put_over(void *arg, struct op *op) {
    struct request *r = arg;
    if (!r->answered) { /* else the store may be gone */
        entry_outdate(&r->store->entries, request_key(r));
        claim_put_over(r->store, request_key(r));
    }
    if (!tell_others(r, op))
        op_over(r, op, true);
}

static void remove_over(void *arg, struct op *op) {
    struct request *r = arg;
    if (!r->answered)
        entry_forget(&r->store->entries, request_key(r));
    if (!tell_others(r, op))
        op_over(r, op, true);
}

static void index_over(void *arg, struct op *op) {
    op_over(arg, op, false);
}

static bool has_index(const struct larder_store *store) {
    return store->settings->index && backend_can(store->tags.top, LARDER_OP_LINK);
}

static struct op *link_op(struct request *r, const struct larder_bytes *tags, size_t n, op_done_fn *done) {
    struct larder_bytes *mapped = request_index_tags(r, tags, n);
    struct larder_mark *marks = arena_alloc(&r->arena, n * sizeof(*marks));
    if (mapped == NULL || marks == NULL) {
        request_answer(r, LARDER_NOMEM, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        marks[i] = (struct larder_mark){mapped[i], LARDER_UNSET, LARDER_UNSET, LARDER_UNSET};
    struct op_inputs in = {.key = request_key(r), .marks = marks, .n_marks = n};
    return request_op(r, LARDER_OP_LINK, &in, done);
}

/* ---- remove ------------------------------------------------------------------------------- */

static void send_remove(struct request *r) {
    struct larder_store *store = r->store;
    struct op_inputs in = {.key = request_key(r)};
    bool index = has_index(store);
    struct op *op = request_op(r, LARDER_OP_REMOVE, &in, remove_over);
    if (op == NULL)
        return;
    struct op *unlink = index ? request_op(r, LARDER_OP_LINK, &in, index_over) : NULL;
    if (index && unlink == NULL) {
        op_free(op);
        request_unref(r);
        return;
    }
    r->n_pending = index ? 2 : 1;
    backend_call(store->cache.top, op);
    if (index)
        backend_call(store->tags.top, unlink);
}

void remove_start(struct request *r) {
    if (!request_make_key(r))
        return;
    entry_forget(&r->store->entries, request_key(r));
    send_remove(r);
}

/* ---- put -------------------------------------------------------------------------------- */

/* How long the store must keep it: `expire` where one was given, never longer than the setting.
 * Never `revalidate`: a stale entry must still be there to be served. */
static int64_t ttl_of(const struct request *r) {
    int64_t most = r->store->settings->entry_max_age_ms, expire = r->in.entry->expire_ms;
    if (expire == LARDER_UNSET || expire == LARDER_FOREVER || expire <= 0 || expire > most)
        return most;
    return expire;
}

static uint64_t max_value(const struct larder_store *store) {
    uint64_t most = (uint64_t)store->settings->max_value_bytes, driver = store->cache.top->info.max_value;
    return driver > 0 && driver < most ? driver : most;
}

static void make_marks(struct request *r) {
    const struct larder_entry *entry = r->in.entry;
    const struct larder_bytes *tags = request_map_tags(r, entry->tags, entry->n_tags);
    if (tags != NULL)
        marks_make(&r->store->marks, tags, entry->n_tags, r->deadline_ns);
}

static void send_put(struct request *r) {
    const struct larder_entry *entry = r->in.entry;
    struct larder_store *store = r->store;
    struct op_inputs in = {
        .key = request_key(r),
        .value = r->encoded,
        .modified_ms = entry->modified_ms,
        .epoch = r->number > entry->epoch ? r->number : entry->epoch,
        .ttl_ms = ttl_of(r),
        .flags = r->in.flags & LARDER_F_IF_ABSENT ? LARDER_IF_ABSENT : 0,
    };
    bool index = has_index(store);
    struct op *put = request_op(r, LARDER_OP_PUT, &in, put_over);
    if (put == NULL)
        return;
    struct op *link = index ? link_op(r, entry->tags, entry->n_tags, index_over) : NULL;
    if (index && link == NULL) {
        op_free(put);
        request_unref(r);
        return;
    }
    TRACE(r->trace, "put: the store is given it, bytes %zu, epoch %lld", r->encoded.len,
          (long long)entry->epoch);
    STAT_ADD(store, bytes_written, r->encoded.len);
    r->n_pending = index ? 2 : 1;
    backend_call(store->cache.top, put);
    if (index)
        backend_call(store->tags.top, link);
    if (store->tags.top->info.traits & LARDER_LOSSY)
        make_marks(r);
}

static void numbered(void *arg, struct op *op) {
    struct request *r = arg;
    if (!r->answered) {
        note_failure(r, op);
        if (op->result.status == LARDER_OK)
            r->number = op->result.epoch;
        else
            snprintf(r->detail, sizeof(r->detail), "%s", op->result.detail);
        send_put(r);
    }
    op_free(op);
    request_unref(r);
}

/* To the store it is of an epoch that nobody has noted yet; what it is judged by stays the entry's own: between
 * the two a tag of it may have been revalidated. */
static void send_renewing(struct request *r) {
    struct op_inputs in = {.key = EPOCH_KEY, .add = 1};
    struct op *op = request_op(r, LARDER_OP_ADVANCE, &in, numbered);
    TRACE(r->trace, "put: a number of its own is asked for");
    if (op != NULL)
        backend_call(r->store->tags.top, op);
}

static void encode(void *arg) {
    struct request *r = arg;
    r->encode_status = frame_encode(r->in.entry, max_value(r->store), &r->encoded);
}

static bool is_unsure(const struct request *r) {
    return outage_is_unsure(&r->store->outage, r->in.entry->epoch);
}

/* Gets of this process see what is put from here on.  Not with IF_ABSENT: it may not be stored. */
static void show(struct request *r) {
    struct larder_slice frame = r->encode_status == LARDER_OK ? r->encoded : (struct larder_slice){0};
    if (r->in.flags & LARDER_F_IF_ABSENT)
        return;
    entry_put_over(&r->store->entries, r->put_flight, request_key(r), frame, r->in.entry->epoch,
                   is_unsure(r));
    r->put_flight = NULL;
}

/* It may be built from what was served while marks could not be read.  What was to be replaced without a
 * revalidation must go all the same. */
static void leave_unstored(struct request *r) {
    STAT(r->store, outage_unstored);
    if (r->in.flags & LARDER_F_RENEWS) { /* what arrives later is not kept off by that */
        r->failed = LARDER_RETRY;
        snprintf(r->detail, sizeof(r->detail), "marks cannot be read, so what was there is removed");
    }
    if (r->in.flags & LARDER_F_TELL) {
        send_remove(r);
        return;
    }
    r->in_outage = true;
    request_answer(r, LARDER_MISS, NULL);
}

static void encoded(void *arg) {
    struct request *r = arg;
    r->borrowing = false;
    show(r);
    if (r->overdue)
        request_answer(r, LARDER_DEADLINE, "its time was up before it was encoded");
    else if (r->encode_status == LARDER_TOO_BIG)
        request_answer(r, LARDER_TOO_BIG,
                       "the entry is over the limit of the store or of the setting max-value");
    else if (r->encode_status != LARDER_OK)
        request_answer(r, r->encode_status, "the entry could not be encoded");
    else if (is_unsure(r))
        leave_unstored(r);
    else if (r->in.flags & LARDER_F_RENEWS)
        send_renewing(r);
    else
        send_put(r);
    request_unref(r);
}

static size_t rough_size(const struct larder_entry *entry) {
    size_t size = entry->meta.len;
    for (size_t i = 0; i < entry->n_parts; i++)
        size += entry->parts[i].data.len;
    return size;
}

void put_start(struct request *r) {
    const struct larder_entry *entry = r->in.entry;
    r->in.kind = entry->kind;
    r->in.key = entry->key;
    if (!request_make_key(r))
        return;
    r->borrowing = true;
    if (!(r->in.flags & LARDER_F_IF_ABSENT))
        r->put_flight = entry_put_begins(&r->store->entries, request_key(r));
    r->job = (struct job){.work = encode, .done = encoded, .arg = request_ref(r)};
    if (rough_size(entry) > ENCODE_INLINE_BYTES) {
        reactor_offload(r->store->reactor, &r->job);
    } else {
        encode(r);
        encoded(r);
    }
}

/* ---- link ------------------------------------------------------------------------- */

void link_start(struct request *r) {
    if (!request_make_key(r))
        return;
    struct op *op = link_op(r, r->in.tags, r->in.n_tags, main_over);
    if (op == NULL)
        return;
    r->n_pending = 1;
    backend_call(r->store->tags.top, op);
}
