/* The log: what reaches the hook of larder_set_log(), and what is held back. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "larder/larder.h"
#include "log.h"
#include "log_gate.h"
#include "unit.h"

struct heard {
    int lines;
    int32_t level;
    char before_last[2048], last[2048];
};

static void hear(void *arg, int32_t level, const char *line) {
    struct heard *heard = arg;
    heard->lines++;
    heard->level = level;
    memcpy(heard->before_last, heard->last, sizeof(heard->last));
    snprintf(heard->last, sizeof(heard->last), "%s", line);
}

static void the_log_goes_to_the_hook_and_nowhere_without_one(void) {
    struct heard heard = {0};
    log_line(LARDER_LOG_ERROR, "to nobody");
    larder_set_log(hear, &heard);
    log_line(LARDER_LOG_WARN, "op %d\nfailed", 7);
    CU_ASSERT_EQUAL(heard.lines, 1);
    CU_ASSERT_EQUAL(heard.level, LARDER_LOG_WARN);
    CU_ASSERT_STRING_EQUAL(heard.last, "op 7 failed");
    larder_set_log(NULL, NULL);
    log_line(LARDER_LOG_ERROR, "to nobody");
    CU_ASSERT_EQUAL(heard.lines, 1);
}

static void *log_much(void *arg) {
    (void)arg;
    for (int i = 0; i < 2000; i++)
        log_line(LARDER_LOG_WARN, "line %d", i);
    return NULL;
}

/* Each line finds the gate open. */
static uint64_t leaping(void) {
    static atomic_uint_least64_t now_ns;
    return atomic_fetch_add(&now_ns, LOG_GATE_WINDOW_NS) + LOG_GATE_WINDOW_NS;
}

struct guard {
    int alive;
};

static void must_be_alive(void *arg, int32_t level, const char *line) {
    (void)level;
    (void)line;
    if (!((struct guard *)arg)->alive)
        abort();
}

/* Under the sanitizers this tells whether a hook is used after it was replaced. */
static void a_replaced_hook_is_not_called_any_more(void) {
    pthread_t thread;
    log_clock(leaping);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, log_much, NULL), 0);
    for (int i = 0; i < 200; i++) {
        struct guard *guard = malloc(sizeof(*guard));
        CU_ASSERT_PTR_NOT_NULL_FATAL(guard);
        guard->alive = 1;
        larder_set_log(must_be_alive, guard);
        larder_set_log(NULL, NULL);
        guard->alive = 0;
        free(guard);
    }
    pthread_join(thread, NULL);
    log_clock(NULL);
}

static uint64_t test_ns;

static uint64_t test_clock(void) {
    return test_ns;
}

static void begin(struct heard *heard) {
    *heard = (struct heard){0};
    test_ns = 5 * LOG_GATE_REPEAT_NS;
    log_clock(test_clock);
    larder_set_log(hear, heard);
}

static void end(void) {
    larder_set_log(NULL, NULL);
    log_clock(NULL);
}

static void lines_above_the_level_are_not_said(void) {
    static const char *const levels[] = {"off", "error", "warn", "info", "debug"};
    struct heard heard;
    for (int level = 0; level < 5; level++) {
        begin(&heard);
        log_set_level(levels[level]);
        log_line(LARDER_LOG_ERROR, "an error");
        log_line(LARDER_LOG_WARN, "a warning");
        log_line(LARDER_LOG_INFO, "news");
        log_line(LARDER_LOG_DEBUG, "a detail");
        CU_ASSERT_EQUAL(heard.lines, level);
        if (level > 0)
            CU_ASSERT_STRING_EQUAL(larder_log_level_name(heard.level), levels[level]);
        end();
    }
    log_set_level("warn");
    CU_ASSERT_PTR_NULL(larder_log_level_name(-1));
    CU_ASSERT_PTR_NULL(larder_log_level_name(LARDER_LOG_DEBUG + 1));
}

static void a_line_that_repeats_is_said_once_a_minute_and_counted(void) {
    struct heard heard;
    begin(&heard);
    for (int i = 0; i < 1000; i++)
        log_line(LARDER_LOG_WARN, "the disk is full");
    CU_ASSERT_EQUAL(heard.lines, 1);
    test_ns += LOG_GATE_REPEAT_NS - 1;
    log_line(LARDER_LOG_WARN, "the disk is full");
    CU_ASSERT_EQUAL(heard.lines, 1);
    test_ns++;
    log_line(LARDER_LOG_WARN, "the disk is full");
    CU_ASSERT_EQUAL(heard.lines, 3); /* the count, and the line */
    CU_ASSERT_STRING_EQUAL(heard.before_last, "1000 lines dropped (repeated, or more than 50 in 10 s)");
    CU_ASSERT_STRING_EQUAL(heard.last, "the disk is full");
    end();
}

static void a_flood_of_lines_is_cut_and_counted(void) {
    struct heard heard;
    begin(&heard);
    for (int i = 0; i < 51; i++)
        log_line(LARDER_LOG_WARN, "key %d", i);
    CU_ASSERT_EQUAL(heard.lines, LOG_GATE_LINES);
    test_ns += LOG_GATE_WINDOW_NS;
    log_line(LARDER_LOG_WARN, "key %d", 50); /* it was dropped, so it is no repetition */
    CU_ASSERT_EQUAL(heard.lines, LOG_GATE_LINES + 2);
    CU_ASSERT_STRING_EQUAL(heard.before_last, "1 line dropped (repeated, or more than 50 in 10 s)");
    CU_ASSERT_STRING_EQUAL(heard.last, "key 50");
    end();
}

static void a_new_hook_hears_what_the_one_before_it_has_heard(void) {
    struct heard heard;
    for (int i = 0; i < 2; i++) {
        begin(&heard);
        log_line(LARDER_LOG_WARN, "the same");
        CU_ASSERT_EQUAL(heard.lines, 1);
        end();
    }
}

static void a_text_that_was_asked_for_passes_level_and_gate_as_it_is(void) {
    struct heard heard;
    begin(&heard);
    log_set_level("off");
    for (int i = 0; i < 100; i++)
        log_text(LARDER_LOG_DEBUG, "one\ntwo");
    log_set_level("warn");
    CU_ASSERT_EQUAL(heard.lines, 100);
    CU_ASSERT_STRING_EQUAL(heard.last, "one\ntwo");
    end();
    log_text(LARDER_LOG_DEBUG, "to nobody");
    CU_ASSERT_EQUAL(heard.lines, 100);
}

UNIT_MAIN("log", UNIT(the_log_goes_to_the_hook_and_nowhere_without_one),
          UNIT(a_replaced_hook_is_not_called_any_more), UNIT(lines_above_the_level_are_not_said),
          UNIT(a_line_that_repeats_is_said_once_a_minute_and_counted),
          UNIT(a_flood_of_lines_is_cut_and_counted), UNIT(a_new_hook_hears_what_the_one_before_it_has_heard),
          UNIT(a_text_that_was_asked_for_passes_level_and_gate_as_it_is))
