/* What the log says of a store that fails: one line when it begins, one when it is over. */
#include <string.h>

#include "store_over_held.h"

enum { MOST = 8 };
static struct {
    unsigned n;
    char lines[MOST][256];
} heard;

static void hear(void *arg, int32_t level, const char *line) {
    (void)arg;
    CU_ASSERT_EQUAL(level, LARDER_LOG_WARN);
    CU_ASSERT_FATAL(heard.n < MOST);
    snprintf(heard.lines[heard.n++], sizeof(heard.lines[0]), "%s", line);
}

static void open_listening(const char *setting, const char *value) {
    open_with("held", setting, value);
    heard.n = 0;
    larder_set_log(hear, NULL);
}

static void close_listening(void) {
    larder_set_log(NULL, NULL);
    close_store();
}

static void fail_with(struct larder_op *op, int32_t status, const char *detail) {
    struct larder_result res = {.size = sizeof(res), .status = status, .detail = detail};
    CU_ASSERT_FATAL(op != NULL);
    op_complete(op, &res);
}

/* detail NULL: it finds nothing, which is good. */
static void get(const char *detail) {
    struct seen seen = {0};
    submit(&seen, get_of("k", 0));
    settle(reactor);
    struct larder_op *read = held_take(LARDER_OP_GET);
    if (read != NULL && detail != NULL) /* else a breaker has refused it */
        fail_with(read, LARDER_RETRY, detail);
    else if (read != NULL)
        answer_status(read, LARDER_MISS);
    if (held_count(LARDER_OP_TAGS_READ) > 0)
        answer_namespace(held_take(LARDER_OP_TAGS_READ));
    settle(reactor);
    CU_ASSERT_EQUAL(seen.times, 1);
    forget(&seen);
}

static void an_outage_is_two_lines_however_many_requests_fail(void) {
    open_listening(NULL, NULL);
    for (int i = 0; i < 100; i++)
        get("connection refused");
    CU_ASSERT_EQUAL(heard.n, 1);
    CU_ASSERT_STRING_EQUAL(heard.lines[0], "reading fails (connection refused); entries are misses");
    pass_ms(reactor, 1500);
    for (int i = 0; i < 100; i++)
        get(NULL);
    CU_ASSERT_EQUAL(heard.n, 2);
    CU_ASSERT_STRING_EQUAL(heard.lines[1], "reading works again after 1500 ms (100 failed)");
    close_listening();
}

static void of_outages_within_a_minute_the_first_is_told(void) {
    open_listening(NULL, NULL);
    for (int i = 0; i < 10; i++) {
        get("connection refused");
        get(NULL);
        pass_ms(reactor, 5900);
    }
    CU_ASSERT_EQUAL(heard.n, 2);
    pass_ms(reactor, 1000);
    get("connection reset");
    CU_ASSERT_EQUAL(heard.n, 3);
    close_listening();
}

static void what_an_open_breaker_has_said_is_not_said_again(void) {
    open_listening("breaker", "50");
    for (int i = 0; i < 30; i++)
        get("connection refused");
    CU_ASSERT_EQUAL(heard.n, 2);
    CU_ASSERT_STRING_EQUAL(heard.lines[0], "reading fails (connection refused); entries are misses");
    CU_ASSERT_PTR_NOT_NULL(strstr(heard.lines[1], "the breaker of held is open"));

    struct seen seen = {0};
    const struct larder_bytes tag = BYTES("t");
    submit(&seen, (struct larder_request){.code = LARDER_DO_REVALIDATE, .tags = &tag, .n_tags = 1});
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_RETRY);
    CU_ASSERT_EQUAL(heard.n, 2);
    forget(&seen);
    close_listening();
}

static void revalidate(uint32_t flags, int32_t status) {
    struct seen seen = {0};
    const struct larder_bytes tag = BYTES("t");
    submit(&seen,
           (struct larder_request){.code = LARDER_DO_REVALIDATE, .flags = flags, .tags = &tag, .n_tags = 1});
    settle(reactor);
    fail_with(held_take(LARDER_OP_BUMP), status, "as the test said");
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == status);
    forget(&seen);
}

static void a_revalidation_that_failed_is_told_with_what_becomes_of_it(void) {
    open_listening(NULL, NULL);
    revalidate(0, LARDER_TOO_BIG);
    CU_ASSERT_EQUAL(heard.n, 1);
    CU_ASSERT_STRING_EQUAL(heard.lines[0],
                           "revalidating is refused (as the test said); it is not tried again");
    revalidate(LARDER_F_KEEP_TRYING, LARDER_RETRY);
    CU_ASSERT_EQUAL(heard.n, 2);
    CU_ASSERT_STRING_EQUAL(heard.lines[1],
                           "revalidating fails (as the test said); it is tried again until it succeeds, "
                           "and until then other processes may serve old entries");
    close_listening();
}

static void the_setting_says_which_lines_are_wanted(void) {
    open_listening("log", "error");
    get("connection refused");
    CU_ASSERT_EQUAL(heard.n, 0);
    close_listening();
    open_listening(NULL, NULL); /* "warn" */
    get("connection refused");
    CU_ASSERT_EQUAL(heard.n, 1);
    close_listening();
}

int main(void) {
    static const struct unit_test tests[] = {
        UNIT(an_outage_is_two_lines_however_many_requests_fail),
        UNIT(of_outages_within_a_minute_the_first_is_told),
        UNIT(what_an_open_breaker_has_said_is_not_said_again),
        UNIT(a_revalidation_that_failed_is_told_with_what_becomes_of_it),
        UNIT(the_setting_says_which_lines_are_wanted),
    };
    return store_main("failing", tests, sizeof(tests) / sizeof(tests[0]));
}
