/* larder completion: scripts for shells, made of the tables of commands, options, settings and drivers. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* ---- what a word can be ------------------------------------------------------------------------------ */

static char colon[] = ":";

enum values { ANYTHING, FILES, KINDS, DRIVERS, URLS, SETTINGS, COMMANDS, SHELLS };

/* By what the help calls it. */
static enum values values_of(const char *placeholder) {
    static const struct {
        const char *name;
        enum values values;
    } rows[] = {{"FILE", FILES}, {"FOLDER", FILES},        {"KIND", KINDS},         {"[NAME]", DRIVERS},
                {"URL", URLS},   {"NAME=VALUE", SETTINGS}, {"[COMMAND]", COMMANDS}, {"SHELL", SHELLS}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(placeholder, rows[i].name) == 0)
            return rows[i].values;
    return ANYTHING;
}

static void print_driver(void *arg, const char *path, const struct larder_driver *driver,
                         const struct larder_error *error) {
    const char *end = arg;
    (void)path;
    (void)error;
    if (driver)
        printf(" %s%s", driver->name, end);
}

static void print_params(const char *before, const struct larder_param *params, size_t n) {
    for (size_t i = 0; i < n; i++)
        printf(" %s%s=", before, params[i].name);
}

static void print_driver_params(void *arg, const char *path, const struct larder_driver *driver,
                                const struct larder_error *error) {
    (void)path;
    (void)error;
    if (driver)
        print_params(arg, driver->params, driver->n_params);
}

static void print_settings(void) {
    static char cache[] = "cache.", tags[] = "tags.";
    size_t n;
    const struct larder_param *params = larder_store_params(&n);
    print_params("", params, n);
    larder_driver_each(print_driver_params, cache);
    larder_driver_each(print_driver_params, tags);
}

static void print_commands(void) {
    size_t n;
    const struct command *const *commands = cli_commands(&n);
    for (size_t i = 0; i < n; i++)
        printf(" %s", commands[i]->name);
}

/* Words with spaces between them: none has a character that a shell would take for something else.  What
 * stands for a colon is the shell's matter. */
static void print_values(enum values values, char *behind_scheme) {
    static char nothing[] = "";
    switch (values) {
    case KINDS:
        for (uint32_t kind = 1; kind < LARDER_N_KINDS; kind++)
            printf(" %s", larder_kind_name(kind));
        break;
    case DRIVERS: larder_driver_each(print_driver, nothing); break;
    case URLS: larder_driver_each(print_driver, behind_scheme); break;
    case SETTINGS: print_settings(); break;
    case COMMANDS: print_commands(); break;
    case SHELLS: printf(" bash zsh fish"); break;
    default: break;
    }
}

/* Behind it goes more: a URL's rest, a setting's value. */
static bool is_begun(enum values values) {
    return values == URLS || values == SETTINGS;
}

/* What stands in quotes ('): every other character is as it is.  fish takes a backslash, too. */
static void print_quoted(const char *text, bool fish) {
    for (const char *p = text; *p; p++) {
        if (*p == '\'')
            fputs(fish ? "\\'" : "'\\''", stdout);
        else if (*p == '\\' && fish)
            fputs("\\\\", stdout);
        else
            putchar(*p);
    }
}

/* ---- bash ------------------------------------------------------------------------------------------------ */

static const char bash_begin[] =
    "# bash completion for larder, written by `larder completion bash`\n"
    "_larder() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' words='' at\n"
    "    COMPREPLY=()\n"
    "    # bash makes --kind=page three words, and fs:dir too.\n"
    "    if [ \"$cur\" = = ]; then cur=''; elif [ \"$prev\" = = ]; then prev=${COMP_WORDS[COMP_CWORD - 2]}; "
    "fi\n"
    "    if [ \"$prev\" = : ]; then mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return; fi\n"
    "    for ((at = 1; at < COMP_CWORD; at++)); do\n"
    "        case ${COMP_WORDS[at]} in\n";

static const char bash_choose[] =
    "    case $words in\n"
    "        'FILES') mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); compopt -o filenames 2>/dev/null ;;\n"
    "        *=*|*:*) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\"); compopt -o nospace "
    "2>/dev/null ;;\n"
    "        *) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\") ;;\n"
    "    esac\n"
    "}\n"
    "complete -F _larder larder\n";

/* The options that take a value: what follows them is no command. */
static void bash_skip(void) {
    const char *between = "            ";
    for (const struct option *o = cli_options; o->name; o++) {
        if (o->value) {
            printf("%s--%s", between, o->name);
            between = " | ";
        }
    }
    printf(")\n                ((at++))\n"
           "                [ \"${COMP_WORDS[at]}\" = = ] && ((at++))\n"
           "                while [[ ${COMP_WORDS[at + 1]-} == [:=]* ]]; do ((at += 2)); done ;;\n"
           "            -* | =) ;;\n"
           "            *) command=${COMP_WORDS[at]}; break ;;\n"
           "        esac\n    done\n");
}

static void bash_values(const char *command, const struct option *options) {
    for (const struct option *o = options; o && o->name; o++) {
        if (o->value == NULL)
            continue;
        const enum values values = values_of(o->value);
        printf("        %s:--%s) words='", command, o->name);
        printf("%s", values == FILES ? "FILES" : "");
        print_values(values, colon);
        printf("' ;;\n");
    }
}

static void bash_options(const struct option *options) {
    for (const struct option *o = options; o && o->name; o++)
        printf(" --%s", o->name);
}

static void bash_words(const struct command *command) {
    const enum values values = values_of(command->words);
    printf("                %s) words='%s", command->name, values == FILES ? "FILES" : "");
    print_values(values, colon);
    printf("' ;;\n");
}

static void print_bash(void) {
    size_t n;
    const struct command *const *commands = cli_commands(&n);
    fputs(bash_begin, stdout);
    bash_skip();
    printf("    case $command:$prev in\n");
    for (size_t i = 0; i < n; i++)
        bash_values(commands[i]->name, commands[i]->options);
    bash_values("*", cli_options);
    printf("        *)\n            case $command:$cur in\n                :-*) words='");
    bash_options(cli_options);
    printf("' ;;\n                : | :* | help:*) words='help");
    print_commands();
    printf("' ;;\n");
    for (size_t i = 0; i < n; i++) {
        printf("                %s:-*) words='", commands[i]->name);
        bash_options(commands[i]->options);
        bash_options(cli_options);
        printf("' ;;\n");
    }
    printf("            esac\n            [ -n \"$words\" ] || case $command in\n");
    for (size_t i = 0; i < n; i++)
        bash_words(commands[i]);
    printf("            esac ;;\n    esac\n");
    fputs(bash_choose, stdout);
}

/* ---- zsh --------------------------------------------------------------------------------------------------- */

/* In the help of a specification, brackets and colons are its own. */
static void zsh_help(const char *text) {
    for (const char *p = text; *p; p++) {
        const char one[2] = {*p, '\0'};
        if (strchr("[]:\\", *p))
            putchar('\\');
        print_quoted(one, false);
    }
}

/* In an action, too. */
static char escaped_colon[] = "\\:";

static void zsh_action(const char *placeholder) {
    const enum values values = values_of(placeholder);
    putchar(':');
    zsh_help(placeholder);
    putchar(':');
    if (values == FILES) {
        printf("_files");
    } else if (is_begun(values)) {
        printf("{compadd -S \"\" --");
        print_values(values, escaped_colon);
        putchar('}');
    } else if (values != ANYTHING) {
        putchar('(');
        print_values(values, escaped_colon);
        putchar(')');
    }
}

static void zsh_options(const struct option *options, const char *indent) {
    for (const struct option *o = options; o && o->name; o++) {
        printf("%s'*--%s%s[", indent, o->name, o->value ? "=" : "");
        zsh_help(o->help);
        putchar(']');
        if (o->value)
            zsh_action(o->value);
        printf("' \\\n");
    }
}

static void print_zsh(void) {
    size_t n;
    const struct command *const *commands = cli_commands(&n);
    printf("#compdef larder\n# Written by `larder completion zsh`.\n_larder() {\n"
           "  local context state state_descr line\n  typeset -A opt_args\n  local -a commands=(\n");
    for (size_t i = 0; i < n; i++) {
        printf("    '%s:", commands[i]->name);
        zsh_help(commands[i]->summary);
        printf("'\n");
    }
    printf("  )\n  _arguments -C \\\n");
    zsh_options(cli_options, "    ");
    printf("    '1:command:->command' '*::word:->word'\n  case $state in\n"
           "    command) _describe command commands ;;\n    word)\n      case $words[1] in\n");
    for (size_t i = 0; i < n; i++) {
        printf("        %s)\n          _arguments \\\n", commands[i]->name);
        zsh_options(commands[i]->options, "            ");
        zsh_options(cli_options, "            ");
        printf("            '*");
        zsh_action(*commands[i]->words ? commands[i]->words : " ");
        printf("' ;;\n");
    }
    printf("      esac ;;\n  esac\n}\n_larder \"$@\"\n");
}

/* ---- fish --------------------------------------------------------------------------------------------------- */

/* condition: a command of fish, or "" for everywhere. */
static void fish_options(const char *command, const struct option *options) {
    for (const struct option *o = options; o && o->name; o++) {
        printf("complete -c larder");
        if (command)
            printf(" -n '__fish_seen_subcommand_from %s'", command);
        printf(" -l %s", o->name);
        const enum values values = o->value ? values_of(o->value) : ANYTHING;
        if (values == FILES) {
            printf(" -rF");
        } else if (o->value) {
            printf(" -x");
            if (values != ANYTHING) {
                printf(" -a '");
                print_values(values, colon);
                putchar('\'');
            }
        }
        printf(" -d '");
        print_quoted(o->help, true);
        printf("'\n");
    }
}

static void fish_words(const struct command *command) {
    const enum values values = values_of(command->words);
    if (values == ANYTHING)
        return;
    printf("complete -c larder -n '__fish_seen_subcommand_from %s'", command->name);
    if (values == FILES) {
        printf(" -F\n");
        return;
    }
    printf(" -a '");
    print_values(values, colon);
    printf("'\n");
}

static void print_fish(void) {
    size_t n;
    const struct command *const *commands = cli_commands(&n);
    printf("# fish completion for larder, written by `larder completion fish`\ncomplete -c larder -f\n");
    fish_options(NULL, cli_options);
    for (size_t i = 0; i < n; i++) {
        printf("complete -c larder -n __fish_use_subcommand -a %s -d '", commands[i]->name);
        print_quoted(commands[i]->summary, true);
        printf("'\n");
        fish_options(commands[i]->name, commands[i]->options);
        fish_words(commands[i]);
    }
}

/* ---- the command ---------------------------------------------------------------------------------------------- */

static int run(struct cli *cli) {
    static const struct {
        const char *name;
        void (*print)(void);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    if (cli->json)
        return cli_usage(cli, "a script is no JSON: leave --json out");
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        if (strcmp(cli->args.words[0], shells[i].name) == 0) {
            shells[i].print();
            return CODE_DONE;
        }
    }
    return cli_usage(cli, "there are scripts for bash, zsh and fish, not for '%s'", cli->args.words[0]);
}

const struct command command_completion = {
    .name = "completion",
    .words = "SHELL",
    .min_words = 1,
    .max_words = 1,
    .summary = "Write the completion script of a shell: bash, zsh or fish",
    .help = "Commands, options, kinds, settings, and the names of the drivers that are found now.  An "
            "installation\n"
            "has the scripts where shells look for them.\n"
            "\n"
            "Exit codes: 0; 2 there is no script for that shell.\n"
            "\n"
            "Examples:\n"
            "  source <(larder completion bash)\n"
            "  larder completion zsh > ~/.zfunc/_larder\n"
            "  larder completion fish > ~/.config/fish/completions/larder.fish\n",
    .run = run,
};
