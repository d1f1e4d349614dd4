/* What larder-conform is told on its command line. */
#ifndef CONFORMANCE_OPTIONS_H
#define CONFORMANCE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "drive.h"

enum format { FORMAT_CONSOLE, FORMAT_TAP, FORMAT_JSON, FORMAT_MARKDOWN, N_FORMATS };

enum { MAX_ONLY = 32, MAX_LAYERS = 6, MAX_SETTINGS = 24 };

struct options {
    const char *program; /* argv[0] */
    /* What is tried.  %t is filled in where the text comes from the command line. */
    const char *driver;
    const char *settings[MAX_SETTINGS]; /* NAME=VALUE */
    size_t n_settings;
    const char *layers[MAX_LAYERS]; /* the lowest first */
    size_t n_layers;
    const char *readme;
    /* Which tests, and how. */
    const char *only[MAX_ONLY];
    size_t n_only;
    const char *replay;
    uint64_t seed;
    bool seed_given;
    unsigned n_keys, n_inflight, model_ops;
    uint32_t time_limit_ms; /* 0: none */
    uint32_t patience_ms;
    const char *hooks[N_HOOKS]; /* NULL: not given */
    const char *before, *after;
    /* What comes out. */
    enum format format;
    const char *junit;
    bool list, help, verbose;
    /* This is a second process (child.h). */
    const char *child, *child_key;
    char folder[64]; /* that %t stands for; "": nothing said %t */
};
extern struct options options;

/* False: said on stderr what is wrong.  Keeps pointers into argv. */
bool options_parse(int argc, char **argv);
/* Makes the folder of %t, if anything says %t, and puts it in everywhere.  False: said why. */
bool options_fill(void);
/* Removes it. */
void options_done(void);
void options_help(void);
/* For people: how to run this again, for one test (NULL: for all that were run).  As the shell
 * reads it. */
void options_command(const char *only, char *out, size_t size);

#endif
