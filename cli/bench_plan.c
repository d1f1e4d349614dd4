/* What larder bench is asked for, checked. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "bench.h"

static const uint64_t SECOND_NS = 1000000000;

static int read_size(struct cli *cli, const char *text, uint64_t *ret) {
    enum { MOST_BYTES = 1 << 30 };
    const struct larder_param param = {.name = "size", .type = LARDER_P_BYTES, .min = 0, .max = MOST_BYTES};
    struct larder_error error;
    int64_t bytes;
    if (larder_param_read(&param, text, &bytes, &error) != LARDER_OK)
        return cli_usage(cli, "--size: %s", error.text);
    *ret = (uint64_t)bytes;
    return CODE_DONE;
}

/* BYTES or BYTES..BYTES */
static int read_sizes(struct cli *cli, struct bench_plan *plan) {
    const char *written = args_value(&cli->args, "size");
    if (written == NULL)
        return CODE_DONE;
    const char *dots = strstr(written, "..");
    char *first = strndup(written, dots ? (size_t)(dots - written) : strlen(written));
    if (first == NULL)
        return cli_failed(cli, LARDER_NOMEM, "out of memory");
    int code = read_size(cli, first, &plan->size_min);
    free(first);
    plan->size_max = plan->size_min;
    if (code == CODE_DONE && dots)
        code = read_size(cli, dots + 2, &plan->size_max);
    if (code == CODE_DONE && plan->size_max < plan->size_min)
        code = cli_usage(cli, "--size %s: the smaller one comes first", written);
    return code;
}

/* Options that are whole numbers, with what counts where they are not given. */
enum { SECONDS, OPS, WARM_UP, INFLIGHT, KEYS, GETS, REVALIDATIONS, ENTRY_TAGS, SEED, N_NUMBERS };
static const struct {
    const char *name;
    int64_t min, max, preset;
} numbers[N_NUMBERS] = {
    [SECONDS] = {"seconds", 1, 86400, 0},
    [OPS] = {"ops", 1, INT64_MAX, INT64_MAX},
    [WARM_UP] = {"warm-up", 0, 3600, 1},
    [INFLIGHT] = {"inflight", 1, BENCH_INFLIGHT, 16},
    [KEYS] = {"keys", 1, 10000000, 1000},
    [GETS] = {"gets", 0, 100, 90},
    [REVALIDATIONS] = {"revalidations", 0, 100, 1},
    [ENTRY_TAGS] = {"entry-tags", 0, BENCH_TAGS, 2},
    [SEED] = {"seed", 0, INT64_MAX, 1},
};

int bench_plan_read(struct cli *cli, struct bench_plan *ret) {
    int64_t value[N_NUMBERS];
    for (size_t i = 0; i < N_NUMBERS; i++) {
        value[i] = numbers[i].preset;
        int code = cli_number(cli, numbers[i].name, LARDER_P_INT, numbers[i].min, numbers[i].max, &value[i]);
        if (code != CODE_DONE)
            return code;
    }
    if (value[GETS] + value[REVALIDATIONS] > 100) {
        if (args_has(&cli->args, "revalidations"))
            return cli_usage(cli, "--gets and --revalidations are more than 100 percent");
        value[REVALIDATIONS] = 100 - value[GETS];
    }
    if (value[SECONDS] == 0) /* with --ops they are only a bound */
        value[SECONDS] = args_has(&cli->args, "ops") ? 3600 : 10;
    const char *ns = args_value(&cli->args, "namespace");
    *ret = (struct bench_plan){
        .ops = (uint64_t)value[OPS],
        .measure_ns = (uint64_t)value[SECONDS] * SECOND_NS,
        .warm_up_ns = (uint64_t)value[WARM_UP] * SECOND_NS,
        .keys = (uint64_t)value[KEYS],
        .size_min = 4096,
        .size_max = 4096,
        .seed = (uint64_t)value[SEED],
        .inflight = (uint32_t)value[INFLIGHT],
        .gets = (uint32_t)value[GETS],
        .revalidations = (uint32_t)value[REVALIDATIONS],
        .entry_tags = (uint32_t)(value[ENTRY_TAGS] < value[KEYS] ? value[ENTRY_TAGS] : value[KEYS]),
        .ns = ns ? ns : "larder-bench",
    };
    if (getrandom(&ret->run, sizeof ret->run, 0) != (ssize_t)sizeof ret->run)
        return cli_failed(cli, LARDER_INTERNAL, "no random number: %s", cli_errno());
    return read_sizes(cli, ret);
}
