/* The tag cache's ops on top of the log: log.h says what a frame guarantees. */
#include <string.h>

#include "fs.h"
#include "larder/merge.h"
#include "pick.h"

static struct fs_record record_for(const struct fs_call *c, enum fs_kind kind, struct larder_bytes name) {
    struct fs_id id = fs_hash(c->folder, name);
    return (struct fs_record){.hi = id.hi,
                              .lo = id.lo,
                              .kind = kind,
                              .name = name,
                              .a = LARDER_UNSET,
                              .b = LARDER_UNSET,
                              .c = LARDER_UNSET,
                              .written_ms = c->now_ms};
}

/* What holds for a tag: its mark and the floor.  false: nothing does. */
static bool mark_of(const struct fs_call *c, const struct fs_record *r, struct larder_bytes tag,
                    struct larder_mark *ret) {
    int64_t floor = c->folder->log.floor;
    *ret = (struct larder_mark){
        .tag = tag, .expired_epoch = floor, .stale_epoch = LARDER_UNSET, .expire_at_ms = LARDER_UNSET};
    if (r != NULL) {
        ret->expired_epoch = larder_merge_max(r->a, floor);
        ret->stale_epoch = r->b;
        ret->expire_at_ms = r->c;
    }
    return r != NULL || floor != LARDER_UNSET;
}

static int32_t check_names(struct fs_call *c) {
    for (size_t i = 0; i < c->op->n_marks; i++)
        if (c->op->marks[i].tag.len > UINT32_MAX)
            return fs_fail(c, LARDER_TOO_BIG, "a tag of more than 4 GB");
    if (c->op->key.len > UINT32_MAX)
        return fs_fail(c, LARDER_TOO_BIG, "a name of more than 4 GB");
    return LARDER_OK;
}

int32_t fs_tags_read(struct fs_call *c) {
    const struct larder_op *op = c->op;
    int32_t status = check_names(c);
    if (status == LARDER_OK)
        status = fs_log_read_begin(c);
    if (status != LARDER_OK)
        return status;
    for (size_t i = 0; i < op->n_marks && status == LARDER_OK; i++) {
        struct fs_record like = record_for(c, FS_MARK, op->marks[i].tag);
        struct larder_mark mark;
        if (mark_of(c, fs_table_find(&c->folder->log.table, &like), like.name, &mark))
            status = c->fs->host->emit_mark(c->op, &mark);
    }
    fs_log_read_end(c);
    return status;
}

/* Adds to the batch what is stored for each mark of the op once it has joined.  epoch stands
 * for LARDER_NEW_EPOCH.  In a look of a writer's frame.  LARDER_MISS: some were left as they are. */
static int32_t merge_marks(struct fs_call *c, int64_t epoch, struct fs_batch *batch) {
    const struct larder_op *op = c->op;
    int32_t status = LARDER_OK;
    for (size_t i = 0; i < op->n_marks; i++) {
        struct larder_mark add = op->marks[i];
        if (epoch != LARDER_UNSET && add.expired_epoch == LARDER_NEW_EPOCH)
            add.expired_epoch = epoch;
        if (epoch != LARDER_UNSET && add.stale_epoch == LARDER_NEW_EPOCH)
            add.stale_epoch = epoch;
        struct fs_record like = record_for(c, FS_MARK, add.tag);
        const struct fs_record *r = fs_table_find(&c->folder->log.table, &like);
        if (r != NULL && (op->flags & LARDER_IF_ABSENT)) {
            status = LARDER_MISS;
            continue;
        }
        struct larder_mark stored, merged = add;
        if (r != NULL) {
            stored = (struct larder_mark){add.tag, r->a, r->b, r->c};
            merged = larder_merge_mark(&stored, &add, c->now_ms);
        }
        like.a = merged.expired_epoch;
        like.b = merged.stale_epoch;
        like.c = merged.expire_at_ms;
        fs_batch_add(batch, &like);
    }
    return status;
}

int32_t fs_tags_write(struct fs_call *c) {
    int32_t status = check_names(c);
    if (status == LARDER_OK)
        status = fs_log_write_begin(c);
    if (status != LARDER_OK)
        return status;
    struct fs_batch batch;
    fs_batch_init(&batch);
    fs_log_look(c);
    int32_t merged = merge_marks(c, LARDER_UNSET, &batch);
    fs_log_look_end(c);
    status = fs_log_append(c, &batch);
    fs_log_write_end(c);
    fs_batch_done(&batch);
    return status == LARDER_OK ? merged : status;
}

/* The counter's value: what is stored, but at least the floor, since a counter that was lost may
 * have been as high. */
static int64_t counter_of(const struct fs_call *c, const struct fs_record *like) {
    const struct fs_record *r = fs_table_find(&c->folder->log.table, like);
    return larder_merge_max(r != NULL ? r->a : LARDER_UNSET, c->folder->log.floor);
}

/* LARDER_MISS: it has to be created. */
static int32_t look_at_counter(struct fs_call *c) {
    int32_t status = fs_log_read_begin(c);
    if (status != LARDER_OK)
        return status;
    struct fs_record like = record_for(c, FS_COUNTER, c->op->key);
    c->epoch = counter_of(c, &like);
    fs_log_read_end(c);
    return c->epoch != LARDER_UNSET ? LARDER_OK : LARDER_MISS;
}

/* advance(add) and, for bump, the marks that go with it: one batch, so nobody sees half of it. */
static int32_t raise_counter(struct fs_call *c, int64_t add, bool with_marks) {
    int32_t status = fs_log_write_begin(c);
    if (status != LARDER_OK)
        return status;
    struct fs_batch batch;
    fs_batch_init(&batch);
    fs_log_look(c);
    struct fs_record like = record_for(c, FS_COUNTER, c->op->key);
    int64_t was = counter_of(c, &like), epoch = c->now_ms;
    if (was != LARDER_UNSET) {
        if (__builtin_add_overflow(was, add, &epoch) || epoch == LARDER_NEW_EPOCH)
            status = fs_fail(c, LARDER_INVALID, "the counter is at its end");
        else if (add > 0)
            epoch = larder_merge_max(epoch, c->now_ms);
    }
    like.a = epoch;
    if (status == LARDER_OK) {
        fs_batch_add(&batch, &like);
        if (with_marks)
            (void)merge_marks(c, epoch, &batch);
    }
    fs_log_look_end(c);
    if (status == LARDER_OK)
        status = fs_log_append(c, &batch);
    if (status == LARDER_OK)
        c->epoch = epoch;
    fs_log_write_end(c);
    fs_batch_done(&batch);
    return status;
}

int32_t fs_advance(struct fs_call *c) {
    if (c->op->add < 0)
        return fs_fail(c, LARDER_INVALID, "a counter is never lowered");
    int32_t status = check_names(c);
    if (status == LARDER_OK && c->op->add == 0) {
        status = look_at_counter(c);
        if (status != LARDER_MISS)
            return status;
        status = LARDER_OK;
    }
    return status == LARDER_OK ? raise_counter(c, c->op->add, false) : status;
}

int32_t fs_bump(struct fs_call *c) {
    int32_t status = check_names(c);
    return status == LARDER_OK ? raise_counter(c, 1, true) : status;
}

/* ---- enumeration -------------------------------------------------------------------------- */

int32_t fs_list_marks(struct fs_call *c) {
    struct fs_id after;
    bool from_start;
    struct fs_pick pick;
    const struct fs_table *table = &c->folder->log.table;
    int32_t status = fs_page_begin(c, &pick, &from_start, &after);
    if (status == LARDER_OK)
        status = fs_log_read_begin(c);
    if (status != LARDER_OK) {
        fs_pick_done(&pick);
        return status;
    }
    for (size_t i = 0; i < table->n_slots; i++) {
        const struct fs_record *r = table->slots[i];
        if (r == NULL || r->kind != FS_MARK || r->name.len < c->op->key.len ||
            (c->op->key.len > 0 && memcmp(r->name.ptr, c->op->key.ptr, c->op->key.len) != 0))
            continue;
        struct fs_id id = {r->hi, r->lo};
        if (from_start || fs_id_order(id, after) > 0)
            fs_pick_offer(&pick, id, r);
    }
    fs_pick_sort(&pick);
    for (size_t i = 0; i < pick.n && status == LARDER_OK; i++) {
        const struct fs_record *r = pick.items[i].item;
        struct larder_mark mark;
        mark_of(c, r, r->name, &mark);
        status = c->fs->host->emit_mark(c->op, &mark);
    }
    fs_log_read_end(c);
    if (status == LARDER_OK && pick.more)
        fs_page_end(c, pick.items[pick.n - 1].id);
    fs_pick_done(&pick);
    return status;
}
