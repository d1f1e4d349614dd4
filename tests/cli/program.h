/* Runs the real program in a folder of its own and keeps what it says. */
#ifndef TESTS_CLI_PROGRAM_H
#define TESTS_CLI_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ran {
    int code;  /* exit code; -1: ended by a signal */
    char *out; /* stdout, with a NUL behind it */
    size_t out_len;
    char *err;
};

/* Enters a new empty folder; program_done() removes it. */
bool program_init(const char *program);
void program_done(void);

/* Arguments up to NULL, or all.  What the last run gave back is freed by the next one. */
#define run(...) run_program((const char *const[]){__VA_ARGS__, NULL})
const struct ran *run_program(const char *const *args);
/* One that runs beside others, until it is sent this signal and has ended. */
#define start(...) start_program((const char *const[]){__VA_ARGS__, NULL})
pid_t start_program(const char *const *args);
const struct ran *stop_program(pid_t pid, int signal);
/* stdin of the next run: a file; NULL: empty. */
void run_input(const char *path);
/* stdout of the next run goes there, not into out. */
void run_output(const char *path);

/* stderr of the next run is a terminal. */
void run_on_terminal(void);

void write_file(const char *path, const void *bytes, size_t len);

#endif
