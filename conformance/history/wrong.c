/* Stores that are wrong on purpose: each must be found out by a run. */
#include <stdlib.h>
#include <string.h>

#include "faulty.h"

enum { REMEMBER_NS = 20000000, REMEMBERED = 128, TAG_ROOM = 96 };

static const struct {
    const char *name, *words;
} wrongs[WRONG_N] = {
    [RIGHT] = {"none", ""},
    [WRONG_DROP_MARKS] = {"drop-marks", "one write of marks in 50 is acknowledged and not done"},
    [WRONG_CACHE_MARKS] = {"cache-marks", "marks are answered from a memory of 20 ms"},
    [WRONG_SPLIT_BUMP] = {"split-bump", "the counter is raised first, then the marks are written"},
    [WRONG_SAME_EPOCH] = {"same-epoch", "one revalidation in 3 gets the epoch of the last one"},
    [WRONG_NO_MARKS] = {"no-marks", "only the namespace's mark is ever read"},
    [WRONG_LATE_NOTE] = {"late-note", "an entry gets the epoch of when its rendering ended"},
    [WRONG_LOSE_PUTS] = {"lose-puts", "puts of one key in 4 are acknowledged and not done"},
    [WRONG_NEVER_STALE] = {"never-stale", "stale_epoch and expire_at_ms are not read back"},
    [WRONG_NEVER_DUE] = {"never-due", "expire_at_ms is not read back"},
    [WRONG_DUE_AT_ONCE] = {"due-at-once", "a mark with an expire_at_ms to come is written as if it had come"},
    [WRONG_ERRORS] = {"errors", "one get in 100 fails"},
    [WRONG_SECRETLY_LOSSY] = {"secretly-lossy", "a lossy store does not say that it is one"},
    [WRONG_MADE_OF_NOTHING] = {"made-of-nothing", "a lossy store makes a mark without asking its counter"},
};

const char *wrong_name(enum wrong wrong) {
    return wrongs[wrong].name;
}

const char *wrong_words(enum wrong wrong) {
    return wrongs[wrong].words;
}

/* ---- marks from memory ------------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    struct {
        uint8_t tag[TAG_ROOM];
        size_t len;
        bool is_marked;
        struct larder_mark mark;
        uint64_t at_ns;
    } known[REMEMBERED];
    size_t n;
} memory = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The number of a tag's place, made if there is room; REMEMBERED: there is none. */
static size_t place_of(struct larder_bytes tag) {
    size_t i = 0;
    while (i < memory.n &&
           (memory.known[i].len != tag.len || memcmp(memory.known[i].tag, tag.ptr, tag.len) != 0))
        i++;
    if (i == memory.n && i < REMEMBERED && tag.len <= TAG_ROOM) {
        memcpy(memory.known[i].tag, tag.ptr, tag.len);
        memory.known[i].len = tag.len;
        memory.n++;
    }
    return tag.len <= TAG_ROOM ? i : REMEMBERED;
}

/* true: answered.  Else what the driver answers is remembered. */
static bool answer_from_memory(struct instance *inst, struct larder_op *op) {
    uint64_t now_ns = inst->host->now_ns();
    bool all = true;
    pthread_mutex_lock(&memory.lock);
    for (size_t i = 0; i < op->n_marks && all; i++) {
        size_t at = place_of(op->marks[i].tag);
        all = at < REMEMBERED && memory.known[at].at_ns != 0 && now_ns - memory.known[at].at_ns < REMEMBER_NS;
    }
    for (size_t i = 0; i < op->n_marks; i++) {
        size_t at = place_of(op->marks[i].tag);
        if (at == REMEMBERED)
            continue;
        struct larder_mark mark = memory.known[at].mark;
        mark.tag = op->marks[i].tag;
        if (all && memory.known[at].is_marked)
            inst->host->emit_mark(op, &mark);
        if (!all) {
            memory.known[at].is_marked = false;
            memory.known[at].at_ns = now_ns;
        }
    }
    pthread_mutex_unlock(&memory.lock);
    if (all)
        faulty_fail(op, LARDER_OK);
    return all;
}

static void remember(const struct larder_mark *mark) {
    pthread_mutex_lock(&memory.lock);
    size_t at = place_of(mark->tag);
    if (at < REMEMBERED) {
        memory.known[at].is_marked = true;
        memory.known[at].mark = *mark;
    }
    pthread_mutex_unlock(&memory.lock);
}

bool wrong_shows(struct larder_mark *mark) {
    bool of_namespace = mark->tag.len > 0 && mark->tag.ptr[mark->tag.len - 1] == '/';
    switch (faulty_wrong()) {
    case WRONG_NO_MARKS: return of_namespace;
    case WRONG_NEVER_STALE:
        mark->stale_epoch = LARDER_UNSET;
        mark->expire_at_ms = LARDER_UNSET;
        return true;
    case WRONG_NEVER_DUE: mark->expire_at_ms = LARDER_UNSET; return true;
    case WRONG_CACHE_MARKS: remember(mark); return true;
    default: return true;
    }
}

/* ---- revalidations in pieces ---------------------------------------------------------------- */

/* Asks the counter, waiting for the answer; false: it did not come in the call, or is an error. */
static bool ask_counter(struct instance *inst, struct larder_op *op, int64_t add, int64_t *ret_epoch) {
    struct copy *c = copy_new(inst, op, "");
    bool good = false;
    if (c == NULL)
        return false;
    c->kept = true;
    c->op.code = LARDER_OP_ADVANCE;
    c->op.add = add;
    c->op.n_marks = 0;
    if (plan_add((struct plan){.op = &c->op, .copy = c})) {
        inst->driver->tags->advance(inst->inner, &c->op);
        good = c->over && c->status == LARDER_OK;
        *ret_epoch = c->epoch;
    }
    copy_free(c);
    return good;
}

/* Writes the marks of a bump() under this epoch, and answers it. */
static void write_marks(struct instance *inst, struct larder_op *op, int64_t epoch) {
    struct copy *c = copy_new(inst, op, "");
    if (c == NULL || !plan_add((struct plan){.op = &c->op, .copy = c, .epoch = epoch})) {
        if (c != NULL)
            copy_free(c);
        faulty_fail(op, LARDER_NOMEM);
        return;
    }
    c->op.code = LARDER_OP_TAGS_WRITE;
    for (size_t i = 0; i < c->op.n_marks; i++) {
        if (c->marks[i].expired_epoch == LARDER_NEW_EPOCH)
            c->marks[i].expired_epoch = epoch;
        if (c->marks[i].stale_epoch == LARDER_NEW_EPOCH)
            c->marks[i].stale_epoch = epoch;
    }
    inst->driver->tags->write(inst->inner, &c->op);
}

static void bump_in_pieces(struct instance *inst, struct larder_op *op, int64_t add) {
    int64_t epoch;
    if (!ask_counter(inst, op, add, &epoch)) {
        faulty_fail(op, LARDER_UNSUPPORTED);
        return;
    }
    faulty_pause(inst, 6000000);
    write_marks(inst, op, epoch);
}

/* As if expire_at_ms had come. */
static bool write_due_at_once(struct instance *inst, struct larder_op *op) {
    struct copy *c = copy_new(inst, op, "");
    if (c == NULL || !plan_add((struct plan){.op = &c->op, .copy = c}))
        abort(); /* a test without memory has shown nothing */
    for (size_t i = 0; i < c->op.n_marks; i++) {
        if (c->marks[i].expire_at_ms == LARDER_UNSET)
            continue;
        c->marks[i].expired_epoch = c->marks[i].stale_epoch;
        c->marks[i].stale_epoch = c->marks[i].expire_at_ms = LARDER_UNSET;
    }
    faulty_function(inst->driver, op->code)(inst->inner, &c->op);
    return true;
}

static bool write_unheeding(struct instance *inst, struct larder_op *op) {
    struct copy *c = copy_new(inst, op, "");
    if (c == NULL || !plan_add((struct plan){.op = &c->op, .copy = c}))
        abort(); /* a test without memory has shown nothing */
    c->op.key = (struct larder_bytes){0};
    faulty_function(inst->driver, op->code)(inst->inner, &c->op);
    return true;
}

bool wrong_call(struct instance *inst, struct larder_op *op) {
    enum wrong wrong = faulty_wrong();
    bool bump = op->code == LARDER_OP_BUMP, marks = bump || op->code == LARDER_OP_TAGS_WRITE;
    if (wrong == WRONG_LOSE_PUTS && op->code == LARDER_OP_PUT && op->key.len > 0 &&
        op->key.ptr[op->key.len - 1] == '3') {
        faulty_fail(op, LARDER_OK);
    } else if (wrong == WRONG_ERRORS && op->code == LARDER_OP_GET && faulty_below(100) == 0) {
        faulty_fail(op, LARDER_DENIED); /* no layer tries that again */
    } else if (wrong == WRONG_CACHE_MARKS && op->code == LARDER_OP_TAGS_READ) {
        return answer_from_memory(inst, op);
    } else if (wrong == WRONG_DROP_MARKS && marks && !(op->flags & LARDER_IF_ABSENT) &&
               faulty_below(50) == 0) {
        if (bump)
            inst->driver->tags->advance(inst->inner, op);
        else
            faulty_fail(op, LARDER_OK);
    } else if (wrong == WRONG_SPLIT_BUMP && bump) {
        bump_in_pieces(inst, op, 1);
    } else if (wrong == WRONG_SAME_EPOCH && bump && faulty_below(3) == 0) {
        bump_in_pieces(inst, op, 0);
    } else if (wrong == WRONG_DUE_AT_ONCE && marks) {
        return write_due_at_once(inst, op);
    } else if (wrong == WRONG_MADE_OF_NOTHING && op->code == LARDER_OP_TAGS_WRITE) {
        return write_unheeding(inst, op);
    } else {
        return false;
    }
    return true;
}
