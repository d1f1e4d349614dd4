/*
 * Marks in a table of OpenNext's.  A mark of Larder's is an item of its own there too (mark.c); beside it stands the
 * item that OpenNext has for the tag, its twin: what OpenNext processes write there counts as a mark as well, and
 * what Larder writes it tells them there.
 */
#include <stdlib.h>
#include <string.h>

#include "ddb.h"
#include "opennext.h"

enum {
    TAGS_AT_ONCE = DDB_BATCH_GET / 2, /* two items each */
    MOST_ATTEMPTS = 32
};

/* ---- read ------------------------------------------------------------------------------------------------ */

struct found { /* of one tag */
    struct larder_mark own, foreign;
    bool has_own, has_foreign;
    bool is_known; /* original mode: the twin is there, and nothing was said before it was */
};

struct reading {
    struct ddb_task task;
    struct ddb_fan fan;
    struct found *found;
    size_t next; /* whose counter is looked after */
    int64_t floor;
    size_t *unknown; /* original mode: indices of op->marks */
    size_t n_unknown;
};

static void end_reading(struct reading *reading, int32_t status) {
    free(reading->found);
    free(reading->unknown);
    ddb_task_end(&reading->task, status);
}

static size_t first_of(const struct ddb_slot *slot) {
    return slot->i * TAGS_AT_ONCE;
}

static size_t end_of(const struct ddb_slot *slot) {
    size_t n = slot->fan->task->op->n_marks, end = first_of(slot) + TAGS_AT_ONCE;
    return end < n ? end : n;
}

/* Tags of one batch may have one twin ("a/b" and "a//b"), and DynamoDB takes no key twice. */
static bool is_first_with(const struct ddb_slot *slot, size_t i, struct larder_bytes path) {
    const struct ddb_task *task = slot->fan->task;
    struct opennext_key other;
    for (size_t k = first_of(slot); k < i; k++) {
        if (opennext_twin(&task->d->names, task->op->marks[k].tag, &other) &&
            ddb_bytes_same(other.path, path))
            return false;
    }
    return true;
}

static void read_batch(struct ddb_slot *slot) {
    const struct ddb_task *task = slot->fan->task;
    struct ddb_text keys = {0};
    struct opennext_key key;
    for (size_t i = first_of(slot); i < end_of(slot); i++) {
        const struct ddb_name name = {.kind = DDB_MARK, .key = task->op->marks[i].tag};
        ddb_text_json(&keys, i == first_of(slot) ? "[{" : ",{");
        ddb_text_key(&keys, &task->d->names, &name);
        ddb_text_json(&keys, "}");
        if (!opennext_twin(&task->d->names, name.key, &key) || !is_first_with(slot, i, key.path))
            continue;
        ddb_text_json(&keys, ",{");
        opennext_text_key(&keys, &key);
        ddb_text_json(&keys, "}");
    }
    ddb_text_json(&keys, "]");
    ddb_batch(slot, &keys);
}

static bool take_own(struct ddb_slot *slot, const struct ddb_item *item) {
    const struct reading *reading = (const struct reading *)slot->fan->task;
    const struct larder_op *op = reading->task.op;
    uint8_t room[DDB_MAX_NAME];
    struct larder_bytes tag;
    if (!ddb_item_sort_text(item->gs, room, &tag))
        return false;
    for (size_t i = first_of(slot); i < end_of(slot); i++) {
        if (!ddb_bytes_same(op->marks[i].tag, tag))
            continue;
        reading->found[i].has_own = true;
        reading->found[i].own = ddb_item_mark(item, op->marks[i].tag);
        return true;
    }
    return false;
}

static bool take_twin(struct ddb_slot *slot, const struct ddb_item *item) {
    const struct reading *reading = (const struct reading *)slot->fan->task;
    const struct larder_op *op = reading->task.op;
    uint8_t room[OPENNEXT_MAX_KEY];
    struct opennext_key asked;
    struct larder_bytes path = {.ptr = room};
    bool taken = false;
    if (!ddb_json_unescape(item->sk, room, sizeof(room), &path.len))
        return false;
    for (size_t i = first_of(slot); i < end_of(slot); i++) {
        if (!opennext_twin(&reading->task.d->names, op->marks[i].tag, &asked) ||
            !ddb_bytes_same(asked.path, path))
            continue;
        struct found *found = &reading->found[i];
        found->has_foreign = opennext_mark(&item->twin, op->marks[i].tag, op->now_ms, &found->foreign);
        found->is_known = ddb_look_is_done(reading->task.d, op, item);
        taken = true;
    }
    return taken;
}

static int32_t take_items(struct ddb_slot *slot, struct larder_bytes items) {
    struct ddb_json j = ddb_json_of(items);
    struct ddb_item item;
    for (bool first = ddb_json_enter(&j, '['); ddb_json_element(&j, &first);) {
        if (!ddb_item_read(&j, &item) || !(item.gs.len > 0 ? take_own(slot, &item) : take_twin(slot, &item)))
            return ddb_task_refused(slot->fan->task, LARDER_CORRUPT,
                                    "the table holds a mark of no known form");
    }
    return LARDER_OK;
}

static void emit_all(struct reading *reading) {
    struct larder_op *op = reading->task.op;
    int32_t status = LARDER_OK;
    for (size_t i = 0; i < op->n_marks && status == LARDER_OK; i++) {
        const struct found *found = &reading->found[i];
        struct larder_mark mark = found->has_own ? found->own : found->foreign;
        if (found->has_own && found->has_foreign)
            mark = larder_merge_mark(&found->own, &found->foreign, op->now_ms);
        if (found->has_own || found->has_foreign)
            status = reading->task.d->host->emit_mark(op, &mark);
    }
    end_reading(reading, status);
}

/* ---- the floor of counters ---------------------------------------------------------------------------------- */

/*
 * The time in an OpenNext process's mark comes from its clock.  Who reads the mark takes that time for an epoch, and
 * renders with it: were it ahead of the counter, a revalidation of Larder's that comes later would be the older of
 * both.  So nobody is told such a mark before the counter has come as far.
 */
static void raise_counters(struct reading *reading);

static void on_raised(void *arg, const struct ddb_reply *reply) {
    struct reading *reading = arg;
    struct ddb *d = reading->task.d;
    if (reply->status != LARDER_OK && reply->status != DDB_CONDITION) { /* it is as far */
        end_reading(reading, ddb_task_failed(&reading->task, reply));
        return;
    }
    struct larder_bytes ns = opennext_namespace(reading->task.op->marks[reading->next++].tag);
    d->floor.ns_len = ns.len <= sizeof(d->floor.ns) ? ns.len : 0;
    memcpy(d->floor.ns, ns.ptr, d->floor.ns_len);
    d->floor.epoch = reading->floor;
    raise_counters(reading);
}

static void raise_counter(struct reading *reading, struct larder_bytes ns) {
    static const uint8_t last[] = "/epoch";
    struct ddb_task *task = &reading->task;
    uint8_t room[DDB_MAX_NAME + sizeof(last)];
    memcpy(room, ns.ptr, ns.len);
    memcpy(room + ns.len, last, sizeof(last) - 1);
    const struct ddb_name name = {.kind = DDB_COUNTER, .key = {room, ns.len + sizeof(last) - 1}};
    struct ddb_text body = {0};
    ddb_text_begin(&body, &task->d->names);
    ddb_text_key_of(&body, task->d, &name);
    ddb_text_json(&body, ",'UpdateExpression':'SET c = :new','ConditionExpression':"
                         "'attribute_not_exists(c) OR c < :floor','ExpressionAttributeValues':{");
    ddb_text_n(&body, ":new", larder_merge_max(reading->floor, task->op->now_ms));
    ddb_text_json(&body, ",");
    ddb_text_n(&body, ":floor", reading->floor);
    ddb_text_json(&body, "}}");
    int32_t status = ddb_call(task->d, task->op, "UpdateItem", &body, on_raised, reading);
    if (status != LARDER_OK)
        end_reading(reading, status);
}

/* The greatest epoch of OpenNext's in a namespace; LARDER_UNSET: none. */
static int64_t greatest_in(const struct reading *reading, struct larder_bytes ns) {
    const struct larder_op *op = reading->task.op;
    int64_t greatest = LARDER_UNSET;
    for (size_t i = 0; i < op->n_marks; i++) {
        if (reading->found[i].has_foreign && ddb_bytes_same(opennext_namespace(op->marks[i].tag), ns))
            greatest = larder_merge_max(greatest, opennext_epoch(&reading->found[i].foreign));
    }
    return greatest;
}

/* One namespace after the other; an op of the core's has one. */
static void raise_counters(struct reading *reading) {
    const struct larder_op *op = reading->task.op;
    const struct ddb_floor *floor = &reading->task.d->floor;
    for (; reading->next < op->n_marks; reading->next++) {
        struct larder_bytes ns = opennext_namespace(op->marks[reading->next].tag);
        if (!reading->found[reading->next].has_foreign)
            continue;
        reading->floor = greatest_in(reading, ns);
        if (ddb_bytes_same(ns, (struct larder_bytes){floor->ns, floor->ns_len}) &&
            reading->floor <= floor->epoch)
            continue;
        if (opennext_is_absurd(reading->floor, op->now_ms)) {
            end_reading(reading,
                        ddb_task_refused(&reading->task, LARDER_CORRUPT,
                                         "a tag was revalidated more than a day from now, by OpenNext"));
            return;
        }
        raise_counter(reading, ns);
        return;
    }
    emit_all(reading);
}

/* ---- original mode: tags that are not known yet ------------------------------------------------------------------ */

static void look_at_unknown(struct ddb_slot *slot) {
    const struct reading *reading = (const struct reading *)slot->fan->task;
    ddb_look(slot, reading->unknown[slot->i]);
}

/* What the items of a tag said (look.c). */
void ddb_looked(struct ddb_slot *slot, const struct larder_mark *foreign) {
    const struct reading *reading = (const struct reading *)slot->fan->task;
    struct found *found = &reading->found[reading->unknown[slot->i]];
    found->foreign = found->has_foreign
                         ? larder_merge_mark(&found->foreign, foreign, reading->task.op->now_ms)
                         : *foreign;
    found->has_foreign = true;
}

static void on_looked(struct ddb_fan *fan) {
    struct reading *reading = (struct reading *)fan->task;
    if (fan->status == LARDER_OK)
        raise_counters(reading);
    else
        end_reading(reading, fan->status);
}

static void on_read(struct ddb_fan *fan) {
    struct reading *reading = (struct reading *)fan->task;
    const struct larder_op *op = reading->task.op;
    const struct ddb_names *names = &reading->task.d->names;
    struct opennext_key key;
    if (fan->status != LARDER_OK) {
        end_reading(reading, fan->status);
        return;
    }
    for (size_t i = 0; i < op->n_marks && names->original; i++) {
        if (!reading->found[i].is_known && opennext_twin(names, op->marks[i].tag, &key))
            reading->unknown[reading->n_unknown++] = i;
    }
    if (reading->n_unknown > 0)
        ddb_fan_run(&reading->fan, &reading->task, reading->n_unknown, look_at_unknown, on_looked);
    else
        raise_counters(reading);
}

void ddb_twin_read(struct ddb *d, struct larder_op *op) {
    struct reading *reading = ddb_task_new(d, op, sizeof(*reading));
    if (!reading)
        return;
    reading->found = calloc(op->n_marks + 1, sizeof(*reading->found));
    reading->unknown = calloc(op->n_marks + 1, sizeof(*reading->unknown));
    if (!reading->found || !reading->unknown) {
        end_reading(reading, LARDER_NOMEM);
        return;
    }
    reading->fan.items = take_items;
    ddb_fan_run(&reading->fan, &reading->task, (op->n_marks + TAGS_AT_ONCE - 1) / TAGS_AT_ONCE, read_batch,
                on_read);
}

/* ---- write ------------------------------------------------------------------------------------------------ */

enum step { ARRIVE, LOOK, REPLACE };

static const struct attribute {
    const char *name;
    size_t offset;
} attributes[] = {
    {"revalidatedAt", offsetof(struct ddb_twin, revalidated_at)},
    {"stale", offsetof(struct ddb_twin, stale)},
    {"expire", offsetof(struct ddb_twin, expire)},
    {"lw", offsetof(struct ddb_twin, written)},
    {"fx", offsetof(struct ddb_twin, foreign_expired)},
    {"fs", offsetof(struct ddb_twin, foreign_stale)},
    {"fa", offsetof(struct ddb_twin, foreign_expire_at)},
};
enum {
    N_ATTRIBUTES = sizeof(attributes) / sizeof(attributes[0]),
    N_TELLING = 4 /* the first of them: one of them differs when anything does */
};

static int64_t value_of(const struct ddb_twin *item, size_t i) {
    int64_t value;
    memcpy(&value, (const char *)item + attributes[i].offset, sizeof(value));
    return value;
}

/* Which item a slot is about, and which mark comes to it. */
static struct larder_mark target_of(const struct ddb_slot *slot, struct opennext_key *ret_key) {
    const struct ddb_task *task = slot->fan->task;
    if (slot->fan->target)
        return slot->fan->target(slot, ret_key);
    const struct larder_mark *mark = &task->op->marks[slot->i % task->op->n_marks];
    if (!opennext_twin(&task->d->names, mark->tag, ret_key))
        *ret_key = (struct opennext_key){0};
    return *mark;
}

static void begin_text(struct ddb_text *t, const struct ddb_slot *slot) {
    struct opennext_key key;
    target_of(slot, &key);
    ddb_text_begin(t, &slot->fan->task->d->names);
    ddb_text_json(t, ",'Key':{");
    opennext_text_key(t, &key);
    ddb_text_json(t, "}");
}

/* An UpdateItem that makes the item so. */
static void begin_update(struct ddb_text *t, const struct ddb_slot *slot, const struct ddb_twin *item) {
    static const char *const words[] = {"SET ", " REMOVE "};
    begin_text(t, slot);
    ddb_text_json(t, ",'UpdateExpression':'");
    for (int removing = 0; removing < 2; removing++) {
        const char *before = words[removing];
        for (size_t i = 0; i < N_ATTRIBUTES; i++) {
            if ((value_of(item, i) == LARDER_UNSET) != (removing == 1))
                continue;
            ddb_text_json(t, before);
            ddb_text_json(t, attributes[i].name);
            if (!removing) {
                ddb_text_json(t, " = :");
                ddb_text_json(t, attributes[i].name);
            }
            before = ", ";
        }
    }
    ddb_text_json(t, "','ConditionExpression':'");
}

/* before: ":" or ":old", what stands in front of the names.  first: no value stands there yet. */
static void text_values(struct ddb_text *t, const struct ddb_twin *item, size_t n, const char *before,
                        bool first) {
    for (size_t i = 0; i < n; i++) {
        if (value_of(item, i) == LARDER_UNSET)
            continue;
        ddb_text_json(t, first ? "'" : ",'");
        first = false;
        ddb_text_json(t, before);
        ddb_text_json(t, attributes[i].name);
        ddb_text_json(t, "':{'N':'");
        ddb_text_number(t, value_of(item, i));
        ddb_text_json(t, "'}");
    }
}

static void look_at_twin(struct ddb_slot *slot);

static void on_updated(void *arg, const struct ddb_reply *reply) {
    struct ddb_slot *slot = arg;
    if (reply->status == LARDER_OK)
        ddb_slot_done(slot);
    else if (reply->status != DDB_CONDITION)
        ddb_slot_fail_or_wait(slot, reply, look_at_twin);
    else if (slot->step == ARRIVE)
        look_at_twin(slot);
    else if (slot->attempts < MOST_ATTEMPTS) /* another process was faster */
        ddb_slot_wait(slot, look_at_twin, "other processes changed the item of OpenNext until the deadline");
    else
        ddb_slot_refuse(slot, LARDER_RETRY, "the item of OpenNext changes under every attempt");
}

/* Where merging comes to no more than setting what arrives: there is no item, or it is as Larder left it, and says
 * the same kind of thing. */
static void arrive(struct ddb_slot *slot, const struct ddb_twin *item) {
    const bool original = slot->fan->task->d->names.original;
    struct ddb_text body = {0};
    slot->step = ARRIVE;
    begin_text(&body, slot);
    ddb_text_json(&body, ",'UpdateExpression':'SET revalidatedAt = :revalidatedAt, lw = :lw");
    if (item->stale != LARDER_UNSET)
        ddb_text_json(&body, ", stale = :stale");
    if (item->expire != LARDER_UNSET)
        ddb_text_json(&body, ", expire = :expire");
    ddb_text_json(&body, "','ConditionExpression':'attribute_not_exists(revalidatedAt) OR ");
    ddb_text_json(&body, original ? "revalidatedAt = :member OR " : "");
    ddb_text_json(&body, "(lw = revalidatedAt AND revalidatedAt <= :revalidatedAt AND ");
    ddb_text_json(&body,
                  item->stale == LARDER_UNSET ? "attribute_not_exists(stale) AND " : "stale <= :stale AND ");
    ddb_text_json(&body,
                  item->expire == LARDER_UNSET ? "attribute_not_exists(expire))" : "expire >= :expire)");
    ddb_text_json(&body, "','ExpressionAttributeValues':{");
    text_values(&body, item, N_TELLING, ":", true);
    if (original) {
        ddb_text_json(&body, ",");
        ddb_text_n(&body, ":member", OPENNEXT_MEMBER);
    }
    ddb_text_json(&body, "}}");
    ddb_slot_call(slot, "UpdateItem", &body, on_updated);
}

/* In place of what was seen, or of nothing. */
void ddb_twin_replace(struct ddb_slot *slot, const struct ddb_twin *seen, const struct ddb_twin *item) {
    struct ddb_text body = {0};
    slot->step = REPLACE;
    begin_update(&body, slot, item);
    for (size_t i = 0; i < N_TELLING; i++) {
        bool set = value_of(seen, i) != LARDER_UNSET;
        ddb_text_json(&body, i > 0 ? " AND " : "");
        ddb_text_json(&body, set ? "" : "attribute_not_exists(");
        ddb_text_json(&body, attributes[i].name);
        ddb_text_json(&body, set ? " = :old" : ")");
        if (set)
            ddb_text_json(&body, attributes[i].name);
    }
    ddb_text_json(&body, "','ExpressionAttributeValues':{");
    text_values(&body, item, N_ATTRIBUTES, ":", true);
    text_values(&body, seen, N_TELLING, ":old", false);
    ddb_text_json(&body, "}}");
    ddb_slot_call(slot, "UpdateItem", &body, on_updated);
}

static void on_twin_seen(void *arg, const struct ddb_reply *reply) {
    struct ddb_slot *slot = arg;
    struct opennext_key key;
    struct ddb_item item;
    struct ddb_twin next;
    bool there;
    if (reply->status != LARDER_OK) {
        ddb_slot_fail_or_wait(slot, reply, look_at_twin);
        return;
    }
    if (!ddb_reply_item(reply->body, "Item", &item, &there)) {
        ddb_slot_end(slot, ddb_task_unreadable(slot->fan->task, reply->body));
        return;
    }
    if (!there)
        item.twin = DDB_NO_TWIN;
    const struct larder_mark mark = target_of(slot, &key);
    if (opennext_merge(&item.twin, &mark, slot->fan->task->op->now_ms, &next))
        ddb_twin_replace(slot, &item.twin, &next);
    else
        ddb_slot_done(slot);
}

static void look_at_twin(struct ddb_slot *slot) {
    struct ddb_text body = {0};
    slot->step = LOOK;
    begin_text(&body, slot);
    ddb_text_json(&body, ",'ConsistentRead':true}");
    ddb_slot_call(slot, "GetItem", &body, on_twin_seen);
}

void ddb_twin_write(struct ddb_slot *slot) {
    const struct ddb_task *task = slot->fan->task;
    const struct ddb_twin none = DDB_NO_TWIN;
    struct ddb_twin item;
    struct opennext_key key;
    const struct larder_mark mark = target_of(slot, &key);
    if (key.tag.len > 0 && opennext_merge(&none, &mark, task->op->now_ms, &item))
        arrive(slot, &item);
    else
        ddb_slot_done(slot);
}
