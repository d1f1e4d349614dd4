/*
 * What comes in pages: keys (SCAN), the keys of a tag (ZSCAN), marks (HSCAN).  The server's cursors need no state in it,
 * but they are good in one process of it only: the order of what is stored is another one after a restart, and on
 * a replica.  So a cursor of ours is the slot that tells the server, the server's run_id, and its cursor; where
 * the run_id is another one by now, that server begins anew.  A record may come twice then, and none is left out.
 *
 * What is found is not always told: an entry may be over, a link may be old.  So each is looked at before.
 */
#include <stdio.h>
#include <stdlib.h>

#include "index.h"

/* COUNT is how many records the server looks at, of which most may be others than those that are meant.  A scan that
 * found nothing is followed by a larger one, within the same op, until there is something to tell. */
enum {
    FIRST_COUNT = 10, /* at least */
    MOST_COUNT = 1000,
    MOST_SCANS = 16,
    RUN_BYTES = 16,
    MOST_CURSOR = 64,
    OLD_LINK_MS = 600000
};

struct page;

struct item { /* what was found, on its way to be looked at */
    struct rds_request r;
    struct page *page;
    struct larder_bytes name; /* in page->names */
    int64_t score;            /* of a link: when it was made */
    char cursor[24];          /* groups: within the hash */
};

struct page_kind {
    void (*write)(const struct page *page, struct rds_out *out);
    bool is_pairs; /* the reply's elements are name, value, name ... */
    /* From one element; RDS_SKIP, RDS_KEEP for an item of this name, or a failure (LARDER_...). */
    int32_t (*take)(struct page *page, struct larder_bytes element, struct larder_bytes value,
                    struct larder_bytes *ret_name);
    const struct rds_verb *look;
    bool has_names; /* what is looked at has the slot of the item's name; else that of marks */
    bool over_all;  /* all servers, one behind the other */
};

enum { RDS_KEEP = 1, RDS_SKIP = 2 };

struct page {
    struct rds_task task;
    struct rds_request scan;
    const struct page_kind *kind;
    uint32_t from;           /* slot of the server that is asked */
    char run[RUN_BYTES + 1]; /* of the cursor, then of the server */
    char cursor[24];         /* the server's; "0" at the beginning */
    int64_t count;           /* of the next scan */
    uint32_t scans;
    bool has_told;    /* something */
    bool begins_anew; /* the server is not the one that the cursor is of */
    size_t n_items;
    struct item *items;
    uint8_t *names;
    struct larder_slice told; /* the cursor that is told */
};

static struct larder_bytes none(void) {
    return (struct larder_bytes){0};
}

static void page_end(struct page *page) {
    free(page->items);
    free(page->names);
    page->task.res.cursor = page->task.status == LARDER_OK ? page->told : (struct larder_slice){0};
    if (page->task.status != LARDER_OK)
        page->task.d->host->buf_unref(page->told.owner);
    rds_task_end(&page->task, LARDER_OK);
}

static void page_fail(struct page *page, int32_t status, const char *detail) {
    rds_task_refused(&page->task, status, detail);
    page_end(page);
}

/* ---- cursors ---------------------------------------------------------------------------------------------------------- */

static bool is_number(const char *text) {
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* "SLOT.RUN.CURSOR" */
static bool cursor_read(struct page *page, struct larder_bytes given) {
    char text[MOST_CURSOR + 1], *save = NULL;
    if (given.len > MOST_CURSOR)
        return false;
    memcpy(text, given.ptr, given.len);
    text[given.len] = '\0';
    if (strlen(text) != given.len)
        return false;
    const char *slot = strtok_r(text, ".", &save), *run = strtok_r(NULL, ".", &save);
    const char *cursor = strtok_r(NULL, ".", &save);
    if (!slot || !run || !cursor || strlen(slot) > 5 || strlen(run) > RUN_BYTES ||
        strlen(cursor) >= sizeof(page->cursor) || !is_number(slot) || !is_number(cursor))
        return false;
    page->from = (uint32_t)strtoul(slot, NULL, 10);
    snprintf(page->run, sizeof(page->run), "%s", run);
    snprintf(page->cursor, sizeof(page->cursor), "%s", cursor);
    return page->from < RDS_SLOTS;
}

static void cursor_tell(struct page *page, uint32_t from, const char *run, const char *cursor) {
    char text[MOST_CURSOR];
    const int len = snprintf(text, sizeof(text), "%u.%s.%s", from, run[0] != '\0' ? run : "-", cursor);
    uint8_t *to = page->task.d->host->buf_new((size_t)len, &page->told);
    if (to)
        memcpy(to, text, (size_t)len);
    else
        rds_task_refused(&page->task, LARDER_NOMEM, NULL);
}

static int64_t first_count(uint64_t limit) {
    if (limit == 0 || limit > MOST_COUNT)
        return MOST_COUNT;
    return limit > FIRST_COUNT ? (int64_t)limit : FIRST_COUNT;
}

/* ---- one server, page by page ------------------------------------------------------------------------------------------- */

static void scan(struct page *page);

static void next_part(struct page *page, uint32_t from);

static void on_parts(void *arg, int32_t status, const char *detail) {
    struct page *page = arg;
    if (status == LARDER_OK)
        scan(page);
    else
        page_fail(page, status, detail);
}

static void on_next_parts(void *arg, int32_t status, const char *detail) {
    struct page *page = arg;
    if (status == LARDER_OK)
        next_part(page, page->from);
    else
        page_fail(page, status, detail);
}

/* All of this server was told. */
static void next_part(struct page *page, uint32_t from) {
    struct rds *d = page->task.d;
    page->from = from;
    const uint32_t part = from < RDS_SLOTS ? d->router_ops->part(d->router, from, on_next_parts, page)
                                           : RDS_NO_PART;
    if (part == RDS_PARTS_UNKNOWN)
        return;
    if (part != RDS_NO_PART)
        cursor_tell(page, part, "-", "0");
    page_end(page);
}

static void finish(struct page *page) {
    const bool is_end = strcmp(page->cursor, "0") == 0;
    if (page->task.status == LARDER_OK && !is_end && !page->has_told && page->scans < MOST_SCANS) {
        page->count = 2 * page->count < MOST_COUNT ? 2 * page->count : MOST_COUNT;
        scan(page);
        return;
    }
    if (page->task.status != LARDER_OK)
        page_end(page);
    else if (is_end && page->kind->over_all)
        next_part(page, page->from + 1);
    else {
        if (!is_end)
            cursor_tell(page, page->from, page->run, page->cursor);
        page_end(page);
    }
}

static void item_end(struct page *page) {
    if (--page->task.waiting == 0)
        finish(page);
}

/* Copies what is to be looked at; the reply is gone when the looking begins. */
static int32_t gather(struct page *page, const struct rds_reply *found) {
    const uint32_t step = page->kind->is_pairs ? 2 : 1;
    size_t bytes = 1;
    free(page->items);
    free(page->names);
    page->n_items = 0;
    for (uint32_t i = 0; i < found->n; i++)
        bytes += found->elements[i].text.len;
    page->items = calloc(found->n / step + 2, sizeof(*page->items));
    page->names = malloc(bytes);
    if (!page->items || !page->names)
        return LARDER_NOMEM;
    uint8_t *to = page->names;
    for (uint32_t i = 0; i + step <= found->n; i += step) {
        const struct larder_bytes value = step == 2 ? found->elements[i + 1].text : none();
        struct larder_bytes name;
        const int32_t taken = page->kind->take(page, found->elements[i].text, value, &name);
        if (taken < 0)
            return taken;
        if (taken == RDS_SKIP)
            continue;
        struct item *item = &page->items[page->n_items++];
        if (name.len > 0)
            memcpy(to, name.ptr, name.len);
        item->name = (struct larder_bytes){to, name.len};
        to += name.len;
        if (step == 2 && !rds_number(value, &item->score))
            item->score = 0;
    }
    return LARDER_OK;
}

static void item_start(struct page *page, struct item *item, uint16_t slot) {
    item->page = page;
    rds_request_init(&item->r, page->kind->look, page->task.op, slot, RDS_SMALL);
}

static void look_at_items(struct page *page) {
    struct rds *d = page->task.d;
    struct item *items = page->items;
    const size_t n = page->n_items;
    if (n == 0) {
        finish(page);
        return;
    }
    page->task.waiting = (uint32_t)n;
    for (size_t i = 0; i < n; i++)
        item_start(page, &items[i], page->kind->has_names ? rds_slot(d, items[i].name) : d->names.mark_slot);
    for (size_t i = 0; i < n; i++) /* with the last one the page may be gone */
        rds_submit(d, &items[i].r);
}

/* "run_id:0123...\r\n" in what INFO says; where INFO is forbidden nobody knows, and cursors are believed. */
static void run_read(const struct rds_answer *answer, char ret[RUN_BYTES + 1]) {
    static const char name[] = "\nrun_id:";
    const struct larder_bytes text = answer->reply->text;
    const uint8_t *at = answer->reply->type == RDS_BULK ? memmem(text.ptr, text.len, name, sizeof(name) - 1)
                                                        : NULL;
    snprintf(ret, RUN_BYTES + 1, "-");
    if (at && at + sizeof(name) - 1 + RUN_BYTES <= text.ptr + text.len)
        snprintf(ret, RUN_BYTES + 1, "%.*s", RUN_BYTES, (const char *)at + sizeof(name) - 1);
}

static void scan_done(struct rds_request *r, const struct rds_answer *answer) {
    struct page *page = RDS_OF(struct page, scan, r);
    if (answer->status == LARDER_OK && r->seen == 0) {
        char run[RUN_BYTES + 1];
        run_read(answer, run);
        page->begins_anew = strcmp(page->cursor, "0") != 0 && strcmp(page->run, run) != 0;
        memcpy(page->run, run, sizeof(run));
        return;
    }
    const struct rds_reply *reply = answer->reply;
    if (!rds_task_got(&page->task, answer, "*")) {
        page_end(page);
        return;
    }
    if (page->begins_anew) {
        snprintf(page->cursor, sizeof(page->cursor), "0");
        scan(page);
        return;
    }
    if (reply->n != 2 || reply->elements[1].type != RDS_ARRAY ||
        reply->elements[0].text.len >= sizeof(page->cursor)) {
        page_fail(page, LARDER_RETRY, "SCAN was answered with something else");
        return;
    }
    snprintf(page->cursor, sizeof(page->cursor), "%.*s", (int)reply->elements[0].text.len,
             (const char *)reply->elements[0].text.ptr);
    const int32_t status = is_number(page->cursor) ? gather(page, &reply->elements[1]) : LARDER_RETRY;
    if (status != LARDER_OK)
        page_fail(page, status, status == LARDER_CORRUPT ? "a mark is not of this driver's" : NULL);
    else
        look_at_items(page);
}

static void scan_write(const struct rds_request *r, struct rds_out *out) {
    const struct page *page = RDS_OF(const struct page, scan, r);
    rds_command(out, "INFO", 2);
    rds_arg_text(out, "server");
    page->kind->write(page, out);
}

static void scan(struct page *page) {
    static const struct rds_verb verb = {.write = scan_write, .done = scan_done};
    struct rds *d = page->task.d;
    uint32_t slot = page->from;
    if (page->kind->over_all) {
        slot = d->router_ops->part(d->router, page->from, on_parts, page);
        if (slot == RDS_PARTS_UNKNOWN)
            return;
        if (slot == RDS_NO_PART) {
            page_end(page);
            return;
        }
        page->from = slot;
    }
    page->begins_anew = false;
    page->scans++;
    rds_request_init(&page->scan, &verb, page->task.op, (uint16_t)slot, RDS_SMALL);
    rds_submit(d, &page->scan);
}

static void page_run(struct rds *d, struct larder_op *op, const struct page_kind *kind, uint16_t slot) {
    struct page *page;
    if (!rds_accepts(d, op, 0) || !(page = rds_task_new(d, op, sizeof(*page))))
        return;
    page->kind = kind;
    page->from = slot;
    page->count = first_count(op->limit);
    snprintf(page->cursor, sizeof(page->cursor), "0");
    if (op->cursor.len > 0 && !cursor_read(page, op->cursor)) {
        page_fail(page, LARDER_INVALID, "the cursor is none of this driver's");
        return;
    }
    if (!kind->over_all)
        page->from = slot;
    scan(page);
}

static void arg_count(struct rds_out *out, const struct page *page) {
    rds_arg_text(out, "COUNT");
    rds_arg_number(out, page->count);
}

static void emit_key(struct page *page, struct larder_bytes key) {
    const int32_t status = page->task.d->host->emit_key(page->task.op, key);
    page->has_told = true;
    if (status != LARDER_OK)
        rds_task_refused(&page->task, status, NULL);
}

/* ---- list --------------------------------------------------------------------------------------------------------------- */

static void list_write(const struct page *page, struct rds_out *out) {
    rds_command(out, "SCAN", 6);
    rds_arg_text(out, page->cursor);
    rds_arg_text(out, "MATCH");
    rds_arg_pattern(out, &page->task.d->names, RDS_ENTRY, page->task.op->key);
    arg_count(out, page);
}

static int32_t list_take(struct page *page, struct larder_bytes element,
                         __attribute__((unused)) struct larder_bytes value, struct larder_bytes *ret_name) {
    return rds_key_read(&page->task.d->names, RDS_ENTRY, element, ret_name) &&
                   rds_starts(*ret_name, page->task.op->key)
               ? RDS_KEEP
               : RDS_SKIP;
}

static void head_write(const struct rds_request *r, struct rds_out *out) {
    const struct item *item = RDS_OF(const struct item, r, r);
    rds_command(out, "GETRANGE", 4);
    rds_arg_key(out, &item->page->task.d->names, RDS_ENTRY, item->name, none());
    rds_arg_number(out, 0);
    rds_arg_number(out, RDS_HEAD - 1);
}

static void head_done(struct rds_request *r, const struct rds_answer *answer) {
    struct item *item = RDS_OF(struct item, r, r);
    struct page *page = item->page;
    if (rds_task_got(&page->task, answer, "$_") &&
        rds_entry_look(answer->reply->text, page->task.op->now_ms) == RDS_ENTRY_THERE)
        emit_key(page, item->name);
    item_end(page);
}

void rds_list(void *instance, struct larder_op *op) {
    static const struct rds_verb look = {.write = head_write, .done = head_done};
    static const struct page_kind kind = {
        .write = list_write, .take = list_take, .look = &look, .has_names = true, .over_all = true};
    page_run(instance, op, &kind, 0);
}

/* ---- keys_of ------------------------------------------------------------------------------------------------------------ */

static void carriers_write(const struct page *page, struct rds_out *out) {
    rds_command(out, "ZSCAN", 5);
    rds_arg_key(out, &page->task.d->names, RDS_CARRIERS, page->task.op->key, none());
    rds_arg_text(out, page->cursor);
    arg_count(out, page);
}

static int32_t carriers_take(__attribute__((unused)) struct page *page, struct larder_bytes element,
                             __attribute__((unused)) struct larder_bytes value,
                             struct larder_bytes *ret_name) {
    *ret_name = element;
    return RDS_KEEP;
}

static void links_write(const struct rds_request *r, struct rds_out *out) {
    const struct item *item = RDS_OF(const struct item, r, r);
    rds_command(out, "GET", 2);
    rds_arg_key(out, &item->page->task.d->names, RDS_LINKS, item->name, none());
}

static void forget_write(const struct rds_request *r, struct rds_out *out) {
    const struct item *item = RDS_OF(const struct item, r, r);
    rds_command(out, "ZREM", 3);
    rds_arg_key(out, &item->page->task.d->names, RDS_CARRIERS, item->page->task.op->key, none());
    rds_arg(out, item->name);
}

static void forget_done(struct rds_request *r, const struct rds_answer *answer) {
    struct item *item = RDS_OF(struct item, r, r);
    (void)answer; /* the next one who looks tries it again */
    item_end(item->page);
}

/* A link that the key does not confirm is taken away, but not while it may just be made. */
static void links_done(struct rds_request *r, const struct rds_answer *answer) {
    static const struct rds_verb forget = {.write = forget_write, .done = forget_done};
    struct item *item = RDS_OF(struct item, r, r);
    struct page *page = item->page;
    const struct larder_op *op = page->task.op;
    if (!rds_task_got(&page->task, answer, "$_")) {
        item_end(page);
        return;
    }
    if (answer->reply->type == RDS_BULK && rds_links_have(answer->reply->text, op->key)) {
        emit_key(page, item->name);
    } else if (item->score < op->now_ms - OLD_LINK_MS) {
        rds_request_init(r, &forget, op, rds_slot(page->task.d, op->key), RDS_SMALL);
        rds_submit(page->task.d, r);
        return;
    }
    item_end(page);
}

void rds_keys_of(void *instance, struct larder_op *op) {
    static const struct rds_verb look = {.write = links_write, .done = links_done};
    static const struct page_kind kind = {
        .write = carriers_write, .is_pairs = true, .take = carriers_take, .look = &look, .has_names = true};
    struct rds *d = instance;
    page_run(d, op, &kind, rds_slot(d, op->key));
}

/* ---- list_marks --------------------------------------------------------------------------------------------------------- */

static void arg_marks(struct rds_out *out, const struct page *page, struct larder_bytes group,
                      const char *cursor) {
    rds_command(out, "HSCAN", 7);
    rds_arg_group(out, &page->task.d->names, group);
    rds_arg_text(out, cursor);
    rds_arg_text(out, "MATCH");
    rds_arg_field_pattern(out, 'm', page->task.op->key);
    arg_count(out, page);
}

static void marks_write(const struct page *page, struct rds_out *out) {
    arg_marks(out, page, rds_group_of(page->task.op->key), page->cursor);
}

/* They are told at once: there is nothing to look at. */
static int32_t marks_take(struct page *page, struct larder_bytes element, struct larder_bytes value,
                          __attribute__((unused)) struct larder_bytes *ret_name) {
    if (element.len == 0 || element.ptr[0] != 'm')
        return RDS_SKIP;
    const struct larder_bytes tag = {element.ptr + 1, element.len - 1};
    if (!rds_starts(tag, page->task.op->key))
        return RDS_SKIP;
    const int32_t status = rds_mark_emit(page->task.d, page->task.op, tag, value);
    page->has_told = true;
    return status == LARDER_OK ? RDS_SKIP : status;
}

/* Where the beginning does not tell the namespace: SCAN finds the hashes, and each is read to its end. */
static void groups_write(const struct page *page, struct rds_out *out) {
    rds_command(out, "SCAN", 6);
    rds_arg_text(out, page->cursor);
    rds_arg_text(out, "MATCH");
    rds_arg_group_pattern(out, &page->task.d->names);
    arg_count(out, page);
}

static int32_t groups_take(struct page *page, struct larder_bytes element,
                           __attribute__((unused)) struct larder_bytes value, struct larder_bytes *ret_name) {
    if (!rds_group_read(&page->task.d->names, element, ret_name))
        return RDS_SKIP;
    /* The namespace begins so, or it is the one of tags without a namespace. */
    return ret_name->len == 0 || rds_starts(*ret_name, page->task.op->key) ? RDS_KEEP : RDS_SKIP;
}

static void group_write(const struct rds_request *r, struct rds_out *out) {
    const struct item *item = RDS_OF(const struct item, r, r);
    arg_marks(out, item->page, item->name, item->cursor[0] != '\0' ? item->cursor : "0");
}

static void group_done(struct rds_request *r, const struct rds_answer *answer) {
    struct item *item = RDS_OF(struct item, r, r);
    struct page *page = item->page;
    const struct rds_reply *reply = answer->reply;
    if (!rds_task_got(&page->task, answer, "*")) {
        item_end(page);
        return;
    }
    if (reply->n != 2 || reply->elements[1].type != RDS_ARRAY ||
        reply->elements[0].text.len >= sizeof(item->cursor)) {
        rds_task_refused(&page->task, LARDER_RETRY, "HSCAN was answered with something else");
        item_end(page);
        return;
    }
    const struct rds_reply *found = &reply->elements[1];
    struct larder_bytes name;
    for (uint32_t i = 0; i + 2 <= found->n && page->task.status == LARDER_OK; i += 2) {
        const int32_t status = marks_take(page, found->elements[i].text, found->elements[i + 1].text, &name);
        if (status < 0)
            rds_task_refused(&page->task, status, NULL);
    }
    snprintf(item->cursor, sizeof(item->cursor), "%.*s", (int)reply->elements[0].text.len,
             (const char *)reply->elements[0].text.ptr);
    if (page->task.status != LARDER_OK || !is_number(item->cursor) || strcmp(item->cursor, "0") == 0) {
        item_end(page);
        return;
    }
    rds_request_init(r, r->verb, page->task.op, page->task.d->names.mark_slot, RDS_SMALL);
    rds_submit(page->task.d, r);
}

void rds_list_marks(void *instance, struct larder_op *op) {
    static const struct rds_verb look = {.write = group_write, .done = group_done};
    static const struct page_kind one = {
        .write = marks_write, .is_pairs = true, .take = marks_take, .look = &look};
    static const struct page_kind all = {.write = groups_write, .take = groups_take, .look = &look};
    struct rds *d = instance;
    const bool is_one = op->key.len > 0 && memchr(op->key.ptr, '/', op->key.len);
    page_run(d, op, is_one ? &one : &all, d->names.mark_slot);
}
