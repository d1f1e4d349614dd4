/* Mistake: a buffer is given back twice
 *
 * Once where it turns out that it is not needed, and once where everything is cleaned up.
 *
 * Caught by: basic/a_key_that_was_never_put_is_a_miss_without_a_value (buffer released twice)
 */
#include "bad.h"

static void get(void *instance, struct larder_op *op) {
    struct larder_slice room = {0};
    struct larder_result found = ask(right->cache->get, instance, op);
    bool needed = found.status == LARDER_OK;
    the_host->buf_unref(found.value.owner);
    if (the_host->buf_new(64, &room) && !needed)
        the_host->buf_unref(room.owner);
    right->cache->get(instance, op);
    the_host->buf_unref(room.owner);
}

const struct mistake mistake = {.cache.get = get};
