/* Mistake: a timer is left behind by close()
 *
 * It is stopped, but not freed; or it is not even stopped, and calls into what is gone.
 *
 * Caught by: basic/a_key_that_was_never_put_is_a_miss_without_a_value (timer leaked)
 */
#include "bad.h"

static void due(void *arg) {
    (void)arg;
}

static int32_t open_instance(const struct larder_host *host, struct larder_home *home, const void *config,
                             struct larder_info *info, void **instance, char *error) {
    int32_t status = right->open(host, home, config, info, instance, error);
    if (status == LARDER_OK)
        (void)the_host->timer(home, due, NULL);
    return status;
}

const struct mistake mistake = {.driver.open = open_instance};
