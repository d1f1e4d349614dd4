/* Mistake: provisioning what is there is an error
 *
 * CREATE TABLE.  Provisioning runs in every deployment, so it must be good to run again.
 *
 * Caught by: life/provisioning_again_changes_nothing
 */
#include "bad.h"

static bool created;

static void provision(void *instance, struct larder_op *op) {
    if (created && op->flags == 0) {
        answer(op, LARDER_INVALID, "table larder exists already");
        return;
    }
    created = created || op->flags == 0;
    right->provision(instance, op);
}

const struct mistake mistake = {.driver.provision = provision};
