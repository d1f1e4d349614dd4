/*
 * What larder_metrics() tells of a store, and what a store costs its callers while a driver below is
 * down, hangs, fails now and then, or is throttled: over the memory driver and the layer fault, under a
 * clock of the test's own.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "bytes.h"
#include "held.h"
#include "store.h"
#include "unit.h"

static struct reactor *reactor;
static struct larder_store *store;

/* name, value, name, value ... NULL */
static struct larder_config *config_of(const char *const *settings) {
    struct larder_config *config = larder_config_new();
    struct larder_error error = {0};
    for (size_t i = 0; settings[i] != NULL; i += 2) {
        if (larder_config_set(config, settings[i], settings[i + 1], "test", &error) != LARDER_OK) {
            printf("\n  %s\n", error.text);
            CU_FAIL_FATAL("a setting is refused");
        }
    }
    return config;
}

static void open_store(const char *const *settings) {
    struct larder_config *config = config_of(settings);
    struct store_config *typed = NULL;
    struct larder_error error = {0};
    reactor = held_reactor();
    store = NULL;
    if (store_config_new(config, &typed, &error) == LARDER_OK)
        store_open_on(reactor, typed, &store, &error);
    larder_config_free(config);
    if (store == NULL)
        printf("\n  %s\n", error.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(store);
    settle(reactor);
}

static void note_closed(void *arg) {
    *(bool *)arg = true;
}

static void close_store(void) {
    bool closed = false;
    store_close_begin(store, note_closed, &closed);
    for (int i = 0; i < 2000 && !closed; i++)
        pass_ms(reactor, 5);
    CU_ASSERT_TRUE(closed);
    reactor_free(reactor);
    backend_host_clock(NULL);
    CU_ASSERT_EQUAL(buf_live(), 0);
}

struct seen {
    unsigned times;
    int32_t status;
    char detail[256];
};

static void remember(void *arg, const struct larder_answer *answer) {
    struct seen *seen = arg;
    seen->times++;
    seen->status = answer->status;
    snprintf(seen->detail, sizeof(seen->detail), "%s", answer->detail);
}

static const struct larder_part part = {
    .name = {(const uint8_t *)"body", 4}, .data = {(const uint8_t *)"hello", 5}, .encoding = LARDER_UTF8};

static struct larder_entry entry_of(const char *key) {
    return (struct larder_entry){.kind = LARDER_FETCH,
                                 .n_parts = 1,
                                 .key = bytes_of(key),
                                 .meta = {(const uint8_t *)"{}", 2},
                                 .epoch = INT64_C(1) << 60,
                                 .revalidate_ms = LARDER_UNSET,
                                 .expire_ms = LARDER_UNSET,
                                 .parts = &part};
}

/* One request; how long its answer took. */
static int64_t ask(const struct larder_request *request, struct seen *ret) {
    int64_t begin_ms = test_clock.ms;
    *ret = (struct seen){0};
    CU_ASSERT_EQUAL_FATAL(larder_submit(store, request, remember, ret), LARDER_OK);
    settle(reactor);
    for (int i = 0; i < 5000 && ret->times == 0; i++)
        pass_ms(reactor, 1);
    CU_ASSERT_EQUAL(ret->times, 1);
    return test_clock.ms - begin_ms;
}

static struct seen get(int64_t *ret_took_ms) {
    const struct larder_request request = {
        .code = LARDER_DO_GET, .kind = LARDER_FETCH, .key = bytes_of("k"), .flags = LARDER_F_RENDER};
    struct seen seen;
    *ret_took_ms = ask(&request, &seen);
    return seen;
}

static struct larder_metrics *metrics(void) {
    struct larder_metrics *m = larder_metrics(store);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    return m;
}

static uint64_t answers(const struct larder_instance_metrics *row, uint32_t code, int32_t status) {
    return row->ops[code].answers[LARDER_CLASS(status)];
}

/* ---- rows --------------------------------------------------------------------------------- */

static void each_driver_instance_has_a_row(void) {
    struct seen seen;
    const struct larder_entry entry = entry_of("k");
    const struct larder_request put = {.code = LARDER_DO_PUT, .entry = &entry};
    int64_t took_ms;

    open_store((const char *const[]){"cache", "memory", NULL});
    ask(&put, &seen);
    get(&took_ms);
    struct larder_metrics *m = metrics();
    CU_ASSERT_EQUAL_FATAL(m->n_instances, 1);
    const struct larder_instance_metrics *row = &m->instances[0];
    CU_ASSERT_STRING_EQUAL(row->role, "cache+tags");
    CU_ASSERT_STRING_EQUAL(row->driver, "memory");
    CU_ASSERT_EQUAL(answers(row, LARDER_OP_PUT, LARDER_OK), 1);
    CU_ASSERT(row->ops[LARDER_OP_PUT].bytes_sent > 5);
    CU_ASSERT(answers(row, LARDER_OP_TAGS_READ, LARDER_OK) >= 1);
    CU_ASSERT(row->breaker.state == LARDER_BREAKER_CLOSED && row->retry.tokens == 500);
    CU_ASSERT_STRING_EQUAL(row->breaker.reason, "");
    CU_ASSERT(row->inflight == 0 && row->queued == 0 && row->faults == 0);
    CU_ASSERT(m->stats.puts == 1 && m->stats.gets == 1);
    larder_metrics_free(m);
    close_store();

    open_store((const char *const[]){"cache", "memory?name=a", "tags", "memory?name=b", "breaker", "0",
                                     "retries", "0", NULL});
    ask(&put, &seen);
    get(&took_ms);
    m = metrics();
    CU_ASSERT_EQUAL_FATAL(m->n_instances, 2);
    CU_ASSERT_STRING_EQUAL(m->instances[0].role, "cache");
    CU_ASSERT_STRING_EQUAL(m->instances[1].role, "tags");
    CU_ASSERT_EQUAL(answers(&m->instances[0], LARDER_OP_TAGS_READ, LARDER_OK), 0);
    CU_ASSERT(answers(&m->instances[1], LARDER_OP_TAGS_READ, LARDER_OK) >= 1);
    CU_ASSERT_EQUAL(m->instances[1].breaker.state, LARDER_BREAKER_OFF);
    larder_metrics_free(m);
    close_store();
}

static void every_op_has_a_name_and_nothing_else_has(void) {
    CU_ASSERT_PTR_NULL(larder_op_name(0));
    for (uint32_t code = 1; code < LARDER_N_OPS; code++)
        CU_ASSERT_PTR_NOT_NULL(larder_op_name(code));
    CU_ASSERT_PTR_NULL(larder_op_name(LARDER_N_OPS));
    for (uint32_t timed = 0; timed < LARDER_N_TIMED; timed++)
        CU_ASSERT_PTR_NOT_NULL(larder_timed_name(timed));
    CU_ASSERT_PTR_NULL(larder_timed_name(LARDER_N_TIMED));
}

/* ---- requests ------------------------------------------------------------------------------ */

static void timed(const struct larder_metrics *m, uint32_t what, uint64_t count, uint64_t sum_ms,
                  uint64_t max_ms) {
    const struct larder_histogram *h = &m->requests[what];
    if (h->count != count || h->sum_ns != sum_ms * 1000000 || h->max_ns != max_ms * 1000000)
        printf("\n  %s: %" PRIu64 " of %" PRIu64 " ns, at most %" PRIu64 "\n", larder_timed_name(what),
               h->count, h->sum_ns, h->max_ns);
    CU_ASSERT(h->count == count && h->sum_ns == sum_ms * 1000000 && h->max_ns == max_ms * 1000000);
}

static void whole_requests_are_timed_by_what_they_were_and_found(void) {
    struct seen seen;
    int64_t took_ms;
    const struct larder_entry entry = entry_of("k");
    const struct larder_bytes tag = bytes_of("t");
    const struct larder_request put = {.code = LARDER_DO_PUT, .entry = &entry};
    const struct larder_request revalidate = {.code = LARDER_DO_REVALIDATE, .tags = &tag, .n_tags = 1};
    const struct larder_request ping = {.code = LARDER_DO_PING};

    open_store((const char *const[]){
        "cache", "memory?name=timed", "namespace", "shop", "fault",
        "put:delay=20ms..20ms; get:delay=7ms..7ms; tags-read:delay=2ms..2ms; bump:delay=30ms..30ms", NULL});
    get(&took_ms); /* nothing there: the entry takes longer than the marks */
    ask(&put, &seen);
    get(&took_ms); /* in memory: its marks alone are read */
    pass_ms(reactor, 6000);
    get(&took_ms); /* past memory-age */
    get(&took_ms);
    ask(&revalidate, &seen);
    ask(&ping, &seen);
    struct larder_metrics *m = metrics();
    timed(m, LARDER_TIMED_GET_NOTHING, 1, 7, 7);
    timed(m, LARDER_TIMED_GET_MEMORY, 2, 4, 2);
    timed(m, LARDER_TIMED_GET_STORE, 1, 7, 7);
    timed(m, LARDER_TIMED_PUT, 1, 20, 20);
    timed(m, LARDER_TIMED_REVALIDATE, 1, 30, 30);
    CU_ASSERT_STRING_EQUAL(m->ns, "shop");
    CU_ASSERT_EQUAL(m->pid, getpid());
    CU_ASSERT_EQUAL(m->up_ms, 7 + 20 + 2 + 6000 + 7 + 2 + 30);
    larder_metrics_free(m);
    close_store();
}

static void a_request_that_nobody_answers_takes_its_deadline(void) {
    int64_t took_ms;
    open_store((const char *const[]){"cache", "memory?name=slow", "get-deadline", "40ms", "fault",
                                     "get:delay=1s..1s", NULL});
    CU_ASSERT_EQUAL(get(&took_ms).status, LARDER_DEADLINE);
    struct larder_metrics *m = metrics();
    timed(m, LARDER_TIMED_GET_NOTHING, 1, 40, 40);
    larder_metrics_free(m);
    close_store();
}

/* ---- outages -------------------------------------------------------------------------------- */

static void a_hanging_driver_costs_a_few_deadlines_and_then_nothing(void) {
    int64_t took_ms, n_slow = 0;
    open_store(
        (const char *const[]){"cache", "memory?name=hang", "memory", "0", "fault", "hang=20s/60s+1s", NULL});
    CU_ASSERT_EQUAL(get(&took_ms).status, LARDER_MISS);
    pass_ms(reactor, 1000);
    for (unsigned i = 0; i < 150; i++) { /* for 15 s */
        struct seen seen = get(&took_ms);
        CU_ASSERT(seen.status == LARDER_DEADLINE || seen.status == LARDER_RETRY);
        CU_ASSERT(took_ms <= 500);
        n_slow += took_ms > 0;
        if (i == 100)
            CU_ASSERT_PTR_NOT_NULL(strstr(seen.detail, "the breaker of memory is open since"));
        pass_ms(reactor, 100);
    }
    CU_ASSERT(n_slow >= 1 && n_slow <= 4);
    for (unsigned i = 0; i < 150; i++) /* it goes on; the longest pause is 5 s */
        pass_ms(reactor, 100);         /* not at once: a ping that is out has to come back first */
    CU_ASSERT_EQUAL(get(&took_ms).status, LARDER_MISS);
    CU_ASSERT_EQUAL(took_ms, 0);
    struct larder_metrics *m = metrics();
    CU_ASSERT(m->instances[0].breaker.opened == 1 && m->instances[0].breaker.stuck >= 5);
    CU_ASSERT_EQUAL(m->instances[0].breaker.state, LARDER_BREAKER_CLOSED);
    CU_ASSERT(m->instances[0].breaker.refused > 200);
    larder_metrics_free(m);
    close_store();
}

static void a_driver_that_is_down_is_asked_less_and_less_and_found_again(void) {
    int64_t took_ms;
    open_store(
        (const char *const[]){"cache", "memory?name=down", "memory", "0", "fault", "down=30s/100s+1s", NULL});
    get(&took_ms);
    pass_ms(reactor, 1000);
    for (unsigned i = 0; i < 280; i++) {
        CU_ASSERT_EQUAL(get(&took_ms).status, LARDER_RETRY);
        CU_ASSERT(took_ms <= 100); /* two repetitions, within 25 and 50 ms */
        pass_ms(reactor, 100);
    }
    struct larder_metrics *m = metrics();
    const struct larder_instance_metrics *row = &m->instances[0];
    CU_ASSERT(row->breaker.opened == 1 && row->breaker.probes >= 6 && row->breaker.probes <= 20);
    CU_ASSERT(row->retry.retries <= 100);
    larder_metrics_free(m);
    for (unsigned i = 0; i < 150; i++)
        pass_ms(reactor, 100);
    CU_ASSERT_EQUAL(get(&took_ms).status, LARDER_MISS);
    close_store();
}

static void faults_that_pass_are_not_seen_by_the_caller(void) {
    int64_t took_ms;
    unsigned failed = 0;
    open_store((const char *const[]){"cache", "memory?name=flaky", "memory", "0", "fault",
                                     "seed=3;any:error=retry@5%", NULL});
    for (unsigned i = 0; i < 1000; i++)
        failed += get(&took_ms).status != LARDER_MISS;
    struct larder_metrics *m = metrics();
    CU_ASSERT(failed <= 3); /* of about 100 that failed once; three failures in a row are 1 in 8000 */
    CU_ASSERT(m->instances[0].retry.recovered > 50);
    CU_ASSERT_EQUAL(m->instances[0].breaker.opened, 0);
    larder_metrics_free(m);
    close_store();
}

static void refused_credentials_are_told_as_such_and_do_not_open_the_breaker(void) {
    int64_t took_ms;
    open_store((const char *const[]){"cache", "memory?name=denied", "memory", "0", "fault",
                                     "any:error=denied", NULL});
    for (unsigned i = 0; i < 100; i++) {
        CU_ASSERT_EQUAL(get(&took_ms).status, LARDER_DENIED);
        CU_ASSERT_EQUAL(took_ms, 0);
    }
    struct larder_metrics *m = metrics();
    CU_ASSERT(m->instances[0].breaker.opened == 0 && m->instances[0].retry.retries == 0);
    larder_metrics_free(m);
    close_store();
}

/* A revalidation whose answers are lost is repeated, and outdates what was rendered before. */
static void a_revalidation_that_is_done_twice_is_done(void) {
    static const struct larder_bytes tag = {(const uint8_t *)"t", 1};
    const struct larder_request revalidate = {.code = LARDER_DO_REVALIDATE, .tags = &tag, .n_tags = 1},
                                look = {.code = LARDER_DO_EPOCH};
    open_store((const char *const[]){"cache", "memory?name=lost", "memory", "0", "fault",
                                     "seed=5;advance,bump,tags-write:lost=retry@30%", "retries", "10",
                                     "write-deadline", "1min", NULL});
    struct seen seen;
    for (unsigned i = 0; i < 20; i++) {
        ask(&look, &seen);
        int64_t before = epoch_known(&store->epoch);
        ask(&revalidate, &seen);
        CU_ASSERT_EQUAL(seen.status, LARDER_OK);
        CU_ASSERT(epoch_known(&store->epoch) > before);
        struct larder_request check = {
            .code = LARDER_DO_CHECK, .tags = &tag, .n_tags = 1, .epoch = epoch_known(&store->epoch)};
        ask(&check, &seen);
        CU_ASSERT_EQUAL(seen.status, LARDER_OK);
    }
    struct larder_metrics *m = metrics();
    CU_ASSERT(m->instances[0].retry.recovered > 3);
    larder_metrics_free(m);
    close_store();
}

/* ---- threads ---------------------------------------------------------------------------------- */

static atomic_bool stop;

static void *read_all_the_time(void *arg) {
    uint64_t last = 0;
    while (!atomic_load(&stop)) {
        struct larder_metrics *m = larder_metrics(arg);
        if (m == NULL)
            break;
        uint64_t now = m->instances[0].ops[LARDER_OP_PUT].latency.count;
        if (now < last)
            return arg; /* a counter went back */
        last = now;
        larder_metrics_free(m);
    }
    return NULL;
}

static void counters_are_read_while_they_are_written(void) {
    enum { PUTS = 2000 };
    struct larder_config *config = config_of(
        (const char *const[]){"cache", "memory", "fault", "put:error=retry@1%", "retry-base", "0", NULL});
    struct larder_store *live = NULL;
    struct larder_error error;
    const struct larder_entry entry = entry_of("k");
    const struct larder_request put = {.code = LARDER_DO_PUT, .entry = &entry};
    pthread_t thread;
    void *went_back = NULL;

    CU_ASSERT_EQUAL_FATAL(larder_open(config, &live, &error), LARDER_OK);
    larder_config_free(config);
    atomic_store(&stop, false);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, read_all_the_time, live), 0);
    for (unsigned i = 0; i < PUTS; i++)
        larder_call(live, &put, NULL);
    atomic_store(&stop, true);
    pthread_join(thread, &went_back);
    CU_ASSERT_PTR_NULL(went_back);
    struct larder_metrics *m = larder_metrics(live);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    const struct larder_instance_metrics *row = &m->instances[0];
    CU_ASSERT_EQUAL(row->ops[LARDER_OP_PUT].latency.count, PUTS + row->retry.retries);
    CU_ASSERT_EQUAL(row->faults, answers(row, LARDER_OP_PUT, LARDER_RETRY));
    CU_ASSERT_EQUAL(m->requests[LARDER_TIMED_PUT].count, PUTS);
    larder_metrics_free(m);
    larder_close(live);
}

UNIT_MAIN("metrics", UNIT(each_driver_instance_has_a_row), UNIT(every_op_has_a_name_and_nothing_else_has),
          UNIT(whole_requests_are_timed_by_what_they_were_and_found),
          UNIT(a_request_that_nobody_answers_takes_its_deadline),
          UNIT(a_hanging_driver_costs_a_few_deadlines_and_then_nothing),
          UNIT(a_driver_that_is_down_is_asked_less_and_less_and_found_again),
          UNIT(faults_that_pass_are_not_seen_by_the_caller),
          UNIT(refused_credentials_are_told_as_such_and_do_not_open_the_breaker),
          UNIT(a_revalidation_that_is_done_twice_is_done), UNIT(counters_are_read_while_they_are_written))
