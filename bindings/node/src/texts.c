#include "texts.h"

#include <stdint.h>
#include <stdlib.h>

enum { FIRST_ROOM = 64 };

/* Fibonacci hashing: addresses differ in their middle bits. */
static size_t home_of(const struct texts *texts, const void *memory) {
    uint64_t spread = (uint64_t)(uintptr_t)memory * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(spread >> 32) & (texts->room - 1);
}

/* Where the memory is, or where it would be put; there is always a free slot. */
static struct texts_slot *find(const struct texts *texts, const void *memory) {
    size_t at = home_of(texts, memory);
    while (texts->slots[at].memory && texts->slots[at].memory != memory)
        at = (at + 1) & (texts->room - 1);
    return &texts->slots[at];
}

static bool grow(struct texts *texts) {
    struct texts larger = {.n = texts->n, .room = texts->room > 0 ? texts->room * 2 : FIRST_ROOM};
    larger.slots = calloc(larger.room, sizeof(*larger.slots));
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < texts->room; i++)
        if (texts->slots[i].memory)
            *find(&larger, texts->slots[i].memory) = texts->slots[i];
    free(texts->slots);
    *texts = larger;
    return true;
}

bool texts_add(struct texts *texts, const void *memory) {
    /* Never more than half full. */
    if (2 * (texts->n + 1) > texts->room && !grow(texts) && texts->n + 1 >= texts->room)
        return true;
    struct texts_slot *slot = find(texts, memory);
    if (!slot->memory) {
        slot->memory = memory;
        texts->n++;
    }
    return slot->n++ == 0;
}

/* Closes the gap, so that no search ends at it too early. */
static void take_out(struct texts *texts, struct texts_slot *slot) {
    size_t mask = texts->room - 1, gap = (size_t)(slot - texts->slots);
    for (size_t at = (gap + 1) & mask; texts->slots[at].memory; at = (at + 1) & mask) {
        size_t home = home_of(texts, texts->slots[at].memory);
        if (((at - home) & mask) < ((at - gap) & mask))
            continue; /* the gap is before its home */
        texts->slots[gap] = texts->slots[at];
        gap = at;
    }
    texts->slots[gap] = (struct texts_slot){0};
    texts->n--;
}

bool texts_drop(struct texts *texts, const void *memory) {
    struct texts_slot *slot = texts->room > 0 ? find(texts, memory) : NULL;
    if (!slot || !slot->memory)
        return true;
    if (--slot->n > 0)
        return false;
    take_out(texts, slot);
    return true;
}

void texts_done(struct texts *texts) {
    free(texts->slots);
    *texts = (struct texts){0};
}
