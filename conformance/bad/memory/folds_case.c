/* Mistake: keys that differ in case alone are one key
 *
 * The store's collation compares text as people do (MySQL's default, file systems of macOS).
 *
 * Caught by: keys/keys_are_data_and_lead_nowhere
 */
#include <ctype.h>
#include <stdlib.h>

#include "bad.h"

static void folded(larder_op_fn *fn, void *instance, struct larder_op *op) {
    uint8_t *key = malloc(op->key.len + 1);
    if (!key) {
        answer(op, LARDER_NOMEM, NULL);
        return;
    }
    for (size_t i = 0; i < op->key.len; i++)
        key[i] = (uint8_t)tolower(op->key.ptr[i]);
    struct larder_op copy = disguised(op);
    copy.key.ptr = key;
    fn(instance, &copy);
    free(key);
}

static void get(void *instance, struct larder_op *op) {
    folded(right->cache->get, instance, op);
}

static void put(void *instance, struct larder_op *op) {
    folded(right->cache->put, instance, op);
}

const struct mistake mistake = {.cache = {.get = get, .put = put}};
