/* larder prune: entries that nobody will ask for any more. */
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "removal.h"

static const struct option options[] = {
    {"keep", "BUILD", "a build whose entries stay; may be repeated; what .next/BUILD_ID says if not given"},
    {"gone", NULL, "read every entry that stays, too, and remove those that are gone"},
    {"dry-run", NULL, "only list them"},
    {NULL, NULL, NULL},
};

struct pruning {
    struct removal removal;
    struct larder_bytes *keep;
    size_t n_keep;
    bool gone;
};

static bool is_kept(const struct pruning *pruning, struct larder_bytes build) {
    static const struct larder_bytes shared = {(const uint8_t *)"shared", 6};
    bool kept = bytes_equal(build, shared);
    for (size_t i = 0; i < pruning->n_keep && !kept; i++)
        kept = bytes_equal(build, pruning->keep[i]);
    return kept;
}

/* An entry that is written anew at this moment may be removed as well: that costs a rendering. */
static int is_gone(struct cli *cli, const struct larder_listed *key, bool *ret) {
    *ret = false;
    const struct larder_answer *answer;
    struct larder_request request = {.code = LARDER_DO_GET,
                                     .flags = LARDER_F_LISTED,
                                     .kind = key->kind,
                                     .build = key->build,
                                     .key = key->key};
    int32_t status = cli_call(cli, &request, &answer);
    int code = CODE_DONE;
    if (status == LARDER_CORRUPT)
        *ret = true; /* never an answer again */
    else if (status < 0)
        code = cli_failed_answer(cli, status, answer);
    else
        *ret = status == LARDER_MISS && answer->verdict == LARDER_GONE;
    larder_answer_unref(answer);
    return code;
}

static int look_at(struct cli *cli, const struct larder_listed *key, void *arg) {
    struct pruning *pruning = arg;
    if (is_kept(pruning, key->build)) {
        bool gone = false;
        int code = pruning->gone ? is_gone(cli, key, &gone) : CODE_DONE;
        if (code != CODE_DONE || !gone)
            return code;
    }
    return remove_listed(cli, key, &pruning->removal);
}

/* .next/BUILD_ID into list, which has room for one. */
static int present_build(struct cli *cli, struct larder_bytes *list) {
    static const char path[] = ".next/BUILD_ID";
    char id[256];
    FILE *file = fopen(path, "rb");
    size_t len = file ? fread(id, 1, sizeof id, file) : 0;
    if (file)
        fclose(file);
    while (len > 0 && (id[len - 1] == '\n' || id[len - 1] == '\r'))
        len--;
    if (len == 0 || len == sizeof id)
        return cli_usage(cli, "no build id in %s: say with --keep which builds stay", path);
    uint8_t *copy = malloc(len);
    if (copy == NULL)
        return cli_failed(cli, LARDER_NOMEM, "out of memory");
    memcpy(copy, id, len);
    *list = (struct larder_bytes){copy, len};
    return CODE_DONE;
}

static int run(struct cli *cli) {
    struct pruning pruning = {.gone = args_has(&cli->args, "gone")};
    struct listing listing = {0};
    int code = cli_bytes_list(cli, "keep", 0, &pruning.keep, &pruning.n_keep);
    if (code == CODE_DONE && pruning.n_keep == 0) {
        code = present_build(cli, pruning.keep);
        pruning.n_keep = code == CODE_DONE;
    }
    if (code == CODE_DONE)
        code = cli_open(cli);
    if (code == CODE_DONE) {
        progress_begin(&pruning.removal.progress, "entries removed", args_has(&cli->args, "dry-run"));
        code = cli_each_key(cli, &listing, look_at, &pruning);
        progress_end(&pruning.removal.progress);
    }
    if (code == CODE_DONE)
        removal_tell(cli, &pruning.removal);
    bytes_list_free(pruning.keep, pruning.n_keep);
    return code;
}

const struct command command_prune = {
    .name = "prune",
    .words = "",
    .summary = "Remove entries of builds that are no more",
    .help =
        "Pages live under the id of the build that rendered them.  This removes those of all builds but\n"
        "the ones to keep; what builds share stays, but with --gone for what was revalidated since.  List\n"
        "every build that still serves requests, or it renders its pages anew.\n"
        "\n"
        "Exit codes: 0 done; 2, 3 as larder --help says.\n"
        "\n"
        "Examples:\n"
        "  larder prune --dry-run\n"
        "  larder prune --keep \"$(cat .next/BUILD_ID)\" --keep the-build-before\n"
        "  larder prune --gone\n",
    .options = options,
    .run = run,
};
