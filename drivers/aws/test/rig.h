/*
 * A host for these tests: the core's reactor and buffers under the real clock, and a count of what is
 * still held; and the server of server.js, for the time of the program.
 */
#ifndef AWS_TEST_RIG_H
#define AWS_TEST_RIG_H

#include <stdbool.h>

#include "../aws_environment.h"
#include "larder/driver.h"

struct larder_home {
    struct reactor *reactor;
};

extern const struct larder_host rig_host;
extern struct larder_home rig_home;
extern unsigned rig_watches, rig_timers;       /* that are held */
extern struct aws_environment rig_environment; /* all unset; rig_set() */

/* Around each test.  The end asserts that nothing is left: no watch, timer, buffer, descriptor or thread. */
void rig_begin(void);
void rig_end(void);
/* Turns of the reactor until *n has reached `wanted`; an assertion fails where that takes a minute. */
void rig_run(const int *n, int wanted);
/* Turns until nothing happens. */
void rig_settle(void);
/* Turns until there is such a file. */
void rig_run_until_file(const char *path);
/* The host's monotonic clock, and its timers, are so much later. */
void rig_pass_ms(uint64_t ms);
/* For this test: the value of a variable; NULL: unset. */
void rig_set(enum aws_variable variable, const char *value);

/* Started when first asked; ended with the program.  "http", "https", "proxy": "127.0.0.1:PORT". */
const char *rig_server(const char *which);
/* A folder for this program, removed at its end, with the certificates that server.js made. */
const char *rig_folder(void);
/* A file in it, written anew: its path, good until the next call but three. */
const char *rig_file(const char *name, const char *text);

int rig_main(int failed);

#endif
