/* Mistake: close() closes a descriptor that was never opened
 *
 * The instance comes from calloc(), and 0, which is meant as "none", is standard input.  What is
 * opened next in the process gets that number, and is closed by the next instance that goes.
 *
 * Caught by: basic/a_key_that_was_never_put_is_a_miss_without_a_value (descriptor of another closed)
 */
#include <unistd.h>

#include "bad.h"

static struct { int socket; /* opened when it is needed */ } connection;

static void close_instance(void *instance) {
    close(connection.socket);
    right->close(instance);
}

const struct mistake mistake = {.driver.close = close_instance};
