/* Transactions, one at a time: EXEC ends all that its connection watches. */
#include <stdlib.h>

#include "rds.h"

static void start_next(struct rds *d);

static void txn_end(struct rds_txn *txn) {
    struct rds *d = txn->d;
    d->txns.is_busy = false;
    txn->ops->end(txn);
    free(txn->state);
    free(txn);
    start_next(d);
}

static struct rds_txn *txn_of(struct rds_request *r) {
    return RDS_OF(struct rds_txn, r, r);
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void read_all(struct rds_txn *txn);

static void exec_write(const struct rds_request *r, struct rds_out *out) {
    const struct rds_txn *txn = RDS_OF(const struct rds_txn, r, r);
    rds_command(out, "MULTI", 1);
    txn->ops->write(txn, out);
    rds_command(out, "EXEC", 1);
    if (txn->want.over) /* marks and counters */
        rds_wait_write(txn->task, out);
}

/* OK, QUEUED for each, and EXEC's list; an error of any of them is the first thing that went wrong. */
static void exec_done(struct rds_request *r, const struct rds_answer *answer) {
    struct rds_txn *txn = txn_of(r);
    struct rds_task *task = txn->task;
    const struct rds_reply *reply = answer->reply;
    if (answer->status != LARDER_OK || reply->type == RDS_ERROR) {
        (void)rds_task_got(task, answer, "");
    } else if (reply->type == RDS_NIL) {
        txn->conflict = true;
    } else if (reply->type == RDS_INTEGER) {
        if (!txn->conflict)
            rds_wait_done(task, answer);
    } else if (reply->type == RDS_ARRAY) {
        for (uint32_t i = 0; i < reply->n; i++) {
            const struct rds_answer one = {.status = LARDER_OK, .reply = &reply->elements[i]};
            (void)rds_task_got(task, &one, "+:$_");
        }
    }
    if (answer->status == LARDER_OK && r->seen + 1 < r->replies)
        return;
    if (task->status != LARDER_OK || !txn->conflict)
        txn_end(txn);
    else if (txn->d->host->now_ns() >= task->op->deadline_ns) {
        rds_task_refused(task, LARDER_RETRY, "others kept writing what the transaction was about");
        txn_end(txn);
    } else {
        read_all(txn);
    }
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static void watch_write(const struct rds_request *r, struct rds_out *out) {
    const struct rds_txn *txn = RDS_OF(const struct rds_txn, r, r);
    txn->ops->read(txn, out);
}

static void watch_done(struct rds_request *r, const struct rds_answer *answer) {
    static const struct rds_verb exec_verb = {.write = exec_write, .done = exec_done};
    struct rds_txn *txn = txn_of(r);
    if (answer->status != LARDER_OK || r->seen == 0)
        (void)rds_task_got(txn->task, answer, "+");
    else
        txn->ops->heard(txn, r->seen - 1u, answer);
    if (answer->status == LARDER_OK && r->seen + 1 < r->replies)
        return;
    if (txn->task->status != LARDER_OK ||
        !txn->ops->decide(txn)) { /* what is watched is no harm: EXEC may fail once */
        txn_end(txn);
        return;
    }
    const uint64_t connection = answer->connection;
    rds_request_init(r, &exec_verb, txn->task->op, txn->of->slot, RDS_SLOW);
    r->on = connection;
    txn->d->router_ops->submit(txn->d->router, r);
}

static void read_all(struct rds_txn *txn) {
    static const struct rds_verb watch_verb = {.write = watch_write, .done = watch_done};
    free(txn->state);
    txn->state = NULL;
    txn->verdict = 0;
    txn->conflict = false;
    rds_request_init(&txn->r, &watch_verb, txn->task->op, txn->of->slot, RDS_SLOW);
    txn->d->router_ops->submit(txn->d->router, &txn->r);
}

/* One that ends at once comes back to here, and is left to the loop that is running. */
static void start_next(struct rds *d) {
    struct rds_request *r;
    if (d->txns.is_starting)
        return;
    d->txns.is_starting = true;
    while (!d->txns.is_busy && (r = rds_requests_take(&d->txns.waiting))) {
        d->txns.is_busy = true;
        read_all(txn_of(r));
    }
    d->txns.is_starting = false;
}

void rds_txn_start(struct rds_task *task, struct rds_request *of, const struct rds_txn_ops *ops,
                   const struct rds_tags_want *want) {
    struct rds *d = task->d;
    struct rds_txn *txn = calloc(1, sizeof(*txn));
    if (!txn) {
        rds_request_fail(of, LARDER_NOMEM, NULL);
        return;
    }
    txn->d = d;
    txn->task = task;
    txn->of = of;
    txn->ops = ops;
    if (want)
        txn->want = *want;
    rds_requests_add(&d->txns.waiting, &txn->r);
    start_next(d);
}
