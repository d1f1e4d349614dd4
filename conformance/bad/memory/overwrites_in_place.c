/* Mistake: a put of the same length overwrites the stored value where it lies
 *
 * It saves an allocation, and readers hold the very same buffer: what they are reading changes
 * from the old value to the new one.
 *
 * Caught by: values/a_value_that_was_read_stays_what_it_was_when_its_key_is_put_again (value written after handing over)
 */
#include "bad.h"

static void put(void *instance, struct larder_op *op) {
    struct larder_result stored = ask(right->cache->get, instance, op);
    if (stored.status == LARDER_OK && stored.value.len == op->value.len && !(op->flags & LARDER_IF_ABSENT) &&
        op->value.len > 0 && stored.epoch <= op->epoch) {
        uint8_t *place = (uint8_t *)(uintptr_t)stored.value.ptr;
        memcpy(place, op->value.ptr, op->value.len);
    }
    the_host->buf_unref(stored.value.owner);

    /* What is stored is a buffer of the driver's own, that it may write to. */
    struct larder_op own = disguised(op);
    if (copy_of((struct larder_bytes){op->value.ptr, op->value.len}, 0, &own.value))
        right->cache->put(instance, &own);
    else
        answer(op, LARDER_NOMEM, NULL);
    the_host->buf_unref(own.value.owner);
}

const struct mistake mistake = {.cache.put = put};
