/* Mistake: open() fails and does not say why
 *
 * A status alone.  "cannot open: NOMEM" is what the user of the framework gets to read.
 *
 * Caught by: starve/whichever_allocation_fails_what_is_answered_is_true (open failed without a reason)
 */
#include "bad.h"

static int32_t open_instance(const struct larder_host *host, struct larder_home *home, const void *config,
                             struct larder_info *info, void **instance, char *error) {
    char lost[LARDER_ERROR_SIZE];
    (void)error;
    return right->open(host, home, config, info, instance, lost);
}

const struct mistake mistake = {.driver.open = open_instance};
