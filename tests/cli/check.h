/* What the tests of the command share: assertions that show what was said instead, and JSON. */
#ifndef TESTS_CLI_CHECK_H
#define TESTS_CLI_CHECK_H

#include <cjson/cJSON.h>

#include "program.h"
#include "unit.h"

#define STORE "--cache=fs:store"

void check_code(const struct ran *r, int code, int line);
#define CODE(r, code) check_code(r, code, __LINE__)
void check_text(const char *got, const char *expected, int line);
#define TEXT(got, expected) check_text(got, expected, __LINE__)
void check_has(const char *text, const char *part, int line);
#define HAS(text, part) check_has(text, part, __LINE__)

int count_lines(const struct ran *r);
/* The i-th line of stdout as JSON; the caller deletes it.  NULL: there are not so many. */
cJSON *json_line(const struct ran *r, int i);
/* The same where it is the only one. */
cJSON *json_only(const struct ran *r);
/* A text in an object, "(none)" where it is not there. */
const char *member(const cJSON *object, const char *name);
/* A number in it; NaN. */
double number(const cJSON *object, const char *name);

/* main() of a test program, which is given the path of the command. */
int check_main(int argc, char **argv, const char *suite, const struct unit_test *tests, size_t n);

#endif
