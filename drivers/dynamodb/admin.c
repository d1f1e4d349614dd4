/* What has to do with the table as a whole: whether it answers, creating it, and what one must be allowed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddb.h"
#include "schema.h"

/* Emits the text, and frees it. */
static int32_t emit(struct ddb *d, struct larder_op *op, struct ddb_text *t) {
    int32_t status = t->failed ? LARDER_NOMEM : d->host->emit_text(op, (struct larder_bytes){t->ptr, t->len});
    ddb_text_done(t);
    return status;
}

/* ---- ping ---------------------------------------------------------------------------------------------------- */

static void on_ping(void *arg, const struct ddb_reply *reply) {
    struct ddb_task *task = arg;
    ddb_task_end(task, reply->status == LARDER_OK ? LARDER_OK : ddb_task_failed(task, reply));
}

/* The cheapest read there is, half a unit.  DescribeTable would ask the control plane, which has limits
 * of its own and another permission, and says nothing about whether items can be read. */
void ddb_ping(void *instance, struct larder_op *op) {
    struct ddb *d = instance;
    struct ddb_task *task;
    if (!ddb_accepts(d, op, 0) || !(task = ddb_task_new(d, op, sizeof(*task))))
        return;
    const struct ddb_name nobody = {.kind = DDB_COUNTER};
    struct ddb_text body = {0};
    ddb_text_begin(&body, &d->names);
    ddb_text_key_of(&body, d, &nobody);
    ddb_text_json(&body, "}");
    ddb_task_call(task, "GetItem", &body, on_ping);
}

/* ---- provision ------------------------------------------------------------------------------------------------ */

/*
 * DescribeTable tells what is there.  Nothing: CreateTable.  A table that fits but for our index: UpdateTable,
 * which adds it.  Then DescribeTable again, until table and index are ACTIVE; what they are like is compared
 * with what they must be; then the TTL.  Every step may be taken by two processes at once, and by the same
 * one again.
 */
struct provision {
    struct ddb_task task;
    struct ddb_fan fan; /* of one job: for its waiting */
    bool created, changed;
};

static void describe(struct ddb_slot *slot);

static int32_t say(struct ddb_task *task, const char *line) {
    struct ddb_text t = {0};
    ddb_text_add(&t, ddb_bytes_of(line));
    ddb_text_add(&t, ddb_bytes_of("\n"));
    int32_t status = emit(task->d, task->op, &t);
    return status == LARDER_OK ? status : ddb_task_refused(task, status, NULL);
}

static void fail_with(struct ddb_slot *slot, int32_t status, const char *what) {
    char text[512];
    snprintf(text, sizeof(text), "table %s: %s", slot->fan->task->d->names.table, what);
    ddb_slot_refuse(slot, status, text);
}

static void describe_ttl(struct ddb_slot *slot);

static void on_ttl(void *arg, const struct ddb_reply *reply) {
    struct ddb_slot *slot = arg;
    if (reply->status == DDB_UNKNOWN_OPERATION)
        ddb_slot_end(
            slot, say(slot->fan->task, "warning: this server has no TTL: what is over stays in the table"));
    else if (reply->status == LARDER_INVALID && slot->step++ == 0)
        describe_ttl(slot); /* another process was faster, or there is a reason */
    else if (reply->status != LARDER_OK)
        ddb_slot_fail(slot, reply);
    else
        ddb_slot_end(slot, say(slot->fan->task, "TTL is on, by expiresAt"));
}

static void on_ttl_described(void *arg, const struct ddb_reply *reply) {
    struct ddb_slot *slot = arg;
    struct ddb_text body = {0};
    bool other = false;
    if (reply->status != LARDER_OK && reply->status != DDB_UNKNOWN_OPERATION) {
        ddb_slot_fail(slot, reply);
    } else if (reply->status == LARDER_OK && ddb_ttl_is_on(reply->body, &other)) {
        ddb_slot_end(slot, say(slot->fan->task, "TTL is on, by expiresAt"));
    } else if (other) {
        fail_with(slot, LARDER_INVALID, "its TTL is by another attribute than expiresAt");
    } else {
        ddb_text_ttl(&body, &slot->fan->task->d->names);
        ddb_slot_call(slot, "UpdateTimeToLive", &body, on_ttl);
    }
}

static void describe_ttl(struct ddb_slot *slot) {
    struct ddb_text body = {0};
    ddb_text_begin(&body, &slot->fan->task->d->names);
    ddb_text_json(&body, "}");
    ddb_slot_call(slot, "DescribeTimeToLive", &body, on_ttl_described);
}

static void on_created(void *arg, const struct ddb_reply *reply) {
    struct ddb_slot *slot = arg;
    if (reply->status != LARDER_OK && reply->status != DDB_IN_USE) { /* another process creates it */
        ddb_slot_fail(slot, reply);
        return;
    }
    ((struct provision *)slot->fan->task)->created = reply->status == LARDER_OK;
    ddb_slot_wait(slot, describe, "the table is still being made: try again later");
}

static void on_index_added(void *arg, const struct ddb_reply *reply) {
    struct ddb_slot *slot = arg;
    if (reply->status != LARDER_OK && reply->status != DDB_IN_USE) { /* another process adds it */
        ddb_slot_fail(slot, reply);
        return;
    }
    ddb_slot_wait(slot, describe, "the index is still being made: try again later");
}

/* Once: a server that takes it and does not do it would be asked for ever. */
static bool shall_add_index(const struct provision *provision, const struct ddb_schema *schema) {
    return !provision->changed && ddb_schema_lacks_index(schema, &provision->task.d->names);
}

static void on_described(void *arg, const struct ddb_reply *reply) {
    struct ddb_slot *slot = arg;
    struct provision *provision = (struct provision *)slot->fan->task;
    const struct ddb_names *names = &provision->task.d->names;
    struct ddb_schema schema;
    struct ddb_text body = {0};
    char what[200];
    if (reply->status == DDB_NO_TABLE) {
        ddb_text_table(&body, names);
        ddb_slot_call(slot, "CreateTable", &body, on_created);
    } else if (reply->status != LARDER_OK) {
        ddb_slot_fail(slot, reply);
    } else if (!ddb_schema_read(reply->body, &schema)) {
        ddb_slot_end(slot, ddb_task_unreadable(slot->fan->task, reply->body));
    } else if (shall_add_index(provision, &schema)) {
        provision->changed = true;
        ddb_text_add_index(&body, names);
        ddb_slot_call(slot, "UpdateTable", &body, on_index_added);
    } else if (ddb_schema_differs(&schema, names, what, sizeof(what))) {
        fail_with(slot, LARDER_INVALID, what);
    } else if (!ddb_schema_is_active(&schema)) {
        ddb_slot_wait(slot, describe, "the table is still being made: try again later");
    } else {
        const char *done = provision->changed ? "was given the index larder" : "is there, and as it must be";
        snprintf(what, sizeof(what), "table %s %s", names->table, provision->created ? "was created" : done);
        int32_t status = say(slot->fan->task, what);
        if (status == LARDER_OK)
            describe_ttl(slot);
        else
            ddb_slot_end(slot, status);
    }
}

static void describe(struct ddb_slot *slot) {
    struct ddb_text body = {0};
    ddb_text_begin(&body, &slot->fan->task->d->names);
    ddb_text_json(&body, "}");
    ddb_slot_call(slot, "DescribeTable", &body, on_described);
}

static void on_provisioned(struct ddb_fan *fan) {
    ddb_task_end(fan->task, fan->status);
}

/* What would be sent, a line each. */
static void tell_requests(struct ddb *d, struct larder_op *op) {
    struct ddb_text t = {0};
    ddb_text_json(&t, "CreateTable ");
    ddb_text_table(&t, &d->names);
    ddb_text_json(&t, "\nUpdateTimeToLive ");
    ddb_text_ttl(&t, &d->names);
    ddb_text_json(&t, "\n");
    ddb_answer(d, op, emit(d, op, &t), NULL);
}

void ddb_provision(void *instance, struct larder_op *op) {
    struct provision *provision;
    if (!ddb_accepts(instance, op, LARDER_DRY_RUN))
        return;
    if (op->flags & LARDER_DRY_RUN)
        tell_requests(instance, op);
    else if ((provision = ddb_task_new(instance, op, sizeof(*provision))))
        ddb_fan_run(&provision->fan, &provision->task, 1, describe, on_provisioned);
}

/* ---- explain -------------------------------------------------------------------------------------------------- */

static void text_iam(struct ddb_text *t, const struct ddb *d) {
    ddb_text_json(t, "{\n  'Version': '2012-10-17',\n  'Statement': [\n    {\n      'Sid': 'LarderItems',\n"
                     "      'Effect': 'Allow',\n      'Action': [\n        'dynamodb:GetItem',\n"
                     "        'dynamodb:BatchGetItem',\n        'dynamodb:PutItem',\n"
                     "        'dynamodb:UpdateItem',\n        'dynamodb:DeleteItem',\n"
                     "        'dynamodb:BatchWriteItem',\n        'dynamodb:Query'\n      ],\n"
                     "      'Resource': [\n        'arn:*:dynamodb:*:*:table/");
    ddb_text_json(t, d->names.table);
    ddb_text_json(t, "',\n        'arn:*:dynamodb:*:*:table/");
    ddb_text_json(t, d->names.table);
    ddb_text_json(t, "/index/larder'");
    if (d->names.original) {
        ddb_text_json(t, ",\n        'arn:*:dynamodb:*:*:table/");
        ddb_text_json(t, d->names.table);
        ddb_text_json(t, "/index/revalidate'");
    }
    ddb_text_json(t, "\n      ],\n      'Condition': {\n        'ForAllValues:StringLike': {\n"
                     "          'dynamodb:LeadingKeys': ['");
    ddb_text_json(t, d->names.prefix);
    ddb_text_json(t, "#*'");
    if (ddb_has_twins(d)) /* of any build: a policy outlives many */
        ddb_text_json(t, d->names.original ? ", '*/*'" : ", '*/_tag/*'");
    ddb_text_json(t, "]\n        }\n      }\n    },\n    {\n      'Sid': 'LarderProvision',\n"
                     "      'Effect': 'Allow',\n      'Action': [\n        'dynamodb:CreateTable',\n"
                     "        'dynamodb:DescribeTable',\n        'dynamodb:DescribeTimeToLive',\n"
                     "        'dynamodb:UpdateTimeToLive',\n        'dynamodb:UpdateTable'\n      ],\n      "
                     "'Resource': 'arn:*:dynamodb:*:*:table/");
    ddb_text_json(t, d->names.table);
    ddb_text_json(t, "'\n    }\n  ]\n}\n");
}

static void text_topic_table(struct ddb_text *t, const struct ddb *d) {
    ddb_text_table(t, &d->names);
    ddb_text_json(t, "\n");
}

void ddb_explain(void *instance, struct larder_op *op) {
    static const struct {
        const char *name;
        void (*tell)(struct ddb_text *t, const struct ddb *d);
    } topics[] = {{"iam", text_iam}, {"table", text_topic_table}};
    struct ddb *d = instance;
    if (!ddb_accepts(d, op, 0))
        return;
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        if (!ddb_bytes_same(op->key, ddb_bytes_of(topics[i].name)))
            continue;
        struct ddb_text t = {0};
        topics[i].tell(&t, d);
        int32_t status = t.failed ? LARDER_NOMEM
                                  : d->host->emit_text(op, (struct larder_bytes){t.ptr, t.len});
        ddb_text_done(&t);
        ddb_answer(d, op, status, NULL);
        return;
    }
    ddb_answer(d, op, LARDER_INVALID, "there is something to say about: iam, table");
}
