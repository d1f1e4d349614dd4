/* Mistake: an open() that fails leaves behind what it had made before
 *
 * close() would free it, but is not called after a failed open().
 *
 * Caught by:
 */
#include "bad.h"

static void due(void *arg) {
    (void)arg;
}

static int32_t open_instance(const struct larder_host *host, struct larder_home *home, const void *config,
                             struct larder_info *info, void **instance, char *error) {
    struct larder_timer *own = the_host->timer(home, due, NULL);
    int32_t status = own ? right->open(host, home, config, info, instance, error) : LARDER_NOMEM;
    if (status == LARDER_OK)
        the_host->timer_free(own);
    return status;
}

const struct mistake mistake = {.driver.open = open_instance};
