/* Mistake: a removed entry is still answered
 *
 * The last entry that was read is kept for the next get of the same key; put throws it away,
 * remove was forgotten.
 *
 * Caught by: life/what_one_instance_writes_the_other_reads
 */
#include <stdlib.h>

#include "bad.h"

static struct {
    struct larder_slice key;
    struct larder_result result; /* one reference */
} last;

static struct larder_bytes last_key(void) {
    return (struct larder_bytes){last.key.ptr, last.key.len};
}

static void forget(void) {
    if (the_host) {
        the_host->buf_unref(last.key.owner);
        the_host->buf_unref(last.result.value.owner);
    }
    memset(&last, 0, sizeof(last));
}

static void get(void *instance, struct larder_op *op) {
    if (!last.key.owner || !same_bytes(last_key(), op->key)) {
        forget();
        last.result = ask(right->cache->get, instance, op);
        if (last.result.status != LARDER_OK || !copy_of(op->key, 1, &last.key)) {
            forget();
            right->cache->get(instance, op);
            return;
        }
        last.key.len = op->key.len;
    }
    if (last.result.value.owner)
        the_host->buf_ref(last.result.value.owner);
    the_host->complete(op, &last.result);
}

static void put(void *instance, struct larder_op *op) {
    forget();
    right->cache->put(instance, op);
}

static void close_instance(void *instance) {
    forget();
    right->close(instance);
}

const struct mistake mistake = {.cache = {.get = get, .put = put}, .driver.close = close_instance};
