/* Ops: copied into guarded memory, watched until they are completed, remembered for a while after. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "result.h"
#include "strict_inside.h"

enum {
    BUCKETS = 4096,
    REMEMBERED = 1024, /* completed ops whose addresses stay reserved */
    BLAMED = 3         /* ops named one by one when patience ends */
};
enum { PIECE_OP, PIECE_KEY, PIECE_CURSOR, PIECE_MARKS, PIECE_TAGS, N_PIECES };
static const char *const piece_names[N_PIECES] = {"larder_op", "key", "cursor", "marks", "tags"};
static const int64_t POISON = INT64_C(0x5a5a5a5a5a5a5a5a);

/* By the address that the driver has; under strict.lock. */
static struct {
    struct strict_op *buckets[BUCKETS];
    struct strict_op *oldest, *newest; /* completed ones */
    size_t n_completed;
} table;

static struct strict_op **bucket_of(const struct larder_op *inner) {
    return &table.buckets[(uintptr_t)inner / 4096 * UINT64_C(0x9E3779B97F4A7C15) >> 52];
}

static struct strict_op *find(const struct larder_op *inner) {
    struct strict_op *op = *bucket_of(inner);
    while (op && op->inner != inner)
        op = op->next;
    return op;
}

/* ---- the copy --------------------------------------------------------------------------- */

static bool uses_key(const struct larder_op *op) {
    if (op->code == LARDER_OP_TAGS_WRITE)
        return op->key.len > 0; /* a counter, or none */
    return op->code != LARDER_OP_TAGS_READ && op->code != LARDER_OP_PING && op->code != LARDER_OP_PROVISION;
}
static bool uses_value(uint32_t code) {
    return code == LARDER_OP_PUT || code == LARDER_OP_CLAIM || code == LARDER_OP_RELEASE;
}
static bool uses_marks(uint32_t code) {
    return code == LARDER_OP_TAGS_READ || code == LARDER_OP_TAGS_WRITE || code == LARDER_OP_BUMP ||
           code == LARDER_OP_LINK;
}
static bool is_paged(uint32_t code) {
    return code == LARDER_OP_LIST || code == LARDER_OP_KEYS_OF || code == LARDER_OP_LIST_MARKS;
}

/* Where nothing is said, there is nothing: a pointer to no bytes may not be followed, a number that
 * another op uses is none.  What the op does use is as the core gave it. */
static void poison_unused(struct larder_op *op, const uint8_t *nowhere) {
    const uint32_t code = op->code;
    if (!uses_key(op))
        op->key = (struct larder_bytes){nowhere, 0};
    if (!uses_value(code))
        op->value = (struct larder_slice){nowhere, 0, NULL};
    if (code != LARDER_OP_PUT)
        op->modified_ms = op->epoch = POISON;
    if (code != LARDER_OP_ADVANCE)
        op->add = POISON;
    if (code != LARDER_OP_PUT && code != LARDER_OP_CLAIM)
        op->ttl_ms = POISON;
    if (!uses_marks(code))
        op->n_marks = 0;
    if (!is_paged(code)) {
        op->cursor = (struct larder_bytes){nowhere, 0};
        op->limit = (uint64_t)POISON;
    }
}

static void copy_key_for_people(char *out, size_t size, struct larder_bytes key) {
    size_t n = 0;
    /* The end tells one key of a test from another. */
    size_t from = key.len > size - 1 ? key.len - (size - 1) : 0;
    for (size_t at = from; at < key.len && n + 1 < size; at++)
        out[n++] = key.ptr[at] >= 0x20 && key.ptr[at] < 0x7f && key.ptr[at] != '"' ? (char)key.ptr[at] : '?';
    out[n] = '\0';
}

static void copy_into_guard(struct strict_op *op, const struct larder_op *outer) {
    const struct guard_piece *piece = op->guard.piece;
    struct larder_op *inner = (struct larder_op *)(void *)piece[PIECE_OP].ptr;
    struct larder_mark *marks = (struct larder_mark *)(void *)piece[PIECE_MARKS].ptr;
    uint8_t *tags = piece[PIECE_TAGS].ptr;

    *inner = *outer;
    memset(inner->scratch, 0, sizeof(inner->scratch));
    bytes_put(piece[PIECE_KEY].ptr, outer->key);
    inner->key.ptr = piece[PIECE_KEY].ptr;
    bytes_put(piece[PIECE_CURSOR].ptr, outer->cursor);
    inner->cursor.ptr = piece[PIECE_CURSOR].ptr;
    for (size_t i = 0; i < outer->n_marks; i++) {
        marks[i] = outer->marks[i];
        marks[i].tag = bytes_put_next(&tags, outer->marks[i].tag);
    }
    inner->marks = marks;
    poison_unused(inner, op->guard.base);
    for (size_t i = PIECE_KEY; i < N_PIECES; i++)
        guard_read_only(&op->guard, i);
    op->inner = inner;
}

struct strict_op *strict_op_new(struct instance *in, struct larder_op *outer) {
    size_t lens[N_PIECES] = {
        [PIECE_OP] = sizeof(*outer),
        [PIECE_KEY] = outer->key.len,
        [PIECE_CURSOR] = outer->cursor.len,
        [PIECE_MARKS] = outer->n_marks * sizeof(*outer->marks),
    };
    for (size_t i = 0; i < outer->n_marks; i++)
        lens[PIECE_TAGS] += outer->marks[i].tag.len;
    struct strict_op *op = calloc(1, sizeof(*op));
    if (!op)
        return NULL;
    if (!guard_new(&op->guard, lens, N_PIECES, GUARD_OP, op)) {
        free(op);
        return NULL;
    }
    op->instance = in;
    op->outer = outer;
    copy_into_guard(op, outer);
    copy_key_for_people(op->key, sizeof(op->key), outer->key);
    if (uses_value(outer->code) && outer->value.owner)
        op->value = strict_buf_lend(outer, &op->inner->value);
    op->as_given = *op->inner;
    op->in_call = true;
    outer->scratch[0] = op;

    strict_lock();
    op->next = *bucket_of(op->inner);
    *bucket_of(op->inner) = op;
    in->n_outstanding++;
    event_add(op, "called", 0);
    strict_unlock();
    return op;
}

/* ---- the end ----------------------------------------------------------------------------- */

static void op_forget(struct strict_op *op) {
    struct strict_op **at = bucket_of(op->inner);
    while (*at != op)
        at = &(*at)->next;
    *at = op->next;
    guard_free(&op->guard);
    free(op);
}

/* Under the lock.  The driver may not touch it any more. */
static void op_retire(struct strict_op *op) {
    if (op->retired || op->in_cancel)
        return;
    op->retired = true;
    guard_close(&op->guard);
    op->newer = NULL;
    if (table.newest)
        table.newest->newer = op;
    else
        table.oldest = op;
    table.newest = op;
    table.n_completed++;
    while (table.n_completed > REMEMBERED && !table.oldest->in_call) {
        struct strict_op *oldest = table.oldest;
        table.oldest = oldest->newer;
        table.n_completed--;
        op_forget(oldest);
    }
}

static bool is_unchanged(const struct strict_op *op) {
    struct larder_op now = *op->inner;
    memcpy(now.scratch, op->as_given.scratch, sizeof(now.scratch));
    return memcmp(&now, &op->as_given, sizeof(now)) == 0;
}

/* res as far as the driver's idea of the struct goes; false: it has no size that could be one. */
static bool copy_result(const struct strict_op *op, const struct larder_result *res,
                        struct larder_result *ret) {
    enum { LARGEST = 4096 };
    *ret = (struct larder_result){.status = LARDER_INTERNAL};
    if (res->size < offsetof(struct larder_result, value) || res->size > LARGEST) {
        violation(VIOLATION_RESULT_SIZE, op,
                  "complete() with res->size %u; it is sizeof(struct larder_result)", res->size);
        ret->size = sizeof(*ret);
        return false;
    }
    memcpy(ret, res, res->size < sizeof(*ret) ? res->size : sizeof(*ret));
    ret->size = sizeof(*ret);
    return true;
}

void strict_complete(struct larder_op *inner, const struct larder_result *res) {
    struct larder_result answer;
    strict_here.host_calls++;
    strict_lock();
    struct strict_op *op = find(inner);
    if (!op) {
        strict_unlock();
        violation(VIOLATION_UNKNOWN_OP, NULL, "complete() of the op at %p, which does not exist (any more)",
                  (void *)inner);
        return;
    }
    struct instance *in = op->instance;
    event_add(op, "completed", res->status);
    if (op->completed) {
        violation(in->closed ? VIOLATION_COMPLETED_AFTER_CLOSE : VIOLATION_COMPLETED_TWICE, op,
                  "complete() of an op that was completed before");
        strict_unlock();
        return;
    }
    op->completed = true;
    struct larder_op *outer = op->outer;
    op->outer = NULL;
    outer->scratch[0] = NULL;
    in->n_outstanding--;
    if (!is_unchanged(op))
        violation(VIOLATION_OP_WRITTEN, op, "a member of larder_op other than scratch was changed");
    if (copy_result(op, res, &answer))
        result_check(op, &answer);
    strict_unlock();

    answer.value = strict_buf_take(op, "value", answer.value);
    answer.cursor = strict_buf_take(op, "cursor", answer.cursor);
    struct strict_buf *value = op->value;
    strict_lock();
    op->value = NULL;
    op_retire(op); /* and is perhaps gone */
    strict_unlock();
    if (value)
        strict_buf_lent(value);
    if (!hold_completion(in, outer, &answer))
        strict.outer->complete(outer, &answer);
}

void strict_op_returned(struct strict_op *op) {
    strict_lock();
    if (op->instance->blocking && !op->completed) {
        event_add(op, "returned", 0);
        violation(VIOLATION_RETURNED_EARLY, op, "a LARDER_BLOCKING driver completes before it returns");
    }
    op->in_call = false;
    strict_unlock();
}

void strict_op_cancel(struct instance *in, struct larder_op *outer) {
    strict_lock();
    struct strict_op *op = outer->scratch[0];
    if (op) {
        event_add(op, "given up", 0);
        op->cancelled = op->in_cancel = true;
    }
    strict_unlock();
    if (!op)
        return; /* completed, and the core does not know yet */
    struct stay stay;
    stay_begin(&stay, in, op, "cancel()");
    strict.tried->cancel(in->inner, op->inner);
    stay_end(&stay, 0);
    strict_lock();
    op->in_cancel = false;
    if (op->completed)
        op_retire(op);
    strict_unlock();
}

/* ---- records ---------------------------------------------------------------------------------- */

/* The op that waits for the answer; NULL: reported. */
static struct larder_op *emitting(struct larder_op *inner, const char *function, uint32_t codes,
                                  struct strict_op **ret) {
    struct larder_op *outer = NULL;
    strict_here.host_calls++;
    strict_lock();
    struct strict_op *op = find(inner);
    if (!op) {
        violation(VIOLATION_UNKNOWN_OP, NULL, "%s() for the op at %p, which does not exist (any more)",
                  function, (void *)inner);
    } else if (op->completed) {
        event_add(op, "emitted", 0);
        violation(VIOLATION_EMITTED_LATE, op, "%s() after complete()", function);
    } else if (!(codes & UINT32_C(1) << op->as_given.code)) {
        violation(VIOLATION_EMITTED_WRONG, op, "%s() for a %s", function, code_name(op->as_given.code));
    } else {
        event_add(op, "emitted", 0);
        outer = op->outer;
        *ret = op;
    }
    strict_unlock();
    return outer;
}

#define FOR(code) (UINT32_C(1) << (code))

/* Marks come most often in the order in which they were asked for. */
static bool is_asked_for(struct strict_op *op, const struct larder_op *outer, struct larder_bytes tag) {
    if (outer->code == LARDER_OP_LIST_MARKS)
        return bytes_begin_with(tag, outer->key);
    bool asked = outer->code != LARDER_OP_TAGS_READ;
    for (size_t i = 0; i < outer->n_marks && !asked; i++) {
        size_t at = (op->next_mark + i) % outer->n_marks;
        asked = bytes_equal(outer->marks[at].tag, tag);
        if (asked)
            op->next_mark = at + 1;
    }
    return asked;
}

int32_t strict_emit_mark(struct larder_op *inner, const struct larder_mark *mark) {
    struct strict_op *op;
    struct larder_op *outer = emitting(
        inner, "emit_mark", FOR(LARDER_OP_TAGS_READ) | FOR(LARDER_OP_TAGS_OF) | FOR(LARDER_OP_LIST_MARKS),
        &op);
    if (!outer)
        return LARDER_INTERNAL;
    if (!is_asked_for(op, outer, mark->tag))
        violation(VIOLATION_EMITTED_WRONG, op, "a mark of a tag that was not asked for");
    return starved("emit_mark") ? LARDER_NOMEM : strict.outer->emit_mark(outer, mark);
}

int32_t strict_emit_key(struct larder_op *inner, struct larder_bytes key) {
    struct strict_op *op;
    struct larder_op *outer = emitting(inner, "emit_key", FOR(LARDER_OP_LIST) | FOR(LARDER_OP_KEYS_OF), &op);
    if (!outer)
        return LARDER_INTERNAL;
    if (outer->code == LARDER_OP_LIST && !bytes_begin_with(key, outer->key))
        violation(VIOLATION_EMITTED_WRONG, op, "a key that does not begin with the prefix");
    return starved("emit_key") ? LARDER_NOMEM : strict.outer->emit_key(outer, key);
}

int32_t strict_emit_text(struct larder_op *inner, struct larder_bytes text) {
    struct strict_op *op;
    struct larder_op *outer = emitting(inner, "emit_text", FOR(LARDER_OP_PROVISION) | FOR(LARDER_OP_EXPLAIN),
                                       &op);
    if (!outer)
        return LARDER_INTERNAL;
    text_check(op, "an emitted text", (const char *)text.ptr, text.len, false);
    return starved("emit_text") ? LARDER_NOMEM : strict.outer->emit_text(outer, text);
}

/* ---- what is left ------------------------------------------------------------------------------ */

unsigned strict_op_blame(void) {
    unsigned n = 0;
    strict_lock();
    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct strict_op *op = table.buckets[i]; op; op = op->next) {
            if (!op->completed && n++ < BLAMED)
                violation(VIOLATION_NEVER_COMPLETED, op, "patience has ended");
        }
    }
    strict_unlock();
    if (n > BLAMED)
        result_say(RESULT_NOTE, "%u ops were never completed", n);
    return n;
}

void strict_op_audit(void) {
    for (size_t i = 0; i < BUCKETS; i++) {
        while (table.buckets[i])
            op_forget(table.buckets[i]);
    }
    table.oldest = table.newest = NULL;
}

void strict_op_fault(const struct guard *g, const uint8_t *at, enum guard_access access) {
    const struct strict_op *op = g->owner;
    const char *piece = "memory before the op";
    for (size_t i = 0; i < g->n; i++) {
        if (g->piece[i].len > 0 && at >= g->piece[i].ptr)
            piece = piece_names[i];
    }
    const char *did = access == GUARD_WRITE ? "wrote" : access == GUARD_READ ? "read" : "touched";
    if (g->closed)
        violation_end(VIOLATION_OP_TOUCHED, op,
                      "the driver %s the %s of op %" PRIu64 " (%s) after its completion", did, piece,
                      op->as_given.id, code_name(op->as_given.code));
    for (size_t i = 0; i < g->n; i++) {
        if (at >= g->piece[i].ptr && at < g->piece[i].ptr + g->piece[i].len)
            violation_end(VIOLATION_OP_WRITTEN, op, "the driver %s the %s of op %" PRIu64 " (%s)", did, piece,
                          op->as_given.id, code_name(op->as_given.code));
    }
    violation_end(VIOLATION_OP_OVERRUN, op, "the driver %s beyond the %s of op %" PRIu64 " (%s)", did, piece,
                  op->as_given.id, code_name(op->as_given.code));
}
