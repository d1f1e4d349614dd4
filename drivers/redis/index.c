/*
 * Which key carries which tag.  P:l:{KEY} is a string: when it was linked, then each tag, its length before it.
 * P:x:{TAG} is a sorted set of keys by the time when they were linked.  They are in different slots of a cluster, so
 * no step changes both.  The string is what counts: keys_of (page.c) believes no member of a set that the key's
 * string does not confirm.  Hence the order: first the string, then what is added to sets, then what is taken away;
 * and who finds another's string at the end, begins again.
 */
#include "index.h"

#include <stdlib.h>

enum { MOST_ROUNDS = 8, LENGTH_BYTES = 4 };

/* ---- the string --------------------------------------------------------------------------------------------------- */

struct rds_links rds_links_of(struct larder_bytes stored) {
    struct rds_links links = {.linked_ms = LARDER_UNSET};
    if (stored.len < RDS_NUMBER_BYTES)
        return links;
    links.linked_ms = rds_number_read(stored.ptr);
    links.rest = (struct larder_bytes){stored.ptr + RDS_NUMBER_BYTES, stored.len - RDS_NUMBER_BYTES};
    return links;
}

bool rds_links_next(struct rds_links *links, struct larder_bytes *ret_tag) {
    uint32_t len;
    if (links->rest.len < LENGTH_BYTES)
        return false;
    memcpy(&len, links->rest.ptr, LENGTH_BYTES);
    len = __builtin_bswap32(len);
    if (len > links->rest.len - LENGTH_BYTES)
        return false;
    *ret_tag = (struct larder_bytes){links->rest.ptr + LENGTH_BYTES, len};
    links->rest.ptr += LENGTH_BYTES + len;
    links->rest.len -= LENGTH_BYTES + len;
    return true;
}

bool rds_links_have(struct larder_bytes stored, struct larder_bytes tag) {
    struct rds_links links = rds_links_of(stored);
    struct larder_bytes at;
    while (rds_links_next(&links, &at)) {
        if (rds_same(at, tag))
            return true;
    }
    return false;
}

/* ---- link ----------------------------------------------------------------------------------------------------------- */

struct change { /* of one tag's set, or of the key's string */
    struct rds_request r;
    struct link *link;
    struct larder_bytes tag;
};

struct link {
    struct rds_task task;
    struct rds_request look;
    uint8_t *before; /* the string as it was read */
    size_t before_len;
    uint8_t *wanted; /* as it is to be */
    size_t wanted_len;
    uint32_t rounds;
    struct change *changes;
    size_t n_changes;
};

static struct larder_bytes none(void) {
    return (struct larder_bytes){0};
}

static void link_end(struct link *link) {
    free(link->before);
    free(link->wanted);
    free(link->changes);
    rds_task_end(&link->task, LARDER_OK);
}

static void look_again(struct link *link);

static struct larder_bytes wanted_of(const struct link *link) {
    return (struct larder_bytes){link->wanted, link->wanted_len};
}

static bool make_wanted(struct link *link) {
    const struct larder_op *op = link->task.op;
    size_t len = RDS_NUMBER_BYTES;
    for (size_t i = 0; i < op->n_marks; i++) {
        if (op->marks[i].tag.len > RDS_MAX_BULK || len > RDS_MAX_BULK)
            return false;
        len += LENGTH_BYTES + op->marks[i].tag.len;
    }
    link->wanted = malloc(len);
    if (!link->wanted)
        return false;
    link->wanted_len = len;
    rds_number_write(op->now_ms, link->wanted);
    uint8_t *to = link->wanted + RDS_NUMBER_BYTES;
    for (size_t i = 0; i < op->n_marks; i++) {
        const struct larder_bytes tag = op->marks[i].tag;
        const uint32_t tag_len = __builtin_bswap32((uint32_t)tag.len);
        memcpy(to, &tag_len, LENGTH_BYTES);
        if (tag.len > 0)
            memcpy(to + LENGTH_BYTES, tag.ptr, tag.len);
        to += LENGTH_BYTES + tag.len;
    }
    return true;
}

/* The same tags in the same order, and not half as old as links may be. */
static bool is_linked(const struct link *link, struct larder_bytes stored) {
    const struct rds_links links = rds_links_of(stored);
    const struct larder_op *op = link->task.op;
    if (stored.len != link->wanted_len ||
        memcmp(stored.ptr + RDS_NUMBER_BYTES, link->wanted + RDS_NUMBER_BYTES,
               stored.len - RDS_NUMBER_BYTES) != 0)
        return false;
    return op->n_marks > 0 && links.linked_ms <= op->now_ms &&
           op->now_ms - links.linked_ms < link->task.d->config->mark_max_age_ms / 2;
}

/* P:l:{KEY} */
static void string_write(const struct rds_request *r, struct rds_out *out) {
    const struct link *link = RDS_OF(const struct change, r, r)->link;
    const struct rds *d = link->task.d;
    const struct larder_op *op = link->task.op;
    if (op->n_marks == 0) {
        rds_command(out, "DEL", 2);
        rds_arg_key(out, &d->names, RDS_LINKS, op->key, none());
        return;
    }
    rds_command(out, "SET", 5);
    rds_arg_key(out, &d->names, RDS_LINKS, op->key, none());
    rds_arg(out, wanted_of(link));
    rds_arg_text(out, "PX");
    rds_arg_number(out, d->config->mark_max_age_ms);
}

/* P:x:{TAG}; with what is too old in it, which is never more than was added in the same time. */
static void add_write(const struct rds_request *r, struct rds_out *out) {
    const struct change *change = RDS_OF(const struct change, r, r);
    const struct rds *d = change->link->task.d;
    const struct larder_op *op = change->link->task.op;
    rds_command(out, "ZADD", 4);
    rds_arg_key(out, &d->names, RDS_CARRIERS, change->tag, none());
    rds_arg_number(out, op->now_ms);
    rds_arg(out, op->key);
    rds_command(out, "PEXPIRE", 3);
    rds_arg_key(out, &d->names, RDS_CARRIERS, change->tag, none());
    rds_arg_number(out, d->config->mark_max_age_ms);
    rds_command(out, "ZREMRANGEBYSCORE", 4);
    rds_arg_key(out, &d->names, RDS_CARRIERS, change->tag, none());
    rds_arg_text(out, "-inf");
    rds_arg_number(out, op->now_ms - d->config->mark_max_age_ms);
}

static void take_write(const struct rds_request *r, struct rds_out *out) {
    const struct change *change = RDS_OF(const struct change, r, r);
    rds_command(out, "ZREM", 3);
    rds_arg_key(out, &change->link->task.d->names, RDS_CARRIERS, change->tag, none());
    rds_arg(out, change->link->task.op->key);
}

static void look_write(const struct rds_request *r, struct rds_out *out) {
    const struct rds_task *task = &RDS_OF(const struct link, look, r)->task;
    rds_command(out, "GET", 2);
    rds_arg_key(out, &task->d->names, RDS_LINKS, task->op->key, none());
}

static void change_done(struct rds_request *r, const struct rds_answer *answer) {
    struct link *link = RDS_OF(struct change, r, r)->link;
    (void)rds_task_got(&link->task, answer, ":+");
    if (answer->status == LARDER_OK && r->seen + 1 < r->replies)
        return;
    if (--link->task.waiting > 0)
        return;
    if (link->task.status == LARDER_OK)
        look_again(link);
    else
        link_end(link);
}

static const struct rds_verb string_verb = {.write = string_write, .done = change_done};
static const struct rds_verb add_verb = {.write = add_write, .done = change_done};
static const struct rds_verb take_verb = {.write = take_write, .done = change_done};

static void add_change(struct link *link, const struct rds_verb *verb, struct larder_bytes name) {
    struct change *change = &link->changes[link->n_changes++];
    *change = (struct change){.link = link, .tag = name};
    rds_request_init(&change->r, verb, link->task.op, rds_slot(link->task.d, name), RDS_SMALL);
}

static void change_all(struct link *link) {
    const struct larder_op *op = link->task.op;
    const struct larder_bytes before = {link->before, link->before_len};
    struct rds_links links = rds_links_of(before);
    struct larder_bytes tag;
    size_t n = 1 + op->n_marks;
    while (rds_links_next(&links, &tag))
        n++;
    free(link->changes);
    link->n_changes = 0;
    link->changes = calloc(n, sizeof(*link->changes));
    if (!link->changes) {
        rds_task_refused(&link->task, LARDER_NOMEM, NULL);
        link_end(link);
        return;
    }
    add_change(link, &string_verb, op->key);
    for (size_t i = 0; i < op->n_marks; i++)
        add_change(link, &add_verb, op->marks[i].tag);
    links = rds_links_of(before);
    while (rds_links_next(&links, &tag)) {
        if (!rds_links_have(wanted_of(link), tag))
            add_change(link, &take_verb, tag);
    }
    link->task.waiting = (uint32_t)link->n_changes;
    struct change *changes = link->changes;
    for (size_t i = 0, all = link->n_changes; i < all; i++) /* with the last one the link may be gone */
        rds_submit(link->task.d, &changes[i].r);
}

/* The first look tells what is to be changed; the one at the end, whether somebody else has changed it meanwhile. */
static void look_done(struct rds_request *r, const struct rds_answer *answer) {
    struct link *link = RDS_OF(struct link, look, r);
    const bool is_last = link->rounds > 0;
    if (!rds_task_got(&link->task, answer, "$_")) {
        link_end(link);
        return;
    }
    const struct larder_bytes stored = answer->reply->text;
    const bool nothing = answer->reply->type == RDS_NIL && link->task.op->n_marks == 0;
    const bool done = nothing || (is_last ? rds_same(stored, wanted_of(link)) : is_linked(link, stored));
    if (done ||
        link->rounds == MOST_ROUNDS) { /* others go on changing it: the last of them leaves it right */
        link_end(link);
        return;
    }
    free(link->before);
    link->before = malloc(stored.len > 0 ? stored.len : 1);
    if (!link->before) {
        rds_task_refused(&link->task, LARDER_NOMEM, NULL);
        link_end(link);
        return;
    }
    if (stored.len > 0)
        memcpy(link->before, stored.ptr, stored.len);
    link->before_len = stored.len;
    link->rounds++;
    change_all(link);
}

static const struct rds_verb look_verb = {.write = look_write, .done = look_done};

static void look_again(struct link *link) {
    rds_request_init(&link->look, &look_verb, link->task.op, rds_slot(link->task.d, link->task.op->key),
                     RDS_SMALL);
    rds_submit(link->task.d, &link->look);
}

void rds_link(void *instance, struct larder_op *op) {
    struct rds *d = instance;
    struct link *link;
    if (!rds_accepts(d, op, 0) || !(link = rds_task_new(d, op, sizeof(*link))))
        return;
    if (!make_wanted(link)) {
        rds_task_refused(&link->task, LARDER_NOMEM, NULL);
        link_end(link);
        return;
    }
    look_again(link);
}

/* ---- tags_of -------------------------------------------------------------------------------------------------------- */

static void tags_done(struct rds_request *r, const struct rds_answer *answer) {
    struct link *link = RDS_OF(struct link, look, r);
    struct rds_task *task = &link->task;
    if (rds_task_got(task, answer, "$_")) {
        struct rds_links links = rds_links_of(answer->reply->text);
        struct larder_mark mark = {
            .expired_epoch = LARDER_UNSET, .stale_epoch = LARDER_UNSET, .expire_at_ms = LARDER_UNSET};
        while (task->status == LARDER_OK && rds_links_next(&links, &mark.tag)) {
            const int32_t status = task->d->host->emit_mark(task->op, &mark);
            if (status != LARDER_OK)
                rds_task_refused(task, status, NULL);
        }
    }
    link_end(link);
}

void rds_tags_of(void *instance, struct larder_op *op) {
    static const struct rds_verb verb = {.write = look_write, .done = tags_done};
    struct rds *d = instance;
    struct link *link;
    if (!rds_accepts(d, op, 0) || !(link = rds_task_new(d, op, sizeof(*link))))
        return;
    rds_request_init(&link->look, &verb, op, rds_slot(d, op->key), RDS_SMALL);
    rds_submit(d, &link->look);
}
