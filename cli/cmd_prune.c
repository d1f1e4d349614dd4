/* larder prune: entries that nobody will ask for any more, or that are not wanted any longer. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "clock.h"
#include "flight.h"
#include "removal.h"

enum { IN_FLIGHT = 32, FLYING_BYTES = 64 << 20, ID_TEXT = 256 };

static const struct option options[] = {
    {"keep", "N", "of so many builds before the current one everything stays (1)"},
    {"keep-build", "ID", "of this build, too; may be repeated"},
    {"older-than", "TIME",
     "only what was rendered longer ago: 30d, 12h; of every build, unless --keep is given"},
    {"kind", "KIND", "only page, fetch, image or use-cache; of every build, unless --keep is given"},
    {"tag", "TAG",
     "only what carries it; of every build, unless --keep is given; may be repeated: any of them"},
    {"gone", NULL, "of what stays, too, what was revalidated since it was rendered"},
    {"inflight", "N", "requests on their way at once (32)"},
    {"dry-run", NULL, "only list them"},
    {NULL, NULL, NULL},
};

struct pruning {
    struct cli *cli;
    struct larder_bytes *keep; /* builds; each malloc()ed */
    size_t n_keep;
    struct larder_bytes *tags;
    size_t n_tags;
    struct larder_bytes current; /* one of keep, or empty */
    const struct larder_answer *builds;
    bool by_builds; /* entries of builds that are kept stay, whatever else holds */
    bool gone, dry_run;
    uint32_t kind;         /* 0: any */
    int64_t older_than_ms; /* rendered before this time of day; 0: whenever */
    struct progress progress;

    struct flight flight; /* its lock is that of what follows */
    uint64_t n_removed;
    bool failed;
    int32_t status;
    char detail[LARDER_ERROR_TEXT];
};

/* ---- which builds stay ------------------------------------------------------------------------------------- */

static bool is_kept(const struct pruning *pruning, struct larder_bytes build) {
    bool kept = bytes_equal(build, bytes_of_text("shared"));
    for (size_t i = 0; i < pruning->n_keep && !kept; i++)
        kept = bytes_equal(build, pruning->keep[i]);
    return kept;
}

static int keep(struct pruning *pruning, struct larder_bytes build) {
    if (is_kept(pruning, build))
        return CODE_DONE;
    struct larder_bytes *list = reallocarray(pruning->keep, pruning->n_keep + 1, sizeof *list);
    uint8_t *copy = list ? malloc(build.len) : NULL;
    if (list)
        pruning->keep = list;
    if (copy == NULL)
        return cli_failed(pruning->cli, LARDER_NOMEM, "out of memory");
    memcpy(copy, build.ptr, build.len);
    list[pruning->n_keep++] = (struct larder_bytes){copy, build.len};
    return CODE_DONE;
}

/* .next/BUILD_ID, of a build that lies here: it may be the next to be deployed. */
static int keep_built(struct pruning *pruning) {
    char id[ID_TEXT];
    FILE *file = fopen(".next/BUILD_ID", "rb");
    size_t len = file ? fread(id, 1, sizeof id, file) : 0;
    if (file)
        fclose(file);
    while (len > 0 && (id[len - 1] == '\n' || id[len - 1] == '\r'))
        len--;
    if (len == 0 || len == sizeof id)
        return CODE_DONE;
    return keep(pruning, (struct larder_bytes){(const uint8_t *)id, len});
}

static int keep_recorded(struct pruning *pruning, int64_t n_before) {
    struct larder_request request = {.code = LARDER_DO_BUILDS};
    int32_t status = cli_call(pruning->cli, &request, &pruning->builds);
    if (status == LARDER_INVALID || status == LARDER_UNSUPPORTED)
        return CODE_DONE; /* a store of another's layout has no place for the record */
    if (status != LARDER_OK)
        return cli_failed_answer(pruning->cli, status, pruning->builds);
    int code = CODE_DONE;
    for (size_t i = 0; i < pruning->builds->n_builds && (int64_t)i <= n_before && code == CODE_DONE; i++)
        code = keep(pruning, pruning->builds->builds[i].id);
    if (code == CODE_DONE && pruning->builds->n_builds > 0)
        pruning->current = pruning->builds->builds[0].id;
    return code;
}

static int find_kept(struct pruning *pruning, int64_t n_before) {
    int code = keep_recorded(pruning, n_before);
    if (code == CODE_DONE)
        code = keep_built(pruning);
    if (code == CODE_DONE && pruning->by_builds && pruning->n_keep == 0)
        return cli_usage(pruning->cli,
                         "the store has no record of builds, and there is no .next/BUILD_ID: say with "
                         "--keep-build which stay");
    return code;
}

/* What has nothing stored any more need not be known. */
static int forget_others(struct pruning *pruning) {
    int code = CODE_DONE;
    for (size_t i = 0; pruning->builds && i < pruning->builds->n_builds && code == CODE_DONE; i++) {
        const struct larder_answer *answer;
        struct larder_request request = {.code = LARDER_DO_NOTE_BUILD,
                                         .mode = LARDER_BUILD_FORGET,
                                         .build = pruning->builds->builds[i].id};
        if (is_kept(pruning, request.build))
            continue;
        int32_t status = cli_call(pruning->cli, &request, &answer);
        code = status >= 0 ? CODE_DONE : cli_failed_answer(pruning->cli, status, answer);
        larder_answer_unref(answer);
    }
    return code;
}

/* ---- one entry ------------------------------------------------------------------------------------------------ */

struct job {
    struct pruning *pruning;
    struct larder_listed key; /* points behind this */
    bool if_gone;             /* it stays, unless it is gone */
    uint8_t copies[];
};

static void over(struct job *job, int32_t status, const char *detail) {
    struct pruning *pruning = job->pruning;
    if (status < 0) {
        pthread_mutex_lock(&pruning->flight.lock);
        if (!pruning->failed) {
            pruning->status = status;
            snprintf(pruning->detail, sizeof pruning->detail, "%s", detail);
        }
        pruning->failed = true;
        pthread_mutex_unlock(&pruning->flight.lock);
    }
    free(job);
    flight_end(&pruning->flight, 0);
}

static void count(struct pruning *pruning) {
    pthread_mutex_lock(&pruning->flight.lock);
    pruning->n_removed++;
    pthread_mutex_unlock(&pruning->flight.lock);
}

static void was_removed(void *arg, const struct larder_answer *answer) {
    struct job *job = arg;
    if (answer->status >= 0)
        count(job->pruning);
    over(job, answer->status, answer->detail);
}

static void send_request(struct job *job, uint32_t code, uint32_t flags, larder_answer_fn *done) {
    const struct larder_request request = {.code = code,
                                           .flags = flags | LARDER_F_LISTED,
                                           .kind = job->key.kind,
                                           .build = job->key.build,
                                           .key = job->key.key,
                                           .deadline_ms = job->pruning->cli->timeout_ms};
    int32_t status = larder_submit(job->pruning->cli->store, &request, done, job);
    if (status != LARDER_OK)
        over(job, status, "the request was not taken");
}

static void show(struct pruning *pruning, const struct larder_listed *key) {
    if (pruning->cli->json)
        json_object(&pruning->cli->out, NULL);
    cli_print_key(pruning->cli, key);
    if (pruning->cli->json)
        json_end(&pruning->cli->out);
    else
        putchar('\n');
}

/* An entry that is written anew at this moment may be removed as well: that costs a rendering.  The
 * processes' memories are not told: what they have is no worse for it. */
static void take_out(struct job *job) {
    if (job->pruning->dry_run) {
        show(job->pruning, &job->key);
        count(job->pruning);
        over(job, LARDER_OK, "");
    } else {
        send_request(job, LARDER_DO_REMOVE, 0, was_removed);
    }
}

static bool carries(const struct larder_entry *entry, const struct pruning *pruning) {
    for (size_t i = 0; i < entry->n_tags; i++) {
        for (size_t k = 0; k < pruning->n_tags; k++) {
            if (bytes_equal(entry->tags[i], pruning->tags[k]))
                return true;
        }
    }
    return pruning->n_tags == 0;
}

static bool is_chosen(const struct job *job, const struct larder_answer *answer) {
    const struct pruning *pruning = job->pruning;
    const struct larder_entry *entry = answer->entry;
    if (entry == NULL)
        return false; /* somebody else removed it, or it cannot be verified */
    if (job->if_gone)
        return answer->verdict == LARDER_GONE;
    return carries(entry, pruning) &&
           (pruning->older_than_ms == 0 || entry->modified_ms < pruning->older_than_ms);
}

static void was_read(void *arg, const struct larder_answer *answer) {
    struct job *job = arg;
    if (answer->status < 0)
        over(job, answer->status, answer->detail);
    else if (is_chosen(job, answer))
        take_out(job);
    else
        over(job, LARDER_OK, "");
}

/* ---- all of them ---------------------------------------------------------------------------------------------- */

static struct job *job_new(struct pruning *pruning, const struct larder_listed *key, bool if_gone) {
    struct job *job = malloc(sizeof *job + key->build.len + key->key.len);
    if (job == NULL)
        return NULL;
    *job = (struct job){.pruning = pruning, .key = *key, .if_gone = if_gone};
    if (key->build.len > 0)
        memcpy(job->copies, key->build.ptr, key->build.len);
    if (key->key.len > 0)
        memcpy(job->copies + key->build.len, key->key.ptr, key->key.len);
    job->key.build.ptr = job->copies;
    job->key.key.ptr = job->copies + key->build.len;
    return job;
}

static int look_at(struct cli *cli, const struct larder_listed *key, void *arg) {
    struct pruning *pruning = arg;
    const bool stays = pruning->by_builds && is_kept(pruning, key->build);
    const bool must_read = stays || pruning->n_tags > 0 || pruning->older_than_ms > 0;
    if ((pruning->kind && key->kind != pruning->kind) || (stays && !pruning->gone))
        return CODE_DONE;
    struct job *job = job_new(pruning, key, stays);
    if (job == NULL)
        return cli_failed(cli, LARDER_NOMEM, "out of memory");
    flight_begin(&pruning->flight, 0);
    if (must_read)
        send_request(job, LARDER_DO_GET, LARDER_F_ANY, was_read);
    else
        take_out(job);
    pthread_mutex_lock(&pruning->flight.lock);
    bool failed = pruning->failed;
    pthread_mutex_unlock(&pruning->flight.lock);
    return failed ? CODE_STORE : CODE_DONE;
}

static void tell(struct pruning *pruning) {
    struct json *out = &pruning->cli->out;
    if (pruning->dry_run) {
        if (!pruning->cli->json)
            fprintf(stderr, "%" PRIu64 " would be removed\n", pruning->n_removed);
        return;
    }
    if (!pruning->cli->json) {
        printf("%" PRIu64 " removed\n", pruning->n_removed);
        return;
    }
    json_object(out, NULL);
    json_text(out, "status", "ok");
    json_number(out, "removed", (int64_t)pruning->n_removed);
    if (pruning->current.len > 0)
        json_bytes(out, "current", pruning->current);
    if (pruning->by_builds) {
        json_array(out, "kept");
        for (size_t i = 0; i < pruning->n_keep; i++)
            json_bytes(out, NULL, pruning->keep[i]);
        json_end(out);
    }
    json_end(out);
}

static int walk(struct pruning *pruning) {
    struct cli *cli = pruning->cli;
    struct listing listing = {.progress = &pruning->progress};
    progress_begin(&pruning->progress, "keys looked at", pruning->dry_run);
    int code = cli_each_key(cli, &listing, look_at, pruning);
    flight_wait(&pruning->flight);
    progress_end(&pruning->progress);
    if (pruning->failed)
        return cli_failed(cli, pruning->status, "after %" PRIu64 " were removed: %s%s%s", pruning->n_removed,
                          larder_status_name(pruning->status), *pruning->detail ? ": " : "", pruning->detail);
    if (code == CODE_DONE && pruning->by_builds && !pruning->dry_run && pruning->kind == 0 &&
        pruning->n_tags == 0 && pruning->older_than_ms == 0)
        code = forget_others(pruning);
    if (code == CODE_DONE)
        tell(pruning);
    return code;
}

/* --keep took ids of builds once. */
static int read_options(struct pruning *pruning, int64_t *n_before, int64_t *inflight) {
    struct cli *cli = pruning->cli;
    const char *written = args_value(&cli->args, "keep");
    int64_t age_ms = 0;
    if (written && strspn(written, "0123456789") != strlen(written))
        return cli_usage(cli, "--keep takes a number of builds; which ones stay is said with --keep-build");
    int code = cli_number(cli, "keep", LARDER_P_INT, 0, LARDER_MAX_BUILDS, n_before);
    if (code == CODE_DONE)
        code = cli_number(cli, "inflight", LARDER_P_INT, 1, 1000, inflight);
    if (code == CODE_DONE)
        code = cli_number(cli, "older-than", LARDER_P_MS, 1, INT64_C(3660) * 86400000, &age_ms);
    if (code == CODE_DONE)
        code = cli_kind(cli, 0, &pruning->kind);
    if (code == CODE_DONE)
        code = cli_bytes_list(cli, "tag", 0, &pruning->tags, &pruning->n_tags);
    if (code == CODE_DONE)
        code = cli_bytes_list(cli, "keep-build", 0, &pruning->keep, &pruning->n_keep);
    pruning->older_than_ms = age_ms ? clock_wall_ms() - age_ms : 0;
    const bool by_others = age_ms || pruning->kind || pruning->n_tags;
    pruning->by_builds = !by_others || written || pruning->n_keep > 0;
    if (code == CODE_DONE && pruning->gone && !pruning->by_builds)
        return cli_usage(cli, "--gone goes with builds that stay: give --keep as well");
    return code;
}

static int run(struct cli *cli) {
    struct pruning pruning = {
        .cli = cli, .gone = args_has(&cli->args, "gone"), .dry_run = args_has(&cli->args, "dry-run")};
    int64_t n_before = 1, inflight = IN_FLIGHT;
    int code = read_options(&pruning, &n_before, &inflight);
    if (code == CODE_DONE)
        code = cli_open_plain(cli);
    if (code == CODE_DONE)
        code = find_kept(&pruning, n_before);
    if (code == CODE_DONE) {
        flight_init(&pruning.flight, pruning.dry_run ? 1 : (size_t)inflight, FLYING_BYTES);
        code = walk(&pruning);
        flight_done(&pruning.flight);
    }
    larder_answer_unref(pruning.builds);
    bytes_list_free(pruning.keep, pruning.n_keep);
    bytes_list_free(pruning.tags, pruning.n_tags);
    return code;
}

const struct command command_prune = {
    .name = "prune",
    .words = "",
    .summary = "Remove entries of builds that are no more, or by age, kind or tag",
    .help =
        "Pages live under the id of the build that rendered them.  The store has a record of builds: `larder "
        "seed`\n"
        "and processes that start write there which one runs.  Without other options this removes the "
        "entries of\n"
        "all builds but the current one, the one before it, and the one in .next here; what builds share "
        "stays.\n"
        "--older-than, --kind and --tag choose entries of every build, and all given must hold; with --keep "
        "or\n"
        "--keep-build besides, only of builds that do not stay.\n"
        "\n"
        "It is safe while servers run: of a build that runs and was removed, pages are rendered once more.\n"
        "--older-than, --tag and --gone read the entries; without them keys are listed alone.\n"
        "\n"
        "Exit codes: 0 done; 2, 3 as larder --help says.\n"
        "\n"
        "Examples:\n"
        "  larder prune --dry-run\n"
        "  larder prune --keep 3 --keep-build canary\n"
        "  larder prune --older-than 30d --kind image\n"
        "  larder prune --tag campaign-2024\n"
        "  larder prune --gone\n",
    .options = options,
    .run = run,
};
