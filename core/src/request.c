#include "request.h"

#include <stdio.h>
#include <stdlib.h>

#include "buf.h"
#include "builds.h"
#include "bytes.h"
#include "histogram.h"
#include "runtime.h"
#include "spares.h"

static const uint64_t MS = 1000000u;
static const uint32_t TOOL_DEADLINE_MS = 30000; /* list, provision ...: for people, not for requests */

/* ---- memory ------------------------------------------------------------------- */

static bool copies_size(const struct larder_request *in, size_t *ret_size) {
    size_t size = sizeof(struct request), tags;
    if (__builtin_mul_overflow(in->n_tags, sizeof(*in->tags), &tags))
        return false;
    bool fits = !__builtin_add_overflow(size, tags, &size) &&
                !__builtin_add_overflow(size, in->build.len, &size) &&
                !__builtin_add_overflow(size, in->key.len, &size) &&
                !__builtin_add_overflow(size, in->cursor.len, &size);
    for (size_t i = 0; fits && i < in->n_tags; i++)
        fits = !__builtin_add_overflow(size, in->tags[i].len, &size);
    *ret_size = size;
    return fits;
}

static struct request *request_new(struct larder_store *store, const struct larder_request *in,
                                   larder_answer_fn *done, void *arg) {
    size_t size;
    if (!copies_size(in, &size))
        return NULL;
    struct request *r = spare_take(size);
    if (r == NULL)
        return NULL;
    memset(r, 0, sizeof(*r));
    r->refs = 1;
    r->size = size;
    r->in = *in;
    r->store = store;
    r->done = done;
    r->arg = arg;
    r->answer.detail = "";
    r->submitted_ns = reactor_now_ns(store->reactor);

    struct larder_bytes *tags = (struct larder_bytes *)(void *)r->copies;
    uint8_t *at = r->copies + in->n_tags * sizeof(*tags);
    for (size_t i = 0; i < in->n_tags; i++)
        tags[i] = bytes_put_next(&at, in->tags[i]);
    r->in.tags = tags;
    r->in.build = bytes_put_next(&at, in->build);
    r->in.key = bytes_put_next(&at, in->key);
    r->in.cursor = bytes_put_next(&at, in->cursor);
    return r;
}

struct request *request_ref(struct request *r) {
    __atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);
    return r;
}

void request_unref(struct request *r) {
    if (__atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    kept_unref(r->kept);
    slice_done(&r->own_binary);
    op_free(r->op);
    slice_done(&r->encoded);
    arena_done(&r->arena);
    trace_unref(r->trace);
    free(r->physical);
    spare_give(r, r->size);
}

const struct larder_answer *larder_answer_ref(const struct larder_answer *answer) {
    request_ref((struct request *)(uintptr_t)answer);
    return answer;
}

const struct larder_answer *larder_answer_unref(const struct larder_answer *answer) {
    if (answer != NULL)
        request_unref((struct request *)(uintptr_t)answer);
    return NULL;
}

static bool is_within(struct larder_slice slice, const void *ptr) {
    return slice.len > 0 && (uintptr_t)ptr - (uintptr_t)slice.ptr < slice.len;
}

struct larder_buf *larder_answer_buf(const struct larder_answer *answer, const void *ptr, size_t *ret_len) {
    const struct request *r = (const struct request *)(const void *)answer;
    const struct larder_slice none = {0};
    const struct larder_slice slices[] = {r->own_binary, r->kept != NULL ? r->kept->frame.text : none,
                                          r->kept != NULL ? r->kept->frame.bytes : none};
    for (size_t i = 0; i < N_ELEMENTS(slices); i++) {
        if (is_within(slices[i], ptr)) {
            buf_ref(slices[i].owner);
            *ret_len = slices[i].len;
            return slices[i].owner;
        }
    }
    return NULL;
}

void larder_buf_unref(struct larder_buf *buf) {
    buf_unref(buf);
}

char *larder_trace_text(const struct larder_answer *answer) {
    const struct request *r = (const struct request *)(const void *)answer;
    return r->trace != NULL ? trace_text(r->trace) : NULL;
}

void larder_answer_delivered(const struct larder_answer *answer) {
    const struct request *r = (const struct request *)(const void *)answer;
    if (r->trace != NULL && !(r->in.flags & LARDER_F_TRACE))
        trace_delivered(r->trace);
}

/* ---- answering ------------------------------------------------------------------ */

static void count(const struct request *r, int32_t status) {
    struct larder_store *store = r->store;
    switch (r->in.code) {
    case LARDER_DO_GET:
        STAT(store, gets);
        if (status < 0)
            STAT(store, get_errors);
        else if (r->answer.verdict == LARDER_GONE)
            STAT(store, gone);
        else if (status == LARDER_MISS)
            STAT(store, misses);
        else if (r->answer.verdict != LARDER_FRESH)
            STAT(store, stale);
        else
            STAT(store, hits);
        break;
    case LARDER_DO_PUT:
        STAT(store, puts);
        if (status < 0)
            STAT(store, put_errors);
        break;
    case LARDER_DO_REMOVE: STAT(store, removes); break;
    case LARDER_DO_REVALIDATE:
        STAT(store, revalidations);
        if (status < 0)
            STAT(store, revalidation_errors);
        break;
    default: break;
    }
    if (status == LARDER_DEADLINE)
        STAT(store, deadlines);
}

/* Which histogram it belongs to; LARDER_N_TIMED: none. */
static uint32_t timed_as(const struct request *r) {
    switch (r->in.code) {
    case LARDER_DO_GET:
        if (r->answer.entry == NULL)
            return LARDER_TIMED_GET_NOTHING;
        return r->entry.from_memory ? LARDER_TIMED_GET_MEMORY : LARDER_TIMED_GET_STORE;
    case LARDER_DO_PUT: return LARDER_TIMED_PUT;
    case LARDER_DO_REVALIDATE: return LARDER_TIMED_REVALIDATE;
    default: return LARDER_N_TIMED;
    }
}

static void note_time(const struct request *r, uint64_t now_ns) {
    uint32_t timed = timed_as(r);
    if (timed < LARDER_N_TIMED)
        histogram_note(&r->store->requests[timed], now_ns > r->submitted_ns ? now_ns - r->submitted_ns : 0);
}

/* A revalidation that must not be lost has failed: the journal goes on with it. */
static void keep_trying(const struct request *r, int32_t status) {
    int64_t expire_at_ms = LARDER_UNSET;
    if (r->in.code != LARDER_DO_REVALIDATE || !(r->in.flags & LARDER_F_KEEP_TRYING) ||
        !journal_may_cure(status))
        return;
    if (r->in.mode == LARDER_MAKE_STALE && r->in.expire_in_ms != LARDER_UNSET &&
        __builtin_add_overflow(r->now_ms, r->in.expire_in_ms, &expire_at_ms))
        expire_at_ms = LARDER_UNSET;
    TRACE(r->trace, "journal: kept, and tried again until it succeeds");
    journal_add(&r->store->journal, r->in.mode, expire_at_ms, r->in.tags, r->in.n_tags);
}

/* The store may be closed and freed as soon as the count is 0, so nothing of it is touched
 * after that. */
static void leave_store(struct larder_store *store) {
    pthread_mutex_lock(&store->lock);
    if (--store->inflight == 0)
        pthread_cond_broadcast(&store->idle);
    pthread_mutex_unlock(&store->lock);
}

static void end_trace(struct request *r, int32_t status) {
    static const char *const verdicts[] = {"", ", fresh", ", stale", ", gone", ", renewing"};
    bool judged = r->in.code == LARDER_DO_GET || r->in.code == LARDER_DO_CHECK;
    trace_step(r->trace, "answered: %s%s%s%s", larder_status_name(status),
               judged && status >= 0 ? verdicts[r->answer.verdict] : "", r->detail[0] != '\0' ? ", " : "",
               r->detail);
    trace_close(r->trace);
    if (r->in.flags & LARDER_F_TRACE)
        r->answer.steps = trace_steps(r->trace, &r->answer.n_steps);
}

void request_answer(struct request *r, int32_t status, const char *detail) {
    struct larder_store *store = r->store;
    if (r->answered || r->borrowing) {
        r->overdue = r->overdue || r->borrowing;
        return;
    }
    r->answered = true;
    timer_done(&r->timer);
    claim_give_up(r);
    if (detail != NULL && detail[0] != 0) /* of most answers nothing is told */
        snprintf(r->detail, sizeof(r->detail), "%s", detail);
    r->answer.detail = r->detail;
    r->answer.status = status;
    uint64_t now_ns = reactor_now_ns(store->reactor);
    r->answer.epoch = r->in.code == LARDER_DO_GET ? epoch_to_note(&store->epoch, now_ns)
                                                  : epoch_known(&store->epoch);
    count(r, status);
    note_time(r, now_ns);
    failing_note(r, status);
    keep_trying(r, status);
    if (r->trace != NULL)
        end_trace(r, status);
    r->done(r->arg, &r->answer);
    if (r->trace != NULL && !(r->in.flags & LARDER_F_DELIVERS))
        larder_answer_delivered(&r->answer);
    request_unref(r);
    leave_store(store);
}

void request_answer_op(struct request *r, const struct op *op) {
    r->answer.native_code = op->result.native_code;
    r->answer.retry_after_ms = op->result.retry_after_ms;
    request_answer(r, op->result.status, op->result.detail);
}

static void time_is_up(void *arg) {
    struct request *r = arg;
    static const char why[] = "the store gave no answer in time";
    r->overdue = true;
    if (r->in.code == LARDER_DO_GET)
        get_overdue(r, why);
    else
        request_answer(r, LARDER_DEADLINE, why);
}

/* ---- helpers of the codes ----------------------------------------------------------- */

bool request_make_key(struct request *r) {
    struct key_rules rules = store_rules(r->store, r->store->cache.top);
    rules.listed = (r->in.flags & LARDER_F_LISTED) != 0;
    struct larder_bytes build = r->in.build.len > 0 ? r->in.build : bytes_of(r->store->settings->build);
    struct larder_bytes physical;
    if (key_make(&rules, r->in.kind, build, r->in.key, &physical) != LARDER_OK) {
        request_answer(r, LARDER_NOMEM, "out of memory");
        return false;
    }
    r->physical = (uint8_t *)(uintptr_t)physical.ptr;
    r->physical_len = physical.len;
    return true;
}

struct larder_bytes *request_map_tags(struct request *r, const struct larder_bytes *tags, size_t n) {
    struct key_rules rules = store_rules(r->store, r->store->tags.top);
    return key_map_tags(&rules, tags, n, &r->arena);
}

struct larder_bytes *request_index_tags(struct request *r, const struct larder_bytes *tags, size_t n) {
    struct key_rules rules = store_rules(r->store, r->store->tags.top);
    rules.fold = 0;
    return key_map_tags(&rules, tags, n, &r->arena);
}

struct larder_bytes request_entry_tag(struct request *r) {
    static const char prefix[] = KEY_ENTRY_TAG;
    size_t len = sizeof(prefix) - 1;
    uint8_t *tag = arena_alloc(&r->arena, len + r->physical_len);
    if (tag == NULL)
        return (struct larder_bytes){0};
    memcpy(tag, prefix, len);
    bytes_put(tag + len, request_key(r));
    return (struct larder_bytes){tag, len + r->physical_len};
}

struct op *request_op(struct request *r, uint32_t code, const struct op_inputs *in, op_done_fn *done) {
    struct op *op = op_new(r->store->reactor, code, in, r->deadline_ns, done, r);
    if (op == NULL)
        request_answer(r, LARDER_NOMEM, "out of memory");
    else
        op->trace = trace_ref(request_ref(r)->trace);
    return op;
}

/* ---- coming in ------------------------------------------------------------------------ */

static uint32_t deadline_ms(const struct request *r) {
    const struct store_settings *settings = r->store->settings;
    if (r->in.deadline_ms > 0)
        return r->in.deadline_ms;
    switch (r->in.code) {
    case LARDER_DO_GET:
    case LARDER_DO_CHECK:
    case LARDER_DO_READ_TAGS:
    case LARDER_DO_EPOCH:
    case LARDER_DO_PING: return (uint32_t)settings->get_deadline_ms;
    case LARDER_DO_PUT:
    case LARDER_DO_REMOVE:
    case LARDER_DO_LINK:
    case LARDER_DO_REVALIDATE: return (uint32_t)settings->write_deadline_ms;
    default: return TOOL_DEADLINE_MS;
    }
}

static const struct {
    void (*start)(struct request *r);
    uint32_t needs; /* bits: 1 a key and a kind, 2 an entry, 4 at least one tag */
} codes[] = {
    [LARDER_DO_GET] = {get_start, 1},
    [LARDER_DO_PUT] = {put_start, 2},
    [LARDER_DO_REMOVE] = {remove_start, 1},
    [LARDER_DO_LIST] = {list_start, 0},
    [LARDER_DO_READ_TAGS] = {read_tags_start, 0},
    [LARDER_DO_REVALIDATE] = {revalidate_start, 0},
    [LARDER_DO_CHECK] = {check_start, 0},
    [LARDER_DO_EPOCH] = {epoch_start, 0},
    [LARDER_DO_LINK] = {link_start, 1},
    [LARDER_DO_KEYS_OF] = {keys_of_start, 4},
    [LARDER_DO_TAGS_OF] = {tags_of_start, 1},
    [LARDER_DO_LIST_TAGS] = {list_tags_start, 0},
    [LARDER_DO_PING] = {ping_start, 0},
    [LARDER_DO_PROVISION] = {provision_start, 0},
    [LARDER_DO_EXPLAIN] = {explain_start, 0},
    [LARDER_DO_BUILDS] = {builds_start, 0},
    [LARDER_DO_NOTE_BUILD] = {note_build_start, 0},
};

static bool kind_is_known(uint32_t kind) {
    return kind > 0 && kind < LARDER_N_KINDS;
}

static bool is_valid(const struct larder_request *in) {
    if (in->code >= N_ELEMENTS(codes) || codes[in->code].start == NULL)
        return false;
    uint32_t needs = codes[in->code].needs;
    if ((needs & 1) && !kind_is_known(in->kind))
        return false;
    if ((needs & 2) && (in->entry == NULL || !kind_is_known(in->entry->kind)))
        return false;
    return !(needs & 4) || in->n_tags > 0;
}

static void start(void *arg) {
    struct request *r = arg;
    struct larder_store *store = r->store;
    const char *why;

    TRACE(r->trace, "begun");
    r->now_ms = reactor_now_ms(store->reactor);
    r->deadline_ns = reactor_now_ns(store->reactor) + deadline_ms(r) * MS;
    timer_init(&r->timer, store->reactor, time_is_up, r);
    int32_t status = store_ready(store, &why);
    if (status != LARDER_OK) {
        request_answer(r, status, why);
    } else if (timer_set(&r->timer, r->deadline_ns) != LARDER_OK) {
        request_answer(r, LARDER_NOMEM, "out of memory");
    } else {
        request_ref(r); /* the request may be answered, and gone, inside */
        codes[r->in.code].start(r);
        request_unref(r);
    }
}

static void refuse_busy(void *arg) {
    struct request *r = arg;
    r->now_ms = reactor_now_ms(r->store->reactor);
    timer_init(&r->timer, r->store->reactor, time_is_up, r);
    request_answer(r, LARDER_THROTTLED, "too many requests are waiting (setting max-inflight)");
}

int32_t larder_submit(struct larder_store *store, const struct larder_request *request,
                      larder_answer_fn *done, void *arg) {
    if (!is_valid(request) || done == NULL)
        return LARDER_INVALID;
    struct request *r = request_new(store, request, done, arg);
    if (r == NULL)
        return LARDER_NOMEM;
    if (store->settings->trace[0] != '\0' || (request->flags & LARDER_F_TRACE))
        r->trace = trace_of(store->reactor, &store->trace_gate, store->settings->trace, request);

    pthread_mutex_lock(&store->lock);
    bool closing = store->closing;
    bool busy = store->inflight >= (uint64_t)store->settings->max_inflight;
    if (!closing)
        store->inflight++;
    pthread_mutex_unlock(&store->lock);
    if (closing) {
        request_unref(r);
        return LARDER_INVALID;
    }
    r->task = (struct task){.fn = busy ? refuse_busy : start, .arg = r};
    reactor_post(store->reactor, &r->task);
    return LARDER_OK;
}

/* ---- waiting ---------------------------------------------------------------------------- */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    const struct larder_answer *answer;
};

static void wake_waiter(void *arg, const struct larder_answer *answer) {
    struct waiter *w = arg;
    pthread_mutex_lock(&w->lock);
    w->answer = larder_answer_ref(answer);
    pthread_cond_signal(&w->answered);
    pthread_mutex_unlock(&w->lock);
}

int32_t larder_call(struct larder_store *store, const struct larder_request *request,
                    const struct larder_answer **ret_answer) {
    struct waiter w = {.lock = PTHREAD_MUTEX_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER};
    if (store->on_runtime && runtime_is_here())
        return LARDER_INVALID; /* it would wait for itself */
    int32_t status = larder_submit(store, request, wake_waiter, &w);
    if (status != LARDER_OK)
        return status;
    pthread_mutex_lock(&w.lock);
    while (w.answer == NULL)
        pthread_cond_wait(&w.answered, &w.lock);
    pthread_mutex_unlock(&w.lock);
    status = w.answer->status;
    if (ret_answer != NULL)
        *ret_answer = w.answer;
    else
        larder_answer_unref(w.answer);
    return status;
}
