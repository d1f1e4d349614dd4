#ifndef CLI_NEXT_OPTIONS_H
#define CLI_NEXT_OPTIONS_H

#include "larder/larder.h"

#define NEXT_OPTIONS_FILE "cache/larder-options.json"

struct next_options {
    char *json;   /* the settings among the options; NULL: none are there */
    char *config; /* the configuration file they name; NULL: none */
};

/* Those of the build output in dir (.next).  LARDER_OK, LARDER_NOMEM. */
int32_t next_options_read(const char *dir, struct next_options *ret);
void next_options_done(struct next_options *options);

#endif
