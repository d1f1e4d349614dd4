/* Mistake: none
 *
 * The two right drivers as the others here are made of them: what these fail, the frame is to
 * blame for.
 *
 * Caught by: nothing
 */
#include "bad.h"

const struct mistake mistake = {.claims_more = 0};
