/* Mistake: says LARDER_SHARED, and other processes see nothing
 *
 * Two instances of one process do share, and that is what was tried.
 *
 * Caught by: claims/another_process_reads_what_this_one_wrote_and_the_other_way_round
 */
#include "bad.h"

const struct mistake mistake = {.claims_more = LARDER_SHARED};
