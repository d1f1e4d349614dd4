#include "map.h"

#include <stdlib.h>
#include <string.h>

static int compare(struct larder_bytes a, struct larder_bytes b) {
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

struct map_node *map_from(const struct map *map, struct larder_bytes from) {
    struct map_node *const *row = map->head; /* the links of the last node before `from` */
    for (size_t level = MAP_HEIGHT; level-- > 0;) {
        while (row[level] && compare(row[level]->key, from) < 0)
            row = row[level]->next;
    }
    return row[0];
}

struct map_node *map_find(const struct map *map, struct larder_bytes key) {
    struct map_node *node = map_from(map, key);
    return node && compare(node->key, key) == 0 ? node : NULL;
}

/* 1 with a probability of 3/4, 2 with 3/16 ...: from a sequence that is the same in every run. */
static size_t throw_height(struct map *map) {
    map->dice = map->dice * 6364136223846793005u + 1442695040888963407u;
    uint64_t bits = map->dice >> 32;
    size_t height = 1;
    while (height < MAP_HEIGHT && (bits & 3) == 0) {
        bits >>= 2;
        height++;
    }
    return height;
}

struct map_node *map_add(struct map *map, struct larder_bytes key, void *value) {
    struct map_node *node;
    size_t height = throw_height(map);
    size_t room = sizeof(*node) + height * sizeof(node->next[0]), size;
    if (__builtin_add_overflow(room, key.len, &size))
        return NULL;
    node = malloc(size);
    if (!node)
        return NULL;

    uint8_t *copy = (uint8_t *)node + room;
    if (key.len > 0)
        memcpy(copy, key.ptr, key.len);
    node->key = (struct larder_bytes){copy, key.len};
    node->value = value;

    struct map_node **row = map->head;
    for (size_t level = MAP_HEIGHT; level-- > 0;) {
        while (row[level] && compare(row[level]->key, key) < 0)
            row = row[level]->next;
        if (level < height) {
            node->next[level] = row[level];
            row[level] = node;
        }
    }
    map->n++;
    return node;
}

void *map_remove(struct map *map, struct larder_bytes key) {
    struct map_node *found = map_find(map, key);
    if (!found)
        return NULL;

    struct map_node **row = map->head;
    for (size_t level = MAP_HEIGHT; level-- > 0;) {
        while (row[level] && compare(row[level]->key, key) < 0)
            row = row[level]->next;
        if (row[level] == found)
            row[level] = found->next[level];
    }
    map->n--;
    void *value = found->value;
    free(found);
    return value;
}

void map_done(struct map *map, void (*free_value)(void *value)) {
    struct map_node *node = map->head[0];
    while (node) {
        struct map_node *next = node->next[0];
        if (free_value)
            free_value(node->value);
        free(node);
        node = next;
    }
    *map = (struct map){0};
}
