/*
 * A second process with the same driver and settings: the program starts itself.  As a writer
 * it stores under one name and waits to be killed; as a reader it looks whether that is there.
 */
#ifndef TESTS_CHILD_H
#define TESTS_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "larder/driver.h"

/* The child's own side of it, once the driver is open: its exit status. */
int child_main(const char *role, const char *key);

/* What a writer stores under this name: an entry, a counter, and a mark with its number.  False: not all. */
bool child_stores(struct larder_bytes key);
/* Whether that is there, exactly. */
bool child_finds(struct larder_bytes key);

/* Starts a writer, and kills it (SIGKILL) as soon as it has been told that all is stored.  False:
 * it could not be started, or could not store. */
bool run_writer_and_kill_it(struct larder_bytes key);
/* Starts a reader: whether it found what child_stores() stored. */
bool run_reader(struct larder_bytes key);

/* The process alone, with `in` (-1: ours) for its standard input, and *ret_out reading its standard
 * output; -1: it was not started.  Other roles than the two above are race.h's. */
pid_t child_start(const char *role, struct larder_bytes key, int in, int *ret_out);
/* Waits for its end: what waitpid() tells. */
int child_end(pid_t pid);

#endif
