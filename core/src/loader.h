/*
 * Finding drivers, loading them, and refusing those that do not fit, with the reason.
 * Search path: an explicit path (a name with a slash); the folders in LARDER_DRIVER_PATH
 * (colon-separated); the folder `larder` beside the file that this code is in.  In a folder a
 * driver is NAME.so.
 */
#ifndef CORE_LOADER_H
#define CORE_LOADER_H

#include "larder/larder.h"

/* Checks a driver's table: ABI, `needs`, required functions, sizes, the parameter table
 * (offsets inside the config struct, known types, no duplicate, presets that parse within
 * bounds).  `where` names the file in errors. */
int32_t loader_check(const struct larder_driver *driver, const char *where, struct larder_error *error);

/* larder_driver_find() and larder_driver_each() are here too. */

/* Tests: make a driver that is linked in known under its name, before the search path. */
void loader_add_builtin(const struct larder_driver *driver);

#endif
