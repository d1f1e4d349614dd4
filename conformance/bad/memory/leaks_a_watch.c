/* Mistake: a watch is left behind by close()
 *
 * The descriptor is closed, so its events are thought to be over.
 *
 * Caught by: basic/a_key_that_was_never_put_is_a_miss_without_a_value (watch leaked)
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "bad.h"

static int fd = -1;
static unsigned n_open;

static void woken(void *arg, int ready_fd, uint32_t events) {
    (void)arg;
    (void)ready_fd;
    (void)events;
}

static int32_t open_instance(const struct larder_host *host, struct larder_home *home, const void *config,
                             struct larder_info *info, void **instance, char *error) {
    int32_t status = right->open(host, home, config, info, instance, error);
    if (status == LARDER_OK && n_open++ == 0)
        fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (status == LARDER_OK && fd >= 0)
        (void)the_host->watch(home, fd, LARDER_READ, woken, NULL);
    return status;
}

static void close_instance(void *instance) {
    if (--n_open == 0 && fd >= 0)
        close(fd);
    right->close(instance);
}

const struct mistake mistake = {.driver = {.open = open_instance, .close = close_instance}};
