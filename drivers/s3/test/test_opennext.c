/* layout=opennext: names, JSON and frames, as pure functions. */
#include "../opennext.h"
#include "../opennext_forms.h"
#include "frame_of_core.h"
#include "rig.h"

static const struct opennext place = {.prefix = "_cache", .build = "BID"};
static struct json_memory memory;
static struct aws_text text, name;

static struct larder_bytes body(const char *json) {
    return aws_bytes(json);
}

static const char *name_of(const char *key) {
    uint32_t kind;
    struct larder_bytes own;
    aws_text_clear(&name);
    return opennext_name(&place, aws_bytes(key), &name, &kind, &own) ? name.ptr : NULL;
}

/* As OpenNext's own joins them. */
static void keys_have_the_names_that_opennext_gives_them(void) {
    CU_ASSERT_STRING_EQUAL(name_of("ns/b/page//index"), "_cache/BID/index.cache");
    CU_ASSERT_STRING_EQUAL(name_of("ns/b/page//route-cache/APP_PAGE/0a/$/blog/hello"),
                           "_cache/BID/route-cache/APP_PAGE/0a/$/blog/hello.cache");
    CU_ASSERT_STRING_EQUAL(name_of("ns/shared/fetch/abc123"), "_cache/__fetch/BID/abc123");
    CU_ASSERT_STRING_EQUAL(name_of("ns/shared/use-cache/[\"bid\",\"fn\",[1]]"),
                           "_cache/BID/[\"bid\",\"fn\",[1]].composable");
    CU_ASSERT_STRING_EQUAL(name_of("ns/b/page//foo/"), "_cache/BID/foo/.cache");
    CU_ASSERT_STRING_EQUAL(name_of("ns/b/page//caf\xc3\xa9 + ?"), "_cache/BID/caf\xc3\xa9 + ?.cache");
}

static void what_joining_would_change_is_none_of_opennexts(void) {
    static const char *const keys[] = {"ns/b/page//../x",  "ns/b/page//a/../../x",
                                       "ns/b/page//a//b",  "ns/b/page//./a",
                                       "ns/b/page//",      "ns/b/page/a",
                                       "ns/b/page/",       "ns/s/use-cache/[\"https://x\"]",
                                       "ns/s/fetch//a",    "ns/s/fetch/..",
                                       "ns/s/image/a",     "ns/s/fetch/~00112233445566778899aabbccddeeff",
                                       "ns/b/page//a\xff", "ns",
                                       "ns/b/other/x",     "ns/b/page//a/.."};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (name_of(keys[i]))
            printf("%s\n", keys[i]);
        CU_ASSERT_PTR_NULL(name_of(keys[i]));
    }
    static char key[1200];
    snprintf(key, sizeof(key), "ns/b/page//");
    memset(key + 11, 'k', 1024 - 11 - 6);
    CU_ASSERT_PTR_NOT_NULL(name_of(key)); /* _cache/BID/ and .cache: 1024 */
    memset(key + 11, 'k', 1024 - 11 - 6 + 1);
    CU_ASSERT_PTR_NULL(name_of(key));
}

static void names_are_read_back(void) {
    uint8_t key[64];
    uint32_t kind;
    size_t len;
    CU_ASSERT_TRUE(opennext_read_name(OPENNEXT_BUILD, aws_bytes("blog/x.cache"), &kind, key, &len));
    CU_ASSERT(kind == FRAME_PAGE && len == 7 && memcmp(key, "/blog/x", 7) == 0);
    CU_ASSERT_TRUE(opennext_read_name(OPENNEXT_BUILD, aws_bytes("[1].composable"), &kind, key, &len));
    CU_ASSERT(kind == FRAME_USE_CACHE && len == 3 && memcmp(key, "[1]", 3) == 0);
    CU_ASSERT_TRUE(opennext_read_name(OPENNEXT_FETCH, aws_bytes("ab"), &kind, key, &len));
    CU_ASSERT(kind == FRAME_FETCH && len == 2 && memcmp(key, "ab", 2) == 0);
    CU_ASSERT_FALSE(opennext_read_name(OPENNEXT_BUILD, aws_bytes("BUILD_ID"), &kind, key, &len));
    CU_ASSERT_FALSE(opennext_read_name(OPENNEXT_BUILD, aws_bytes(".cache"), &kind, key, &len));
    CU_ASSERT_FALSE(opennext_read_name(OPENNEXT_BUILD, aws_bytes("a//b.cache"), &kind, key, &len));
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static struct frame_entry made;

static int32_t read_json(uint32_t kind, const char *json) {
    json_memory_done(&memory);
    made = (struct frame_entry){.kind = kind, .key = aws_bytes("k"), .epoch = 5, .modified_ms = 6};
    return opennext_entry(body(json), &memory, &text, &made);
}

static bool part_is(size_t i, const char *data, bool is_text) {
    return i < made.n_parts && aws_is(made.parts[i].data, data) && made.parts[i].is_text == is_text;
}

static void a_page_of_opennexts_is_one_of_nexts(void) {
    CU_ASSERT_EQUAL(
        read_json(
            FRAME_PAGE,
            "{\"type\":\"app\",\"html\":\"<p>\xc3\xa9\\n\\ud83d\\ude00</"
            "p>\",\"rsc\":\"0:x\",\"meta\":{\"status\":200,"
            "\"headers\":{\"x-next-cache-tags\":\"a,_N_T_/blog,a\",\"$h\":\"$1\"},\"postponed\":\"$p\"},"
            "\"revalidate\":60,\"segmentData\":{\"/_tree\":\"t\",\"$s\":\"u\"}}"),
        LARDER_OK);
    CU_ASSERT_STRING_EQUAL(
        text.ptr,
        "{\"kind\":\"APP_PAGE\",\"html\":\"$0\",\"rscData\":\"$1\",\"headers\":{\"x-next-cache-tags\":"
        "\"a,_N_T_/blog,a\",\"$h\":\"$$1\"},\"postponed\":\"$$p\",\"status\":200,\"segmentData\":[\"$m\","
        "\"/_tree\",\"$2\",\"$$s\",\"$3\"]}");
    CU_ASSERT(part_is(0, "<p>\xc3\xa9\n\xf0\x9f\x98\x80</p>", true) && part_is(1, "0:x", false));
    CU_ASSERT(part_is(2, "t", false) && part_is(3, "u", false));
    CU_ASSERT(made.n_tags == 2 && aws_is(made.tags[0], "a") && aws_is(made.tags[1], "_N_T_/blog"));
    CU_ASSERT(made.revalidate_ms == 60000 && made.expire_ms == LARDER_UNSET);
}

/* As the build lays it down: without revalidate. */
static void other_types_of_opennexts_as_well(void) {
    CU_ASSERT_EQUAL(read_json(FRAME_PAGE,
                              "{\"type\":\"route\",\"meta\":{\"headers\":{\"content-type\":\"image/png; x\"},"
                              "\"status\":201},\"body\":\"AAH/\"}"),
                    LARDER_OK);
    CU_ASSERT_STRING_EQUAL(text.ptr, "{\"kind\":\"APP_ROUTE\",\"body\":\"$0\",\"headers\":{\"content-type\":"
                                     "\"image/png; x\"},\"status\":201}");
    CU_ASSERT(made.n_parts == 1 && made.parts[0].data.len == 3 &&
              memcmp(made.parts[0].data.ptr, "\0\x01\xff", 3) == 0);
    CU_ASSERT_EQUAL(made.revalidate_ms, LARDER_UNSET);
    CU_ASSERT_EQUAL(read_json(FRAME_PAGE, "{\"type\":\"route\",\"body\":\"AAH/\",\"revalidate\":false}"),
                    LARDER_OK);
    CU_ASSERT(part_is(0, "AAH/", false) && made.revalidate_ms == INT64_MAX);
    CU_ASSERT_EQUAL(
        read_json(
            FRAME_PAGE,
            "{\"type\":\"page\",\"html\":\"h\",\"json\":{\"pageProps\":{\"a\":\"$1\"}},\"revalidate\":1.5}"),
        LARDER_OK);
    CU_ASSERT_STRING_EQUAL(text.ptr, "{\"kind\":\"PAGES\",\"html\":\"$0\",\"pageData\":[\"$j\",1]}");
    CU_ASSERT(part_is(1, "{\"pageProps\":{\"a\":\"$1\"}}", true));
    CU_ASSERT_EQUAL(made.revalidate_ms, 1500);
    CU_ASSERT_EQUAL(read_json(FRAME_PAGE, "{\"type\":\"redirect\",\"props\":{\"pageProps\":{}}}"), LARDER_OK);
    CU_ASSERT_STRING_EQUAL(text.ptr, "{\"kind\":\"REDIRECT\",\"props\":{\"pageProps\":{}}}");
    CU_ASSERT_EQUAL(
        read_json(FRAME_FETCH,
                  "{\"kind\":\"FETCH\",\"data\":{\"headers\":{},\"body\":\"Ym8=\",\"url\":\"u\",\"tags\":"
                  "[\"t\"]},\"revalidate\":31536000,\"tags\":[\"s\",\"t\"]}"),
        LARDER_OK);
    CU_ASSERT_STRING_EQUAL(
        text.ptr,
        "{\"kind\":\"FETCH\",\"data\":{\"headers\":{},\"body\":\"$0\",\"url\":\"u\",\"tags\":[\"t\"]},"
        "\"revalidate\":31536000,\"tags\":[\"s\",\"t\"]}");
    CU_ASSERT(made.n_tags == 2 && part_is(0, "Ym8=", true));
    CU_ASSERT_EQUAL(read_json(FRAME_USE_CACHE,
                              "{\"value\":\"v\",\"tags\":[\"t\"],\"stale\":30,\"timestamp\":1.5,\"expire\":"
                              "4294967294,\"revalidate\":900}"),
                    LARDER_OK);
    CU_ASSERT_STRING_EQUAL(
        text.ptr,
        "{\"tags\":[\"t\"],\"stale\":30,\"timestamp\":1.5,\"expire\":4294967294,\"revalidate\":900}");
    CU_ASSERT(part_is(0, "v", false) && made.expire_ms == INT64_MAX && made.revalidate_ms == 900000);
}

static void what_cannot_be_served_is_a_miss_and_what_is_broken_is_corrupt(void) {
    static const char *const misses[] = {
        "{}", "{\"type\":\"new\"}", "{\"type\":\"app\",\"rsc\":\"x\"}", "[]", "null", "{\"type\":\"route\"}"};
    static const char *const broken[] = {"",
                                         "{",
                                         "<html>",
                                         "{\"a\":1}x",
                                         "{\"a\":\"\\u12\"}",
                                         "{\"a\":\"\x01\"}",
                                         "{\"type\":\"larder\",\"larder\":{\"frame\":\"wUxERg==\"}}",
                                         "nul"};
    for (size_t i = 0; i < sizeof(misses) / sizeof(misses[0]); i++)
        CU_ASSERT_EQUAL(read_json(FRAME_PAGE, misses[i]), LARDER_MISS);
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        CU_ASSERT_EQUAL(read_json(FRAME_PAGE, broken[i]), LARDER_CORRUPT);
    CU_ASSERT_EQUAL(read_json(FRAME_FETCH, "{\"kind\":\"APP_PAGE\"}"), LARDER_MISS);
    CU_ASSERT_EQUAL(read_json(FRAME_USE_CACHE, "{\"value\":\"\"}"), LARDER_MISS);
}

/* ---- there and back ------------------------------------------------------------------------------------------------ */

struct sample {
    uint32_t kind;
    const char *meta;
    size_t n_parts;
    struct frame_part parts[3];
    const char *json;
};

#define TEXT(t) \
    { {0}, {(const uint8_t *)(t), sizeof(t) - 1}, true }
#define BYTES(t) \
    { {0}, {(const uint8_t *)(t), sizeof(t) - 1}, false }
#define OWN(kind)       \
    "\"larder\":{" kind \
    "\"revalidate\":\"60000\",\"expire\":\"9223372036854775807\",\"tags\":[\"x\",\"\\\"y\"]}}"

static const struct sample samples[] = {
    {FRAME_PAGE,
     "{\"kind\":\"APP_PAGE\",\"html\":\"$0\",\"rscData\":\"$1\",\"headers\":{\"x-next-cache-tags\":\"x\","
     "\"a\":\"$$b\"},"
     "\"status\":200,\"segmentData\":[\"$m\",\"/_tree\",\"$2\"]}",
     3,
     {TEXT("<p>\xc3\xa9\n"), BYTES("0:x"), BYTES("t")},
     "{\"type\":\"app\",\"html\":\"<p>\xc3\xa9\\n\",\"rsc\":\"0:x\",\"meta\":{\"status\":200,\"headers\":{"
     "\"x-next-cache-tags\":"
     "\"x\",\"a\":\"$b\"}},\"revalidate\":60,\"segmentData\":{\"/_tree\":\"t\"}," OWN(
         "\"kind\":\"APP_PAGE\",")},
    {FRAME_PAGE,
     "{\"kind\":\"ROUTE\",\"body\":\"$0\",\"headers\":{\"content-type\":\"image/png\"},\"status\":200}",
     1,
     {BYTES("\x00\xff\x01\x02")},
     "{\"type\":\"route\",\"body\":\"AP8BAg==\",\"meta\":{\"status\":200,\"headers\":{\"content-type\":"
     "\"image/png\"}},"
     "\"revalidate\":60," OWN("\"kind\":\"ROUTE\",")},
    {FRAME_PAGE,
     "{\"kind\":\"PAGE\",\"html\":\"$0\",\"pageData\":\"$1\",\"headers\":{},\"status\":200}",
     2,
     {TEXT("h"), TEXT("0:flight")},
     "{\"type\":\"app\",\"html\":\"h\",\"rsc\":\"0:flight\",\"meta\":{\"status\":200,\"headers\":{}},"
     "\"revalidate\":60," OWN("\"kind\":\"PAGE\",")},
    {FRAME_PAGE,
     "{\"kind\":\"PAGES\",\"html\":\"$0\",\"pageData\":[\"$j\",1]}",
     2,
     {TEXT("h"), TEXT("{\"a\":[1,\"$2\"]}")},
     "{\"type\":\"page\",\"html\":\"h\",\"json\":{\"a\":[1,\"$2\"]},\"revalidate\":60," OWN(
         "\"kind\":\"PAGES\",")},
    {FRAME_FETCH,
     "{\"kind\":\"FETCH\",\"data\":{\"headers\":{},\"body\":\"$0\",\"url\":\"u\"},\"revalidate\":60}",
     1,
     {TEXT("b\xed\xa0\x80")},
     "{\"kind\":\"FETCH\",\"data\":{\"headers\":{},\"body\":\"b\\ud800\",\"url\":\"u\"},\"revalidate\":"
     "60," OWN("\"kind\":\"FETCH\",")},
    {FRAME_USE_CACHE,
     "{\"tags\":[\"x\"],\"stale\":30,\"timestamp\":5,\"expire\":60,\"revalidate\":60}",
     1,
     {BYTES("0:v")},
     "{\"value\":\"0:v\",\"tags\":[\"x\"],\"stale\":30,\"timestamp\":5,\"expire\":60,\"revalidate\":60," OWN(
         "")},
};

static struct larder_bytes frame_of(const struct sample *sample, uint8_t *room, size_t size) {
    static const char names[3][8] = {"a", "b", "c"};
    struct frame_part parts[3];
    struct larder_bytes tags[] = {aws_bytes("x"), aws_bytes("\"y")};
    struct frame_entry e = {.kind = sample->kind,
                            .key = aws_bytes("k"),
                            .meta = aws_bytes(sample->meta),
                            .epoch = 5,
                            .modified_ms = 6,
                            .revalidate_ms = 60000,
                            .expire_ms = INT64_MAX,
                            .tags = tags,
                            .n_tags = 2,
                            .parts = parts,
                            .n_parts = sample->n_parts};
    memcpy(parts, sample->parts, sizeof(parts));
    for (size_t i = 0; i < 3; i++)
        parts[i].name = aws_bytes(names[i]);
    const size_t len = frame_len(&e);
    if (len > size)
        abort();
    frame_write(&e, room);
    return (struct larder_bytes){room, len};
}

static void same_entry(const struct frame_entry *a, const struct frame_entry *b) {
    CU_ASSERT(a->kind == b->kind && a->revalidate_ms == b->revalidate_ms && a->expire_ms == b->expire_ms);
    CU_ASSERT_EQUAL_FATAL(a->n_parts, b->n_parts);
    for (size_t i = 0; i < a->n_parts; i++) {
        CU_ASSERT_EQUAL(a->parts[i].data.len, b->parts[i].data.len);
        CU_ASSERT(memcmp(a->parts[i].data.ptr, b->parts[i].data.ptr, a->parts[i].data.len) == 0);
    }
    CU_ASSERT_EQUAL_FATAL(a->n_tags, b->n_tags);
    for (size_t i = 0; i < a->n_tags; i++)
        CU_ASSERT(a->tags[i].len == b->tags[i].len &&
                  memcmp(a->tags[i].ptr, b->tags[i].ptr, a->tags[i].len) == 0);
}

/* What OpenNext writes, with what it has no member for behind it. */
static void entries_are_written_as_opennext_writes_them_and_read_back_whole(void) {
    static uint8_t room[4096], again[4096];
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        const struct larder_bytes frame = frame_of(&samples[i], room, sizeof(room));
        struct aws_text json = {0}, meta = {0};
        struct json_memory first = {0}, second = {0};
        struct frame_entry before,
            after = {.kind = samples[i].kind, .key = aws_bytes("k"), .epoch = 5, .modified_ms = 6};
        CU_ASSERT_TRUE(core_reads(frame)); /* the core's own decoder takes what is written here */
        CU_ASSERT_TRUE_FATAL(opennext_json(frame, &first, &json));
        CU_ASSERT_STRING_EQUAL(json.ptr, samples[i].json);
        CU_ASSERT_TRUE_FATAL(frame_read(frame, &first, &before));
        CU_ASSERT_EQUAL(opennext_entry((struct larder_bytes){(const uint8_t *)json.ptr, json.len}, &second,
                                       &meta, &after),
                        LARDER_OK);
        same_entry(&before, &after);
        CU_ASSERT_FATAL(frame_len(&after) <= sizeof(again));
        frame_write(&after, again);
        CU_ASSERT_TRUE(core_reads((struct larder_bytes){again, frame_len(&after)}));
        aws_text_done(&json);
        aws_text_done(&meta);
        json_memory_done(&first);
        json_memory_done(&second);
    }
}

static void what_opennext_has_no_form_for_comes_back_as_it_was(void) {
    static const struct sample odd[] = {
        {FRAME_PAGE, "{\"kind\":\"NEW_PAGE\",\"html\":\"$0\"}", 1, {TEXT("h")}, NULL},
        {FRAME_PAGE, "{\"kind\":\"APP_PAGE\",\"html\":\"$0\",\"news\":1}", 1, {TEXT("h")}, NULL},
        {FRAME_PAGE,
         "{\"kind\":\"APP_PAGE\",\"html\":\"$0\",\"rscData\":\"$1\"}",
         2,
         {TEXT("h"), BYTES("\xff")},
         NULL},
        {FRAME_PAGE, "{\"kind\":\"APP_ROUTE\",\"body\":\"$0\"}", 1, {BYTES("\xff\xfe")}, NULL},
        {FRAME_PAGE, "null", 0, {{{0}, {0}, false}}, NULL},
        {FRAME_PAGE, "no JSON", 0, {{{0}, {0}, false}}, NULL},
        {FRAME_PAGE, "{\"kind\":\"REDIRECT\",\"props\":[\"$d\",5]}", 0, {{{0}, {0}, false}}, NULL},
        {FRAME_PAGE, "{\"kind\":\"APP_PAGE\",\"html\":\"$7\"}", 0, {{{0}, {0}, false}}, NULL},
        {FRAME_USE_CACHE, "{\"tags\":[]}", 1, {BYTES("\x80")}, NULL},
        {FRAME_USE_CACHE, "{\"news\":[]}", 1, {BYTES("x")}, NULL},
    };
    static uint8_t room[4096], again[4096];
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        const struct larder_bytes frame = frame_of(&odd[i], room, sizeof(room));
        struct aws_text json = {0}, meta = {0};
        struct json_memory used = {0};
        struct frame_entry after = {.kind = odd[i].kind, .key = aws_bytes("k")};
        CU_ASSERT_TRUE_FATAL(opennext_json(frame, &used, &json));
        CU_ASSERT_EQUAL(strncmp(json.ptr, "{\"type\":\"larder\"", 16), 0);
        CU_ASSERT_EQUAL_FATAL(
            opennext_entry((struct larder_bytes){(const uint8_t *)json.ptr, json.len}, &used, &meta, &after),
            LARDER_OK);
        CU_ASSERT_EQUAL_FATAL(frame_len(&after), frame.len);
        frame_write(&after, again);
        CU_ASSERT_EQUAL(memcmp(again, frame.ptr, frame.len), 0);
        after = (struct frame_entry){.kind = odd[i].kind, .key = aws_bytes("another")};
        CU_ASSERT_EQUAL(
            opennext_entry((struct larder_bytes){(const uint8_t *)json.ptr, json.len}, &used, &meta, &after),
            LARDER_MISS);
        aws_text_done(&json);
        aws_text_done(&meta);
        json_memory_done(&used);
    }
}

static void what_the_core_writes_is_read(void) {
    static uint8_t room[4096];
    struct frame_entry e;
    json_memory_done(&memory);
    const struct larder_bytes frame = core_writes(room, sizeof(room));
    CU_ASSERT_TRUE_FATAL(frame_read(frame, &memory, &e));
    CU_ASSERT(e.kind == FRAME_PAGE && e.n_parts == 4 && e.n_tags == 2 && e.epoch == 5 &&
              aws_is(e.key, "/blog"));
    CU_ASSERT(aws_is(e.parts[0].data, "<p>\xe4\xb8\xad") && e.parts[0].is_text);
    CU_ASSERT(aws_is(e.parts[1].data, "bytes") && !e.parts[1].is_text);
    CU_ASSERT(aws_is(e.parts[2].data, "<p>\xe4\xb8\xad") && e.parts[2].is_text); /* the first again */
    CU_ASSERT(aws_is(e.parts[3].data, "plain"));
    for (size_t i = 0; i < frame.len; i++) { /* no bit of it may be another */
        room[i] ^= 1;
        CU_ASSERT_FALSE(frame_read(frame, &memory, &e));
        room[i] ^= 1;
    }
    for (size_t len = 0; len < frame.len; len++)
        CU_ASSERT_FALSE(frame_read((struct larder_bytes){room, len}, &memory, &e));
}

static void types_of_bodies_are_those_of_opennext(void) {
    static const struct {
        const char *type;
        bool is;
    } cases[] = {{"image/png", true},
                 {"image/png;q=1", true},
                 {"image/svg+xml", false},
                 {"text/html", false},
                 {"application/zip", true},
                 {"application/json", false},
                 {"application/x-zi", false},
                 {"Image/png", false},
                 {"image/", false},
                 {"audio/wavaudio/webm", true},
                 {"", false},
                 {"image/png gif", false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json type = {
            .type = JSON_STRING, .name = aws_bytes("content-type"), .text = aws_bytes(cases[i].type)};
        const struct json headers = {.type = JSON_OBJECT, .first = &type};
        CU_ASSERT_EQUAL(opennext_is_binary(&headers), cases[i].is);
    }
}

static void free_all(void) {
    json_memory_done(&memory);
    aws_text_done(&text);
    aws_text_done(&name);
}

UNIT_MAIN("s3 opennext", UNIT(keys_have_the_names_that_opennext_gives_them),
          UNIT(what_joining_would_change_is_none_of_opennexts), UNIT(names_are_read_back),
          UNIT(a_page_of_opennexts_is_one_of_nexts), UNIT(other_types_of_opennexts_as_well),
          UNIT(what_cannot_be_served_is_a_miss_and_what_is_broken_is_corrupt),
          UNIT(entries_are_written_as_opennext_writes_them_and_read_back_whole),
          UNIT(what_opennext_has_no_form_for_comes_back_as_it_was), UNIT(what_the_core_writes_is_read),
          UNIT(types_of_bodies_are_those_of_opennext), UNIT(free_all))
