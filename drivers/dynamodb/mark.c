/*
 * Marks: one item each.
 *
 * A mark that arrives is merged by one conditional update where the condition says that merging comes
 * to no more than setting what arrives (arrive() tells when that is): so it is for every mark that is
 * newer than what is stored, and a revalidation is one round trip for all its tags together.  Where it
 * does not hold, the stored mark is read, merged here by larder_merge_mark(), and written back on
 * condition that it is still the same; else once more.
 */
#include "ddb.h"

enum { MOST_ATTEMPTS = 32 };

static struct ddb_name mark_name(struct larder_bytes tag) {
    return (struct ddb_name){.kind = DDB_MARK, .key = tag};
}

static bool same_numbers(const struct larder_mark *a, const struct larder_mark *b) {
    return a->expired_epoch == b->expired_epoch && a->stale_epoch == b->stale_epoch &&
           a->expire_at_ms == b->expire_at_ms;
}

/* ---- read ------------------------------------------------------------------------------------------------ */

struct many {
    struct ddb_task task;
    struct ddb_fan fan;
    bool missed; /* write: a mark was there, and LARDER_IF_ABSENT */
};

/* Of the tags of this batch the one that is told in the item; NULL: none of them. */
static const struct larder_mark *asked_for(const struct ddb_slot *slot, const struct ddb_item *item) {
    uint8_t room[DDB_MAX_NAME];
    struct larder_bytes tag;
    const struct larder_op *op = slot->fan->task->op;
    if (!ddb_item_sort_text(item->gs, room, &tag))
        return NULL;
    size_t begin = slot->i * DDB_BATCH_GET;
    for (size_t i = begin; i < op->n_marks && i < begin + DDB_BATCH_GET; i++) {
        if (ddb_bytes_same(op->marks[i].tag, tag))
            return &op->marks[i];
    }
    return NULL;
}

static int32_t emit_asked(struct ddb_slot *slot, struct larder_bytes items) {
    struct ddb_task *task = slot->fan->task;
    struct ddb_json j = ddb_json_of(items);
    struct ddb_item item;
    for (bool first = ddb_json_enter(&j, '['); ddb_json_element(&j, &first);) {
        const struct larder_mark *asked;
        if (!ddb_item_read(&j, &item) || !(asked = asked_for(slot, &item)))
            return ddb_task_refused(task, LARDER_CORRUPT, "the table holds a mark of no known form");
        struct larder_mark mark = ddb_item_mark(&item, asked->tag);
        int32_t status = task->d->host->emit_mark(task->op, &mark);
        if (status != LARDER_OK)
            return ddb_task_refused(task, status, NULL);
    }
    return LARDER_OK;
}

static void read_batch(struct ddb_slot *slot) {
    struct ddb_task *task = slot->fan->task;
    const struct larder_op *op = task->op;
    struct ddb_text keys = {0};
    size_t begin = slot->i * DDB_BATCH_GET;
    for (size_t i = begin; i < op->n_marks && i < begin + DDB_BATCH_GET; i++) {
        const struct ddb_name name = mark_name(op->marks[i].tag);
        ddb_text_json(&keys, i == begin ? "[{" : ",{");
        ddb_text_key(&keys, &task->d->names, &name);
        ddb_text_json(&keys, "}");
    }
    ddb_text_json(&keys, "]");
    ddb_batch(slot, &keys);
}

static void on_all(struct ddb_fan *fan) {
    const struct many *many = (const struct many *)fan->task;
    ddb_task_end(fan->task, fan->status == LARDER_OK && many->missed ? LARDER_MISS : fan->status);
}

void ddb_read(void *instance, struct larder_op *op) {
    const struct ddb *d = instance;
    struct many *many;
    if (!ddb_accepts(instance, op, 0))
        return;
    if (ddb_has_twins(d)) {
        ddb_twin_read(instance, op);
        return;
    }
    if (!(many = ddb_task_new(instance, op, sizeof(*many))))
        return;
    many->fan.items = emit_asked;
    ddb_fan_run(&many->fan, &many->task, (op->n_marks + DDB_BATCH_GET - 1) / DDB_BATCH_GET, read_batch,
                on_all);
}

/* ---- write ------------------------------------------------------------------------------------------------ */

enum step { ARRIVE, LOOK, REPLACE };

static void look_at_mark(struct ddb_slot *slot);

static const struct larder_mark *arriving(const struct ddb_slot *slot) {
    return &slot->fan->task->op->marks[slot->i];
}

/* The members in the order of their names in an item. */
static const char *const members[] = {"xe", "se", "xa"};
enum { N_MEMBERS = sizeof(members) / sizeof(members[0]) };

static int64_t member(const struct larder_mark *mark, size_t i) {
    return i == 0 ? mark->expired_epoch : i == 1 ? mark->stale_epoch : mark->expire_at_ms;
}

/* {'TableName':..,'Key':{..},'UpdateExpression':'SET .. REMOVE ..' - all of the mark as it shall be. */
static void text_update(struct ddb_text *t, const struct ddb_slot *slot, const struct larder_mark *mark,
                        bool remove_others) {
    const struct ddb *d = slot->fan->task->d;
    const struct ddb_name name = mark_name(mark->tag);
    ddb_text_begin(t, &d->names);
    ddb_text_key_of(t, d, &name);
    ddb_text_json(t, ",'UpdateExpression':'SET gk = :gk, gs = :gs, expiresAt = :t");
    for (size_t i = 0; i < N_MEMBERS; i++) {
        if (member(mark, i) == LARDER_UNSET)
            continue;
        ddb_text_json(t, ", ");
        ddb_text_json(t, members[i]);
        ddb_text_json(t, " = :");
        ddb_text_json(t, members[i]);
    }
    bool first = true;
    for (size_t i = 0; i < N_MEMBERS && remove_others; i++) {
        if (member(mark, i) != LARDER_UNSET)
            continue;
        ddb_text_json(t, first ? " REMOVE " : ", ");
        ddb_text_json(t, members[i]);
        first = false;
    }
    ddb_text_json(t, "'");
}

/* ,'ExpressionAttributeValues':{..: those of text_update(); the caller adds its own and }} */
static void text_values(struct ddb_text *t, const struct ddb_slot *slot, const struct larder_mark *mark) {
    const struct ddb_task *task = slot->fan->task;
    const struct ddb_names *names = &task->d->names;
    const struct ddb_name name = mark_name(mark->tag);
    int64_t expiry_ms = ddb_expiry_ms(task->op->now_ms, task->d->config->mark_max_age_ms);
    ddb_text_json(t, ",'ExpressionAttributeValues':{");
    ddb_text_index_key(t, names, &name, ddb_shard_of(names, mark->tag), ":");
    ddb_text_json(t, ",");
    ddb_text_n(t, ":t", ddb_seconds(expiry_ms));
    for (size_t i = 0; i < N_MEMBERS; i++) {
        if (member(mark, i) == LARDER_UNSET)
            continue;
        ddb_text_json(t, ",':");
        ddb_text_json(t, members[i]);
        ddb_text_json(t, "':{'N':'");
        ddb_text_number(t, member(mark, i));
        ddb_text_json(t, "'}");
    }
}

/* Of OpenNext's items, see write_mark(). */
static void written(struct ddb_slot *slot) {
    const struct ddb_task *task = slot->fan->task;
    if (ddb_has_twins(task->d) && (task->op->flags & LARDER_IF_ABSENT))
        ddb_twin_write(slot);
    else
        ddb_slot_done(slot);
}

static void on_updated(void *arg, const struct ddb_reply *reply) {
    struct ddb_slot *slot = arg;
    struct many *many = (struct many *)slot->fan->task;
    if (reply->status == LARDER_OK) {
        written(slot);
    } else if (reply->status != DDB_CONDITION) {
        ddb_slot_fail(slot, reply);
    } else if (many->task.op->flags & LARDER_IF_ABSENT) {
        many->missed = true;
        ddb_slot_done(slot);
    } else if (slot->step == ARRIVE) {
        look_at_mark(slot);
    } else if (slot->attempts < MOST_ATTEMPTS) { /* another process was faster */
        ddb_slot_wait(slot, look_at_mark, "other processes changed the mark until the deadline");
    } else {
        ddb_slot_refuse(slot, LARDER_RETRY, "the mark changes under every attempt");
    }
}

/*
 * Where merging comes to setting what arrives, at this time: what arrives is settled; the stored epochs
 * that are set anew are not greater; the stored pair, if there is one, is whole and not due, and its
 * time not sooner than the one that arrives.  A tag without a mark fits as well.
 */
static void arrive(struct ddb_slot *slot) {
    const struct larder_mark *mark = arriving(slot);
    struct ddb_text body = {0};
    slot->step = ARRIVE;
    text_update(&body, slot, mark, false);
    ddb_text_json(&body, ",'ConditionExpression':'(attribute_not_exists(xa) OR (attribute_exists(se) AND ");
    ddb_text_json(&body, mark->expire_at_ms != LARDER_UNSET ? "xa >= :xa))" : "xa > :now))");
    if (mark->expired_epoch != LARDER_UNSET)
        ddb_text_json(&body, " AND (attribute_not_exists(xe) OR xe <= :xe)");
    if (mark->stale_epoch != LARDER_UNSET)
        ddb_text_json(&body, " AND (attribute_not_exists(se) OR se <= :se)");
    ddb_text_json(&body, "'");
    text_values(&body, slot, mark);
    if (mark->expire_at_ms == LARDER_UNSET) {
        ddb_text_json(&body, ",");
        ddb_text_n(&body, ":now", slot->fan->task->op->now_ms);
    }
    ddb_text_json(&body, "}}");
    ddb_slot_call(slot, "UpdateItem", &body, on_updated);
}

/* In place of what was seen, or of nothing. */
static void replace_mark(struct ddb_slot *slot, const struct larder_mark *mark) {
    struct ddb_text body = {0};
    slot->step = REPLACE;
    text_update(&body, slot, mark, slot->was_there);
    ddb_text_json(&body, ",'ConditionExpression':'");
    ddb_text_json(&body, slot->was_there ? "attribute_exists(gk)" : "attribute_not_exists(gk)");
    for (size_t i = 0; i < N_MEMBERS && slot->was_there; i++) {
        bool set = member(&slot->seen, i) != LARDER_UNSET;
        ddb_text_json(&body, set ? " AND " : " AND attribute_not_exists(");
        ddb_text_json(&body, members[i]);
        ddb_text_json(&body, set ? " = :old" : ")");
        if (set)
            ddb_text_json(&body, members[i]);
    }
    ddb_text_json(&body, "'");
    text_values(&body, slot, mark);
    for (size_t i = 0; i < N_MEMBERS && slot->was_there; i++) {
        if (member(&slot->seen, i) == LARDER_UNSET)
            continue;
        ddb_text_json(&body, ",':old");
        ddb_text_json(&body, members[i]);
        ddb_text_json(&body, "':{'N':'");
        ddb_text_number(&body, member(&slot->seen, i));
        ddb_text_json(&body, "'}");
    }
    ddb_text_json(&body, "}}");
    ddb_slot_call(slot, "UpdateItem", &body, on_updated);
}

static void on_mark_seen(void *arg, const struct ddb_reply *reply) {
    struct ddb_slot *slot = arg;
    struct ddb_item item;
    if (reply->status != LARDER_OK) {
        ddb_slot_fail(slot, reply);
        return;
    }
    if (!ddb_reply_item(reply->body, "Item", &item, &slot->was_there)) {
        ddb_slot_end(slot, ddb_task_unreadable(slot->fan->task, reply->body));
        return;
    }
    const struct larder_mark *mark = arriving(slot);
    if (slot->was_there)
        slot->seen = ddb_item_mark(&item, mark->tag);
    struct larder_mark merged = larder_merge_mark(slot->was_there ? &slot->seen : NULL, mark,
                                                  slot->fan->task->op->now_ms);
    if (slot->was_there && same_numbers(&merged, &slot->seen))
        ddb_slot_done(slot);
    else
        replace_mark(slot, &merged);
}

static void look_at_mark(struct ddb_slot *slot) {
    const struct ddb *d = slot->fan->task->d;
    const struct ddb_name name = mark_name(arriving(slot)->tag);
    struct ddb_text body = {0};
    slot->step = LOOK;
    ddb_text_begin(&body, &d->names);
    ddb_text_key_of(&body, d, &name);
    ddb_text_json(&body, ",'ConsistentRead':true}");
    ddb_slot_call(slot, "GetItem", &body, on_mark_seen);
}

/* In a table of OpenNext's a mark is two jobs, its item and the twin, side by side: readers put them together.  With
 * LARDER_IF_ABSENT the twin comes second, for it is not to be written where the mark is not. */
static void write_mark(struct ddb_slot *slot) {
    static const struct larder_mark nothing = {
        .expired_epoch = LARDER_UNSET, .stale_epoch = LARDER_UNSET, .expire_at_ms = LARDER_UNSET};
    const struct larder_op *op = slot->fan->task->op;
    if (slot->i >= op->n_marks) {
        ddb_twin_write(slot);
        return;
    }
    const struct larder_mark *mark = arriving(slot);
    struct larder_mark settled = larder_merge_settled(*mark, op->now_ms);
    if (op->flags & LARDER_IF_ABSENT)
        replace_mark(slot, mark); /* of what was never seen: nothing */
    else if (same_numbers(&settled, mark) && !same_numbers(mark, &nothing))
        arrive(slot);
    else
        look_at_mark(slot);
}

/* Only bump() makes a new epoch; taken for a number it would outdate everything for ever. */
static bool has_new_epoch(const struct larder_op *op) {
    for (size_t i = 0; i < op->n_marks; i++) {
        if (op->marks[i].expired_epoch == LARDER_NEW_EPOCH || op->marks[i].stale_epoch == LARDER_NEW_EPOCH)
            return true;
    }
    return false;
}

/* In a table of OpenNext's original mode its processes are told as well; not of a mark that was to be absent, which
 * means the namespace and not its tags. */
static void on_all_written(struct ddb_fan *fan) {
    const struct ddb_task *task = fan->task;
    if (fan->status == LARDER_OK && task->d->names.original && !(task->op->flags & LARDER_IF_ABSENT))
        ddb_tell(fan->task);
    else
        on_all(fan);
}

void ddb_write(void *instance, struct larder_op *op) {
    struct many *many;
    if (!ddb_accepts(instance, op, LARDER_IF_ABSENT))
        return;
    if (has_new_epoch(op)) {
        ddb_answer(instance, op, LARDER_INVALID, "LARDER_NEW_EPOCH means something in bump() alone");
        return;
    }
    size_t jobs = ddb_has_twins(instance) && !(op->flags & LARDER_IF_ABSENT) ? 2 * op->n_marks : op->n_marks;
    if (!(many = ddb_task_new(instance, op, sizeof(*many))))
        return;
    many->fan.window = ddb_write_window(instance);
    ddb_fan_run(&many->fan, &many->task, jobs, write_mark, on_all_written);
}
