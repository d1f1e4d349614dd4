/* Mistake: a watch is left behind by close()
 *
 * The descriptor is closed, so its events are thought to be over.
 *
 * Caught by:
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
    static int fd = -1; /* kept open: a descriptor that is closed under its watch is another mistake */
    if (fd < 0)
        fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (status == LARDER_OK)
        (void)the_host->watch(home, fd, LARDER_READ, woken, NULL);
    return status;
}

const struct mistake mistake = {.driver.open = open_instance};
