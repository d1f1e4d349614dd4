#include "table.h"

#include <stdlib.h>
#include <string.h>

void fs_table_done(struct fs_table *t) {
    for (size_t i = 0; i < t->n_slots; i++)
        free(t->slots[i]);
    free(t->slots);
    *t = (struct fs_table){.greatest = LARDER_UNSET};
}

/* The slot of the record, or the empty one where it belongs; there is always an empty one. */
static size_t slot_of(struct fs_record *const *slots, size_t n_slots, const struct fs_record *like) {
    size_t at = (size_t)like->lo & (n_slots - 1);
    for (; slots[at] != NULL; at = (at + 1) & (n_slots - 1)) {
        const struct fs_record *r = slots[at];
        if (r->lo == like->lo && r->hi == like->hi && r->kind == like->kind &&
            r->name.len == like->name.len &&
            (r->name.len == 0 || memcmp(r->name.ptr, like->name.ptr, r->name.len) == 0))
            break;
    }
    return at;
}

const struct fs_record *fs_table_find(const struct fs_table *t, const struct fs_record *like) {
    if (t->n_slots == 0)
        return NULL;
    return t->slots[slot_of(t->slots, t->n_slots, like)];
}

static bool grow(struct fs_table *t) {
    size_t n_slots = t->n_slots > 0 ? t->n_slots * 2 : 64;
    struct fs_record **slots = calloc(n_slots, sizeof(struct fs_record *));
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < t->n_slots; i++)
        if (t->slots[i] != NULL)
            slots[slot_of(slots, n_slots, t->slots[i])] = t->slots[i];
    free(t->slots);
    t->slots = slots;
    t->n_slots = n_slots;
    return true;
}

void fs_table_saw(struct fs_table *t, int64_t epoch) {
    if (epoch > t->greatest)
        t->greatest = epoch;
}

bool fs_table_set(struct fs_table *t, const struct fs_record *like) {
    if ((t->n + 1) * 4 > t->n_slots * 3 && !grow(t))
        return false;

    size_t at = slot_of(t->slots, t->n_slots, like);
    struct fs_record *r = t->slots[at];
    if (r == NULL) {
        r = malloc(sizeof(*r) + like->name.len);
        if (r == NULL)
            return false;
        if (like->name.len > 0)
            memcpy(r + 1, like->name.ptr, like->name.len);
        t->slots[at] = r;
        t->n++;
        t->name_bytes += like->name.len;
    }
    *r = *like;
    r->name.ptr = (const uint8_t *)(r + 1);
    fs_table_saw(t, like->a);
    if (like->kind == FS_MARK)
        fs_table_saw(t, like->b);
    return true;
}
