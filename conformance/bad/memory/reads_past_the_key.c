/* Mistake: the byte behind the key is read
 *
 * A key is copied with the NUL that a C string would have behind it.
 *
 * Caught by: basic/a_key_that_was_never_put_is_a_miss_without_a_value (op read beyond its end)
 */
#include <stdlib.h>

#include "bad.h"

static void get(void *instance, struct larder_op *op) {
    char *text = malloc(op->key.len + 1);
    if (!text) {
        answer(op, LARDER_NOMEM, NULL);
        return;
    }
    memcpy(text, op->key.ptr, op->key.len + 1);
    struct larder_op copy = disguised(op);
    copy.key.ptr = (const uint8_t *)text;
    right->cache->get(instance, &copy);
    free(text);
}

const struct mistake mistake = {.cache.get = get};
