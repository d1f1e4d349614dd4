/* larder export: entries into an archive. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "archive.h"
#include "bytes.h"
#include "cli.h"
#include "clock.h"

static const struct option options[] = {
    {"kind", "KIND", "only page, fetch, image or use-cache"},
    {"build", "ID", "only of this build; `shared` for what builds share"},
    {"prefix", "PREFIX", "only entries whose key begins with this"},
    {"gone", NULL, "entries that were revalidated since, too"},
    {"no-proof", NULL, "write no mark into the store: whoever imports cannot know that it is the same"},
    {NULL, NULL, NULL},
};

struct export {
    struct archive_writer writer;
    struct larder_bytes prefix;
    bool gone;
    uint64_t n_left_out, n_corrupt; /* gone, or of another prefix; could not be verified */
    struct progress progress;
};

/* ---- the proof --------------------------------------------------------------------------------- */

enum { PROOF_TEXT = 48 };

/* A mark of a new tag: a store that has it has all that this one had until now.  Its epoch is read back,
 * since other revalidations may raise what the answer tells. */
static int32_t write_proof(struct cli *cli, char name[PROOF_TEXT], struct archive_proof *ret,
                           const struct larder_answer **ret_answer) {
    uint64_t random[2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return LARDER_INTERNAL;
    snprintf(name, PROOF_TEXT, "larder-archive-%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    const struct larder_bytes tag = {(const uint8_t *)name, strlen(name)};
    struct larder_request write = {.code = LARDER_DO_REVALIDATE, .tags = &tag, .n_tags = 1},
                          read = {.code = LARDER_DO_READ_TAGS, .tags = &tag, .n_tags = 1};
    int32_t status = cli_call(cli, &write, ret_answer);
    if (status != LARDER_OK)
        return status;
    larder_answer_unref(*ret_answer);
    status = cli_call(cli, &read, ret_answer);
    if (status == LARDER_OK && (*ret_answer)->n_marks == 1)
        *ret = (struct archive_proof){tag, (*ret_answer)->marks[0].expired_epoch};
    return status;
}

/* Without it the archive is as good, but for importing it into a store on the same tags. */
static void prove(struct cli *cli, char name[PROOF_TEXT], struct archive_proof *ret) {
    const struct larder_answer *answer = NULL;
    *ret = (struct archive_proof){0};
    if (args_has(&cli->args, "no-proof"))
        return;
    int32_t status = write_proof(cli, name, ret, &answer);
    if (ret->tag.len == 0)
        fprintf(stderr, "larder export: no proof of its tag store: %s%s%s\n", larder_status_name(status),
                answer && *answer->detail ? ": " : "", answer ? answer->detail : "");
    larder_answer_unref(answer);
}

/* ---- entries --------------------------------------------------------------------------------------- */

static int failed(struct cli *cli, int32_t status) {
    return cli_failed(cli, status, "the archive cannot be written: %s",
                      status == LARDER_NOMEM ? "out of memory" : cli_errno());
}

static int write_entry(struct cli *cli, struct export *export, struct larder_bytes build,
                       const struct larder_answer *answer) {
    const bool gone = answer->verdict == LARDER_GONE && !export->gone;
    if (gone || !bytes_begin_with(answer->entry->key, export->prefix)) {
        export->n_left_out++;
        return CODE_DONE;
    }
    int32_t status = archive_put(&export->writer, build, answer->entry);
    progress_add(&export->progress, 1);
    if (status == LARDER_INVALID) { /* its texts are none: whoever stored it did so by another way */
        export->n_corrupt++;
        return CODE_DONE;
    }
    return status == LARDER_OK ? CODE_DONE : failed(cli, status);
}

/* For cli_each_key().  What is removed meanwhile is left out. */
static int export_one(struct cli *cli, const struct larder_listed *key, void *arg) {
    struct export *export = arg;
    if (!key->hashed && !bytes_begin_with(key->key, export->prefix))
        return CODE_DONE;
    const struct larder_answer *answer;
    struct larder_request request = {.code = LARDER_DO_GET,
                                     .flags = LARDER_F_ANY | LARDER_F_LISTED,
                                     .kind = key->kind,
                                     .build = key->build,
                                     .key = key->key};
    int32_t status = cli_call(cli, &request, &answer);
    int code = CODE_DONE;
    if (status == LARDER_CORRUPT)
        export->n_corrupt++;
    else if (status < 0)
        code = cli_failed_answer(cli, status, answer);
    else if (answer->entry)
        code = write_entry(cli, export, key->build, answer);
    larder_answer_unref(answer);
    return code;
}

static int write_all(struct cli *cli, struct export *export, FILE *file) {
    char name[PROOF_TEXT];
    struct archive_proof proof;
    struct listing listing;
    int code = cli_listing(cli, &listing);
    if (code != CODE_DONE)
        return code;
    prove(cli, name, &proof);
    int32_t status = archive_begin(&export->writer, file, &proof, clock_wall_ms());
    if (status == LARDER_OK) {
        progress_begin(&export->progress, "entries exported", false);
        code = cli_each_key(cli, &listing, export_one, export);
        progress_end(&export->progress);
        if (code != CODE_DONE)
            return code;
        status = archive_end(&export->writer);
    }
    return status == LARDER_OK ? CODE_DONE : failed(cli, status);
}

/* ---- the file ---------------------------------------------------------------------------------------- */

/* Under another name until it is whole: FILE is an archive, the one before or the new one. */
static int write_file(struct cli *cli, struct export *export, const char *path) {
    const size_t size = strlen(path) + sizeof ".part";
    char *part = malloc(size);
    if (part == NULL)
        return cli_failed(cli, LARDER_NOMEM, "out of memory");
    snprintf(part, size, "%s.part", path);
    FILE *file = fopen(part, "wb");
    int code = file ? write_all(cli, export, file)
                    : cli_failed(cli, LARDER_INTERNAL, "%s cannot be written: %s", part, cli_errno());
    if (file && fclose(file) != 0 && code == CODE_DONE)
        code = cli_failed(cli, LARDER_INTERNAL, "%s cannot be written: %s", part, cli_errno());
    if (file && code == CODE_DONE && rename(part, path) != 0)
        code = cli_failed(cli, LARDER_INTERNAL, "%s cannot be written: %s", path, cli_errno());
    if (file && code != CODE_DONE)
        unlink(part);
    free(part);
    return code;
}

/* Beside an archive on stdout it goes to stderr. */
static void tell(struct cli *cli, const struct export *export, FILE *to) {
    const struct archive_writer *writer = &export->writer;
    if (cli->json) {
        json_object(&cli->out, NULL);
        json_text(&cli->out, "status", "ok");
        json_number(&cli->out, "exported", (int64_t)writer->n_entries);
        json_number(&cli->out, "bytes", (int64_t)writer->n_bytes);
        json_number(&cli->out, "leftOut", (int64_t) export->n_left_out);
        json_number(&cli->out, "corrupt", (int64_t) export->n_corrupt);
        json_end(&cli->out);
        return;
    }
    fprintf(to, "%" PRIu64 " exported, %" PRIu64 " bytes\n", writer->n_entries, writer->n_bytes);
    if (export->n_corrupt)
        fprintf(to, "%" PRIu64 " left out: they could not be verified\n", export->n_corrupt);
}

static int run(struct cli *cli) {
    const char *path = cli->args.words[0], *prefix = args_value(&cli->args, "prefix");
    const bool piped = strcmp(path, "-") == 0;
    struct export export = {.gone = args_has(&cli->args, "gone")};
    if (piped && cli->json)
        return cli_usage(cli, "- writes the archive to stdout: leave --json out");
    if (piped && isatty(STDOUT_FILENO))
        return cli_usage(cli, "an archive is not for a terminal: name a file");
    int code = prefix ? cli_bytes(cli, prefix, &export.prefix) : CODE_DONE;
    if (code == CODE_DONE)
        code = cli_open_plain(cli);
    if (code == CODE_DONE)
        code = piped ? write_all(cli, &export, stdout) : write_file(cli, &export, path);
    if (code == CODE_DONE)
        tell(cli, &export, piped ? stderr : stdout);
    bytes_free(export.prefix);
    return code;
}

const struct command command_export = {
    .name = "export",
    .words = "FILE",
    .min_words = 1,
    .max_words = 1,
    .summary = "Write entries into an archive",
    .help = "FILE is an archive that `larder import` reads (docs/archive.md); - is stdout.  Entries of all "
            "kinds and\n"
            "builds, with their tags, epochs and bytes as they are stored; what is put meanwhile may be in "
            "it or not.\n"
            "Entries that are gone are left out.  FILE is there when it is whole.\n"
            "\n"
            "Marks of tags are not exported: what a revalidation means is known to its own tag store alone.  "
            "To find\n"
            "out whether it imports into that one, the export writes one mark, of a tag larder-archive-....\n"
            "\n"
            "Exit codes: 0 done; 2, 3 as larder --help says.\n"
            "\n"
            "Examples:\n"
            "  larder export cache.larder\n"
            "  larder export pages.larder --kind page --build \"$(cat .next/BUILD_ID)\"\n"
            "  larder export - | ssh other larder import -\n",
    .options = options,
    .run = run,
};
