#include "pick.h"

#include <stdlib.h>

bool fs_pick_init(struct fs_pick *p, size_t size) {
    *p = (struct fs_pick){.size = size};
    p->items = calloc(size, sizeof(*p->items));
    return p->items != NULL;
}

void fs_pick_done(struct fs_pick *p) {
    free(p->items);
    *p = (struct fs_pick){0};
}

static void swap(struct fs_picked *a, struct fs_picked *b) {
    struct fs_picked was = *a;
    *a = *b;
    *b = was;
}

static void sink(struct fs_pick *p, size_t at) {
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= p->n)
            return;
        if (child + 1 < p->n && fs_id_order(p->items[child + 1].id, p->items[child].id) > 0)
            child++;
        if (fs_id_order(p->items[at].id, p->items[child].id) >= 0)
            return;
        swap(&p->items[at], &p->items[child]);
        at = child;
    }
}

void fs_pick_offer(struct fs_pick *p, struct fs_id id, const void *item) {
    if (p->n == p->size) {
        p->more = true;
        if (fs_id_order(id, p->items[0].id) >= 0)
            return;
        p->items[0] = (struct fs_picked){id, item};
        sink(p, 0);
        return;
    }
    size_t at = p->n++;
    p->items[at] = (struct fs_picked){id, item};
    for (; at > 0 && fs_id_order(p->items[at].id, p->items[(at - 1) / 2].id) > 0; at = (at - 1) / 2)
        swap(&p->items[at], &p->items[(at - 1) / 2]);
}

static int by_id(const void *a, const void *b) {
    return fs_id_order(((const struct fs_picked *)a)->id, ((const struct fs_picked *)b)->id);
}

void fs_pick_sort(struct fs_pick *p) {
    if (p->n > 0) /* nothing was made to sort where the cursor was refused */
        qsort(p->items, p->n, sizeof(*p->items), by_id);
}

int32_t fs_page_begin(struct fs_call *c, struct fs_pick *pick, bool *ret_from_start,
                      struct fs_id *ret_after) {
    const struct larder_op *op = c->op;
    *pick = (struct fs_pick){0};
    *ret_from_start = op->cursor.len == 0;
    *ret_after = (struct fs_id){0, 0};
    if (!*ret_from_start && !fs_name_parse((const char *)op->cursor.ptr, op->cursor.len, ret_after))
        return fs_fail(c, LARDER_INVALID, "the cursor is not one of this driver");
    size_t limit = op->limit == 0 || op->limit > FS_PAGE ? FS_PAGE : (size_t)op->limit;
    if (!fs_pick_init(pick, limit))
        return fs_fail(c, LARDER_NOMEM, "out of memory for a page");
    return LARDER_OK;
}

void fs_page_end(struct fs_call *c, struct fs_id last) {
    fs_name(last, c->cursor);
}
