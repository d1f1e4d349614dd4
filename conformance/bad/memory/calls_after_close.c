/* Mistake: a callback that was posted before close() runs after it
 *
 * Housekeeping is put off with post(), and close() frees the instance without waiting for it.
 *
 * Caught by: life/instances_come_and_go_a_thousand_times_beside_those_that_stay (host function for an instance that is closed)
 */
#include "bad.h"

static void housekeeping(void *arg) {
    struct larder_home *home = arg;
    the_host->log(home, LARDER_LOG_DEBUG, "old entries swept");
}

static void close_instance(void *instance) {
    (void)the_host->post(home_of(instance), housekeeping, home_of(instance));
    right->close(instance);
}

const struct mistake mistake = {.driver.close = close_instance};
