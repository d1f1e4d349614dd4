/*
 * Which key carries which tag: one item for each link, found by the key in the table and by the tag in
 * the index.  What is linked already is not written again, until half of its time is over.
 */
#include <stdlib.h>
#include <string.h>

#include "ddb.h"

enum { MOST_PAGES = 1000 }; /* of a key's links: far more than any key has */

struct known {      /* a link that is in the table */
    size_t at, len; /* of its tag in struct links.tags */
    bool is_old;    /* half of its time is over */
    bool wanted;
};

/* What a key is linked to; for tags_of it is emitted, for link it is compared. */
struct links {
    struct ddb_task task;
    struct ddb_fan fan;
    bool linking;
    uint32_t pages;
    struct ddb_text last; /* raw sk that the last page ended with */
    struct ddb_text tags; /* of all that is known, one behind the other */
    struct known *known;  /* in the order of the table */
    size_t n_known, known_size;
    size_t *changes; /* indices of op->marks, and behind them n_marks + those of known */
    size_t n_changes;
};

static void end_links(struct links *links, int32_t status) {
    ddb_text_done(&links->last);
    ddb_text_done(&links->tags);
    free(links->known);
    free(links->changes);
    ddb_task_end(&links->task, status);
}

static struct ddb_name link_name(const struct larder_op *op, struct larder_bytes tag) {
    return (struct ddb_name){.kind = DDB_LINK, .key = op->key, .tag = tag};
}

/* ---- reading what is there ------------------------------------------------------------------------------- */

static int32_t emit_tag(struct links *links, struct larder_bytes tag) {
    const struct larder_mark mark = {
        .tag = tag, .expired_epoch = LARDER_UNSET, .stale_epoch = LARDER_UNSET, .expire_at_ms = LARDER_UNSET};
    return links->task.d->host->emit_mark(links->task.op, &mark);
}

static bool is_old(const struct links *links, const struct ddb_item *link) {
    int64_t half_s = links->task.d->config->mark_max_age_ms / 2000;
    return link->ttl_s != LARDER_UNSET && link->ttl_s < links->task.op->now_ms / 1000 + half_s;
}

static int32_t remember(struct links *links, struct larder_bytes tag, bool old) {
    if (links->n_known == links->known_size) {
        size_t size = 2 * links->known_size + 64;
        struct known *known = reallocarray(links->known, size, sizeof(*known));
        if (!known)
            return LARDER_NOMEM;
        links->known = known;
        links->known_size = size;
    }
    links->known[links->n_known++] = (struct known){.at = links->tags.len, .len = tag.len, .is_old = old};
    ddb_text_add(&links->tags, tag);
    return links->tags.failed ? LARDER_NOMEM : LARDER_OK;
}

static int by_bytes(struct larder_bytes a, struct larder_bytes b) {
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter > 0 ? memcmp(a.ptr, b.ptr, shorter) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static struct larder_bytes known_tag(const struct links *links, const struct known *known) {
    return (struct larder_bytes){links->tags.ptr + known->at, known->len};
}

/* The table has them in the order of their bytes.  (If it had not, a link would be written twice.) */
static struct known *find_known(struct links *links, struct larder_bytes tag) {
    size_t low = 0, high = links->n_known;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = by_bytes(tag, known_tag(links, &links->known[middle]));
        if (order == 0)
            return &links->known[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static void read_links(struct links *links);
static void write_changes(struct links *links);

static int32_t take_page(struct links *links, const struct ddb_page *page) {
    struct ddb_task *task = &links->task;
    struct ddb_json j = ddb_json_of(page->items);
    struct ddb_item item;
    uint8_t room[DDB_MAX_NAME];
    struct larder_bytes tag;
    for (bool first = ddb_json_enter(&j, '['); ddb_json_element(&j, &first);) {
        if (!ddb_item_read(&j, &item) || !ddb_item_sort_text(item.sk, room, &tag))
            return ddb_task_refused(task, LARDER_CORRUPT, "the table holds a link of no known form");
        int32_t status = links->linking ? remember(links, tag, is_old(links, &item)) : emit_tag(links, tag);
        if (status != LARDER_OK)
            return status;
    }
    return LARDER_OK;
}

static void on_page(void *arg, const struct ddb_reply *reply) {
    struct links *links = arg;
    struct ddb_page page;
    if (reply->status != LARDER_OK) {
        end_links(links, ddb_task_failed(&links->task, reply));
        return;
    }
    if (!ddb_reply_page(reply->body, &page)) {
        end_links(links, ddb_task_unreadable(&links->task, reply->body));
        return;
    }
    int32_t status = take_page(links, &page);
    links->last.len = 0;
    if (page.has_more)
        ddb_text_add(&links->last, page.last.sk);
    if (status == LARDER_OK && links->last.failed)
        status = LARDER_NOMEM;
    if (status == LARDER_OK && page.has_more && ++links->pages == MOST_PAGES)
        status = ddb_task_refused(&links->task, LARDER_INTERNAL, "a key has links without end");
    if (status != LARDER_OK)
        end_links(links, status);
    else if (page.has_more)
        read_links(links);
    else if (links->linking)
        write_changes(links);
    else
        end_links(links, LARDER_OK);
}

static void read_links(struct links *links) {
    const struct ddb *d = links->task.d;
    const struct ddb_name name = link_name(links->task.op, (struct larder_bytes){0});
    struct ddb_text body = {0};
    ddb_text_begin(&body, &d->names);
    ddb_text_json(&body, ",'KeyConditionExpression':'#pk = :pk','ProjectionExpression':'#sk,expiresAt',"
                         "'ConsistentRead':true,'ExpressionAttributeNames':{'#pk':'");
    ddb_text_json(&body, d->names.pk);
    ddb_text_json(&body, "','#sk':'");
    ddb_text_json(&body, d->names.sk);
    ddb_text_json(&body, "'},'ExpressionAttributeValues':{':pk':{'S':'");
    ddb_text_partition(&body, &d->names, &name);
    ddb_text_json(&body, "'}}");
    if (links->last.len > 0) {
        ddb_text_json(&body, ",'ExclusiveStartKey':{'");
        ddb_text_json(&body, d->names.pk);
        ddb_text_json(&body, "':{'S':'");
        ddb_text_partition(&body, &d->names, &name);
        ddb_text_json(&body, "'},'");
        ddb_text_json(&body, d->names.sk);
        ddb_text_json(&body, "':{'S':'");
        ddb_text_add(&body, (struct larder_bytes){links->last.ptr, links->last.len});
        ddb_text_json(&body, "'}}");
    }
    ddb_text_json(&body, "}");
    int32_t status = ddb_call(links->task.d, links->task.op, "Query", &body, on_page, links);
    if (status != LARDER_OK)
        end_links(links, status);
}

/* ---- writing what differs ----------------------------------------------------------------------------------- */

static void text_put(struct ddb_text *t, const struct links *links, struct larder_bytes tag) {
    const struct ddb_task *task = &links->task;
    const struct ddb_names *names = &task->d->names;
    const struct ddb_name name = link_name(task->op, tag);
    int64_t expiry_ms = ddb_expiry_ms(task->op->now_ms, task->d->config->mark_max_age_ms);
    ddb_text_json(t, "{'PutRequest':{'Item':{");
    ddb_text_key(t, names, &name);
    ddb_text_json(t, ",");
    ddb_text_index_key(t, names, &name, ddb_shard_of(names, task->op->key), "");
    ddb_text_json(t, ",");
    ddb_text_n(t, "expiresAt", ddb_seconds(expiry_ms));
    ddb_text_json(t, "}}}");
}

static void text_delete(struct ddb_text *t, const struct links *links, struct larder_bytes tag) {
    const struct ddb_name name = link_name(links->task.op, tag);
    ddb_text_json(t, "{'DeleteRequest':{'Key':{");
    ddb_text_key(t, &links->task.d->names, &name);
    ddb_text_json(t, "}}}");
}

static void write_batch(struct ddb_slot *slot) {
    const struct links *links = (const struct links *)slot->fan->task;
    const struct larder_op *op = links->task.op;
    struct ddb_text requests = {0};
    size_t begin = slot->i * DDB_BATCH_WRITE;
    for (size_t i = begin; i < links->n_changes && i < begin + DDB_BATCH_WRITE; i++) {
        size_t change = links->changes[i];
        ddb_text_json(&requests, i == begin ? "[" : ",");
        if (change < op->n_marks)
            text_put(&requests, links, op->marks[change].tag);
        else
            text_delete(&requests, links, known_tag(links, &links->known[change - op->n_marks]));
    }
    ddb_text_json(&requests, "]");
    ddb_batch(slot, &requests);
}

static void on_over(struct ddb_fan *fan) {
    end_links((struct links *)fan->task, fan->status);
}

/* In a table of OpenNext's original mode: what is linked now, its processes are to find there too. */
static void write_member(struct ddb_slot *slot) {
    const struct links *links = (const struct links *)slot->fan->task;
    if (links->changes[slot->i] < links->task.op->n_marks)
        ddb_tell_member(slot, links->changes[slot->i]);
    else
        ddb_slot_done(slot); /* they forget nothing */
}

static void on_written(struct ddb_fan *fan) {
    struct links *links = (struct links *)fan->task;
    if (fan->status == LARDER_OK && links->task.d->names.original)
        ddb_fan_run(&links->fan, &links->task, links->n_changes, write_member, on_over);
    else
        on_over(fan);
}

static void write_changes(struct links *links) {
    const struct larder_op *op = links->task.op;
    links->changes = calloc(op->n_marks + links->n_known + 1, sizeof(*links->changes));
    if (!links->changes) {
        end_links(links, LARDER_NOMEM);
        return;
    }
    for (size_t i = 0; i < op->n_marks; i++) {
        struct known *known = find_known(links, op->marks[i].tag);
        if (known)
            known->wanted = true;
        if (!known || known->is_old)
            links->changes[links->n_changes++] = i;
    }
    for (size_t i = 0; i < links->n_known; i++) {
        if (!links->known[i].wanted)
            links->changes[links->n_changes++] = op->n_marks + i;
    }
    links->fan.window = ddb_write_window(links->task.d);
    ddb_fan_run(&links->fan, &links->task, (links->n_changes + DDB_BATCH_WRITE - 1) / DDB_BATCH_WRITE,
                write_batch, on_written);
}

/* ---- ops ------------------------------------------------------------------------------------------------------ */

static void begin_links(struct ddb *d, struct larder_op *op, bool linking) {
    struct links *links;
    if (!ddb_accepts(d, op, 0) || !(links = ddb_task_new(d, op, sizeof(*links))))
        return;
    links->linking = linking;
    read_links(links);
}

void ddb_link(void *instance, struct larder_op *op) {
    begin_links(instance, op, true);
}

void ddb_tags_of(void *instance, struct larder_op *op) {
    begin_links(instance, op, false);
}
