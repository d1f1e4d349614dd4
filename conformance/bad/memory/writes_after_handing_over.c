/* Mistake: a value's buffer is written to after it has been handed over
 *
 * The driver wipes its receive buffer when it is done with a reply, so that no user's data stays
 * in memory; the value in it was given away without a copy.
 *
 * Caught by: basic/what_was_put_is_there_each_time_that_it_is_read (value written after handing over)
 */
#include "bad.h"

static void get(void *instance, struct larder_op *op) {
    struct larder_result res = ask(right->cache->get, instance, op);
    struct larder_slice stored = res.value;
    uint8_t *reply = copy_of((struct larder_bytes){stored.ptr, stored.len}, 1, &res.value);
    if (!reply)
        res.status = LARDER_NOMEM;
    if (res.status != LARDER_OK) {
        the_host->buf_unref(res.value.owner);
        res.value = (struct larder_slice){0};
    }
    res.value.len = stored.len;
    the_host->buf_unref(stored.owner);
    size_t len = stored.len;
    bool ok = res.status == LARDER_OK;
    the_host->complete(op, &res);
    if (ok)
        memset(reply, 0, len);
}

const struct mistake mistake = {.cache.get = get};
