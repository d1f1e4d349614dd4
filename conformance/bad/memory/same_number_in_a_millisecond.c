/* Mistake: a counter that is raised twice in one millisecond shows one number twice
 *
 * max(stored, now) instead of max(stored + 1, now): an epoch is taken for a time.
 *
 * Caught by: epoch/every_raise_of_many_at_once_gives_its_own_number
 */
#include "bad.h"
#include "memory.h"

static void advance(void *instance, struct larder_op *op) {
    struct store *store = ((struct memory *)instance)->store;
    struct map_node *node = map_find(&store->counters, op->key);
    int64_t *counter = node ? node->value : NULL;
    if (counter && op->add == 1 && op->flags == 0)
        *counter -= 1; /* which the right driver adds */
    right->tags->advance(instance, op);
}

const struct mistake mistake = {.tags.advance = advance};
