/* larder bench: load on the configured store. */
#include <signal.h>

#include "bench.h"

static const struct option options[] = {
    {"seconds", "N", "measure for so long; 10 if not given"},
    {"ops", "N", "or until so many requests were sent (then --seconds is only a bound, 3600)"},
    {"warm-up", "N", "seconds of the same load before anything is measured; 1 if not given"},
    {"inflight", "N", "callers, each with one request under way; 16 if not given, at most 4096"},
    {"keys", "N", "entries; 1000 if not given"},
    {"size", "BYTES", "of each entry, or a spread: 1KB..300KB; 4KB if not given"},
    {"gets", "PERCENT", "of the requests; 90 if not given"},
    {"revalidations", "PERCENT", "of the requests; 1 if not given; the rest are puts"},
    {"entry-tags", "N", "tags of each entry, at most 16; 2 if not given"},
    {"seed", "N", "the same seed sends the same requests; 1 if not given"},
    {"namespace", "NAME", "work in this namespace; larder-bench if not given"},
    {"memory", NULL, "with the memory of entries that the application has; without it, gets ask the store"},
    {NULL, NULL, NULL},
};

/* Nothing of it may stay for long: entries an hour, marks a day more. */
static int set_apart(struct cli *cli, const struct bench_plan *plan) {
    const char *const settings[][2] = {{"namespace", plan->ns}, {"entry-max-age", "1h"}, {"memory", "0"}};
    const size_t n = args_has(&cli->args, "memory") ? 2 : 3;
    for (size_t i = 0; i < n; i++) {
        struct larder_error error;
        int32_t status = larder_config_set(cli->config, settings[i][0], settings[i][1], "larder bench",
                                           &error);
        if (status != LARDER_OK)
            return cli_failed(cli, status, "%s", error.text);
    }
    return CODE_DONE;
}

/* What follows inherits it: the core's threads as well. */
static void block_signals(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

/* Every entry carries an epoch: the store's present one, as for what is rendered now. */
static int learn_epoch(struct cli *cli) {
    const struct larder_answer *answer;
    struct larder_request request = {.code = LARDER_DO_EPOCH};
    int32_t status = cli_call(cli, &request, &answer);
    int code = status == LARDER_OK ? CODE_DONE : cli_failed_answer(cli, status, answer);
    larder_answer_unref(answer);
    return code;
}

static int code_of(const struct bench_result *result) {
    uint64_t bad = result->wrong + result->left + result->interrupted;
    for (size_t i = 0; i < BENCH_REMOVE; i++)
        bad += bench_failures(&result->ops[i]);
    return bad ? CODE_NEGATIVE : CODE_DONE;
}

static int run(struct cli *cli) {
    struct bench_result result;
    struct bench_plan plan;
    int code = bench_plan_read(cli, &plan);
    if (code == CODE_DONE)
        code = cli_configure(cli);
    if (code == CODE_DONE)
        code = set_apart(cli, &plan);
    if (code != CODE_DONE)
        return code;
    block_signals();
    code = cli_open(cli);
    if (code == CODE_DONE)
        code = learn_epoch(cli);
    plan.deadline_ms = args_has(&cli->args, "timeout") ? cli->timeout_ms : 0;
    if (code == CODE_DONE)
        code = bench_run(cli, &plan, &result);
    if (code != CODE_DONE)
        return code;
    if (result.stored == 0 && !result.interrupted)
        return cli_failed(cli, result.first_failure, "nothing could be stored: %s%s%s",
                          larder_status_name(result.first_failure), *result.why ? ": " : "", result.why);
    bench_tell(cli, &plan, &result);
    return code_of(&result);
}

const struct command command_bench = {
    .name = "bench",
    .words = "",
    .summary = "Put load on the store, and measure it",
    .help =
        "Stores --keys entries, sends the mix for a while to warm up, measures it, and removes what it "
        "stored,\n"
        "also when it is interrupted (a second time: at once).  Bodies compress to about half.\n"
        "\n"
        "This is load on the store that the application uses.  It works in a namespace of its own, so "
        "nothing\n"
        "of the application is touched, but the application feels it, and a store with a limit may push out\n"
        "entries of the application to make room.  What stays behind is the counter of that namespace and a "
        "mark\n"
        "for each tag that was revalidated, for a day.\n"
        "\n"
        "A time is from sending a request to its answer, with queues, retries and compression; failed ones "
        "count\n"
        "too.  Each caller sends its next request when the last one is answered, so a slow store is also\n"
        "asked less: raise --inflight to see where `per s` stops growing.  MB/s are bodies before "
        "compression.\n"
        "Hits are gets that could be served; a revalidation outdates the entries of one tag.  Without "
        "--timeout\n"
        "requests have the deadlines that the application has.\n"
        "\n"
        "Exit codes: 0; 1 some requests failed, it was interrupted, or entries could not be removed;\n"
        "2 as larder --help says; 3 nothing could be stored.\n"
        "\n"
        "Examples:\n"
        "  larder bench\n"
        "  larder bench --seconds 60 --inflight 64 --size 1KB..300KB --gets 99 --revalidations 0\n"
        "  larder bench --ops 100000 --json | jq '.get.p99Us'\n",
    .options = options,
    .run = run,
};
