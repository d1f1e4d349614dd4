/* The ordered map of the memory driver against a plain array that is searched from end to end. */
#include <stdbool.h>
#include <string.h>

#include "memory/map.h"
#include "random.h"
#include "unit.h"

enum { KEYS = 200, STEPS = 20000 };

/* Short keys over few bytes, so that many are prefixes of others; "" is one of them. */
static struct larder_bytes key_no(uint32_t no) {
    static uint8_t keys[KEYS][4];
    static const uint8_t letters[] = {0x00, 'a', 0xff};
    size_t len = 0;
    for (uint32_t left = no; left > 0; left /= 4) {
        if (left % 4 > 0)
            keys[no][len++] = letters[left % 4 - 1];
        else
            keys[no][len++] = 'b';
    }
    return (struct larder_bytes){keys[no], len};
}

static int order(struct larder_bytes a, struct larder_bytes b) {
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        if (a.ptr[i] != b.ptr[i])
            return a.ptr[i] < b.ptr[i] ? -1 : 1;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

static void the_map_holds_what_an_array_would_hold_in_order(void) {
    uint64_t seed = 7, state = seed;
    printf("(seed %llu) ", (unsigned long long)seed);
    struct map map = {0};
    bool there[KEYS] = {false};
    static int values[KEYS];
    size_t n = 0;
    for (unsigned step = 0; step < STEPS; step++) {
        uint32_t no = random_below(&state, KEYS);
        struct map_node *node = map_find(&map, key_no(no));
        CU_ASSERT_EQUAL(node != NULL, there[no]);
        if (node) {
            CU_ASSERT_PTR_EQUAL(node->value, &values[no]);
            CU_ASSERT_PTR_EQUAL(map_remove(&map, node->key), &values[no]); /* by its own key */
            n--;
        } else {
            CU_ASSERT_PTR_NULL(map_remove(&map, key_no(no)));
            CU_ASSERT_PTR_NOT_NULL(map_add(&map, key_no(no), &values[no]));
            n++;
        }
        there[no] = !there[no];
        CU_ASSERT_EQUAL(map.n, n);

        /* The first that is not less than any one. */
        uint32_t from = random_below(&state, KEYS), best = KEYS;
        for (uint32_t i = 0; i < KEYS; i++) {
            if (there[i] && order(key_no(i), key_no(from)) >= 0 &&
                (best == KEYS || order(key_no(i), key_no(best)) < 0))
                best = i;
        }
        node = map_from(&map, key_no(from));
        CU_ASSERT_PTR_EQUAL(node ? node->value : NULL, best < KEYS ? &values[best] : NULL);
    }
    size_t walked = 0;
    for (struct map_node *node = map_from(&map, (struct larder_bytes){0}); node; node = map_next(node)) {
        CU_ASSERT(!map_next(node) || order(node->key, map_next(node)->key) < 0);
        walked++;
    }
    CU_ASSERT_EQUAL(walked, n);
    map_done(&map, NULL);
    CU_ASSERT_PTR_NULL(map_from(&map, (struct larder_bytes){0}));
}

static void the_map_keeps_a_copy_of_the_key(void) {
    struct map map = {0};
    uint8_t bytes[] = {'k', 'e', 'y'};
    CU_ASSERT_PTR_NOT_NULL(map_add(&map, (struct larder_bytes){bytes, 3}, malloc(1)));
    bytes[0] = 'x';
    CU_ASSERT_PTR_NULL(map_find(&map, (struct larder_bytes){bytes, 3}));
    bytes[0] = 'k';
    CU_ASSERT_PTR_NOT_NULL(map_find(&map, (struct larder_bytes){bytes, 3}));
    map_done(&map, free);
}

UNIT_MAIN("memory map", UNIT(the_map_holds_what_an_array_would_hold_in_order),
          UNIT(the_map_keeps_a_copy_of_the_key))
