/*
 * Values that do not fit into one item.  Their parts are items of their own, under the name of one put,
 * its generation, which nobody has used before: they are written once, before the head that names them,
 * and never changed.  Each has its own partition, so that a large value is no hot one.
 */
#include <stdio.h>
#include <sys/random.h>

#include "base64.h"
#include "ddb.h"

void ddb_chunks_new(struct ddb *d, size_t length, struct ddb_chunks *ret) {
    static const char digits[] = "0123456789abcdef";
    uint64_t random[DDB_GENERATION / 16];
    /* Of the kernel's: no two processes, also after a fork(), may ever come to the same. */
    if (getrandom(random, sizeof(random), GRND_NONBLOCK) != sizeof(random)) {
        for (size_t i = 0; i < sizeof(random) / sizeof(random[0]); i++)
            random[i] = ddb_random(d);
    }
    for (size_t i = 0; i < DDB_GENERATION; i++)
        ret->generation[i] = digits[random[i / 16] >> (i % 16 * 4) & 15];
    ret->length = length;
    ret->n = (length + DDB_CHUNK_BYTES - 1) / DDB_CHUNK_BYTES;
}

bool ddb_chunks_of(const struct ddb_item *head, struct ddb_chunks *ret) {
    if (head->generation.len != sizeof(ret->generation) || head->length <= 0 || head->length > DDB_MAX_VALUE)
        return false;
    for (size_t i = 0; i < head->generation.len; i++) {
        uint8_t c = head->generation.ptr[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
        ret->generation[i] = (char)c;
    }
    ret->length = (size_t)head->length;
    ret->n = (ret->length + DDB_CHUNK_BYTES - 1) / DDB_CHUNK_BYTES;
    return head->n_chunks == (int64_t)ret->n;
}

size_t ddb_chunk_len(const struct ddb_chunks *c, size_t i) {
    return i + 1 < c->n ? DDB_CHUNK_BYTES : c->length - i * DDB_CHUNK_BYTES;
}

/* GENERATION#0003 */
struct chunk_name {
    char text[DDB_GENERATION + 24];
    struct ddb_name name;
};

static void name_chunk(const struct ddb_chunks *c, size_t i, struct chunk_name *ret) {
    int len = snprintf(ret->text, sizeof(ret->text), "%.*s#%04zu", DDB_GENERATION, c->generation, i);
    ret->name = (struct ddb_name){.kind = DDB_CHUNK, .key = {(const uint8_t *)ret->text, (size_t)len}};
}

void ddb_chunk_write(struct ddb_slot *slot, const struct ddb_chunks *c, ddb_reply_fn *fn) {
    struct ddb_task *task = slot->fan->task;
    const struct ddb *d = task->d;
    const struct larder_op *op = task->op;
    const size_t len = ddb_chunk_len(c, slot->i);
    int64_t expiry_ms = ddb_expiry_ms(op->now_ms, op->ttl_ms);
    struct ddb_text body = {0};
    struct chunk_name name;
    name_chunk(c, slot->i, &name);
    ddb_text_reserve(&body, ddb_base64_len(len) + 512);
    ddb_text_begin(&body, &d->names);
    ddb_text_json(&body, ",'Item':{");
    ddb_text_key(&body, &d->names, &name.name);
    if (expiry_ms != LARDER_UNSET) {
        ddb_text_json(&body, ",");
        ddb_text_n(&body, "expiresAt", ddb_seconds(expiry_ms) + DDB_CHUNK_GRACE_S);
    }
    ddb_text_json(&body, ",'v':{'B':'");
    ddb_text_base64(&body, (struct larder_bytes){op->value.ptr + slot->i * DDB_CHUNK_BYTES, len});
    ddb_text_json(&body, "'}}}");
    ddb_slot_call(slot, "PutItem", &body, fn);
}

static void call_on_chunk(struct ddb_slot *slot, const struct ddb_chunks *c, const char *operation,
                          const char *rest, ddb_reply_fn *fn) {
    const struct ddb *d = slot->fan->task->d;
    struct ddb_text body = {0};
    struct chunk_name name;
    name_chunk(c, slot->i, &name);
    ddb_text_begin(&body, &d->names);
    ddb_text_key_of(&body, d, &name.name);
    ddb_text_json(&body, rest);
    ddb_slot_call(slot, operation, &body, fn);
}

void ddb_chunk_read(struct ddb_slot *slot, const struct ddb_chunks *c, bool consistent, ddb_reply_fn *fn) {
    call_on_chunk(slot, c, "GetItem",
                  consistent ? ",'ProjectionExpression':'v','ConsistentRead':true}"
                             : ",'ProjectionExpression':'v'}",
                  fn);
}

void ddb_chunk_delete(struct ddb_slot *slot, const struct ddb_chunks *c, ddb_reply_fn *fn) {
    call_on_chunk(slot, c, "DeleteItem", "}", fn);
}
