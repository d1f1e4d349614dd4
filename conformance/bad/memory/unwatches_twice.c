/* Mistake: a watch is ended twice
 *
 * By the function that closes the connection, and by close(), which looks whether there is a
 * connection by a pointer that nobody set to NULL.
 *
 * Caught by: basic/a_key_that_was_never_put_is_a_miss_without_a_value (watch used after it was freed)
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "bad.h"

static struct larder_watch *watch;

static void woken(void *arg, int fd, uint32_t events) {
    (void)arg;
    (void)fd;
    (void)events;
}

static int32_t open_instance(const struct larder_host *host, struct larder_home *home, const void *config,
                             struct larder_info *info, void **instance, char *error) {
    int32_t status = right->open(host, home, config, info, instance, error);
    int fd = status == LARDER_OK ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    if (fd < 0)
        return status;
    watch = the_host->watch(home, fd, LARDER_READ, woken, NULL);
    if (watch)
        the_host->unwatch(watch);
    close(fd);
    return status;
}

static void close_instance(void *instance) {
    if (watch)
        the_host->unwatch(watch);
    right->close(instance);
}

const struct mistake mistake = {.driver = {.open = open_instance, .close = close_instance}};
