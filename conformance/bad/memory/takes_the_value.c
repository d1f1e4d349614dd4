/* Mistake: a reference to the value of a put is given back that was never taken
 *
 * In get one reference passes to the core, so in put one is thought to pass to the driver.
 *
 * Caught by: basic/what_was_put_is_there_each_time_that_it_is_read (buffer used after its last reference)
 */
#include "bad.h"

static void put(void *instance, struct larder_op *op) {
    struct larder_buf *owner = op->value.owner;
    right->cache->put(instance, op);
    the_host->buf_unref(owner);
}

const struct mistake mistake = {.cache.put = put};
