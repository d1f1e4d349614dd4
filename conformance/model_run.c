/*
 * A program on the driver.  A window of steps is under way at once; the time moves only when
 * nothing is, so that it is one for all that overlap.
 */
#include <string.h>

#include "drive.h"
#include "model.h"

static const uint32_t codes[N_MODEL_KINDS] = {[MODEL_GET] = LARDER_OP_GET,
                                              [MODEL_PUT] = LARDER_OP_PUT,
                                              [MODEL_REMOVE] = LARDER_OP_REMOVE,
                                              [MODEL_LIST] = LARDER_OP_LIST,
                                              [MODEL_CLAIM] = LARDER_OP_CLAIM,
                                              [MODEL_RELEASE] = LARDER_OP_RELEASE,
                                              [MODEL_READ] = LARDER_OP_TAGS_READ,
                                              [MODEL_WRITE] = LARDER_OP_TAGS_WRITE,
                                              [MODEL_LOOK] = LARDER_OP_ADVANCE,
                                              [MODEL_RAISE] = LARDER_OP_ADVANCE,
                                              [MODEL_BUMP] = LARDER_OP_BUMP,
                                              [MODEL_LINK] = LARDER_OP_LINK,
                                              [MODEL_KEYS_OF] = LARDER_OP_KEYS_OF,
                                              [MODEL_TAGS_OF] = LARDER_OP_TAGS_OF,
                                              [MODEL_LIST_MARKS] = LARDER_OP_LIST_MARKS};

uint32_t model_abilities(void) {
    uint32_t can = 0;
    for (unsigned i = 0; i < N_MODEL_KINDS; i++) {
        /* Where a mark may be lost at any time, nothing can be said of marks. */
        bool unsure = codes[i] == LARDER_OP_TAGS_READ || codes[i] == LARDER_OP_TAGS_WRITE ||
                      codes[i] == LARDER_OP_BUMP || codes[i] == LARDER_OP_LIST_MARKS;
        if (backend_can(drive.one, codes[i]) && !(unsure && (drive.one->info.traits & LARDER_LOSSY)))
            can |= 1u << i;
    }
    return can;
}

struct run {
    const struct model_program *program;
    struct model_history *h;
    int64_t start_ms;
    struct larder_bytes prefix, names[MODEL_NAMES];
    struct sent sent[MODEL_STEPS];
};

/* From the start of the program to the time of day, and back. */
static int64_t absolute(const struct run *r, int64_t at) {
    return at == LARDER_UNSET || at == LARDER_NEW_EPOCH ? at : r->start_ms + at;
}
static int64_t relative(const struct run *r, int64_t at) {
    return at == LARDER_UNSET ? at : (int64_t)((uint64_t)at - (uint64_t)r->start_ms);
}

static struct larder_bytes key_of(const struct run *r, const struct model_step *s) {
    if (s->kind == MODEL_LIST || s->kind == MODEL_LIST_MARKS)
        return r->prefix;
    if (s->kind == MODEL_READ || s->kind == MODEL_WRITE)
        return (struct larder_bytes){0};
    return r->names[s->name];
}

static uint32_t value_len(const struct model_step *s) {
    uint64_t max_value = drive.one->info.max_value;
    return max_value > 0 && s->len > max_value ? (uint32_t)max_value : s->len;
}

static void send_step(struct run *r, size_t i) {
    const struct model_step *s = &r->program->steps[i];
    struct larder_mark marks[MODEL_NAMES];
    for (size_t j = 0; j < s->n_marks; j++) {
        const struct model_mark *m = &s->marks[j];
        marks[j] = mark_of(r->names[m->tag], absolute(r, m->expired), absolute(r, m->stale),
                           absolute(r, m->expire_at_ms));
    }
    struct op_inputs in = {.key = key_of(r, s),
                           .add = s->kind == MODEL_RAISE,
                           .ttl_ms = s->ttl_ms,
                           .marks = marks,
                           .n_marks = s->n_marks,
                           .limit = s->limit,
                           .flags = s->if_absent ? LARDER_IF_ABSENT : 0};
    if (s->kind == MODEL_PUT) {
        in.value = value_of(value_len(s), s->id);
        in.modified_ms = absolute(r, s->id);
        in.epoch = s->epoch;
    } else if (s->kind == MODEL_CLAIM || s->kind == MODEL_RELEASE) {
        in.value = value_of(8, s->owner);
    }
    send_op(s->instance ? drive.two : drive.one, codes[s->kind], in, &r->sent[i]);
    slice_done(&in.value);
}

/* ---- answers ----------------------------------------------------------------------------------- */

static int index_of(const struct run *r, struct larder_bytes name) {
    for (int i = 0; i < MODEL_NAMES; i++) {
        if (bytes_equal(r->names[i], name))
            return i;
    }
    return -1;
}

/* The put whose entry this is, all of it. */
static int put_of(const struct run *r, const struct model_step *get, const struct larder_result *res) {
    for (size_t i = 0; i < r->program->n; i++) {
        const struct model_step *s = &r->program->steps[i];
        if (s->kind == MODEL_PUT && s->name == get->name && res->modified_ms == absolute(r, s->id) &&
            res->epoch == s->epoch && value_is(res->value, value_len(s), s->id))
            return (int)i;
    }
    return MODEL_STRANGE;
}

/* Whether a record may come twice, and whether others than those of the names may come. */
static bool is_paged(enum model_kind kind) {
    return kind == MODEL_LIST || kind == MODEL_KEYS_OF || kind == MODEL_LIST_MARKS;
}

static void take_mark(const struct run *r, struct model_event *e, const struct larder_mark *m) {
    int tag = index_of(r, m->tag);
    bool asked = tag >= 0 && (e->step.kind != MODEL_READ || model_mark_for(&e->step, (unsigned)tag));
    if (!asked || (!is_paged(e->step.kind) && e->seen & 1u << tag)) {
        e->strange = true;
        return;
    }
    e->seen |= 1u << tag;
    e->marks[tag] = (struct model_mark){(uint8_t)tag, relative(r, m->expired_epoch),
                                        relative(r, m->stale_epoch), relative(r, m->expire_at_ms)};
}

static void take_records(const struct run *r, struct model_event *e, const struct op *op) {
    for (size_t i = 0; i < op->n_keys; i++) {
        int key = index_of(r, op->keys[i]);
        if (key < 0 || (e->step.kind != MODEL_LIST && e->step.kind != MODEL_KEYS_OF))
            e->strange = true;
        else
            e->seen |= 1u << key;
    }
    for (size_t i = 0; i < op->n_marks; i++)
        take_mark(r, e, &op->marks[i]);
}

/* Further pages, from either instance: only where nothing else goes on. */
static void take_pages(const struct run *r, struct model_event *e, const struct op *first) {
    enum { MAX_PAGES = 50 };
    struct larder_slice cursor = slice_ref(first->result.cursor);
    for (unsigned page = 0; cursor.len > 0 && page < MAX_PAGES && e->status == LARDER_OK; page++) {
        struct op_inputs in = {
            .key = key_of(r, &e->step), .limit = e->step.limit, .cursor = slice_bytes(cursor)};
        struct op *op = call((e->step.instance + page) % 2 ? drive.one : drive.two, codes[e->step.kind], in);
        e->status = op->result.status;
        take_records(r, e, op);
        slice_done(&cursor);
        cursor = slice_ref(op->result.cursor);
        op_free(op);
    }
    e->whole = cursor.len == 0;
    e->strange |= cursor.len > 0; /* it never ends */
    slice_done(&cursor);
}

static void take_answer(struct run *r, size_t i) {
    struct model_event *e = &r->h->events[i];
    const struct op *op = r->sent[i].op;
    const struct larder_result *res = &op->result;
    *e = (struct model_event){.step = r->program->steps[i],
                              .called = r->sent[i].called,
                              .returned = r->sent[i].returned,
                              .status = res->status,
                              .got = MODEL_NONE,
                              .epoch = relative(r, res->epoch),
                              .whole = res->cursor.len == 0};
    if (res->status != LARDER_OK)
        return;
    if (e->step.kind == MODEL_GET)
        e->got = put_of(r, &e->step, res);
    take_records(r, e, op);
    if (r->h->in_order && is_paged(e->step.kind) && !e->whole)
        take_pages(r, e, op);
}

static void finish(struct run *r, size_t first, size_t n) {
    drive_wait();
    for (size_t i = first; i < n; i++) {
        take_answer(r, i);
        r->sent[i].op = op_free(r->sent[i].op);
    }
}

/* Many programs run on one store, and some stores list by looking at all that they have. */
static void clean_up(const struct run *r) {
    for (unsigned i = 0; i < MODEL_NAMES; i++) {
        struct op_inputs in = {.key = r->names[i]};
        if (backend_can(drive.one, LARDER_OP_REMOVE))
            (void)status_of(drive.one, LARDER_OP_REMOVE, in);
        if (backend_can(drive.one, LARDER_OP_LINK))
            (void)status_of(drive.one, LARDER_OP_LINK, in);
    }
}

static struct larder_bytes name_of(unsigned run, struct larder_bytes end) {
    char tail[32];
    int n = snprintf(tail, sizeof(tail), "%u/", run);
    memcpy(tail + n, end.ptr, end.len);
    return name_bytes("model", tail, (size_t)n + end.len);
}

void model_run(const struct model_program *p, struct model_history *ret) {
    static unsigned runs; /* each has names of its own */
    struct run *r = calloc(1, sizeof(*r));
    if (!r)
        abort();
    r->program = p;
    r->h = ret;
    r->start_ms = drive.now_ms;
    r->prefix = name("model", "%u/", ++runs);
    for (unsigned i = 0; i < MODEL_NAMES; i++)
        r->names[i] = name_of(runs, model_name(i, drive.one->info.key_bytes != 0));
    ret->n = p->n;
    ret->traits = drive.one->info.traits;
    ret->in_order = p->window <= 1;

    size_t done = 0;
    int64_t latest_ms = r->start_ms;
    for (size_t i = 0; i < p->n; i++) {
        const struct model_step *s = &p->steps[i];
        drive_wait_for_room(p->window - 1);
        if (s->alone || drive.now_ms != absolute(r, s->at_ms))
            drive_wait();
        drive.now_ms = absolute(r, s->at_ms);
        latest_ms = drive.now_ms > latest_ms ? drive.now_ms : latest_ms;
        send_step(r, i);
        if (ret->in_order) {
            finish(r, done, i + 1);
            done = i + 1;
        }
    }
    finish(r, done, p->n);
    clean_up(r);
    /* The next program begins after this one: an instance may remember the latest time. */
    drive.now_ms = latest_ms + 1;
    free(r);
}
