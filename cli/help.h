/*
 * Help.  --help and the manual pages are made of the same tables and texts.
 *
 * The text of a command or of the program is paragraphs with empty lines between them.  One begins with
 * "Exit codes: ", one with "Examples:" and has a line for each, indented; lines that are indented are shown
 * as they are; `x` is what is typed.
 */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli.h"

extern const char help_summary[]; /* of the program, one line */
extern const char help_text[];

void help_program(void);
void help_command(const struct command *command);

#endif
