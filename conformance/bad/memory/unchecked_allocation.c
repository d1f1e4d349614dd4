/* Mistake: a buffer is not checked
 *
 * buf_new() has never failed on the author's machine.
 *
 * Caught by: starve/whichever_allocation_fails_what_is_answered_is_true (the host's buf_new())
 */
#include "bad.h"

static void get(void *instance, struct larder_op *op) {
    struct larder_result res = ask(right->cache->get, instance, op);
    struct larder_slice stored = res.value;
    if (res.status == LARDER_OK && stored.len > 0) {
        uint8_t *copy = the_host->buf_new(stored.len, &res.value);
        memcpy(copy, stored.ptr, stored.len);
        the_host->buf_unref(stored.owner);
    }
    the_host->complete(op, &res);
}

const struct mistake mistake = {.cache.get = get};
