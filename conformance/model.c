/*
 * The model theme: random sequences of operations against what may be answered to them (model.h).
 * A sequence that fails is made as short as can be, and told as a test in C and as a text for
 * --replay.
 */
#include "model.h"

#include <string.h>

#include "drive.h"
#include "random.h"

enum {
    SHRINK_RUNS = 3000,
    REPEATS = 30 /* of overlapping ops, which do not fall the same way every time */
};

struct model {
    struct model_program program;
    struct model_history history;
    struct model_verdict verdict;
    /* While shrinking: the last run that failed. */
    struct model_history failed;
    struct model_verdict failed_verdict;
};

/* A layer that makes faults was asked for. */
static bool errors_are_expected(void) {
    for (size_t i = 1; i < drive.n_args && i < N_ELEMENTS(drive.args); i++) {
        if (strcmp(drive.args[i - 1], "--layer") == 0 && strcmp(drive.args[i], "fault") == 0)
            return true;
    }
    return false;
}

static void run_and_check(struct model *m, const struct model_program *p) {
    m->history.errors = errors_are_expected();
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
    for (unsigned i = 0; i < repeats; i++) {
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

/* Words that a shell would take apart are quoted; a quote itself does not occur in what is ours. */
static size_t add_word(char *text, size_t size, size_t len, const char *word) {
    bool plain = word[0] != '\0' && word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                      "0123456789-_./=:+,@%")] == '\0';
    int n = snprintf(text + len, size - len, plain ? " %s" : " '%s'", word);
    return n > 0 && (size_t)n < size - len ? len + (size_t)n : len;
}

static void tell(const struct model *m, unsigned window) {
    char text[MODEL_TEXT], args[2048] = "";
    size_t len = 0;
    for (size_t i = 0; i < drive.n_args && i < N_ELEMENTS(drive.args); i++)
        len = add_word(args, sizeof(args), len, drive.args[i]);
    note("%s", m->failed_verdict.why);
    model_print_c(&m->failed, &m->failed_verdict, window, note_line, NULL);
    model_print(&m->program, text);
    note("to repeat: larder-conform --replay '%s'%s", text, args);
}

/* m->program failed once: the verdict is there. */
static void shrink_and_tell(struct model *m) {
    m->failed = m->history;
    m->failed_verdict = m->verdict;
    struct model_program whole = m->program;
    if (fails_in_fresh_instances(m, &m->program)) {
        model_shrink(&m->program, SHRINK_RUNS, fails_in_fresh_instances, m);
        note("%zu of %zu operations are left of the sequence that failed", m->program.n, whole.n);
    } else {
        note("does not fail again in fresh instances; so this is all of it");
    }
    tell(m, m->program.window);
}

/* ---- tests --------------------------------------------------------------------------------------- */

/* window 0: a different one each time. */
static void try_sequences(bool overlapping) {
    struct model *m = calloc(1, sizeof(*m));
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    uint32_t can = model_abilities();
    unsigned sequences = 0, undecided = 0;
    size_t ops = 0;
    bool fails = false;
    uint64_t random = drive.random;
    while (!fails && (sequences == 0 || drive_has_time())) {
        unsigned window = overlapping ? 2 + random_below(&random, 7) : 1;
        model_generate(&m->program, random_next(&random), window, can);
        run_and_check(m, &m->program);
        fails = m->verdict.outcome == MODEL_FAILS;
        undecided += m->verdict.outcome == MODEL_UNDECIDED;
        ops += m->program.n;
        sequences++;
    }
    note("%u sequences of %zu operations; %u that allow too many orders to tell", sequences, ops, undecided);
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
    if (!m) {
        note("out of memory");
    } else if (!model_parse(text, &m->program, error)) {
        note("--replay: not understood: %s", error);
    } else if ((unable = find_unable(&m->program))) {
        note("--replay: the driver has no %s", model_kind_names[unable->kind]);
    } else if (fails_in_fresh_instances(m, &m->program)) {
        tell(m, m->program.window);
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
