/* Mistake: of the length of a value 16 bits are kept
 *
 * A header with a uint16_t in it, tried with small pages only.
 *
 * Caught by: values/values_of_every_size_are_read_back_byte_for_byte
 */
#include "bad.h"

static void put(void *instance, struct larder_op *op) {
    struct larder_op copy = disguised(op);
    copy.value.len = (uint16_t)op->value.len;
    if (copy.value.len == 0)
        copy.value = (struct larder_slice){0};
    right->cache->put(instance, &copy);
}

const struct mistake mistake = {.cache.put = put};
