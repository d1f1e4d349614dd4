/* Programs: from a seed, as text, as C, and made shorter. */
#include "test_model.h"

/* ---- programs --------------------------------------------------------------------------------------------------- */

static void a_program_is_told_by_its_seed_and_by_its_text(void) {
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct model_program p, again;
        char text[MODEL_TEXT], text_again[MODEL_TEXT], error[128];
        model_generate(&p, seed, 1 + seed % 8, UINT32_MAX);
        CU_ASSERT(p.n >= 20 && p.n <= MODEL_STEPS);
        model_print(&p, text);
        CU_ASSERT(strlen(text) < MODEL_TEXT - 1);
        CU_ASSERT_TRUE_FATAL(model_parse(text, &again, error));
        model_print(&again, text_again);
        CU_ASSERT_STRING_EQUAL(text, text_again);
        model_generate(&again, seed, 1 + seed % 8, UINT32_MAX);
        model_print(&again, text_again);
        CU_ASSERT_STRING_EQUAL(text, text_again);
    }
}

static void programs_have_no_op_that_the_driver_lacks(void) {
    const uint32_t can = 1u << MODEL_GET | 1u << MODEL_REMOVE;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct model_program p;
        model_generate(&p, seed, 1, can);
        for (size_t i = 0; i < p.n; i++)
            CU_ASSERT(can & 1u << p.steps[i].kind);
    }
}

static void a_text_that_is_no_program_is_refused(void) {
    static const char *const texts[] = {"",
                                        "get k0",
                                        "window",
                                        "window 0; get k0",
                                        "window 99; get k0",
                                        "window 1 get k0",
                                        "window 1; got k0",
                                        "window 1; get",
                                        "window 1; get k4",
                                        "window 1; get t0",
                                        "window 1; get k0 k1",
                                        "window 1; get k0 at",
                                        "window 1; get k0 at=",
                                        "window 1; get k0 at=x",
                                        "window 1; get k0 at=-1",
                                        "window 1; get k0 at=99999999999999999999999",
                                        "window 1; get k0 sideways",
                                        "window 1; get k0 absent",
                                        "window 1; get k0;",
                                        "window 1; read t0 t0",
                                        "window 1; read t0:1/2/3",
                                        "window 1; write t0",
                                        "window 1; write t0:1/2",
                                        "window 1; write t0:new/-/-",
                                        "window 2; write t0:1/-/- t1:1/-/- absent",
                                        "window 1; bump t0:1/-/-",
                                        "window 1; put k0 id=1; put k1 id=1"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct model_program p;
        char error[128] = "";
        if (model_parse(texts[i], &p, error))
            printf("(%s) ", texts[i]);
        CU_ASSERT_FALSE(model_parse(texts[i], &p, error));
        CU_ASSERT(error[0] != '\0');
    }
}

/* A put, and later a get from the second instance of the same key. */
static bool has_the_bug(void *arg, const struct model_program *p) {
    unsigned *runs = arg;
    bool put[MODEL_NAMES] = {false};
    ++*runs;
    for (size_t i = 0; i < p->n; i++) {
        const struct model_step *s = &p->steps[i];
        if (s->kind == MODEL_PUT && s->len > 4)
            put[s->name] = true;
        else if (s->kind == MODEL_GET && s->instance == 1 && put[s->name])
            return true;
    }
    return false;
}

static void shrinking_leaves_what_the_failure_needs(void) {
    unsigned shrunk = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct model_program p;
        unsigned runs = 0;
        model_generate(&p, seed, 4, UINT32_MAX);
        if (!has_the_bug(&runs, &p))
            continue;
        model_shrink(&p, 3000, has_the_bug, &runs);
        char text[MODEL_TEXT];
        model_print(&p, text);
        CU_ASSERT_EQUAL(p.n, 2);
        CU_ASSERT_EQUAL(p.window, 1);
        CU_ASSERT_EQUAL(p.steps[0].len, 9);
        CU_ASSERT_EQUAL(p.steps[0].at_ms, 0);
        CU_ASSERT_EQUAL(p.steps[1].instance, 1);
        CU_ASSERT(runs <= 3001);
        shrunk++;
    }
    CU_ASSERT(shrunk > 10);
}

static void shrinking_keeps_to_its_budget(void) {
    struct model_program p;
    unsigned runs = 0;
    for (uint64_t seed = 0; !has_the_bug(&runs, (model_generate(&p, seed, 4, UINT32_MAX), &p)); seed++)
        ;
    runs = 0;
    model_shrink(&p, 5, has_the_bug, &runs);
    CU_ASSERT_EQUAL(runs, 5);
    CU_ASSERT_TRUE(has_the_bug(&runs, &p));
}

struct lines {
    char text[8192];
    size_t len;
};

static void add_line(void *arg, const char *line) {
    struct lines *l = arg;
    int n = snprintf(l->text + l->len, sizeof(l->text) - l->len, "%s\n", line);
    l->len += n > 0 ? (size_t)n : 0;
}

static void contains(const struct lines *l, const char *wanted) {
    if (!strstr(l->text, wanted))
        printf("(not there: %s in: %s) ", wanted, l->text);
    CU_ASSERT_PTR_NOT_NULL(strstr(l->text, wanted));
}

static void a_failure_is_told_as_a_test_in_c(void) {
    static struct lines l;
    begin(true, 0);
    then("put k0 len=9 id=7", OK);
    then("put k1 len=9 id=8 ttl=5", OK);
    then("write t1:-2/-/- two", OK);
    then("bump c0 t0:new/-/- t1:-/new/5", OK)->epoch = 0;
    then("raise c0 at=5", OK)->epoch = 5;
    then("get k0 two", MISS);
    struct model_verdict v = model_check(&h);
    model_print_c(&h, &v, 1, add_line, &l);
    contains(&l, "CU_ASSERT_EQUAL(put_value(drive.one, x0, 9, 7, 0), LARDER_OK);\n");
    contains(
        &l, "value = value_of(9, 8);\nCU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PUT, (struct op_inputs){"
            ".key = x1, .value = value, .modified_ms = 8, .epoch = 0, .ttl_ms = 5}), LARDER_OK);\n"
            "slice_done(&value);\n");
    contains(
        &l,
        "CU_ASSERT_EQUAL(write_mark(drive.two, mark_of(x1, start_ms - 2, UNSET, UNSET), 0), LARDER_OK);\n");
    contains(&l,
             "(struct op_inputs){.key = x0, .marks = (struct larder_mark[]){{x0, LARDER_NEW_EPOCH, UNSET, "
             "UNSET}, {x1, UNSET, LARDER_NEW_EPOCH, start_ms + 5}}, .n_marks = 2}");
    contains(&l,
             "drive.now_ms = start_ms + 5;\nCU_ASSERT_EQUAL(advance(drive.one, x0, 1, &epoch), LARDER_OK);\n"
             "CU_ASSERT_EQUAL(epoch, start_ms + 5);\n");
    contains(&l, "/* op 6: a miss, but an entry was there */\n"
                 "CU_ASSERT_EQUAL(get_value(drive.two, x0, 9, 7), LARDER_OK);\n/* and was: LARDER_MISS */\n");
}

static void overlapping_ops_are_told_as_they_were_sent(void) {
    static struct lines l;
    begin(false, 0);
    during("put k0 len=9 id=7", 1, 4, OK);
    during("get k0 two alone", 5, 6, MISS);
    struct model_verdict v = model_check(&h);
    model_print_c(&h, &v, 4, add_line, &l);
    contains(&l, "struct sent sent[2];\n");
    contains(&l, "&sent[0]); /* op 1, from 1 to 4: LARDER_OK */\n");
    contains(&l, "drive_wait();\n/* op 2: a miss, but an entry was there */\n"
                 "send_op(drive.two, LARDER_OP_GET, (struct op_inputs){.key = x0}, &sent[1]);");
}

UNIT_MAIN("model: programs", UNIT(a_program_is_told_by_its_seed_and_by_its_text),
          UNIT(programs_have_no_op_that_the_driver_lacks), UNIT(a_text_that_is_no_program_is_refused),
          UNIT(shrinking_leaves_what_the_failure_needs), UNIT(shrinking_keeps_to_its_budget),
          UNIT(a_failure_is_told_as_a_test_in_c), UNIT(overlapping_ops_are_told_as_they_were_sent))
