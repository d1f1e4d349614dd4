/* Mistake: a cursor is no good when the key that it names is gone
 *
 * "Go on behind this key" is looked up by equality.  Lists are walked to remove what they show.
 *
 * Caught by: list/a_cursor_is_good_when_the_keys_of_its_page_are_gone
 */
#include "bad.h"

static void list(void *instance, struct larder_op *op) {
    if (op->cursor.len > 1 && op->flags == 0) {
        struct larder_op look = *op;
        look.key = (struct larder_bytes){op->cursor.ptr + 1, op->cursor.len - 1}; /* page_end() in memory.c */
        struct larder_result found = ask(right->cache->get, instance, &look);
        the_host->buf_unref(found.value.owner);
        if (found.status == LARDER_MISS) {
            answer(op, LARDER_INVALID, "no such cursor");
            return;
        }
    }
    right->cache->list(instance, op);
}

const struct mistake mistake = {.cache.list = list};
