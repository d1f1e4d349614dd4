/*
 * larder-conform: tries what every driver must do on one.  Exit status 0: all that the driver
 * claims holds; 1: something does not; 2: it could not be tried.
 */
#include <errno.h>
#include <string.h>

#include "child.h"
#include "hooks.h"
#include "options.h"
#include "phrase.h"
#include "report.h"
#include "result.h"

enum { ALL_HOLDS = 0, SOMETHING_FAILED = 1, COULD_NOT_RUN = 2 };

/* This is the second process of a test (child.h): what it finds goes to stderr. */
static int second_process(void) {
    int status = EXIT_FAILURE;
    if (drive_begin(options.child))
        status = child_main(options.child, options.child_key ? options.child_key : "");
    drive_end();
    return result_bad() > 0 ? EXIT_FAILURE : status;
}

static int list(struct run *run) {
    for (size_t i = 0; i < run->n; i++)
        printf("%s\n", run->outcomes[i].id);
    return ALL_HOLDS;
}

/* False: said why. */
static bool write_junit(const struct run *run) {
    FILE *out = fopen(options.junit, "w");
    bool good = out != NULL;
    if (out) {
        report_junit(out, run);
        good = !ferror(out);
        good = fclose(out) == 0 && good;
    }
    if (good)
        return true;
    fprintf(stderr, "larder-conform: %s: %s\n", options.junit, errno_text(errno));
    return false;
}

static int judged(const struct run *run) {
    if (run->n_failed > 0)
        return SOMETHING_FAILED;
    if (run->n_not_run > 0) {
        fprintf(stderr, "larder-conform: %zu tests were not tried: the time was up\n", run->n_not_run);
        return COULD_NOT_RUN;
    }
    return ALL_HOLDS;
}

static int try_driver(struct run *run) {
    int status = options.before ? shell_run(options.before, "before") : 0;
    if (status != 0) {
        fprintf(stderr, "larder-conform: --before: its exit status is %d\n", status);
        return COULD_NOT_RUN;
    }
    if (!run_probe(run)) {
        fprintf(stderr, "larder-conform: %s\n", run->about.error);
        return COULD_NOT_RUN;
    }
    switch (options.format) {
    case FORMAT_CONSOLE:
        console_begin(run);
        run_all(run, console_began, console_ended);
        console_end(run);
        break;
    case FORMAT_TAP:
        tap_begin(run);
        run_all(run, NULL, tap_ended);
        tap_end(run);
        break;
    case FORMAT_JSON:
        run_all(run, NULL, NULL);
        report_json(stdout, run);
        break;
    default: run_all(run, NULL, NULL); report_markdown(stdout, run);
    }
    if (options.junit && !write_junit(run))
        return COULD_NOT_RUN;
    return judged(run);
}

int main(int argc, char **argv) {
    struct run run = {0};
    if (!options_parse(argc, argv))
        return COULD_NOT_RUN;
    if (options.help) {
        options_help();
        return ALL_HOLDS;
    }
    int status = COULD_NOT_RUN;
    if (!run_select(&run)) {
        fprintf(stderr, "larder-conform: out of memory\n");
    } else if (options.list) {
        status = list(&run);
    } else if (!options_fill()) {
        status = COULD_NOT_RUN; /* said why */
    } else if (options.child) {
        status = second_process();
    } else if (run.n == 0) {
        fprintf(stderr, "larder-conform: no test matches; --list names them\n");
    } else {
        status = try_driver(&run);
        if (options.after && shell_run(options.after, "after") != 0)
            fprintf(stderr, "larder-conform: --after failed\n");
    }
    run_done(&run);
    options_done();
    return status;
}
