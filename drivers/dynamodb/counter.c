/*
 * Counters: one item each, raised by conditional updates of that item, which DynamoDB does one after
 * another.  max(stored + add, now) is no expression of DynamoDB's, so it is told apart by a condition:
 *
 *     SET_TIME  c = now        if there is no c, or c < now - add
 *     RAISE     c = c + add    if c >= now - add
 *
 * For any stored c exactly one of them holds, and what it does is right.  A counter is usually behind
 * the clock, or just ahead of it after a burst; what this instance last saw tells which to try first.
 * Where the first fails, the other succeeds, unless another process raised the counter in between,
 * and then the first does, for a counter never goes down.
 */
#include "ddb.h"

enum { SET_TIME, RAISE, SATURATE, N_STEPS, MOST_ATTEMPTS = 12 };

/* LARDER_NEW_EPOCH, the greatest number of all, means something else. */
static const int64_t greatest = LARDER_NEW_EPOCH - 1;

struct advance {
    struct ddb_task task;
    uint32_t step;
    uint32_t attempts;
};

static struct ddb_name counter_name(const struct larder_op *op) {
    return (struct ddb_name){.kind = DDB_COUNTER, .key = op->key};
}

static int64_t minus(int64_t a, int64_t b) { /* b >= 0 */
    int64_t difference;
    return __builtin_sub_overflow(a, b, &difference) ? INT64_MIN : difference;
}

/* Ends the task with the counter that the reply tells; false: it tells none. */
static bool end_with_counter(struct ddb_task *task, const struct ddb_reply *reply, const char *member) {
    struct ddb_item item;
    bool there;
    if (!ddb_reply_item(reply->body, member, &item, &there)) {
        ddb_task_end(task, ddb_task_unreadable(task, reply->body));
        return true;
    }
    if (!there || item.counter == LARDER_UNSET)
        return false;
    if (item.counter > task->d->seen_epoch)
        task->d->seen_epoch = item.counter;
    task->res.epoch = item.counter;
    ddb_task_end(task, LARDER_OK);
    return true;
}

/* ---- raising ------------------------------------------------------------------------------------------- */

static void raise_counter(struct advance *advance);

static void on_raised(void *arg, const struct ddb_reply *reply) {
    struct advance *advance = arg;
    struct ddb_task *task = &advance->task;
    if (reply->status == DDB_CONDITION && ++advance->attempts < MOST_ATTEMPTS) {
        advance->step = (advance->step + 1) % N_STEPS;
        raise_counter(advance);
    } else if (reply->status == DDB_CONDITION) {
        ddb_task_end(task, ddb_task_refused(task, LARDER_RETRY, "the counter changes under every attempt"));
    } else if (reply->status != LARDER_OK) {
        ddb_task_end(task, ddb_task_failed(task, reply));
    } else if (!end_with_counter(task, reply, "Attributes")) {
        ddb_task_end(task, ddb_task_unreadable(task, reply->body));
    }
}

static void raise_counter(struct advance *advance) {
    static const char *const expressions[N_STEPS] = {
        [SET_TIME] = "'SET c = :new','ConditionExpression':'attribute_not_exists(c) OR c < :floor'",
        [RAISE] = "'SET c = c + :add','ConditionExpression':'c >= :floor AND c <= :top'",
        [SATURATE] = "'SET c = :new','ConditionExpression':'c > :top'",
    };
    struct ddb_task *task = &advance->task;
    const struct larder_op *op = task->op;
    const struct ddb_name name = counter_name(op);
    struct ddb_text body = {0};
    ddb_text_begin(&body, &task->d->names);
    ddb_text_key_of(&body, task->d, &name);
    ddb_text_json(&body, ",'ReturnValues':'UPDATED_NEW','UpdateExpression':");
    ddb_text_json(&body, expressions[advance->step]);
    ddb_text_json(&body, ",'ExpressionAttributeValues':{");
    if (advance->step == RAISE)
        ddb_text_n(&body, ":add", op->add);
    else
        ddb_text_n(&body, ":new",
                   advance->step == SATURATE ? greatest : larder_merge_max(op->now_ms, op->add));
    if (advance->step != SATURATE) {
        ddb_text_json(&body, ",");
        ddb_text_n(&body, ":floor", minus(op->now_ms, op->add));
    }
    if (advance->step != SET_TIME) {
        ddb_text_json(&body, ",");
        ddb_text_n(&body, ":top", greatest - op->add);
    }
    ddb_text_json(&body, "}}");
    ddb_task_call(task, "UpdateItem", &body, on_raised);
}

/* ---- looking ------------------------------------------------------------------------------------------- */

static void on_created(void *arg, const struct ddb_reply *reply) {
    struct ddb_task *task = arg;
    if (reply->status != LARDER_OK)
        ddb_task_end(task, ddb_task_failed(task, reply));
    else if (!end_with_counter(task, reply, "Attributes"))
        ddb_task_end(task, ddb_task_unreadable(task, reply->body));
}

/* Whoever comes first creates it; all are told the same number. */
static void create_counter(struct ddb_task *task) {
    const struct ddb_name name = counter_name(task->op);
    struct ddb_text body = {0};
    ddb_text_begin(&body, &task->d->names);
    ddb_text_key_of(&body, task->d, &name);
    ddb_text_json(&body, ",'ReturnValues':'UPDATED_NEW','UpdateExpression':'SET c = if_not_exists(c, :now)',"
                         "'ExpressionAttributeValues':{");
    ddb_text_n(&body, ":now", task->op->now_ms);
    ddb_text_json(&body, "}}");
    ddb_task_call(task, "UpdateItem", &body, on_created);
}

static void on_looked(void *arg, const struct ddb_reply *reply) {
    struct ddb_task *task = arg;
    if (reply->status != LARDER_OK)
        ddb_task_end(task, ddb_task_failed(task, reply));
    else if (!end_with_counter(task, reply, "Item"))
        create_counter(task);
}

static void look_at_counter(struct ddb_task *task) {
    const struct ddb_name name = counter_name(task->op);
    struct ddb_text body = {0};
    ddb_text_begin(&body, &task->d->names);
    ddb_text_key_of(&body, task->d, &name);
    ddb_text_json(&body, ",'ProjectionExpression':'c','ConsistentRead':true}");
    ddb_task_call(task, "GetItem", &body, on_looked);
}

void ddb_advance(void *instance, struct larder_op *op) {
    struct ddb *d = instance;
    struct advance *advance;
    if (!ddb_accepts(d, op, 0))
        return;
    if (op->add < 0) {
        ddb_answer(d, op, LARDER_INVALID, "a counter only goes up");
        return;
    }
    if (!(advance = ddb_task_new(d, op, sizeof(*advance))))
        return;
    advance->step = d->seen_epoch >= minus(op->now_ms, op->add) ? RAISE : SET_TIME;
    if (op->add == 0)
        look_at_counter(&advance->task);
    else
        raise_counter(advance);
}
