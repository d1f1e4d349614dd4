/*
 * Memory that runs out for the driver alone: what it calls malloc(), strdup() and so on by is
 * replaced in the table through which its shared object reaches other libraries, and the host's
 * functions that can say "no memory" are counted with them.  So the n-th can be made to fail, in
 * any build, sanitizers included, while the core and the test have all they need.
 */
#ifndef CONFORMANCE_STARVE_H
#define CONFORMANCE_STARVE_H

#include <stdbool.h>

#include "larder/driver.h"

/* Once; the driver is loaded.  How many places of its table were replaced (0: it asks only the
 * host for memory, or is no shared object of its own). */
unsigned starve_prepare(const struct larder_driver *driver);

/* From now on the n-th allocation (1: the first) fails, and with `on` all after it.  Tells the
 * runner which one it was, so that a crash is known by it. */
void starve_begin(unsigned long n, bool on);
/* No more.  How many allocations there were; *ret_failed: whether one failed. */
unsigned long starve_end(bool *ret_failed);

#endif
