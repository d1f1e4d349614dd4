/* Mistake: the configuration is written to
 *
 * A URL is taken to pieces where it stands.  All instances of a driver may have one configuration,
 * and the second one finds what the first has left.
 *
 * Caught by: basic/a_key_that_was_never_put_is_a_miss_without_a_value (host or configuration written)
 */
#include "bad.h"
#include "memory.h"

static int32_t open_instance(const struct larder_host *host, struct larder_home *home, const void *config,
                             struct larder_info *info, void **instance, char *error) {
    struct memory_config *own = (struct memory_config *)(uintptr_t)config;
    if (own->max_value == 0)
        own->max_value = INT64_MAX;
    return right->open(host, home, config, info, instance, error);
}

const struct mistake mistake = {.driver.open = open_instance};
