/* Mistake: a tag without a mark is answered with a mark in which nothing is set
 *
 * One answer for each question.  But "no mark" under a namespace's own tag means that the tag
 * store was wiped, and that must be noticed.
 *
 * Caught by: marks/a_tag_that_was_never_marked_has_no_mark
 */
#include "bad.h"

static size_t found;

static int32_t emit_mark(struct larder_op *op, const struct larder_mark *mark) {
    found++;
    return the_host->emit_mark(op, mark);
}

static void read(void *instance, struct larder_op *op) {
    int32_t status = LARDER_OK;
    for (size_t i = 0; i < op->n_marks && status == LARDER_OK; i++) {
        struct larder_mark none = {op->marks[i].tag, LARDER_UNSET, LARDER_UNSET, LARDER_UNSET};
        struct larder_op look = disguised(op);
        look.marks = &op->marks[i];
        look.n_marks = 1;
        found = 0;
        right->tags->read(instance, &look);
        if (found == 0)
            status = the_host->emit_mark(op, &none);
    }
    answer(op, status, NULL);
}

/* Those of the single looks; the answer to all of them comes from read(). */
static void complete(struct larder_op *op, const struct larder_result *res) {
    if (op->code != LARDER_OP_TAGS_READ)
        the_host->complete(op, res);
}

const struct mistake mistake = {.host = {.emit_mark = emit_mark, .complete = complete}, .tags.read = read};
