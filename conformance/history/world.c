#include "world.h"

#include <stdio.h>

#include "larder/larder.h"

enum { NAMESPACE_TAG = 0, FIRST_GROUP = 1, FIRST_OWN = FIRST_GROUP + WORLD_GROUPS };

bool world_is_good(const struct world *w) {
    return w->n_data >= 1 && w->n_data <= WORLD_MAX && w->n_mids <= WORLD_MAX && w->n_pages <= WORLD_MAX &&
           world_n_tags(w) <= 64;
}

unsigned world_n_keys(const struct world *w) {
    return w->n_data + w->n_mids + w->n_pages;
}

unsigned world_n_tags(const struct world *w) {
    return FIRST_OWN + world_n_keys(w);
}

int world_level(const struct world *w, unsigned key) {
    if (key < w->n_data)
        return LEVEL_DATA;
    return key < w->n_data + w->n_mids ? LEVEL_MID : LEVEL_PAGE;
}

void world_of_level(const struct world *w, int level, unsigned *ret_first, unsigned *ret_end) {
    *ret_first = level == LEVEL_DATA ? 0 : level == LEVEL_MID ? w->n_data : w->n_data + w->n_mids;
    *ret_end = level == LEVEL_DATA ? w->n_data : level == LEVEL_MID ? w->n_data + w->n_mids : world_n_keys(w);
}

unsigned world_tag_of(unsigned key) {
    return FIRST_OWN + key;
}

unsigned world_group_of(unsigned key) {
    return FIRST_GROUP + key % WORLD_GROUPS;
}

uint32_t world_kind(const struct world *w, unsigned key) {
    static const uint32_t kinds[] = {LARDER_FETCH, LARDER_USE_CACHE, LARDER_PAGE};
    return kinds[world_level(w, key)];
}

static size_t name_of(const struct world *w, unsigned key, const char *before, char out[WORLD_NAME]) {
    static const char *const levels[] = {"data", "mid", "page"};
    unsigned first, end;
    int level = world_level(w, key);
    world_of_level(w, level, &first, &end);
    return (size_t)snprintf(out, WORLD_NAME, "%s%s-%u", before, levels[level], key - first);
}

size_t world_key_name(const struct world *w, unsigned key, char out[WORLD_NAME]) {
    return name_of(w, key, "", out);
}

size_t world_tag_name(const struct world *w, unsigned tag, char out[WORLD_NAME]) {
    if (tag == NAMESPACE_TAG) {
        out[0] = '\0';
        return 0;
    }
    if (tag < FIRST_OWN)
        return (size_t)snprintf(out, WORLD_NAME, "group-%u", tag - FIRST_GROUP);
    return name_of(w, tag - FIRST_OWN, "of-", out);
}
