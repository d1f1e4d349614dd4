/* Mistake: tags_of emits its tags as keys
 *
 * The two emit functions look alike, and tags are names as keys are.
 *
 * Caught by: index/a_linked_key_is_found_by_each_of_its_tags (emitted what the op does not ask for)
 */
#include "bad.h"

static int32_t emit_mark(struct larder_op *op, const struct larder_mark *mark) {
    if (op->code == LARDER_OP_TAGS_OF)
        return the_host->emit_key(op, mark->tag);
    return the_host->emit_mark(op, mark);
}

const struct mistake mistake = {.host.emit_mark = emit_mark};
