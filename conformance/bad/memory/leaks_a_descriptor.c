/* Mistake: a descriptor is left open by close()
 *
 * One for each instance.  A development server opens one for each reload, and runs out in the
 * afternoon.
 *
 * Caught by: basic/a_key_that_was_never_put_is_a_miss_without_a_value (descriptor leaked)
 */
#include <fcntl.h>

#include "bad.h"

static int32_t open_instance(const struct larder_host *host, struct larder_home *home, const void *config,
                             struct larder_info *info, void **instance, char *error) {
    int32_t status = right->open(host, home, config, info, instance, error);
    if (status == LARDER_OK)
        (void)open("/dev/null", O_RDONLY | O_CLOEXEC);
    return status;
}

const struct mistake mistake = {.driver.open = open_instance};
