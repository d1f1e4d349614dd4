/* Mistake: marks and counters share one space of names
 *
 * One table, one prefix.  A tag may have any name, also the counter's.
 *
 * Caught by: tags/entries_marks_and_counters_of_one_name_are_three_things
 */
#include "bad.h"

static void advance(void *instance, struct larder_op *op) {
    struct larder_result res = ask(right->tags->advance, instance, op);
    if (res.status == LARDER_OK && op->add > 0) {
        struct larder_mark row = {op->key, res.epoch, LARDER_UNSET, LARDER_UNSET};
        struct larder_op write = *op;
        write.marks = &row;
        write.n_marks = 1;
        ask(right->tags->write, instance, &write);
    }
    the_host->complete(op, &res);
}

const struct mistake mistake = {.tags.advance = advance};
