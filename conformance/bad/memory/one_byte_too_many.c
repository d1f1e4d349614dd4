/* Mistake: one byte behind a buffer is written
 *
 * A NUL behind the value, "to be safe".
 *
 * Caught by: basic/what_was_put_is_there_each_time_that_it_is_read (buffer used beyond its end)
 */
#include "bad.h"

static void get(void *instance, struct larder_op *op) {
    struct larder_result res = ask(right->cache->get, instance, op);
    struct larder_slice stored = res.value;
    if (res.status == LARDER_OK && stored.len > 0) {
        uint8_t *copy = copy_of((struct larder_bytes){stored.ptr, stored.len}, 0, &res.value);
        if (copy)
            copy[stored.len] = '\0';
        else
            res = (struct larder_result){.size = sizeof(res), .status = LARDER_NOMEM};
        the_host->buf_unref(stored.owner);
    }
    the_host->complete(op, &res);
}

const struct mistake mistake = {.cache.get = get};
