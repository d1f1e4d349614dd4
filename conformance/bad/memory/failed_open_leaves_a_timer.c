/* Mistake: an open() that fails leaves behind what it had made before
 *
 * close() would free it, but is not called after a failed open().
 *
 * Caught by: starve/whichever_allocation_fails_what_is_answered_is_true (a failed open left something behind)
 */
#include <stdio.h>

#include "bad.h"

static void due(void *arg) {
    (void)arg;
}

static int32_t open_instance(const struct larder_host *host, struct larder_home *home, const void *config,
                             struct larder_info *info, void **instance, char *error) {
    struct larder_timer *own = the_host->timer(home, due, NULL);
    if (!own) {
        snprintf(error, LARDER_ERROR_SIZE, "out of memory");
        return LARDER_NOMEM;
    }
    int32_t status = right->open(host, home, config, info, instance, error);
    if (status == LARDER_OK)
        the_host->timer_free(own); /* the shortest life that is right */
    return status;
}

const struct mistake mistake = {.driver.open = open_instance};
