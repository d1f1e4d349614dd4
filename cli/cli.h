/*
 * The program `larder`: what its commands share.  One struct cli goes through everything;
 * nothing is kept beside it.  A command answers its exit code.
 */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "args.h"
#include "larder/larder.h"
#include "output.h"

enum {
    CODE_DONE = 0,
    CODE_NEGATIVE = 1, /* not found, or "no" */
    CODE_USAGE = 2,    /* the command line or the configuration is wrong */
    CODE_STORE = 3     /* the store could not be reached or refused; or nothing can be written */
};

struct cli;

struct command {
    const char *name;
    const char *words;            /* what follows it, for the usage line: "KEY", "[TAG...]" */
    size_t min_words, max_words;  /* SIZE_MAX: any number */
    const char *summary;          /* one line */
    const char *help;             /* what it does, its exit codes and examples */
    const struct option *options; /* ends with a NULL name; may be NULL */
    int (*run)(struct cli *cli);
};

struct cli {
    const struct command *command; /* NULL until it is known */
    struct args args;
    bool json;
    uint32_t timeout_ms;          /* 0: the store's own */
    const char *next_dir;         /* the build output that may name the store; NULL: .next */
    struct json out;              /* on stdout */
    struct larder_config *config; /* made when first needed */
    struct larder_store *store;
};

/* ---- saying what is wrong: a line on stderr, and with --json an object on stdout -------------- */

/* Answers CODE_USAGE. */
int cli_usage(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Answers the code for a status below 0. */
int cli_failed(struct cli *cli, int32_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* For an answer that is no LARDER_OK and no LARDER_MISS. */
int cli_failed_answer(struct cli *cli, int32_t status, const struct larder_answer *answer);

/* What errno means. */
const char *cli_errno(void);

/* ---- the configured store (session.c) -------------------------------------------------------- */

/* File, environment, --set, --cache, --tags: the later wins.  CODE_DONE, or what was said. */
int cli_configure(struct cli *cli);
int cli_open(struct cli *cli); /* configures, unless that was done */
/* The same without the memory of entries: for what walks over all of them. */
int cli_open_plain(struct cli *cli);
/* What a rendering that begins now notes; the store's thread may be raising it. */
int64_t cli_epoch_to_note(const struct larder_store *store);
/* larder_call() with --timeout, and with --trace, which is written to stderr - but for an answer that
 * goes out as JSON: the command adds it with cli_json_trace(). */
int32_t cli_call(struct cli *cli, struct larder_request *request, const struct larder_answer **ret_answer);
void cli_json_trace(struct cli *cli, const struct larder_answer *answer);

/* ---- words and options to what a request takes ------------------------------------------------ */

/* A key, tag or prefix as it is written here (\xNN, \\): decoded; bytes_free() it. */
int cli_bytes(struct cli *cli, const char *written, struct larder_bytes *ret);
/* Every value of a repeated option (or the words from first on), decoded; bytes_list_free() it. */
int cli_bytes_list(struct cli *cli, const char *option, size_t first_word, struct larder_bytes **ret,
                   size_t *ret_n);
void bytes_list_free(struct larder_bytes *list, size_t n);
void bytes_free(struct larder_bytes bytes); /* of cli_bytes() */
/* --kind, or `preset`. */
int cli_kind(struct cli *cli, uint32_t preset, uint32_t *ret);
/* --build, or empty. */
struct larder_bytes cli_build(const struct cli *cli);
/* An option read as a setting of this type and these bounds; *ret is left alone where it is not given. */
int cli_number(struct cli *cli, const char *option, uint32_t type, int64_t min, int64_t max, int64_t *ret);

/* ---- a count on stderr while something long goes on, where that is a terminal ----------------- */

struct progress {
    bool wanted;
    uint64_t n;
    int64_t shown_ms;
    const char *what; /* "keys listed" */
    uint64_t total;   /* 0: not known; else there is a bar */
};
/* prints: the command writes lines on stdout meanwhile; where that is the terminal too, they do. */
void progress_begin(struct progress *progress, const char *what, bool prints);
void progress_add(struct progress *progress, uint64_t n);
void progress_end(struct progress *progress);

/* ---- every stored key (keys.c) -------------------------------------------------------------- */

struct listing {
    struct larder_bytes build;  /* len 0: of all builds */
    uint32_t kind;              /* 0: of all kinds */
    struct larder_bytes prefix; /* of the key */
    uint64_t limit;             /* 0: all */
    struct progress *progress;  /* counts keys looked at; may be NULL */
};
/* Calls fn for each, until it answers another code than CODE_DONE, which is then answered. */
int cli_each_key(struct cli *cli, const struct listing *listing,
                 int (*fn)(struct cli *cli, const struct larder_listed *key, void *arg), void *arg);
/* --kind, --build and --limit of the command line; prefix is the caller's. */
int cli_listing(struct cli *cli, struct listing *ret);
void cli_print_key(struct cli *cli, const struct larder_listed *key);

/* ---- the tables (main.c) ------------------------------------------------------------------------ */

extern const struct option cli_options[]; /* of every command; ends with a NULL name */
const struct command *const *cli_commands(size_t *ret_n);
/* NULL: there is none of that name, which was said. */
const struct command *cli_command(struct cli *cli, const char *name);

/* ---- the commands ------------------------------------------------------------------------------ */

extern const struct command command_get, command_put, command_ls, command_rm, command_prune, command_seed,
    command_tags, command_revalidate, command_drivers, command_config, command_provision, command_explain,
    command_ping, command_doctor, command_stats, command_top, command_bench, command_export, command_import,
    command_completion, command_man, command_version;

#endif
