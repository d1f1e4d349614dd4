/*
 * What is rendered: data entries, mid entries built from data, pages built from both.  Each
 * entry has a tag of its own and may carry more; what is built from others carries their tags
 * too, as Next.js does.  Entries and tags are numbers in a history; here are their names.
 */
#ifndef HISTORY_WORLD_H
#define HISTORY_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WORLD_GROUPS = 2, WORLD_MAX = 60, WORLD_NAME = 64 };

struct world {
    uint32_t n_data, n_mids, n_pages;
};

enum { LEVEL_DATA, LEVEL_MID, LEVEL_PAGE };

/* All tags fit into the bits of a number: the namespace's (the empty tag), the groups', and each
 * entry's. */
bool world_is_good(const struct world *w);
unsigned world_n_keys(const struct world *w);
unsigned world_n_tags(const struct world *w);
int world_level(const struct world *w, unsigned key);
/* The numbers of a level: *ret_first and, behind the last, *ret_end. */
void world_of_level(const struct world *w, int level, unsigned *ret_first, unsigned *ret_end);

/* The tag of entry `key` itself, and that of its group. */
unsigned world_tag_of(unsigned key);
unsigned world_group_of(unsigned key);

/* LARDER_FETCH for data, LARDER_USE_CACHE for mids, LARDER_PAGE for pages. */
uint32_t world_kind(const struct world *w, unsigned key);
/* The length; the names stand without NUL in a store. */
size_t world_key_name(const struct world *w, unsigned key, char out[WORLD_NAME]);
size_t world_tag_name(const struct world *w, unsigned tag, char out[WORLD_NAME]);

#endif
