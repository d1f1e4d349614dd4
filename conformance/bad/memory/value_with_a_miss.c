/* Mistake: a miss comes with a value
 *
 * The value of an entry whose time is up is on its way when that is noticed, and only the status is
 * changed.  The core takes no reference that comes with a miss.
 *
 * Caught by: times/an_entry_is_a_miss_once_its_time_is_up (a value without OK)
 */
#include "bad.h"

static void get(void *instance, struct larder_op *op) {
    struct larder_op earlier = *op;
    earlier.now_ms = 0; /* when nothing was over yet */
    struct larder_result res = ask(right->cache->get, instance, &earlier);
    struct larder_result now = ask(right->cache->get, instance, op);
    res.status = now.status;
    the_host->buf_unref(now.value.owner);
    the_host->complete(op, &res);
}

const struct mistake mistake = {.cache.get = get};
