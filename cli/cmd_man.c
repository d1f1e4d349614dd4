/* larder man: the manual pages, made of the same tables as --help. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "help.h"

/* ---- roff (groff_man(7)) ------------------------------------------------------------------------- */

/* What is typed is \-, \(aq ...: a plain one may become another character on paper.  A line must not begin
 * with what would be a request. */
static void put_text(FILE *file, const char *text, size_t len, bool begins_line) {
    bool bold = false;
    for (size_t i = 0; i < len; i++) {
        const char c = text[i];
        if (i == 0 && begins_line && (c == '.' || c == '\''))
            fputs("\\&", file);
        switch (c) {
        case '\\': fputs("\\e", file); break;
        case '-': fputs("\\-", file); break;
        case '\'': fputs("\\(aq", file); break;
        case '^': fputs("\\(ha", file); break;
        case '~': fputs("\\(ti", file); break;
        case '`':
            bold = !bold && memchr(text + i + 1, '`', len - i - 1) != NULL;
            fputs(bold ? "\\fB" : "\\fR", file);
            break;
        default: fputc(c, file);
        }
    }
}

static void put_line(FILE *file, const char *text) {
    put_text(file, text, strlen(text), true);
    fputc('\n', file);
}

static void put_section(FILE *file, const char *name) {
    fprintf(file, ".SH %s\n", name);
}

/* ---- the parts of a text ------------------------------------------------------------------------------ */

/* Where the paragraph ends: at an empty line, or with the text. */
static const char *end_of(const char *paragraph) {
    const char *end = strstr(paragraph, "\n\n");
    return end ? end + 1 : paragraph + strlen(paragraph);
}

/* Lines that are indented stand as they are, the others flow. */
static void put_lines(FILE *file, const char *text, const char *end) {
    bool as_it_is = false;
    while (text < end) {
        const size_t len = strcspn(text, "\n"), indent = strspn(text, " ");
        if ((indent >= 2) != as_it_is) {
            as_it_is = !as_it_is;
            fputs(as_it_is ? ".PP\n.RS 4\n.nf\n" : ".fi\n.RE\n.PP\n", file);
        }
        put_text(file, text + indent, len - indent, true);
        fputc('\n', file);
        text += len + (text[len] == '\n');
    }
    if (as_it_is)
        fputs(".fi\n.RE\n", file);
}

static const char *after(const char *paragraph, const char *beginning) {
    const size_t len = strlen(beginning);
    return strncmp(paragraph, beginning, len) == 0 ? paragraph + len : NULL;
}

static const char *next_paragraph(const char *end) {
    return end + strspn(end, "\n");
}

static void put_description(FILE *file, const char *text) {
    for (const char *p = text, *end; *p; p = next_paragraph(end)) {
        end = end_of(p);
        if (after(p, "Exit codes: ") || after(p, "Examples:"))
            continue;
        fputs(".PP\n", file);
        put_lines(file, p, end);
    }
}

/* One paragraph under a title of its own. */
static void put_titled(FILE *file, const char *text, const char *beginning, const char *title) {
    for (const char *p = text, *end; *p; p = next_paragraph(end)) {
        end = end_of(p);
        const char *rest = after(p, beginning);
        if (rest == NULL)
            continue;
        put_section(file, title);
        put_lines(file, rest + (*rest == '\n'), end);
    }
}

static void put_options(FILE *file, const char *title, const struct option *options) {
    put_section(file, title);
    for (const struct option *o = options; o->name; o++) {
        fputs(".TP\n\\fB\\-\\-", file);
        put_text(file, o->name, strlen(o->name), false);
        fputs("\\fR", file);
        if (o->value) {
            fputs(" \\fI", file);
            put_text(file, o->value, strlen(o->value), false);
            fputs("\\fR", file);
        }
        fputc('\n', file);
        put_line(file, o->help);
    }
}

/* ---- pages ------------------------------------------------------------------------------------------------- */

/* command NULL: the page of the program. */
static void put_title(FILE *file, const struct command *command) {
    fputs(".\\\" Written by `larder man`.\n.TH LARDER", file);
    if (command) {
        fputs("\\-", file);
        for (const char *p = command->name; *p; p++)
            fputc(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p, file);
    }
    fprintf(file, " 1 \"\" \"larder %s\" \"Larder\"\n.SH NAME\nlarder", larder_version());
    if (command)
        fprintf(file, "\\-%s", command->name);
    fputs(" \\- ", file);
    put_line(file, command ? command->summary : help_summary);
}

static void put_commands(FILE *file) {
    size_t n;
    const struct command *const *commands = cli_commands(&n);
    put_section(file, "COMMANDS");
    for (size_t i = 0; i < n; i++) {
        fprintf(file, ".TP\n\\fBlarder\\-%s\\fR(1)\n", commands[i]->name);
        put_line(file, commands[i]->summary);
    }
}

static void put_program(FILE *file) {
    put_title(file, NULL);
    put_section(file, "SYNOPSIS");
    fputs("\\fBlarder\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR...] [\\fIWORD\\fR...]\n", file);
    put_section(file, "DESCRIPTION");
    put_description(file, help_text);
    put_commands(file);
    put_options(file, "OPTIONS OF EVERY COMMAND", cli_options);
    put_titled(file, help_text, "Exit codes: ", "EXIT STATUS");
    put_titled(file, help_text, "Examples:", "EXAMPLES");
}

static void put_command(FILE *file, const struct command *command) {
    put_title(file, command);
    put_section(file, "SYNOPSIS");
    fprintf(file, "\\fBlarder %s\\fR%s", command->name, command->options ? " [\\fIOPTION\\fR...]" : "");
    if (*command->words) {
        fputs(" \\fI", file);
        put_text(file, command->words, strlen(command->words), false);
        fputs("\\fR", file);
    }
    fputc('\n', file);
    put_section(file, "DESCRIPTION");
    put_description(file, command->help);
    if (command->options)
        put_options(file, "OPTIONS", command->options);
    put_titled(file, command->help, "Exit codes: ", "EXIT STATUS");
    put_titled(file, command->help, "Examples:", "EXAMPLES");
    put_section(file, "SEE ALSO");
    fputs("\\fBlarder\\fR(1), which has the options of every command\n", file);
}

/* ---- the command ----------------------------------------------------------------------------------------------- */

static const struct option options[] = {
    {"into", "FOLDER", "write larder.1 and a page for each command there"},
    {NULL, NULL, NULL},
};

static int write_page(struct cli *cli, const char *folder, const struct command *command) {
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/larder%s%s.1", folder, command ? "-" : "",
                       command ? command->name : "");
    FILE *file = len > 0 && (size_t)len < sizeof path ? fopen(path, "w") : NULL;
    if (file == NULL)
        return cli_failed(cli, LARDER_INTERNAL, "%s cannot be written: %s", path, cli_errno());
    if (command)
        put_command(file, command);
    else
        put_program(file);
    bool good = !ferror(file);
    if (fclose(file) != 0 || !good)
        return cli_failed(cli, LARDER_INTERNAL, "%s cannot be written: %s", path, cli_errno());
    return CODE_DONE;
}

static int write_pages(struct cli *cli, const char *folder) {
    size_t n;
    const struct command *const *commands = cli_commands(&n);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return cli_failed(cli, LARDER_INTERNAL, "%s cannot be made: %s", folder, cli_errno());
    int code = write_page(cli, folder, NULL);
    for (size_t i = 0; i < n && code == CODE_DONE; i++)
        code = write_page(cli, folder, commands[i]);
    return code;
}

static int run(struct cli *cli) {
    const char *folder = args_value(&cli->args, "into");
    if (cli->json)
        return cli_usage(cli, "a manual page is no JSON: leave --json out");
    if (folder && cli->args.n_words)
        return cli_usage(cli, "--into writes all pages: name no command");
    if (folder)
        return write_pages(cli, folder);
    if (cli->args.n_words == 0) {
        put_program(stdout);
        return CODE_DONE;
    }
    const struct command *command = cli_command(cli, cli->args.words[0]);
    if (command == NULL)
        return CODE_USAGE;
    put_command(stdout, command);
    return CODE_DONE;
}

const struct command command_man = {
    .name = "man",
    .words = "[COMMAND]",
    .min_words = 0,
    .max_words = 1,
    .summary = "Write the manual page of a command",
    .help = "For `man`: without COMMAND, the page of the program.  An installation has them all.\n"
            "\n"
            "Exit codes: 0 done; 2, 3 as larder --help says.\n"
            "\n"
            "Examples:\n"
            "  larder man revalidate | man -l -\n"
            "  larder man --into ~/.local/share/man/man1\n",
    .options = options,
    .run = run,
};
