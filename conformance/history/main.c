/* The program larder-history: what it is asked for. */
#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "explain.h"
#include "run.h"

static const char help[] =
    "usage: larder-history run [options] URL     run processes on a store, then check what they saw\n"
    "       larder-history check PATH...         check histories (files, or a folder that --keep named)\n"
    "       larder-history show PATH...          print their records, one a line\n"
    "\n"
    "Many processes render, put, get and revalidate on one store at once, entries from other\n"
    "entries too, while they are paused, stopped, killed and replaced, their clocks are wrong and\n"
    "the tag store is lost.  Each call is recorded with its times.  The check then proves, from\n"
    "the records alone, that\n"
    "  - no get returned what was rendered before a revalidation that had completed before the\n"
    "    get began, nor anything built from it;\n"
    "  - every get returned what was put under its key, whole;\n"
    "  - what `expire` names is stale before its time, and gone after it;\n"
    "  - after quiet every key is a hit by its second get, also in a process that has just begun.\n"
    "\n"
    "  URL                     as in the configuration: fs:/tmp/x, memory:?name=x.  %t stands for a\n"
    "                          new folder that is removed at the end, also in commands\n"
    "  --tags URL              another store for the tags\n"
    "  --set NAME=VALUE        a setting of the store, again for more: --set epoch-age=100ms\n"
    "  --processes N           8; each with a store, and a clock, of its own\n"
    "  --threads N             2; workers on each of those stores\n"
    "  --in-process            the processes are groups of threads of one: for stores that processes\n"
    "                          cannot share.  One clock; nobody is killed or stopped\n"
    "  --ops N                 until so many calls were made\n"
    "  --seconds S             or so long: 5, with --ops 600\n"
    "  --seed N                what is decided comes from it; what comes of that, from the races\n"
    "  --revalidate PERMILLE   120: of a worker's steps\n"
    "  --revalidations-per-s N no limit: more than 1000 let the counter run ahead of the clock\n"
    "  --pauses none|some|long some: between any two steps\n"
    "  --hurry PERMILLE        0: calls whose caller gives up after a millisecond\n"
    "  --throw PERMILLE        30: renderings that end without a put\n"
    "  --faults PERMILLE       0: ops that fail, are late, happen twice or after their answer, lose\n"
    "                          their answer, give wrong bytes\n"
    "  --clocks S              0: clocks are wrong by up to so many seconds\n"
    "  --jump                  and are set anew every 100 ms\n"
    "  --cold                  processes end and begin anew, knowing nothing\n"
    "  --kill, --stop          processes are killed and replaced; stopped for up to 250 ms\n"
    "  --disturbed             something else disturbs the store: calls may fail\n"
    "  --wipe-tags CMD         a shell command that empties the tag store; `renamed`: no command, but\n"
    "                          other names for all marks and counters from then on\n"
    "  --snapshot CMD --rollback CMD\n"
    "                          commands that keep its state, and bring it back some time later\n"
    "  --lose-every MS         700: how often that happens\n"
    "  --no-excuse             report also what docs/semantics.md excepts when the tag store is lost\n"
    "  --quiet MS              1500: rest before the second gets: more than epoch-age; 0: none\n"
    "  --delay MS              0: a revalidation may be seen so much later: with --set mark-age=MS\n"
    "  --lossy                 the tag store says LARDER_LOSSY: an entry may be gone for a mark that was "
    "lost\n"
    "  --two-rounds            as if the driver could not raise the epoch and mark in one step\n"
    "  --tries N               1: runs, each with the next seed, until one finds something\n"
    "  --wrong NAME            make the store wrong on purpose, to see it found out; --wrong list\n"
    "  --keep DIR              leave the history in this new folder\n"
    "  --json                  the result as one JSON object\n"
    "\n"
    "Exit status: 0 it holds, 1 it does not (or a process failed), 2 it could not be tried.\n"
    "\n"
    "  larder-history run --kill --stop --cold --clocks 3600 --jump fs:%t/store\n"
    "  larder-history run --in-process --faults 20 --hurry 20 'memory:?name=x'\n"
    "  larder-history run --wipe-tags 'rm -f %t/store/marks' --revalidations-per-s 200 fs:%t/store\n";

enum {
    OPT_TAGS = 256,
    OPT_SET,
    OPT_PROCESSES,
    OPT_THREADS,
    OPT_IN_PROCESS,
    OPT_OPS,
    OPT_SECONDS,
    OPT_SEED,
    OPT_REVALIDATE,
    OPT_RATE,
    OPT_PAUSES,
    OPT_HURRY,
    OPT_THROW,
    OPT_FAULTS,
    OPT_CLOCKS,
    OPT_JUMP,
    OPT_COLD,
    OPT_KILL,
    OPT_STOP,
    OPT_DISTURBED,
    OPT_WIPE,
    OPT_SNAPSHOT,
    OPT_ROLLBACK,
    OPT_LOSE_EVERY,
    OPT_NO_EXCUSE,
    OPT_QUIET,
    OPT_LOSSY,
    OPT_TWO_ROUNDS,
    OPT_WRONG,
    OPT_TRIES,
    OPT_DELAY,
    OPT_KEEP,
    OPT_JSON,
    OPT_HELP
};

static const struct option options[] = {
    {"tags", required_argument, NULL, OPT_TAGS},
    {"set", required_argument, NULL, OPT_SET},
    {"processes", required_argument, NULL, OPT_PROCESSES},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"in-process", no_argument, NULL, OPT_IN_PROCESS},
    {"ops", required_argument, NULL, OPT_OPS},
    {"seconds", required_argument, NULL, OPT_SECONDS},
    {"seed", required_argument, NULL, OPT_SEED},
    {"revalidate", required_argument, NULL, OPT_REVALIDATE},
    {"revalidations-per-s", required_argument, NULL, OPT_RATE},
    {"pauses", required_argument, NULL, OPT_PAUSES},
    {"hurry", required_argument, NULL, OPT_HURRY},
    {"throw", required_argument, NULL, OPT_THROW},
    {"faults", required_argument, NULL, OPT_FAULTS},
    {"clocks", required_argument, NULL, OPT_CLOCKS},
    {"jump", no_argument, NULL, OPT_JUMP},
    {"cold", no_argument, NULL, OPT_COLD},
    {"kill", no_argument, NULL, OPT_KILL},
    {"stop", no_argument, NULL, OPT_STOP},
    {"disturbed", no_argument, NULL, OPT_DISTURBED},
    {"wipe-tags", required_argument, NULL, OPT_WIPE},
    {"snapshot", required_argument, NULL, OPT_SNAPSHOT},
    {"rollback", required_argument, NULL, OPT_ROLLBACK},
    {"lose-every", required_argument, NULL, OPT_LOSE_EVERY},
    {"no-excuse", no_argument, NULL, OPT_NO_EXCUSE},
    {"quiet", required_argument, NULL, OPT_QUIET},
    {"lossy", no_argument, NULL, OPT_LOSSY},
    {"two-rounds", no_argument, NULL, OPT_TWO_ROUNDS},
    {"tries", required_argument, NULL, OPT_TRIES},
    {"delay", required_argument, NULL, OPT_DELAY},
    {"wrong", required_argument, NULL, OPT_WRONG},
    {"keep", required_argument, NULL, OPT_KEEP},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

struct asked {
    struct run run;
    bool json;
    char temporary[64];   /* what %t stands for; "": not made yet */
    char made_folder[96]; /* of the history, in temporary */
    char names[192][WORLD_NAME];
};

static int usage(const char *what, const char *problem) {
    fprintf(stderr, "larder-history: %s%s\nlarder-history --help tells what there is\n", what, problem);
    return 2;
}

/* ---- reading the command line -------------------------------------------------------------- */

static bool read_number(const char *text, uint64_t most, uint64_t *ret) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value > most)
        return false;
    *ret = value;
    return true;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static bool make_temporary(struct asked *a) {
    const char *base = getenv("TMPDIR");
    if (a->temporary[0] != '\0')
        return true;
    int n = snprintf(a->temporary, sizeof(a->temporary), "%s/larder-history.XXXXXX",
                     base != NULL ? base : "/tmp");
    if (n < 0 || (size_t)n >= sizeof(a->temporary) || mkdtemp(a->temporary) == NULL) {
        a->temporary[0] = '\0';
        fprintf(stderr, "larder-history: no folder can be made in %s\n", base != NULL ? base : "/tmp");
        return false;
    }
    return true;
}

/* The text with %t replaced; kept until the program ends.  NULL: said why. */
static const char *expand(struct asked *a, const char *text) {
    char *out = NULL;
    size_t size;
    if (strstr(text, "%t") == NULL)
        return text;
    FILE *to = make_temporary(a) ? open_memstream(&out, &size) : NULL;
    if (to == NULL)
        return NULL;
    for (const char *p = text; *p != '\0'; p++) {
        bool here = p[0] == '%' && p[1] == 't';
        fputs(here ? a->temporary : (char[]){*p, '\0'}, to);
        p += here;
    }
    if (fclose(to) == 0)
        return out;
    free(out);
    return NULL;
}

static bool read_setting(struct run *run, char *text) {
    char *equals = strchr(text, '=');
    if (equals == NULL || run->n_settings == MAX_SETTINGS)
        return false;
    *equals = '\0';
    run->settings[run->n_settings][0] = text;
    run->settings[run->n_settings++][1] = equals + 1;
    return true;
}

static bool read_wrong(struct run *run, const char *name) {
    for (int i = 0; i < WRONG_N; i++) {
        if (strcmp(name, "list") == 0 && i != RIGHT)
            printf("%-12s %s\n", wrong_name((enum wrong)i), wrong_words((enum wrong)i));
        if (strcmp(name, wrong_name((enum wrong)i)) == 0) {
            run->wrong = (enum wrong)i;
            return true;
        }
    }
    if (strcmp(name, "list") == 0)
        exit(0);
    return false;
}

/* The options that are a number: where it goes, and what is most. */
static bool read_count(struct run *run, int option, const char *text, bool *ret_is_one) {
    uint64_t number = 0, most = option == OPT_OPS ? 100000000 : option == OPT_SEED ? UINT64_MAX : 1000000;
    unsigned *to = option == OPT_PROCESSES    ? &run->n_processes
                   : option == OPT_THREADS    ? &run->n_threads
                   : option == OPT_REVALIDATE ? &run->revalidate_permille
                   : option == OPT_RATE       ? &run->revalidations_per_s
                   : option == OPT_HURRY      ? &run->hurry_permille
                   : option == OPT_THROW      ? &run->throw_permille
                   : option == OPT_FAULTS     ? &run->fault_permille
                   : option == OPT_LOSE_EVERY ? &run->lose_every_ms
                   : option == OPT_QUIET      ? &run->quiet_ms
                   : option == OPT_TRIES      ? &run->tries
                   : option == OPT_DELAY      ? &run->head.delay_ms
                                              : NULL;
    *ret_is_one = to != NULL || option == OPT_OPS || option == OPT_SEED || option == OPT_SECONDS ||
                  option == OPT_CLOCKS;
    if (!*ret_is_one)
        return true;
    if (!read_number(text, most, &number))
        return false;
    if (option == OPT_OPS)
        run->ops = number;
    else if (option == OPT_SEED)
        run->seed = number;
    else if (option == OPT_SECONDS)
        run->seconds = (double)number;
    else if (option == OPT_CLOCKS)
        run->clock_s = (int64_t)number;
    else
        *to = (unsigned)number;
    return true;
}

static bool read_pauses(struct run *run, const char *text) {
    static const char *const names[] = {"none", "some", "long"};
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            run->pauses = i;
            return true;
        }
    }
    return false;
}

static bool read_option(struct asked *a, int option, char *text) {
    struct run *run = &a->run;
    bool counts, good = read_count(run, option, text, &counts);
    if (counts)
        return good;
    switch (option) {
    case OPT_TAGS: return (run->tags_url = expand(a, text)) != NULL;
    case OPT_SET: return read_setting(run, text);
    case OPT_PAUSES: return read_pauses(run, text);
    case OPT_WRONG: return read_wrong(run, text);
    case OPT_WIPE: return (run->wipe_tags = expand(a, text)) != NULL;
    case OPT_SNAPSHOT: return (run->snapshot = expand(a, text)) != NULL;
    case OPT_ROLLBACK: return (run->rollback = expand(a, text)) != NULL;
    case OPT_KEEP: run->folder = text; return true;
    case OPT_IN_PROCESS: run->in_process = true; return true;
    case OPT_JUMP: run->jump = true; return true;
    case OPT_COLD: run->cold = true; return true;
    case OPT_KILL: run->kill = true; return true;
    case OPT_STOP: run->stop = true; return true;
    case OPT_LOSSY: run->head.lossy = 1; return true;
    case OPT_TWO_ROUNDS: run->two_rounds = true; return true;
    case OPT_DISTURBED: run->disturbed = true; return true;
    case OPT_NO_EXCUSE: run->no_excuse = true; return true;
    case OPT_JSON: a->json = true; return true;
    default: return false;
    }
}

static const char *what_does_not_fit(const struct run *run) {
    if (run->n_processes < 1 || run->n_processes + COLD_AT_THE_END > MAX_SLOTS - 1)
        return "--processes: 1 to 60";
    if (run->n_threads < 1 || run->n_threads > MAX_THREADS)
        return "--threads: 1 to 16";
    if ((run->snapshot == NULL) != (run->rollback == NULL))
        return "--snapshot and --rollback belong together";
    if (run->in_process && (run->kill || run->stop))
        return "--in-process: there is nothing to kill or to stop";
    if (run->jump && run->clock_s == 0)
        return "--jump: by how much? --clocks S";
    if (run->tries < 1 || (run->tries > 1 && run->folder != NULL))
        return "--tries: at least 1, and one alone with --keep";
    if (run->lose_every_ms < 10)
        return "--lose-every: at least 10 ms";
    if (run->wrong != RIGHT && run->fault_permille > 0)
        return "--wrong and --faults: a fault may hide what is wrong";
    return NULL;
}

/* How to do the same again: the seed is part of it. */
static void write_command(struct run *run, int argc, char **argv) {
    char *to = run->head.command;
    size_t at = 0;
    int n = snprintf(to, COMMAND_MAX, "larder-history run --seed %" PRIu64, run->seed);
    for (int i = 2; i < argc && n >= 0 && (at += (size_t)n) < COMMAND_MAX; i++) {
        bool ours = strcmp(argv[i], "--seed") == 0 || strcmp(argv[i], "--tries") == 0;
        if (ours || strncmp(argv[i], "--seed=", 7) == 0) {
            i += ours;
            n = 0;
            continue;
        }
        const char *quote = strpbrk(argv[i], " ?&*$;'\"|<>()") != NULL ? "'" : "";
        n = snprintf(to + at, COMMAND_MAX - at, " %s%s%s", quote, argv[i], quote);
    }
    to[COMMAND_MAX - 1] = '\0';
}

static void name_world(struct asked *a) {
    struct run *run = &a->run;
    size_t n = 0;
    run->head.world = (struct world){.n_data = 8, .n_mids = 4, .n_pages = 4};
    for (unsigned key = 0; key < world_n_keys(&run->head.world); key++, n++)
        run->keys[key] = (struct larder_bytes){(const uint8_t *)a->names[n],
                                               world_key_name(&run->head.world, key, a->names[n])};
    for (unsigned tag = 0; tag < world_n_tags(&run->head.world); tag++, n++)
        run->tags[tag] = (struct larder_bytes){(const uint8_t *)a->names[n],
                                               world_tag_name(&run->head.world, tag, a->names[n])};
}

static int64_t right_time_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A new one for each try, unless one was named. */
static bool make_folder(struct asked *a, unsigned try) {
    if (a->run.folder == NULL) {
        if (!make_temporary(a))
            return false;
        snprintf(a->made_folder, sizeof(a->made_folder), "%s/history-%u", a->temporary, try);
        a->run.folder = a->made_folder;
    }
    if (mkdir(a->run.folder, 0755) == 0)
        return true;
    fprintf(stderr, "larder-history: %s: %s\n", a->run.folder, strerror(errno)); /* lint: one thread */
    return false;
}

/* The drivers that were built, or installed, with this program are found without a word. */
static void look_beside(void) {
    char program[2048], path[8192];
    const char *given = getenv("LARDER_DRIVER_PATH");
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (len <= 0)
        return;
    program[len] = '\0';
    char *slash = strrchr(program, '/');
    if (slash == NULL)
        return;
    *slash = '\0';
    snprintf(path, sizeof(path), "%.3000s:%s/../lib/larder:%s/../%s/larder", given != NULL ? given : "",
             program, program, HISTORY_LIBDIR);
    setenv("LARDER_DRIVER_PATH", path, 1);
}

/* Loads the drivers, here where there are no threads, so that a wrong word is said once. */
static bool check_settings(const struct run *run) {
    struct larder_config *config = larder_config_new();
    struct larder_error error = {0};
    int32_t status = group_configure(run, config, &error);
    if (status == LARDER_OK)
        status = larder_config_check(config, &error);
    larder_config_free(config);
    if (status != LARDER_OK)
        fprintf(stderr, "larder-history: %s\n", error.text);
    return status == LARDER_OK;
}

/* ---- the commands ----------------------------------------------------------------------------- */

static void print_violations(const struct history *h, const struct check_result *result) {
    enum { SHOWN = 5 };
    for (uint64_t i = 0; i < result->n_found && i < SHOWN; i++) {
        printf("\n");
        explain(stdout, h, &result->found[i], result->first_ns);
    }
    if (violations_of(result) > SHOWN)
        printf("\n... the first %d of %" PRIu64 "\n", SHOWN, violations_of(result));
    for (size_t f = 0; f < h->n_files && violations_of(result) > 0; f++) {
        if (h->files[f].head == NULL)
            continue;
        printf("\nto repeat: %s\n", h->files[f].head->command);
        break;
    }
}

static int check(const char *const *paths, size_t n, const struct check_options *how, bool json) {
    struct history h;
    struct check_result result;
    char error[256];
    if (!history_open(&h, paths, n, error)) {
        fprintf(stderr, "larder-history: %s\n", error);
        return 2;
    }
    int64_t began_ns = monotonic_ns();
    if (!check_history(&h, how, &result, error)) {
        fprintf(stderr, "larder-history: %s\n", error);
        history_close(&h);
        return 2;
    }
    if (json) {
        explain_json(stdout, &h, &result);
    } else {
        explain_result(stdout, &result);
        printf("checked in %.2f s\n", (double)(monotonic_ns() - began_ns) / 1e9);
        print_violations(&h, &result);
    }
    int status = violations_of(&result) > 0;
    if (result.n_fresh == 0 || result.n_revalidations == 0) {
        fprintf(stderr, "larder-history: nothing was proven: no hit, or no revalidation\n");
        status = 1;
    }
    history_close(&h);
    return status;
}

static int run_once(const struct asked *a) {
    const struct run *run = &a->run;
    if (!a->json)
        printf("seed %" PRIu64 "\n", run->seed);
    int status = supervise(run);
    int checked = check(&run->folder, 1, &(struct check_options){.no_excuse = run->no_excuse}, a->json);
    return status != 0 ? status : checked;
}

static int run_command(int argc, char **argv, struct asked *a) {
    struct run *run = &a->run;
    int option;
    optind = 2;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == '?')
            return 2;
        if (option == OPT_HELP) {
            fputs(help, stdout);
            return 0;
        }
        if (!read_option(a, option, optarg))
            return usage(optarg != NULL ? optarg : "", " is no value for this option");
    }
    if (optind + 1 != argc)
        return usage("one URL of a store, please", "");
    if ((run->url = expand(a, argv[optind])) == NULL)
        return 2;
    const char *unfit = what_does_not_fit(run);
    if (unfit != NULL)
        return usage(unfit, "");
    if (run->seconds == 0)
        run->seconds = run->ops > 0 ? 600 : 5;
    run->head.wall_base_ms = right_time_ms() - monotonic_ns() / 1000000;
    run->head.calm = run->fault_permille == 0 && run->hurry_permille == 0 && !run->kill && !run->stop &&
                     !run->disturbed && run->wipe_tags == NULL && run->rollback == NULL;
    int status = 0;
    const char *keep = run->folder;
    for (unsigned i = 0; i < run->tries && status == 0; i++, run->seed++) {
        run->folder = keep;
        run->head.seed = run->seed;
        snprintf(run->ns, sizeof(run->ns), "history-%" PRIu64 "-%ld-%u", run->seed, (long)getpid(), i);
        write_command(run, argc, argv);
        status = check_settings(run) && make_folder(a, i) ? run_once(a) : 2;
    }
    return status;
}

static int show(const char *const *paths, size_t n) {
    struct history h;
    char error[256];
    int64_t start_ns = INT64_MAX;
    if (!history_open(&h, paths, n, error)) {
        fprintf(stderr, "larder-history: %s\n", error);
        return 2;
    }
    for (size_t f = 0; f < h.n_files; f++)
        if (h.files[f].n > 0 && h.files[f].records[0].begin_ns < start_ns)
            start_ns = h.files[f].records[0].begin_ns;
    for (size_t f = 0; f < h.n_files; f++)
        for (size_t at = 0; at < h.files[f].n; at++)
            explain_record(stdout, &h, (struct place){(uint32_t)f, (uint32_t)at}, start_ns);
    history_close(&h);
    return 0;
}

int main(int argc, char **argv) {
    static struct asked asked;
    asked.run = (struct run){.n_processes = 8,
                             .n_threads = 2,
                             .seed = (uint64_t)time(NULL),
                             .revalidate_permille = 120,
                             .throw_permille = 30,
                             .pauses = 1,
                             .lose_every_ms = 700,
                             .quiet_ms = 1500,
                             .tries = 1};
    name_world(&asked);
    look_beside();
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        fputs(help, argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    if (strcmp(argv[1], "run") == 0) {
        int status = run_command(argc, argv, &asked);
        if (asked.temporary[0] != '\0')
            nftw(asked.temporary, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        return status;
    }
    const char *const *paths = (const char *const *)(argv + 2);
    if (argc < 3)
        return usage(argv[1], ": which history?");
    if (strcmp(argv[1], "check") == 0) {
        bool json = strcmp(paths[0], "--json") == 0;
        return check(paths + json, (size_t)(argc - 2 - json), &(struct check_options){0}, json);
    }
    if (strcmp(argv[1], "show") == 0)
        return show(paths, (size_t)argc - 2);
    return usage(argv[1], " is neither run, check nor show");
}
