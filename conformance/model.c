/*
 * The model theme: random sequences of operations against what may be answered to them (model.h).
 * A sequence that fails is made as short as can be, and told as a test in C and as a text for
 * --replay.
 */
#include "model.h"

#include <string.h>
#include <time.h>

#include "drive.h"
#include "options.h"
#include "random.h"

enum {
    SHRINK_RUNS = 3000,
    SHRINK_S = 30,
    MAX_C = 40,  /* operations: what is longer, nobody reads as C */
    REPEATS = 20 /* of overlapping ops, which do not fall the same way every time */
};

struct model {
    struct model_program program;
    struct model_history history;
    struct model_verdict verdict;
    /* While shrinking: the last run that failed. */
    struct model_history failed;
    struct model_verdict failed_verdict;
    int64_t until_s; /* no more runs after this */
};

static int64_t seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static bool has_layer(const char *name) {
    for (size_t i = 0; i < options.n_layers; i++) {
        if (strcmp(options.layers[i], name) == 0)
            return true;
    }
    return false;
}

static void run_and_check(struct model *m, const struct model_program *p) {
    m->history.errors = has_layer("errors");
    m->history.repeats = has_layer("retry");
    model_run(p, &m->history);
    m->verdict = model_check(&m->history);
}

/* What an instance remembers of earlier sequences must not decide how this one goes. */
static bool reopen(void) {
    drive.one = drive_close(drive.one);
    drive.two = drive_close(drive.two);
    drive.one = drive_open();
    drive.two = drive.one ? drive_open() : NULL;
    return drive.two != NULL;
}

static bool fails_in_fresh_instances(void *arg, const struct model_program *p) {
    struct model *m = arg;
    unsigned repeats = p->window > 1 ? REPEATS : 1;
    for (unsigned i = 0; i < repeats && seconds() < m->until_s; i++) {
        if (!reopen())
            return false;
        run_and_check(m, p);
        if (m->verdict.outcome == MODEL_FAILS) {
            m->failed = m->history;
            m->failed_verdict = m->verdict;
            return true;
        }
    }
    return false;
}

/* ---- telling ----------------------------------------------------------------------------------- */

static void note_line(void *arg, const char *line) {
    (void)arg;
    note("    %s", line);
}

static void tell(const struct model *m) {
    char text[MODEL_TEXT], command[2048];
    note("%s", m->failed_verdict.why);
    if (m->failed.n <= MAX_C)
        model_print_c(&m->failed, &m->failed_verdict, m->program.window, note_line, NULL);
    model_print(&m->program, text);
    options_command(NULL, command, sizeof(command));
    note("to repeat: %s --replay '%s'", command, text);
}

/* m->program failed once: the verdict is there. */
static void shrink_and_tell(struct model *m) {
    m->failed = m->history;
    m->failed_verdict = m->verdict;
    struct model_program whole = m->program;
    m->until_s = seconds() + SHRINK_S;
    if (fails_in_fresh_instances(m, &m->program)) {
        model_shrink(&m->program, SHRINK_RUNS, fails_in_fresh_instances, m);
        note("%zu of %zu operations are left of the sequence that failed", m->program.n, whole.n);
    } else {
        note("does not fail again in fresh instances; so this is all of it");
    }
    tell(m);
}

/* ---- tests --------------------------------------------------------------------------------------- */

static void try_sequences(bool overlapping) {
    struct model *m = calloc(1, sizeof(*m));
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    uint32_t can = model_abilities();
    unsigned sequences = 0, undecided = 0;
    size_t ops = 0;
    bool fails = false;
    uint64_t random = drive.random;
    while (!fails && (ops < options.model_ops || drive_has_time())) {
        unsigned window = overlapping ? 2 + random_below(&random, 7) : 1;
        model_generate(&m->program, random_next(&random), window, can);
        run_and_check(m, &m->program);
        fails = m->verdict.outcome == MODEL_FAILS;
        undecided += m->verdict.outcome == MODEL_UNDECIDED;
        ops += m->program.n;
        sequences++;
    }
    note("%zu operations in %u sequences%s", ops, sequences,
         undecided > 0 ? "; some allow too many orders to try them all" : "");
    if (fails)
        shrink_and_tell(m);
    CU_ASSERT_FALSE(fails);
    CU_ASSERT(undecided * 10 <= sequences);
    free(m);
}

static void random_operations_one_by_one_answer_as_the_model_does(void) {
    try_sequences(false);
}

static void random_operations_at_once_can_be_put_in_an_order(void) {
    try_sequences(true);
}

/* The first step that the driver has no function for; NULL: none. */
static const struct model_step *find_unable(const struct model_program *p) {
    uint32_t can = model_abilities();
    for (size_t i = 0; i < p->n; i++) {
        if (!(can & 1u << p->steps[i].kind))
            return &p->steps[i];
    }
    return NULL;
}

int model_replay(const char *text) {
    char error[128];
    const struct model_step *unable;
    struct model *m = calloc(1, sizeof(*m));
    int result = 1;
    if (m)
        m->until_s = INT64_MAX;
    if (!m) {
        note("out of memory");
    } else if (!model_parse(text, &m->program, error)) {
        note("--replay: not understood: %s", error);
    } else if ((unable = find_unable(&m->program))) {
        note("--replay: the driver has no %s", model_kind_names[unable->kind]);
    } else if (fails_in_fresh_instances(m, &m->program)) {
        tell(m);
    } else {
        result = 0;
    }
    free(m);
    return result;
}

static const struct unit_test tests[] = {
    UNIT(random_operations_one_by_one_answer_as_the_model_does),
    UNIT(random_operations_at_once_can_be_put_in_an_order),
};
const struct suite model_suite = {"model", LARDER_OP_PING, tests, N_ELEMENTS(tests)};
