/* Batches: DynamoDB does as much of one as it likes, and says what is left.  That is sent again, after
 * a while, until nothing is left or the op's time is up. */
#include "ddb.h"

static void send_batch(struct ddb_slot *slot);

static void on_batch(void *arg, const struct ddb_reply *reply) {
    struct ddb_slot *slot = arg;
    struct ddb_fan *fan = slot->fan;
    struct ddb_batch_reply batch;
    if (reply->status != LARDER_OK) {
        ddb_slot_fail(slot, reply);
        return;
    }
    if (!ddb_reply_batch(reply->body, &batch)) {
        ddb_slot_end(slot, ddb_task_unreadable(slot->fan->task, reply->body));
        return;
    }
    int32_t status = fan->items ? fan->items(slot, batch.items) : LARDER_OK;
    if (status != LARDER_OK || !ddb_array_has_any(batch.left)) {
        ddb_slot_end(slot, status);
        return;
    }
    slot->left.len = 0;
    ddb_text_add(&slot->left, batch.left);
    ddb_slot_wait(slot, send_batch, "DynamoDB did no more than a part of it until the deadline");
}

/* Consistency is asked for each time anew: what the reply says about it is not believed. */
static void send_batch(struct ddb_slot *slot) {
    const struct ddb_fan *fan = slot->fan;
    struct ddb_text body = {.failed = slot->left.failed};
    ddb_text_json(&body, "{'RequestItems':{'");
    ddb_text_json(&body, fan->task->d->names.table);
    ddb_text_json(&body, fan->items ? "':{'ConsistentRead':true,'Keys':" : "':");
    ddb_text_add(&body, (struct larder_bytes){slot->left.ptr, slot->left.len});
    ddb_text_json(&body, fan->items ? "}}}" : "}}");
    ddb_slot_call(slot, fan->items ? "BatchGetItem" : "BatchWriteItem", &body, on_batch);
}

void ddb_batch(struct ddb_slot *slot, struct ddb_text *array) {
    slot->left = *array;
    send_batch(slot);
}
