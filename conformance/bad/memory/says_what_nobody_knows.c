/* Mistake: open() sets a trait that driver.h does not have
 *
 * A flag of the driver's own, in a free bit.  The next release gives that bit a meaning.
 *
 * Caught by:
 */
#include "bad.h"

const struct mistake mistake = {.claims_more = UINT32_C(1) << 30};
