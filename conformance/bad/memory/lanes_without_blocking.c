/* Mistake: open() asks for lanes and does not say LARDER_BLOCKING
 *
 * The number was set, the trait was forgotten: the calls come on the I/O thread, one at a time.
 *
 * Caught by: basic/a_key_that_was_never_put_is_a_miss_without_a_value (open gave what driver.h does not allow)
 */
#include "bad.h"

static int32_t open_instance(const struct larder_host *host, struct larder_home *home, const void *config,
                             struct larder_info *info, void **instance, char *error) {
    info->lanes = 8;
    return right->open(host, home, config, info, instance, error);
}

const struct mistake mistake = {.driver.open = open_instance};
