/* larder stats: what the running processes have counted. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "live.h"
#include "tally.h"

/* ---- one line for each process ------------------------------------------------------------------ */

static void process_row(const char *name, int64_t up_ms, const struct larder_stats *s) {
    char t[9][FIGURE_TEXT];
    printf("%-9s%-10s%7s%7s%7s%7s%7s%7s%8s\n", name, age_text(up_ms, t[0]), count_text(s->gets, t[1]),
           percent_text(s->hits, s->gets, t[2]), percent_text(s->stale, s->gets, t[3]),
           percent_text(s->gone, s->gets, t[4]), percent_text(s->misses, s->gets, t[5]),
           percent_text(s->get_errors, s->gets, t[6]), bytes_text(s->memory_bytes, t[7]));
}

static void print_processes(const struct process *list, size_t n, const struct larder_metrics *sum) {
    printf("%-9s%-10s%7s%7s%7s%7s%7s%7s%8s\n", "PROCESS", "UP", "GETS", "HIT", "STALE", "GONE", "MISS",
           "ERROR", "MEMORY");
    for (size_t i = 0; i < n; i++) {
        char name[FIGURE_TEXT];
        snprintf(name, sizeof name, "%" PRId64, list[i].metrics->pid);
        process_row(name, list[i].metrics->up_ms, &list[i].metrics->stats);
    }
    if (n > 1)
        process_row("all", sum->up_ms, &sum->stats);
}

/* ---- latencies --------------------------------------------------------------------------------------- */

static void latency_row(const struct larder_histogram *h) {
    char t[4][FIGURE_TEXT];
    printf("%10s%10s%10s%10s\n", ns_text(larder_histogram_quantile(h, 0.5), t[0]),
           ns_text(larder_histogram_quantile(h, 0.95), t[1]),
           ns_text(larder_histogram_quantile(h, 0.99), t[2]), ns_text(h->max_ns, t[3]));
}

static void print_requests(const struct larder_metrics *sum) {
    char t[FIGURE_TEXT];
    printf("\n%-22s%8s%8s%10s%10s%10s%10s\n", "REQUEST", "COUNT", "", "P50", "P95", "P99", "MAX");
    for (uint32_t i = 0; i < LARDER_N_TIMED; i++) {
        const struct larder_histogram *h = &sum->requests[i];
        if (h->count == 0)
            continue;
        printf("%-22s%8s%8s", larder_timed_name(i), count_text(h->count, t), "");
        latency_row(h);
    }
}

static void print_driver(const struct larder_instance_metrics *instance) {
    char name[64], tame[64], t[2][FIGURE_TEXT];
    snprintf(name, sizeof name, "%.20s (%.12s)", instance->driver, instance->role);
    printf("\n%-22s%8s%8s%10s%10s%10s%10s\n", tame_text(name, tame, sizeof tame), "CALLS", "ERRORS", "P50",
           "P95", "P99", "MAX");
    for (uint32_t code = 1; code < LARDER_N_OPS; code++) {
        const struct larder_op_metrics *op = &instance->ops[code];
        uint64_t errors, calls = tally_calls(op, &errors);
        if (calls == 0)
            continue;
        printf("%-22s%8s%8s", larder_op_name(code), count_text(calls, t[0]), count_text(errors, t[1]));
        latency_row(&op->latency);
    }
    printf("in flight %" PRIu64 ", queued %" PRIu64 "; retried %" PRIu64 ", of that in vain %" PRIu64
           "; throttled %" PRIu64 "\n",
           instance->inflight, instance->queued, instance->retry.retries, instance->retry.exhausted,
           instance->retry.throttled);
}

/* ---- what somebody should know of ------------------------------------------------------------------- */

struct notes {
    int64_t pid;
    bool any; /* has been said, of whatever process */
};

/* Begins a line; the first stands apart from what is above. */
static void note(struct notes *notes) {
    printf("%s%" PRId64 ": ", notes->any ? "" : "\n", notes->pid);
    notes->any = true;
}

/* The reason is a sentence: which breaker, since when, and why. */
static void note_breaker(struct notes *notes, const struct larder_breaker_metrics *breaker) {
    if (breaker->opened == 0)
        return;
    note(notes);
    if (breaker->state != LARDER_BREAKER_OPEN && breaker->state != LARDER_BREAKER_HALF_OPEN)
        printf("it was so %" PRIu64 " times, and is no more: ", breaker->opened);
    escape_print(stdout, bytes_of_text(breaker->reason));
    printf("; %" PRIu64 " calls were refused\n", breaker->refused);
}

static void note_count(struct notes *notes, uint64_t count, const char *what) {
    if (count == 0)
        return;
    note(notes);
    printf("%" PRIu64 " %s\n", count, what);
}

/* Epochs are about milliseconds.  Each revalidation of another process makes what this one knows older. */
enum { STALE_EPOCH_MS = 10 * 60 * 1000 };

static void note_all(struct notes *notes, const struct larder_metrics *m, int64_t newest_epoch) {
    const struct larder_stats *s = &m->stats;
    char age[FIGURE_TEXT];
    notes->pid = m->pid;
    for (uint64_t i = 0; i < m->n_instances; i++) {
        note_breaker(notes, &m->instances[i].breaker);
        note_count(notes, m->instances[i].faults, "faults were injected on purpose (setting fault)");
    }
    note_count(notes, s->journal_pending, "revalidations have not reached the store yet and are tried again");
    note_count(notes, s->corrupt, "entries could not be verified");
    note_count(notes, s->deadlines, "requests were answered by their deadline");
    if (newest_epoch - s->epoch <= STALE_EPOCH_MS)
        return;
    note(notes);
    printf("the epoch that it knows is %s older: it has rendered nothing since\n",
           age_text(newest_epoch - s->epoch, age));
}

/* ---- all of one namespace --------------------------------------------------------------------------- */

static int print_namespace(struct cli *cli, const struct process *list, size_t n) {
    struct larder_metrics *sum = tally_sum(list, n);
    struct notes notes = {0};
    if (sum == NULL)
        return cli_failed(cli, LARDER_NOMEM, "out of memory");
    fputs("namespace ", stdout);
    escape_print(stdout, bytes_of_text(sum->ns));
    printf(", epoch %" PRId64 "\n\n", sum->stats.epoch);
    print_processes(list, n, sum);
    print_requests(sum);
    for (uint64_t i = 0; i < sum->n_instances; i++)
        print_driver(&sum->instances[i]);
    for (size_t i = 0; i < n; i++)
        note_all(&notes, list[i].metrics, sum->stats.epoch);
    larder_metrics_free(sum);
    return CODE_DONE;
}

static int print_people(struct cli *cli, const struct processes *processes) {
    int code = CODE_DONE;
    for (size_t from = 0, to; from < processes->n && code == CODE_DONE; from = to) {
        const char *ns = processes->list[from].metrics->ns;
        for (to = from + 1; to < processes->n && strcmp(ns, processes->list[to].metrics->ns) == 0;)
            to++;
        if (from > 0)
            putchar('\n');
        code = print_namespace(cli, processes->list + from, to - from);
    }
    return code;
}

/* ---- for programs ------------------------------------------------------------------------------------- */

/* Written anew: what a process tells is not let through to a terminal as it is. */
static int print_json(struct cli *cli, const struct processes *processes) {
    for (size_t i = 0; i < processes->n; i++) {
        char *text = cJSON_PrintUnformatted(processes->list[i].json);
        if (text == NULL)
            return cli_failed(cli, LARDER_NOMEM, "out of memory");
        puts(text);
        free(text);
    }
    return CODE_DONE;
}

static int print_prometheus(struct cli *cli, const struct processes *processes) {
    enum { N_LABELS = 2 };
    struct larder_metrics_source *sources = calloc(processes->n, sizeof *sources);
    struct larder_label *labels = calloc(processes->n * N_LABELS, sizeof *labels);
    char(*pids)[FIGURE_TEXT] = calloc(processes->n, sizeof *pids);
    char *text = NULL;
    if (sources && labels && pids) {
        for (size_t i = 0; i < processes->n; i++) {
            const struct larder_metrics *m = processes->list[i].metrics;
            struct larder_label *own = &labels[i * N_LABELS];
            snprintf(pids[i], sizeof pids[i], "%" PRId64, m->pid);
            own[0] = (struct larder_label){"namespace", m->ns};
            own[1] = (struct larder_label){"pid", pids[i]};
            sources[i] = (struct larder_metrics_source){m, own, N_LABELS};
        }
        text = larder_metrics_text_of(sources, processes->n, LARDER_PROMETHEUS);
    }
    if (text)
        fputs(text, stdout);
    free(text);
    free(pids);
    free(labels);
    free(sources);
    return text ? CODE_DONE : cli_failed(cli, LARDER_NOMEM, "out of memory");
}

/* ---- the command ---------------------------------------------------------------------------------------- */

/* Whoever asks for a process by its number wants to know that it is not there. */
static int name_missing(struct cli *cli, const struct processes *processes) {
    int code = CODE_DONE;
    for (size_t i = 0; i < cli->args.n_words; i++) {
        bool found = false;
        for (size_t k = 0; k < processes->n && !found; k++)
            found = processes->list[k].metrics->pid == strtoll(cli->args.words[i], NULL, 10);
        if (!found)
            code = cli_failed(cli, LARDER_MISS, "no process %s tells of itself", cli->args.words[i]);
    }
    return code;
}

static int run(struct cli *cli) {
    struct processes processes = {0};
    bool prometheus = args_has(&cli->args, "prometheus");
    if (prometheus && cli->json)
        return cli_usage(cli, "--prometheus and --json are two formats");
    int code = processes_prepare(cli);
    if (code != CODE_DONE)
        return code;
    struct larder_error error;
    int32_t status = processes_read(cli, &processes, &error);
    if (status != LARDER_OK)
        return cli_failed(cli, status, "%s", error.text);
    if (processes.n == 0)
        code = processes_none(cli, &processes);
    else if (prometheus)
        code = print_prometheus(cli, &processes);
    else if (cli->json)
        code = print_json(cli, &processes);
    else
        code = print_people(cli, &processes);
    if (code == CODE_DONE && processes.n_silent > 0)
        fprintf(stderr, "larder stats: %zu more did not answer\n", processes.n_silent);
    if (code == CODE_DONE)
        code = name_missing(cli, &processes);
    processes_done(&processes);
    return code;
}

static const struct option options[] = {
    {"namespace", "NAME", live_option_namespace},
    {"prometheus", NULL, "answer with the text that Prometheus reads, of all processes together"},
    {NULL, NULL, NULL},
};

const struct command command_stats = {
    .name = "stats",
    .words = "[PID...]",
    .max_words = SIZE_MAX,
    .summary = "Show what running processes have counted",
    .help =
        "Asks every process of this user on this machine that has a store open, or those of the given\n"
        "numbers, and shows, for each namespace: what became of the gets of each process, how long requests\n"
        "and the calls of drivers took over all processes, and what somebody should know of, such as a\n"
        "breaker that is open.  All since the stores were opened; larder top shows what happens now.\n"
        "\n"
        "  HIT, STALE, GONE, MISS   gets that found an entry; one to be renewed; one that was revalidated;\n"
        "                           none.  ERROR: the store failed, which the application sees as a miss\n"
        "  get-memory               gets answered from the process's memory, once their marks were read\n"
        "  get-store, get-nothing   gets of what the store had; and of what it had not\n"
        "  P50, P95, P99            so many percent took no longer than this\n"
        "\n"
        "A process shows a second after its first request, in the folder that the setting live names\n"
        "(auto: larder-<uid> in /tmp).  With --json, one document for each process, with all there is.\n"
        "\n"
        "Exit codes: 0; 1 no process was found, or one of those given was not; 2 the configuration is "
        "wrong;\n"
        "3 the folder is not to be trusted.\n"
        "\n"
        "Examples:\n"
        "  larder stats\n"
        "  larder stats $(pgrep -f 'next-server') --json | jq .stats.misses\n"
        "  larder stats --prometheus > /var/lib/node_exporter/larder.prom\n",
    .options = options,
    .run = run,
};
