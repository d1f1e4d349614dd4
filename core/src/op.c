#include "op.h"

#include <stdlib.h>

#include "backend.h"
#include "buf.h"
#include "bytes.h"

_Static_assert(offsetof(struct op, inputs) % 8 == 0, "marks stand first in inputs");

/* Checked sum of sizes; false: it does not fit. */
static bool add_size(size_t *sum, size_t n) {
    return !__builtin_add_overflow(*sum, n, sum);
}

size_t op_size(const struct op_inputs *in) {
    size_t size = sizeof(struct op), marks;
    if (__builtin_mul_overflow(in->n_marks, sizeof(*in->marks), &marks))
        return 0;
    bool fits = add_size(&size, marks) && add_size(&size, in->key.len) && add_size(&size, in->cursor.len);
    for (size_t i = 0; fits && i < in->n_marks; i++)
        fits = add_size(&size, in->marks[i].tag.len);
    return fits ? size : 0;
}

static uint64_t new_id(void) {
    static uint64_t last;
    return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

struct op *op_init(void *memory, struct reactor *r, uint32_t code, const struct op_inputs *in,
                   uint64_t deadline_ns, int64_t now_ms, op_done_fn *done, void *arg) {
    struct op *op = memory;
    memset(op, 0, offsetof(struct op, levels));
    op->pub = (struct larder_op){
        .size = sizeof(op->pub),
        .code = code,
        .id = new_id(),
        .deadline_ns = deadline_ns,
        .now_ms = now_ms,
        .flags = in->flags,
        .value = slice_ref(in->value),
        .modified_ms = in->modified_ms,
        .epoch = in->epoch,
        .add = in->add,
        .ttl_ms = in->ttl_ms,
        .limit = in->limit,
        .n_marks = in->n_marks,
    };
    op->reactor = r;
    op->done = done;
    op->arg = arg;
    op->result = (struct larder_result){.size = sizeof(op->result), .detail = ""};

    struct larder_mark *marks = (struct larder_mark *)(void *)op->inputs;
    uint8_t *at = op->inputs + in->n_marks * sizeof(*marks);
    for (size_t i = 0; i < in->n_marks; i++) {
        marks[i] = in->marks[i];
        marks[i].tag = bytes_put_next(&at, in->marks[i].tag);
    }
    op->pub.marks = in->n_marks > 0 ? marks : NULL;
    op->pub.key = bytes_put_next(&at, in->key);
    op->pub.cursor = bytes_put_next(&at, in->cursor);
    return op;
}

struct op *op_new(struct reactor *r, uint32_t code, const struct op_inputs *in, uint64_t deadline_ns,
                  op_done_fn *done, void *arg) {
    size_t size = op_size(in);
    void *memory = size > 0 ? malloc(size) : NULL;
    if (memory == NULL)
        return NULL;
    return op_init(memory, r, code, in, deadline_ns, reactor_now_ms(r), done, arg);
}

void op_done(struct op *op) {
    slice_done(&op->pub.value);
    slice_done(&op->result.value);
    slice_done(&op->result.cursor);
    arena_done(&op->arena);
    trace_unref(op->trace);
    free(op->marks);
    free(op->keys);
    free(op->text);
}

struct op *op_free(struct op *op) {
    if (op == NULL)
        return NULL;
    op_done(op);
    free(op);
    return NULL;
}

struct op_inputs op_inputs_of(const struct larder_op *pub) {
    return (struct op_inputs){
        .key = pub->key,
        .value = pub->value,
        .modified_ms = pub->modified_ms,
        .epoch = pub->epoch,
        .add = pub->add,
        .ttl_ms = pub->ttl_ms,
        .marks = pub->marks,
        .n_marks = pub->n_marks,
        .cursor = pub->cursor,
        .limit = pub->limit,
        .flags = pub->flags,
    };
}

void op_go_up(struct op *op) {
    if (op->sent)
        backend_returned(op);
    op->done(op->arg, op);
}

static void op_came_back(void *arg) {
    op_go_up(arg);
}

struct op_level *op_lend(struct op *op, op_done_fn *back, void *arg) {
    if (op->n_levels == OP_LEVELS)
        return NULL;
    struct op_level *level = &op->levels[op->n_levels++];
    *level = (struct op_level){.backend = op->backend, .done = op->done, .arg = op->arg, .sent = op->sent};
    op->backend = NULL;
    op->done = back;
    op->arg = arg;
    op->sent = false;
    return level;
}

void op_take_back(struct op *op) {
    const struct op_level *level = &op->levels[--op->n_levels];
    op->backend = level->backend;
    op->done = level->done;
    op->arg = level->arg;
    op->sent = level->sent;
}

void op_return(struct op *op) {
    op_take_back(op);
    op_go_up(op);
}

void op_renew(struct op *op) {
    slice_done(&op->result.value);
    slice_done(&op->result.cursor);
    arena_done(&op->arena);
    op->n_marks = op->n_keys = op->text_len = 0;
    op->detail[0] = 0;
    op->result = (struct larder_result){.size = sizeof(op->result), .detail = op->detail};
    op->refused = false;
    op->back_ns = 0;
    memset(op->pub.scratch, 0, sizeof(op->pub.scratch));
    op->pub.id = new_id();
}

/* Copies only what the driver's idea of the struct holds, so that an older driver's shorter
 * one leaves the rest zero. */
void op_complete(struct larder_op *pub, const struct larder_result *res) {
    struct op *op = (struct op *)pub;
    size_t size = res->size < sizeof(op->result) ? res->size : sizeof(op->result);
    memcpy(&op->result, res, size);
    op->result.size = sizeof(op->result);
    op->detail[0] = 0;
    if (LARDER_HAS(res, detail) && res->detail != NULL) {
        size_t n = strnlen(res->detail, sizeof(op->detail) - 1);
        memcpy(op->detail, res->detail, n);
        op->detail[n] = 0;
    }
    op->result.detail = op->detail;
    op->task = (struct task){.fn = op_came_back, .arg = op};
    reactor_post(op->reactor, &op->task);
}

void op_fail(struct larder_op *pub, int32_t status, const char *detail) {
    struct larder_result res = {.size = sizeof(res), .status = status, .detail = detail};
    op_complete(pub, &res);
}

void op_pass(struct larder_op *pub, struct op *from) {
    struct larder_result res = from->result;
    from->result.value = (struct larder_slice){0};
    from->result.cursor = (struct larder_slice){0};
    op_complete(pub, &res);
}

/* The array with room for one more element; NULL: no memory, and the old one stays. */
static void *grown(void *array, size_t *room, size_t used, size_t element) {
    if (used < *room)
        return array;
    size_t want = *room == 0 ? 8 : *room * 2;
    void *bigger = reallocarray(array, want, element);
    if (bigger != NULL)
        *room = want;
    return bigger;
}

static bool keep(struct op *op, struct larder_bytes from, struct larder_bytes *ret) {
    uint8_t *copy = arena_alloc(&op->arena, from.len);
    if (copy == NULL)
        return false;
    bytes_put(copy, from);
    *ret = (struct larder_bytes){copy, from.len};
    return true;
}

int32_t op_emit_mark(struct larder_op *pub, const struct larder_mark *mark) {
    struct op *op = (struct op *)pub;
    struct larder_mark copy = *mark;
    struct larder_mark *marks = grown(op->marks, &op->room_marks, op->n_marks, sizeof(*marks));
    if (marks == NULL)
        return LARDER_NOMEM;
    op->marks = marks;
    if (!keep(op, mark->tag, &copy.tag))
        return LARDER_NOMEM;
    marks[op->n_marks++] = copy;
    return LARDER_OK;
}

int32_t op_emit_key(struct larder_op *pub, struct larder_bytes key) {
    struct op *op = (struct op *)pub;
    struct larder_bytes copy;
    struct larder_bytes *keys = grown(op->keys, &op->room_keys, op->n_keys, sizeof(*keys));
    if (keys == NULL)
        return LARDER_NOMEM;
    op->keys = keys;
    if (!keep(op, key, &copy))
        return LARDER_NOMEM;
    keys[op->n_keys++] = copy;
    return LARDER_OK;
}

int32_t op_emit_text(struct larder_op *pub, struct larder_bytes text) {
    struct op *op = (struct op *)pub;
    if (op->room_text - op->text_len < text.len) {
        size_t want;
        if (__builtin_add_overflow(op->text_len, text.len, &want) ||
            __builtin_add_overflow(want, want, &want))
            return LARDER_NOMEM;
        char *bigger = realloc(op->text, want);
        if (bigger == NULL)
            return LARDER_NOMEM;
        op->text = bigger;
        op->room_text = want;
    }
    bytes_put((uint8_t *)op->text + op->text_len, text);
    op->text_len += text.len;
    return LARDER_OK;
}
