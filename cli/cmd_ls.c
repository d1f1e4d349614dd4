/* larder ls: the stored entries. */
#include <inttypes.h>

#include "cli.h"

static const struct option options[] = {
    {"kind", "KIND", "only page, fetch, image or use-cache"},
    {"build", "ID", "only of this build; `shared` for what builds share"},
    {"limit", "N", "stop after so many"},
    {"long", NULL, "read each entry: verdict, size and time of rendering come first"},
    {NULL, NULL, NULL},
};

struct detail {
    const char *verdict;
    uint64_t bytes;
    int64_t modified_ms, epoch;
};

static int read_detail(struct cli *cli, const struct larder_listed *key, struct detail *ret) {
    *ret = (struct detail){.verdict = "-"};
    const struct larder_answer *answer;
    struct larder_request request = {.code = LARDER_DO_GET,
                                     .flags = LARDER_F_ANY | LARDER_F_LISTED,
                                     .kind = key->kind,
                                     .build = key->build,
                                     .key = key->key};
    int32_t status = cli_call(cli, &request, &answer);
    int code = status < 0 && status != LARDER_CORRUPT ? cli_failed_answer(cli, status, answer) : CODE_DONE;
    if (status == LARDER_CORRUPT) {
        ret->verdict = "corrupt";
    } else if (code == CODE_DONE && answer->entry) {
        const struct larder_entry *e = answer->entry;
        ret->verdict = answer->verdict == LARDER_FRESH   ? "fresh"
                       : answer->verdict == LARDER_STALE ? "stale"
                                                         : "gone";
        ret->modified_ms = e->modified_ms;
        ret->epoch = e->epoch;
        ret->bytes = e->meta.len;
        for (uint32_t i = 0; i < e->n_parts; i++)
            ret->bytes += e->parts[i].data.len;
    }
    larder_answer_unref(answer);
    return code;
}

static void print_detail(struct cli *cli, const struct detail *detail) {
    char text[TIME_TEXT];
    bool read = detail->modified_ms != 0;
    if (!cli->json) {
        printf("%-8s%10" PRIu64 "  %-26s", detail->verdict, detail->bytes,
               read ? time_text(detail->modified_ms, text) : "-");
        return;
    }
    json_text(&cli->out, "verdict", detail->verdict);
    if (read) {
        json_number(&cli->out, "bytes", (int64_t)detail->bytes);
        json_number(&cli->out, "modifiedMs", detail->modified_ms);
        json_number(&cli->out, "epoch", detail->epoch);
    }
}

static int print_one(struct cli *cli, const struct larder_listed *key, void *arg) {
    (void)arg;
    struct detail detail = {0};
    bool longer = args_has(&cli->args, "long");
    int code = longer ? read_detail(cli, key, &detail) : CODE_DONE;
    if (code != CODE_DONE)
        return code;
    if (cli->json)
        json_object(&cli->out, NULL);
    if (longer)
        print_detail(cli, &detail);
    cli_print_key(cli, key);
    if (cli->json)
        json_end(&cli->out);
    else
        putchar('\n');
    return CODE_DONE;
}

static int run(struct cli *cli) {
    struct listing listing;
    struct progress progress;
    struct larder_bytes prefix = {0};
    int code = cli_listing(cli, &listing);
    if (code == CODE_DONE && cli->args.n_words > 0)
        code = cli_bytes(cli, cli->args.words[0], &prefix);
    if (code == CODE_DONE)
        code = cli_open(cli);
    if (code == CODE_DONE) {
        listing.prefix = prefix;
        listing.progress = &progress;
        progress_begin(&progress, "keys", true);
        code = cli_each_key(cli, &listing, print_one, NULL);
        progress_end(&progress);
    }
    bytes_free(prefix);
    return code;
}

const struct command command_ls = {
    .name = "ls",
    .words = "[PREFIX]",
    .min_words = 0,
    .max_words = 1,
    .summary = "List the stored entries",
    .help = "One line for each entry whose key begins with PREFIX: kind, build, key.  Very long or odd keys\n"
            "are stored under a hash, and shown as ~ and 32 hex digits.  The order is the driver's.\n"
            "\n"
            "Exit codes: 0 also where nothing is stored; 2, 3 as larder --help says.\n"
            "\n"
            "Examples:\n"
            "  larder ls\n"
            "  larder ls --kind page --build \"$(cat .next/BUILD_ID)\" /blog/\n"
            "  larder ls --long --json | jq -r 'select(.verdict == \"gone\").key'\n",
    .options = options,
    .run = run,
};
