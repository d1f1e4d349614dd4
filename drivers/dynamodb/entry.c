/*
 * Entries.  The head is one item: the value, or the name of the chunks that it lies in.  It changes in
 * one step, so a reader sees the old entry or the new one.
 */
#include <string.h>

#include "base64.h"
#include "ddb.h"

enum {
    MOST_LOOKS = 8 /* at a head that others replace meanwhile, again and again */
};

/* ---- the head ---------------------------------------------------------------------------------------- */

static struct ddb_name head_name(const struct larder_op *op) {
    return (struct ddb_name){.kind = DDB_ENTRY, .key = op->key};
}

/* What a write has to know of a head: all but the value. */
static int32_t look_at_head(struct ddb_task *task, ddb_reply_fn *fn) {
    struct ddb_text body = {0};
    struct ddb_name name = head_name(task->op);
    ddb_text_begin(&body, &task->d->names);
    ddb_text_key_of(&body, task->d, &name);
    ddb_text_json(&body, ",'ProjectionExpression':'e,x,g,n,l','ConsistentRead':true}");
    return ddb_call(task->d, task->op, "GetItem", &body, fn, task);
}

/* ---- get --------------------------------------------------------------------------------------------- */

struct get {
    struct ddb_task task;
    struct ddb_fan fan;
    struct ddb_chunks chunks;
    uint32_t looks;
    bool lost; /* a chunk is not there: the entry has been replaced, or worse */
    struct larder_slice value;
    uint8_t *bytes; /* of it, to write into */
};

static void end_get(struct get *get, int32_t status) {
    if (status == LARDER_OK)
        get->task.res.value = get->value;
    else
        get->task.d->host->buf_unref(get->value.owner);
    ddb_task_end(&get->task, status);
}

static void drop_value(struct get *get) {
    get->task.d->host->buf_unref(get->value.owner);
    get->value = (struct larder_slice){0};
}

static void read_head(struct get *get);

/* Straight from the reply into the buffer that the core will own. */
static int32_t decode(struct ddb_task *task, struct larder_bytes raw, size_t len, uint8_t *to) {
    size_t size;
    if (!ddb_base64_size(raw, &size) || size != len || !ddb_base64_decode(raw, to))
        return ddb_task_refused(task, LARDER_CORRUPT, "the value in the table cannot be decoded");
    return LARDER_OK;
}

static void on_chunks(struct ddb_fan *fan) {
    struct get *get = (struct get *)fan->task;
    if (fan->status != LARDER_OK) {
        end_get(get, fan->status);
    } else if (!get->lost) {
        end_get(get, LARDER_OK);
    } else if (get->looks < MOST_LOOKS) {
        drop_value(get);
        read_head(get);
    } else {
        end_get(get, ddb_task_refused(fan->task, LARDER_RETRY, "the entry was replaced again and again"));
    }
}

/* Chunks never change, so one that is found is right, also by a read that may lag and costs half; one
 * that is not found is looked for again by a read that may not. */
static void on_chunk(void *arg, const struct ddb_reply *reply) {
    enum { LAGGING, CONSISTENT };
    struct ddb_slot *slot = arg;
    struct get *get = (struct get *)slot->fan->task;
    struct ddb_item item;
    bool there;
    if (reply->status != LARDER_OK) {
        ddb_slot_fail(slot, reply);
    } else if (!ddb_reply_item(reply->body, "Item", &item, &there)) {
        ddb_slot_end(slot, ddb_task_unreadable(slot->fan->task, reply->body));
    } else if (!there && slot->step == LAGGING) {
        slot->step = CONSISTENT;
        ddb_chunk_read(slot, &get->chunks, true, on_chunk);
    } else {
        int32_t status = LARDER_OK;
        if (there)
            status = decode(&get->task, item.value, ddb_chunk_len(&get->chunks, slot->i),
                            get->bytes + slot->i * DDB_CHUNK_BYTES);
        else
            get->lost = true;
        ddb_slot_end(slot, status);
    }
}

static void start_chunk(struct ddb_slot *slot) {
    struct get *get = (struct get *)slot->fan->task;
    if (get->lost) /* the others are of no use any more */
        ddb_slot_done(slot);
    else
        ddb_chunk_read(slot, &get->chunks, false, on_chunk);
}

static void read_chunks(struct get *get, const struct ddb_item *head) {
    struct ddb_chunks chunks;
    const struct larder_host *host = get->task.d->host;
    if (!ddb_chunks_of(head, &chunks)) {
        end_get(get, ddb_task_refused(&get->task, LARDER_CORRUPT, "the table holds a head of no known form"));
        return;
    }
    if (get->lost && ddb_chunks_same(&chunks, &get->chunks)) {
        end_get(get, ddb_task_refused(&get->task, LARDER_CORRUPT, "a part of the value is not in the table"));
        return;
    }
    get->bytes = host->buf_new(chunks.length, &get->value);
    if (!get->bytes) {
        get->value = (struct larder_slice){0};
        end_get(get, LARDER_NOMEM);
        return;
    }
    get->chunks = chunks;
    get->lost = false;
    ddb_fan_run(&get->fan, &get->task, chunks.n, start_chunk, on_chunks);
}

/* The whole value is in the head. */
static int32_t read_value(struct get *get, const struct ddb_item *head) {
    size_t len;
    if (!ddb_base64_size(head->value, &len) || !head->has_value)
        return ddb_task_refused(&get->task, LARDER_CORRUPT, "the table holds a head without a value");
    if (len == 0)
        return LARDER_OK;
    get->bytes = get->task.d->host->buf_new(len, &get->value);
    if (!get->bytes) {
        get->value = (struct larder_slice){0};
        return LARDER_NOMEM;
    }
    return decode(&get->task, head->value, len, get->bytes);
}

static void on_head(void *arg, const struct ddb_reply *reply) {
    struct get *get = arg;
    struct ddb_item head;
    bool there;
    if (reply->status != LARDER_OK) {
        end_get(get, ddb_task_failed(&get->task, reply));
        return;
    }
    if (!ddb_reply_item(reply->body, "Item", &head, &there)) {
        end_get(get, ddb_task_unreadable(&get->task, reply->body));
        return;
    }
    if (!there || ddb_item_expired(&head, get->task.op->now_ms)) {
        end_get(get, LARDER_MISS);
        return;
    }
    get->task.res.modified_ms = head.modified_ms;
    get->task.res.epoch = head.epoch;
    if (head.generation.len > 0)
        read_chunks(get, &head);
    else
        end_get(get, read_value(get, &head));
}

static void read_head(struct get *get) {
    struct ddb_task *task = &get->task;
    struct ddb_text body = {0};
    struct ddb_name name = head_name(task->op);
    get->looks++;
    ddb_text_begin(&body, &task->d->names);
    ddb_text_key_of(&body, task->d, &name);
    ddb_text_json(&body, ",'ConsistentRead':true}");
    int32_t status = ddb_call(task->d, task->op, "GetItem", &body, on_head, get);
    if (status != LARDER_OK)
        end_get(get, status);
}

void ddb_get(void *instance, struct larder_op *op) {
    struct get *get;
    if (ddb_accepts(instance, op, 0) && (get = ddb_task_new(instance, op, sizeof(*get))))
        read_head(get);
}

/* ---- put and remove ---------------------------------------------------------------------------------- */

/*
 * Both write the head under a condition that no look is needed for, as long as what they replace has
 * no chunks: then there is nothing to tidy up.  Where the condition does not hold, they look why, and
 * try again under one that fits: that the head is still the one whose chunks they then delete.
 */
struct change {
    struct ddb_task task;
    struct ddb_fan fan;
    bool removing;
    bool chunked; /* the value of this put goes into chunks ... */
    bool written; /* ... which are in the table */
    uint32_t looks;
    struct ddb_text seen; /* the raw generation of the head with chunks that is replaced */
    bool leaves_old;      /* ... and these are to go once it is */
    struct ddb_chunks old, own;
    const struct ddb_chunks *going; /* being deleted ... */
    int32_t status;                 /* ... and what is answered then */
};

static void write_head(struct change *change);
static void look(struct change *change);

static void end_change(struct change *change, int32_t status) {
    ddb_text_done(&change->seen);
    ddb_task_end(&change->task, status);
}

/* Chunks that nobody reads any more.  If that fails, they stay until their time is up. */
static void on_tidied(struct ddb_fan *fan) {
    struct change *change = (struct change *)fan->task;
    end_change(change, change->status);
}

static void on_chunk_deleted(void *arg, const struct ddb_reply *reply) {
    (void)reply;
    ddb_slot_done(arg);
}

static void delete_chunk(struct ddb_slot *slot) {
    ddb_chunk_delete(slot, ((struct change *)slot->fan->task)->going, on_chunk_deleted);
}

static void tidy(struct change *change, int32_t status, const struct ddb_chunks *chunks) {
    change->going = chunks;
    change->status = status;
    change->fan.window = ddb_write_window(change->task.d);
    ddb_fan_run(&change->fan, &change->task, chunks->n, delete_chunk, on_tidied);
}

/* The head was not changed, so this put's own chunks are nobody's. */
static void leave(struct change *change, int32_t status) {
    if (change->written)
        tidy(change, status, &change->own);
    else
        end_change(change, status);
}

static void on_head_written(void *arg, const struct ddb_reply *reply) {
    struct change *change = arg;
    if (reply->status == DDB_CONDITION)
        look(change);
    else if (reply->status != LARDER_OK) /* it may be in the table, so its chunks stay */
        end_change(change, ddb_task_failed(&change->task, reply));
    else if (change->leaves_old)
        tidy(change, LARDER_OK, &change->old);
    else
        end_change(change, LARDER_OK);
}

/* ,'ConditionExpression':...,'ExpressionAttributeValues':{...}} - what is over counts as absent. */
static void text_condition(struct ddb_text *t, const struct change *change) {
    const struct larder_op *op = change->task.op;
    if (change->seen.len > 0) {
        ddb_text_json(t, ",'ConditionExpression':'g = :g','ExpressionAttributeValues':{':g':{'S':'");
        ddb_text_add(t, (struct larder_bytes){change->seen.ptr, change->seen.len});
        ddb_text_json(t, "'}}}");
    } else if (change->removing) {
        ddb_text_json(t, ",'ConditionExpression':'attribute_not_exists(g)'}");
    } else if (op->flags & LARDER_IF_ABSENT) {
        ddb_text_json(t, ",'ConditionExpression':"
                         "'attribute_not_exists(e) OR (attribute_not_exists(g) AND x <= :now)',"
                         "'ExpressionAttributeValues':{");
        ddb_text_n(t, ":now", op->now_ms);
        ddb_text_json(t, "}}");
    } else {
        ddb_text_json(t, ",'ConditionExpression':'attribute_not_exists(e) OR "
                         "(attribute_not_exists(g) AND (e <= :e OR x <= :now))',"
                         "'ExpressionAttributeValues':{");
        ddb_text_n(t, ":e", op->epoch);
        ddb_text_json(t, ",");
        ddb_text_n(t, ":now", op->now_ms);
        ddb_text_json(t, "}}");
    }
}

static void text_item(struct ddb_text *t, const struct change *change) {
    const struct larder_op *op = change->task.op;
    const struct ddb_names *names = &change->task.d->names;
    struct ddb_name name = head_name(op);
    int64_t expiry_ms = ddb_expiry_ms(op->now_ms, op->ttl_ms);
    ddb_text_json(t, ",'Item':{");
    ddb_text_key(t, names, &name);
    ddb_text_json(t, ",");
    ddb_text_index_key(t, names, &name, ddb_shard_of(names, op->key), "");
    ddb_text_json(t, ",");
    ddb_text_n(t, "m", op->modified_ms);
    ddb_text_json(t, ",");
    ddb_text_n(t, "e", op->epoch);
    if (expiry_ms != LARDER_UNSET) {
        ddb_text_json(t, ",");
        ddb_text_n(t, "x", expiry_ms);
        ddb_text_json(t, ",");
        ddb_text_n(t, "expiresAt", ddb_seconds(expiry_ms));
    }
    if (change->chunked) {
        ddb_text_json(t, ",'g':{'S':'");
        ddb_text_add(t, ddb_chunks_generation(&change->own));
        ddb_text_json(t, "'},");
        ddb_text_n(t, "n", (int64_t)change->own.n);
        ddb_text_json(t, ",");
        ddb_text_n(t, "l", (int64_t)change->own.length);
    } else {
        ddb_text_json(t, ",'v':{'B':'");
        ddb_text_base64(t, (struct larder_bytes){op->value.ptr, op->value.len});
        ddb_text_json(t, "'}");
    }
    ddb_text_json(t, "}");
}

static void write_head(struct change *change) {
    struct ddb_task *task = &change->task;
    struct ddb_text body = {0};
    struct ddb_name name = head_name(task->op);
    if (!change->removing && !change->chunked)
        ddb_text_reserve(&body, ddb_base64_len(task->op->value.len) + 4096);
    ddb_text_begin(&body, &task->d->names);
    if (change->removing)
        ddb_text_key_of(&body, task->d, &name);
    else
        text_item(&body, change);
    text_condition(&body, change);
    int32_t status = ddb_call(task->d, task->op, change->removing ? "DeleteItem" : "PutItem", &body,
                              on_head_written, change);
    if (status != LARDER_OK)
        leave(change, status);
}

static void on_chunks_written(struct ddb_fan *fan) {
    struct change *change = (struct change *)fan->task;
    change->written = true;
    if (fan->status == LARDER_OK)
        write_head(change);
    else
        leave(change, fan->status);
}

static void on_chunk_written(void *arg, const struct ddb_reply *reply) {
    if (reply->status == LARDER_OK)
        ddb_slot_done(arg);
    else
        ddb_slot_fail(arg, reply);
}

static void write_chunk(struct ddb_slot *slot) {
    ddb_chunk_write(slot, &((struct change *)slot->fan->task)->own, on_chunk_written);
}

/* Whether the entry that is there stays, and what is answered then. */
static bool stays(const struct larder_op *op, const struct ddb_item *head, int32_t *ret_status) {
    if (ddb_item_expired(head, op->now_ms))
        return false;
    *ret_status = op->flags & LARDER_IF_ABSENT ? LARDER_MISS : LARDER_OK;
    return (op->flags & LARDER_IF_ABSENT) || head->epoch > op->epoch; /* LARDER_NEWEST */
}

static void on_look(void *arg, const struct ddb_reply *reply) {
    struct change *change = arg;
    struct ddb_task *task = &change->task;
    struct ddb_item head;
    bool there;
    int32_t status;
    if (reply->status != LARDER_OK) {
        leave(change, ddb_task_failed(task, reply));
        return;
    }
    if (!ddb_reply_item(reply->body, "Item", &head, &there)) {
        leave(change, ddb_task_unreadable(task, reply->body));
        return;
    }
    if (there && !change->removing && stays(task->op, &head, &status)) {
        leave(change, status);
        return;
    }
    change->seen.len = 0;
    if (there)
        ddb_text_add(&change->seen, head.generation);
    if (change->seen.failed) {
        leave(change, LARDER_NOMEM);
        return;
    }
    change->leaves_old = there && ddb_chunks_of(&head, &change->old); /* else it is of no known form */
    change->fan.window = ddb_write_window(task->d);
    if (change->chunked && !change->written)
        ddb_fan_run(&change->fan, task, change->own.n, write_chunk, on_chunks_written);
    else
        write_head(change);
}

static void look(struct change *change) {
    if (change->looks++ < MOST_LOOKS)
        look_at_head(&change->task, on_look);
    else
        leave(change,
              ddb_task_refused(&change->task, LARDER_RETRY, "the entry was replaced again and again"));
}

void ddb_put(void *instance, struct larder_op *op) {
    struct ddb *d = instance;
    struct change *change;
    if (!ddb_accepts(d, op, LARDER_IF_ABSENT))
        return;
    if (op->value.len > DDB_MAX_VALUE) {
        ddb_answer(d, op, LARDER_TOO_BIG, "the value is larger than 20 MB");
        return;
    }
    if (!(change = ddb_task_new(d, op, sizeof(*change))))
        return;
    change->chunked = op->value.len > DDB_CHUNK_BYTES;
    if (change->chunked) {
        ddb_chunks_new(d, op->value.len, &change->own);
        look(change); /* before all that is sent */
    } else {
        write_head(change);
    }
}

void ddb_remove(void *instance, struct larder_op *op) {
    struct change *change;
    if (!ddb_accepts(instance, op, 0) || !(change = ddb_task_new(instance, op, sizeof(*change))))
        return;
    change->removing = true;
    write_head(change);
}
