/* A table of settings for people and as JSON: of a driver, or of the store. */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "larder/larder.h"
#include "output.h"

void settings_print(const struct larder_param *params, size_t n);
/* "settings": [...] inside the open object. */
void settings_json(struct json *out, const struct larder_param *params, size_t n);

#endif
