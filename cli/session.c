/* From options to a configured, opened store; and the progress line. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "clock.h"
#include "next_options.h"

/* ---- saying what is wrong ------------------------------------------------------------------------ */

static void say(struct cli *cli, int32_t status, const char *text) {
    fprintf(stderr, "larder%s%s: %s\n", cli->command ? " " : "", cli->command ? cli->command->name : "",
            text);
    if (!cli->json)
        return;
    while (cli->out.depth > 0)
        json_end(&cli->out);
    json_object(&cli->out, NULL);
    json_text(&cli->out, "status", larder_status_name(status));
    json_text(&cli->out, "error", text);
    json_end(&cli->out);
}

int cli_usage(struct cli *cli, const char *format, ...) {
    char text[2 * LARDER_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(cli, LARDER_INVALID, text);
    fprintf(stderr, "Try: larder %s%s--help\n", cli->command ? cli->command->name : "",
            cli->command ? " " : "");
    return CODE_USAGE;
}

static int code_of(int32_t status) {
    if (status == LARDER_OK)
        return CODE_DONE;
    if (status == LARDER_MISS)
        return CODE_NEGATIVE;
    return status == LARDER_INVALID ? CODE_USAGE : CODE_STORE;
}

int cli_failed(struct cli *cli, int32_t status, const char *format, ...) {
    char text[2 * LARDER_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(cli, status, text);
    return code_of(status);
}

int cli_failed_answer(struct cli *cli, int32_t status, const struct larder_answer *answer) {
    const char *detail = answer && answer->detail && *answer->detail ? answer->detail : "";
    return cli_failed(cli, status, "%s%s%s", larder_status_name(status), *detail ? ": " : "", detail);
}

const char *cli_errno(void) {
#ifdef __GLIBC__
    const char *text = strerrordesc_np(errno);
    return text ? text : "unknown error";
#else
    static _Thread_local char text[64];
    return strerror_r(errno, text, sizeof text) == 0 ? text : "unknown error";
#endif
}

/* ---- the configured store -------------------------------------------------------------------------- */

static const char place[] = "the command line";

/* --set name=value */
static int32_t apply_set(struct cli *cli, const char *written, struct larder_error *error) {
    size_t len = strcspn(written, "=");
    char *name = strndup(written, len);
    if (name == NULL)
        return LARDER_NOMEM;
    int32_t status = larder_config_set(cli->config, name, written + len + 1, place, error);
    free(name);
    return status;
}

static int32_t apply_options(struct cli *cli, struct larder_error *error) {
    int32_t status = LARDER_OK;
    for (size_t i = 0; status == LARDER_OK; i++) {
        const char *written = args_value_at(&cli->args, "set", i);
        if (written == NULL)
            break;
        status = apply_set(cli, written, error);
    }
    static const char *const roles[] = {"cache", "tags"};
    for (size_t i = 0; i < 2 && status == LARDER_OK; i++) {
        const char *url = args_value(&cli->args, roles[i]);
        if (url)
            status = larder_config_set(cli->config, roles[i], url, place, error);
    }
    return status;
}

/* larder.json, or the file that an option, LARDER_CONFIG or withLarder() names; then withLarder(). */
static int32_t apply_files(struct cli *cli, struct larder_error *error) {
    struct next_options next;
    int32_t status = next_options_read(cli->next_dir ? cli->next_dir : ".next", &next);
    const char *path = args_value(&cli->args, "config"), *named = getenv("LARDER_CONFIG");
    if (path == NULL && (named == NULL || *named == '\0'))
        path = next.config;
    if (status == LARDER_OK)
        status = larder_config_file(cli->config, path, error);
    if (status == LARDER_OK && next.json)
        status = larder_config_json(cli->config, next.json, strlen(next.json), "withLarder()", error);
    next_options_done(&next);
    return status;
}

int cli_configure(struct cli *cli) {
    struct larder_error error = {.text = "out of memory"};
    for (size_t i = 0; args_value_at(&cli->args, "set", i); i++) {
        if (strchr(args_value_at(&cli->args, "set", i), '=') == NULL)
            return cli_usage(cli, "--set takes name=value");
    }
    cli->config = larder_config_new();
    if (cli->config == NULL)
        return cli_failed(cli, LARDER_NOMEM, "out of memory");
    int32_t status = apply_files(cli, &error);
    if (status == LARDER_OK)
        status = larder_config_env(cli->config, &error);
    if (status == LARDER_OK)
        status = apply_options(cli, &error);
    return status == LARDER_OK ? CODE_DONE : cli_failed(cli, status, "%s", error.text);
}

static void log_to_stderr(void *arg, int32_t level, const char *line) {
    const char *name = level == LARDER_LOG_WARN ? "warning" : larder_log_level_name(level);
    (void)arg;
    fprintf(stderr, "larder: %s: %s\n", name ? name : "log", line);
}

static bool is_set(const char *variable) {
    const char *value = getenv(variable);
    return value != NULL && *value != '\0';
}

/* Nobody who runs a command wants what it fails with twice: so there is a log only for who asks. */
static int begin_log(struct cli *cli) {
    bool verbose = args_has(&cli->args, "verbose");
    if (!verbose && !is_set("LARDER_LOG") && !is_set("LARDER_TRACE"))
        return CODE_DONE;
    struct larder_error error;
    larder_set_log(log_to_stderr, NULL);
    if (verbose && larder_config_set(cli->config, "log", "debug", "--verbose", &error) != LARDER_OK)
        return cli_failed(cli, error.status, "%s", error.text);
    return CODE_DONE;
}

int cli_open(struct cli *cli) {
    struct larder_error error = {.text = "out of memory"};
    int code = cli->config ? CODE_DONE : cli_configure(cli);
    if (code == CODE_DONE)
        code = begin_log(cli);
    if (code != CODE_DONE)
        return code;
    int64_t timeout_ms = 10000;
    code = cli_number(cli, "timeout", LARDER_P_MS, 1, INT64_C(24) * 3600000, &timeout_ms);
    if (code != CODE_DONE)
        return code;
    cli->timeout_ms = (uint32_t)timeout_ms;
    int32_t status = larder_open(cli->config, &cli->store, &error);
    return status == LARDER_OK ? CODE_DONE : cli_failed(cli, status, "%s", error.text);
}

int64_t cli_epoch_to_note(const struct larder_store *store) {
    double epoch;
    __atomic_load(larder_epoch_cell(store), &epoch, __ATOMIC_ACQUIRE);
    return (int64_t)epoch;
}

int cli_open_plain(struct cli *cli) {
    struct larder_error error;
    int code = cli->config ? CODE_DONE : cli_configure(cli);
    if (code != CODE_DONE)
        return code;
    int32_t status = larder_config_set(cli->config, "memory", "0", "larder", &error);
    return status == LARDER_OK ? cli_open(cli) : cli_failed(cli, status, "%s", error.text);
}

static void print_trace(const struct larder_answer *answer) {
    char *text = answer->n_steps > 0 ? larder_trace_text(answer) : NULL;
    if (text)
        fprintf(stderr, "%s\n", text);
    free(text);
}

int32_t cli_call(struct cli *cli, struct larder_request *request, const struct larder_answer **ret_answer) {
    *ret_answer = NULL;
    if (request->deadline_ms == 0)
        request->deadline_ms = cli->timeout_ms;
    if (args_has(&cli->args, "trace"))
        request->flags |= LARDER_F_TRACE;
    int32_t status = larder_call(cli->store, request, ret_answer);
    if (*ret_answer != NULL && (!cli->json || status < 0))
        print_trace(*ret_answer);
    return status;
}

void cli_json_trace(struct cli *cli, const struct larder_answer *answer) {
    if (answer->n_steps == 0)
        return;
    json_array(&cli->out, "trace");
    for (size_t i = 0; i < answer->n_steps; i++) {
        json_object(&cli->out, NULL);
        json_number(&cli->out, "us", (int64_t)(answer->steps[i].at_ns / 1000));
        json_text(&cli->out, "step", answer->steps[i].text);
        json_end(&cli->out);
    }
    json_end(&cli->out);
}

/* ---- words and options ---------------------------------------------------------------------------- */

int cli_bytes(struct cli *cli, const char *written, struct larder_bytes *ret) {
    size_t len = 0;
    uint8_t *bytes = malloc(strlen(written) + 1);
    if (bytes == NULL)
        return cli_failed(cli, LARDER_NOMEM, "out of memory");
    if (!escape_read(written, bytes, &len)) {
        free(bytes);
        return cli_usage(cli, "'%s': a backslash begins \\\\ or \\xNN", written);
    }
    *ret = (struct larder_bytes){bytes, len};
    return CODE_DONE;
}

int cli_bytes_list(struct cli *cli, const char *option, size_t first_word, struct larder_bytes **ret,
                   size_t *ret_n) {
    const size_t most = cli->args.n_given + cli->args.n_words;
    struct larder_bytes *list = calloc(most + 1, sizeof *list);
    size_t n = 0;
    int code = CODE_DONE;
    if (list == NULL)
        return cli_failed(cli, LARDER_NOMEM, "out of memory");
    for (size_t i = 0; code == CODE_DONE && n < most; i++) {
        const char *written = NULL;
        if (option)
            written = args_value_at(&cli->args, option, i);
        else if (first_word + i < cli->args.n_words)
            written = cli->args.words[first_word + i];
        if (written == NULL)
            break;
        code = cli_bytes(cli, written, &list[n]);
        n += code == CODE_DONE;
    }
    if (code != CODE_DONE) {
        bytes_list_free(list, n);
        return code;
    }
    *ret = list;
    *ret_n = n;
    return CODE_DONE;
}

void bytes_list_free(struct larder_bytes *list, size_t n) {
    for (size_t i = 0; list && i < n; i++)
        bytes_free(list[i]);
    free(list);
}

void bytes_free(struct larder_bytes bytes) {
    free((void *)(uintptr_t)bytes.ptr);
}

int cli_kind(struct cli *cli, uint32_t preset, uint32_t *ret) {
    const char *written = args_value(&cli->args, "kind");
    *ret = preset;
    if (written == NULL)
        return CODE_DONE;
    for (uint32_t kind = 1; kind < LARDER_N_KINDS; kind++) {
        if (strcmp(written, larder_kind_name(kind)) == 0) {
            *ret = kind;
            return CODE_DONE;
        }
    }
    return cli_usage(cli, "--kind is page, fetch, image or use-cache, not '%s'", written);
}

struct larder_bytes cli_build(const struct cli *cli) {
    const char *build = args_value(&cli->args, "build");
    return (struct larder_bytes){(const uint8_t *)build, build ? strlen(build) : 0};
}

int cli_number(struct cli *cli, const char *option, uint32_t type, int64_t min, int64_t max, int64_t *ret) {
    const struct larder_param param = {.name = option, .type = type, .min = min, .max = max};
    const char *written = args_value(&cli->args, option);
    struct larder_error error;
    if (written == NULL || larder_param_read(&param, written, ret, &error) == LARDER_OK)
        return CODE_DONE;
    return cli_usage(cli, "--%s: %s", option, error.text);
}

/* ---- progress -------------------------------------------------------------------------------------- */

enum { PROGRESS_EVERY_MS = 100 };

void progress_begin(struct progress *progress, const char *what, bool prints) {
    bool shows = isatty(STDERR_FILENO) && !(prints && isatty(STDOUT_FILENO));
    *progress = (struct progress){.wanted = shows, .what = what};
    progress->shown_ms = clock_ms();
}

static void print_bar(const struct progress *progress) {
    enum { WIDTH = 30 };
    const uint64_t total = progress->total, n = progress->n < total ? progress->n : total;
    const unsigned full = (unsigned)(n * WIDTH / total);
    char bar[WIDTH + 1];
    for (unsigned i = 0; i < WIDTH; i++)
        bar[i] = i < full ? '#' : '-';
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r[%s] %3u %%  %" PRIu64 " of %" PRIu64 " %s", bar, (unsigned)(n * 100 / total), n,
            total, progress->what);
}

void progress_add(struct progress *progress, uint64_t n) {
    progress->n += n;
    if (!progress->wanted || clock_ms() - progress->shown_ms < PROGRESS_EVERY_MS)
        return;
    progress->shown_ms = clock_ms();
    if (progress->total > 0)
        print_bar(progress);
    else
        fprintf(stderr, "\r%" PRIu64 " %s", progress->n, progress->what);
    fflush(stderr);
}

void progress_end(struct progress *progress) {
    if (progress->wanted)
        fputs("\r\x1b[K", stderr);
    progress->wanted = false;
}
