/* Mistake: says LARDER_PERSISTENT, and keeps everything in memory
 *
 * The trait was copied from another driver, or is true of the store as it is configured elsewhere.
 *
 * Caught by:
 */
#include "bad.h"

const struct mistake mistake = {.claims_more = LARDER_PERSISTENT};
