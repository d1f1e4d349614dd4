/* Mistake: close() closes a descriptor that was closed before
 *
 * An error path closed it and left its number in the struct.  By then the number is somebody
 * else's: a socket of another driver, a file of the application.
 *
 * Caught by:
 */
#include <fcntl.h>
#include <unistd.h>

#include "bad.h"

static int fd = -1;

static void ping(void *instance, struct larder_op *op) {
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(fd);
    right->ping(instance, op);
}

static void close_instance(void *instance) {
    if (fd >= 0)
        close(fd);
    fd = -1;
    right->close(instance);
}

const struct mistake mistake = {.driver = {.ping = ping, .close = close_instance}};
