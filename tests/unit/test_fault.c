/* What a plan of faults means, what it does to an op, and that nothing damaged is ever served. */
#include "fault.h"
#include "layer_rig.h"
#include "log.h"
#include "store.h"
#define FAILING_ALLOC_HERE
#include "failing_alloc.h"

/* ---- the plan ---------------------------------------------------------------------------- */

static struct fault_plan plan_of(const char *text) {
    struct fault_plan plan = {0};
    char why[FAULT_WHY] = "";
    if (!fault_parse(text, &plan, why))
        printf("\n  %s: %s\n", text, why);
    CU_ASSERT_STRING_EQUAL(why, "");
    return plan;
}

static void a_plan_is_read_as_it_is_documented(void) {
    enum { MS = 1000000 };
    struct fault_plan plan = plan_of(
        "seed=7; get,tags-read:error=retry@5%; any : delay = 10ms..200ms @ 10% ;down=3s/10s;"
        "hang=1s/30s+5s;put:lost=throttled@0.5%~1s/"
        "2s;get:corrupt;get:short;bump:again=2s;get:drop@1%;list:late=0");
    CU_ASSERT_EQUAL(plan.seed, 7);
    CU_ASSERT_EQUAL_FATAL(plan.n, 10);
    const struct fault_rule *r = plan.rules;
    CU_ASSERT(r[0].kind == FAULT_ERROR && r[0].status == LARDER_RETRY && r[0].ppm == 50000);
    CU_ASSERT_EQUAL(r[0].ops, 1u << LARDER_OP_GET | 1u << LARDER_OP_TAGS_READ);
    CU_ASSERT(r[1].kind == FAULT_DELAY && r[1].low_ns == 10 * MS && r[1].high_ns == 200 * MS);
    CU_ASSERT(r[1].ppm == 100000 && r[1].ops == (1u << LARDER_N_OPS) - 2 && r[1].period_ns == 0);
    CU_ASSERT(r[2].kind == FAULT_ERROR && r[2].status == LARDER_RETRY && r[2].ppm == 1000000);
    CU_ASSERT(r[2].on_ns == 3000 * UINT64_C(1000000) && r[2].period_ns == 10000 * UINT64_C(1000000));
    CU_ASSERT(r[3].kind == FAULT_DROP && r[3].offset_ns == 5000 * UINT64_C(1000000));
    CU_ASSERT(r[4].kind == FAULT_LOST && r[4].status == LARDER_THROTTLED && r[4].ppm == 5000);
    CU_ASSERT(r[4].on_ns == 1000 * UINT64_C(1000000) && r[4].period_ns == 2000 * UINT64_C(1000000));
    CU_ASSERT(r[5].kind == FAULT_CORRUPT && r[6].kind == FAULT_SHORT);
    CU_ASSERT(r[7].kind == FAULT_AGAIN && r[7].low_ns == 2000 * UINT64_C(1000000));
    CU_ASSERT(r[7].ops == 1u << LARDER_OP_BUMP && r[8].kind == FAULT_DROP && r[9].kind == FAULT_LATE);
    CU_ASSERT_EQUAL(plan_of("").n, 0);
    CU_ASSERT_EQUAL(plan_of(" ; ;").n, 0);
}

static void what_is_no_plan_is_refused_with_the_piece_that_is_wrong(void) {
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"get", "is not OPERATION:FAULT: 'get'"},
        {"gett:drop", "no such operation (get, put, tags-read ... or any): 'gett'"},
        {"get,:drop", "no such operation"},
        {"get:dropp", "no such fault"},
        {"get:drop=1", "takes no value"},
        {"get:error", "takes a class of errors"},
        {"get:error=ok", "takes a class of errors"},
        {"get:error=wrong", "takes a class of errors"},
        {"get:delay", "takes a time"},
        {"get:delay=2s..1s", "takes a time"},
        {"get:delay=1 parsec", "takes a time"},
        {"get:delay=-1s", "takes a time"},
        {"get:delay=2h", "takes a time"},
        {"get:drop@", "is not a share"},
        {"get:drop@5", "is not a share"},
        {"get:drop@101%", "is not a share"},
        {"get:drop@-1%", "is not a share"},
        {"get:drop@nan%", "is not a share"},
        {"get:drop~3s", "is not a phase"},
        {"get:drop~11s/10s", "is not a phase"},
        {"get:drop~0s/0s", "is not a phase"},
        {"down=3s/10s+", "is not a phase"},
        {"down", "is not OPERATION:FAULT"},
        {"seed=", "is not a number"},
        {"seed=-1", "is not a number"},
        {"seed=1x", "is not a number"},
    };
    struct fault_plan plan = {.n = 77};
    char why[FAULT_WHY];
    for (size_t i = 0; i < N_ELEMENTS(wrong); i++) {
        why[0] = '\0';
        CU_ASSERT_FALSE(fault_parse(wrong[i].text, &plan, why));
        if (strstr(why, wrong[i].says) == NULL)
            printf("\n  %s: %s\n", wrong[i].text, why);
        CU_ASSERT_PTR_NOT_NULL(strstr(why, wrong[i].says));
    }
    char many[33 * 9 + 1] = "", longer[400];
    for (unsigned i = 0; i < 33; i++)
        memcpy(many + (size_t)i * 9, "get:drop;", 10);
    CU_ASSERT_FALSE(fault_parse(many, &plan, why));
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "more than 32 rules"));
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    CU_ASSERT_FALSE(fault_parse(longer, &plan, why));
    CU_ASSERT_EQUAL(plan.n, 77); /* only a plan that is right is given */
}

static void a_phase_is_on_at_the_beginning_of_each_period(void) {
    const struct fault_rule rule = {.on_ns = 3, .period_ns = 10, .offset_ns = 5}, always = {0};
    for (uint64_t at = 0; at < 40; at++) {
        bool on = at >= 5 && (at - 5) % 10 < 3;
        CU_ASSERT_EQUAL(fault_is_on(&rule, at), on);
        CU_ASSERT_TRUE(fault_is_on(&always, at));
    }
}

/* ---- what happens to an op --------------------------------------------------------------------- */

static uint64_t n_faults;
static struct layer_fault_settings settings = {.role = "cache", .counter = &n_faults};

static void fault_rig(const char *plan) {
    n_faults = 0;
    settings.plan = plan;
    rig_new(&layer_fault, &settings);
}

static void what_no_rule_names_passes(void) {
    struct sent s;
    fault_rig("get:drop");
    send(&s, LARDER_OP_PUT, 0);
    answer(LARDER_OP_PUT, LARDER_OK);
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_OK);
    CU_ASSERT_EQUAL(n_faults, 0);
    rig_done();
}

static void an_error_is_answered_and_nothing_is_done(void) {
    struct sent s;
    fault_rig("get:error=denied");
    send(&s, LARDER_OP_GET, 0);
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_DENIED);
    CU_ASSERT(held_count(0) == 0 && n_faults == 1);
    rig_done();
}

static void a_delayed_op_is_done_later_and_a_late_one_answered_later(void) {
    struct sent s;
    fault_rig("get:delay=30ms; put:late=30ms");
    send(&s, LARDER_OP_GET, 0);
    pass_ms(rig.r, 29);
    CU_ASSERT_EQUAL(held_count(0), 0);
    pass_ms(rig.r, 1);
    answer(LARDER_OP_GET, LARDER_MISS);
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_MISS);

    send(&s, LARDER_OP_PUT, 0);
    answer(LARDER_OP_PUT, LARDER_OK);
    pass_ms(rig.r, 29);
    CU_ASSERT_EQUAL(s.answers, 0);
    pass_ms(rig.r, 1);
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_OK);
    CU_ASSERT_EQUAL(n_faults, 2);
    rig_done();
}

static void a_dropped_op_is_answered_once_and_too_late(void) {
    struct sent s, endless;
    fault_rig("get:drop");
    send(&s, LARDER_OP_GET, 100);
    send(&endless, LARDER_OP_GET, 0);
    pass_ms(rig.r, 100);
    CU_ASSERT_EQUAL(s.answers, 0);
    pass_ms(rig.r, 60);
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_DEADLINE);
    CU_ASSERT_EQUAL(endless.answers, 0);
    pass_ms(rig.r, 20000);
    CU_ASSERT_EQUAL(sent_done(&endless), LARDER_DEADLINE);
    CU_ASSERT_EQUAL(held_count(0), 0);
    rig_done();
}

static void a_lost_answer_takes_everything_with_it_but_the_effect(void) {
    struct larder_slice value = {0};
    struct sent s;
    fault_rig("any:lost=retry");
    send(&s, LARDER_OP_GET, 0);
    struct larder_op *op = held_take(LARDER_OP_GET);
    CU_ASSERT_PTR_NOT_NULL_FATAL(op);
    CU_ASSERT_PTR_NOT_NULL_FATAL(buf_new(10, &value));
    op_emit_key(op, bytes_of("a"));
    answer_value(op, value, 9);
    settle(rig.r);
    CU_ASSERT_EQUAL_FATAL(s.answers, 1);
    CU_ASSERT(s.op->result.value.len == 0 && s.op->result.epoch == 0 && s.op->n_keys == 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(s.op->result.detail, "lost"));
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_RETRY);
    rig_done();
}

static void an_op_that_comes_again_is_the_same_op(void) {
    const struct larder_mark mark = {bytes_of("t"), 5, LARDER_UNSET, LARDER_UNSET};
    struct larder_slice value = {0};
    struct sent s;
    fault_rig("any:again=30ms");
    CU_ASSERT_PTR_NOT_NULL_FATAL(buf_new(3, &value));
    struct op_inputs in = {.key = bytes_of("k"), .value = value, .epoch = 7, .marks = &mark, .n_marks = 1};
    send_in(&s, LARDER_OP_PUT, &in, 100);
    slice_done(&value);
    int64_t now_ms = s.op->pub.now_ms;
    pass_ms(rig.r, 10);
    answer(LARDER_OP_PUT, LARDER_OK);
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_OK); /* nobody waits for the second */
    pass_ms(rig.r, 30);
    struct larder_op *op = held_take(LARDER_OP_PUT);
    CU_ASSERT_PTR_NOT_NULL_FATAL(op);
    CU_ASSERT(bytes_equal(op->key, bytes_of("k")) && op->value.len == 3 && op->epoch == 7);
    CU_ASSERT(op->n_marks == 1 && op->marks[0].expired_epoch == 5 && op->now_ms == now_ms);
    answer_status(op, LARDER_RETRY);
    settle(rig.r);
    CU_ASSERT_EQUAL(held_count(0), 0);

    in.value = (struct larder_slice){0};
    send_in(&s, LARDER_OP_PUT, &in, 100); /* and one is left at the end */
    answer(LARDER_OP_PUT, LARDER_OK);
    sent_done(&s);
    rig_done();
}

static void a_value_is_damaged_in_a_copy(void) {
    static const char *const plans[] = {"get:corrupt", "get:short"};
    for (size_t i = 0; i < N_ELEMENTS(plans); i++) {
        fault_rig(plans[i]);
        for (unsigned round = 0; round < 50; round++) {
            struct larder_slice value = {0};
            struct sent s;
            uint8_t *bytes = buf_new(64, &value);
            CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
            memset(bytes, 'x', 64);
            struct larder_slice stored = slice_ref(value);
            send(&s, LARDER_OP_GET, 0);
            answer_value(held_take(LARDER_OP_GET), value, 1);
            settle(rig.r);
            struct larder_slice got = s.op->result.value;
            unsigned bits = 0;
            for (size_t k = 0; k < got.len; k++)
                bits += (unsigned)__builtin_popcount((unsigned)(got.ptr[k] ^ 'x'));
            CU_ASSERT_EQUAL(bits, i == 0 ? 1 : 0);
            CU_ASSERT(i == 0 ? got.len == 64 : got.len < 64);
            for (size_t k = 0; k < 64; k++)
                CU_ASSERT_EQUAL(stored.ptr[k], 'x');
            sent_done(&s);
            slice_done(&stored);
        }
        rig_done();
    }
}

static void a_held_op_can_be_cancelled_and_a_late_answer_cannot(void) {
    struct sent s;
    fault_rig("get:delay=1s; put:late=1s; list:drop");
    static const uint32_t codes[] = {LARDER_OP_GET, LARDER_OP_LIST};
    for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
        send(&s, codes[i], 100);
        backend_cancel(s.op);
        settle(rig.r);
        CU_ASSERT_EQUAL(sent_done(&s), LARDER_CANCELLED);
    }
    send(&s, LARDER_OP_PUT, 0);
    answer(LARDER_OP_PUT, LARDER_OK);
    backend_cancel(s.op);
    settle(rig.r);
    CU_ASSERT_EQUAL(s.answers, 0);
    pass_ms(rig.r, 1000);
    CU_ASSERT_EQUAL(sent_done(&s), LARDER_OK);
    rig_done();
}

static void without_memory_every_op_is_still_answered_once(void) {
    fault_rig("get:delay=1ms;get:late=1ms;get:again=1ms;get:corrupt");
    for (unsigned long n = 1, failed = 1; failed > 0; n++) {
        struct larder_slice value = {0};
        struct sent s;
        CU_ASSERT_PTR_NOT_NULL_FATAL(buf_new(10, &value));
        s = (struct sent){.op = op_new(rig.r, LARDER_OP_GET, &(struct op_inputs){.key = bytes_of("k")},
                                       UINT64_MAX, note_answer, &s)};
        CU_ASSERT_PTR_NOT_NULL_FATAL(s.op);
        alloc_failures = 0;
        alloc_countdown = n;
        backend_call(rig.top, s.op);
        pass_ms(rig.r, 1);
        answer_value(held_take(LARDER_OP_GET), value, 1);
        settle(rig.r);
        pass_ms(rig.r, 1);
        alloc_countdown = 0;
        failed = alloc_failures;
        CU_ASSERT_EQUAL(sent_done(&s), LARDER_OK);
        while (held_count(0) > 0)
            answer(LARDER_OP_GET, LARDER_OK);
    }
    rig_done();
}

static uint64_t pattern(const char *plan) {
    uint64_t bits = 0;
    fault_rig(plan);
    for (unsigned i = 0; i < 64; i++) {
        struct sent s;
        send(&s, LARDER_OP_GET, 0);
        if (held_count(0) > 0)
            answer(LARDER_OP_GET, LARDER_OK);
        bits = bits << 1 | (sent_done(&s) == LARDER_RETRY);
    }
    rig_done();
    return bits;
}

static void the_same_seed_makes_the_same_faults(void) {
    uint64_t one = pattern("seed=1;get:error=retry@30%");
    CU_ASSERT_EQUAL(pattern("seed=1;get:error=retry@30%"), one);
    CU_ASSERT_NOT_EQUAL(pattern("seed=2;get:error=retry@30%"), one);
    int n = __builtin_popcountll(one);
    CU_ASSERT(n > 8 && n < 32);
}

static void faults_follow_their_phases(void) {
    fault_rig("down=3s/10s+2s");
    for (unsigned second = 0; second < 30; second++) {
        struct sent s;
        send(&s, LARDER_OP_GET, 0);
        if (held_count(0) > 0)
            answer(LARDER_OP_GET, LARDER_OK);
        bool down = second >= 2 && (second - 2) % 10 < 3;
        CU_ASSERT_EQUAL(sent_done(&s), down ? LARDER_RETRY : LARDER_OK);
        pass_ms(rig.r, 1000);
    }
    rig_done();
}

static char logged[512];

static void keep_line(void *arg, int32_t level, const char *line) {
    (void)arg;
    CU_ASSERT_EQUAL(level, LARDER_LOG_WARN);
    snprintf(logged, sizeof(logged), "%s", line);
}

static void whoever_turns_faults_on_is_told_so(void) {
    larder_set_log(keep_line, NULL);
    fault_rig("get:drop");
    larder_set_log(NULL, NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(logged, "FAULTS ARE ON"));
    CU_ASSERT_PTR_NOT_NULL(strstr(logged, "held (cache): get:drop"));
    rig_done();
}

/* ---- in a store --------------------------------------------------------------------------------- */

struct seen {
    unsigned times;
    int32_t status;
    uint32_t verdict;
    bool body_is_right;
};

static const char body[] = "a body that is long enough to be hit by most damage ...............";

static void remember(void *arg, const struct larder_answer *answer) {
    struct seen *seen = arg;
    seen->times++;
    seen->status = answer->status;
    seen->verdict = answer->verdict;
    seen->body_is_right = answer->entry != NULL && answer->entry->n_parts == 1 &&
                          bytes_equal(answer->entry->parts[0].data, bytes_of(body));
}

static void note_closed(void *arg) {
    *(bool *)arg = true;
}

static struct larder_store *store_with(struct reactor *r, const char *fault, const char *compress) {
    const char *settings_of[][2] = {{"cache", "memory?name=faults"}, {"memory", "0"},       {"fault", fault},
                                    {"compress", compress},          {"compress-min", "0"}, {"retries", "0"}};
    struct larder_config *config = larder_config_new();
    struct store_config *typed = NULL;
    struct larder_store *store = NULL;
    struct larder_error error = {0};
    for (size_t i = 0; i < N_ELEMENTS(settings_of); i++)
        if (larder_config_set(config, settings_of[i][0], settings_of[i][1], "test", &error) != LARDER_OK)
            printf("\n  %s\n", error.text);
    if (store_config_new(config, &typed, &error) == LARDER_OK)
        store_open_on(r, typed, &store, &error);
    larder_config_free(config);
    if (store == NULL)
        printf("\n  %s\n", error.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(store);
    settle(r);
    return store;
}

static struct seen ask(struct reactor *r, struct larder_store *store, const struct larder_request *request) {
    struct seen seen = {0};
    CU_ASSERT_EQUAL_FATAL(larder_submit(store, request, remember, &seen), LARDER_OK);
    settle(r);
    CU_ASSERT_EQUAL(seen.times, 1);
    return seen;
}

/* Damage of any kind is a miss, and counted; never an entry that is not what was put. */
static void a_damaged_value_is_a_miss(void) {
    static const char *const plans[] = {"seed=3;get:corrupt", "seed=4;get:short",
                                        "seed=5;get:short;get:corrupt"};
    static const char *const compress[] = {"off", "on"};
    const struct larder_part part = {
        .name = bytes_of("body"), .data = bytes_of(body), .encoding = LARDER_UTF8};
    const struct larder_entry entry = {.kind = LARDER_FETCH,
                                       .n_parts = 1,
                                       .key = bytes_of("k"),
                                       .meta = bytes_of("{}"),
                                       .epoch = INT64_C(1) << 60,
                                       .revalidate_ms = LARDER_UNSET,
                                       .expire_ms = LARDER_UNSET,
                                       .parts = &part};
    const struct larder_request put = {.code = LARDER_DO_PUT, .entry = &entry},
                                get = {.code = LARDER_DO_GET, .kind = LARDER_FETCH, .key = bytes_of("k")};
    for (size_t i = 0; i < N_ELEMENTS(plans) * N_ELEMENTS(compress); i++) {
        struct reactor *r = held_reactor();
        bool closed = false;
        struct larder_store *store = store_with(r, "", compress[i % 2]);
        CU_ASSERT_EQUAL(ask(r, store, &put).status, LARDER_OK);
        struct seen seen = ask(r, store, &get);
        CU_ASSERT(seen.status == LARDER_OK && seen.body_is_right);
        store_close_begin(store, note_closed, &closed);
        settle(r);
        store = store_with(r, plans[i / 2], compress[i % 2]);
        CU_ASSERT_EQUAL(ask(r, store, &put).status, LARDER_OK); /* the memory driver forgot it */
        enum { ROUNDS = 300 };
        unsigned unharmed = 0;
        for (unsigned round = 0; round < ROUNDS; round++) {
            seen = ask(r, store, &get);
            CU_ASSERT(seen.status == LARDER_MISS || seen.body_is_right);
            unharmed += seen.status == LARDER_OK;
        }
        CU_ASSERT(unharmed < ROUNDS / 20); /* zstd does not look at every bit of its header */
        struct larder_stats stats;
        larder_stats(store, &stats);
        CU_ASSERT(stats.corrupt > ROUNDS / 2); /* what is of another version is a miss, and no more */
        struct larder_metrics *m = larder_metrics(store);
        CU_ASSERT_PTR_NOT_NULL_FATAL(m);
        CU_ASSERT(m->n_instances == 1 && m->instances[0].faults == ROUNDS);
        larder_metrics_free(m);
        store_close_begin(store, note_closed, &closed);
        settle(r);
        CU_ASSERT_TRUE(closed);
        reactor_free(r);
        backend_host_clock(NULL);
    }
    CU_ASSERT_EQUAL(buf_live(), 0);
}

static void a_wrong_plan_is_a_wrong_setting(void) {
    struct larder_config *config = larder_config_new();
    struct larder_error error = {0};
    CU_ASSERT_EQUAL(larder_config_set(config, "cache", "memory", "test", &error), LARDER_OK);
    CU_ASSERT_EQUAL(larder_config_set(config, "fault", "get:dorp", "larder.json", &error), LARDER_OK);
    CU_ASSERT_EQUAL(larder_config_check(config, &error), LARDER_INVALID);
    CU_ASSERT_STRING_EQUAL(error.text,
                           "setting 'fault' of the store (larder.json): no such fault (delay, late, "
                           "again, error, lost, drop, corrupt, short): 'dorp'");
    larder_config_free(config);
}

UNIT_MAIN("fault", UNIT(a_plan_is_read_as_it_is_documented),
          UNIT(what_is_no_plan_is_refused_with_the_piece_that_is_wrong),
          UNIT(a_phase_is_on_at_the_beginning_of_each_period), UNIT(what_no_rule_names_passes),
          UNIT(an_error_is_answered_and_nothing_is_done),
          UNIT(a_delayed_op_is_done_later_and_a_late_one_answered_later),
          UNIT(a_dropped_op_is_answered_once_and_too_late),
          UNIT(a_lost_answer_takes_everything_with_it_but_the_effect),
          UNIT(an_op_that_comes_again_is_the_same_op), UNIT(a_value_is_damaged_in_a_copy),
          UNIT(a_held_op_can_be_cancelled_and_a_late_answer_cannot),
          UNIT(without_memory_every_op_is_still_answered_once), UNIT(the_same_seed_makes_the_same_faults),
          UNIT(faults_follow_their_phases), UNIT(whoever_turns_faults_on_is_told_so),
          UNIT(a_damaged_value_is_a_miss), UNIT(a_wrong_plan_is_a_wrong_setting))
