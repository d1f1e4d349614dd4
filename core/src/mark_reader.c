#include "mark_reader.h"

#include <stdlib.h>

#include "bytes.h"
#include "hash.h"
#include "marks.h"

enum { MAX_ROUNDS = 4 }; /* read, make what is missing, read again ...; then something is wrong */

const struct larder_bytes EPOCH_KEY = {(const uint8_t *)"epoch", 5};
static const struct larder_bytes NAMESPACE_TAG = {(const uint8_t *)"", 0};

struct slot {
    struct larder_bytes tag;
    const struct larder_mark *mark;
    bool used;
};

struct mark_batch {
    struct mark_reader *reader;
    struct mark_want *wants;
    uint32_t refs;      /* the read itself, and each want */
    uint32_t n_pending; /* ops of this round */
    uint32_t rounds;
    uint64_t deadline_ns;
    struct trace *trace; /* of the first want that has one; NULL: none has */
    uint64_t asked_ns;   /* when the last round was sent; of memory: when the oldest of them was */
    uint64_t generation; /* of the memory, then */
    int32_t status;
    int32_t native_code;
    uint32_t retry_after_ms;
    char detail[256];
    struct op **ops; /* kept: the marks point into them */
    size_t n_ops;
    struct slot *slots; /* open addressing; a power of two, at most half full */
    size_t n_slots;
    size_t n_tags;
    struct arena arena; /* the tags' bytes */
};

static void send_reads(struct mark_batch *batch);
static void create_namespace_mark(struct mark_batch *batch);
static bool is_complete(struct mark_batch *batch);

/* ---- the table of tags --------------------------------------------------------- */

static struct slot *slot_of(const struct mark_batch *batch, struct larder_bytes tag) {
    size_t at = (size_t)hash_64(tag.ptr, tag.len) & (batch->n_slots - 1);
    while (batch->slots[at].used && !bytes_equal(batch->slots[at].tag, tag))
        at = (at + 1) & (batch->n_slots - 1);
    return &batch->slots[at];
}

/* Copies the tag: the batch may outlive the want that brought it.  false: no memory. */
static bool add_tag(struct mark_batch *batch, struct larder_bytes tag) {
    struct slot *s = slot_of(batch, tag);
    if (s->used)
        return true;
    uint8_t *copy = arena_alloc(&batch->arena, tag.len);
    if (copy == NULL)
        return false;
    bytes_put(copy, tag);
    *s = (struct slot){.tag = {copy, tag.len}, .used = true};
    batch->n_tags++;
    return true;
}

const struct larder_mark *mark_batch_find(const struct mark_batch *batch, struct larder_bytes tag) {
    return slot_of(batch, tag)->mark;
}

bool mark_batch_asked(const struct mark_batch *batch, struct larder_bytes tag) {
    return slot_of(batch, tag)->used;
}

/* ---- life of a batch -------------------------------------------------------------- */

static void free_ops(struct mark_batch *batch) {
    for (size_t i = 0; i < batch->n_ops; i++)
        op_free(batch->ops[i]);
    free(batch->ops);
    batch->ops = NULL;
    batch->n_ops = 0;
    for (size_t i = 0; batch->slots != NULL && i < batch->n_slots; i++)
        batch->slots[i].mark = NULL;
}

static void batch_unref(struct mark_batch *batch) {
    if (--batch->refs > 0)
        return;
    free_ops(batch);
    arena_done(&batch->arena);
    free(batch->slots);
    free(batch);
}

/* Takes over the gathered wants; NULL: no memory, and they are still the caller's. */
static struct mark_batch *batch_new(struct mark_reader *reader, struct mark_want *wants) {
    struct mark_batch *batch = calloc(1, sizeof(*batch));
    size_t most = 1;
    if (batch == NULL)
        return NULL;
    for (struct mark_want *w = wants; w != NULL; w = w->next)
        most += w->n_tags;
    batch->reader = reader;
    batch->wants = wants;
    batch->refs = 1;
    batch->n_slots = 8;
    while (batch->n_slots < most * 2)
        batch->n_slots *= 2;
    batch->slots = calloc(batch->n_slots, sizeof(*batch->slots));
    bool fits = batch->slots != NULL && add_tag(batch, NAMESPACE_TAG);
    for (struct mark_want *w = wants; w != NULL && fits; w = w->next) {
        for (size_t i = 0; i < w->n_tags && fits; i++)
            fits = add_tag(batch, w->tags[i]);
        if (batch->trace == NULL)
            batch->trace = w->trace;
        if (w->deadline_ns > batch->deadline_ns)
            batch->deadline_ns = w->deadline_ns;
    }
    if (!fits) {
        batch_unref(batch);
        return NULL;
    }
    for (struct mark_want *w = wants; w != NULL; w = w->next)
        batch->refs++;
    return batch;
}

static void answer_want(struct mark_want *want, struct mark_batch *batch, int32_t status) {
    want->status = status;
    want->batch = batch;
    want->native_code = batch != NULL ? batch->native_code : 0;
    want->retry_after_ms = batch != NULL ? batch->retry_after_ms : 0;
    want->detail = batch != NULL ? batch->detail : "out of memory";
    want->remembered = batch != NULL && batch->rounds == 0;
    want->trusted_until_ns = batch != NULL ? batch->asked_ns + batch->reader->memory.age_ns : 0;
    want->fn(want->arg, want);
}

static void answer_wants(struct mark_batch *batch) {
    struct mark_want *w = batch->wants;
    while (w != NULL) {
        struct mark_want *next = w->next;
        answer_want(w, batch, batch->status);
        w = next;
    }
    batch_unref(batch);
}

static void answer_batch(struct mark_batch *batch) {
    struct mark_reader *reader = batch->reader;
    for (size_t i = 0; i < MARK_READS; i++)
        if (reader->reads[i] == batch)
            reader->reads[i] = NULL;
    reader->n_reads--;
    answer_wants(batch);
}

void mark_want_done(struct mark_want *want) {
    if (want->batch != NULL)
        batch_unref(want->batch);
    want->batch = NULL;
}

static void note_failure(struct mark_batch *batch, int32_t status, const struct larder_result *res) {
    if (batch->status != LARDER_OK)
        return;
    batch->status = status;
    batch->native_code = res != NULL ? res->native_code : 0;
    batch->retry_after_ms = res != NULL ? res->retry_after_ms : 0;
    const char *detail = res != NULL ? res->detail : "out of memory";
    size_t n = strnlen(detail, sizeof(batch->detail) - 1);
    memcpy(batch->detail, detail, n);
    batch->detail[n] = 0;
}

/* ---- marks that were read lately ------------------------------------------------------ */

/* Not where a revalidation of this process may have come between: they may be from before it. */
static void remember_marks(const struct mark_batch *batch) {
    struct mark_memory *memory = &batch->reader->memory;
    if (memory->age_ns == 0 || memory->generation != batch->generation)
        return;
    for (size_t i = 0; i < batch->n_slots; i++)
        if (batch->slots[i].used)
            mark_memory_put(memory, batch->slots[i].tag, batch->slots[i].mark, batch->asked_ns);
}

static bool remembers_all(const struct mark_memory *memory, const struct mark_want *want, uint64_t now_ns) {
    bool all = mark_memory_find(memory, NAMESPACE_TAG, now_ns) != NULL;
    for (size_t i = 0; i < want->n_tags && all; i++)
        all = mark_memory_find(memory, want->tags[i], now_ns) != NULL;
    return all;
}

/* A batch of its own for one want, all of whose marks are remembered; NULL: no memory. */
static struct mark_batch *remembered_batch(struct mark_reader *reader, struct mark_want *want,
                                           uint64_t now_ns) {
    want->next = NULL;
    struct mark_batch *batch = batch_new(reader, want);
    if (batch == NULL)
        return NULL;
    batch->asked_ns = now_ns;
    for (size_t i = 0; i < batch->n_slots; i++) {
        struct slot *s = &batch->slots[i];
        const struct marked *marked = s->used ? mark_memory_find(&reader->memory, s->tag, now_ns) : NULL;
        struct larder_mark *mark = marked != NULL ? arena_alloc(&batch->arena, sizeof(*mark)) : NULL;
        if (s->used && mark == NULL) {
            batch->refs = 1;
            batch_unref(batch);
            return NULL;
        }
        if (mark == NULL)
            continue;
        *mark = marked->mark;
        mark->tag = s->tag;
        s->mark = mark;
        if (marked->asked_ns < batch->asked_ns)
            batch->asked_ns = marked->asked_ns;
    }
    return batch;
}

/* Answers those of *first whose marks are all remembered, and leaves the others. */
static void answer_remembered(struct mark_reader *reader, struct mark_want **first) {
    uint64_t now_ns = reactor_now_ns(reader->tags->reactor);
    struct mark_want **at = first, *found = NULL;
    while (*at != NULL) {
        struct mark_want *want = *at;
        if (!remembers_all(&reader->memory, want, now_ns)) {
            at = &want->next;
            continue;
        }
        *at = want->next;
        want->next = found;
        found = want;
    }
    reader->last = at;
    while (found != NULL) {
        struct mark_want *next = found->next;
        struct mark_batch *batch = remembered_batch(reader, found, now_ns);
        if (batch != NULL)
            answer_wants(batch);
        else
            answer_want(found, NULL, LARDER_NOMEM);
        found = next;
    }
}

/* ---- a round of reads --------------------------------------------------------------- */

static void round_over(struct mark_batch *batch) {
    int64_t learned = 0;
    if (batch->status != LARDER_OK) {
        answer_batch(batch);
        return;
    }
    for (size_t i = 0; i < batch->n_ops; i++) {
        for (size_t k = 0; k < batch->ops[i]->n_marks; k++) {
            const struct larder_mark *mark = &batch->ops[i]->marks[k];
            struct slot *s = slot_of(batch, mark->tag);
            if (!s->used)
                continue;
            s->mark = mark;
            if (mark_epoch(mark) > learned)
                learned = mark_epoch(mark);
        }
    }
    if (!is_complete(batch))
        return;
    epoch_learn(batch->reader->epoch, learned, reactor_now_ns(batch->reader->tags->reactor));
    remember_marks(batch);
    for (size_t i = 0; i < batch->n_ops; i++)
        outage_learn(batch->reader->outage, batch->ops[i]->marks, batch->ops[i]->n_marks,
                     reactor_now_ms(batch->reader->tags->reactor));
    outage_over(batch->reader->outage, batch->asked_ns);
    answer_batch(batch);
}

static void read_done(void *arg, struct op *op) {
    struct mark_batch *batch = arg;
    if (op->result.status != LARDER_OK)
        note_failure(batch, op->result.status, &op->result);
    if (--batch->n_pending == 0)
        round_over(batch);
}

/* Calls for all of these marks, as many as the store's limit makes it, besides those whose answers are kept.
 * `done` is called for each, unless there is no memory: then the batch is answered. */
static void send_chunks(struct mark_batch *batch, uint32_t code, const struct op_inputs *of,
                        op_done_fn *done) {
    struct backend *tags = batch->reader->tags;
    size_t max = tags->info.max_marks > 0 ? tags->info.max_marks : of->n_marks;
    /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): there is a mark to be read, or made */
    size_t before = batch->n_ops, n = (of->n_marks + max - 1) / max;

    struct op **ops = realloc(batch->ops, (before + n) * sizeof(struct op *));
    batch->ops = ops != NULL ? ops : batch->ops;
    for (size_t from = 0; ops != NULL && from < of->n_marks; from += max) {
        struct op_inputs in = *of;
        in.marks = of->marks + from;
        in.n_marks = of->n_marks - from < max ? of->n_marks - from : max;
        struct op *op = op_new(tags->reactor, code, &in, batch->deadline_ns, done, batch);
        if (op == NULL)
            break;
        op->trace = trace_ref(batch->trace);
        ops[batch->n_ops++] = op;
    }
    if (batch->n_ops < before + n) {
        note_failure(batch, LARDER_NOMEM, NULL);
        answer_batch(batch);
        return;
    }
    if (code == LARDER_OP_TAGS_READ)
        __atomic_fetch_add(batch->reader->stat_reads, n, __ATOMIC_RELAXED);
    batch->n_pending = (uint32_t)n;
    for (size_t i = before; i < before + n; i++)
        backend_call(tags, ops[i]);
}

/* Of this epoch, for each tag of the batch whose mark is not here.  NULL: no memory; free() it. */
static struct larder_mark *missing_marks(const struct mark_batch *batch, int64_t epoch, size_t *ret_n) {
    struct larder_mark *marks = calloc(batch->n_tags, sizeof(*marks));
    size_t n = 0;
    for (size_t i = 0; marks != NULL && i < batch->n_slots; i++)
        if (batch->slots[i].used && batch->slots[i].mark == NULL)
            marks[n++] = (struct larder_mark){batch->slots[i].tag, epoch, LARDER_UNSET, LARDER_UNSET};
    *ret_n = n;
    return marks;
}

static void send_missing(struct mark_batch *batch, uint32_t code, struct op_inputs in, int64_t epoch,
                         op_done_fn *done) {
    struct larder_mark *marks = missing_marks(batch, epoch, &in.n_marks);
    if (marks == NULL) {
        note_failure(batch, LARDER_NOMEM, NULL);
        answer_batch(batch);
        return;
    }
    uint64_t *stat = code == LARDER_OP_TAGS_READ ? batch->reader->stat_marks : batch->reader->stat_made;
    __atomic_fetch_add(stat, in.n_marks, __ATOMIC_RELAXED);
    in.marks = marks;
    send_chunks(batch, code, &in, done);
    free(marks);
}

/* All that is not here: what an earlier round has read, it has read since the gets began. */
static void read_missing(struct mark_batch *batch) {
    batch->rounds++;
    send_missing(batch, LARDER_OP_TAGS_READ, (struct op_inputs){0}, LARDER_UNSET, read_done);
}

static void send_reads(struct mark_batch *batch) {
    free_ops(batch);
    batch->asked_ns = reactor_now_ns(batch->reader->tags->reactor);
    batch->generation = batch->reader->memory.generation;
    read_missing(batch);
}

/* ---- marks that are not there -------------------------------------------------------------- */

/* Of a lossy store: a mark that is not there may have been lost, so the tag is not fresh but unknown.  The
 * driver makes it with what the counter says, which is no less than what was lost (driver.h, write). */
static struct op_inputs making(void) {
    return (struct op_inputs){.key = EPOCH_KEY, .flags = LARDER_IF_ABSENT};
}

static void missing_made(void *arg, struct op *op) {
    struct mark_batch *batch = arg;
    if (op->result.status < 0)
        note_failure(batch, op->result.status, &op->result);
    if (--batch->n_pending > 0)
        return;
    if (batch->status == LARDER_OK)
        read_missing(batch);
    else
        answer_batch(batch);
}

static bool misses_any(const struct mark_batch *batch) {
    for (size_t i = 0; i < batch->n_slots; i++)
        if (batch->slots[i].used && batch->slots[i].mark == NULL)
            return true;
    return false;
}

/* False: what is missing is made, and then all is read again; or the batch is answered. */
static bool is_complete(struct mark_batch *batch) {
    const struct larder_mark *ns = mark_batch_find(batch, NAMESPACE_TAG);
    bool lossy = (batch->reader->tags->info.traits & LARDER_LOSSY) != 0;
    if (lossy ? !misses_any(batch) : ns != NULL && ns->expired_epoch != LARDER_UNSET)
        return true;
    if (batch->rounds >= MAX_ROUNDS) {
        struct larder_result res = {.detail = "the tag store does not keep the marks that are made in it"};
        note_failure(batch, LARDER_RETRY, &res);
        answer_batch(batch);
    } else if (lossy) {
        TRACE(batch->trace,
              "marks: some are not there, and may have been lost: they are made, and what is older "
              "than now is gone");
        send_missing(batch, LARDER_OP_TAGS_WRITE, making(), epoch_known(batch->reader->epoch), missing_made);
    } else {
        create_namespace_mark(batch);
    }
    return false;
}

static void made_for_put(void *arg, struct op *op) {
    (void)arg;
    op_free(op);
}

void marks_make(struct mark_reader *reader, const struct larder_bytes *tags, size_t n, uint64_t deadline_ns) {
    struct backend *backend = reader->tags;
    size_t max = backend->info.max_marks > 0 ? backend->info.max_marks : n;
    struct larder_mark *marks = n > 0 ? calloc(n, sizeof(*marks)) : NULL;
    for (size_t i = 0; marks != NULL && i < n; i++)
        marks[i] = (struct larder_mark){tags[i], epoch_known(reader->epoch), LARDER_UNSET, LARDER_UNSET};
    for (size_t from = 0; marks != NULL && from < n; from += max) {
        struct op_inputs in = making();
        in.marks = marks + from;
        in.n_marks = n - from < max ? n - from : max;
        struct op *op = op_new(backend->reactor, LARDER_OP_TAGS_WRITE, &in, deadline_ns, made_for_put, NULL);
        if (op != NULL)
            backend_call(backend, op);
    }
    free(marks);
}

/* ---- a namespace mark that is not there, of a store that loses none -------------------------- */

static void mark_created(void *arg, struct op *op) {
    struct mark_batch *batch = arg;
    if (op->result.status == LARDER_OK || op->result.status == LARDER_MISS) {
        send_reads(batch);
    } else {
        note_failure(batch, op->result.status, &op->result);
        answer_batch(batch);
    }
    op_free(op);
}

static void epoch_advanced(void *arg, struct op *op) {
    struct mark_batch *batch = arg;
    struct backend *tags = batch->reader->tags;
    struct larder_mark mark = {NAMESPACE_TAG, op->result.epoch, LARDER_UNSET, LARDER_UNSET};
    struct op_inputs in = {.key = EPOCH_KEY, .marks = &mark, .n_marks = 1, .flags = LARDER_IF_ABSENT};
    struct op *write = NULL;

    if (op->result.status != LARDER_OK)
        note_failure(batch, op->result.status, &op->result);
    else if ((write = op_new(tags->reactor, LARDER_OP_TAGS_WRITE, &in, batch->deadline_ns, mark_created,
                             batch)) == NULL)
        note_failure(batch, LARDER_NOMEM, NULL);
    op_free(op);
    if (write != NULL) {
        write->trace = trace_ref(batch->trace);
        backend_call(tags, write);
    } else {
        answer_batch(batch);
    }
}

static void create_namespace_mark(struct mark_batch *batch) {
    struct backend *tags = batch->reader->tags;
    struct op_inputs in = {.key = EPOCH_KEY, .add = 1};
    struct op *op = op_new(tags->reactor, LARDER_OP_ADVANCE, &in, batch->deadline_ns, epoch_advanced, batch);
    if (op == NULL) {
        note_failure(batch, LARDER_NOMEM, NULL);
        answer_batch(batch);
        return;
    }
    TRACE(batch->trace, "marks: the namespace has none, so all that is stored is gone: it is made");
    op->trace = trace_ref(batch->trace);
    backend_call(tags, op);
}

/* ---- the reader -------------------------------------------------------------------------- */

/* NULL: so many reads are under way. */
static struct mark_batch **free_place(struct mark_reader *reader) {
    uint64_t now_ns = reactor_now_ns(reader->tags->reactor);
    for (size_t i = 0; i < MARK_READS; i++)
        if (reader->reads[i] == NULL || reader->reads[i]->deadline_ns <= now_ns)
            return &reader->reads[i];
    return NULL;
}

static void send_gathered(void *arg) {
    struct mark_reader *reader = arg;
    if (reader->memory.age_ns > 0)
        answer_remembered(reader, &reader->first);
    struct mark_batch **place = reader->first != NULL ? free_place(reader) : NULL;
    if (place == NULL)
        return;
    struct mark_want *wants = reader->first;
    reader->first = NULL;
    reader->last = &reader->first;

    struct mark_batch *batch = batch_new(reader, wants);
    if (batch != NULL) {
        *place = batch;
        reader->n_reads++;
        send_reads(batch);
        return;
    }
    while (wants != NULL) {
        struct mark_want *next = wants->next;
        answer_want(wants, NULL, LARDER_NOMEM);
        wants = next;
    }
}

void marks_disturbed(struct mark_reader *reader) {
    mark_memory_disturb(&reader->memory);
}

static void count_change(struct mark_reader *reader) {
    double changes = reader->changes + 1;
    __atomic_store(&reader->changes, &changes, __ATOMIC_RELEASE);
}

void marks_changed(struct mark_reader *reader, const struct larder_mark *marks, size_t n) {
    mark_memory_disturb(&reader->memory);
    mark_memory_forget(&reader->memory, NAMESPACE_TAG);
    for (size_t i = 0; i < n; i++)
        mark_memory_forget(&reader->memory, marks[i].tag);
    count_change(reader);
}

/* Its epoch is not learned: the mark may be here before every read of the store shows it, and what is rendered
 * then would be newer than a mark that it has not seen.  So the counter is asked before the next rendering. */
void marks_seen(struct mark_reader *reader, const struct larder_mark *mark) {
    int64_t now_ms = reactor_now_ms(reader->tags->reactor);
    mark_memory_disturb(&reader->memory);
    if (mark == NULL) {
        mark_memory_forget_all(&reader->memory);
        epoch_unheard(reader->epoch);
    } else {
        mark_memory_merge(&reader->memory, mark, now_ms);
        outage_learn(reader->outage, mark, 1, now_ms);
        if (mark_epoch(mark) > epoch_known(reader->epoch))
            epoch_unheard(reader->epoch);
    }
    count_change(reader);
}

void mark_reader_init(struct mark_reader *reader, struct backend *tags, struct epoch_book *epoch,
                      struct outage *outage, uint64_t mark_age_ns) {
    mark_memory_init(&reader->memory, mark_age_ns);
    reader->tags = tags;
    reader->epoch = epoch;
    reader->outage = outage;
    reader->last = &reader->first;
    reader->hook = (struct turn_hook){.fn = send_gathered, .arg = reader};
    reactor_hook_add(tags->reactor, &reader->hook);
}

void mark_reader_done(struct mark_reader *reader) {
    reactor_hook_remove(reader->tags->reactor, &reader->hook);
    mark_memory_done(&reader->memory);
}

void marks_want(struct mark_reader *reader, struct mark_want *want) {
    want->next = NULL;
    want->batch = NULL;
    *reader->last = want;
    reader->last = &want->next;
}
