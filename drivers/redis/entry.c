/*
 * Entries.  One string each: a head of RDS_HEAD bytes, then the value.  The head: "Ldr" and the version, four bytes
 * of zero, modified_ms, epoch, and when it is over, as rds_number_write() writes them.
 *
 * A value of some size is sent to a key of its own first, with SET, and put into its place by a script: an
 * argument of a script is copied twice more by the server.
 */
#include "rds.h"

enum { STAGED_FROM = 16 << 10, STAGED_FOR_MS = 60000 };

static const uint8_t magic[8] = {'L', 'd', 'r', '1'};

struct head {
    int64_t modified_ms, epoch, expires_ms;
};

static void head_write(const struct head *h, uint8_t to[RDS_HEAD]) {
    memcpy(to, magic, sizeof(magic));
    rds_number_write(h->modified_ms, to + 8);
    rds_number_write(h->epoch, to + 16);
    rds_number_write(h->expires_ms, to + 24);
}

static bool head_read(struct larder_bytes text, struct head *ret) {
    if (text.len != RDS_HEAD || memcmp(text.ptr, magic, sizeof(magic)) != 0)
        return false;
    ret->modified_ms = rds_number_read(text.ptr + 8);
    ret->epoch = rds_number_read(text.ptr + 16);
    ret->expires_ms = rds_number_read(text.ptr + 24);
    return true;
}

static bool is_over(const struct head *h, int64_t now_ms) {
    return h->expires_ms != LARDER_UNSET && h->expires_ms <= now_ms;
}

enum rds_entry_state rds_entry_look(struct larder_bytes head, int64_t now_ms) {
    struct head h;
    if (!head_read(head, &h))
        return RDS_ENTRY_FOREIGN;
    return is_over(&h, now_ms) ? RDS_ENTRY_OVER : RDS_ENTRY_THERE;
}

static struct larder_bytes none(void) {
    return (struct larder_bytes){0};
}

bool rds_entry_may_put(struct larder_bytes head, const struct larder_op *op) {
    struct head h;
    if (!head_read(head, &h) || is_over(&h, op->now_ms))
        return true;
    return !(op->flags & LARDER_IF_ABSENT) && h.epoch <= op->epoch;
}

/* ---- get ------------------------------------------------------------------------------------------------------- */

struct one { /* an op that is one request */
    struct rds_task task;
    struct rds_request r;
};

static const struct rds_task *task_of(const struct rds_request *r) {
    return &RDS_OF(const struct one, r, r)->task;
}

static void one_run(struct rds *d, struct larder_op *op, uint32_t flags, const struct rds_verb *verb,
                    enum rds_kind kind, uint8_t request_flags) {
    struct one *one;
    if (!rds_accepts(d, op, flags) || !(one = rds_task_new(d, op, sizeof(*one))))
        return;
    rds_request_init(&one->r, verb, op, rds_slot(d, op->key), kind);
    one->r.flags = request_flags;
    rds_submit(d, &one->r);
}

static void get_write(const struct rds_request *r, struct rds_out *out) {
    const struct rds_task *task = task_of(r);
    rds_command(out, "GET", 2);
    rds_arg_key(out, &task->d->names, RDS_ENTRY, task->op->key, none());
}

static void get_done(struct rds_request *r, const struct rds_answer *answer) {
    struct rds_task *task = &RDS_OF(struct one, r, r)->task;
    struct head head;
    task->res.value = answer->value;
    if (!rds_task_got(task, answer, "$_") || answer->reply->type == RDS_NIL) {
        rds_task_end(task, LARDER_MISS);
    } else if (!head_read(answer->reply->text, &head)) {
        rds_task_refused(task, LARDER_CORRUPT, "the key of an entry holds what is not of this driver's");
        rds_task_end(task, LARDER_CORRUPT);
    } else if (is_over(&head, task->op->now_ms)) {
        task->d->host->buf_unref(task->res.value.owner);
        task->res.value = (struct larder_slice){0};
        rds_task_end(task, LARDER_MISS);
    } else {
        task->res.modified_ms = head.modified_ms;
        task->res.epoch = head.epoch;
        rds_task_end(task, LARDER_OK);
    }
}

void rds_get(void *instance, struct larder_op *op) {
    static const struct rds_verb verb = {.write = get_write, .done = get_done, .is_value = true};
    one_run(instance, op, 0, &verb, RDS_BIG, RDS_MAY_LAG);
}

/* ---- put ------------------------------------------------------------------------------------------------------- */

struct put {
    struct rds_task task;
    struct rds_request r;
    char stage[RDS_STAGE_BYTES]; /* hex digits */
};

static void arg_entry(struct rds_out *out, const struct larder_op *op) {
    const struct head head = {op->modified_ms, op->epoch, rds_expiry_ms(op->now_ms, op->ttl_ms)};
    uint8_t bytes[RDS_HEAD];
    head_write(&head, bytes);
    rds_arg_value(out, (struct larder_bytes){bytes, sizeof(bytes)},
                  (struct larder_bytes){op->value.ptr, op->value.len});
}

static void arg_if_absent(struct rds_out *out, const struct larder_op *op) {
    rds_arg_text(out, op->flags & LARDER_IF_ABSENT ? "1" : "0");
}

static void put_write(const struct rds_request *r, struct rds_out *out) {
    const struct put *put = RDS_OF(const struct put, r, r);
    const struct rds *d = put->task.d;
    const struct larder_op *op = put->task.op;
    rds_script_begin(out, d->shas, r, RDS_PUT, 1, 4);
    rds_arg_key(out, &d->names, RDS_ENTRY, op->key, none());
    arg_entry(out, op);
    rds_arg_sortable(out, op->now_ms);
    arg_if_absent(out, op);
    rds_arg_number(out, rds_kept_ms(op->ttl_ms));
}

/* 1: it is stored, or a newer one is there; 0: one is there. */
static void put_done(struct rds_request *r, const struct rds_answer *answer) {
    struct put *put = RDS_OF(struct put, r, r);
    struct rds_task *task = &put->task;
    int32_t status = LARDER_OK;
    if (rds_task_got(task, answer, ":"))
        status = answer->reply->integer == 0 ? LARDER_MISS : LARDER_OK;
    if (task->status == LARDER_OK && answer->reply->integer < 0)
        rds_task_refused(task, LARDER_RETRY, "the server forgot the value before it was in its place");
    rds_task_end(task, status);
}

static void staged_write(const struct rds_request *r, struct rds_out *out) {
    const struct put *put = RDS_OF(const struct put, r, r);
    const struct rds *d = put->task.d;
    const struct larder_op *op = put->task.op;
    const struct larder_bytes stage = {(const uint8_t *)put->stage, sizeof(put->stage)};
    rds_command(out, "SET", 5);
    rds_arg_key(out, &d->names, RDS_STAGED, op->key, stage);
    arg_entry(out, op);
    rds_arg_text(out, "PX");
    rds_arg_number(out, STAGED_FOR_MS);
    rds_script_begin(out, d->shas, r, RDS_PLACE, 2, 4);
    rds_arg_key(out, &d->names, RDS_ENTRY, op->key, none());
    rds_arg_key(out, &d->names, RDS_STAGED, op->key, stage);
    rds_arg_sortable(out, op->epoch);
    rds_arg_sortable(out, op->now_ms);
    arg_if_absent(out, op);
    rds_arg_number(out, rds_kept_ms(op->ttl_ms));
}

/* Why SET was refused says more than what the script finds then. */
static void staged_done(struct rds_request *r, const struct rds_answer *answer) {
    struct put *put = RDS_OF(struct put, r, r);
    if (answer->status != LARDER_OK || r->seen == 1)
        put_done(r, answer);
    else
        (void)rds_task_got(&put->task, answer, "+");
}

/* ---- put, without a script --------------------------------------------------------------------------------------- */

static void begin_set(struct rds_out *out, const struct rds_txn *txn, enum rds_name kind) {
    const struct larder_op *op = txn->task->op;
    rds_command(out, "SET", rds_kept_ms(op->ttl_ms) > 0 ? 5 : 3);
    rds_arg_key(out, &txn->d->names, kind, op->key, none());
}

static void end_set(struct rds_out *out, const struct rds_txn *txn) {
    const int64_t kept_ms = rds_kept_ms(txn->task->op->ttl_ms);
    if (kept_ms == 0)
        return;
    rds_arg_text(out, "PX");
    rds_arg_number(out, kept_ms);
}

static void watch(struct rds_out *out, const struct rds_txn *txn, enum rds_name kind) {
    rds_command(out, "WATCH", 2);
    rds_arg_key(out, &txn->d->names, kind, txn->task->op->key, none());
}

static void txn_put_read(const struct rds_txn *txn, struct rds_out *out) {
    watch(out, txn, RDS_ENTRY);
    rds_command(out, "GETRANGE", 4);
    rds_arg_key(out, &txn->d->names, RDS_ENTRY, txn->task->op->key, none());
    rds_arg_number(out, 0);
    rds_arg_number(out, RDS_HEAD - 1);
}

static void txn_put_heard(struct rds_txn *txn, __attribute__((unused)) uint32_t which,
                          const struct rds_answer *answer) {
    const struct larder_op *op = txn->task->op;
    if (rds_task_got(txn->task, answer, "$_"))
        txn->verdict = rds_entry_may_put(answer->reply->text, op) ? RDS_TXN_WRITE
                       : (op->flags & LARDER_IF_ABSENT) != 0      ? RDS_TXN_MISS
                                                                  : RDS_TXN_KEEP;
}

static bool txn_writes(struct rds_txn *txn) {
    return txn->verdict == RDS_TXN_WRITE;
}

static void txn_put_write(const struct rds_txn *txn, struct rds_out *out) {
    begin_set(out, txn, RDS_ENTRY);
    arg_entry(out, txn->task->op);
    end_set(out, txn);
}

static void txn_one_end(struct rds_txn *txn) {
    rds_task_end(txn->task, txn->verdict == RDS_TXN_MISS ? LARDER_MISS : LARDER_OK);
}

static void put_without_script(struct rds_request *r) {
    static const struct rds_txn_ops ops = {.read = txn_put_read,
                                           .heard = txn_put_heard,
                                           .decide = txn_writes,
                                           .write = txn_put_write,
                                           .end = txn_one_end};
    rds_txn_start(&RDS_OF(struct put, r, r)->task, r, &ops, NULL);
}

void rds_put(void *instance, struct larder_op *op) {
    static const struct rds_verb whole = {
        .write = put_write, .done = put_done, .without_script = put_without_script};
    static const struct rds_verb staged = {
        .write = staged_write, .done = staged_done, .without_script = put_without_script};
    struct rds *d = instance;
    struct put *put;
    if (!rds_accepts(d, op, LARDER_IF_ABSENT) || !(put = rds_task_new(d, op, sizeof(*put))))
        return;
    const bool is_large = op->value.len >= STAGED_FROM;
    rds_request_init(&put->r, is_large ? &staged : &whole, op, rds_slot(d, op->key), RDS_BIG);
    if (is_large)
        rds_random_hex(d, put->stage, sizeof(put->stage));
    rds_submit(d, &put->r);
}

/* ---- remove ------------------------------------------------------------------------------------------------------ */

static void remove_write(const struct rds_request *r, struct rds_out *out) {
    const struct rds_task *task = task_of(r);
    rds_command(out, "DEL", 2);
    rds_arg_key(out, &task->d->names, RDS_ENTRY, task->op->key, none());
}

static void integer_done(struct rds_request *r, const struct rds_answer *answer) {
    struct rds_task *task = &RDS_OF(struct one, r, r)->task;
    (void)rds_task_got(task, answer, ":");
    rds_task_end(task, LARDER_OK);
}

void rds_remove(void *instance, struct larder_op *op) {
    static const struct rds_verb verb = {.write = remove_write, .done = integer_done};
    one_run(instance, op, 0, &verb, RDS_BIG, 0);
}

/* ---- claims: advice, who renders what ----------------------------------------------------------------------------- */

static struct larder_bytes owner_of(const struct larder_op *op) {
    return (struct larder_bytes){op->value.ptr, op->value.len};
}

static void claim_write(const struct rds_request *r, struct rds_out *out) {
    const struct rds_task *task = task_of(r);
    const struct larder_op *op = task->op;
    rds_script_begin(out, task->d->shas, r, RDS_TAKE, 1, 4);
    rds_arg_key(out, &task->d->names, RDS_CLAIMED, op->key, none());
    rds_arg_sortable(out, rds_expiry_ms(op->now_ms, op->ttl_ms));
    rds_arg(out, owner_of(op));
    rds_arg_sortable(out, op->now_ms);
    rds_arg_number(out, rds_kept_ms(op->ttl_ms));
}

static void txn_claim_read(const struct rds_txn *txn, struct rds_out *out) {
    watch(out, txn, RDS_CLAIMED);
    rds_command(out, "GET", 2);
    rds_arg_key(out, &txn->d->names, RDS_CLAIMED, txn->task->op->key, none());
}

static bool is_own(struct larder_bytes stored, const struct larder_op *op) {
    return stored.len >= RDS_NUMBER_BYTES &&
           rds_same((struct larder_bytes){stored.ptr + RDS_NUMBER_BYTES, stored.len - RDS_NUMBER_BYTES},
                    owner_of(op));
}

static void txn_claim_heard(struct rds_txn *txn, __attribute__((unused)) uint32_t which,
                            const struct rds_answer *answer) {
    const struct larder_op *op = txn->task->op;
    if (!rds_task_got(txn->task, answer, "$_"))
        return;
    const struct larder_bytes stored = answer->reply->text;
    const int64_t until_ms = stored.len >= RDS_NUMBER_BYTES ? rds_number_read(stored.ptr) : 0;
    const bool is_free = stored.len < RDS_NUMBER_BYTES ||
                         (until_ms != LARDER_UNSET && until_ms <= op->now_ms);
    txn->verdict = is_free || is_own(stored, op) ? RDS_TXN_WRITE : RDS_TXN_MISS;
}

static void txn_claim_write(const struct rds_txn *txn, struct rds_out *out) {
    const struct larder_op *op = txn->task->op;
    uint8_t until[RDS_NUMBER_BYTES];
    rds_number_write(rds_expiry_ms(op->now_ms, op->ttl_ms), until);
    begin_set(out, txn, RDS_CLAIMED);
    rds_arg_begin(out, sizeof(until) + op->value.len);
    rds_arg_part(out, until, sizeof(until));
    rds_arg_part(out, op->value.ptr, op->value.len);
    rds_arg_end(out);
    end_set(out, txn);
}

static void claim_without_script(struct rds_request *r) {
    static const struct rds_txn_ops ops = {.read = txn_claim_read,
                                           .heard = txn_claim_heard,
                                           .decide = txn_writes,
                                           .write = txn_claim_write,
                                           .end = txn_one_end};
    rds_txn_start(&RDS_OF(struct one, r, r)->task, r, &ops, NULL);
}

static void txn_release_heard(struct rds_txn *txn, __attribute__((unused)) uint32_t which,
                              const struct rds_answer *answer) {
    if (rds_task_got(txn->task, answer, "$_"))
        txn->verdict = is_own(answer->reply->text, txn->task->op) ? RDS_TXN_WRITE : RDS_TXN_KEEP;
}

static void txn_release_write(const struct rds_txn *txn, struct rds_out *out) {
    rds_command(out, "DEL", 2);
    rds_arg_key(out, &txn->d->names, RDS_CLAIMED, txn->task->op->key, none());
}

static void release_without_script(struct rds_request *r) {
    static const struct rds_txn_ops ops = {.read = txn_claim_read,
                                           .heard = txn_release_heard,
                                           .decide = txn_writes,
                                           .write = txn_release_write,
                                           .end = txn_one_end};
    rds_txn_start(&RDS_OF(struct one, r, r)->task, r, &ops, NULL);
}

static void claim_done(struct rds_request *r, const struct rds_answer *answer) {
    struct rds_task *task = &RDS_OF(struct one, r, r)->task;
    const bool taken = rds_task_got(task, answer, ":") && answer->reply->integer == 1;
    rds_task_end(task, taken ? LARDER_OK : LARDER_MISS);
}

void rds_claim(void *instance, struct larder_op *op) {
    static const struct rds_verb verb = {
        .write = claim_write, .done = claim_done, .without_script = claim_without_script};
    one_run(instance, op, 0, &verb, RDS_SMALL, 0);
}

static void release_write(const struct rds_request *r, struct rds_out *out) {
    const struct rds_task *task = task_of(r);
    rds_script_begin(out, task->d->shas, r, RDS_GIVE, 1, 1);
    rds_arg_key(out, &task->d->names, RDS_CLAIMED, task->op->key, none());
    rds_arg(out, owner_of(task->op));
}

void rds_release(void *instance, struct larder_op *op) {
    static const struct rds_verb verb = {
        .write = release_write, .done = integer_done, .without_script = release_without_script};
    one_run(instance, op, 0, &verb, RDS_SMALL, 0);
}
