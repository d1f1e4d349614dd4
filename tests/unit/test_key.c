#include <string.h>

#include "bytes.h"
#include "key.h"
#include "random.h"
#include "unit.h"
#define FAILING_ALLOC_HERE
#include "failing_alloc.h"

static const struct key_rules any = {.shared_kinds = 1u << LARDER_FETCH};

/* key_make() as a C string (keys here have no NUL), "" where it failed. */
static const char *made(const struct key_rules *rules, uint32_t kind, const char *build, const char *key) {
    static char text[512];
    struct larder_bytes out = {0};
    text[0] = '\0';
    if (key_make(rules, kind, bytes_of(build), bytes_of(key), &out) == LARDER_OK && out.len < sizeof(text)) {
        memcpy(text, out.ptr, out.len);
        text[out.len] = '\0';
        free((void *)(uintptr_t)out.ptr);
    }
    return text;
}

static void an_entry_lives_under_its_build_and_kind(void) {
    CU_ASSERT_STRING_EQUAL(made(&any, LARDER_PAGE, "b1", "/blog/hello"), "b1/page//blog/hello");
    CU_ASSERT_STRING_EQUAL(made(&any, LARDER_IMAGE, "b1", "x"), "b1/image/x");
    CU_ASSERT_STRING_EQUAL(made(&any, LARDER_USE_CACHE, "b1", ""), "b1/use-cache/");
}

static void a_shared_kind_lives_outside_of_builds(void) {
    CU_ASSERT_STRING_EQUAL(made(&any, LARDER_FETCH, "b1", "k"), "shared/fetch/k");
}

static void a_build_id_is_one_segment_and_never_another_ones(void) {
    CU_ASSERT_STRING_EQUAL(made(&any, LARDER_PAGE, "a/b", "k"), "a%2Fb/page/k");
    CU_ASSERT_STRING_EQUAL(made(&any, LARDER_PAGE, "a%2Fb", "k"), "a%252Fb/page/k");
    CU_ASSERT_STRING_EQUAL(made(&any, LARDER_PAGE, ".", "k"), "%2E/page/k");
    CU_ASSERT_STRING_EQUAL(made(&any, LARDER_PAGE, "..", "k"), "%2E%2E/page/k");
    CU_ASSERT_STRING_EQUAL(made(&any, LARDER_PAGE, "...", "k"), ".../page/k");
    CU_ASSERT_STRING_EQUAL(made(&any, LARDER_PAGE, "shared", "k"), "%73hared/page/k");
    CU_ASSERT_STRING_EQUAL(made(&any, LARDER_PAGE, "", "k"), "%/page/k");
    CU_ASSERT_STRING_EQUAL(made(&any, LARDER_PAGE, "~\n\x7f", "k"), "%7E%0A%7F/page/k");
}

static void an_unknown_kind_is_refused(void) {
    struct larder_bytes out;
    CU_ASSERT_EQUAL(key_make(&any, 0, bytes_of("b"), bytes_of("k"), &out), LARDER_INVALID);
    CU_ASSERT_EQUAL(key_make(&any, LARDER_N_KINDS, bytes_of("b"), bytes_of("k"), &out), LARDER_INVALID);
    CU_ASSERT_EQUAL(key_make(&any, 200, bytes_of("b"), bytes_of("k"), &out), LARDER_INVALID);
}

static void a_key_that_is_too_long_is_hashed_and_no_other(void) {
    struct key_rules rules = {.max_key = KEY_LEAST};
    char key[200];
    memset(key, 'k', sizeof(key));
    for (size_t len = 0; len < sizeof(key); len++) {
        struct larder_bytes out;
        CU_ASSERT_EQUAL_FATAL(
            key_make(&rules, LARDER_PAGE, bytes_of("b"), (struct larder_bytes){(uint8_t *)key, len}, &out),
            LARDER_OK);
        bool fits = strlen("b/page/") + len <= KEY_LEAST;
        CU_ASSERT(out.len <= rules.max_key);
        CU_ASSERT_EQUAL(out.len, strlen("b/page/") + (fits ? len : KEY_HASHED_LEN));
        free((void *)(uintptr_t)out.ptr);
    }
}

static void no_physical_key_is_longer_than_max_key_whatever_the_build(void) {
    struct key_rules rules = {.max_key = KEY_LEAST};
    char text[300];
    memset(text, '/', sizeof(text)); /* three bytes each, as a build id */
    for (size_t len = 0; len < sizeof(text); len++) {
        for (uint32_t kind = 1; kind < LARDER_N_KINDS; kind++) {
            struct larder_bytes of = {(uint8_t *)text, len}, out;
            CU_ASSERT_EQUAL_FATAL(key_make(&rules, kind, of, of, &out), LARDER_OK);
            CU_ASSERT(out.len <= rules.max_key);
            free((void *)(uintptr_t)out.ptr);
        }
    }
}

static void a_key_with_bytes_that_the_store_refuses_is_hashed(void) {
    struct key_rules utf8 = {.key_bytes = 1}, printable = {.key_bytes = 2};
    CU_ASSERT_STRING_EQUAL(made(&utf8, LARDER_PAGE, "b", "/caf\xc3\xa9"), "b/page//caf\xc3\xa9");
    CU_ASSERT_EQUAL(made(&utf8, LARDER_PAGE, "b", "/caf\xe9")[7], '~');
    CU_ASSERT_EQUAL(made(&printable, LARDER_PAGE, "b", "/caf\xc3\xa9")[7], '~');
    CU_ASSERT_EQUAL(made(&printable, LARDER_PAGE, "b", "/a b")[7], '~');
    CU_ASSERT_STRING_EQUAL(made(&printable, LARDER_PAGE, "b", "/a!b~"), "b/page//a!b~");
}

static void what_looks_like_a_hash_is_hashed(void) {
    const char *hash = "~0123456789abcdef0123456789abcdef";
    CU_ASSERT_STRING_NOT_EQUAL(made(&any, LARDER_PAGE, "b", hash) + 7, hash);
    CU_ASSERT_EQUAL(strlen(made(&any, LARDER_PAGE, "b", hash)), 7 + KEY_HASHED_LEN);
    const char *other = "~0123456789ABCDEF0123456789abcdef";
    CU_ASSERT_STRING_EQUAL(made(&any, LARDER_PAGE, "b", other) + 7, other);
}

static void the_hash_of_a_list_leads_back_to_its_entry(void) {
    const struct key_rules listed = {.shared_kinds = any.shared_kinds, .listed = 1};
    const char *hash = "~0123456789abcdef0123456789abcdef";
    CU_ASSERT_STRING_EQUAL(made(&listed, LARDER_PAGE, "b", hash) + 7, hash);
    CU_ASSERT_STRING_EQUAL(made(&listed, LARDER_PAGE, "b", "/a"), "b/page//a");
}

static void a_key_is_hashed_by_its_whole_text(void) {
    struct key_rules rules = {.max_key = KEY_LEAST};
    char a[400], b[400];
    memset(a, 'x', sizeof(a));
    memset(b, 'x', sizeof(b));
    a[399] = b[399] = '\0';
    b[398] = 'y';
    char first[128];
    snprintf(first, sizeof(first), "%s", made(&rules, LARDER_PAGE, "b", a));
    CU_ASSERT_STRING_EQUAL(first, made(&rules, LARDER_PAGE, "b", a));
    CU_ASSERT_STRING_NOT_EQUAL(first, made(&rules, LARDER_PAGE, "b", b));
}

static void a_physical_key_parses_to_what_it_was_made_of(void) {
    uint64_t seed = 20251122, state = seed;
    for (int round = 0; round < 20000; round++) {
        uint8_t build[12], key[24];
        struct larder_bytes b = {build, random_below(&state, sizeof(build) + 1)};
        struct larder_bytes k = {key, random_below(&state, sizeof(key) + 1)};
        /* Few values, so that the special ones come up. */
        for (size_t i = 0; i < b.len; i++)
            build[i] = (uint8_t) "./%~2EFashred\x00\xff"[random_below(&state, 15)];
        for (size_t i = 0; i < k.len; i++)
            key[i] = (uint8_t) "./%~ab\x00\xff"[random_below(&state, 8)];
        uint32_t kind = 1 + random_below(&state, LARDER_N_KINDS - 1);
        struct larder_bytes out;
        struct larder_listed listed;
        uint8_t *memory;
        CU_ASSERT_EQUAL_FATAL(key_make(&any, kind, b, k, &out), LARDER_OK);
        CU_ASSERT_EQUAL_FATAL(key_parse(out, &listed, &memory), LARDER_OK);
        bool good = listed.kind == kind && !listed.hashed && bytes_equal(listed.key, k) &&
                    bytes_equal(listed.build, kind == LARDER_FETCH ? bytes_of("shared") : b);
        CU_ASSERT(good);
        if (!good)
            printf("seed %llu, round %d\n", (unsigned long long)seed, round);
        free(memory);
        free((void *)(uintptr_t)out.ptr);
    }
}

static void a_hashed_key_parses_as_such(void) {
    struct larder_listed listed;
    uint8_t *memory;
    struct larder_bytes text = bytes_of(
        "~0123456789abcdef0123456789abcdef/page/~0123456789abcdef0123456789abcdef");
    CU_ASSERT_EQUAL_FATAL(key_parse(text, &listed, &memory), LARDER_OK);
    CU_ASSERT_EQUAL(listed.hashed, 1);
    CU_ASSERT(bytes_equal(listed.build, bytes_of("~0123456789abcdef0123456789abcdef")));
    CU_ASSERT(bytes_equal(listed.key, bytes_of("~0123456789abcdef0123456789abcdef")));
    free(memory);
}

static void what_key_make_never_writes_does_not_parse(void) {
    static const char *const bad[] = {
        "",
        "b",
        "b/",
        "b/page",
        "/page/k",
        "b/pages/k",
        "b/PAGE/k",
        "b/page ",
        "%2/page/k",
        "a%/page/k",
        "%2f/page/k",
        "%41/page/k",
        "a%2Eb/page/k",
        "./page/k",
        "../page/k",
        "%2E./page/k",
        "a b/page/k",
        "~x/page/k",
        "%%/page/k",
        "shar%65d/page/k",
        "%/use_cache/k",
    };
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        struct larder_listed listed;
        uint8_t *memory = NULL;
        CU_ASSERT_EQUAL(key_parse(bytes_of(bad[i]), &listed, &memory), LARDER_INVALID);
        CU_ASSERT_PTR_NULL(memory);
    }
}

static void a_tag_is_itself_where_the_store_can_take_it(void) {
    struct key_rules rules = {.max_key = 40, .key_bytes = 2};
    uint8_t buf[KEY_HASHED_LEN];
    struct larder_bytes out;
    struct larder_bytes tag = bytes_of("_N_T_/blog/layout");
    key_tag(&rules, tag, buf, &out);
    CU_ASSERT_PTR_EQUAL(out.ptr, tag.ptr);
    CU_ASSERT_EQUAL(out.len, tag.len);
    key_tag(&rules, bytes_of(""), buf, &out);
    CU_ASSERT_EQUAL(out.len, 0);

    static const char *const refused[] = {"a tag", "caf\xc3\xa9", "12345678901234567890123456789012345678901",
                                          "~0123456789abcdef0123456789abcdef"};
    for (size_t i = 0; i < N_ELEMENTS(refused); i++) {
        key_tag(&rules, bytes_of(refused[i]), buf, &out);
        CU_ASSERT_PTR_EQUAL(out.ptr, buf);
        CU_ASSERT_EQUAL(out.len, KEY_HASHED_LEN);
        CU_ASSERT_EQUAL(buf[0], '~');
        CU_ASSERT(!bytes_equal(out, bytes_of(refused[i])));
    }
}

static void without_memory_nothing_is_made_or_parsed(void) {
    struct larder_bytes made = {0};
    struct larder_listed listed = {0};
    uint8_t *memory = NULL;
    alloc_countdown = 1;
    CU_ASSERT_EQUAL(key_make(&any, LARDER_PAGE, bytes_of("b"), bytes_of("k"), &made), LARDER_NOMEM);
    alloc_countdown = 1;
    CU_ASSERT_EQUAL(key_parse(bytes_of("b/page/k"), &listed, &memory), LARDER_NOMEM);
    alloc_countdown = 0;
    CU_ASSERT(made.ptr == NULL && memory == NULL && listed.kind == 0);
}

/* Against the table of well-formed sequences of the Unicode standard (3.9, table 3-7), over
 * every start of up to three bytes and both ends of every range of the fourth. */
static void utf8_is_told_exactly(void) {
    unsigned good = 0;
    for (uint32_t a = 0; a < 256; a++) {
        for (uint32_t b = 0; b < 256; b++) {
            uint8_t two[] = {(uint8_t)a, (uint8_t)b};
            bool tail = b >= 0x80 && b <= 0xBF;
            bool want = (a < 0x80 && b < 0x80) || (a >= 0xC2 && a <= 0xDF && tail);
            CU_ASSERT_EQUAL(key_bytes_allowed(1, (struct larder_bytes){two, 2}), want);
            for (uint32_t c = 0; c < 256; c += c == 0x7F || c == 0xBF || c == 0 ? 1 : 0x3F) {
                uint8_t four[] = {(uint8_t)a, (uint8_t)b, (uint8_t)c, 0x80};
                bool tail_c = c >= 0x80 && c <= 0xBF;
                bool three = (a == 0xE0 && b >= 0xA0 && b <= 0xBF && tail_c) ||
                             (((a >= 0xE1 && a <= 0xEC) || a == 0xEE || a == 0xEF) && tail && tail_c) ||
                             (a == 0xED && b >= 0x80 && b <= 0x9F && tail_c);
                bool mixed = (a < 0x80 && b < 0x80 && c < 0x80) ||
                             (a < 0x80 && b >= 0xC2 && b <= 0xDF && tail_c) ||
                             (a >= 0xC2 && a <= 0xDF && tail && c < 0x80);
                CU_ASSERT_EQUAL(key_bytes_allowed(1, (struct larder_bytes){four, 3}), three || mixed);
                bool whole = (a == 0xF0 && b >= 0x90 && b <= 0xBF && tail_c) ||
                             (a >= 0xF1 && a <= 0xF3 && tail && tail_c) ||
                             (a == 0xF4 && b >= 0x80 && b <= 0x8F && tail_c);
                bool pairs = (a >= 0xC2 && a <= 0xDF && tail && c >= 0xC2 && c <= 0xDF) ||
                             (a < 0x80 && b < 0x80 && c >= 0xC2 && c <= 0xDF) ||
                             (a < 0x80 && ((b == 0xE0 && c >= 0xA0 && c <= 0xBF) ||
                                           (b == 0xED && c >= 0x80 && c <= 0x9F) ||
                                           (((b >= 0xE1 && b <= 0xEC) || b == 0xEE || b == 0xEF) && tail_c)));
                CU_ASSERT_EQUAL(key_bytes_allowed(1, (struct larder_bytes){four, 4}), whole || pairs);
                good += whole;
            }
        }
    }
    CU_ASSERT(good > 0);
}

UNIT_MAIN("key", UNIT(an_entry_lives_under_its_build_and_kind), UNIT(a_shared_kind_lives_outside_of_builds),
          UNIT(a_build_id_is_one_segment_and_never_another_ones), UNIT(an_unknown_kind_is_refused),
          UNIT(a_key_that_is_too_long_is_hashed_and_no_other),
          UNIT(no_physical_key_is_longer_than_max_key_whatever_the_build),
          UNIT(a_key_with_bytes_that_the_store_refuses_is_hashed), UNIT(what_looks_like_a_hash_is_hashed),
          UNIT(the_hash_of_a_list_leads_back_to_its_entry), UNIT(a_key_is_hashed_by_its_whole_text),
          UNIT(a_physical_key_parses_to_what_it_was_made_of), UNIT(a_hashed_key_parses_as_such),
          UNIT(what_key_make_never_writes_does_not_parse), UNIT(a_tag_is_itself_where_the_store_can_take_it),
          UNIT(without_memory_nothing_is_made_or_parsed), UNIT(utf8_is_told_exactly))
