/*
 * The epoch of a build (bindings/node/lib/build.js): noted before anything is rendered, in a file of the build
 * output, with a tag that was revalidated then.  A store that has that tag's mark is the one that the epoch
 * is of.
 */
#ifndef CLI_SEED_NOTE_H
#define CLI_SEED_NOTE_H

#include "cli.h"

#define SEED_NOTE_FILE "cache/larder-build.json"

struct seed_note {
    int64_t epoch; /* 0: there is none */
    int64_t at_ms; /* when it was noted, by the clock of the machine that built */
    char tag[128];
};

/* What is no note is none: epoch 0. */
void seed_note_read(const char *path, struct seed_note *ret);
/* Whether the store is the one of the note; CODE_DONE, or what was said. */
int seed_note_prove(struct cli *cli, const struct seed_note *note, bool *ret);
/* Notes the store's epoch in path, whose folders are made. */
int seed_note_write(struct cli *cli, const char *path);

#endif
