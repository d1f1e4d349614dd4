/* Marks and counters where the server allows no scripts: as script.c does it, in C. */
#include <stdlib.h>

#include "rds.h"

struct stored {
    bool is_there, is_written;
    struct larder_mark mark;
};

struct state {
    bool has_counter;
    int64_t counter, epoch;
    bool missed;
    struct stored marks[];
};

enum { COUNTER_REPLIES = 3 };

static const struct larder_mark *mark_at(const struct rds_txn *txn, size_t i) {
    return &txn->task->op->marks[txn->want.begin + i];
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static bool is_new_group(const struct rds_txn *txn, size_t i) {
    const struct larder_bytes group = rds_group_of(mark_at(txn, i)->tag);
    if (i > 0)
        return !rds_same(group, rds_group_of(mark_at(txn, i - 1)->tag));
    return !txn->want.is_counter || !rds_same(group, rds_group_of(txn->task->op->key));
}

static void arg_counters(const struct rds_txn *txn, struct rds_out *out) {
    const struct larder_bytes name = txn->task->op->key;
    rds_arg_group(out, &txn->d->names, rds_group_of(name));
    rds_arg_counter(out, &txn->d->names, '1', name);
    rds_arg_counter(out, &txn->d->names, '2', name);
}

static void arg_field_of(const struct rds_txn *txn, struct rds_out *out, const char *command, size_t argc,
                         size_t i) {
    const struct larder_bytes tag = mark_at(txn, i)->tag;
    rds_command(out, command, argc);
    rds_arg_group(out, &txn->d->names, rds_group_of(tag));
    rds_arg_field(out, 'm', tag);
}

static void tags_read(const struct rds_txn *txn, struct rds_out *out) {
    const struct rds_tags_want *want = &txn->want;
    const struct larder_bytes name = txn->task->op->key;
    size_t groups = 0;
    for (size_t i = 0; i < want->n; i++)
        groups += is_new_group(txn, i);
    rds_command(out, "WATCH", 1 + (want->is_counter ? (size_t)COUNTER_REPLIES : 0) + groups);
    if (want->is_counter)
        arg_counters(txn, out);
    for (size_t i = 0; i < want->n; i++) {
        if (is_new_group(txn, i))
            rds_arg_group(out, &txn->d->names, rds_group_of(mark_at(txn, i)->tag));
    }
    if (want->is_counter) {
        rds_command(out, "HGET", 3);
        rds_arg_group(out, &txn->d->names, rds_group_of(name));
        rds_arg_field(out, 'c', name);
        for (int which = 1; which <= 2; which++) {
            rds_command(out, "GET", 2);
            rds_arg_counter(out, &txn->d->names, (char)('0' + which), name);
        }
    }
    for (size_t i = 0; i < want->n; i++)
        arg_field_of(txn, out, "HGET", 3, i);
}

static struct state *state_of(struct rds_txn *txn) {
    if (!txn->state)
        txn->state = calloc(1, sizeof(struct state) + txn->want.n * sizeof(struct stored));
    if (!txn->state)
        rds_task_refused(txn->task, LARDER_NOMEM, NULL);
    return txn->state;
}

static void tags_heard(struct rds_txn *txn, uint32_t which, const struct rds_answer *answer) {
    struct state *state = state_of(txn);
    const uint32_t counters = txn->want.is_counter ? COUNTER_REPLIES : 0;
    if (!rds_task_got(txn->task, answer, "$_") || !state || answer->reply->type == RDS_NIL)
        return;
    const struct larder_bytes text = answer->reply->text;
    if (which < counters) {
        if (text.len == RDS_NUMBER_BYTES) {
            const int64_t n = rds_number_read(text.ptr);
            state->counter = state->has_counter ? larder_merge_max(state->counter, n) : n;
            state->has_counter = true;
        }
    } else if (text.len >= RDS_MARK_BYTES) {
        state->marks[which - counters] = (struct stored){.is_there = true, .mark = rds_mark_read(text.ptr)};
    }
}

/* ---- deciding --------------------------------------------------------------------------------------------------- */

/* max(stored + 1, now); the greatest number means something, so it is never reached. */
static int64_t raised(const struct state *state, int64_t now_ms) {
    const int64_t before = state->has_counter ? state->counter : 0;
    return larder_merge_max(before < INT64_MAX - 1 ? before + 1 : INT64_MAX - 1, now_ms);
}

static struct larder_mark with_epoch(struct larder_mark mark, const struct rds_tags_want *want,
                                     int64_t epoch) {
    if (want->raises && mark.expired_epoch == LARDER_NEW_EPOCH)
        mark.expired_epoch = epoch;
    if (want->raises && mark.stale_epoch == LARDER_NEW_EPOCH)
        mark.stale_epoch = epoch;
    return mark;
}

/* The mark of the namespace, where there is none, is not made with less than the counter says: script.c. */
static bool has_least(const struct rds_txn *txn, const struct state *state, size_t i) {
    const struct larder_bytes tag = mark_at(txn, i)->tag;
    return !txn->want.raises && state->has_counter && !state->marks[i].is_there && tag.len > 0 &&
           rds_group_of(tag).len + 1 == tag.len && tag.ptr[tag.len - 1] == '/';
}

static bool tags_decide(struct rds_txn *txn) {
    const struct rds_tags_want *want = &txn->want;
    const struct larder_op *op = txn->task->op;
    struct state *state = state_of(txn);
    bool writes = want->is_counter && want->n == 0;
    if (!state)
        return false;
    state->epoch = want->raises         ? raised(state, op->now_ms)
                   : state->has_counter ? state->counter
                                        : larder_merge_max(0, op->now_ms);
    for (size_t i = 0; i < want->n; i++) {
        struct stored *stored = &state->marks[i];
        if (stored->is_there && (op->flags & LARDER_IF_ABSENT)) {
            state->missed = true;
            continue;
        }
        const struct larder_mark least = {
            .expired_epoch = state->counter, .stale_epoch = LARDER_UNSET, .expire_at_ms = LARDER_UNSET};
        const struct larder_mark *old = stored->is_there ? &stored->mark : NULL;
        const struct larder_mark add = with_epoch(*mark_at(txn, i), want, state->epoch);
        if (has_least(txn, state, i))
            old = &least;
        stored->mark = larder_merge_mark(old, &add, op->now_ms);
        stored->is_written = true;
        writes = true;
    }
    return writes || want->raises;
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void tags_write(const struct rds_txn *txn, struct rds_out *out) {
    const struct rds_tags_want *want = &txn->want;
    const struct larder_op *op = txn->task->op;
    const struct state *state = txn->state;
    if (want->is_counter && (want->raises || want->n == 0)) {
        rds_command(out, "HSET", 4);
        rds_arg_group(out, &txn->d->names, rds_group_of(op->key));
        rds_arg_field(out, 'c', op->key);
        rds_arg_sortable(out, state->epoch);
        for (int which = 1; which <= 2; which++) {
            rds_command(out, "SET", 3);
            rds_arg_counter(out, &txn->d->names, (char)('0' + which), op->key);
            rds_arg_sortable(out, state->epoch);
        }
    }
    for (size_t i = 0; i < want->n; i++) {
        uint8_t bytes[RDS_MARK_BYTES + RDS_NUMBER_BYTES];
        if (!state->marks[i].is_written)
            continue;
        rds_mark_write(&state->marks[i].mark, bytes);
        rds_number_write(op->now_ms, bytes + RDS_MARK_BYTES);
        arg_field_of(txn, out, "HSET", 4, i);
        rds_arg(out, (struct larder_bytes){bytes, sizeof(bytes)});
    }
}

static void tags_end(struct rds_txn *txn) {
    const struct state *state = txn->state;
    txn->want.over(txn->of, state ? state->epoch : 0, state && state->missed);
}

void rds_tags_txn(struct rds_task *task, struct rds_request *of, const struct rds_tags_want *want) {
    static const struct rds_txn_ops ops = {
        .read = tags_read, .heard = tags_heard, .decide = tags_decide, .write = tags_write, .end = tags_end};
    rds_txn_start(task, of, &ops, want);
}
