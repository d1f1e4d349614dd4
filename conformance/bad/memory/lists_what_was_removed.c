/* Mistake: a removed key is still listed
 *
 * Lists come from a table of their own, which put fills and remove does not know.
 *
 * Caught by: list/a_removed_key_is_listed_no_more
 */
#include "bad.h"

static struct larder_slice removed; /* the last one */

static void remove_entry(void *instance, struct larder_op *op) {
    struct larder_result found = ask(right->cache->get, instance, op);
    the_host->buf_unref(found.value.owner);
    if (found.status == LARDER_OK) {
        the_host->buf_unref(removed.owner);
        removed = (struct larder_slice){0};
        if (copy_of(op->key, 1, &removed))
            removed.len = op->key.len;
    }
    right->cache->remove(instance, op);
}

static void list(void *instance, struct larder_op *op) {
    struct larder_bytes key = {removed.ptr, removed.len};
    if (op->flags == 0 && op->cursor.len == 0 && key.len > op->key.len &&
        memcmp(key.ptr, op->key.ptr, op->key.len) == 0)
        (void)the_host->emit_key(op, key);
    right->cache->list(instance, op);
}

static void close_instance(void *instance) {
    the_host->buf_unref(removed.owner);
    removed = (struct larder_slice){0};
    right->close(instance);
}

const struct mistake mistake = {.cache = {.remove = remove_entry, .list = list},
                                .driver.close = close_instance};
