/* larder doctor: everything that must work, tried in order, with times. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

struct exam {
    struct cli *cli;
    unsigned n_failed, n_warned;
    uint64_t began_us; /* of the check under way */
};

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* One line: "ok", "warn" or "FAIL", what was looked at, and what was found. */
__attribute__((format(printf, 4, 5))) static void tell(struct exam *exam, const char *verdict,
                                                       const char *what, const char *format, ...) {
    char text[2 * LARDER_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    exam->n_failed += strcmp(verdict, "FAIL") == 0;
    exam->n_warned += strcmp(verdict, "warn") == 0;
    if (!exam->cli->json) {
        printf("%-5s%-16s%s\n", verdict, what, text);
        return;
    }
    struct json *out = &exam->cli->out;
    json_object(out, NULL);
    json_text(out, "check", what);
    json_text(out, "verdict", verdict);
    json_text(out, "found", text);
    json_end(out);
}

/* Sends a request; a failure is told.  The answer is the caller's to give back. */
static int32_t ask(struct exam *exam, const char *what, struct larder_request *request,
                   const struct larder_answer **ret_answer) {
    exam->began_us = now_us();
    int32_t status = cli_call(exam->cli, request, ret_answer);
    if (status < 0) {
        const char *detail = *ret_answer ? (*ret_answer)->detail : "";
        tell(exam, "FAIL", what, "%s%s%s", larder_status_name(status), *detail ? ": " : "", detail);
    }
    return status;
}

static const char *took(const struct exam *exam, char out[32]) {
    uint64_t us = now_us() - exam->began_us;
    snprintf(out, 32, "%" PRIu64 ".%03" PRIu64 " ms", us / 1000, us % 1000);
    return out;
}

static void see_driver(void *arg, const char *path, const struct larder_driver *driver,
                       const struct larder_error *error) {
    struct exam *exam = arg;
    if (driver == NULL)
        tell(exam, "warn", "driver file", "%s", error->text);
    else
        tell(exam, "ok", "driver", "%s %s, %s", driver->name, driver->version, path);
}

static bool ping(struct exam *exam) {
    char time[32];
    const struct larder_answer *answer;
    struct larder_request request = {.code = LARDER_DO_PING};
    bool good = ask(exam, "ping", &request, &answer) == LARDER_OK;
    if (good)
        tell(exam, "ok", "ping", "%s", took(exam, time));
    larder_answer_unref(answer);
    return good;
}

/* An epoch never falls behind the clocks of those who raise it; one that is far ahead of this
 * clock tells of a clock that is wrong, here or there.  Order does not suffer from it. */
static void epoch(struct exam *exam, int64_t *ret) {
    enum { TOLERATED_MS = 60000 };
    char time[32], ahead[TIME_TEXT];
    const struct larder_answer *answer;
    struct larder_request request = {.code = LARDER_DO_EPOCH};
    if (ask(exam, "epoch", &request, &answer) == LARDER_OK) {
        int64_t ahead_ms = answer->epoch - wall_ms();
        *ret = answer->epoch;
        if (ahead_ms > TOLERATED_MS)
            tell(exam, "warn", "epoch",
                 "%" PRId64 " is %s ahead of this machine's clock: one of the clocks is wrong", answer->epoch,
                 duration_text(ahead_ms / 1000 * 1000, ahead));
        else
            tell(exam, "ok", "epoch", "%" PRId64 ", %s", answer->epoch, took(exam, time));
    }
    larder_answer_unref(answer);
}

/* Writes an entry of its own, reads it back and removes it. */
static void round_trip(struct exam *exam, int64_t known) {
    char key[64], time[32];
    snprintf(key, sizeof key, "larder-doctor-%ld", (long)getpid());
    uint8_t body[4096];
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (uint8_t)(i * 131 >> 3);
    const struct larder_part part = {.name = {(const uint8_t *)"body", 4}, .data = {body, sizeof body}};
    const struct larder_entry entry = {
        .kind = LARDER_FETCH,
        .key = {(const uint8_t *)key, strlen(key)},
        .n_parts = 1,
        .parts = &part,
        .epoch = known,
        .modified_ms = wall_ms(),
        .revalidate_ms = LARDER_UNSET,
        .expire_ms = 60000,
    };
    const struct larder_answer *answer;
    struct larder_request put = {.code = LARDER_DO_PUT, .entry = &entry};
    struct larder_request get = {
        .code = LARDER_DO_GET, .flags = LARDER_F_ANY, .kind = entry.kind, .key = entry.key};
    struct larder_request remove = {.code = LARDER_DO_REMOVE, .kind = entry.kind, .key = entry.key};

    int32_t status = ask(exam, "put", &put, &answer);
    if (status == LARDER_OK)
        tell(exam, "ok", "put", "%zu bytes, %s", sizeof body, took(exam, time));
    larder_answer_unref(answer);
    if (status < 0)
        return;
    status = ask(exam, "get", &get, &answer);
    if (status >= 0) {
        const struct larder_entry *found = answer->entry;
        bool same = found && found->n_parts == 1 && found->parts[0].data.len == sizeof body &&
                    memcmp(found->parts[0].data.ptr, body, sizeof body) == 0;
        if (same)
            tell(exam, "ok", "get", "the same bytes, %s", took(exam, time));
        else
            tell(exam, "FAIL", "get", "%s",
                 found ? "other bytes than were put" : "what was put is not there");
    }
    larder_answer_unref(answer);
    if (ask(exam, "remove", &remove, &answer) == LARDER_OK)
        tell(exam, "ok", "remove", "%s", took(exam, time));
    larder_answer_unref(answer);
}

static void read_marks(struct exam *exam) {
    char time[32];
    const struct larder_bytes tag = {(const uint8_t *)"larder-doctor", 13};
    const struct larder_answer *answer;
    struct larder_request request = {.code = LARDER_DO_READ_TAGS, .tags = &tag, .n_tags = 1};
    if (ask(exam, "tags", &request, &answer) >= 0)
        tell(exam, "ok", "tags", "%s", took(exam, time));
    larder_answer_unref(answer);
}

static int run(struct cli *cli) {
    struct exam exam = {.cli = cli};
    tell(&exam, "ok", "version", "%s, drivers of ABI %u", larder_version(), LARDER_ABI);
    larder_driver_each(see_driver, &exam);
    int code = cli_open(cli);
    if (code != CODE_DONE)
        return code;
    tell(&exam, "ok", "configuration", "larder config prints it");
    int64_t known = 0;
    if (ping(&exam)) {
        epoch(&exam, &known);
        read_marks(&exam);
        round_trip(&exam, known);
    }
    if (exam.n_failed)
        return CODE_STORE;
    return CODE_DONE;
}

const struct command command_doctor = {
    .name = "doctor",
    .words = "",
    .summary = "Try everything an application needs of the store",
    .help =
        "Loads the drivers, checks the configuration, asks both stores, reads the epoch and a mark, and\n"
        "writes, reads and removes an entry of its own (kind fetch, key larder-doctor-PID).  One line for\n"
        "each: ok, warn or FAIL.  The first times include connecting.\n"
        "\n"
        "Exit codes: 0 nothing failed; 2 the configuration is wrong; 3 something failed.\n"
        "\n"
        "Examples:\n"
        "  larder doctor\n"
        "  larder doctor --json | jq -r 'select(.verdict != \"ok\").found'\n",
    .run = run,
};
