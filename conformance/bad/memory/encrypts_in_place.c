/* Mistake: put changes the bytes of the value that it is given
 *
 * Encryption, or escaping, in place.  Whoever put the value holds the same buffer, and serves it.
 *
 * Caught by: basic/what_was_put_is_there_each_time_that_it_is_read (put's value written)
 */
#include "bad.h"

static void crypt_bytes(struct larder_slice value) {
    uint8_t *bytes = (uint8_t *)(uintptr_t)value.ptr;
    for (size_t i = 0; i < value.len; i++)
        bytes[i] ^= 0x5a;
}

static void put(void *instance, struct larder_op *op) {
    crypt_bytes(op->value);
    right->cache->put(instance, op);
}

static void get(void *instance, struct larder_op *op) {
    struct larder_result res = ask(right->cache->get, instance, op);
    struct larder_slice stored = res.value;
    if (res.status == LARDER_OK && stored.len > 0) {
        if (copy_of((struct larder_bytes){stored.ptr, stored.len}, 0, &res.value))
            crypt_bytes(res.value);
        else
            res = (struct larder_result){.size = sizeof(res), .status = LARDER_NOMEM};
        the_host->buf_unref(stored.owner);
    }
    the_host->complete(op, &res);
}

const struct mistake mistake = {.cache = {.get = get, .put = put}};
