/*
 * Marks and counters.  All of a namespace are fields of one hash: what is read together is there together or, evicted,
 * gone together (README.md says what that is good for), and one script changes them in one step.
 *
 * A field's value: expired_epoch, stale_epoch, expire_at_ms, and when it was written; a counter's: its number.  A counter
 * is in two keys besides: where the hash is evicted, the number goes on, and what is made anew is newer than what was
 * lost, whatever the clocks say.
 */
#include <stdlib.h>

#include "push.h"
#include "rds.h"

enum {
    MARKS_AT_ONCE = 1000 /* in one call of a script: the server does nothing else meanwhile */
};

/* Marks from `begin` on that one command is about. */
struct part {
    struct rds_request r;
    struct batch *batch;
    size_t begin, n;
};

struct batch {
    struct rds_task task;
    size_t n_parts;
    bool is_write;
    bool missed; /* write: a mark was there */
    struct part *parts;
    struct part first; /* where there is one alone, as nearly always */
};

static struct larder_bytes group_at(const struct larder_op *op, size_t i) {
    return rds_group_of(op->marks[i].tag);
}

/* How many marks from i on are of one namespace. */
static size_t run_at(const struct larder_op *op, size_t i, size_t most) {
    const struct larder_bytes group = group_at(op, i);
    size_t n = 1;
    while (i + n < op->n_marks && n < most && rds_same(group_at(op, i + n), group))
        n++;
    return n;
}

static void batch_end(struct batch *batch) {
    const struct rds_task *task = &batch->task;
    /* One that is made where there was none is no news. */
    if (batch->is_write && task->status == LARDER_OK && !(task->op->flags & LARDER_IF_ABSENT))
        rds_push_tell(task->d, task->op, 0, task->op->n_marks, 0);
    if (batch->parts != &batch->first)
        free(batch->parts);
    rds_task_end(&batch->task, batch->missed ? LARDER_MISS : LARDER_OK);
}

static void part_end(struct part *part) {
    struct batch *batch = part->batch;
    if (--batch->task.waiting == 0)
        batch_end(batch);
}

/* One request for each run. */
static void batch_run(struct rds *d, struct larder_op *op, uint32_t flags, const struct rds_verb *verb,
                      size_t most, enum rds_kind kind) {
    struct batch *batch;
    size_t n = 0;
    if (!rds_accepts(d, op, flags) || !(batch = rds_task_new(d, op, sizeof(*batch))))
        return;
    for (size_t i = 0; i < op->n_marks; i += run_at(op, i, most))
        n++;
    batch->parts = n <= 1 ? &batch->first : calloc(n, sizeof(*batch->parts));
    if (!batch->parts || n == 0) {
        if (n > 0)
            rds_task_refused(&batch->task, LARDER_NOMEM, NULL);
        batch_end(batch);
        return;
    }
    batch->n_parts = n;
    batch->is_write = verb->without_script != NULL;
    batch->task.waiting = (uint32_t)n; /* before the first is submitted: it may end at once */
    size_t i = 0;
    for (size_t p = 0; p < n; p++) {
        struct part *part = &batch->parts[p];
        part->batch = batch;
        part->begin = i;
        part->n = run_at(op, i, most);
        i += part->n;
        rds_request_init(&part->r, verb, op, d->names.mark_slot, kind);
    }
    struct part *parts = batch->parts;
    for (size_t p = 0; p < n; p++) /* with the last one the batch may be gone */
        rds_submit(d, &parts[p].r);
}

/* ---- read ------------------------------------------------------------------------------------------------------- */

static void read_write(const struct rds_request *r, struct rds_out *out) {
    const struct part *part = RDS_OF(const struct part, r, r);
    const struct rds_task *task = &part->batch->task;
    rds_command(out, "HMGET", 2 + part->n);
    rds_arg_group(out, &task->d->names, group_at(task->op, part->begin));
    for (size_t i = 0; i < part->n; i++)
        rds_arg_field(out, 'm', task->op->marks[part->begin + i].tag);
}

void rds_mark_write(const struct larder_mark *mark, uint8_t to[RDS_MARK_BYTES]) {
    rds_number_write(mark->expired_epoch, to);
    rds_number_write(mark->stale_epoch, to + 8);
    rds_number_write(mark->expire_at_ms, to + 16);
}

struct larder_mark rds_mark_read(const uint8_t from[RDS_MARK_BYTES]) {
    return (struct larder_mark){.expired_epoch = rds_number_read(from),
                                .stale_epoch = rds_number_read(from + 8),
                                .expire_at_ms = rds_number_read(from + 16)};
}

int32_t rds_mark_emit(struct rds *d, struct larder_op *op, struct larder_bytes tag,
                      struct larder_bytes stored) {
    if (stored.len < RDS_MARK_BYTES)
        return LARDER_CORRUPT;
    struct larder_mark mark = rds_mark_read(stored.ptr);
    mark.tag = tag;
    return d->host->emit_mark(op, &mark);
}

static void read_done(struct rds_request *r, const struct rds_answer *answer) {
    struct part *part = RDS_OF(struct part, r, r);
    struct rds_task *task = &part->batch->task;
    if (rds_task_got(task, answer, "*") && answer->reply->n != part->n)
        rds_task_refused(task, LARDER_RETRY, "HMGET was answered with another number of values");
    for (size_t i = 0; task->status == LARDER_OK && i < part->n; i++) {
        const struct rds_reply *field = &answer->reply->elements[i];
        if (field->type == RDS_NIL)
            continue;
        const int32_t status = rds_mark_emit(task->d, task->op, task->op->marks[part->begin + i].tag,
                                             field->text);
        if (status != LARDER_OK)
            rds_task_refused(task, status,
                             status == LARDER_CORRUPT ? "a mark is not of this driver's" : NULL);
    }
    part_end(part);
}

void rds_read(void *instance, struct larder_op *op) {
    static const struct rds_verb verb = {.write = read_write, .done = read_done};
    batch_run(instance, op, 0, &verb, SIZE_MAX, RDS_SMALL);
}

/* ---- write ------------------------------------------------------------------------------------------------------ */

static void arg_mark(struct rds_out *out, const struct larder_mark *mark) {
    uint8_t bytes[RDS_MARK_BYTES];
    rds_mark_write(mark, bytes);
    rds_arg(out, (struct larder_bytes){bytes, sizeof(bytes)});
}

/* The field of the mark of the namespace: that of the empty tag. */
static void arg_namespace(struct rds_out *out, struct larder_bytes group) {
    rds_arg_begin(out, 1 + group.len + 1);
    rds_arg_part(out, "m", 1);
    rds_arg_part(out, group.ptr, group.len);
    rds_arg_part(out, "/", 1);
    rds_arg_end(out);
}

static void write_write(const struct rds_request *r, struct rds_out *out) {
    const struct part *part = RDS_OF(const struct part, r, r);
    const struct rds_task *task = &part->batch->task;
    const struct larder_op *op = task->op;
    const struct larder_bytes group = group_at(op, part->begin);
    /* The counter's namespace is that of the marks, or they have nothing to do with each other. */
    const bool counts = op->key.len > 0 && rds_same(group, rds_group_of(op->key));
    rds_script_begin(out, task->d->shas, r, RDS_MERGE, counts ? 3 : 1, 4 + 2 * part->n);
    rds_arg_group(out, &task->d->names, group);
    if (counts) {
        rds_arg_counter(out, &task->d->names, '1', op->key);
        rds_arg_counter(out, &task->d->names, '2', op->key);
    }
    rds_arg_sortable(out, op->now_ms);
    rds_arg_text(out, op->flags & LARDER_IF_ABSENT ? "1" : "0");
    if (counts)
        rds_arg_field(out, 'c', op->key);
    else
        rds_arg_text(out, "");
    arg_namespace(out, group);
    for (size_t i = part->begin; i < part->begin + part->n; i++) {
        rds_arg_field(out, 'm', op->marks[i].tag);
        arg_mark(out, &op->marks[i]);
    }
    rds_wait_write(task, out);
}

static void write_done(struct rds_request *r, const struct rds_answer *answer) {
    struct part *part = RDS_OF(struct part, r, r);
    struct rds_task *task = &part->batch->task;
    if (answer->status == LARDER_OK && rds_is_wait(r))
        rds_wait_done(task, answer);
    else if (rds_task_got(task, answer, ":") && answer->reply->integer == 0)
        part->batch->missed = true;
    if (answer->status != LARDER_OK || r->seen + 1 == r->replies)
        part_end(part);
}

static void write_over(struct rds_request *of, __attribute__((unused)) int64_t epoch, bool missed) {
    struct part *part = RDS_OF(struct part, r, of);
    part->batch->missed |= missed;
    part_end(part);
}

static void write_without_script(struct rds_request *r) {
    const struct part *part = RDS_OF(const struct part, r, r);
    struct rds_task *task = &part->batch->task;
    const struct larder_bytes group = group_at(task->op, part->begin);
    const bool counts = task->op->key.len > 0 && rds_same(group, rds_group_of(task->op->key));
    rds_tags_txn(task, r,
                 &(struct rds_tags_want){
                     .begin = part->begin, .n = part->n, .is_counter = counts, .over = write_over});
}

void rds_write(void *instance, struct larder_op *op) {
    static const struct rds_verb verb = {
        .write = write_write, .done = write_done, .without_script = write_without_script};
    batch_run(instance, op, LARDER_IF_ABSENT, &verb, MARKS_AT_ONCE, rds_wait_kind(instance));
}

/* ---- counters --------------------------------------------------------------------------------------------------- */

struct count {
    struct rds_task task;
    struct rds_request r;
    size_t n_groups; /* bump: other namespaces than the counter's, seldom any */
    struct larder_bytes *groups;
    uint32_t *group_of;  /* of each mark: 1 is the counter's, then from FIRST_OTHER on */
    bool is_partly_lost; /* advance: one of the counter's three is not there */
};

enum { FIRST_OTHER = 4 };

static void arg_counters(struct rds_out *out, const struct rds_names *names, struct larder_bytes name) {
    rds_arg_group(out, names, rds_group_of(name));
    rds_arg_counter(out, names, '1', name);
    rds_arg_counter(out, names, '2', name);
}

static void count_end(struct count *count) {
    const struct rds_task *task = &count->task;
    if (task->status == LARDER_OK)
        rds_push_tell(task->d, task->op, 0, task->op->n_marks, task->res.epoch);
    free(count->groups);
    free(count->group_of);
    rds_task_end(&count->task, LARDER_OK);
}

static void count_done(struct rds_request *r, const struct rds_answer *answer) {
    struct count *count = RDS_OF(struct count, r, r);
    if (answer->status == LARDER_OK && rds_is_wait(r)) {
        rds_wait_done(&count->task, answer);
    } else if (rds_task_got(&count->task, answer, "$")) {
        if (answer->reply->text.len == RDS_NUMBER_BYTES)
            count->task.res.epoch = rds_number_read(answer->reply->text.ptr);
        else
            rds_task_refused(&count->task, LARDER_CORRUPT, "a counter is not of this driver's");
    }
    if (answer->status != LARDER_OK || r->seen + 1 == r->replies)
        count_end(count);
}

static void count_submit(struct count *count, const struct rds_verb *verb, enum rds_kind kind) {
    struct rds *d = count->task.d;
    rds_request_init(&count->r, verb, count->task.op, d->names.mark_slot, kind);
    rds_submit(d, &count->r);
}

static void advance_write(const struct rds_request *r, struct rds_out *out) {
    const struct rds_task *task = &RDS_OF(const struct count, r, r)->task;
    const struct larder_op *op = task->op;
    rds_script_begin(out, task->d->shas, r, RDS_ADVANCE, 3, 3);
    arg_counters(out, &task->d->names, op->key);
    rds_arg_sortable(out, op->now_ms);
    rds_arg_field(out, 'c', op->key);
    rds_arg_text(out, op->add > 0 ? "1" : "0");
    rds_wait_write(task, out);
}

static void count_over(struct rds_request *of, int64_t epoch, __attribute__((unused)) bool missed) {
    struct count *count = RDS_OF(struct count, r, of);
    count->task.res.epoch = epoch;
    count_end(count);
}

static void advance_without_script(struct rds_request *r) {
    struct rds_task *task = &RDS_OF(struct count, r, r)->task;
    rds_tags_txn(
        task, r,
        &(struct rds_tags_want){.is_counter = true, .raises = task->op->add > 0, .over = count_over});
}

static const struct rds_verb advance_verb = {
    .write = advance_write, .done = count_done, .without_script = advance_without_script};

static void look_write(const struct rds_request *r, struct rds_out *out) {
    const struct rds_task *task = &RDS_OF(const struct count, r, r)->task;
    rds_command(out, "MGET", 3);
    rds_arg_counter(out, &task->d->names, '1', task->op->key);
    rds_arg_counter(out, &task->d->names, '2', task->op->key);
    rds_command(out, "HGET", 3);
    rds_arg_group(out, &task->d->names, rds_group_of(task->op->key));
    rds_arg_field(out, 'c', task->op->key);
}

/* Where one of the three is not there the script makes it: from the others, or from the time.  To be asked for keeps
 * the others from being evicted. */
static void look_done(struct rds_request *r, const struct rds_answer *answer) {
    struct count *count = RDS_OF(struct count, r, r);
    if (answer->status == LARDER_OK && r->seen == 0) {
        const struct rds_reply *reply = answer->reply;
        if (rds_task_got(&count->task, answer, "*"))
            count->is_partly_lost = reply->n != 2 || reply->elements[0].type == RDS_NIL ||
                                    reply->elements[1].type == RDS_NIL;
        return;
    }
    if (answer->status == LARDER_OK && count->task.status == LARDER_OK &&
        (answer->reply->type == RDS_NIL || count->is_partly_lost)) {
        count_submit(count, &advance_verb, rds_wait_kind(count->task.d));
        return;
    }
    count_done(r, answer);
}

void rds_advance(void *instance, struct larder_op *op) {
    static const struct rds_verb look_verb = {.write = look_write, .done = look_done};
    struct rds *d = instance;
    struct count *count;
    if (!rds_accepts(d, op, 0) || !(count = rds_task_new(d, op, sizeof(*count))))
        return;
    if (op->add > 0)
        count_submit(count, &advance_verb, rds_wait_kind(d));
    else
        count_submit(count, &look_verb, RDS_SMALL);
}

/* ---- bump ------------------------------------------------------------------------------------------------------- */

static void bump_write(const struct rds_request *r, struct rds_out *out) {
    const struct count *count = RDS_OF(const struct count, r, r);
    const struct rds *d = count->task.d;
    const struct larder_op *op = count->task.op;
    rds_script_begin(out, d->shas, r, RDS_BUMP, FIRST_OTHER - 1 + count->n_groups, 2 + 3 * op->n_marks);
    arg_counters(out, &d->names, op->key);
    for (size_t i = 0; i < count->n_groups; i++)
        rds_arg_group(out, &d->names, count->groups[i]);
    rds_arg_sortable(out, op->now_ms);
    rds_arg_field(out, 'c', op->key);
    for (size_t i = 0; i < op->n_marks; i++) {
        rds_arg_number(out, count->group_of ? count->group_of[i] : 1);
        rds_arg_field(out, 'm', op->marks[i].tag);
        arg_mark(out, &op->marks[i]);
    }
    rds_wait_write(&count->task, out);
}

/* Which hash each mark is in; nothing where all are in the counter's. */
static bool find_groups(struct count *count) {
    const struct larder_op *op = count->task.op;
    const struct larder_bytes own = rds_group_of(op->key);
    size_t i = 0;
    while (i < op->n_marks && rds_same(group_at(op, i), own))
        i++;
    if (i == op->n_marks)
        return true;
    count->group_of = calloc(op->n_marks, sizeof(*count->group_of));
    count->groups = calloc(op->n_marks, sizeof(*count->groups));
    if (!count->group_of || !count->groups)
        return false;
    for (i = 0; i < op->n_marks; i++) {
        const struct larder_bytes group = group_at(op, i);
        size_t g = 0;
        count->group_of[i] = 1;
        if (rds_same(group, own))
            continue;
        while (g < count->n_groups && !rds_same(group, count->groups[g]))
            g++;
        if (g == count->n_groups)
            count->groups[count->n_groups++] = group;
        count->group_of[i] = (uint32_t)g + FIRST_OTHER;
    }
    return true;
}

static void bump_without_script(struct rds_request *r) {
    struct rds_task *task = &RDS_OF(struct count, r, r)->task;
    rds_tags_txn(task, r,
                 &(struct rds_tags_want){
                     .n = task->op->n_marks, .is_counter = true, .raises = true, .over = count_over});
}

void rds_bump(void *instance, struct larder_op *op) {
    static const struct rds_verb verb = {
        .write = bump_write, .done = count_done, .without_script = bump_without_script};
    struct rds *d = instance;
    struct count *count;
    if (!rds_accepts(d, op, 0) || !(count = rds_task_new(d, op, sizeof(*count))))
        return;
    if (!find_groups(count)) {
        rds_task_refused(&count->task, LARDER_NOMEM, NULL);
        count_end(count);
        return;
    }
    count_submit(count, &verb, rds_wait_kind(d));
}
