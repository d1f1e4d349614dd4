/* Mistake: the keys of a tag are those of all tags that begin with it
 *
 * The index is scanned from "tag" on as long as its rows begin with "tag"; nothing stands between
 * a tag and its key.
 *
 * Caught by: index/tags_and_keys_are_not_confused_where_they_meet
 */
#include "bad.h"
#include "memory.h"

/* Pairs of a longer tag: see pair_key() in tags.c. */
static void keys_of(void *instance, struct larder_op *op) {
    struct store *store = ((struct memory *)instance)->store;
    int32_t status = LARDER_OK;
    struct map_node *node = map_from(&store->keys_of, (struct larder_bytes){0});
    for (; node && op->cursor.len == 0 && op->flags == 0 && status == LARDER_OK; node = map_next(node)) {
        uint64_t tag_len;
        memcpy(&tag_len, node->key.ptr, sizeof(tag_len));
        const uint8_t *tag = node->key.ptr + sizeof(tag_len);
        size_t key_len = node->key.len - sizeof(tag_len) - tag_len;
        if (tag_len > op->key.len && memcmp(tag, op->key.ptr, op->key.len) == 0)
            status = the_host->emit_key(op, (struct larder_bytes){tag + tag_len, key_len});
    }
    right->tags->keys_of(instance, op);
}

const struct mistake mistake = {.tags.keys_of = keys_of};
