/* larder rm: entries taken out of the store. */
#include <inttypes.h>

#include "cli.h"

static const struct option options[] = {
    {"kind", "KIND", "of the keys: page, fetch, image or use-cache; page if not given (with --prefix: all)"},
    {"build", "ID", "of the keys"},
    {"prefix", "PREFIX", "every entry whose key begins with this"},
    {"everything", NULL, "every entry (of --kind and --build); tags and their marks stay"},
    {"dry-run", NULL, "with --prefix or --everything: only list them"},
    {NULL, NULL, NULL},
};

struct removal {
    uint64_t n;
    uint64_t n_hashed; /* left where they are: their full keys are not known here */
    struct progress progress;
};

static int remove_key(struct cli *cli, uint32_t kind, struct larder_bytes build, struct larder_bytes key) {
    const struct larder_answer *answer;
    struct larder_request request = {.code = LARDER_DO_REMOVE, .kind = kind, .build = build, .key = key};
    int32_t status = cli_call(cli, &request, &answer);
    int code = status == LARDER_OK ? CODE_DONE : cli_failed_answer(cli, status, answer);
    larder_answer_unref(answer);
    return code;
}

static int remove_listed(struct cli *cli, const struct larder_listed *key, void *arg) {
    struct removal *removal = arg;
    if (key->hashed) {
        removal->n_hashed++;
        return CODE_DONE;
    }
    if (args_has(&cli->args, "dry-run")) {
        if (cli->json)
            json_object(&cli->out, NULL);
        cli_print_key(cli, key);
        if (cli->json)
            json_end(&cli->out);
        else
            putchar('\n');
    } else {
        int code = remove_key(cli, key->kind, key->build, key->key);
        if (code != CODE_DONE)
            return code;
    }
    removal->n++;
    progress_add(&removal->progress, 1);
    return CODE_DONE;
}

static int remove_many(struct cli *cli, struct larder_bytes prefix, struct removal *removal) {
    struct listing listing;
    int code = cli_listing(cli, &listing);
    if (code == CODE_DONE)
        code = cli_open(cli);
    if (code != CODE_DONE)
        return code;
    listing.prefix = prefix;
    progress_begin(&removal->progress, "entries removed", args_has(&cli->args, "dry-run"));
    code = cli_each_key(cli, &listing, remove_listed, removal);
    progress_end(&removal->progress);
    return code;
}

static int remove_words(struct cli *cli, const struct larder_bytes *keys, size_t n, struct removal *removal) {
    uint32_t kind;
    int code = cli_kind(cli, LARDER_PAGE, &kind);
    if (code == CODE_DONE)
        code = cli_open(cli);
    for (size_t i = 0; i < n && code == CODE_DONE; i++) {
        code = remove_key(cli, kind, cli_build(cli), keys[i]);
        removal->n += code == CODE_DONE;
    }
    return code;
}

static void tell(struct cli *cli, const struct removal *removal) {
    if (args_has(&cli->args, "dry-run"))
        return;
    if (cli->json) {
        json_object(&cli->out, NULL);
        json_text(&cli->out, "status", "ok");
        json_number(&cli->out, "removed", (int64_t)removal->n);
        json_number(&cli->out, "left", (int64_t)removal->n_hashed);
        json_end(&cli->out);
    } else {
        printf("%" PRIu64 " removed\n", removal->n);
        if (removal->n_hashed)
            printf("%" PRIu64 " left: stored under a hash, they go by their full key\n", removal->n_hashed);
    }
}

static int run(struct cli *cli) {
    const char *written = args_value(&cli->args, "prefix");
    bool everything = args_has(&cli->args, "everything"), many = written || everything;
    if (cli->args.n_words + (written != NULL) + everything == 0)
        return cli_usage(cli, "it takes keys, --prefix or --everything");
    if (many && (cli->args.n_words || (written && everything)))
        return cli_usage(cli, "keys, --prefix and --everything exclude each other");
    if (written && *written == '\0')
        return cli_usage(cli, "--prefix is empty: to remove all entries give --everything");
    if (args_has(&cli->args, "dry-run") && !many)
        return cli_usage(cli, "--dry-run goes with --prefix or --everything");
    struct larder_bytes prefix = {0}, *keys = NULL;
    size_t n_keys = 0;
    struct removal removal = {0};
    int code = written ? cli_bytes(cli, written, &prefix) : CODE_DONE;
    if (code == CODE_DONE)
        code = cli_bytes_list(cli, NULL, 0, &keys, &n_keys);
    if (code == CODE_DONE)
        code = many ? remove_many(cli, prefix, &removal) : remove_words(cli, keys, n_keys, &removal);
    if (code == CODE_DONE)
        tell(cli, &removal);
    bytes_list_free(keys, n_keys);
    bytes_free(prefix);
    return code;
}

const struct command command_rm = {
    .name = "rm",
    .words = "[KEY...]",
    .min_words = 0,
    .max_words = SIZE_MAX,
    .summary = "Remove entries",
    .help = "Takes entries out of the store; a key that is not stored is no error.  To make the application\n"
            "render anew, `larder revalidate` is cheaper and reaches every process: it writes one mark.\n"
            "Entries that are stored under a hash (see larder ls) go only by their full key.\n"
            "\n"
            "Exit codes: 0 done, also where nothing was stored; 2, 3 as larder --help says.\n"
            "\n"
            "Examples:\n"
            "  larder rm /blog/hello --build \"$(cat .next/BUILD_ID)\"\n"
            "  larder rm --prefix /blog/ --dry-run\n"
            "  larder rm --everything --build old-build-id\n",
    .options = options,
    .run = run,
};
