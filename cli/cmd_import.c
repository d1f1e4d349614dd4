/* larder import: entries out of an archive. */
#include <inttypes.h>
#include <string.h>

#include "archive.h"
#include "bytes.h"
#include "cli.h"

static const struct option options[] = {
    {"kind", "KIND", "only page, fetch, image or use-cache"},
    {"build", "ID", "only of this build; `shared` for what builds share"},
    {"prefix", "PREFIX", "only entries whose key begins with this"},
    {"replace", NULL, "put them in the place of what is stored"},
    {"if-absent", NULL, "leave what is stored (this is so without it)"},
    {"check", NULL, "only read the archive and tell whether it is whole"},
    {NULL, NULL, NULL},
};

struct import {
    struct archive_reader reader;
    uint32_t kind;
    struct larder_bytes build, prefix;
    bool replace, check;
    bool same_tags; /* this tag store is the one of the export */
    uint64_t n_imported, n_present, n_left_out, n_refused;
    uint64_t n_unproven; /* of n_imported: gone until they are rendered anew */
    char refusal[LARDER_ERROR_TEXT];
    struct progress progress;
};

/* Epochs are numbers of one tag store.  In another one they say nothing, and an entry that came with a
 * great one would count as newer than revalidations that it is older than.  docs/archive.md. */
static int compare_tags(struct cli *cli, struct import *import) {
    const struct archive_proof *proof = &import->reader.proof;
    if (proof->tag.len == 0)
        return CODE_DONE;
    const struct larder_answer *answer;
    struct larder_request request = {.code = LARDER_DO_READ_TAGS, .tags = &proof->tag, .n_tags = 1};
    int32_t status = cli_call(cli, &request, &answer);
    int code = status < 0 ? cli_failed_answer(cli, status, answer) : CODE_DONE;
    if (status == LARDER_OK && answer->n_marks == 1)
        import->same_tags = answer->marks[0].expired_epoch == proof->epoch;
    larder_answer_unref(answer);
    return code;
}

static bool is_wanted(const struct import *import) {
    const struct archive_reader *reader = &import->reader;
    if (import->kind && reader->entry.kind != import->kind)
        return false;
    if (import->build.len > 0 && !bytes_equal(reader->build, import->build))
        return false;
    return bytes_begin_with(reader->entry.key, import->prefix);
}

/* One that this store cannot take is told, and no reason to stop. */
static bool is_refusal(int32_t status) {
    return status == LARDER_TOO_BIG || status == LARDER_INVALID;
}

static int put(struct cli *cli, struct import *import) {
    struct larder_entry entry = import->reader.entry;
    const bool proven = import->same_tags && entry.epoch <= import->reader.proof.epoch;
    if (!proven)
        entry.epoch = 0;
    const struct larder_answer *answer;
    struct larder_request request = {.code = LARDER_DO_PUT,
                                     .flags = import->replace ? 0 : LARDER_F_IF_ABSENT,
                                     .build = import->reader.build,
                                     .entry = &entry};
    int32_t status = cli_call(cli, &request, &answer);
    int code = CODE_DONE;
    if (is_refusal(status)) {
        if (import->n_refused++ == 0)
            snprintf(import->refusal, sizeof import->refusal, "%s: %s", larder_status_name(status),
                     answer ? answer->detail : "");
    } else if (status < 0) {
        code = cli_failed_answer(cli, status, answer);
    } else if (status == LARDER_MISS) {
        import->n_present++;
    } else {
        import->n_imported++;
        import->n_unproven += !proven;
    }
    larder_answer_unref(answer);
    return code;
}

/* *ret: how the archive ended. */
static int read_all(struct cli *cli, struct import *import, int32_t *ret) {
    int code = CODE_DONE;
    progress_begin(&import->progress, "entries read", false);
    while (code == CODE_DONE && (*ret = archive_next(&import->reader)) == LARDER_OK) {
        progress_add(&import->progress, 1);
        if (!is_wanted(import))
            import->n_left_out++;
        else if (!import->check)
            code = put(cli, import);
    }
    progress_end(&import->progress);
    return code;
}

/* ---- telling ------------------------------------------------------------------------------------------- */

static void tell_json(struct cli *cli, const struct import *import, int32_t status) {
    struct json *out = &cli->out;
    json_object(out, NULL);
    json_text(out, "status", larder_status_name(status == LARDER_MISS ? LARDER_OK : status));
    json_number(out, "entries", (int64_t)import->reader.n_entries);
    json_number(out, "imported", (int64_t)import->n_imported);
    json_number(out, "present", (int64_t)import->n_present);
    json_number(out, "leftOut", (int64_t)import->n_left_out);
    json_number(out, "refused", (int64_t)import->n_refused);
    json_number(out, "unproven", (int64_t)import->n_unproven);
    if (import->n_refused)
        json_text(out, "refusal", import->refusal);
    if (status == LARDER_CORRUPT) {
        json_number(out, "damagedAt", (int64_t)import->reader.at);
        json_text(out, "error", import->reader.why);
    }
    json_end(out);
}

static void tell(const struct import *import, int32_t status) {
    if (import->check)
        printf("%" PRIu64 " entries%s\n", import->reader.n_entries,
               status == LARDER_MISS ? ", all whole" : "");
    else
        printf("%" PRIu64 " imported, %" PRIu64 " were there already\n", import->n_imported,
               import->n_present);
    if (import->n_unproven)
        printf("%" PRIu64 " count as gone until they are rendered anew: %s\n", import->n_unproven,
               import->same_tags ? "they were rendered while the export ran"
                                 : "these tags are not those they were exported from");
    if (import->n_refused)
        printf("%" PRIu64 " refused, the first: %s\n", import->n_refused, import->refusal);
}

static int tell_end(struct cli *cli, const char *path, const struct import *import, int32_t status) {
    if (cli->json)
        tell_json(cli, import, status);
    else
        tell(import, status);
    if (status == LARDER_CORRUPT) {
        fflush(stdout);
        fprintf(stderr, "larder import: %s is damaged at byte %" PRIu64 ", behind entry %" PRIu64 ": %s\n",
                path, import->reader.at, import->reader.n_entries, import->reader.why);
    }
    return status == LARDER_MISS && import->n_refused == 0 ? CODE_DONE : CODE_NEGATIVE;
}

/* ---- the command --------------------------------------------------------------------------------------- */

static int import_file(struct cli *cli, struct import *import, const char *path, FILE *file) {
    int32_t status = archive_open(&import->reader, file);
    int code = CODE_DONE;
    if (status == LARDER_OK && !import->check) {
        code = cli_open_plain(cli);
        if (code == CODE_DONE)
            code = compare_tags(cli, import);
    }
    if (status == LARDER_OK && code == CODE_DONE)
        code = read_all(cli, import, &status);
    if (code == CODE_DONE)
        code = status == LARDER_NOMEM ? cli_failed(cli, status, "out of memory")
                                      : tell_end(cli, path, import, status);
    archive_done(&import->reader);
    return code;
}

static int run(struct cli *cli) {
    const char *path = cli->args.words[0], *prefix = args_value(&cli->args, "prefix");
    struct import import = {.replace = args_has(&cli->args, "replace"),
                            .check = args_has(&cli->args, "check"),
                            .build = cli_build(cli)};
    if (import.replace && args_has(&cli->args, "if-absent"))
        return cli_usage(cli, "--replace and --if-absent exclude each other");
    int code = cli_kind(cli, 0, &import.kind);
    if (code == CODE_DONE && prefix)
        code = cli_bytes(cli, prefix, &import.prefix);
    FILE *file = NULL;
    if (code == CODE_DONE) {
        file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
        if (file == NULL)
            code = cli_usage(cli, "%s cannot be read: %s", path, cli_errno());
    }
    if (code == CODE_DONE)
        code = import_file(cli, &import, path, file);
    if (file && file != stdin)
        fclose(file);
    bytes_free(import.prefix);
    return code;
}

const struct command command_import = {
    .name = "import",
    .words = "FILE",
    .min_words = 1,
    .max_words = 1,
    .summary = "Store the entries of an archive",
    .help = "FILE is an archive of `larder export`; - is stdin.  What is stored stays, unless --replace is "
            "given.\n"
            "Every entry is verified.  Where the archive is damaged, what stands before the damage is "
            "imported, and\n"
            "the place is named.\n"
            "\n"
            "An entry is served again where `tags` is the tag store that it was exported from, and as long "
            "as nothing\n"
            "has revalidated it: entries moved to another store, or brought back.  With other tags nobody "
            "can tell what\n"
            "was revalidated since it was rendered, so it counts as gone until it is rendered anew (larder "
            "get --any\n"
            "shows it).  docs/archive.md has the reasons.\n"
            "\n"
            "Exit codes: 0 all of it; 1 the archive is damaged, or entries were refused (too large); 2, 3 as "
            "larder\n"
            "--help says.\n"
            "\n"
            "Examples:\n"
            "  larder import cache.larder\n"
            "  larder import cache.larder --kind fetch --replace\n"
            "  larder import --check cache.larder\n",
    .options = options,
    .run = run,
};
