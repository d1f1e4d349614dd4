/* Lines for people. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "report.h"
#include "result.h"

static bool on_terminal;
static const struct suite *suite_shown;

static const char *colour(const char *code) {
    return on_terminal ? code : "";
}

static void print_indented(const char *indent, const char *text) {
    while (*text) {
        size_t len = strcspn(text, "\n");
        printf("%s%.*s\n", indent, (int)len, text);
        text += len + (text[len] == '\n');
    }
}

void console_begin(const struct run *run) {
    const struct about *a = &run->about;
    char traits[128];
    on_terminal = isatty(STDOUT_FILENO);
    traits_in_words(a->info.traits, traits, sizeof(traits));
    printf("driver %s %s: %s\n", a->name, a->version, a->summary);
    printf("claims: %s\n", traits);
    printf("seed %" PRIu64 "\n", options.seed);
    fflush(stdout);
}

void console_began(const struct run *run, const struct outcome *o) {
    if (!on_terminal)
        return;
    printf("\r\033[K%zu/%zu %s", (size_t)(o - run->outcomes) + 1, run->n, o->words);
    fflush(stdout);
}

static void print_lines(const struct outcome *o, char kind, const char *indent, const char *before) {
    for (const struct line *line = o->lines; line; line = line->next) {
        if (line->kind != kind)
            continue;
        printf("%s%s", indent, before);
        print_indented("", line->text);
    }
}

static void print_failure(const struct outcome *o) {
    char again[4096];
    for (const struct line *line = o->lines; line; line = line->next) {
        if (line->kind == RESULT_FAILURE || line->kind == RESULT_VIOLATION || line->kind == RESULT_NOTE)
            print_indented("        ", line->text);
    }
    if (o->output && o->output[0]) {
        printf("        it printed:\n");
        print_indented("        | ", o->output);
    }
    options_command(o->id, again, sizeof(again));
    if (o->test)
        printf("        again: %s\n", again);
}

void console_ended(const struct run *run, const struct outcome *o) {
    static const char *const words[] = {"ok    ", "FAIL  ", "-     ", "      "};
    static const char *const colours[] = {"\033[32m", "\033[1;31m", "\033[33m", ""};
    (void)run;
    if (on_terminal)
        printf("\r\033[K");
    if (o->suite && o->suite != suite_shown)
        printf("%s\n", o->suite->name);
    suite_shown = o->suite;
    printf("  %s%s%s%s", colour(colours[o->status]), words[o->status], colour("\033[0m"), o->words);
    if (o->seconds >= 1)
        printf(" (%.1f s)", o->seconds);
    if (o->status == TEST_NOT_RUN)
        printf(": not tried, the time was up");
    printf("\n");
    if (o->status == TEST_FAILED)
        print_failure(o);
    print_lines(o, RESULT_UNCLAIMED, "        ", "not claimed: ");
    fflush(stdout);
}

void console_end(const struct run *run) {
    /* These words are counted by script/test. */
    printf("%zu passed, %zu failed\n", run->n_passed, run->n_failed);
    if (run->n_unclaimed > 0)
        printf("%zu not claimed\n", run->n_unclaimed);
    if (run->n_not_run > 0)
        printf("%zu not tried: the time was up\n", run->n_not_run);
    printf("in %.1f s\n", run->seconds);
}
