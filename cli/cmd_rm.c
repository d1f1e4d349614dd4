/* larder rm: entries taken out of the store. */
#include "removal.h"

static const struct option options[] = {
    {"kind", "KIND", "of the keys: page, fetch, image or use-cache; page if not given (with --prefix: all)"},
    {"build", "ID", "of the keys"},
    {"prefix", "PREFIX", "every entry whose key begins with this"},
    {"everything", NULL, "every entry (of --kind and --build); tags and their marks stay"},
    {"dry-run", NULL, "with --prefix or --everything: only list them"},
    {NULL, NULL, NULL},
};

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
        code = remove_key(cli, kind, cli_build(cli), keys[i], LARDER_F_TELL);
        removal->n += code == CODE_DONE;
    }
    return code;
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
        removal_tell(cli, &removal);
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
            "--prefix does not find entries that are stored under a hash (see larder ls).\n"
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
