/* Mistake: the buffer of a value that turned out to be of no use is not given back
 *
 * get() makes a buffer before it looks.  Where nothing is found it is forgotten: the one path
 * without a value has nothing that reminds of it.
 *
 * Caught by: basic/a_key_that_was_never_put_is_a_miss_without_a_value (buffer leaked)
 */
#include "bad.h"

static void get(void *instance, struct larder_op *op) {
    struct larder_result found = ask(right->cache->get, instance, op);
    struct larder_slice room;
    the_host->buf_unref(found.value.owner);
    if (found.status == LARDER_MISS && !the_host->buf_new(64, &room)) {
        answer(op, LARDER_NOMEM, NULL);
        return;
    }
    right->cache->get(instance, op);
}

const struct mistake mistake = {.cache.get = get};
