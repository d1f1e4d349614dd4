/* Mistake: a cursor is good only in the instance that gave it
 *
 * It is a server-side cursor of this connection, or a place in a table of this instance; the next
 * page may be asked for by another process, or a day later.
 *
 * Caught by: list/a_cursor_may_be_used_again_and_in_an_instance_that_is_opened_later
 */
#include "bad.h"

static void *giver;

static void complete(struct larder_op *op, const struct larder_result *res) {
    struct larder_result wrong = *res;
    if (op->code == LARDER_OP_LIST && res->cursor.len > 0) {
        uint8_t *cursor = the_host->buf_new(sizeof(giver) + res->cursor.len, &wrong.cursor);
        if (cursor) {
            memcpy(cursor, &giver, sizeof(giver));
            memcpy(cursor + sizeof(giver), res->cursor.ptr, res->cursor.len);
        } else {
            wrong = (struct larder_result){.size = sizeof(wrong), .status = LARDER_NOMEM};
        }
        the_host->buf_unref(res->cursor.owner);
    }
    the_host->complete(op, &wrong);
}

static void list(void *instance, struct larder_op *op) {
    struct larder_op copy = disguised(op);
    giver = instance;
    if (op->cursor.len > 0) {
        if (op->cursor.len <= sizeof(giver) || memcmp(op->cursor.ptr, &giver, sizeof(giver)) != 0) {
            answer(op, LARDER_INVALID, "no such cursor");
            return;
        }
        copy.cursor.ptr += sizeof(giver);
        copy.cursor.len -= sizeof(giver);
    }
    right->cache->list(instance, &copy);
}

const struct mistake mistake = {.host.complete = complete, .cache.list = list};
