/*
 * Original mode: what OpenNext is told.
 *
 * Its processes ask by path, so a revalidation is written into each item of the tag, as they do it; and where the tag
 * is one of a route, into those of the other tags that the route's paths have.  It is told with some time in advance:
 * the second of the core's two rounds then finds that all is said, and what was being rendered counts as older, for
 * they compare with the time when an entry was stored.
 *
 * That takes as long as there are items.  So the op whose marks these are does not wait for all of it: nothing of
 * Larder's own rests on it.
 */
#include <stdlib.h>
#include <string.h>

#include "ddb.h"

enum {
    AHEAD_MS = 2000,
    MOST_AT_ONCE = 16,   /* tellings of an instance; others wait ... */
    MOST_TELLINGS = 512, /* ... as long as all are no more than this */
    MOST_ITEMS = 100000, /* of one telling */
    MOST_PATHS = 10000,  /* of a route, whose other tags are looked for */
    LONGEST_S = 600
};

struct text_at { /* in a text */
    size_t at, len;
};

struct member {
    struct text_at path; /* in page_paths */
    struct ddb_twin seen, next;
};

struct queued {
    struct text_at tag; /* in texts */
    size_t mark;        /* which one it is told */
};

struct ddb_telling {
    struct ddb_task task; /* of an op of its own, which the core knows nothing of */
    struct ddb_fan fan;
    struct larder_op op;
    struct ddb_telling *prev, *next;
    struct ddb_task *waiting; /* NULL: it has been answered */
    struct larder_timer *timer;
    struct larder_mark *marks;
    struct ddb_text texts;
    struct queued *tags;
    size_t n_tags, tags_size, at_tag;
    struct text_at *paths; /* of the tag, where it is one of a route; in texts */
    size_t n_paths, paths_size;
    struct member *members; /* of a page */
    size_t n_members, members_size;
    struct ddb_text page_paths, last; /* last: raw, what the page ended with; len 0: that was all */
    size_t n_told;
    bool is_running, has_warned;
};

/* ---- its memory ------------------------------------------------------------------------------------------ */

static void telling_free(struct ddb_telling *t) {
    struct ddb *d = t->task.d;
    d->n_telling -= t->is_running;
    *(t->prev ? &t->prev->next : &d->tellings) = t->next;
    if (t->next)
        t->next->prev = t->prev;
    d->n_tellings--;
    for (size_t i = 0; i < DDB_WINDOW; i++) { /* of an instance that is closed */
        if (t->fan.slots[i].timer)
            d->host->timer_free(t->fan.slots[i].timer);
        ddb_text_done(&t->fan.slots[i].left);
    }
    if (t->timer)
        d->host->timer_free(t->timer);
    ddb_text_done(&t->texts);
    ddb_text_done(&t->page_paths);
    ddb_text_done(&t->last);
    free(t->marks);
    free(t->tags);
    free(t->paths);
    free(t->members);
    free(t);
}

void ddb_tell_done(struct ddb *d) {
    while (d->tellings)
        telling_free(d->tellings);
}

/* Room for one more of so many bytes. */
static void *grown(void *array, size_t n, size_t *size, size_t each) {
    if (n < *size)
        return array;
    void *larger = reallocarray(array, 2 * *size + 64, each);
    if (larger)
        *size = 2 * *size + 64;
    return larger;
}

static struct larder_bytes text_of(const struct ddb_text *text, struct text_at at) {
    return (struct larder_bytes){text->ptr + at.at, at.len};
}

static bool keep_text(struct ddb_text *text, struct larder_bytes bytes, struct text_at *ret) {
    *ret = (struct text_at){text->len, bytes.len};
    ddb_text_add(text, bytes);
    return !text->failed;
}

/* Once for each tag; what it is told first is as good. */
static bool add_tag(struct ddb_telling *t, struct larder_bytes tag, size_t mark) {
    for (size_t i = 0; i < t->n_tags; i++) {
        if (t->tags[i].mark == mark && ddb_bytes_same(text_of(&t->texts, t->tags[i].tag), tag))
            return true;
    }
    struct queued *tags = grown(t->tags, t->n_tags, &t->tags_size, sizeof(*tags));
    if (!tags)
        return false;
    t->tags = tags;
    tags[t->n_tags].mark = mark;
    return keep_text(&t->texts, tag, &tags[t->n_tags++].tag);
}

static bool add_path(struct ddb_telling *t, struct larder_bytes path) {
    struct text_at *paths = grown(t->paths, t->n_paths, &t->paths_size, sizeof(*paths));
    if (!paths)
        return false;
    t->paths = paths;
    return keep_text(&t->texts, path, &paths[t->n_paths++]);
}

static bool add_member(struct ddb_telling *t, struct larder_bytes path, const struct member *member) {
    struct member *members = grown(t->members, t->n_members, &t->members_size, sizeof(*members));
    if (!members)
        return false;
    t->members = members;
    members[t->n_members] = *member;
    return keep_text(&t->page_paths, path, &members[t->n_members++].path);
}

/* ---- its end --------------------------------------------------------------------------------------------- */

static void warn(struct ddb_telling *t, const char *line) {
    if (!t->has_warned)
        t->task.d->host->log(t->task.d->home, LARDER_LOG_WARN, line);
    t->has_warned = true;
}

static void answer(struct ddb_telling *t, int32_t status) {
    struct ddb_task *task = t->waiting;
    t->waiting = NULL;
    if (status < 0)
        ddb_task_failed(task, &(struct ddb_reply){.status = status,
                                                  .retry_after_ms = t->task.res.retry_after_ms,
                                                  .native_code = t->task.res.native_code,
                                                  .detail = t->task.detail});
    ddb_task_end(task, status);
}

static void begin_telling(struct ddb_telling *t);

/* The oldest that waits. */
static void begin_next(struct ddb *d) {
    struct ddb_telling *next = NULL;
    for (struct ddb_telling *t = d->tellings; t; t = t->next)
        next = t->is_running ? next : t;
    if (next && d->n_telling < MOST_AT_ONCE)
        begin_telling(next);
}

static void end_telling(struct ddb_telling *t, int32_t status) {
    struct ddb_task *task = t->waiting;
    struct ddb *d = t->task.d;
    if (!task && status != LARDER_OK)
        warn(t, "a revalidation that is done was not told to all of OpenNext's items");
    if (task)
        answer(t, status);
    telling_free(t);
    begin_next(d);
}

/* The op has waited long enough. */
static void on_timer(void *arg) {
    struct ddb_telling *t = arg;
    if (t->waiting)
        answer(t, LARDER_OK);
}

/* ---- the items of a tag ---------------------------------------------------------------------------------- */

static void tell_tag(struct ddb_telling *t);
static void tell_page(struct ddb_telling *t);

static const struct larder_mark *mark_of(const struct ddb_telling *t) {
    return &t->marks[t->tags[t->at_tag].mark];
}

static struct larder_bytes tag_of(const struct ddb_telling *t) {
    return text_of(&t->texts, t->tags[t->at_tag].tag);
}

static int64_t later(int64_t epoch) {
    if (epoch == LARDER_UNSET)
        return epoch;
    return epoch < LARDER_NEW_EPOCH - 1 - AHEAD_MS ? epoch + AHEAD_MS : LARDER_NEW_EPOCH - 1;
}

static struct larder_mark in_advance(const struct larder_mark *mark) {
    return (struct larder_mark){.tag = mark->tag,
                                .expired_epoch = later(mark->expired_epoch),
                                .stale_epoch = later(mark->stale_epoch),
                                .expire_at_ms = mark->expire_at_ms};
}

static struct larder_mark target(const struct ddb_slot *slot, struct opennext_key *ret_key) {
    const struct ddb_telling *t = (const struct ddb_telling *)slot->fan->task;
    ret_key->tag = tag_of(t);
    ret_key->path = text_of(&t->page_paths, t->members[slot->i].path);
    return in_advance(mark_of(t));
}

static bool take_member(struct ddb_telling *t, const struct ddb_item *item) {
    const struct ddb_names *names = &t->task.d->names;
    const struct larder_mark ahead = in_advance(mark_of(t));
    uint8_t room[OPENNEXT_MAX_KEY];
    struct larder_bytes path = {.ptr = room};
    struct member member = {.seen = item->twin};
    if (!ddb_json_unescape(item->sk, room, sizeof(room), &path.len) || opennext_is_twin_path(names, path))
        return true;
    bool is_route = opennext_is_soft(names, tag_of(t));
    if (is_route && t->n_paths == MOST_PATHS)
        warn(t, "a route has too many paths: not all of their tags are told to OpenNext");
    else if (is_route && !add_path(t, path))
        return false;
    if (!opennext_merge(&member.seen, mark_of(t), t->op.now_ms, &member.next))
        return true; /* it says so already */
    opennext_merge(&member.seen, &ahead, t->op.now_ms, &member.next);
    return add_member(t, path, &member);
}

static int32_t take_page(struct ddb_telling *t, struct larder_bytes body) {
    struct ddb_page page;
    struct ddb_item item;
    if (!ddb_reply_page(body, &page))
        return ddb_task_unreadable(&t->task, body);
    struct ddb_json j = ddb_json_of(page.items);
    for (bool first = ddb_json_enter(&j, '['); ddb_json_element(&j, &first);) {
        if (!ddb_item_read(&j, &item))
            return ddb_task_unreadable(&t->task, body);
        if (!take_member(t, &item))
            return ddb_task_refused(&t->task, LARDER_NOMEM, NULL);
    }
    t->last.len = 0;
    if (page.has_more)
        ddb_text_add(&t->last, page.last.sk);
    return t->last.failed ? ddb_task_refused(&t->task, LARDER_NOMEM, NULL) : LARDER_OK;
}

static void query_tag(struct ddb_slot *slot);

static void on_page(void *arg, const struct ddb_reply *reply) {
    struct ddb_slot *slot = arg;
    struct ddb_telling *t = (struct ddb_telling *)slot->fan->task;
    if (reply->status != LARDER_OK)
        ddb_slot_fail_or_wait(slot, reply, query_tag);
    else
        ddb_slot_end(slot, take_page(t, reply->body));
}

static void query_tag(struct ddb_slot *slot) {
    struct ddb_telling *t = (struct ddb_telling *)slot->fan->task;
    struct ddb_text body = {0};
    ddb_text_members(&body, &t->task.d->names, tag_of(t), (struct larder_bytes){t->last.ptr, t->last.len});
    ddb_slot_call(slot, "Query", &body, on_page);
}

static void write_member(struct ddb_slot *slot) {
    const struct ddb_telling *t = (const struct ddb_telling *)slot->fan->task;
    const struct member *member = &t->members[slot->i];
    ddb_twin_replace(slot, &member->seen, &member->next);
}

/* ---- the other tags of a route's paths ----------------------------------------------------------------------- */

static int32_t take_tags(struct ddb_telling *t, struct larder_bytes body) {
    const struct ddb_names *names = &t->task.d->names;
    uint8_t room[2 * OPENNEXT_MAX_KEY]; /* a partition key */
    struct ddb_page page;
    struct ddb_item item;
    if (!ddb_reply_page(body, &page))
        return ddb_task_unreadable(&t->task, body);
    struct ddb_json j = ddb_json_of(page.items);
    for (bool first = ddb_json_enter(&j, '['); ddb_json_element(&j, &first);) {
        struct larder_bytes tag = {.ptr = room};
        if (!ddb_item_read(&j, &item) || !ddb_json_unescape(item.tag, room, sizeof(room), &tag.len))
            return ddb_task_unreadable(&t->task, body);
        if (!opennext_is_soft(names, tag) && !add_tag(t, tag, t->tags[t->at_tag].mark))
            return ddb_task_refused(&t->task, LARDER_NOMEM, NULL);
    }
    return LARDER_OK;
}

static void query_path(struct ddb_slot *slot);

static void on_path(void *arg, const struct ddb_reply *reply) {
    struct ddb_slot *slot = arg;
    struct ddb_telling *t = (struct ddb_telling *)slot->fan->task;
    if (reply->status != LARDER_OK)
        ddb_slot_fail_or_wait(slot, reply, query_path);
    else
        ddb_slot_end(slot, take_tags(t, reply->body));
}

/* By the index, which lags, as OpenNext does it; of a path with more than a megabyte of tags the first of them. */
static void query_path(struct ddb_slot *slot) {
    struct ddb_telling *t = (struct ddb_telling *)slot->fan->task;
    struct ddb_text body = {0};
    ddb_text_begin(&body, &t->task.d->names);
    ddb_text_json(&body,
                  ",'IndexName':'revalidate','KeyConditionExpression':'#path = :path',"
                  "'ProjectionExpression':'#tag','ExpressionAttributeNames':{'#path':'path','#tag':'tag'},"
                  "'ExpressionAttributeValues':{':path':{'S':'");
    ddb_text_escaped(&body, text_of(&t->texts, t->paths[slot->i]));
    ddb_text_json(&body, "'}}}");
    ddb_slot_call(slot, "Query", &body, on_path);
}

/* ---- one tag after the other --------------------------------------------------------------------------------- */

static void run(struct ddb_telling *t, size_t n, ddb_slot_fn *start, void (*over)(struct ddb_fan *fan)) {
    t->fan.is_patient = true;
    t->fan.window = ddb_write_window(t->task.d);
    t->fan.target = target;
    ddb_fan_run(&t->fan, &t->task, n, start, over);
}

static void on_tag_told(struct ddb_fan *fan) {
    struct ddb_telling *t = (struct ddb_telling *)fan->task;
    if (fan->status != LARDER_OK) {
        end_telling(t, fan->status);
        return;
    }
    t->at_tag++;
    tell_tag(t);
}

static void on_page_told(struct ddb_fan *fan) {
    struct ddb_telling *t = (struct ddb_telling *)fan->task;
    t->n_told += t->n_members;
    if (fan->status != LARDER_OK)
        end_telling(t, fan->status);
    else if (t->last.len > 0 && t->n_told < MOST_ITEMS)
        tell_page(t);
    else
        run(t, t->n_paths, query_path, on_tag_told);
}

static void on_page_read(struct ddb_fan *fan) {
    struct ddb_telling *t = (struct ddb_telling *)fan->task;
    if (fan->status == LARDER_OK)
        run(t, t->n_members, write_member, on_page_told);
    else
        end_telling(t, fan->status);
}

static void tell_page(struct ddb_telling *t) {
    t->n_members = 0;
    t->page_paths.len = 0;
    run(t, 1, query_tag, on_page_read);
}

static void tell_tag(struct ddb_telling *t) {
    if (t->n_told >= MOST_ITEMS)
        warn(t, "a revalidation has too many of OpenNext's items: not all of them were told");
    if (t->n_told >= MOST_ITEMS || t->at_tag == t->n_tags) {
        end_telling(t, LARDER_OK);
        return;
    }
    t->n_paths = 0;
    t->last.len = 0;
    tell_page(t);
}

static void begin_telling(struct ddb_telling *t) {
    t->is_running = true;
    t->task.d->n_telling++;
    tell_tag(t);
}

/* Half of the time that is left is for the op's answer, and what may still have to be tried again. */
static bool set_timer(struct ddb_telling *t, uint64_t deadline_ns) {
    const struct larder_host *host = t->task.d->host;
    uint64_t now_ns = host->now_ns();
    if (deadline_ns == UINT64_MAX)
        return true;
    t->timer = host->timer(t->task.d->home, on_timer, t);
    if (t->timer)
        host->timer_set(t->timer, deadline_ns > now_ns ? now_ns + (deadline_ns - now_ns) / 2 : now_ns);
    return t->timer != NULL;
}

static bool take_marks(struct ddb_telling *t, const struct larder_op *op) {
    struct opennext_key key;
    t->marks = calloc(op->n_marks + 1, sizeof(*t->marks));
    for (size_t i = 0; i < op->n_marks && t->marks; i++) {
        t->marks[i] = op->marks[i];
        t->marks[i].tag = (struct larder_bytes){0}; /* it does not outlive the op */
        if (opennext_twin(&t->task.d->names, op->marks[i].tag, &key) &&
            opennext_epoch(&op->marks[i]) != LARDER_UNSET && !add_tag(t, key.tag, i))
            return false;
    }
    return t->marks != NULL;
}

void ddb_tell(struct ddb_task *task) {
    struct ddb *d = task->d;
    const struct larder_op *op = task->op;
    if (d->n_tellings == MOST_TELLINGS) {
        ddb_task_end(task, ddb_task_refused(task, LARDER_THROTTLED,
                                            "OpenNext is still being told of other revalidations"));
        return;
    }
    struct ddb_telling *t = calloc(1, sizeof(*t));
    if (!t) {
        ddb_task_end(task, LARDER_NOMEM);
        return;
    }
    t->op = (struct larder_op){.size = sizeof(t->op),
                               .code = op->code,
                               .id = op->id,
                               .deadline_ns = d->host->now_ns() + LONGEST_S * UINT64_C(1000000000),
                               .now_ms = op->now_ms};
    t->task = (struct ddb_task){.d = d, .op = &t->op};
    t->waiting = task;
    t->next = d->tellings;
    if (t->next)
        t->next->prev = t;
    d->tellings = t;
    d->n_tellings++;
    if (!set_timer(t, op->deadline_ns) || !take_marks(t, op))
        end_telling(t, LARDER_NOMEM);
    else if (d->n_telling < MOST_AT_ONCE)
        begin_telling(t);
}

/* ---- link ------------------------------------------------------------------------------------------------------ */

static void on_linked(void *arg, const struct ddb_reply *reply) {
    struct ddb_slot *slot = arg;
    if (reply->status == LARDER_OK)
        ddb_slot_done(slot);
    else
        ddb_slot_fail(slot, reply);
}

void ddb_tell_member(struct ddb_slot *slot, size_t mark) {
    const struct ddb_task *task = slot->fan->task;
    struct opennext_key key;
    struct ddb_text body = {0};
    if (!opennext_member(&task->d->names, task->op->key, task->op->marks[mark].tag, &key)) {
        ddb_slot_done(slot);
        return;
    }
    ddb_text_begin(&body, &task->d->names);
    ddb_text_json(&body, ",'Key':{");
    opennext_text_key(&body, &key);
    ddb_text_json(&body, "},'UpdateExpression':'SET revalidatedAt = if_not_exists(revalidatedAt, :member)',"
                         "'ExpressionAttributeValues':{");
    ddb_text_n(&body, ":member", OPENNEXT_MEMBER);
    ddb_text_json(&body, "}}");
    ddb_slot_call(slot, "UpdateItem", &body, on_linked);
}
