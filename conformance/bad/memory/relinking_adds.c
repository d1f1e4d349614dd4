/* Mistake: a key that is linked again is still found by the tags that it had
 *
 * SADD for each tag, and nothing that takes the key out of the sets it was in.  They only grow, and
 * a page that dropped a tag is purged by it for ever.
 *
 * Caught by: index/linking_again_replaces_the_tags
 */
#include <stdlib.h>

#include "bad.h"
#include "memory.h"

enum { MAX_PAIRS = 16 };

static void link(void *instance, struct larder_op *op) {
    struct store *store = ((struct memory *)instance)->store;
    struct larder_slice pairs[MAX_PAIRS]; /* a tag and the op's key as one: see pair_key() in tags.c */
    size_t n = 0;
    struct map_node *node = op->n_marks > 0 ? map_from(&store->keys_of, (struct larder_bytes){0}) : NULL;
    for (; node && n < MAX_PAIRS; node = map_next(node)) {
        struct larder_bytes end = {node->key.ptr + node->key.len - op->key.len, op->key.len};
        if (node->key.len > op->key.len && same_bytes(end, op->key) && copy_of(node->key, 0, &pairs[n]))
            n++;
    }
    struct larder_result res = ask(right->tags->link, instance, op);
    while (n-- > 0) {
        struct larder_bytes pair = {pairs[n].ptr, pairs[n].len};
        if (res.status == LARDER_OK && !map_find(&store->keys_of, pair))
            map_add(&store->keys_of, pair, NULL);
        the_host->buf_unref(pairs[n].owner);
    }
    the_host->complete(op, &res);
}

const struct mistake mistake = {.tags.link = link};
