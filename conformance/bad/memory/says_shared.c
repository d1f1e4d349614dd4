/* Mistake: says LARDER_SHARED, and other processes see nothing
 *
 * Two instances of one process do share, and that is what was tried.
 *
 * Caught by:
 */
#include "bad.h"

const struct mistake mistake = {.claims_more = LARDER_SHARED};
