/*
 * Original mode: a tag that is not known yet.
 *
 * OpenNext revalidates a tag by writing to each item that the tag has then, and a tag without items it revalidates by
 * writing nothing.  So the twin, the item that Larder reads, is made before a tag is judged for the first time; and
 * what was said before it was there is looked for in the other items of the tag.  In this order: who revalidates the
 * tag in between finds the twin.  Both happens once for each tag, and again where nobody has done so for half the
 * time that marks are kept.
 */
#include "ddb.h"

enum { MOST_PAGES = 1000 };

bool ddb_look_is_done(const struct ddb *d, const struct larder_op *op, const struct ddb_item *twin) {
    int64_t half_s = d->config->mark_max_age_ms / 2000;
    if (twin->ttl_s != LARDER_UNSET && twin->ttl_s < op->now_ms / 1000 + half_s)
        return false;
    if (twin->twin.looked != LARDER_UNSET)
        return true;
    /* A revalidation of OpenNext's went over all items there were. */
    return opennext_wrote_last(&twin->twin) && twin->twin.revalidated_at > OPENNEXT_MEMBER;
}

/* slot->step is which mark of the op; slot->seen what was found, if slot->was_there; slot->left the raw path that the
 * last page ended with; slot->attempts the pages. */
static void begin_twin(struct ddb_text *t, const struct ddb_slot *slot) {
    const struct ddb_task *task = slot->fan->task;
    struct opennext_key key = {0};
    if (!opennext_twin(&task->d->names, task->op->marks[slot->step].tag, &key))
        t->failed = true; /* as it had one before */
    ddb_text_begin(t, &task->d->names);
    ddb_text_json(t, ",'Key':{");
    opennext_text_key(t, &key);
    ddb_text_json(t, "},'UpdateExpression':'SET ");
}

static void on_noted(void *arg, const struct ddb_reply *reply) {
    struct ddb_slot *slot = arg;
    if (reply->status != LARDER_OK && reply->status != DDB_CONDITION) { /* another process noted as much */
        ddb_slot_fail(slot, reply);
        return;
    }
    if (slot->was_there)
        ddb_looked(slot, &slot->seen);
    ddb_slot_done(slot);
}

/* What was found goes where Larder keeps what OpenNext had said, so that nobody need look again. */
static void note(struct ddb_slot *slot) {
    const struct {
        const char *name, *value;
        int64_t number;
    } found[] = {{"fx", ":fx", slot->seen.expired_epoch},
                 {"fs", ":fs", slot->seen.stale_epoch},
                 {"fa", ":fa", slot->seen.expire_at_ms}};
    struct ddb_text body = {0}, values = {0};
    begin_twin(&body, slot);
    ddb_text_json(&body, "lk = :lk");
    ddb_text_n(&values, ":lk", 1);
    for (size_t i = 0; i < sizeof(found) / sizeof(found[0]) && slot->was_there; i++) {
        if (found[i].number == LARDER_UNSET)
            continue;
        ddb_text_json(&body, ", ");
        ddb_text_json(&body, found[i].name);
        ddb_text_json(&body, " = ");
        ddb_text_json(&body, found[i].value);
        ddb_text_json(&values, ",");
        ddb_text_n(&values, found[i].value, found[i].number);
    }
    ddb_text_json(&body, "'");
    if (slot->was_there)
        ddb_text_json(&body,
                      ",'ConditionExpression':'attribute_not_exists(fx) AND attribute_not_exists(fs)'");
    ddb_text_json(&body, ",'ExpressionAttributeValues':{");
    ddb_text_add(&body, (struct larder_bytes){values.ptr, values.len});
    ddb_text_json(&body, "}}");
    body.failed |= values.failed;
    ddb_text_done(&values);
    ddb_slot_call(slot, "UpdateItem", &body, on_noted);
}

static void ask(struct ddb_slot *slot);

static bool take_members(struct ddb_slot *slot, const struct ddb_page *page) {
    const struct larder_op *op = slot->fan->task->op;
    struct ddb_json j = ddb_json_of(page->items);
    struct ddb_item item;
    struct larder_mark said;
    for (bool first = ddb_json_enter(&j, '['); ddb_json_element(&j, &first);) {
        if (!ddb_item_read(&j, &item))
            return false;
        if (!opennext_mark(&item.twin, op->marks[slot->step].tag, op->now_ms, &said))
            continue;
        slot->seen = slot->was_there ? larder_merge_mark(&slot->seen, &said, op->now_ms) : said;
        slot->was_there = true;
    }
    return true;
}

static void on_page(void *arg, const struct ddb_reply *reply) {
    struct ddb_slot *slot = arg;
    struct ddb_page page;
    if (reply->status != LARDER_OK) {
        ddb_slot_fail(slot, reply);
        return;
    }
    if (!ddb_reply_page(reply->body, &page) || !take_members(slot, &page)) {
        ddb_slot_end(slot, ddb_task_unreadable(slot->fan->task, reply->body));
        return;
    }
    slot->left.len = 0;
    if (!page.has_more) {
        note(slot);
    } else if (++slot->attempts == MOST_PAGES) {
        ddb_slot_refuse(slot, LARDER_INTERNAL, "a tag of OpenNext has items without end");
    } else {
        ddb_text_add(&slot->left, page.last.sk);
        ask(slot);
    }
}

static void ask(struct ddb_slot *slot) {
    const struct ddb_task *task = slot->fan->task;
    struct opennext_key key = {0};
    struct ddb_text body = {.failed = slot->left.failed};
    if (!opennext_twin(&task->d->names, task->op->marks[slot->step].tag, &key))
        body.failed = true;
    ddb_text_members(&body, &task->d->names, key.tag, (struct larder_bytes){slot->left.ptr, slot->left.len});
    ddb_slot_call(slot, "Query", &body, on_page);
}

static void on_made(void *arg, const struct ddb_reply *reply) {
    struct ddb_slot *slot = arg;
    if (reply->status == LARDER_OK)
        ask(slot);
    else
        ddb_slot_fail(slot, reply);
}

void ddb_look(struct ddb_slot *slot, size_t mark) {
    const struct ddb_task *task = slot->fan->task;
    struct ddb_text body = {0};
    slot->step = (uint32_t)mark;
    begin_twin(&body, slot);
    ddb_text_json(&body, "revalidatedAt = if_not_exists(revalidatedAt, :member), expiresAt = :t',"
                         "'ExpressionAttributeValues':{");
    ddb_text_n(&body, ":member", OPENNEXT_MEMBER);
    ddb_text_json(&body, ",");
    ddb_text_n(&body, ":t", ddb_seconds(ddb_expiry_ms(task->op->now_ms, task->d->config->mark_max_age_ms)));
    ddb_text_json(&body, "}}");
    ddb_slot_call(slot, "UpdateItem", &body, on_made);
}

void ddb_text_members(struct ddb_text *t, const struct ddb_names *names, struct larder_bytes tag,
                      struct larder_bytes last) {
    ddb_text_begin(t, names);
    ddb_text_json(t, ",'KeyConditionExpression':'#tag = :tag','ConsistentRead':true,"
                     "'ExpressionAttributeNames':{'#tag':'tag'},'ExpressionAttributeValues':{':tag':{'S':'");
    ddb_text_escaped(t, tag);
    ddb_text_json(t, "'}}");
    if (last.len > 0) {
        ddb_text_json(t, ",'ExclusiveStartKey':{'tag':{'S':'");
        ddb_text_escaped(t, tag);
        ddb_text_json(t, "'},'path':{'S':'");
        ddb_text_add(t, last);
        ddb_text_json(t, "'}}");
    }
    ddb_text_json(t, "}");
}
