#include "mark_memory.h"

#include <stdlib.h>

#include "bytes.h"
#include "hash.h"
#include "marks.h"

enum { FIRST_SLOTS = 64 };

/* The tag of a slot is our own copy, never NULL; a free slot has NULL. */
static struct marked *slot_of(const struct mark_memory *memory, uint64_t hash, struct larder_bytes tag) {
    size_t at = (size_t)hash & (memory->n_slots - 1);
    while (memory->slots[at].mark.tag.ptr != NULL &&
           (memory->slots[at].hash != hash || !bytes_equal(memory->slots[at].mark.tag, tag)))
        at = (at + 1) & (memory->n_slots - 1);
    return &memory->slots[at];
}

void mark_memory_forget_all(struct mark_memory *memory) {
    for (size_t i = 0; i < memory->n_slots; i++)
        free((void *)(uintptr_t)memory->slots[i].mark.tag.ptr);
    free(memory->slots);
    memory->slots = NULL;
    memory->n_slots = memory->n = 0;
}

static bool grow(struct mark_memory *memory) {
    struct mark_memory grown = *memory;
    grown.n_slots = memory->n_slots > 0 ? memory->n_slots * 2 : FIRST_SLOTS;
    grown.slots = calloc(grown.n_slots, sizeof(*grown.slots));
    if (grown.slots == NULL)
        return false;
    for (size_t i = 0; i < memory->n_slots; i++)
        if (memory->slots[i].mark.tag.ptr != NULL)
            *slot_of(&grown, memory->slots[i].hash, memory->slots[i].mark.tag) = memory->slots[i];
    free(memory->slots);
    *memory = grown;
    return true;
}

void mark_memory_init(struct mark_memory *memory, uint64_t age_ns) {
    *memory = (struct mark_memory){.age_ns = age_ns};
}

void mark_memory_done(struct mark_memory *memory) {
    mark_memory_forget_all(memory);
}

const struct marked *mark_memory_find(const struct mark_memory *memory, struct larder_bytes tag,
                                      uint64_t now_ns) {
    if (memory->n == 0)
        return NULL;
    const struct marked *slot = slot_of(memory, hash_64(tag.ptr, tag.len), tag);
    bool young = slot->mark.tag.ptr != NULL && !slot->forgotten && now_ns - slot->asked_ns <= memory->age_ns;
    return young ? slot : NULL;
}

/* The key's slot, with a copy of the tag; NULL: no memory. */
static struct marked *slot_for(struct mark_memory *memory, struct larder_bytes tag) {
    uint64_t hash = hash_64(tag.ptr, tag.len);
    if (memory->n_slots > 0) {
        struct marked *there = slot_of(memory, hash, tag);
        if (there->mark.tag.ptr != NULL)
            return there;
    }
    if (memory->n == MARK_MEMORY_TAGS)
        mark_memory_forget_all(memory);
    if (memory->n * 2 >= memory->n_slots && !grow(memory))
        return NULL;
    uint8_t *copy = malloc(tag.len + 1); /* the namespace's tag is empty */
    if (copy == NULL)
        return NULL;
    bytes_put(copy, tag);
    struct marked *slot = slot_of(memory, hash, tag);
    *slot = (struct marked){.mark.tag = {copy, tag.len}, .hash = hash};
    memory->n++;
    return slot;
}

void mark_memory_put(struct mark_memory *memory, struct larder_bytes tag, const struct larder_mark *mark,
                     uint64_t asked_ns) {
    struct marked *slot = memory->age_ns > 0 ? slot_for(memory, tag) : NULL;
    if (slot == NULL || (slot->asked_ns > asked_ns && !slot->forgotten))
        return;
    slot->forgotten = false;
    slot->mark.expired_epoch = mark != NULL ? mark->expired_epoch : LARDER_UNSET;
    slot->mark.stale_epoch = mark != NULL ? mark->stale_epoch : LARDER_UNSET;
    slot->mark.expire_at_ms = mark != NULL ? mark->expire_at_ms : LARDER_UNSET;
    slot->asked_ns = asked_ns;
}

void mark_memory_merge(struct mark_memory *memory, const struct larder_mark *mark, int64_t now_ms) {
    if (memory->n == 0)
        return;
    struct marked *slot = slot_of(memory, hash_64(mark->tag.ptr, mark->tag.len), mark->tag);
    if (slot->mark.tag.ptr == NULL)
        return;
    struct larder_bytes own_tag = slot->mark.tag;
    slot->mark = mark_merge(&slot->mark, mark, now_ms);
    slot->mark.tag = own_tag;
}

void mark_memory_disturb(struct mark_memory *memory) {
    memory->generation++;
}

/* The slot stays: open addressing cannot take one out alone. */
void mark_memory_forget(struct mark_memory *memory, struct larder_bytes tag) {
    if (memory->n == 0)
        return;
    struct marked *slot = slot_of(memory, hash_64(tag.ptr, tag.len), tag);
    if (slot->mark.tag.ptr != NULL)
        slot->forgotten = true;
}
