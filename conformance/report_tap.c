/* TAP version 13 (testanything.org), one test a line as it ends. */
#include <inttypes.h>
#include <string.h>

#include "options.h"
#include "report.h"
#include "result.h"

void tap_begin(const struct run *run) {
    printf("TAP version 13\n1..%zu\n# driver %s %s\n# seed %" PRIu64 "\n", run->n, run->about.name,
           run->about.version, options.seed);
    fflush(stdout);
}

static void print_comment(const char *text) {
    while (*text) {
        size_t len = strcspn(text, "\n");
        printf("# %.*s\n", (int)len, text);
        text += len + (text[len] == '\n');
    }
}

void tap_ended(const struct run *run, const struct outcome *o) {
    const bool failed = o->status == TEST_FAILED || o->status == TEST_NOT_RUN;
    printf("%s %zu - %s", failed ? "not ok" : "ok", (size_t)(o - run->outcomes) + 1, o->id);
    const char *what = " # SKIP not claimed: ";
    for (const struct line *line = o->lines; line && o->status == TEST_UNCLAIMED; line = line->next) {
        if (line->kind == RESULT_UNCLAIMED) {
            printf("%s%s", what, line->text);
            what = ", ";
        }
    }
    printf("\n");
    if (o->status == TEST_NOT_RUN)
        print_comment("not tried: the time was up");
    for (const struct line *line = o->lines; line && o->status == TEST_FAILED; line = line->next) {
        if (line->kind != RESULT_UNCLAIMED)
            print_comment(line->text);
    }
    if (o->status == TEST_FAILED && o->test) {
        char again[4096];
        options_command(o->id, again, sizeof(again));
        printf("# again: %s\n", again);
        if (o->output)
            print_comment(o->output);
    }
    fflush(stdout);
}

void tap_end(const struct run *run) {
    printf("# %zu passed, %zu failed, %zu not claimed, %zu not tried\n", run->n_passed, run->n_failed,
           run->n_unclaimed, run->n_not_run);
}
