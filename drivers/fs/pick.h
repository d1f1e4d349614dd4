/*
 * One page of things that come in no order: the k smallest ids after a cursor, in k places of
 * memory.  So a cursor is the last id of a page, 32 hex digits, good anywhere and for ever.
 */
#ifndef FS_PICK_H
#define FS_PICK_H

#include "fs.h"

struct fs_pick {
    size_t n, size;
    bool more; /* something was left out */
    struct fs_picked {
        struct fs_id id;
        const void *item; /* the caller's; not looked at */
    } * items;            /* a heap, the greatest first, until fs_pick_sort() */
};

/* false: no memory. */
bool fs_pick_init(struct fs_pick *p, size_t size);
void fs_pick_done(struct fs_pick *p);
void fs_pick_offer(struct fs_pick *p, struct fs_id id, const void *item);
void fs_pick_sort(struct fs_pick *p);

/* The frame of a paged op: reads op->cursor and op->limit, readies a pick of one page. */
int32_t fs_page_begin(struct fs_call *c, struct fs_pick *pick, bool *ret_from_start, struct fs_id *ret_after);
/* The page ended at this id and there is more. */
void fs_page_end(struct fs_call *c, struct fs_id last);

#endif
