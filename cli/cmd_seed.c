/* larder seed: the store filled with what a build prerendered. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "seed.h"

enum { MOST_IN_FLIGHT = 32, MOST_FLYING_BYTES = 64 << 20 };

static const struct option options[] = {
    {"build", "FOLDER", "the build output: .next if not given, or .open-next"},
    {"note", "FILE", "where the build's epoch was noted, if not in the build output"},
    {"begin", NULL, "before a build that will not reach the store: note the store's epoch for it"},
    {"trust", NULL,
     "take the store's present epoch: only where nothing was revalidated since the build began"},
    {"replace", NULL, "replace what is stored where it began to be rendered before this build"},
    {"inflight", "N", "entries on their way at once (32)"},
    {"dry-run", NULL, "only list what would be stored"},
    {NULL, NULL, NULL},
};

/* ---- what is to be seeded -------------------------------------------------------------------------------- */

static bool is_there(const char *dir, const char *name) {
    char *path = seed_path(dir, name);
    bool there = path && access(path, F_OK) == 0;
    free(path);
    return there;
}

/* The first line of dir/name; NULL: there is none.  malloc()ed. */
static char *read_line(const char *dir, const char *name) {
    enum { MOST = LARDER_MAX_BUILD_ID };
    char *path = seed_path(dir, name), *line = calloc(1, MOST + 1);
    FILE *file = path ? fopen(path, "rb") : NULL;
    if (line && file)
        line[fread(line, 1, MOST, file)] = '\0';
    if (file)
        fclose(file);
    free(path);
    if (line)
        line[strcspn(line, "\r\n")] = '\0';
    if (line && *line == '\0') {
        free(line);
        line = NULL;
    }
    return line;
}

/* {"name": "Next.js", "version": "16.4.6"}; Next.js writes it from 15 on. */
static uint32_t next_major(const char *dir) {
    char *text = read_line(dir, "diagnostics/framework.json");
    struct span root = {0};
    size_t at;
    unsigned long major = 14;
    if (text && span_document(bytes_of_text(text), &root, &at)) {
        struct span version = span_member(root, "version");
        if (version.type == SPAN_TEXT)
            major = strtoul((const char *)version.text.ptr + 1, NULL, 10);
    }
    free(text);
    return (uint32_t)major;
}

/* ---- its epoch -------------------------------------------------------------------------------------------- */

static int no_epoch(struct cli *cli, const char *why) {
    return cli_failed(
        cli, LARDER_MISS,
        "%s, so nobody can tell what was revalidated since, and nothing of it would be served; let "
        "`next build` reach this store, or run `larder seed --begin` before it, or give --trust if "
        "nothing was revalidated since the build began",
        why);
}

static int trust(struct seed *seed) {
    const struct larder_answer *answer;
    struct larder_request look = {.code = LARDER_DO_CHECK}, request = {.code = LARDER_DO_EPOCH};
    int32_t status = cli_call(seed->cli, &look, &answer); /* makes what a new store lacks */
    if (status == LARDER_OK) {
        larder_answer_unref(answer);
        status = cli_call(seed->cli, &request, &answer);
    }
    int code = status == LARDER_OK ? CODE_DONE : cli_failed_answer(seed->cli, status, answer);
    if (code == CODE_DONE)
        seed->epoch = answer->epoch;
    larder_answer_unref(answer);
    return code;
}

static int find_epoch(struct seed *seed, const char *note_path) {
    bool proven = false;
    if (args_has(&seed->cli->args, "trust"))
        return trust(seed);
    seed_note_read(note_path, &seed->note);
    if (seed->note.epoch == 0)
        return no_epoch(seed->cli, seed->note.at_ms ? "the store did not answer when the build began"
                                                    : "the build noted no epoch of a store");
    int code = seed_note_prove(seed->cli, &seed->note, &proven);
    if (code == CODE_DONE && !proven)
        code = no_epoch(seed->cli, "the build noted the epoch of another store or namespace");
    seed->epoch = seed->note.epoch;
    seed->at_ms = seed->note.at_ms;
    return code;
}

/* ---- what is there already ---------------------------------------------------------------------------------- */

static int add_present(struct cli *cli, const struct larder_listed *key, void *arg) {
    struct seed *seed = arg;
    if (!key->hashed && !hashes_add(&seed->present, hash_of(key->key)))
        return cli_failed(cli, LARDER_NOMEM, "out of memory");
    return CODE_DONE;
}

static bool can_list(struct cli *cli, struct larder_bytes build) {
    const struct larder_answer *answer;
    struct larder_request request = {.code = LARDER_DO_LIST, .kind = LARDER_PAGE, .build = build, .limit = 1};
    int32_t status = cli_call(cli, &request, &answer);
    larder_answer_unref(answer);
    return status != LARDER_UNSUPPORTED;
}

/* A build that was seeded, or served, before: one list spares sending again what is there.  A new one has
 * nothing.  A store that cannot list says of each entry whether it is there. */
static int note_build(struct seed *seed) {
    const struct larder_bytes build = bytes_of_text(seed->build);
    const struct larder_answer *answer;
    struct larder_request look = {.code = LARDER_DO_BUILDS},
                          note = {.code = LARDER_DO_NOTE_BUILD, .mode = LARDER_BUILD_CURRENT, .build = build};
    struct listing listing = {.build = build, .kind = LARDER_PAGE};
    bool known = false;
    int32_t status = cli_call(seed->cli, &look, &answer);
    int code = status == LARDER_OK ? CODE_DONE : cli_failed_answer(seed->cli, status, answer);
    for (size_t i = 0; code == CODE_DONE && i < answer->n_builds; i++)
        known = known || bytes_equal(answer->builds[i].id, build);
    larder_answer_unref(answer);
    if (code == CODE_DONE && known && !seed->replace && can_list(seed->cli, build))
        code = cli_each_key(seed->cli, &listing, add_present, seed);
    if (code != CODE_DONE || seed->dry_run)
        return code;
    status = cli_call(seed->cli, &note, &answer);
    /* A store of another's layout may have no place for the record. */
    if (status < 0 && status != LARDER_INVALID && status != LARDER_UNSUPPORTED)
        code = cli_failed_answer(seed->cli, status, answer);
    larder_answer_unref(answer);
    return code;
}

/* ---- telling ------------------------------------------------------------------------------------------------- */

static void tell_json(struct seed *seed) {
    struct json *out = &seed->cli->out;
    const struct seed_counts *counts = &seed->counts;
    json_object(out, NULL);
    json_text(out, "status", counts->failed || seed->stop ? "failed" : "ok");
    json_text(out, "build", seed->build);
    json_number(out, seed->dry_run ? "wouldSeed" : "seeded", (int64_t)counts->seeded);
    json_number(out, "present", (int64_t)counts->present);
    json_number(out, "gone", (int64_t)counts->gone);
    json_number(out, "older", (int64_t)counts->older);
    json_number(out, "missing", (int64_t)counts->missing);
    json_number(out, "failed", (int64_t)counts->failed);
    json_number(out, "bytes", (int64_t)counts->bytes);
    if (seed->n_complaints > 0) {
        json_array(out, "failures");
        for (size_t i = 0; i < seed->n_complaints; i++)
            json_text(out, NULL, seed->complaints[i]);
        json_end(out);
    }
    json_end(out);
}

static void tell_text(const struct seed *seed) {
    const struct seed_counts *counts = &seed->counts;
    FILE *to = seed->dry_run ? stderr : stdout; /* behind a list of keys */
    fprintf(to, "%" PRIu64 " %s, %" PRIu64 " were there already\n", counts->seeded,
            seed->dry_run ? "would be seeded" : "seeded", counts->present);
    if (counts->gone)
        fprintf(to, "%" PRIu64 " were revalidated since the build began: rendered when they are asked for\n",
                counts->gone);
    if (counts->older)
        fprintf(to,
                "%" PRIu64
                " may be older than the build's epoch: left out (were the files' times lost, or is "
                "cache/fetch-cache an earlier build's?)\n",
                counts->older);
    if (counts->missing)
        fprintf(to, "%" PRIu64 " are listed by the build and have no files: left out\n", counts->missing);
    for (size_t i = 0; i < seed->n_complaints; i++)
        fprintf(stderr, "larder seed: %s\n", seed->complaints[i]);
    if (counts->failed > seed->n_complaints)
        fprintf(stderr, "larder seed: and %" PRIu64 " more\n", counts->failed - seed->n_complaints);
}

static int tell(struct seed *seed, int code) {
    if (seed->cli->json)
        tell_json(seed);
    else
        tell_text(seed);
    if (seed->stop && !seed->cli->json)
        fprintf(stderr, "larder seed: stopped: %s%s%s; run it again: it goes on where it stopped\n",
                larder_status_name(seed->stop_status), *seed->stop_detail ? ": " : "", seed->stop_detail);
    if (seed->stop || code != CODE_DONE)
        return code == CODE_DONE ? CODE_STORE : code;
    return seed->counts.failed ? CODE_NEGATIVE : CODE_DONE;
}

/* ---- the command ----------------------------------------------------------------------------------------------- */

static int open_store(struct cli *cli, const char *dir) {
    struct larder_error error;
    if (cli->args.n_words > 0 && args_has(&cli->args, "cache"))
        return cli_usage(cli, "STORE and --cache say the same: give one");
    cli->next_dir = dir;
    int code = cli_configure(cli);
    if (code == CODE_DONE && cli->args.n_words > 0 &&
        larder_config_set(cli->config, "cache", cli->args.words[0], "the command line", &error) != LARDER_OK)
        code = cli_usage(cli, "%s", error.text);
    return code == CODE_DONE ? cli_open_plain(cli) : code;
}

/* root: the folder of an OpenNext build; NULL: it is one of Next.js. */
static int seed_all(struct seed *seed, const char *root, const char *note_path) {
    int code = find_epoch(seed, note_path);
    if (code == CODE_DONE)
        code = note_build(seed);
    if (code != CODE_DONE)
        return code;
    progress_begin(&seed->progress, "entries", seed->dry_run);
    code = root ? seed_walk_open(seed, root) : seed_walk_next(seed);
    flight_wait(&seed->flight);
    progress_end(&seed->progress);
    return code == CODE_DONE || seed->stop ? tell(seed, code) : code;
}

static int find_build(struct seed *seed, char **ret_root) {
    struct cli *cli = seed->cli;
    if (is_there(seed->dir, "BUILD_ID")) {
        seed->build = read_line(seed->dir, "BUILD_ID");
        seed->next_major = next_major(seed->dir);
    } else if ((seed->build = seed_open_build(seed->dir, ret_root)) != NULL) {
        char *next = seed_path(*ret_root, "../../.next");
        seed->next_major = next && is_there(next, "diagnostics") ? next_major(next) : 15;
        free(next);
    }
    if (seed->build == NULL)
        return cli_usage(
            cli,
            "%s holds no build: --build names the folder that `next build` writes (.next), or .open-next",
            seed->dir);
    return CODE_DONE;
}

static char *note_path_of(const struct seed *seed, const char *root) {
    const char *given = args_value(&seed->cli->args, "note");
    if (given)
        return strdup(given);
    return root ? seed_path(root, "../../.next/" SEED_NOTE_FILE) : seed_path(seed->dir, SEED_NOTE_FILE);
}

static int run(struct cli *cli) {
    const char *dir = args_value(&cli->args, "build");
    struct seed seed = {.cli = cli,
                        .dir = dir && *dir ? dir : ".next",
                        .dry_run = args_has(&cli->args, "dry-run"),
                        .replace = args_has(&cli->args, "replace")};
    int64_t inflight = MOST_IN_FLIGHT;
    char *root = NULL, *note_path = NULL;
    int code = cli_number(cli, "inflight", LARDER_P_INT, 1, 1000, &inflight);
    if (code == CODE_DONE && !args_has(&cli->args, "begin"))
        code = find_build(&seed, &root);
    if (code == CODE_DONE && (note_path = note_path_of(&seed, root)) == NULL)
        code = cli_failed(cli, LARDER_NOMEM, "out of memory");
    if (code == CODE_DONE)
        code = open_store(cli, seed.dir);
    if (code == CODE_DONE && args_has(&cli->args, "begin")) {
        code = seed_note_write(cli, note_path);
    } else if (code == CODE_DONE) {
        flight_init(&seed.flight, seed.dry_run ? 1 : (size_t)inflight, MOST_FLYING_BYTES);
        code = seed_all(&seed, root, note_path);
        flight_done(&seed.flight);
    }
    for (size_t i = 0; i < seed.n_complaints; i++)
        free(seed.complaints[i]);
    hashes_done(&seed.present);
    hashes_done(&seed.older_tags);
    free(seed.build);
    free(root);
    free(note_path);
    return code;
}

const struct command command_seed = {
    .name = "seed",
    .words = "[STORE]",
    .min_words = 0,
    .max_words = 1,
    .summary = "Store what a build prerendered",
    .help = "Next.js keeps what it prerendered in its build output and gives it to no cache.  This stores "
            "it, as the\n"
            "handlers for Next.js would: pages, route handlers and shells, with their lives and tags; and "
            "what was\n"
            "fetched for them, where the build had no cache handler.  So the first request of each is a hit, "
            "in every\n"
            "process.  STORE is a URL (fs:dir), as --cache; else the configured one.\n"
            "\n"
            "What is stored already stays, so it may be run again, and goes on where it was stopped.  The "
            "build becomes\n"
            "the current one, of which `larder prune` knows.\n"
            "\n"
            "What was revalidated since the build began is left out: the build noted the store's epoch then. "
            " A build\n"
            "that cannot reach the store needs `larder seed --begin` before it, where the store can be "
            "reached, or\n"
            "--trust.  docs/operations.md has a deploy, step by step.\n"
            "\n"
            "Exit codes: 0 done; 1 something could not be seeded, which is named, or the epoch is not known; "
            "2, 3 as\n"
            "larder --help says.\n"
            "\n"
            "Examples:\n"
            "  larder seed\n"
            "  larder seed --build apps/shop/.next dynamodb://shop-cache?region=eu-central-1\n"
            "  larder seed --begin && next build && larder seed\n",
    .options = options,
    .run = run,
};
