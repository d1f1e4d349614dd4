/* What the doctor says: a line for each check, and one more where there is something to do. */
#include <inttypes.h>
#include <stdarg.h>

#include "clock.h"
#include "doctor.h"

static const char *const names[] = {[OK] = "ok", [WARN] = "warn", [FAIL] = "FAIL"};

static void open_line(struct exam *exam, enum verdict verdict, const char *what, const char *found) {
    struct json *out = &exam->cli->out;
    exam->n_failed += verdict == FAIL;
    exam->n_warned += verdict == WARN;
    if (!exam->cli->json) {
        printf("%-5s%-15s %s\n", names[verdict], what, found);
        return;
    }
    json_object(out, NULL);
    json_text(out, "check", what);
    json_text(out, "verdict", names[verdict]);
    json_text(out, "found", found);
}

void tell(struct exam *exam, enum verdict verdict, const char *what, const char *to_do, const char *format,
          ...) {
    char found[2 * LARDER_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(found, sizeof found, format, args);
    va_end(args);
    open_line(exam, verdict, what, found);
    if (exam->cli->json) {
        if (to_do)
            json_text(&exam->cli->out, "toDo", to_do);
        json_end(&exam->cli->out);
    } else if (to_do) {
        printf("%-20s \u2192 %s\n", "", to_do);
    }
}

static double ms_of(uint64_t ns) {
    return (double)ns / 1e6;
}

void tell_times(struct exam *exam, const char *what, const struct larder_histogram *times) {
    const uint64_t median_ns = larder_histogram_quantile(times, 0.5),
                   p99_ns = larder_histogram_quantile(times, 0.99);
    char found[160];
    if (times->count == 0)
        return;
    snprintf(found, sizeof found, "p50 %.3f ms, p99 %.3f ms, max %.3f ms of %" PRIu64, ms_of(median_ns),
             ms_of(p99_ns), ms_of(times->max_ns), times->count);
    open_line(exam, OK, what, found);
    if (exam->cli->json) {
        json_number(&exam->cli->out, "p50Us", (int64_t)(median_ns / 1000));
        json_number(&exam->cli->out, "p99Us", (int64_t)(p99_ns / 1000));
        json_number(&exam->cli->out, "maxUs", (int64_t)(times->max_ns / 1000));
        json_end(&exam->cli->out);
    }
}

void tell_sum(const struct exam *exam) {
    if (exam->cli->json)
        return;
    if (exam->n_failed + exam->n_warned == 0)
        printf("\nNothing is wrong.\n");
    else
        printf("\n%u failed, %u to look at.\n", exam->n_failed, exam->n_warned);
}

const char *took(const struct exam *exam, char out[TOOK_TEXT]) {
    snprintf(out, TOOK_TEXT, "%.3f ms", ms_of(clock_ns() - exam->asked_ns));
    return out;
}
