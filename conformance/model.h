/*
 * The model theme: random sequences of operations, and what may be answered to them.
 *
 *     model_gen.c      programs from a seed
 *     model_text.c     a program as one line of text, and back
 *     model_c.c        a program as a test in C
 *     model_run.c      runs a program on a driver and records what was answered
 *     model_check.c    what may be answered: all of it; entries, lists, claims, the index
 *     model_order.c    whether overlapping ops of one object can be put in an order
 *     model_marks.c    marks
 *     model_counters.c counters, and that bump keeps them together with marks
 *     model_shrink.c   the shortest program that still fails
 *     model.c          the tests; how a failure is told
 *
 * The checks are functions of a history alone: no driver, no clock, no state.  So each rule is
 * tested with histories made by hand (test_model.c).
 *
 * Times, and the epochs of marks and counters, are told from the start of the program: 0 is
 * then.  So a program says the same whenever it is run.
 */
#ifndef CONFORMANCE_MODEL_H
#define CONFORMANCE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "larder/driver.h"

enum {
    MODEL_NAMES = 4, /* keys, tags and counters 0 .. 3; key, tag and counter i have the same bytes */
    MODEL_STEPS = 160,
    MODEL_WINDOW = 16, /* at most so many ops under way */
    MODEL_TEXT = 16384 /* room for any program's text */
};

enum model_kind {
    MODEL_GET,
    MODEL_PUT,
    MODEL_REMOVE,
    MODEL_LIST,
    MODEL_CLAIM,
    MODEL_RELEASE,
    MODEL_READ,
    MODEL_WRITE,
    MODEL_LOOK,  /* advance by 0 */
    MODEL_RAISE, /* advance by 1 */
    MODEL_BUMP,
    MODEL_LINK,
    MODEL_KEYS_OF,
    MODEL_TAGS_OF,
    MODEL_LIST_MARKS,
    N_MODEL_KINDS
};

struct model_mark { /* members as in struct larder_mark */
    uint8_t tag;
    int64_t expired, stale, expire_at_ms;
};

struct model_step {
    enum model_kind kind;
    uint8_t instance; /* 0: one, 1: two */
    uint8_t name;     /* of the key, tag or counter */
    uint8_t owner;    /* claim, release */
    bool if_absent;   /* put, write */
    bool alone;       /* everything before has been answered when this is sent */
    uint32_t len;     /* put: of the value */
    uint32_t id;      /* put: no two of a program have the same; tells the bytes and modified_ms */
    int64_t epoch;    /* put; as it is, not from the start of the program */
    int64_t at_ms;    /* op->now_ms; never negative */
    int64_t ttl_ms;   /* put, claim */
    uint64_t limit;   /* of a page */
    size_t n_marks;   /* read, link: tags alone; write, bump */
    struct model_mark marks[MODEL_NAMES];
};

struct model_program {
    unsigned window; /* 1: one op after the other */
    size_t n;
    struct model_step steps[MODEL_STEPS];
};

enum { MODEL_NONE = -1, MODEL_STRANGE = -2 };

struct model_event { /* a step, and its answer */
    struct model_step step;
    uint64_t called, returned; /* as in struct sent */
    int32_t status;
    int got;                              /* get: the put whose value, epoch and modified_ms these are; or
                                             MODEL_STRANGE: of no put under this key */
    int64_t epoch;                        /* look, raise, bump */
    uint32_t seen;                        /* bit i: key or tag i is in the answer */
    bool whole;                           /* paged: that was the last page */
    bool strange;                         /* something was emitted that has no place there */
    struct model_mark marks[MODEL_NAMES]; /* read, list of marks: of the tags in seen */
};

struct model_history {
    size_t n;
    uint32_t traits; /* that the driver claims */
    bool in_order;   /* no two overlap */
    bool errors;     /* a fault was made on purpose somewhere below: an error is no failure, and
                         what failed may have happened, or happen at any later time */
    bool repeats;    /* an op may be done more than once while it is under way */
    struct model_event events[MODEL_STEPS]; /* in the order in which they were called */
};

enum model_outcome {
    MODEL_HOLDS,
    MODEL_FAILS,
    MODEL_UNDECIDED /* too many orders are possible to try them all */
};

struct model_verdict {
    enum model_outcome outcome;
    size_t at;     /* the event that cannot be explained */
    char why[256]; /* events are counted from 1, as "op 3" */
    /* The answer that was due, where there is but one. */
    bool is_known;
    struct model_event due;
};

/* ---- the checks ------------------------------------------------------------------------------ */

struct model_verdict model_check(const struct model_history *h);

/* The first failure stays.  For the parts of the check. */
void model_fail(struct model_verdict *v, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void model_check_marks(const struct model_history *h, struct model_verdict *v);
void model_check_counters(const struct model_history *h, struct model_verdict *v);

static inline bool model_failed(const struct model_event *e) {
    return e->status < LARDER_OK;
}
/* When it has happened, if ever: what failed may do so at any later time. */
static inline uint64_t model_settled(const struct model_event *e) {
    return model_failed(e) ? UINT64_MAX : e->returned;
}
/* The mark that a step has for a tag; NULL: none. */
static inline const struct model_mark *model_mark_for(const struct model_step *s, unsigned tag) {
    for (size_t i = 0; i < s->n_marks; i++) {
        if (s->marks[i].tag == tag)
            return &s->marks[i];
    }
    return NULL;
}

/*
 * One object, whose state is the event that made it as it is (MODEL_NONE: none has).  next()
 * tells the states that it may have after an event that found it in `state`: 0 if the answer is
 * impossible then, else 1 or 2 of them.
 */
struct model_object {
    const struct model_history *h;
    unsigned name, tag; /* for next() */
    unsigned (*next)(const struct model_object *o, int state, size_t event, int ret_next[2]);
};
/* Whether the events (indices into h->events, ascending) can be put in an order in which each
 * takes effect between its call and its answer.  MODEL_FAILS: *ret_at is the first event whose
 * answer no order explains, *ret_states the states in which it can have found the object. */
struct model_states {
    size_t n;
    int of[8]; /* some of them, if there are more */
};
enum model_outcome model_order(const struct model_object *o, const size_t *events, size_t n, size_t *ret_at,
                               struct model_states *ret_states);

/* ---- programs -------------------------------------------------------------------------------- */

/* can: bit i: the driver has the op of enum model_kind i. */
void model_generate(struct model_program *p, uint64_t seed, unsigned window, uint32_t can);

/* Into text, with a NUL.  model_parse(): false: *ret_error says why, with the place. */
void model_print(const struct model_program *p, char text[MODEL_TEXT]);
bool model_parse(const char *text, struct model_program *ret, char ret_error[128]);
/* A test in C, line by line, to emit().  v: of the history, which failed. */
typedef void model_line_fn(void *arg, const char *line);
void model_print_c(const struct model_history *h, const struct model_verdict *v, unsigned window,
                   model_line_fn *emit, void *arg);
extern const char *const model_kind_names[N_MODEL_KINDS];
/* What names end with: bytes that are easily confused.  strict: where not every byte may stand in
 * a key. */
struct larder_bytes model_name(unsigned i, bool strict);

/* fails() runs a program once and says whether it fails.  *p becomes as short as can be found
 * by trying `budget` times. */
typedef bool model_fails_fn(void *arg, const struct model_program *p);
void model_shrink(struct model_program *p, unsigned budget, model_fails_fn *fails, void *arg);

/* Runs it on drive.one and drive.two, under names that no other run has. */
void model_run(const struct model_program *p, struct model_history *ret);
uint32_t model_abilities(void);

#endif
