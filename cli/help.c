#include "help.h"

#include <stdio.h>

const char help_summary[] = "Looks into and operates the store that a Next.js application keeps its cache in";

const char help_text[] =
    "The store is the one that the application in this folder uses: settings come from larder.json,\n"
    "withLarder() (of the last build), LARDER_* variables and options, the later winning\n"
    "(docs/configuration.md).\n"
    "\n"
    "Keys and tags are written as they are; a backslash is \\\\ and any byte may be \\xNN, which is\n"
    "also how odd bytes are printed.  A word that begins with a dash comes after --.\n"
    "\n"
    "Exit codes: 0 done; 1 not found, or the answer is no; 2 the command line or the configuration\n"
    "is wrong; 3 the store could not be reached or refused.\n"
    "\n"
    "Examples:\n"
    "  larder ping                            # does the store answer?\n"
    "  larder ls --kind page                  # which pages are stored?\n"
    "  larder get /blog/hello --part html     # the stored HTML of a page\n"
    "  larder revalidate posts                # what revalidateTag('posts') does\n"
    "  larder doctor                          # is everything as it should be?\n"
    "  larder COMMAND --help                  # more, with examples\n";

static void print_options(const struct option *options) {
    for (const struct option *o = options; o && o->name; o++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        printf("  %-22s %s\n", left, o->help);
    }
}

void help_program(void) {
    size_t n;
    const struct command *const *commands = cli_commands(&n);
    printf("%s.\n\nUsage: larder COMMAND [OPTION...] [WORD...]\n\nCommands:\n", help_summary);
    for (size_t i = 0; i < n; i++)
        printf("  %-12s %s\n", commands[i]->name, commands[i]->summary);
    printf("\nOptions of every command:\n");
    print_options(cli_options);
    printf("\n%s", help_text);
}

void help_command(const struct command *command) {
    printf("%s\n\nUsage: larder %s%s%s%s\n", command->summary, command->name,
           command->options ? " [OPTION...]" : "", *command->words ? " " : "", command->words);
    if (command->options) {
        printf("\nOptions:\n");
        print_options(command->options);
    }
    printf("\n%s\nOptions of every command: larder --help\n", command->help);
}
