/* larder ping, provision, explain, version: questions to the store's drivers, and to none. */
#include <inttypes.h>
#include <string.h>

#include "cli.h"
#include "clock.h"

/* ---- ping ------------------------------------------------------------------------------------------ */

static int run_ping(struct cli *cli) {
    int code = cli_open(cli);
    if (code != CODE_DONE)
        return code;
    const struct larder_answer *answer;
    struct larder_request request = {.code = LARDER_DO_PING};
    uint64_t before_ns = clock_ns();
    int32_t status = cli_call(cli, &request, &answer);
    uint64_t took_us = (clock_ns() - before_ns) / 1000;
    if (status != LARDER_OK) {
        code = cli_failed_answer(cli, status, answer);
    } else if (cli->json) {
        json_object(&cli->out, NULL);
        json_text(&cli->out, "status", "ok");
        json_number(&cli->out, "microseconds", (int64_t)took_us);
        json_end(&cli->out);
    } else {
        printf("ok, %" PRIu64 ".%03" PRIu64 " ms\n", took_us / 1000, took_us % 1000);
    }
    larder_answer_unref(answer);
    return code;
}

const struct command command_ping = {
    .name = "ping",
    .words = "",
    .summary = "Ask whether the store answers",
    .help = "Opens the drivers of entries and tags and waits for both to answer.  The time is of the first\n"
            "request: connecting is part of it.\n"
            "\n"
            "Exit codes: 0 both answered; 2 the configuration is wrong; 3 one did not answer, and why.\n"
            "\n"
            "Examples:\n"
            "  larder ping --timeout 500ms\n"
            "  larder ping --cache redis://cache:6379 --json\n",
    .run = run_ping,
};

/* ---- provision and explain ---------------------------------------------------------------------------- */

static int tell_text(struct cli *cli, int32_t status, const struct larder_answer *answer, const char *empty) {
    if (status != LARDER_OK)
        return cli_failed_answer(cli, status, answer);
    struct larder_bytes text = answer->text;
    if (cli->json) {
        json_object(&cli->out, NULL);
        json_text(&cli->out, "status", "ok");
        json_utf8(&cli->out, "text", text);
        json_end(&cli->out);
    } else if (text.len > 0) {
        fwrite(text.ptr, 1, text.len, stdout);
        if (text.ptr[text.len - 1] != '\n')
            putchar('\n');
    } else if (empty) {
        puts(empty);
    }
    return CODE_DONE;
}

static int run_provision(struct cli *cli) {
    int code = cli_open(cli);
    if (code != CODE_DONE)
        return code;
    enum { PATIENT_MS = 10 * 60 * 1000 }; /* a cloud takes minutes to make a table */
    const struct larder_answer *answer;
    struct larder_request request = {
        .code = LARDER_DO_PROVISION,
        .flags = args_has(&cli->args, "dry-run") ? LARDER_F_DRY_RUN : 0,
        .deadline_ms = args_has(&cli->args, "timeout") ? cli->timeout_ms : PATIENT_MS,
    };
    int32_t status = cli_call(cli, &request, &answer);
    code = tell_text(cli, status, answer, "nothing to do");
    larder_answer_unref(answer);
    return code;
}

static const struct option provision_options[] = {
    {"dry-run", NULL, "say what would be done, and do nothing"},
    {NULL, NULL, NULL},
};

const struct command command_provision = {
    .name = "provision",
    .words = "",
    .summary = "Create what the store needs: folders, tables, buckets",
    .help = "Doing it again changes nothing.  What exists and does not fit is named and left alone.\n"
            "Without --timeout it waits up to 10 minutes.\n"
            "\n"
            "Exit codes: 0 all is there; 2, 3 as larder --help says.\n"
            "\n"
            "Examples:\n"
            "  larder provision --dry-run\n"
            "  larder provision --cache fs:/var/cache/shop\n",
    .options = provision_options,
    .run = run_provision,
};

static int run_explain(struct cli *cli) {
    const char *topic = cli->args.n_words ? cli->args.words[0] : "";
    int code = cli_open(cli);
    if (code != CODE_DONE)
        return code;
    const struct larder_answer *answer;
    struct larder_request request = {.code = LARDER_DO_EXPLAIN,
                                     .key = {(const uint8_t *)topic, strlen(topic)}};
    int32_t status = cli_call(cli, &request, &answer);
    bool silent = status == LARDER_OK && answer->text.len == 0;
    code = silent && !cli->json ? CODE_NEGATIVE : tell_text(cli, status, answer, NULL);
    if (silent && !cli->json)
        fprintf(stderr, "larder explain: the drivers have nothing to say%s%s\n", *topic ? " about " : "",
                topic);
    larder_answer_unref(answer);
    return silent ? CODE_NEGATIVE : code;
}

const struct command command_explain = {
    .name = "explain",
    .words = "[TOPIC]",
    .max_words = 1,
    .summary = "Let the store's drivers explain a topic",
    .help = "Topics are the drivers': their READMEs list them, and without TOPIC some tell what they know.\n"
            "\n"
            "Exit codes: 0; 1 nothing to say; 2, 3 as larder --help says.\n"
            "\n"
            "Examples:\n"
            "  larder explain\n"
            "  larder explain iam > policy.json\n",
    .run = run_explain,
};

/* ---- version -------------------------------------------------------------------------------------------- */

static int run_version(struct cli *cli) {
    if (cli->json) {
        json_object(&cli->out, NULL);
        json_text(&cli->out, "version", larder_version());
        json_number(&cli->out, "driverAbi", LARDER_ABI);
        json_end(&cli->out);
    } else {
        printf("larder %s (drivers: ABI %u)\n", larder_version(), LARDER_ABI);
    }
    return CODE_DONE;
}

const struct command command_version = {
    .name = "version",
    .words = "",
    .summary = "Print the version",
    .help = "The version of the library, and the ABI that drivers must be built for.\n"
            "\n"
            "Exit codes: 0.\n"
            "\n"
            "Examples:\n"
            "  larder version --json\n",
    .run = run_version,
};
