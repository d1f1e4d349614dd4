/* Claims: advice, who renders what.  One item that is over by itself. */
#include "base64.h"
#include "ddb.h"

static void on_taken(void *arg, const struct ddb_reply *reply) {
    struct ddb_task *task = arg;
    if (reply->status == LARDER_OK)
        ddb_task_end(task, LARDER_OK);
    else if (reply->status == DDB_CONDITION)
        ddb_task_end(task, LARDER_MISS); /* somebody else holds it */
    else
        ddb_task_end(task, ddb_task_failed(task, reply));
}

static void text_owner(struct ddb_text *t, const char *name, const struct larder_op *op) {
    ddb_text_json(t, "'");
    ddb_text_json(t, name);
    ddb_text_json(t, "':{'B':'");
    ddb_text_base64(t, (struct larder_bytes){op->value.ptr, op->value.len});
    ddb_text_json(t, "'}");
}

/* Whoever holds it may take it again: the first answer may have been lost. */
void ddb_claim(void *instance, struct larder_op *op) {
    struct ddb *d = instance;
    struct ddb_task *task;
    if (!ddb_accepts(d, op, 0) || !(task = ddb_task_new(d, op, sizeof(*task))))
        return;
    const struct ddb_name name = {.kind = DDB_CLAIM, .key = op->key};
    int64_t expiry_ms = ddb_expiry_ms(op->now_ms, op->ttl_ms);
    struct ddb_text body = {0};
    ddb_text_begin(&body, &d->names);
    ddb_text_json(&body, ",'Item':{");
    ddb_text_key(&body, &d->names, &name);
    ddb_text_json(&body, ",");
    text_owner(&body, "o", op);
    if (expiry_ms != LARDER_UNSET) {
        ddb_text_json(&body, ",");
        ddb_text_n(&body, "x", expiry_ms);
        ddb_text_json(&body, ",");
        ddb_text_n(&body, "expiresAt", ddb_seconds(expiry_ms));
    }
    ddb_text_json(&body, "},'ConditionExpression':'attribute_not_exists(o) OR x <= :now OR o = :o',"
                         "'ExpressionAttributeValues':{");
    ddb_text_n(&body, ":now", op->now_ms);
    ddb_text_json(&body, ",");
    text_owner(&body, ":o", op);
    ddb_text_json(&body, "}}");
    ddb_task_call(task, "PutItem", &body, on_taken);
}

static void on_given_back(void *arg, const struct ddb_reply *reply) {
    struct ddb_task *task = arg;
    bool ok = reply->status == LARDER_OK || reply->status == DDB_CONDITION; /* not this owner's: it stays */
    ddb_task_end(task, ok ? LARDER_OK : ddb_task_failed(task, reply));
}

void ddb_release(void *instance, struct larder_op *op) {
    struct ddb *d = instance;
    struct ddb_task *task;
    if (!ddb_accepts(d, op, 0) || !(task = ddb_task_new(d, op, sizeof(*task))))
        return;
    const struct ddb_name name = {.kind = DDB_CLAIM, .key = op->key};
    struct ddb_text body = {0};
    ddb_text_begin(&body, &d->names);
    ddb_text_key_of(&body, d, &name);
    ddb_text_json(&body, ",'ConditionExpression':'o = :o','ExpressionAttributeValues':{");
    text_owner(&body, ":o", op);
    ddb_text_json(&body, "}}");
    ddb_task_call(task, "DeleteItem", &body, on_given_back);
}
