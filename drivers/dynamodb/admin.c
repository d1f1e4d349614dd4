/* What has to do with the table as a whole: whether it answers, creating it, and what one must be allowed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddb.h"

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
    ddb_text_begin(&body, d);
    ddb_text_key_of(&body, d, &nobody);
    ddb_text_json(&body, "}");
    ddb_task_call(task, "GetItem", &body, on_ping);
}

/* ---- provision ------------------------------------------------------------------------------------------------ */

/*
 * DescribeTable tells what is there.  Nothing: CreateTable.  Then DescribeTable again, until table and
 * index are ACTIVE; what they are like is compared with what they must be; then the TTL.  Every step may
 * be taken by two processes at once, and by the same one again.
 */
struct provision {
    struct ddb_task task;
    struct ddb_fan fan; /* of one job: for its waiting */
    bool created;
};

static void describe(struct ddb_slot *slot);

static int32_t say(struct ddb_task *task, const char *text) {
    return task->d->host->emit_text(task->op, ddb_bytes_of(text));
}

static void text_table(struct ddb_text *t, const struct ddb *d) {
    ddb_text_begin(t, d);
    ddb_text_json(t, ",'BillingMode':'PAY_PER_REQUEST','AttributeDefinitions':["
                     "{'AttributeName':'pk','AttributeType':'S'},{'AttributeName':'sk','AttributeType':'S'},"
                     "{'AttributeName':'gk','AttributeType':'S'},{'AttributeName':'gs','AttributeType':'S'}],"
                     "'KeySchema':[{'AttributeName':'pk','KeyType':'HASH'},"
                     "{'AttributeName':'sk','KeyType':'RANGE'}],"
                     "'GlobalSecondaryIndexes':[{'IndexName':'larder',"
                     "'KeySchema':[{'AttributeName':'gk','KeyType':'HASH'},"
                     "{'AttributeName':'gs','KeyType':'RANGE'}],"
                     "'Projection':{'ProjectionType':'INCLUDE','NonKeyAttributes':['x']}}]}");
}

static void text_ttl(struct ddb_text *t, const struct ddb *d) {
    ddb_text_begin(t, d);
    ddb_text_json(t, ",'TimeToLiveSpecification':{'AttributeName':'expiresAt','Enabled':true}}");
}

/* ---- comparing ---- */

enum { MOST_NAME = 64 };
struct schema { /* of DescribeTable, as far as it matters; texts as they are shown */
    char table_status[MOST_NAME];
    char key[2 * MOST_NAME];   /* "pk HASH, sk RANGE" */
    char types[4 * MOST_NAME]; /* "pk S, sk S ..." of pk, sk, gk and gs alone */
    bool has_index;
    char index_status[MOST_NAME];
    char index_key[2 * MOST_NAME];
    char projection[MOST_NAME];
    bool projects_x;
};

static void append(char *to, size_t size, const char *separator, struct larder_bytes text) {
    size_t len = strlen(to);
    snprintf(to + len, size - len, "%s%.*s", len > 0 ? separator : "", (int)(text.len < 255 ? text.len : 255),
             (const char *)text.ptr);
}

static void read_text(struct ddb_json *j, char *to, size_t size) {
    struct larder_bytes raw;
    to[0] = '\0';
    if (ddb_json_string(j, &raw))
        append(to, size, "", raw);
}

/* [{"AttributeName":"pk","KeyType":"HASH"},...] as "pk HASH, ..."; or the same with AttributeType. */
static void read_attributes(struct ddb_json *j, const char *what, bool ours_alone, char *to, size_t size) {
    to[0] = '\0';
    for (bool first = ddb_json_enter(j, '['); ddb_json_element(j, &first);) {
        struct larder_bytes member, name = {0}, kind = {0};
        for (bool inner = ddb_json_enter(j, '{'); ddb_json_member(j, &inner, &member);) {
            if (ddb_json_is(member, "AttributeName"))
                ddb_json_string(j, &name);
            else if (ddb_json_is(member, what))
                ddb_json_string(j, &kind);
            else
                ddb_json_skip(j, NULL);
        }
        bool ours = ddb_json_is(name, "pk") || ddb_json_is(name, "sk") || ddb_json_is(name, "gk") ||
                    ddb_json_is(name, "gs");
        if (j->bad || name.len == 0 || (ours_alone && !ours))
            continue;
        append(to, size, ", ", name);
        append(to, size, " ", kind);
    }
}

static void read_projection(struct ddb_json *j, struct schema *schema) {
    struct larder_bytes member, name;
    for (bool first = ddb_json_enter(j, '{'); ddb_json_member(j, &first, &member);) {
        if (ddb_json_is(member, "ProjectionType")) {
            read_text(j, schema->projection, sizeof(schema->projection));
        } else if (ddb_json_is(member, "NonKeyAttributes")) {
            for (bool inner = ddb_json_enter(j, '['); ddb_json_element(j, &inner);)
                schema->projects_x |= ddb_json_string(j, &name) && ddb_json_is(name, "x");
        } else {
            ddb_json_skip(j, NULL);
        }
    }
}

static void read_index(struct ddb_json *j, struct schema *schema) {
    struct schema found = {0};
    struct larder_bytes member, name = {0};
    for (bool first = ddb_json_enter(j, '{'); ddb_json_member(j, &first, &member);) {
        if (ddb_json_is(member, "IndexName"))
            ddb_json_string(j, &name);
        else if (ddb_json_is(member, "IndexStatus"))
            read_text(j, found.index_status, sizeof(found.index_status));
        else if (ddb_json_is(member, "KeySchema"))
            read_attributes(j, "KeyType", false, found.index_key, sizeof(found.index_key));
        else if (ddb_json_is(member, "Projection"))
            read_projection(j, &found);
        else
            ddb_json_skip(j, NULL);
    }
    if (j->bad || !ddb_json_is(name, "larder"))
        return;
    schema->has_index = true;
    memcpy(schema->index_status, found.index_status, sizeof(found.index_status));
    memcpy(schema->index_key, found.index_key, sizeof(found.index_key));
    memcpy(schema->projection, found.projection, sizeof(found.projection));
    schema->projects_x = found.projects_x;
}

static bool read_schema(struct larder_bytes body, struct schema *ret) {
    struct ddb_json j = ddb_json_of(body);
    struct larder_bytes outer, member;
    *ret = (struct schema){0};
    for (bool first = ddb_json_enter(&j, '{'); ddb_json_member(&j, &first, &outer);) {
        if (!ddb_json_is(outer, "Table")) {
            ddb_json_skip(&j, NULL);
            continue;
        }
        for (bool inner = ddb_json_enter(&j, '{'); ddb_json_member(&j, &inner, &member);) {
            if (ddb_json_is(member, "TableStatus")) {
                read_text(&j, ret->table_status, sizeof(ret->table_status));
            } else if (ddb_json_is(member, "KeySchema")) {
                read_attributes(&j, "KeyType", false, ret->key, sizeof(ret->key));
            } else if (ddb_json_is(member, "AttributeDefinitions")) {
                read_attributes(&j, "AttributeType", true, ret->types, sizeof(ret->types));
            } else if (ddb_json_is(member, "GlobalSecondaryIndexes")) {
                for (bool each = ddb_json_enter(&j, '['); ddb_json_element(&j, &each);)
                    read_index(&j, ret);
            } else {
                ddb_json_skip(&j, NULL);
            }
        }
    }
    return ddb_json_ended(&j);
}

/* "pk" is an S: the order of AttributeDefinitions is DynamoDB's choice. */
static bool has_type(const struct schema *schema, const char *attribute) {
    return strstr(schema->types, attribute) != NULL;
}

/* What differs first, into out; false: nothing does. */
static bool differs(const struct schema *schema, char *out, size_t size) {
    static const char *const typed[] = {"pk S", "sk S", "gk S", "gs S"};
    if (strcmp(schema->key, "pk HASH, sk RANGE") != 0) {
        snprintf(out, size, "its key is (%s) and must be (pk HASH, sk RANGE)", schema->key);
        return true;
    }
    if (!schema->has_index) {
        snprintf(out, size, "it has no global secondary index named larder (gk HASH, gs RANGE, including x)");
        return true;
    }
    if (strcmp(schema->index_key, "gk HASH, gs RANGE") != 0) {
        snprintf(out, size, "the key of its index larder is (%s) and must be (gk HASH, gs RANGE)",
                 schema->index_key);
        return true;
    }
    for (size_t i = 0; i < sizeof(typed) / sizeof(typed[0]); i++) {
        if (!has_type(schema, typed[i])) {
            snprintf(out, size, "the types of its keys are (%.99s) and must all be S", schema->types);
            return true;
        }
    }
    if (strcmp(schema->projection, "ALL") != 0 && !schema->projects_x) {
        snprintf(out, size, "its index larder must include the attribute x");
        return true;
    }
    return false;
}

/* ---- steps ---- */

static void fail_with(struct ddb_slot *slot, int32_t status, const char *what) {
    char text[200];
    snprintf(text, sizeof(text), "table %s: %s", slot->fan->task->d->names.table, what);
    ddb_slot_refuse(slot, status, text);
}

static void on_ttl(void *arg, const struct ddb_reply *reply) {
    struct ddb_slot *slot = arg;
    if (reply->status == DDB_UNKNOWN_OPERATION)
        ddb_slot_end(
            slot, say(slot->fan->task, "warning: this server has no TTL: what is over stays in the table"));
    else if (reply->status != LARDER_OK)
        ddb_slot_fail(slot, reply);
    else
        ddb_slot_end(slot, say(slot->fan->task, "TTL is on, by expiresAt"));
}

/* Of the attribute that expires items here: whether the TTL is on, or being switched on. */
static bool ttl_is_on(struct larder_bytes body, bool *ret_other) {
    struct ddb_json j = ddb_json_of(body);
    struct larder_bytes outer, member, status = {0}, attribute = {0};
    for (bool first = ddb_json_enter(&j, '{'); ddb_json_member(&j, &first, &outer);) {
        if (!ddb_json_is(outer, "TimeToLiveDescription")) {
            ddb_json_skip(&j, NULL);
            continue;
        }
        for (bool inner = ddb_json_enter(&j, '{'); ddb_json_member(&j, &inner, &member);) {
            if (ddb_json_is(member, "TimeToLiveStatus"))
                ddb_json_string(&j, &status);
            else if (ddb_json_is(member, "AttributeName"))
                ddb_json_string(&j, &attribute);
            else
                ddb_json_skip(&j, NULL);
        }
    }
    bool on = ddb_json_is(status, "ENABLED") || ddb_json_is(status, "ENABLING");
    *ret_other = on && !ddb_json_is(attribute, "expiresAt");
    return on && !*ret_other;
}

static void on_ttl_described(void *arg, const struct ddb_reply *reply) {
    struct ddb_slot *slot = arg;
    struct ddb_text body = {0};
    bool other = false;
    if (reply->status != LARDER_OK && reply->status != DDB_UNKNOWN_OPERATION) {
        ddb_slot_fail(slot, reply);
    } else if (reply->status == LARDER_OK && ttl_is_on(reply->body, &other)) {
        ddb_slot_end(slot, say(slot->fan->task, "TTL is on, by expiresAt"));
    } else if (other) {
        fail_with(slot, LARDER_INVALID, "its TTL is by another attribute than expiresAt");
    } else {
        text_ttl(&body, slot->fan->task->d);
        ddb_slot_call(slot, "UpdateTimeToLive", &body, on_ttl);
    }
}

static void describe_ttl(struct ddb_slot *slot) {
    struct ddb_text body = {0};
    ddb_text_begin(&body, slot->fan->task->d);
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
    ddb_slot_wait(slot, describe);
}

static void on_described(void *arg, const struct ddb_reply *reply) {
    struct ddb_slot *slot = arg;
    const struct provision *provision = (const struct provision *)slot->fan->task;
    struct schema schema;
    char what[200];
    if (reply->status == DDB_NO_TABLE) {
        struct ddb_text body = {0};
        text_table(&body, provision->task.d);
        ddb_slot_call(slot, "CreateTable", &body, on_created);
    } else if (reply->status != LARDER_OK) {
        ddb_slot_fail(slot, reply);
    } else if (!read_schema(reply->body, &schema)) {
        ddb_slot_end(slot, ddb_task_unreadable(slot->fan->task, reply->body));
    } else if (differs(&schema, what, sizeof(what))) {
        fail_with(slot, LARDER_INVALID, what);
    } else if (strcmp(schema.table_status, "ACTIVE") != 0 || strcmp(schema.index_status, "ACTIVE") != 0) {
        ddb_slot_wait(slot, describe);
    } else {
        snprintf(what, sizeof(what), "table %s %s", provision->task.d->names.table,
                 provision->created ? "was created" : "is there, and as it must be");
        int32_t status = say(slot->fan->task, what);
        if (status == LARDER_OK)
            describe_ttl(slot);
        else
            ddb_slot_end(slot, status);
    }
}

static void describe(struct ddb_slot *slot) {
    struct ddb_text body = {0};
    ddb_text_begin(&body, slot->fan->task->d);
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
    text_table(&t, d);
    ddb_text_json(&t, "\nUpdateTimeToLive ");
    text_ttl(&t, d);
    int32_t status = t.failed ? LARDER_NOMEM : d->host->emit_text(op, (struct larder_bytes){t.ptr, t.len});
    ddb_text_done(&t);
    ddb_answer(d, op, status, NULL);
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
    ddb_text_json(t, "/index/larder'\n      ],\n      'Condition': {\n        'ForAllValues:StringLike': {\n"
                     "          'dynamodb:LeadingKeys': ['");
    ddb_text_json(t, d->names.prefix);
    ddb_text_json(t, "#*']\n        }\n      }\n    },\n    {\n      'Sid': 'LarderProvision',\n"
                     "      'Effect': 'Allow',\n      'Action': [\n        'dynamodb:CreateTable',\n"
                     "        'dynamodb:DescribeTable',\n        'dynamodb:DescribeTimeToLive',\n"
                     "        'dynamodb:UpdateTimeToLive'\n      ],\n"
                     "      'Resource': 'arn:*:dynamodb:*:*:table/");
    ddb_text_json(t, d->names.table);
    ddb_text_json(t, "'\n    }\n  ]\n}\n");
}

static void text_table_topic(struct ddb_text *t, const struct ddb *d) {
    text_table(t, d);
    ddb_text_json(t, "\n");
}

void ddb_explain(void *instance, struct larder_op *op) {
    static const struct {
        const char *name;
        void (*tell)(struct ddb_text *t, const struct ddb *d);
    } topics[] = {{"iam", text_iam}, {"table", text_table_topic}};
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
