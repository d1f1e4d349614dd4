/*
 * An ordered map from bytes to pointers: a skip list, so that what follows a key is found as
 * fast as the key, which is all that a page with a cursor needs.  Keys are copied; values are
 * the caller's.
 */
#ifndef MEMORY_MAP_H
#define MEMORY_MAP_H

#include "larder/driver.h"

enum { MAP_HEIGHT = 16 }; /* a quarter of the nodes reach the next level: good for 4^16 */

struct map_node {
    struct larder_bytes key;
    void *value;
    struct map_node *next[]; /* next[0] is the one after this, in the order of bytes */
};

struct map { /* zero is an empty one */
    struct map_node *head[MAP_HEIGHT];
    uint64_t dice;
    size_t n;
};

/* Frees nodes, and values by free_value (NULL: they stay). */
void map_done(struct map *map, void (*free_value)(void *value));

/* The node of key; NULL: not there. */
struct map_node *map_find(const struct map *map, struct larder_bytes key);
/* The first node whose key is not less than `from`; NULL: none. */
struct map_node *map_from(const struct map *map, struct larder_bytes from);
static inline struct map_node *map_next(const struct map_node *node) {
    return node->next[0];
}

/* key must not be there.  NULL: no memory. */
struct map_node *map_add(struct map *map, struct larder_bytes key, void *value);
/* The value of what was removed; NULL: it was not there.  key may be the node's own. */
void *map_remove(struct map *map, struct larder_bytes key);

#endif
