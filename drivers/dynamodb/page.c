/*
 * Everything that comes in pages: keys by their beginning, keys of a tag, marks by their beginning.
 * Each is spread over the shards of the index, which are walked one after the other.  The cursor is the
 * place in that walk - two hex digits for the shard, then the last sort key of it that was seen - and
 * all of the key that DynamoDB wants to go on from can be made from it.
 */
#include <string.h>

#include "ddb.h"

enum {
    MOST_RECORDS = 1000, /* in one page */
    MOST_QUERIES = 64    /* for one page, however little they bring */
};

struct walk {
    struct ddb_task task;
    struct ddb_fan fan;
    enum ddb_kind kind;
    struct larder_bytes begins; /* what keys or tags are to begin with */
    size_t utf8_len;            /* of it, as far as DynamoDB can be asked */
    uint32_t shard;
    bool has_last; /* in this shard: */
    uint8_t last[DDB_MAX_NAME];
    size_t last_len;
    uint64_t left; /* records to emit */
    uint32_t queries;
    bool shard_ended;
    struct ddb_text keys; /* of marks that were found, a JSON array */
};

static void query(struct walk *walk);

static void end_walk(struct walk *walk, int32_t status) {
    ddb_text_done(&walk->keys);
    ddb_task_end(&walk->task, status);
}

/* What the index says of the name: in the shard where it was found, which need not be the one where it
 * would be written now. */
static struct ddb_name name_in(const struct walk *walk, struct larder_bytes key) {
    struct ddb_name name = {.kind = walk->kind, .key = key};
    if (walk->kind == DDB_LINK)
        name.tag = walk->task.op->key;
    return name;
}

static int32_t make_cursor(struct walk *walk) {
    struct larder_slice *cursor = &walk->task.res.cursor;
    size_t len = walk->has_last ? 3 + walk->last_len : 2;
    uint8_t *to = walk->task.d->host->buf_new(len, cursor);
    if (!to) {
        *cursor = (struct larder_slice){0};
        return LARDER_NOMEM;
    }
    ddb_shard_digits(walk->shard, to);
    if (walk->has_last) {
        to[2] = '#';
        memcpy(to + 3, walk->last, walk->last_len);
    }
    return LARDER_OK;
}

/* False: this driver, set up like this, never made it. */
static bool take_cursor(struct walk *walk, struct larder_bytes cursor) {
    if (cursor.len == 0)
        return true;
    if (cursor.len < 2 || !ddb_shard_parse(&walk->task.d->names, cursor.ptr, &walk->shard))
        return false;
    if (cursor.len == 2)
        return true;
    struct larder_bytes last = {cursor.ptr + 3, cursor.len - 3};
    if (cursor.ptr[2] != '#' || last.len > DDB_MAX_NAME || ddb_utf8_len(last) < last.len)
        return false;
    if (last.len > 0)
        memcpy(walk->last, last.ptr, last.len);
    walk->last_len = last.len;
    walk->has_last = true;
    return true;
}

/* One query is over, and what it found is emitted. */
static void go_on(struct walk *walk) {
    if (walk->shard_ended) {
        walk->shard++;
        walk->has_last = false;
    }
    if (walk->shard == walk->task.d->names.shards)
        end_walk(walk, LARDER_OK);
    else if (walk->left == 0 || ++walk->queries == MOST_QUERIES)
        end_walk(walk, make_cursor(walk));
    else
        query(walk);
}

/* ---- marks: the index tells which tags have one, the table what it says ---------------------------------- */

static int32_t emit_marks(struct ddb_slot *slot, struct larder_bytes items) {
    struct walk *walk = (struct walk *)slot->fan->task;
    struct ddb_json j = ddb_json_of(items);
    struct ddb_item item;
    uint8_t room[DDB_MAX_NAME];
    for (bool first = ddb_json_enter(&j, '['); ddb_json_element(&j, &first);) {
        struct larder_bytes tag;
        if (!ddb_item_read(&j, &item) || !ddb_item_sort_text(item.gs, room, &tag))
            return ddb_task_refused(&walk->task, LARDER_CORRUPT, "the table holds a mark of no known form");
        const struct larder_mark mark = ddb_item_mark(&item, tag);
        int32_t status = walk->task.d->host->emit_mark(walk->task.op, &mark);
        if (status != LARDER_OK)
            return status;
        if (walk->left > 0)
            walk->left--;
    }
    return LARDER_OK;
}

static void on_marks(struct ddb_fan *fan) {
    struct walk *walk = (struct walk *)fan->task;
    if (fan->status == LARDER_OK)
        go_on(walk);
    else
        end_walk(walk, fan->status);
}

static void read_marks(struct ddb_slot *slot) {
    struct walk *walk = (struct walk *)slot->fan->task;
    struct ddb_text keys = walk->keys;
    walk->keys = (struct ddb_text){0};
    ddb_text_json(&keys, "]");
    ddb_batch(slot, &keys);
}

/* ---- queries ------------------------------------------------------------------------------------------------ */

static int32_t take_record(struct walk *walk, struct larder_bytes name) {
    if (walk->kind != DDB_MARK) {
        walk->left--;
        return walk->task.d->host->emit_key(walk->task.op, name);
    }
    const struct ddb_name mark = name_in(walk, name);
    ddb_text_json(&walk->keys, walk->keys.len == 0 ? "[{" : ",{");
    ddb_text_key(&walk->keys, &walk->task.d->names, &mark);
    ddb_text_json(&walk->keys, "}");
    return LARDER_OK;
}

static bool begins_with(struct larder_bytes name, struct larder_bytes begin) {
    return begin.len == 0 || (name.len >= begin.len && memcmp(name.ptr, begin.ptr, begin.len) == 0);
}

static int32_t take_page(struct walk *walk, const struct ddb_page *page) {
    struct ddb_json j = ddb_json_of(page->items);
    struct ddb_item item;
    struct larder_bytes name;
    uint8_t room[DDB_MAX_NAME];
    for (bool first = ddb_json_enter(&j, '['); ddb_json_element(&j, &first);) {
        if (!ddb_item_read(&j, &item) || !ddb_item_sort_text(item.gs, room, &name))
            return ddb_task_refused(&walk->task, LARDER_CORRUPT, "the index holds an item of no known form");
        if (walk->left == 0) /* more than was asked for */
            return ddb_task_refused(&walk->task, LARDER_RETRY, "the answer is none of DynamoDB's");
        if (!begins_with(name, walk->begins) || ddb_item_expired(&item, walk->task.op->now_ms))
            continue;
        int32_t status = take_record(walk, name);
        if (status != LARDER_OK)
            return status;
    }
    walk->shard_ended = !page->has_more;
    if (!page->has_more)
        return LARDER_OK;
    if (!ddb_item_sort_text(page->last.gs, walk->last, &name))
        return ddb_task_refused(&walk->task, LARDER_CORRUPT, "the index holds an item of no known form");
    walk->last_len = name.len;
    walk->has_last = true;
    return LARDER_OK;
}

static void on_query(void *arg, const struct ddb_reply *reply) {
    struct walk *walk = arg;
    struct ddb_page page;
    int32_t status;
    if (reply->status != LARDER_OK)
        status = ddb_task_failed(&walk->task, reply);
    else if (!ddb_reply_page(reply->body, &page))
        status = ddb_task_unreadable(&walk->task, reply->body);
    else
        status = take_page(walk, &page);
    if (status != LARDER_OK) {
        end_walk(walk, status);
    } else if (walk->keys.len > 0 || walk->keys.failed) {
        walk->fan.items = emit_marks;
        ddb_fan_run(&walk->fan, &walk->task, 1, read_marks, on_marks);
    } else {
        go_on(walk);
    }
}

static void query(struct walk *walk) {
    struct ddb_task *task = &walk->task;
    const struct ddb_names *names = &task->d->names;
    const struct ddb_name in_shard = name_in(walk, (struct larder_bytes){0});
    uint64_t most = walk->kind == DDB_MARK && walk->left > DDB_BATCH_GET ? DDB_BATCH_GET : walk->left;
    struct ddb_text body = {0};
    ddb_text_begin(&body, &task->d->names);
    ddb_text_json(&body, ",'IndexName':'larder','KeyConditionExpression':'gk = :gk AND begins_with(gs, :gs)',"
                         "'ProjectionExpression':'gs,x','ExpressionAttributeValues':{':gk':{'S':'");
    ddb_text_shard(&body, names, &in_shard, walk->shard);
    ddb_text_json(&body, "'},':gs':{'S':'#");
    ddb_text_escaped(&body, (struct larder_bytes){walk->begins.ptr, walk->utf8_len});
    ddb_text_json(&body, "'}},'Limit':");
    ddb_text_number(&body, (int64_t)most);
    if (walk->has_last) {
        const struct ddb_name last = name_in(walk, (struct larder_bytes){walk->last, walk->last_len});
        ddb_text_json(&body, ",'ExclusiveStartKey':{");
        ddb_text_key(&body, names, &last);
        ddb_text_json(&body, ",");
        ddb_text_index_key(&body, names, &last, walk->shard, "");
        ddb_text_json(&body, "}");
    }
    ddb_text_json(&body, "}");
    int32_t status = ddb_call(task->d, task->op, "Query", &body, on_query, walk);
    if (status != LARDER_OK)
        end_walk(walk, status);
}

/* ---- ops ------------------------------------------------------------------------------------------------------ */

/* A beginning may end within a character: DynamoDB is asked for what stands before it. */
static void begin_walk(struct ddb *d, struct larder_op *op, enum ddb_kind kind, struct larder_bytes begins) {
    struct walk *walk;
    if (begins.len > DDB_MAX_NAME) { /* as no name is */
        ddb_answer(d, op, LARDER_OK, NULL);
        return;
    }
    if (!(walk = ddb_task_new(d, op, sizeof(*walk))))
        return;
    walk->kind = kind;
    walk->begins = begins;
    walk->utf8_len = ddb_utf8_len(begins);
    walk->left = op->limit > 0 && op->limit < MOST_RECORDS ? op->limit : MOST_RECORDS;
    if (take_cursor(walk, op->cursor))
        query(walk);
    else
        end_walk(walk, ddb_task_refused(&walk->task, LARDER_INVALID, "the cursor is none of this driver's"));
}

static bool accepts_flags(struct ddb *d, struct larder_op *op) {
    if (op->flags == 0)
        return true;
    ddb_answer(d, op, LARDER_UNSUPPORTED, NULL);
    return false;
}

void ddb_list(void *instance, struct larder_op *op) {
    if (accepts_flags(instance, op))
        begin_walk(instance, op, DDB_ENTRY, op->key);
}

void ddb_list_marks(void *instance, struct larder_op *op) {
    if (accepts_flags(instance, op))
        begin_walk(instance, op, DDB_MARK, op->key);
}

void ddb_keys_of(void *instance, struct larder_op *op) {
    if (ddb_accepts(instance, op, 0))
        begin_walk(instance, op, DDB_LINK, (struct larder_bytes){0});
}
