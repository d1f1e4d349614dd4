/* Many calls for one op. */
#include "ddb.h"

enum { FIRST_WAIT_MS = 25, LONGEST_WAIT_MS = 1000, NS_PER_MS = 1000000, MOST_PATIENCE = 12 };

static bool has_begun_all(const struct ddb_fan *fan) {
    return fan->next == fan->n || fan->status != LARDER_OK;
}

static struct ddb_slot *free_slot(struct ddb_fan *fan) {
    for (size_t i = 0; i < fan->window; i++) {
        if (!fan->slots[i].busy)
            return &fan->slots[i];
    }
    return NULL;
}

/* Begins what there is room for.  A job that ends inside start() comes back to here, and is then left
 * to the loop that is running: so nothing is called in itself, however many jobs fail at once. */
static void spread(struct ddb_fan *fan) {
    if (fan->spreading)
        return;
    fan->spreading = true;
    struct ddb_slot *slot;
    while (!has_begun_all(fan) && (slot = free_slot(fan))) {
        *slot = (struct ddb_slot){.fan = fan, .i = fan->next++, .busy = true};
        fan->running++;
        fan->start(slot);
    }
    fan->spreading = false;
    if (fan->running == 0)
        fan->over(fan);
}

void ddb_fan_run(struct ddb_fan *fan, struct ddb_task *task, size_t n, ddb_slot_fn *start,
                 void (*over)(struct ddb_fan *fan)) {
    *fan = (struct ddb_fan){.task = task,
                            .n = n,
                            .start = start,
                            .over = over,
                            .window = fan->window > 0 ? fan->window : DDB_WINDOW,
                            .is_patient = fan->is_patient,
                            .target = fan->target,
                            .items = fan->items};
    spread(fan);
}

uint32_t ddb_write_window(const struct ddb *d) {
    int64_t most = d->config->write_concurrency;
    return most > 0 && most < DDB_WINDOW ? (uint32_t)most : DDB_WINDOW;
}

void ddb_slot_done(struct ddb_slot *slot) {
    struct ddb_fan *fan = slot->fan;
    if (slot->timer)
        fan->task->d->host->timer_free(slot->timer);
    slot->timer = NULL;
    ddb_text_done(&slot->left);
    slot->busy = false;
    fan->running--;
    spread(fan);
}

/* The first failure is the one that is told. */
void ddb_slot_fail(struct ddb_slot *slot, const struct ddb_reply *reply) {
    if (slot->fan->status == LARDER_OK)
        slot->fan->status = ddb_task_failed(slot->fan->task, reply);
    ddb_slot_done(slot);
}

void ddb_slot_refuse(struct ddb_slot *slot, int32_t status, const char *detail) {
    ddb_slot_fail(slot, &(struct ddb_reply){.status = status, .detail = detail});
}

void ddb_slot_end(struct ddb_slot *slot, int32_t status) {
    if (status != LARDER_OK && slot->fan->status == LARDER_OK)
        slot->fan->status = status;
    ddb_slot_done(slot);
}

void ddb_slot_fail_or_wait(struct ddb_slot *slot, const struct ddb_reply *reply, ddb_slot_fn *again) {
    bool passing = reply->status == LARDER_RETRY || reply->status == LARDER_THROTTLED;
    if (slot->fan->is_patient && passing && slot->attempts < MOST_PATIENCE)
        ddb_slot_wait(slot, again, "DynamoDB was in trouble until the deadline");
    else
        ddb_slot_fail(slot, reply);
}

void ddb_slot_call(struct ddb_slot *slot, const char *operation, struct ddb_text *body, ddb_reply_fn *fn) {
    struct ddb_task *task = slot->fan->task;
    int32_t status = ddb_call(task->d, task->op, operation, body, fn, slot);
    if (status != LARDER_OK)
        ddb_slot_refuse(slot, status, NULL);
}

static void on_timer(void *arg) {
    struct ddb_slot *slot = arg;
    slot->again(slot);
}

/* Full jitter: all that were refused together do not come back together. */
void ddb_slot_wait(struct ddb_slot *slot, ddb_slot_fn *again, const char *why) {
    struct ddb_task *task = slot->fan->task;
    const struct larder_host *host = task->d->host;
    uint64_t longest_ms = FIRST_WAIT_MS;
    for (uint32_t i = 0; i < slot->attempts && longest_ms < LONGEST_WAIT_MS; i++)
        longest_ms *= 2;
    slot->attempts++;
    uint64_t due_ns = host->now_ns() + ddb_random(task->d) % (longest_ms * NS_PER_MS);
    if (due_ns >= task->op->deadline_ns) {
        ddb_slot_fail(slot, &(struct ddb_reply){.status = LARDER_THROTTLED,
                                                .retry_after_ms = (uint32_t)longest_ms,
                                                .detail = why});
        return;
    }
    if (!slot->timer)
        slot->timer = host->timer(task->d->home, on_timer, slot);
    if (!slot->timer) {
        ddb_slot_refuse(slot, LARDER_NOMEM, NULL);
        return;
    }
    slot->again = again;
    host->timer_set(slot->timer, due_ns);
}
