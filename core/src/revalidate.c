/*
 * Revalidation: raising the namespace's epoch and marking tags with it.
 *
 * Where the driver can do both in one step (bump), that is all.  Elsewhere it takes two
 * rounds.  The first makes old entries useless as ingredients of new ones; the second outdates
 * what noted its epoch before the first was visible everywhere.  One round is not enough:
 * tests/model shows the interleaving.
 */
#include "bytes.h"
#include "request.h"

static void next_round(struct request *r);

static bool is_listed(const struct larder_mark *marks, size_t n, struct larder_bytes tag) {
    for (size_t i = 0; i < n; i++)
        if (bytes_equal(marks[i].tag, tag))
            return true;
    return false;
}

/* One mark for each different tag, with LARDER_NEW_EPOCH where the epoch goes. */
static bool make_marks(struct request *r) {
    struct larder_bytes *tags = request_map_tags(r, r->in.tags, r->in.n_tags);
    struct larder_mark *marks = arena_alloc(&r->arena, r->in.n_tags * sizeof(*marks));
    size_t n = 0;
    if (tags == NULL || marks == NULL) {
        request_answer(r, LARDER_NOMEM, "out of memory");
        return false;
    }
    struct larder_mark like = {
        .expired_epoch = LARDER_NEW_EPOCH, .stale_epoch = LARDER_UNSET, .expire_at_ms = LARDER_UNSET};
    if (r->in.mode == LARDER_MAKE_STALE) {
        like.expired_epoch = LARDER_UNSET;
        like.stale_epoch = LARDER_NEW_EPOCH;
        if (r->in.expire_in_ms != LARDER_UNSET &&
            __builtin_add_overflow(r->now_ms, r->in.expire_in_ms, &like.expire_at_ms))
            like.expire_at_ms = LARDER_UNSET;
    }
    for (size_t i = 0; i < r->in.n_tags; i++) {
        if (is_listed(marks, n, tags[i]))
            continue;
        marks[n] = like;
        marks[n++].tag = tags[i];
    }
    r->marks = marks;
    r->n_marks = n;
    return true;
}

static struct larder_mark with_epoch(struct larder_mark mark, int64_t epoch) {
    if (mark.expired_epoch == LARDER_NEW_EPOCH)
        mark.expired_epoch = epoch;
    if (mark.stale_epoch == LARDER_NEW_EPOCH)
        mark.stale_epoch = epoch;
    return mark;
}

static size_t marks_per_op(const struct request *r) {
    uint32_t max = r->store->tags.top->info.max_marks;
    return max > 0 ? max : r->n_marks;
}

/* All ops of a step: one for each chunk of the marks.  code: BUMP or WRITE. */
static void send_marks(struct request *r, uint32_t code, const struct larder_mark *marks, op_done_fn *done) {
    /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): not asked where there are no tags */
    size_t per_op = marks_per_op(r), n_ops = (r->n_marks + per_op - 1) / per_op;
    struct op **ops = arena_alloc(&r->arena, n_ops * sizeof(struct op *));
    size_t made = 0;

    while (ops != NULL && made < n_ops) {
        size_t from = made * per_op, left = r->n_marks - from;
        struct op_inputs in = {
            .key = EPOCH_KEY, .add = 1, .marks = marks + from, .n_marks = left < per_op ? left : per_op};
        if ((ops[made] = request_op(r, code, &in, done)) == NULL)
            break;
        made++;
    }
    if (made < n_ops) {
        while (made > 0) {
            op_free(ops[--made]);
            request_unref(r);
        }
        request_answer(r, LARDER_NOMEM, "out of memory");
        return;
    }
    if (code == LARDER_OP_BUMP)
        TRACE(r->trace, "bump: the epoch is raised and written, marks %zu, calls %zu", r->n_marks, n_ops);
    else
        TRACE(r->trace, "round %u: epoch %lld is written, marks %zu, calls %zu", r->round + 1,
              (long long)r->in.epoch, r->n_marks, n_ops);
    r->n_pending = (uint32_t)n_ops;
    for (size_t i = 0; i < n_ops; i++)
        backend_call(r->store->tags.top, ops[i]);
}

/* Remembers the first failure; true: that was the last op of the step. */
static bool step_over(struct request *r, struct op *op) {
    if (op->result.status < 0 && r->failed == LARDER_OK) {
        r->failed = op->result.status;
        op_free(r->op);
        r->op = op;
    } else {
        op_free(op);
    }
    return --r->n_pending == 0;
}

/* What was written, for as long as marks cannot be read.  Several bumps have an epoch each: the last one
 * is late enough for all. */
static void learn_marks(struct request *r, int64_t epoch) {
    for (size_t i = 0; i < r->n_marks; i++) {
        struct larder_mark mark = with_epoch(r->marks[i], epoch);
        outage_learn(&r->store->outage, &mark, 1, reactor_now_ms(r->store->reactor));
    }
}

/* Only now does this process know the new epoch: everything it will render counts as newer. */
static void succeed(struct request *r, int64_t epoch) {
    if (!r->answered) {
        learn_marks(r, epoch);
        TRACE(r->trace, "epoch: this process knows %lld now", (long long)epoch);
        epoch_learn(&r->store->epoch, epoch, reactor_now_ns(r->store->reactor));
        request_answer(r, LARDER_OK, NULL);
    }
}

/* What this process remembers of the marks is outdated now, also where it failed half-way.  An op is
 * over, so the store is there. */
static void marks_are_new(struct request *r) {
    marks_changed(&r->store->marks, r->marks, r->n_marks);
}

static void bumped(void *arg, struct op *op) {
    struct request *r = arg;
    if (op->result.epoch > r->in.epoch)
        r->in.epoch = op->result.epoch;
    if (step_over(r, op)) {
        marks_are_new(r);
        if (r->failed != LARDER_OK)
            request_answer_op(r, r->op);
        else
            succeed(r, r->in.epoch);
    }
    request_unref(r);
}

static void written(void *arg, struct op *op) {
    struct request *r = arg;
    if (step_over(r, op)) {
        marks_are_new(r);
        if (r->failed != LARDER_OK)
            request_answer_op(r, r->op);
        else if (++r->round < 2)
            next_round(r);
        else
            succeed(r, r->in.epoch);
    }
    request_unref(r);
}

static void advanced(void *arg, struct op *op) {
    struct request *r = arg;
    struct larder_mark *marks = NULL;
    if (r->answered) {
        op_free(op);
    } else if (op->result.status != LARDER_OK) {
        r->op = op;
        request_answer_op(r, op);
    } else if ((marks = arena_alloc(&r->arena, r->n_marks * sizeof(*marks))) == NULL) {
        op_free(op);
        request_answer(r, LARDER_NOMEM, "out of memory");
    } else {
        r->in.epoch = op->result.epoch;
        op_free(op);
        for (size_t i = 0; i < r->n_marks; i++)
            marks[i] = with_epoch(r->marks[i], r->in.epoch);
        send_marks(r, LARDER_OP_TAGS_WRITE, marks, written);
    }
    request_unref(r);
}

static void next_round(struct request *r) {
    struct op_inputs in = {.key = EPOCH_KEY, .add = 1};
    struct op *op = request_op(r, LARDER_OP_ADVANCE, &in, advanced);
    TRACE(r->trace, "round %u: the epoch is raised", r->round + 1);
    if (op != NULL)
        backend_call(r->store->tags.top, op);
}

/* Next.js 14 calls revalidateTag([]), at build time too: no tags is an answer, not an error. */
void revalidate_start(struct request *r) {
    r->in.epoch = 0;
    if (r->in.n_tags == 0)
        request_answer(r, LARDER_OK, NULL);
    else if (make_marks(r)) {
        marks_disturbed(&r->store->marks);
        if (backend_can(r->store->tags.top, LARDER_OP_BUMP))
            send_marks(r, LARDER_OP_BUMP, r->marks, bumped);
        else
            next_round(r);
    }
}
