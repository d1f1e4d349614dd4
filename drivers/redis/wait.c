/*
 * WAIT: a write of marks is answered when so many replicas have it, so that a failover to one of them does not forget
 * it.  What is meant by `auto` is one replica, where the router knows of any: by the map of the cluster or by the
 * sentinels, and not by the primary alone, for one that was cut off knows of none and would acknowledge what nobody
 * else has.
 *
 * https://redis.io/docs/latest/commands/wait/
 */
#include <stdio.h>

#include "error.h"
#include "rds.h"

enum rds_kind rds_wait_kind(const struct rds *d) {
    return d->wait_replicas > 0 || (d->wait_replicas < 0 && d->router_ops->replicas) ? RDS_SLOW : RDS_SMALL;
}

/* As late as this: before the first request is sent, nobody has told yet which replicas there are. */
static bool has_to_wait(const struct rds *d) {
    if (d->wait_replicas >= 0)
        return d->wait_replicas > 0;
    return !d->cannot_wait && d->router_ops->replicas &&
           d->router_ops->replicas(d->router, d->names.mark_slot) > 0;
}

static int64_t replicas_wanted(const struct rds *d) {
    return d->wait_replicas >= 0 ? d->wait_replicas : 1;
}

void rds_wait_write(const struct rds_task *task, struct rds_out *out) {
    const struct rds *d = task->d;
    const uint64_t now_ns = d->host->now_ns(), deadline_ns = task->op->deadline_ns;
    int64_t ms = d->config->wait_timeout_ms;
    if (!has_to_wait(d))
        return;
    if (deadline_ns != UINT64_MAX) {
        const int64_t left_ms = deadline_ns > now_ns ? (int64_t)((deadline_ns - now_ns) / 1000000) : 0;
        ms = left_ms < ms ? left_ms : ms;
    }
    rds_command(out, "WAIT", 3);
    rds_arg_number(out, replicas_wanted(d));
    rds_arg_number(out, ms > 0 ? ms : 1); /* 0 would be for ever */
}

/* Where WAIT is not known, or not allowed, `auto` does without it. */
static bool is_refused(struct rds *d, const struct rds_answer *answer) {
    if (d->wait_replicas >= 0 || answer->reply->type != RDS_ERROR)
        return false;
    const int32_t status = rds_error_of(answer->reply->text).status;
    if (status != LARDER_DENIED && status != LARDER_UNSUPPORTED)
        return false;
    if (!d->cannot_wait)
        d->host->log(d->home, LARDER_LOG_WARN,
                     "the server refuses WAIT: a failover may forget revalidations that were acknowledged");
    return d->cannot_wait = true;
}

void rds_wait_done(struct rds_task *task, const struct rds_answer *answer) {
    struct rds *d = task->d;
    char line[80];
    if (task->status != LARDER_OK || is_refused(d, answer) || !rds_task_got(task, answer, ":"))
        return;
    if (answer->reply->integer >= replicas_wanted(d))
        return;
    snprintf(line, sizeof(line), "%u of %u replicas have it so far (wait-replicas)",
             (unsigned)answer->reply->integer, (unsigned)replicas_wanted(d));
    rds_task_refused(task, LARDER_RETRY, line);
    if (d->router_ops->doubt)
        d->router_ops->doubt(d->router);
}
