/* Mistake: answers of a batch are matched to its tags by their position
 *
 * The store leaves out what it does not have (DynamoDB's BatchGetItem, a SELECT with IN), and the
 * n-th answer is taken for that of the n-th tag.
 *
 * Caught by: tags/a_thousand_tags_are_written_and_read_in_one_op
 */
#include "bad.h"

static size_t n;

static int32_t emit_mark(struct larder_op *op, const struct larder_mark *mark) {
    struct larder_mark wrong = *mark;
    if (op->code == LARDER_OP_TAGS_READ && n < op->n_marks)
        wrong.tag = op->marks[n++].tag;
    return the_host->emit_mark(op, &wrong);
}

static void read(void *instance, struct larder_op *op) {
    n = 0;
    right->tags->read(instance, op);
}

const struct mistake mistake = {.host.emit_mark = emit_mark, .tags.read = read};
