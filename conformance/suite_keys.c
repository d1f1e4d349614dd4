/* Keys are data: any bytes, any length, and no two of them the same entry. */
#include "random.h"
#include "suites.h"

/* Under each key in turn, then all at once: a key that is folded onto another shows. */
static void every_byte_may_stand_in_a_key(void) {
    for (int round = 0; round < 2; round++) {
        for (int byte = 0; byte < 256; byte++) {
            uint8_t tails[2][3] = {{(uint8_t)byte}, {'a', (uint8_t)byte, 'b'}};
            for (unsigned i = 0; i < 2 && key_byte_allowed(byte); i++) {
                struct larder_bytes key = name_bytes("bytes", tails[i], i == 0 ? 1 : 3);
                uint64_t seed = (unsigned)byte * 2 + i;
                if (round == 0)
                    CU_ASSERT_EQUAL(put_value(drive.one, key, 9, seed, 0), LARDER_OK);
                if (round == 1)
                    CU_ASSERT_EQUAL(get_value(drive.one, key, 9, seed), LARDER_OK);
            }
        }
    }
    if (drive.one->info.key_bytes != 0)
        unclaimed("every byte in keys");
}

static void keys_are_data_and_lead_nowhere(void) {
    unsigned skipped = 0;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < n_awkward; i++) {
            if (!name_allowed(awkward[i])) {
                skipped++;
                continue;
            }
            struct larder_bytes key = name_bytes("awkward", awkward[i].ptr, awkward[i].len);
            if (round == 0)
                CU_ASSERT_EQUAL(get_value(drive.one, key, 20, i), LARDER_MISS); /* none is another */
            if (round < 2)
                CU_ASSERT_EQUAL(put_value(drive.one, key, 20 - (size_t)round, i, 0), LARDER_OK);
            if (round == 2)
                CU_ASSERT_EQUAL(get_value(drive.two, key, 19, i), LARDER_OK);
        }
    }
    if (skipped > 0)
        unclaimed("every byte in keys");
}

/* Each of them is put, then each is read, then every second one is taken away. */
static void stand_apart(const struct larder_bytes *keys, size_t n) {
    for (size_t i = 0; i < n; i++)
        CU_ASSERT_EQUAL(put_value(either((unsigned)i), keys[i], 12, i, 0), LARDER_OK);
    for (size_t i = 0; i < n; i++)
        CU_ASSERT_EQUAL(get_value(drive.one, keys[i], 12, i), LARDER_OK);
    for (size_t i = 0; i < n; i += 2)
        CU_ASSERT_EQUAL(remove_key(drive.one, keys[i]), LARDER_OK);
    for (size_t i = 0; i < n; i++)
        CU_ASSERT_EQUAL(get_value(drive.one, keys[i], 12, i), i % 2 ? LARDER_OK : LARDER_MISS);
}

static void keys_that_are_the_beginnings_of_one_another_are_different_keys(void) {
    enum { KEYS = 200 };
    struct larder_bytes keys[KEYS], longest;
    char tail[KEYS];
    memset(tail, 'p', sizeof(tail));
    for (size_t i = 9; i < sizeof(tail); i += 10)
        tail[i] = '/';
    longest = name_bytes("beginnings", tail, sizeof(tail));
    uint64_t max_key = drive.one->info.max_key;
    size_t base = longest.len - KEYS, n = 0;
    for (; n < KEYS && (max_key == 0 || base + n <= max_key); n++)
        keys[n] = (struct larder_bytes){longest.ptr, base + n};
    stand_apart(keys, n);
}

static void keys_that_differ_in_one_byte_at_any_place_are_different_keys(void) {
    enum { LEN = 96 };
    struct larder_bytes keys[2 * LEN + 1];
    char tail[LEN];
    for (size_t i = 0; i < LEN; i++)
        tail[i] = (char)('a' + i % 26);
    keys[0] = name_bytes("one-byte", tail, LEN);
    for (size_t i = 0; i < LEN; i++) {
        char was = tail[i];
        tail[i] = (char)(was ^ 0x20); /* its case */
        keys[1 + 2 * i] = name_bytes("one-byte", tail, LEN);
        tail[i] = (char)('0' + was % 10);
        keys[2 + 2 * i] = name_bytes("one-byte", tail, LEN);
        tail[i] = was;
    }
    stand_apart(keys, N_ELEMENTS(keys));
}

static void keys_that_differ_in_nothing_but_a_tail_of_nul_are_different_keys(void) {
    enum { KEYS = 24 };
    static const uint8_t nuls[KEYS] = {0};
    struct larder_bytes keys[KEYS];
    if (!key_byte_allowed(0)) {
        unclaimed("every byte in keys");
        return;
    }
    for (size_t i = 0; i < KEYS; i++)
        keys[i] = name_bytes("nul-tail", nuls, i);
    stand_apart(keys, KEYS);
}

/* Two keys of a length, which differ in their last byte; all the others say where it was cut. */
static void try_length(size_t len) {
    size_t base = name("length", "%s", "").len;
    char *tail = malloc(len + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tail);
    memset(tail, 'k', len);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 2; i++) {
            tail[len - base - 1] = (char)('a' + i);
            struct larder_bytes key = name_bytes("length", tail, len - base);
            if (round == 0)
                CU_ASSERT_EQUAL(put_value(drive.one, key, 30, len * 2 + i, 0), LARDER_OK);
            if (round == 1)
                CU_ASSERT_EQUAL(get_value(drive.two, key, 30, len * 2 + i), LARDER_OK);
        }
    }
    tail[len - base - 1] = 'z';
    CU_ASSERT_FALSE(is_there(drive.one, name_bytes("length", tail, len - base)));
    CU_ASSERT_FALSE(is_there(drive.one, name_bytes("length", tail, len - base - 1)));
    free(tail);
}

static void keys_of_every_length_up_to_the_longest_differ_in_their_last_byte(void) {
    static const size_t lens[] = {60,  63,  64,  65,   127,  128,  129,  200,  249,  250,  251,  254,  255,
                                  256, 257, 300, 1000, 1023, 1024, 1025, 2048, 4094, 4095, 4096, 4097, 16000};
    size_t base = name("length", "%s", "").len;
    uint64_t max_key = drive.one->info.max_key;
    for (size_t i = 0; i < N_ELEMENTS(lens); i++) {
        if (max_key > 0 && lens[i] > max_key)
            unclaimed("keys of that length");
        else if (lens[i] > base)
            try_length(lens[i]);
    }
    for (size_t less = 0; less < 2 && max_key > base + 2 && max_key < 1 << 20; less++)
        try_length((size_t)max_key - less);
}

/* Names this short are nobody's own: what is stored under them goes again. */
static void a_key_may_be_one_byte_long(void) {
    uint8_t text[32];
    memset(text, 'k', sizeof(text));
    for (size_t len = 1; len <= sizeof(text); len++) {
        struct larder_bytes key = {text, len};
        CU_ASSERT_EQUAL(remove_key(drive.one, key), LARDER_OK);
        CU_ASSERT_EQUAL(put_value(drive.one, key, 10, drive.seed + len, 0), LARDER_OK);
    }
    for (size_t len = 1; len <= sizeof(text); len++) {
        struct larder_bytes key = {text, len};
        CU_ASSERT_EQUAL(get_value(drive.two, key, 10, drive.seed + len), LARDER_OK);
        CU_ASSERT_EQUAL(remove_key(drive.one, key), LARDER_OK);
        CU_ASSERT_FALSE(is_there(drive.one, key));
    }
}

/* ---- random keys --------------------------------------------------------------------------- */

enum { RANDOM_KEYS = 60, RANDOM_LEN = 24 };

/* Half of them bytes that mean something to some store: separators, escapes, ends of texts. */
static uint8_t random_byte(void) {
    static const uint8_t telling[] = "/.%=~_-+*?#&\\:;,'\"[]{}<> \t\r\n\x00\x7f\x80\xff";
    for (;;) {
        const uint8_t byte = random_below(&drive.random, 2)
                                 ? telling[random_below(&drive.random, sizeof(telling) - 1)]
                                 : (uint8_t)random_below(&drive.random, 256);
        if (key_byte_allowed(byte))
            return byte;
    }
}

static size_t random_key(unsigned i, uint8_t tail[RANDOM_LEN + 2]) {
    const size_t len = random_below(&drive.random, RANDOM_LEN + 1);
    for (size_t at = 0; at < len; at++)
        tail[at] = random_byte();
    tail[len] = (uint8_t)('a' + i / 10); /* so that no two are the same */
    tail[len + 1] = (uint8_t)('0' + i % 10);
    return len + 2;
}

struct random_keys {
    struct larder_bytes keys[RANDOM_KEYS];
    unsigned listed[RANDOM_KEYS], strangers;
};

static void count_random(void *arg, struct larder_bytes record) {
    struct random_keys *r = arg;
    for (unsigned i = 0; i < RANDOM_KEYS; i++) {
        if (bytes_equal(record, r->keys[i])) {
            r->listed[i]++;
            return;
        }
    }
    r->strangers++;
}

/* Each key that is listed is one to get and to remove by; the empty prefix of theirs has them all. */
static void random_keys_are_put_listed_read_and_removed(void) {
    struct random_keys r = {0};
    uint8_t tail[RANDOM_LEN + 2];
    for (unsigned i = 0; i < RANDOM_KEYS; i++) {
        const size_t len = random_key(i, tail);
        r.keys[i] = name_bytes("random", tail, len);
        CU_ASSERT_EQUAL(put_value(either(i), r.keys[i], 11, i, 0), LARDER_OK);
    }
    for (int left = 1; left >= 0; left--) {
        memset(r.listed, 0, sizeof(r.listed));
        if (backend_can(drive.one, LARDER_OP_LIST))
            CU_ASSERT_TRUE(walk(LARDER_OP_LIST, name("random", "%s", ""), 0, count_random, &r));
        for (unsigned i = 0; i < RANDOM_KEYS; i++) {
            if (backend_can(drive.one, LARDER_OP_LIST))
                CU_ASSERT_EQUAL(r.listed[i] > 0, left > 0);
            CU_ASSERT_EQUAL(get_value(drive.two, r.keys[i], 11, i), left ? LARDER_OK : LARDER_MISS);
            CU_ASSERT_EQUAL(remove_key(either(i + 1), r.keys[i]), LARDER_OK);
        }
    }
    CU_ASSERT_EQUAL(r.strangers, 0);
    if (drive.one->info.key_bytes != 0)
        unclaimed("every byte in keys");
}

static const struct unit_test tests[] = {
    UNIT(every_byte_may_stand_in_a_key),
    UNIT(keys_are_data_and_lead_nowhere),
    UNIT(keys_that_are_the_beginnings_of_one_another_are_different_keys),
    UNIT(keys_that_differ_in_one_byte_at_any_place_are_different_keys),
    UNIT(keys_that_differ_in_nothing_but_a_tail_of_nul_are_different_keys),
    UNIT(keys_of_every_length_up_to_the_longest_differ_in_their_last_byte),
    UNIT(a_key_may_be_one_byte_long),
    UNIT(random_keys_are_put_listed_read_and_removed),
};
const struct suite keys_suite = {"keys", LARDER_OP_GET, tests, N_ELEMENTS(tests)};
