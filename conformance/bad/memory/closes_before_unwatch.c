/* Mistake: a descriptor is closed before its watch is ended
 *
 * The number may belong to somebody else by the time of unwatch(), whose events then stop.
 *
 * Caught by: basic/a_key_that_was_never_put_is_a_miss_without_a_value (descriptor closed before unwatch)
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "bad.h"

static void woken(void *arg, int fd, uint32_t events) {
    (void)arg;
    (void)fd;
    (void)events;
}

static int32_t open_instance(const struct larder_host *host, struct larder_home *home, const void *config,
                             struct larder_info *info, void **instance, char *error) {
    int32_t status = right->open(host, home, config, info, instance, error);
    if (status != LARDER_OK)
        return status;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct larder_watch *watch = fd >= 0 ? the_host->watch(home, fd, LARDER_READ, woken, NULL) : NULL;
    if (fd >= 0)
        close(fd);
    if (watch)
        the_host->unwatch(watch);
    return status;
}

const struct mistake mistake = {.driver.open = open_instance};
