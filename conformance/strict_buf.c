/* Buffers: references counted by us, bytes where a wrong use of them is a fault. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "hash.h"
#include "result.h"
#include "strict_inside.h"

enum { BUCKETS = 4096, REMEMBERED = 1024, MAX_LEAKS = 3 };

enum buf_kind { BUF_NEW, BUF_WRAPPED, BUF_LENT };

/* What the driver has as its struct larder_buf is a pointer to this, which it cannot look into. */
struct strict_buf {
    struct strict_buf *next, *newer;
    enum buf_kind kind;
    struct guard guard; /* not for BUF_WRAPPED */
    const uint8_t *ptr;
    size_t len;
    size_t refs; /* 0: dead, and remembered */
    bool handed_on;
    const uint8_t *handed_ptr; /* the first slice of it that went to the core */
    size_t handed_len;
    uint64_t handed_hash; /* where the bytes cannot be made read-only */
    larder_fn *release;
    void *arg;
    uint64_t op_id; /* where it comes from; 0: no op */
    uint32_t op_code;
    char thread[NAME_ROOM];
};

/* Under strict.lock. */
static struct {
    struct strict_buf *buckets[BUCKETS];
    struct strict_buf *oldest, *newest; /* dead ones */
    size_t n_dead;
} table;

static struct strict_buf **bucket_of(const struct strict_buf *b) {
    return &table.buckets[(uintptr_t)b / 16 * UINT64_C(0x9E3779B97F4A7C15) >> 52];
}

static struct strict_buf *find(const struct larder_buf *handle) {
    const struct strict_buf *wanted = (const struct strict_buf *)(const void *)handle;
    struct strict_buf *b = *bucket_of(wanted);
    while (b && b != wanted)
        b = b->next;
    return b;
}

static struct larder_buf *handle_of(struct strict_buf *b) {
    return (struct larder_buf *)(void *)b;
}

static struct strict_buf *buf_record(enum buf_kind kind, const uint8_t *ptr, size_t len) {
    struct strict_buf *b = calloc(1, sizeof(*b));
    if (!b)
        return NULL;
    b->kind = kind;
    b->refs = 1;
    b->ptr = ptr;
    b->len = len;
    if (kind != BUF_WRAPPED) {
        if (!guard_new(&b->guard, &len, 1, GUARD_BUF, b)) {
            free(b);
            return NULL;
        }
        b->ptr = b->guard.piece[0].ptr;
    }
    return b;
}

static void buf_enter(struct strict_buf *b) {
    const struct strict_op *op = strict_here.op;
    thread_name(b->thread);
    if (op) {
        b->op_id = op->as_given.id;
        b->op_code = op->as_given.code;
    }
    strict_lock();
    b->next = *bucket_of(b);
    *bucket_of(b) = b;
    strict_unlock();
}

static void buf_forget(struct strict_buf *b) {
    struct strict_buf **at = bucket_of(b);
    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    if (b->kind != BUF_WRAPPED)
        guard_free(&b->guard);
    free(b);
}

/* ---- the host's functions ------------------------------------------------------------------ */

uint8_t *strict_buf_new(size_t len, struct larder_slice *out) {
    strict_here.host_calls++;
    struct strict_buf *b = len <= PTRDIFF_MAX && !starved("buf_new") ? buf_record(BUF_NEW, NULL, len) : NULL;
    if (!b)
        return NULL;
    strict_here.host_bytes += len;
    buf_enter(b);
    *out = (struct larder_slice){b->ptr, len, handle_of(b)};
    return b->guard.piece[0].ptr;
}

int32_t strict_buf_wrap(const void *ptr, size_t len, larder_fn *release, void *arg,
                        struct larder_slice *out) {
    strict_here.host_calls++;
    struct strict_buf *b = starved("buf_wrap") ? NULL : buf_record(BUF_WRAPPED, ptr, len);
    if (!b) {
        release(arg);
        return LARDER_NOMEM;
    }
    b->release = release;
    b->arg = arg;
    buf_enter(b);
    *out = (struct larder_slice){ptr, len, handle_of(b)};
    return LARDER_OK;
}

void strict_buf_ref(struct larder_buf *handle) {
    strict_here.host_calls++;
    strict_lock();
    struct strict_buf *b = find(handle);
    if (b && b->refs > 0)
        b->refs++;
    else
        violation(VIOLATION_BUF_TOUCHED, strict_here.op, "buf_ref() of a buffer that %s",
                  b ? "had lost its last reference" : "is none of the host's");
    strict_unlock();
}

/* Under the lock: its last reference is gone. */
static void buf_end(struct strict_buf *b) {
    if (b->handed_on && b->handed_hash != hash_64(b->handed_ptr, b->handed_len))
        violation(VIOLATION_VALUE_WRITTEN, NULL,
                  "the bytes of a buffer of %zu, made in op %" PRIu64
                  " (%s), are others than when it was handed on",
                  b->len, b->op_id, code_name(b->op_code));
    if (b->kind != BUF_WRAPPED) {
        if (!guard_is_whole(&b->guard, 0))
            violation(VIOLATION_BUF_OVERRUN, NULL,
                      "written before the first byte of a buffer of %zu, made in op %" PRIu64 " (%s)", b->len,
                      b->op_id, code_name(b->op_code));
        guard_close(&b->guard);
    }
    b->newer = NULL;
    if (table.newest)
        table.newest->newer = b;
    else
        table.oldest = b;
    table.newest = b;
    if (++table.n_dead > REMEMBERED) {
        struct strict_buf *oldest = table.oldest;
        table.oldest = oldest->newer;
        table.n_dead--;
        buf_forget(oldest);
    }
}

void strict_buf_unref(struct larder_buf *handle) {
    larder_fn *release = NULL;
    void *arg = NULL;
    if (!handle)
        return;
    strict_here.host_calls++;
    strict_lock();
    struct strict_buf *b = find(handle);
    if (!b || b->refs == 0) {
        violation(VIOLATION_BUF_RELEASED_TWICE, strict_here.op, "buf_unref() of a buffer that %s",
                  b ? "had lost its last reference" : "is none of the host's (any more)");
    } else if (--b->refs == 0) {
        release = b->release;
        arg = b->arg;
        buf_end(b);
    }
    strict_unlock();
    if (release)
        release(arg);
}

/* ---- between the core and the driver ------------------------------------------------------- */

struct strict_buf *strict_buf_lend(const struct larder_op *outer, struct larder_slice *ret) {
    struct larder_slice value = outer->value;
    struct strict_buf *b = buf_record(BUF_LENT, NULL, value.len);
    if (!b)
        return NULL;
    if (value.len > 0)
        memcpy(b->guard.piece[0].ptr, value.ptr, value.len);
    guard_read_only(&b->guard, 0);
    b->op_id = outer->id;
    b->op_code = outer->code;
    buf_enter(b);
    *ret = (struct larder_slice){b->ptr, value.len, handle_of(b)};
    return b;
}

void strict_buf_lent(struct strict_buf *b) {
    strict_buf_unref(handle_of(b));
}

static void core_gave_back(void *arg) {
    strict_buf_unref(handle_of(arg));
}

/* Under the lock.  The first slice is watched; a second one of the same buffer is most often the
 * same. */
static void hand_on(struct strict_buf *b, struct larder_slice slice) {
    bool whole = slice.len == b->len;
    bool protected = b->kind == BUF_LENT || (b->kind == BUF_NEW && whole && !b->guard.plain);
    if (b->kind == BUF_NEW && whole)
        guard_read_only(&b->guard, 0);
    else if (b->kind == BUF_NEW)
        guard_read_only_inside(&b->guard, slice.ptr, slice.len); /* the rest is the driver's still */
    if (protected || b->handed_on)
        return;
    b->handed_on = true;
    b->handed_ptr = slice.ptr;
    b->handed_len = slice.len;
    b->handed_hash = hash_64(slice.ptr, slice.len);
}

struct larder_slice strict_buf_take(const struct strict_op *op, const char *what, struct larder_slice slice) {
    struct larder_slice ret = {0};
    const char *wrong = NULL;
    if (!slice.owner)
        return ret;
    strict_lock();
    struct strict_buf *b = find(slice.owner);
    if (!b)
        wrong = "its owner is no buffer of the host";
    else if (b->refs == 0)
        wrong = "its owner had lost its last reference";
    else if (slice.len > 0 &&
             (slice.ptr < b->ptr || slice.len > b->len || (size_t)(slice.ptr - b->ptr) > b->len - slice.len))
        wrong = "its bytes lie outside of its owner";
    if (wrong)
        violation(VIOLATION_VALUE_FOREIGN, op, "a %s of %zu bytes: %s", what, slice.len, wrong);
    else
        hand_on(b, slice);
    strict_unlock();
    if (!wrong && buf_wrap(slice.ptr, slice.len, core_gave_back, b, &ret) != LARDER_OK)
        ret = (struct larder_slice){0};
    return ret;
}

/* ---- what is left ------------------------------------------------------------------------------ */

void strict_buf_audit(void) {
    static const char *const kinds[] = {"made by buf_new()", "made by buf_wrap()",
                                        "put's value, of which the driver had taken a reference,"};
    unsigned leaks = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (table.buckets[i]) {
            struct strict_buf *b = table.buckets[i];
            if (b->refs > 0 && leaks++ < MAX_LEAKS)
                violation(VIOLATION_BUF_LEAKED, NULL,
                          "%zu bytes, %s in op %" PRIu64 " (%s) on %s: %zu references are left", b->len,
                          kinds[b->kind], b->op_id, code_name(b->op_code), b->thread, b->refs);
            buf_forget(b);
        }
    }
    if (leaks > MAX_LEAKS)
        result_say(RESULT_NOTE, "%u buffers leaked", leaks);
    table.oldest = table.newest = NULL;
}

void strict_buf_fault(const struct guard *g, const uint8_t *at, enum guard_access access) {
    const struct strict_buf *b = g->owner;
    const char *did = access == GUARD_WRITE ? "wrote" : access == GUARD_READ ? "read" : "touched";
    const struct guard_piece *piece = &g->piece[0];
    if (g->closed)
        violation_end(VIOLATION_BUF_TOUCHED, strict_here.op,
                      "the driver %s a buffer of %zu bytes (op %" PRIu64
                      ", %s) after its last reference was given back",
                      did, b->len, b->op_id, code_name(b->op_code));
    if (at >= piece->ptr + piece->len || at + 4096 < piece->ptr)
        violation_end(VIOLATION_BUF_OVERRUN, strict_here.op,
                      "the driver %s beyond the end of a buffer of %zu bytes (op %" PRIu64 ", %s)", did,
                      b->len, b->op_id, code_name(b->op_code));
    violation_end(b->kind == BUF_LENT ? VIOLATION_PUT_VALUE_WRITTEN : VIOLATION_VALUE_WRITTEN, strict_here.op,
                  "the driver %s %s of %zu bytes (op %" PRIu64 ", %s)", did,
                  b->kind == BUF_LENT ? "the value of a put" : "a value that it had handed on", b->len,
                  b->op_id, code_name(b->op_code));
}
