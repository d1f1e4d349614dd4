/* Mistake: a claim that somebody holds is given to the next one too
 *
 * SET instead of SET NX.  Nothing breaks; two processes do the same work, which is what claims
 * are there to prevent.
 *
 * Caught by: claims/a_claimed_key_is_held_until_it_is_given_back
 */
#include "bad.h"

static void complete(struct larder_op *op, const struct larder_result *res) {
    struct larder_result wrong = *res;
    if (op->code == LARDER_OP_CLAIM && res->status == LARDER_MISS)
        wrong.status = LARDER_OK;
    the_host->complete(op, &wrong);
}

const struct mistake mistake = {.host.complete = complete};
