/* Mistake: of two expiries the later one is kept
 *
 * Everything else about marks is "the greater one wins".
 *
 * Caught by: marks/the_greater_epoch_and_the_sooner_expiry_win
 */
#include "bad.h"
#include "memory.h"

/* The one that is stored for a tag before and after a write. */
static int64_t *expiry_of(struct store *store, struct larder_bytes tag) {
    struct map_node *node = map_find(&store->marks, tag);
    return node ? &((struct larder_mark *)node->value)->expire_at_ms : NULL;
}

static void write(void *instance, struct larder_op *op) {
    struct store *store = ((struct memory *)instance)->store;
    if (op->n_marks != 1) { /* which is what comes from Next.js */
        right->tags->write(instance, op);
        return;
    }
    int64_t later = op->marks[0].expire_at_ms;
    const int64_t *before = expiry_of(store, op->marks[0].tag);
    if (before && *before > later)
        later = *before;
    struct larder_result res = ask(right->tags->write, instance, op);
    int64_t *after = expiry_of(store, op->marks[0].tag);
    if (after)
        *after = later;
    the_host->complete(op, &res);
}

const struct mistake mistake = {.tags.write = write};
