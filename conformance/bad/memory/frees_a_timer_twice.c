/* Mistake: a timer is freed by its own callback, and by close()
 *
 * It is a one-shot timer, so it seems to be over once it was due.
 *
 * Caught by: basic/a_key_that_was_never_put_is_a_miss_without_a_value (timer used after it was freed)
 */
#include "bad.h"

static struct larder_timer *timer;

static void due(void *arg) {
    (void)arg;
    the_host->timer_free(timer);
}

static int32_t open_instance(const struct larder_host *host, struct larder_home *home, const void *config,
                             struct larder_info *info, void **instance, char *error) {
    int32_t status = right->open(host, home, config, info, instance, error);
    timer = status == LARDER_OK ? the_host->timer(home, due, NULL) : NULL;
    if (timer)
        due(NULL);
    return status;
}

static void close_instance(void *instance) {
    the_host->timer_free(timer);
    right->close(instance);
}

const struct mistake mistake = {.driver = {.open = open_instance, .close = close_instance}};
