#include "entry_reader.h"

#include <stdlib.h>

#include "buf.h"
#include "bytes.h"
#include "hash.h"

#define COUNT(reader, member, n) __atomic_fetch_add((reader)->stats.member, (n), __ATOMIC_RELAXED)

enum flight_kind {
    FLIGHT_READ,   /* of the store */
    FLIGHT_MEMORY, /* of a frame in memory, which is being decoded */
    FLIGHT_PUT     /* nothing is read: a put will bring a frame */
};

struct entry_flight {
    struct entry_flight *next; /* in its bucket */
    struct entry_reader *reader;
    enum flight_kind kind;
    struct entry_want *first, **last;
    struct op *op;             /* READ: what the store answered; NULL: not yet */
    struct larder_slice frame; /* to be decoded */
    struct job job;
    struct kept *kept;
    const char *why; /* it could not be read, or not be decoded */
    int32_t status;
    struct read_at at;
    uint64_t deadline_ns;
    bool v8;
    bool outdated; /* nobody joins, and what it brings is not kept */
    uint64_t hash;
    size_t key_len;
    uint8_t key[];
};

/* ---- the table ------------------------------------------------------------------------- */

static struct larder_bytes flight_key(const struct entry_flight *f) {
    return (struct larder_bytes){f->key, f->key_len};
}

static struct read_at read_now(const struct entry_reader *reader) {
    return (struct read_at){reactor_now_ns(reader->below->reactor), epoch_known(reader->epoch), 0};
}

static struct entry_flight *flight_new(struct entry_reader *reader, enum flight_kind kind,
                                       struct larder_bytes key) {
    struct entry_flight *f = malloc(sizeof(*f) + key.len);
    if (f == NULL)
        return NULL;
    *f = (struct entry_flight){
        .reader = reader,
        .kind = kind,
        .deadline_ns = UINT64_MAX,
        .at = read_now(reader),
        .hash = hash_64(key.ptr, key.len),
        .key_len = key.len,
    };
    f->last = &f->first;
    bytes_put(f->key, key);
    struct entry_flight **bucket = &reader->flights[f->hash % ENTRY_FLIGHT_BUCKETS];
    f->next = *bucket;
    *bucket = f;
    reader->n_flights++;
    return f;
}

static void outdate(struct entry_reader *reader, struct larder_bytes key) {
    struct entry_flight *f = reader->flights[hash_64(key.ptr, key.len) % ENTRY_FLIGHT_BUCKETS];
    for (; f != NULL; f = f->next)
        if (f->kind != FLIGHT_PUT && bytes_equal(flight_key(f), key))
            f->outdated = true;
}

/* Nobody may wait for it any more. */
static void flight_free(struct entry_flight *f) {
    struct entry_flight **at = &f->reader->flights[f->hash % ENTRY_FLIGHT_BUCKETS];
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    f->reader->n_flights--;
    kept_unref(f->kept);
    slice_done(&f->frame);
    op_free(f->op);
    free(f);
}

static void join(struct entry_flight *f, struct entry_want *want) {
    want->next = NULL;
    *f->last = want;
    f->last = &want->next;
}

/* ---- decoding ---------------------------------------------------------------------------- */

/* Pure: on the reactor's thread or on a pool's. */
static void decode(void *arg) {
    struct entry_flight *f = arg;
    struct kept *kept = calloc(1, sizeof(*kept));
    f->why = "out of memory";
    f->status = LARDER_NOMEM;
    if (kept == NULL)
        return;
    kept->refs = 1;
    kept->v8 = f->v8;
    f->status = frame_decode(f->frame, (struct larder_bytes){0}, f->v8, &kept->frame, &f->why);
    if (f->status == LARDER_OK)
        f->kept = kept;
    else
        free(kept);
}

static bool map_tags(const struct entry_reader *reader, struct kept *kept) {
    const struct larder_entry *entry = &kept->frame.entry;
    const struct larder_info *info = &reader->tags->info;
    const struct key_rules rules = {
        .max_key = info->max_key, .key_bytes = info->key_bytes, .fold = (info->traits & LARDER_LOSSY) != 0};
    /* It lives as long as the entry does, and an arena's first chunk is made for requests. */
    if (!arena_reserve(&kept->arena, entry->n_tags * sizeof(*entry->tags)))
        return false;
    kept->tags = key_map_tags(&rules, entry->tags, entry->n_tags, &kept->arena);
    return kept->tags != NULL;
}

/* What a slow rendering brings may be of an earlier epoch than what is in memory: that stays. */
static bool is_later_in_memory(struct entry_reader *reader, struct larder_bytes key, int64_t epoch) {
    const struct cached *there = entry_cache_find(&reader->cache, key);
    return there != NULL && there->at.outage == 0 && there->epoch > epoch;
}

static void tell_size(struct entry_reader *reader) {
    __atomic_store_n(reader->stats.memory_entries, reader->cache.n, __ATOMIC_RELAXED);
    __atomic_store_n(reader->stats.memory_bytes, entry_cache_bytes(&reader->cache), __ATOMIC_RELAXED);
}

static void keep(struct entry_flight *f) {
    struct entry_reader *reader = f->reader;
    if (!is_later_in_memory(reader, flight_key(f), f->kept->frame.entry.epoch))
        entry_cache_put(&reader->cache, flight_key(f), f->kept, f->at);
    tell_size(reader);
}

static void lose(struct entry_reader *reader, struct larder_bytes key) {
    entry_cache_drop(&reader->cache, key);
    tell_size(reader);
}

/* What was decoded is looked at and, if it is what the store has now, kept. */
static void take_decoded(struct entry_flight *f) {
    struct entry_reader *reader = f->reader;
    if (f->status == LARDER_OK && !map_tags(reader, f->kept)) {
        kept_unref(f->kept);
        f->kept = NULL;
        f->status = LARDER_NOMEM;
        f->why = "out of memory";
    }
    if (f->status == LARDER_CORRUPT)
        COUNT(reader, corrupt, 1);
    if (f->outdated)
        return;
    if (f->status == LARDER_OK)
        keep(f);
    else
        lose(reader, flight_key(f));
}

/* ---- answering --------------------------------------------------------------------------- */

/* Two keys may have one place in the store, where it holds their hash: each has its own key in
 * the frame. */
static void give(const struct entry_reader *reader, struct entry_want *want, struct kept *kept,
                 struct read_at at) {
    want->known = at.known;
    want->unsure = at.outage != 0;
    want->trusted_until_ns = at.asked_ns + reader->memory_age_ns;
    bool same = want->any_key || bytes_equal(kept->frame.entry.key, want->full_key);
    want->status = same ? LARDER_OK : LARDER_MISS;
    want->kept = same ? kept_ref(kept) : NULL;
}

static void fill(const struct entry_flight *f, struct entry_want *want) {
    want->status = f->status;
    want->detail = f->why;
    want->from_memory = f->kind == FLIGHT_MEMORY;
    if (f->op != NULL) {
        want->native_code = f->op->result.native_code;
        want->retry_after_ms = f->op->result.retry_after_ms;
    }
    if (f->status == LARDER_OK)
        give(f->reader, want, f->kept, f->at);
}

/* Whoever has more time than the one who sent the read asks once more. */
static bool asks_again(const struct entry_flight *f, const struct entry_want *want) {
    return f->status == LARDER_DEADLINE && want->deadline_ns > f->deadline_ns &&
           want->deadline_ns > reactor_now_ns(f->reader->below->reactor);
}

static void ask_again(struct entry_reader *reader, struct entry_want *first) {
    struct entry_want *next;
    for (struct entry_want *want = first; want != NULL; want = next) {
        next = want->next;
        if (entry_wanted(reader, want))
            want->fn(want->arg, want);
    }
}

static void land(struct entry_flight *f) {
    struct entry_reader *reader = f->reader;
    struct entry_want *again = NULL, *next;
    f->outdated = true; /* fn may ask for the same key */
    for (struct entry_want *want = f->first; want != NULL; want = next) {
        next = want->next;
        if (asks_again(f, want)) {
            want->next = again;
            again = want;
            continue;
        }
        fill(f, want);
        want->fn(want->arg, want);
    }
    flight_free(f);
    ask_again(reader, again);
}

static void decoded(void *arg) {
    struct entry_flight *f = arg;
    take_decoded(f);
    land(f);
}

static void begin_decoding(struct entry_flight *f) {
    if (frame_is_slow(f->frame, f->v8)) {
        f->job = (struct job){.work = decode, .done = decoded, .arg = f};
        reactor_offload(f->reader->below->reactor, &f->job);
    } else {
        decode(f);
        decoded(f);
    }
}

static void read_over(void *arg, struct op *op) {
    struct entry_flight *f = arg;
    f->op = op;
    f->status = op->result.status;
    f->why = op->result.detail;
    if (f->status == LARDER_OK) {
        COUNT(f->reader, bytes_read, op->result.value.len);
        f->frame = slice_ref(op->result.value);
        begin_decoding(f);
        return;
    }
    if (f->status == LARDER_CORRUPT)
        COUNT(f->reader, corrupt, 1);
    if (f->status == LARDER_MISS && !f->outdated)
        lose(f->reader, flight_key(f));
    land(f);
}

/* ---- asking --------------------------------------------------------------------------------- */

static bool refuse(struct entry_want *want) {
    want->status = LARDER_NOMEM;
    want->detail = "out of memory";
    return true;
}

/* A read whose own deadline has come may be stuck: a later get does not wait for it. */
static bool may_join(const struct entry_flight *f, const struct entry_want *want, uint64_t now_ns) {
    if (f->outdated || (f->kind != FLIGHT_READ && want->past_memory))
        return false;
    return f->kind == FLIGHT_PUT || (f->v8 == want->v8 && f->deadline_ns > now_ns);
}

static struct entry_flight *flight_for(const struct entry_reader *reader, const struct entry_want *want,
                                       bool of_put) {
    uint64_t now_ns = reactor_now_ns(reader->below->reactor);
    struct entry_flight *f = reader->flights[hash_64(want->key.ptr, want->key.len) % ENTRY_FLIGHT_BUCKETS];
    while (f != NULL && !((f->kind == FLIGHT_PUT) == of_put && bytes_equal(flight_key(f), want->key) &&
                          may_join(f, want, now_ns)))
        f = f->next;
    return f;
}

static bool answer_decoded(struct entry_flight *f, struct entry_want *want) {
    take_decoded(f);
    fill(f, want); /* its detail is a constant: there was no op */
    flight_free(f);
    return true;
}

/* Of the frame in memory, which nobody has decoded in this form; NULL: no memory. */
static struct entry_flight *flight_of_cached(struct entry_reader *reader, const struct cached *cached,
                                             const struct entry_want *want) {
    struct entry_flight *f = flight_new(reader, FLIGHT_MEMORY, want->key);
    if (f == NULL)
        return NULL;
    f->v8 = want->v8;
    f->at = cached->at;
    f->frame = slice_ref(cached->kept != NULL ? cached->kept->frame.bytes : cached->frame);
    return f;
}

/* At once where that is quick. */
static bool decode_cached(struct entry_reader *reader, const struct cached *cached, struct entry_want *want) {
    struct entry_flight *f = flight_of_cached(reader, cached, want);
    if (f == NULL)
        return refuse(want);
    TRACE(want->trace, "entry: in memory as it was put");
    if (!frame_is_slow(f->frame, f->v8)) {
        decode(f);
        return answer_decoded(f, want);
    }
    join(f, want);
    begin_decoding(f);
    return false;
}

static bool ask_store(struct entry_reader *reader, struct entry_want *want) {
    struct op_inputs in = {.key = want->key};
    struct entry_flight *f = flight_new(reader, FLIGHT_READ, want->key);
    struct op *op = NULL;
    if (f != NULL)
        op = op_new(reader->below->reactor, LARDER_OP_GET, &in, want->deadline_ns, read_over, f);
    if (op == NULL) {
        if (f != NULL)
            flight_free(f);
        return refuse(want);
    }
    f->v8 = want->v8;
    f->deadline_ns = want->deadline_ns;
    TRACE(want->trace, "entry: the store is asked");
    op->trace = trace_ref(want->trace);
    join(f, want);
    backend_call(reader->below, op);
    return false;
}

/* Of another outage than the present one nothing is good any more. */
static const struct cached *good_in_memory(struct entry_reader *reader, const struct entry_want *want) {
    const struct cached *cached = entry_cache_find(&reader->cache, want->key);
    bool bound = cached != NULL && cached->at.outage != 0;
    return bound && cached->at.outage != reader->outage->number ? NULL : cached;
}

/* What is bound to an outage is nowhere else, so its age does not matter. */
static const struct cached *young_in_memory(struct entry_reader *reader, const struct entry_want *want) {
    if (want->past_memory)
        return NULL;
    const struct cached *cached = good_in_memory(reader, want);
    uint64_t now_ns = reactor_now_ns(reader->below->reactor);
    bool young = cached != NULL &&
                 (cached->at.outage != 0 || now_ns - cached->at.asked_ns <= reader->memory_age_ns);
    return young ? cached : NULL;
}

bool entry_wanted(struct entry_reader *reader, struct entry_want *want) {
    want->kept = NULL;
    want->from_memory = false;
    want->native_code = 0;
    want->retry_after_ms = 0;
    want->detail = NULL;

    struct entry_flight *f = flight_for(reader, want, true);
    const struct cached *cached = f == NULL ? young_in_memory(reader, want) : NULL;
    if (cached != NULL && cached->kept != NULL && cached->kept->v8 == want->v8) {
        want->from_memory = true;
        TRACE(
            want->trace, "entry: in memory for %llu ms",
            (unsigned long long)((reactor_now_ns(reader->below->reactor) - cached->at.asked_ns) / 1000000u));
        give(reader, want, cached->kept, cached->at);
        return true;
    }
    if (f == NULL)
        f = flight_for(reader, want, false);
    if (f != NULL) {
        COUNT(reader, joined, 1);
        TRACE(want->trace, "entry: %s",
              f->kind == FLIGHT_PUT      ? "a put of it is under way, which will bring it"
              : f->kind == FLIGHT_MEMORY ? "in memory, and being decoded"
                                         : "a read of it is under way, and is joined");
        join(f, want);
        return false;
    }
    return cached != NULL ? decode_cached(reader, cached, want) : ask_store(reader, want);
}

struct kept *entry_recall(struct entry_reader *reader, const struct entry_want *want,
                          struct read_at *ret_at) {
    const struct cached *cached = good_in_memory(reader, want);
    struct entry_want recalled = {.key = want->key, .full_key = want->full_key, .v8 = want->v8};
    if (cached == NULL)
        return NULL;
    *ret_at = cached->at;
    if (cached->kept != NULL && cached->kept->v8 == want->v8) {
        give(reader, &recalled, cached->kept, cached->at);
        return recalled.kept;
    }
    struct entry_flight *f = flight_of_cached(reader, cached, &recalled);
    if (f == NULL)
        return NULL;
    decode(f);
    answer_decoded(f, &recalled);
    return recalled.kept;
}

/* ---- puts ------------------------------------------------------------------------------------- */

struct entry_flight *entry_put_begins(struct entry_reader *reader, struct larder_bytes key) {
    outdate(reader, key);
    return flight_new(reader, FLIGHT_PUT, key);
}

void entry_put_over(struct entry_reader *reader, struct entry_flight *flight, struct larder_bytes key,
                    struct larder_slice frame, int64_t epoch, bool unsure) {
    struct read_at at = read_now(reader);
    outdate(reader, key);
    if (unsure)
        at.outage = reader->outage->number;
    if (frame.len > 0 && (!unsure || at.outage != 0) && !is_later_in_memory(reader, key, epoch))
        entry_cache_put_frame(&reader->cache, key, frame, epoch, at);
    tell_size(reader);
    if (flight != NULL) {
        struct entry_want *waiting = flight->first;
        flight_free(flight);
        ask_again(reader, waiting);
    }
}

void entry_outdate(struct entry_reader *reader, struct larder_bytes key) {
    outdate(reader, key);
}

void entry_forget(struct entry_reader *reader, struct larder_bytes key) {
    outdate(reader, key);
    lose(reader, key);
}

/* ---- beginning and end ----------------------------------------------------------------------------- */

void entry_reader_init(struct entry_reader *reader, struct backend *below, const struct backend *tags,
                       const struct epoch_book *epoch, const struct outage *outage, size_t memory_bytes,
                       uint64_t memory_age_ns, const struct entry_reader_stats *stats) {
    *reader = (struct entry_reader){.below = below,
                                    .tags = tags,
                                    .epoch = epoch,
                                    .outage = outage,
                                    .memory_age_ns = memory_age_ns,
                                    .stats = *stats};
    entry_cache_init(&reader->cache, memory_bytes);
}

void entry_reader_done(struct entry_reader *reader) {
    entry_cache_done(&reader->cache);
}
