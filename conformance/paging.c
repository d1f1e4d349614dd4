/* Paged ops: drive.h. */
#include <string.h>

#include "drive.h"

/* A page may be empty, but who answers with the cursor that he was given, over and over, never ends. */
enum { CURSOR_ROOM = 16384, SAME_AT_MOST = 100 };

/* ---- paging ------------------------------------------------------------------------------------- */

bool walk(uint32_t code, struct larder_bytes key, uint64_t limit, seen_fn *seen, void *arg) {
    uint8_t cursor[CURSOR_ROOM];
    size_t cursor_len = 0;
    unsigned same = 0;
    for (unsigned pages = 0; pages < 4 * drive.n_keys + 100 && same < SAME_AT_MOST; pages++) {
        struct op_inputs in = {.key = key, .limit = limit, .cursor = {cursor, cursor_len}};
        struct op *op = call(pages % 2 ? drive.two : drive.one, code, in);
        bool ok = op->result.status == LARDER_OK && op->result.cursor.len <= sizeof(cursor);
        for (size_t i = 0; ok && i < op->n_keys; i++)
            seen(arg, op->keys[i]);
        for (size_t i = 0; ok && i < op->n_marks; i++)
            seen(arg, op->marks[i].tag);
        struct larder_bytes next = ok ? slice_bytes(op->result.cursor) : (struct larder_bytes){0};
        same = bytes_equal(next, in.cursor) ? same + 1 : 0;
        cursor_len = next.len;
        bytes_put(cursor, next);
        op_free(op);
        if (!ok || cursor_len == 0)
            return ok;
    }
    return false;
}

void tally_init(struct tally *t, const char *test, unsigned n) {
    *t = (struct tally){.prefix = name(test, "%s", ""), .n = n, .counts = calloc(n + 1, 1)};
    if (!t->counts)
        abort();
}

void tally_seen(void *arg, struct larder_bytes record) {
    struct tally *t = arg;
    struct larder_bytes prefix = t->prefix;
    char digits[8] = "";
    if (bytes_begin_with(record, prefix) && record.len - prefix.len == 6)
        memcpy(digits, record.ptr + prefix.len, 6);
    char *end;
    unsigned long no = strtoul(digits, &end, 10);
    if (end != digits + 6 || no >= t->n) {
        t->strangers++;
    } else if (t->counts[no]++ == 0) {
        t->found++;
    }
}

void tally_done(struct tally *t) {
    free(t->counts);
}
