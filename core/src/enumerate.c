/*
 * What is for people and tools, not for correctness: lists, the index, and the questions to
 * both drivers (ping, provision, explain).
 */
#include <stdlib.h>

#include "bytes.h"
#include "request.h"

static void send_one(struct request *r, struct backend *backend, uint32_t code, const struct op_inputs *in,
                     op_done_fn *done) {
    struct op *op = request_op(r, code, in, done);
    if (op == NULL)
        return;
    r->n_pending++;
    backend_call(backend, op);
}

/* ---- pages of keys ---------------------------------------------------------------- */

/* One emitted key as where an entry lives; what is not of our making is left out. */
static bool take_key(struct request *r, struct larder_bytes physical, struct larder_listed *ret) {
    uint8_t *build = NULL;
    if (key_parse(physical, ret, &build) != LARDER_OK)
        return false;
    uint8_t *copy = arena_alloc(&r->arena, ret->build.len);
    if (copy != NULL)
        ret->build.ptr = (bytes_put(copy, ret->build), copy);
    free(build);
    return copy != NULL;
}

static void keys_over(void *arg, struct op *op) {
    struct request *r = arg;
    if (r->answered) {
        op_free(op);
        request_unref(r);
        return;
    }
    r->op = op;
    struct larder_listed *keys = arena_alloc(&r->arena, op->n_keys * sizeof(*keys));
    size_t n = 0;
    for (size_t i = 0; keys != NULL && i < op->n_keys; i++)
        n += take_key(r, op->keys[i], &keys[n]);
    r->answer.keys = keys;
    r->answer.n_keys = n;
    r->answer.cursor = (struct larder_bytes){op->result.cursor.ptr, op->result.cursor.len};
    if (keys == NULL)
        request_answer(r, LARDER_NOMEM, "out of memory");
    else
        request_answer_op(r, op);
    request_unref(r);
}

/* With a kind: entries of that build and kind whose key begins with in.key.  With a build alone:
 * all of it.  With neither: everything. */
void list_start(struct request *r) {
    struct op_inputs in = {.cursor = r->in.cursor, .limit = r->in.limit};
    struct larder_bytes prefix = {0};
    if (r->in.kind > 0 || r->in.build.len > 0) {
        struct key_rules rules = {.shared_kinds = r->store->shared_kinds};
        struct larder_bytes build = r->in.build.len > 0 ? r->in.build : bytes_of(r->store->settings->build);
        uint32_t kind = r->in.kind > 0 ? r->in.kind : LARDER_PAGE;
        struct larder_bytes key = r->in.kind > 0 ? r->in.key : (struct larder_bytes){0};
        if (key_make(&rules, kind, build, key, &prefix) != LARDER_OK) {
            request_answer(r, LARDER_NOMEM, "out of memory");
            return;
        }
        r->physical = (uint8_t *)(uintptr_t)prefix.ptr;
        if (r->in.kind == 0) { /* "<build>/page/" -> "<build>/" */
            const uint8_t *slash = memchr(prefix.ptr, '/', prefix.len);
            prefix.len = slash != NULL ? (size_t)(slash + 1 - prefix.ptr) : prefix.len;
        }
    }
    in.key = prefix;
    send_one(r, r->store->cache.top, LARDER_OP_LIST, &in, keys_over);
}

void keys_of_start(struct request *r) {
    struct larder_bytes *tag = request_index_tags(r, r->in.tags, 1);
    if (tag == NULL) {
        request_answer(r, LARDER_NOMEM, "out of memory");
        return;
    }
    struct op_inputs in = {.key = tag[0], .cursor = r->in.cursor, .limit = r->in.limit};
    send_one(r, r->store->tags.top, LARDER_OP_KEYS_OF, &in, keys_over);
}

/* ---- pages of marks ------------------------------------------------------------------ */

static void marks_over(void *arg, struct op *op) {
    struct request *r = arg;
    if (r->answered) {
        op_free(op);
    } else {
        r->op = op;
        r->answer.marks = op->marks;
        r->answer.n_marks = op->n_marks;
        r->answer.cursor = (struct larder_bytes){op->result.cursor.ptr, op->result.cursor.len};
        request_answer_op(r, op);
    }
    request_unref(r);
}

void tags_of_start(struct request *r) {
    if (!request_make_key(r))
        return;
    struct op_inputs in = {.key = request_key(r)};
    send_one(r, r->store->tags.top, LARDER_OP_TAGS_OF, &in, marks_over);
}

void list_tags_start(struct request *r) {
    struct op_inputs in = {.key = r->in.key, .cursor = r->in.cursor, .limit = r->in.limit};
    send_one(r, r->store->tags.top, LARDER_OP_LIST_MARKS, &in, marks_over);
}

/* ---- questions to both drivers ----------------------------------------------------------- */

/* A driver that has nothing to say to a question has answered it. */
static bool is_failure(const struct op *op) {
    bool optional = op->pub.code != LARDER_OP_PING;
    return op->result.status < 0 && !(optional && op->result.status == LARDER_UNSUPPORTED);
}

static bool append_text(struct request *r, const struct op *op) {
    size_t old = r->answer.text.len;
    uint8_t *text = arena_alloc(&r->arena, old + op->text_len);
    if (text == NULL)
        return false;
    bytes_put(bytes_put(text, r->answer.text),
              (struct larder_bytes){(const uint8_t *)op->text, op->text_len});
    r->answer.text = (struct larder_bytes){text, old + op->text_len};
    return true;
}

static void both_over(void *arg, struct op *op) {
    struct request *r = arg;
    r->n_pending--;
    if (!r->answered) {
        if (is_failure(op))
            request_answer_op(r, op);
        else if (!append_text(r, op))
            request_answer(r, LARDER_NOMEM, "out of memory");
        else if (r->n_pending == 0)
            request_answer(r, LARDER_OK, NULL);
    }
    op_free(op);
    request_unref(r);
}

static void ask_both(struct request *r, uint32_t code, const struct op_inputs *in) {
    send_one(r, r->store->cache.top, code, in, both_over);
    if (r->store->tags.n > 0 && !r->answered)
        send_one(r, r->store->tags.top, code, in, both_over);
}

void ping_start(struct request *r) {
    ask_both(r, LARDER_OP_PING, &(struct op_inputs){0});
}

void provision_start(struct request *r) {
    uint32_t flags = r->in.flags & LARDER_F_DRY_RUN ? LARDER_DRY_RUN : 0;
    ask_both(r, LARDER_OP_PROVISION, &(struct op_inputs){.flags = flags});
}

void explain_start(struct request *r) {
    ask_both(r, LARDER_OP_EXPLAIN, &(struct op_inputs){.key = r->in.key});
}
