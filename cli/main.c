/* The program `larder`: options and the table of commands. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "help.h"

const struct option cli_options[] = {
    {"config", "FILE", "read this file, not larder.json (or what LARDER_CONFIG names)"},
    {"set", "NAME=VALUE", "a setting: namespace=shop, cache.max-size=1GB; may be repeated"},
    {"cache", "URL", "where entries are: fs:.next/cache/larder, redis://host, ./driver.so?name=value"},
    {"tags", "URL", "where tags are; without it, where entries are"},
    {"timeout", "TIME", "wait at most this long for each answer of the store (10s)"},
    {"json", NULL, "answer with JSON: one document, or one line for each item of a list"},
    {"verbose", NULL, "tell on stderr what the store and its drivers log"},
    {"help", NULL, "explain the program, or a command"},
    {NULL, NULL, NULL},
};

static const struct command *const commands[] = {
    &command_get,       &command_put,     &command_ls,         &command_rm,      &command_seed,
    &command_prune,     &command_tags,    &command_revalidate, &command_drivers, &command_config,
    &command_provision, &command_explain, &command_ping,       &command_doctor,  &command_stats,
    &command_top,       &command_bench,   &command_export,     &command_import,  &command_completion,
    &command_man,       &command_version,
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

const struct command *const *cli_commands(size_t *ret_n) {
    *ret_n = N_COMMANDS;
    return commands;
}

/* ---- parsing --------------------------------------------------------------------------------------- */

static const struct command *find_command(const char *name) {
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

static const struct option *find_in(const struct option *options, const char *name, size_t len) {
    for (const struct option *o = options; o && o->name; o++) {
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
    }
    return NULL;
}

enum { MAX_NAMES = 64 };

static size_t add_names(const struct option *options, const char *names[], size_t n) {
    for (const struct option *o = options; o && o->name && n < MAX_NAMES; o++)
        names[n++] = o->name;
    return n;
}

static int unknown_option(struct cli *cli, const char *name, size_t len) {
    const char *names[MAX_NAMES];
    size_t n = add_names(cli_options, names, 0);
    n = add_names(cli->command ? cli->command->options : NULL, names, n);
    char written[128];
    snprintf(written, sizeof written, "%.*s", (int)(len < 100 ? len : 100), name);
    const char *nearest = larder_nearest(written, names, n);
    return cli_usage(cli, "unknown option --%s%s%s%s", written, nearest ? ", did you mean --" : "",
                     nearest ? nearest : "", nearest ? "?" : "");
}

static int unknown_command(struct cli *cli, const char *name) {
    const char *names[N_COMMANDS];
    for (size_t i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i]->name;
    const char *nearest = larder_nearest(name, names, N_COMMANDS);
    for (size_t i = 0; i < N_COMMANDS && nearest == NULL && *name; i++) {
        if (strncmp(names[i], name, strlen(name)) == 0)
            nearest = names[i]; /* "reval" */
    }
    return cli_usage(cli, "unknown command '%s'%s%s%s", name, nearest ? ", did you mean '" : "",
                     nearest ? nearest : "", nearest ? "'?" : "");
}

const struct command *cli_command(struct cli *cli, const char *name) {
    const struct command *command = find_command(name);
    if (command == NULL)
        unknown_command(cli, name);
    return command;
}

/* --name, --name=value, --name value.  *at is moved past what was taken. */
static int take_option(struct cli *cli, int argc, char **argv, int *at) {
    const char *name = argv[*at] + 2;
    size_t len = strcspn(name, "=");
    const struct option *option = find_in(cli_options, name, len);
    if (option == NULL && cli->command)
        option = find_in(cli->command->options, name, len);
    if (option == NULL)
        return unknown_option(cli, name, len);
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    if (option->value == NULL && value)
        return cli_usage(cli, "--%s takes no value", option->name);
    if (option->value && value == NULL) {
        if (*at + 1 >= argc)
            return cli_usage(cli, "--%s takes a value: %s", option->name, option->value);
        value = argv[++*at];
    }
    cli->args.given[cli->args.n_given++] = (struct given){option, value};
    ++*at;
    return CODE_DONE;
}

static void give_help(struct cli *cli) {
    cli->args.given[cli->args.n_given++] = (struct given){find_in(cli_options, "help", 4), NULL};
}

static int take_word(struct cli *cli, const char *word) {
    if (cli->command) {
        cli->args.words[cli->args.n_words++] = word;
        return CODE_DONE;
    }
    /* "larder help get" is what people type. */
    if (strcmp(word, "help") == 0) {
        give_help(cli);
        return CODE_DONE;
    }
    cli->command = cli_command(cli, word);
    return cli->command ? CODE_DONE : CODE_USAGE;
}

static int parse(struct cli *cli, int argc, char **argv) {
    bool options = true;
    for (int at = 1; at < argc;) {
        const char *word = argv[at];
        int code = CODE_DONE;
        if (options && strcmp(word, "--") == 0) {
            options = false;
            at++;
        } else if (options && strncmp(word, "--", 2) == 0) {
            code = take_option(cli, argc, argv, &at);
        } else if (options && word[0] == '-' && word[1] != '\0') {
            if (strcmp(word, "-h") == 0)
                give_help(cli);
            else
                code = cli_usage(cli, "unknown option %s: options are words, such as --json", word);
            at++;
        } else {
            code = take_word(cli, word);
            at++;
        }
        if (code != CODE_DONE)
            return code;
    }
    return CODE_DONE;
}

static int check_words(struct cli *cli) {
    const struct command *command = cli->command;
    if (cli->args.n_words < command->min_words)
        return cli_usage(cli, "it takes %s", command->words);
    if (cli->args.n_words > command->max_words)
        return cli_usage(cli, "'%s' is one word too many%s%s", cli->args.words[command->max_words],
                         *command->words ? ": it takes " : "", command->words);
    return CODE_DONE;
}

static int run(struct cli *cli, int argc, char **argv) {
    /* Known before anything can fail, so that failures come as JSON too. */
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        cli->json = cli->json || strcmp(argv[i], "--json") == 0;
    int code = parse(cli, argc, argv);
    if (code != CODE_DONE)
        return code;
    if (args_has(&cli->args, "help") || argc == 1) {
        if (cli->command)
            help_command(cli->command);
        else
            help_program();
        return argc == 1 ? CODE_USAGE : CODE_DONE;
    }
    if (cli->command == NULL)
        return cli_usage(cli, "a command is missing");
    code = check_words(cli);
    return code == CODE_DONE ? cli->command->run(cli) : code;
}

int main(int argc, char **argv) {
    struct cli cli = {.out = {.file = stdout}};
    int code = CODE_STORE;
    if (!args_init(&cli.args, argc + 1))
        fputs("larder: out of memory\n", stderr);
    else
        code = run(&cli, argc, argv);
    larder_close(cli.store);
    larder_config_free(cli.config);
    args_done(&cli.args);
    /* A full disk behind "> file" shows only here. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("larder: the output could not be written\n", stderr);
        code = code == CODE_DONE ? CODE_STORE : code;
    }
    return code;
}
