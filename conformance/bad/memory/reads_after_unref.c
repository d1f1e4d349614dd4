/* Mistake: a buffer is read after its reference was given back
 *
 * What is counted for the metrics is counted one line too late.
 *
 * Caught by: basic/a_key_that_was_never_put_is_a_miss_without_a_value (buffer used after its last reference)
 */
#include "bad.h"

static unsigned braces; /* for the metrics */

static void get(void *instance, struct larder_op *op) {
    struct larder_slice room;
    uint8_t *scratch = the_host->buf_new(4096, &room);
    if (scratch) {
        memset(scratch, '{', 4096);
        the_host->buf_unref(room.owner);
        braces += ((volatile const uint8_t *)scratch)[17] == '{';
    }
    right->cache->get(instance, op);
}

const struct mistake mistake = {.cache.get = get};
