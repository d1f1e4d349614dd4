/* Mistake: says LARDER_PERSISTENT, and keeps everything in memory
 *
 * The trait was copied from another driver, or is true of the store as it is configured elsewhere.
 *
 * Caught by: claims/what_a_killed_process_had_completed_is_there
 */
#include "bad.h"

const struct mistake mistake = {.claims_more = LARDER_PERSISTENT};
