/*
 * What a test tells the process that runs it (run.h): records on a pipe, each one written whole,
 * so that a test that crashes or hangs has told all it knew until then.
 */
#ifndef CONFORMANCE_RESULT_H
#define CONFORMANCE_RESULT_H

#include <stdbool.h>
#include <stddef.h>

enum result_kind { /* the first byte of a record; its text follows, and a NUL */
                   RESULT_FAILURE = 'F',
                   RESULT_VIOLATION = 'V',
                   RESULT_UNCLAIMED = 'U',
                   RESULT_NOTE = 'N',
                   RESULT_WHERE = 'W', /* in the middle of what; the last one counts, "": of nothing */
                   RESULT_END = 'E'    /* the last one: how many assertions there were */
};

enum { RESULT_TEXT = 20000 };

/* Where records go; -1: to stderr, for people. */
void result_to(int fd);

/* Any thread.  The text is cut at RESULT_TEXT. */
void result_say(enum result_kind kind, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for a text that is complete; may be called in a signal handler. */
void result_say_text(enum result_kind kind, const char *text);

/* How many records of failures and violations there were. */
unsigned result_bad(void);

/* The records in what was read from such a pipe: calls fn for each and answers how many bytes
 * were used; the rest is the beginning of another. */
typedef void result_fn(void *arg, enum result_kind kind, const char *text);
size_t result_parse(const char *bytes, size_t len, result_fn *fn, void *arg);

#endif
