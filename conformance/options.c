#include "options.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "phrase.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { PATIENCE_MS = 30000 };
#else
enum { PATIENCE_MS = 10000 };
#endif

struct options options = {.n_keys = 10000, .n_inflight = 4000, .model_ops = 1000, .patience_ms = PATIENCE_MS};

static const char usage[] = "usage: larder-conform [OPTION...] DRIVER [NAME=VALUE...]\n";

static const char help[] =
    "\n"
    "Tries a storage driver on all that larder/driver.h asks of it, and says what it supports, what it\n"
    "claims and what failed, each with the command that repeats it.\n"
    "\n"
    "  DRIVER       ./my-driver.so, a name (fs), or a URL as in the configuration (fs:%t/store)\n"
    "  NAME=VALUE   its settings.  %t in a text is a fresh folder, removed at the end\n"
    "\n"
    "The settings must make two instances see one store: two are open throughout.  Every test has keys\n"
    "of its own, so a store may be used again; but use none whose contents matter.\n"
    "\n"
    "Which tests\n"
    "  --list             name the tests and stop\n"
    "  --only PATTERN     only tests whose theme/name matches (a part of it, or * and ?); repeatable\n"
    "  --seed N           other random choices (default 1, so that a run can be repeated); random: new ones\n"
    "  --replay TEXT      one sequence of operations, as the model theme printed it\n"
    "  --model-ops N      at least so many operations in each test of the model theme (default 1000)\n"
    "  --time-limit TIME  end after that long (30s, 5min); what is left then counts as not tried\n"
    "  --patience TIME    how long nothing at all may happen before an op counts as never completed\n"
    "  --keys N           how many keys the tests of paging use (default 10000)\n"
    "  --inflight N       how many ops are under way at once (default 4000)\n"
    "\n"
    "What is tried\n"
    "  --layer NAME       a layer of the core above the driver; repeatable, the lowest first\n"
    "  --readme FILE      the driver's README: each setting must be in a table there\n"
    "\n"
    "Commands that do to the store what a driver cannot, for sh -c.  Each is told in LARDER_STEP which\n"
    "step it is; a test that needs one that is not given is \"not claimed\".\n"
    "  --before CMD       before anything else; --after CMD at the end\n"
    "  --cut CMD          put the store out of reach\n"
    "  --restart CMD      stop it and start it again, in reach again\n"
    "  --wipe-tags CMD    lose the marks and counters, keep the entries\n"
    "  --rollback CMD     LARDER_STEP=save: remember marks and counters; =rollback: put those back\n"
    "\n"
    "What comes out\n"
    "  --tap, --json, --markdown   on standard output, instead of lines for people; or --format NAME\n"
    "  --junit FILE       JUnit XML, besides\n"
    "  --verbose          what the driver prints is shown as it comes\n"
    "\n"
    "Exit status: 0 all that the driver claims holds; 1 something does not; 2 it could not be tried.\n"
    "\n"
    "  larder-conform ./my-driver.so url=127.0.0.1:7000\n"
    "  larder-conform --only marks 'fs:%t/store?fsync=full'\n"
    "  larder-conform --cut './server stop' --restart './server start' ./my-driver.so url=127.0.0.1:7000\n";

void options_help(void) {
    fputs(usage, stdout);
    fputs(help, stdout);
}

/* ---- values ---------------------------------------------------------------------------- */

static bool read_number(const char *value, uint64_t *ret) {
    char *end;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    if (end == value || *end != '\0' || errno != 0 || value[0] == '-')
        return false;
    *ret = n;
    return true;
}

static bool read_unsigned(const char *value, void *ret) {
    uint64_t n;
    if (!read_number(value, &n) || n == 0 || n > 10000000)
        return false;
    *(unsigned *)ret = (unsigned)n;
    return true;
}

static uint64_t fresh_seed(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_nsec ^ ((uint64_t)now.tv_sec << 20) ^ (uint64_t)getpid()) % 1000000000;
}

static bool read_seed(const char *value, void *ret) {
    options.seed_given = true;
    if (strcmp(value, "random") == 0)
        *(uint64_t *)ret = fresh_seed();
    else
        options.seed_given = read_number(value, ret);
    return options.seed_given;
}

static bool read_text(const char *value, void *ret) {
    *(const char **)ret = value;
    return true;
}

static bool read_time(const char *value, void *ret) {
    static const struct larder_param time = {
        .name = "time", .type = LARDER_P_MS, .min = 1, .max = INT64_C(24) * 3600 * 1000};
    struct larder_error error;
    int64_t ms;
    if (larder_param_read(&time, value, &ms, &error) != LARDER_OK)
        return false;
    *(uint32_t *)ret = (uint32_t)ms;
    return true;
}

static bool read_format(const char *value, void *ret) {
    static const char *const names[N_FORMATS] = {"console", "tap", "json", "markdown"};
    for (size_t i = 0; i < N_FORMATS; i++) {
        if (strcmp(names[i], value) == 0) {
            *(enum format *)ret = (enum format)i;
            return true;
        }
    }
    return false;
}

static bool add_only(const char *value, void *ret) {
    (void)ret;
    if (options.n_only == MAX_ONLY)
        return false;
    options.only[options.n_only++] = value;
    return true;
}

static bool add_layer(const char *value, void *ret) {
    (void)ret;
    if (options.n_layers == MAX_LAYERS)
        return false;
    options.layers[options.n_layers++] = value;
    return true;
}

/* ---- the table ------------------------------------------------------------------------------ */

static const struct option {
    const char *name;
    bool (*read)(const char *value, void *ret); /* NULL: a switch */
    void *ret;
    const char *takes;
} known[] = {
    {"--help", NULL, &options.help, NULL},
    {"--list", NULL, &options.list, NULL},
    {"--verbose", NULL, &options.verbose, NULL},
    {"--only", add_only, NULL, "a pattern"},
    {"--layer", add_layer, NULL, "the name of a layer"},
    {"--seed", read_seed, &options.seed, "a number, or `random`"},
    {"--replay", read_text, &options.replay, "a text that the model theme printed"},
    {"--model-ops", read_unsigned, &options.model_ops, "a number"},
    {"--keys", read_unsigned, &options.n_keys, "a number"},
    {"--inflight", read_unsigned, &options.n_inflight, "a number"},
    {"--time-limit", read_time, &options.time_limit_ms, "a time: 30s, 5min"},
    {"--patience", read_time, &options.patience_ms, "a time: 2s, 1min"},
    {"--readme", read_text, &options.readme, "a file"},
    {"--before", read_text, &options.before, "a command"},
    {"--after", read_text, &options.after, "a command"},
    {"--cut", read_text, &options.hooks[HOOK_CUT], "a command"},
    {"--restart", read_text, &options.hooks[HOOK_RESTART], "a command"},
    {"--wipe-tags", read_text, &options.hooks[HOOK_WIPE_TAGS], "a command"},
    {"--rollback", read_text, &options.hooks[HOOK_ROLLBACK], "a command"},
    {"--format", read_format, &options.format, "console, tap, json or markdown"},
    {"--junit", read_text, &options.junit, "a file"},
    {"--child", read_text, &options.child, "a role"},
    {"--key", read_text, &options.child_key, "a key"},
};

static const char *const format_switches[N_FORMATS] = {"", "--tap", "--json", "--markdown"};

static bool is_format_switch(const char *arg) {
    for (size_t i = 1; i < N_FORMATS; i++) {
        if (strcmp(arg, format_switches[i]) == 0) {
            options.format = (enum format)i;
            return true;
        }
    }
    return false;
}

static bool refuse_unknown(const char *arg) {
    const char *names[N_ELEMENTS(known)];
    for (size_t i = 0; i < N_ELEMENTS(known); i++)
        names[i] = known[i].name;
    const char *nearest = larder_nearest(arg, names, N_ELEMENTS(known));
    fprintf(stderr, "larder-conform: unknown option %s%s%s%s; --help lists them\n", arg,
            nearest ? ", did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    return false;
}

/* Moves *at behind the option and its value, which may be joined by "=". */
static bool read_option(int argc, char **argv, int *at) {
    char *arg = argv[(*at)++];
    char *eq = strchr(arg, '=');
    size_t len = eq ? (size_t)(eq - arg) : strlen(arg);
    if (!eq && is_format_switch(arg))
        return true;
    for (size_t i = 0; i < N_ELEMENTS(known); i++) {
        const struct option *o = &known[i];
        if (strlen(o->name) != len || memcmp(o->name, arg, len) != 0)
            continue;
        if (!o->read && !eq) {
            *(bool *)o->ret = true;
            return true;
        }
        const char *value = eq ? eq + 1 : *at < argc ? argv[(*at)++] : NULL;
        if (o->read && value && o->read(value, o->ret))
            return true;
        if (!o->read)
            fprintf(stderr, "larder-conform: %s takes no value\n", o->name);
        else
            fprintf(stderr, "larder-conform: %s takes %s%s%s%s\n", o->name, o->takes, value ? ", not '" : "",
                    value ? value : "", value ? "'" : "");
        return false;
    }
    return refuse_unknown(arg);
}

bool options_parse(int argc, char **argv) {
    options.seed = 1;
    options.program = argv[0];
    bool only_words = false;
    for (int at = 1; at < argc;) {
        const char *arg = argv[at];
        if (!only_words && strcmp(arg, "--") == 0) {
            only_words = true;
            at++;
        } else if (!only_words && (strncmp(arg, "--", 2) == 0 || strcmp(arg, "-h") == 0)) {
            if (strcmp(arg, "-h") == 0) {
                options.help = true;
                at++;
            } else if (!read_option(argc, argv, &at)) {
                return false;
            }
        } else if (!options.driver) {
            options.driver = argv[at++];
        } else if (!strchr(arg, '=') || arg[0] == '=' || options.n_settings == MAX_SETTINGS) {
            fprintf(stderr, "larder-conform: '%s' is no setting of the driver: NAME=VALUE\n", arg);
            return false;
        } else {
            options.settings[options.n_settings++] = argv[at++];
        }
    }
    if (!options.driver && !options.help && !options.list) {
        fprintf(stderr, "%s--help says more\n", usage);
        return false;
    }
    return true;
}

/* ---- %t --------------------------------------------------------------------------------------- */

static bool make_folder(void) {
    const char *base = getenv("TMPDIR");
    snprintf(options.folder, sizeof(options.folder), "%.40s/larder-conform-XXXXXX", base ? base : "/tmp");
    if (mkdtemp(options.folder))
        return true;
    fprintf(stderr, "larder-conform: cannot make a folder in %s: %s\n", base ? base : "/tmp",
            errno_text(errno));
    options.folder[0] = '\0';
    return false;
}

/* The text with the folder in it; lives as long as the program. */
static bool fill(const char **text) {
    if (!*text || !strstr(*text, "%t"))
        return true;
    if (!options.folder[0] && !make_folder())
        return false;
    size_t holes = 0;
    for (const char *at = *text; (at = strstr(at, "%t")); at += 2)
        holes++;
    size_t size = strlen(*text) + holes * strlen(options.folder) + 1;
    char *filled = malloc(size);
    if (!filled) {
        fprintf(stderr, "larder-conform: out of memory\n");
        return false;
    }
    struct phrase phrase = phrase_begin(filled, size);
    const char *at = *text, *hole;
    for (; (hole = strstr(at, "%t")); at = hole + 2)
        phrase_add(&phrase, "%.*s%s", (int)(hole - at), at, options.folder);
    phrase_add(&phrase, "%s", at);
    *text = filled;
    return true;
}

/* What is said by the person, for options_command(). */
static struct options said;

bool options_fill(void) {
    options.hooks[HOOK_SAVE] = options.hooks[HOOK_ROLLBACK];
    said = options;
    bool ok = fill(&options.driver) && fill(&options.before) && fill(&options.after);
    for (size_t i = 0; i < options.n_settings && ok; i++)
        ok = fill(&options.settings[i]);
    for (size_t i = 0; i < N_HOOKS && ok; i++)
        ok = fill(&options.hooks[i]);
    return ok;
}

static int remove_path(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void forget(const char *filled, const char *as_said) {
    if (filled != as_said)
        free((void *)(uintptr_t)filled);
}

void options_done(void) {
    if (options.folder[0])
        nftw(options.folder, remove_path, 16, FTW_DEPTH | FTW_PHYS);
    forget(options.driver, said.driver);
    forget(options.before, said.before);
    forget(options.after, said.after);
    for (size_t i = 0; i < options.n_settings; i++)
        forget(options.settings[i], said.settings[i]);
    for (size_t i = 0; i < N_HOOKS; i++)
        forget(options.hooks[i], said.hooks[i]);
}

/* ---- how to run it again -------------------------------------------------------------------- */

static void add_word(struct phrase *line, const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,%+@";
    if (line->len > 0)
        phrase_add(line, " ");
    if (word[0] && word[strspn(word, plain)] == '\0') {
        phrase_add(line, "%s", word);
        return;
    }
    phrase_add(line, "'");
    for (const char *at = word; *at; at++)
        phrase_add(line, *at == '\'' ? "'\\''" : "%c", *at);
    phrase_add(line, "'");
}

static void add_option(struct phrase *line, const char *name, const char *value) {
    if (value) {
        add_word(line, name);
        add_word(line, value);
    }
}

void options_command(const char *only, char *out, size_t size) {
    struct phrase line = phrase_begin(out, size);
    char number[24];
    add_word(&line, said.program);
    snprintf(number, sizeof(number), "%" PRIu64, said.seed);
    add_option(&line, "--seed", number);
    add_option(&line, "--only", only);
    for (size_t i = 0; i < said.n_only && !only; i++)
        add_option(&line, "--only", said.only[i]);
    if (said.n_keys != 10000) {
        snprintf(number, sizeof(number), "%u", said.n_keys);
        add_option(&line, "--keys", number);
    }
    if (said.n_inflight != 4000) {
        snprintf(number, sizeof(number), "%u", said.n_inflight);
        add_option(&line, "--inflight", number);
    }
    if (said.model_ops != 1000) {
        snprintf(number, sizeof(number), "%u", said.model_ops);
        add_option(&line, "--model-ops", number);
    }
    for (size_t i = 0; i < said.n_layers; i++)
        add_option(&line, "--layer", said.layers[i]);
    add_option(&line, "--readme", said.readme);
    for (size_t i = 0; i < N_ELEMENTS(known); i++) {
        const char *const *text = known[i].ret;
        for (size_t k = 0; k < N_HOOKS; k++) {
            if (text == &options.hooks[k])
                add_option(&line, known[i].name, said.hooks[k]);
        }
    }
    add_option(&line, "--before", said.before);
    add_option(&line, "--after", said.after);
    add_word(&line, said.driver);
    for (size_t i = 0; i < said.n_settings; i++)
        add_word(&line, said.settings[i]);
}
