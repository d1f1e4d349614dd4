/* What stays in memory, and what goes. */
#include "buf.h"
#include "bytes.h"
#include "entry_cache.h"
#include "random.h"
#include "unit.h"

enum { ROOM = 1 << 20, VALUE = 2000 };

static struct entry_cache cache;
static size_t live_before;

static void begin(size_t max_bytes) {
    live_before = buf_live();
    entry_cache_init(&cache, max_bytes);
}

static void end(void) {
    entry_cache_done(&cache);
    CU_ASSERT(buf_live() == live_before);
}

static struct larder_bytes key_of(unsigned n) {
    static char text[4][16];
    static unsigned at;
    char *to = text[at++ % 4];
    snprintf(to, sizeof(text[0]), "k%u", n);
    return bytes_of(to);
}

static void put_bytes(unsigned n, size_t len, int64_t epoch) {
    struct larder_slice slice;
    CU_ASSERT_PTR_NOT_NULL_FATAL(buf_new(len, &slice));
    entry_cache_put_frame(&cache, key_of(n), slice, epoch, (struct read_at){1, 1, 0});
    slice_done(&slice);
}

static bool is_in(unsigned n) {
    return entry_cache_find(&cache, key_of(n)) != NULL;
}

static void what_was_put_last_is_found(void) {
    begin(ROOM);
    put_bytes(1, 10, 5);
    put_bytes(1, 20, 6);
    const struct cached *found = entry_cache_find(&cache, key_of(1));
    CU_ASSERT_FATAL(found != NULL);
    CU_ASSERT(found->frame.len == 20 && found->epoch == 6 && found->kept == NULL);
    CU_ASSERT(cache.n == 1);
    entry_cache_drop(&cache, key_of(1));
    entry_cache_drop(&cache, key_of(2));
    CU_ASSERT(!is_in(1) && cache.n == 0 && entry_cache_bytes(&cache) == 0);
    end();
}

static void it_never_holds_more_than_it_may(void) {
    uint64_t random = 7;
    begin(ROOM);
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t roll = random_next(&random);
        if (roll % 3 == 0)
            is_in((unsigned)(roll >> 8) % 500);
        else if (roll % 97 == 1)
            entry_cache_drop(&cache, key_of((unsigned)(roll >> 8) % 500));
        else
            put_bytes((unsigned)(roll >> 8) % 500, (size_t)(roll >> 32) % 20000, 1);
        CU_ASSERT_FATAL(entry_cache_bytes(&cache) <= ROOM);
    }
    CU_ASSERT(entry_cache_bytes(&cache) > ROOM / 2);
    end();
}

static void what_is_too_large_is_not_kept_and_replaces_what_was_there(void) {
    begin(ROOM);
    put_bytes(1, 10, 5);
    put_bytes(1, ROOM / 4, 6);
    CU_ASSERT(!is_in(1)); /* what was there is outdated */
    end();
}

static void without_room_nothing_is_kept(void) {
    begin(0);
    put_bytes(1, 10, 5);
    CU_ASSERT(!is_in(1) && cache.n == 0);
    end();
}

/* The pages that people ask for stay while a crawler asks for ten times the memory, once each. */
static void a_scan_pushes_nothing_out_that_is_in_use(void) {
    enum { HOT = 200, COLD = 5000 };
    unsigned found = 0;
    begin(ROOM);
    for (int round = 0; round < 3; round++)
        for (unsigned i = 0; i < HOT; i++)
            if (!is_in(i))
                put_bytes(i, VALUE, 1);
    for (unsigned i = 0; i < COLD; i++) {
        if (!is_in(HOT + i))
            put_bytes(HOT + i, VALUE, 1);
        is_in(i % HOT);
    }
    for (unsigned i = 0; i < HOT; i++)
        found += is_in(i);
    CU_ASSERT(found == HOT);
    end();
}

static void what_comes_back_soon_after_it_left_is_kept_longer(void) {
    begin(ROOM);
    put_bytes(1, VALUE, 1);
    for (unsigned i = 1000; i < 2000; i++)
        put_bytes(i, VALUE, 1);
    CU_ASSERT(!is_in(1));
    put_bytes(1, VALUE, 1);
    CU_ASSERT(cache.main.newest != NULL); /* it did not have to wait in the small queue */
    for (unsigned i = 2000; i < 2200; i++)
        put_bytes(i, VALUE, 1);
    CU_ASSERT(is_in(1));
    end();
}

static void a_key_is_all_of_its_bytes(void) {
    struct larder_slice slice;
    begin(ROOM);
    CU_ASSERT_PTR_NOT_NULL_FATAL(buf_new(3, &slice));
    entry_cache_put_frame(&cache, (struct larder_bytes){(const uint8_t *)"a\0b", 3}, slice, 1,
                          (struct read_at){1, 1, 0});
    entry_cache_put_frame(&cache, (struct larder_bytes){NULL, 0}, slice, 1, (struct read_at){1, 1, 0});
    slice_done(&slice);
    CU_ASSERT(entry_cache_find(&cache, bytes_of("a")) == NULL);
    CU_ASSERT(entry_cache_find(&cache, (struct larder_bytes){(const uint8_t *)"a\0b", 3}) != NULL);
    CU_ASSERT(entry_cache_find(&cache, (struct larder_bytes){NULL, 0}) != NULL);
    end();
}

UNIT_MAIN("entry_cache", UNIT(what_was_put_last_is_found), UNIT(it_never_holds_more_than_it_may),
          UNIT(what_is_too_large_is_not_kept_and_replaces_what_was_there), UNIT(without_room_nothing_is_kept),
          UNIT(a_scan_pushes_nothing_out_that_is_in_use),
          UNIT(what_comes_back_soon_after_it_left_is_kept_longer), UNIT(a_key_is_all_of_its_bytes))
