/* Requests as they are written and replies as they are read. */
#include <stdlib.h>
#include <string.h>

#include "../base64.h"
#include "../crc.h"
#include "../reply.h"
#include "unit.h"

static struct larder_bytes bytes(const char *text) {
    return ddb_bytes_of(text);
}

static bool is(struct larder_bytes got, const char *text) {
    return ddb_bytes_same(got, bytes(text));
}

static bool text_is(const struct ddb_text *t, const char *text) {
    return !t->failed && is((struct larder_bytes){t->ptr, t->len}, text);
}

/* ---- writing ------------------------------------------------------------------------------------ */

static void what_json_does_not_take_in_a_string_is_escaped(void) {
    struct ddb_text t = {0};
    ddb_text_escaped(&t, (struct larder_bytes){(const uint8_t *)"a\"\\/\0\n\x1f\x7f\xc3\xa9", 10});
    CU_ASSERT(text_is(&t, "a\\\"\\\\/\\u0000\\u000a\\u001f\x7f\xc3\xa9"));
    ddb_text_done(&t);
}

static void apostrophes_of_a_template_are_quotes_and_those_of_data_are_not(void) {
    struct ddb_text t = {0};
    ddb_text_json(&t, "{'a':'");
    ddb_text_escaped(&t, bytes("it's"));
    ddb_text_json(&t, "'}");
    CU_ASSERT(text_is(&t, "{\"a\":\"it's\"}"));
    ddb_text_done(&t);
}

static void every_number_is_written_and_read_exactly(void) {
    static const int64_t numbers[] = {0, 1, -1, INT64_MAX, INT64_MIN, INT64_MAX - 1, 1700000000000};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct ddb_text t = {0};
        int64_t got = 5;
        ddb_text_number(&t, numbers[i]);
        CU_ASSERT(ddb_json_integer((struct larder_bytes){t.ptr, t.len}, &got));
        CU_ASSERT_EQUAL(got, numbers[i]);
        ddb_text_done(&t);
    }
}

static void what_is_no_64_bit_integer_is_refused(void) {
    static const char *const wrong[] = {"",
                                        "-",
                                        "+1",
                                        "1.5",
                                        "1E3",
                                        " 1",
                                        "1 ",
                                        "0x1",
                                        "--1",
                                        "9223372036854775808",
                                        "-9223372036854775809",
                                        "99999999999999999999999999999999999999"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int64_t got = 5;
        CU_ASSERT_FALSE(ddb_json_integer(bytes(wrong[i]), &got));
        CU_ASSERT_EQUAL(got, 5);
    }
}

/* ---- base64 --------------------------------------------------------------------------------------- */

static void base64_of_rfc_4648(void) {
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct ddb_text t = {0};
        uint8_t out[8];
        size_t size = 99;
        ddb_text_base64(&t, bytes(pairs[i][0]));
        CU_ASSERT(text_is(&t, pairs[i][1]) || (t.len == 0 && pairs[i][1][0] == '\0'));
        CU_ASSERT(ddb_base64_size(bytes(pairs[i][1]), &size));
        CU_ASSERT_EQUAL(size, strlen(pairs[i][0]));
        CU_ASSERT(ddb_base64_decode(bytes(pairs[i][1]), out));
        CU_ASSERT_EQUAL(memcmp(out, pairs[i][0], size), 0);
        ddb_text_done(&t);
    }
}

/* Lengths around the groups of three, each byte at each place of a group. */
static void every_byte_survives_base64_at_every_place(void) {
    uint8_t data[300], back[301];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t len = 0; len < sizeof(data); len++) {
        struct ddb_text t = {0};
        size_t size = 0;
        ddb_text_base64(&t, (struct larder_bytes){data + sizeof(data) - len, len});
        CU_ASSERT_EQUAL(t.len, ddb_base64_len(len));
        CU_ASSERT(ddb_base64_size((struct larder_bytes){t.ptr, t.len}, &size));
        CU_ASSERT_EQUAL_FATAL(size, len);
        memset(back, 0xEE, sizeof(back));
        CU_ASSERT(ddb_base64_decode((struct larder_bytes){t.ptr, t.len}, back));
        CU_ASSERT_EQUAL(memcmp(back, data + sizeof(data) - len, len), 0);
        CU_ASSERT_EQUAL(back[len], 0xEE); /* nothing behind it */
        ddb_text_done(&t);
    }
}

/* Long enough for every way in which it is decoded, in memory that ends with it. */
static void a_wrong_character_is_found_at_every_place(void) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    enum { CHARACTERS = 2 * (sizeof(alphabet) - 1), BYTES = CHARACTERS / 4 * 3 };
    uint8_t *text = malloc(CHARACTERS), *out = malloc(BYTES);
    CU_ASSERT_FATAL(text && out);
    const struct larder_bytes raw = {text, CHARACTERS};
    for (size_t at = 0; at < CHARACTERS; at++) {
        size_t accepted = 0;
        for (unsigned c = 0; c < 256; c++) {
            for (size_t i = 0; i < CHARACTERS; i++)
                text[i] = (uint8_t)alphabet[i % (CHARACTERS / 2)];
            text[at] = (uint8_t)c;
            size_t size;
            if (!ddb_base64_size(raw, &size) || size != BYTES || !ddb_base64_decode(raw, out))
                continue;
            struct ddb_text again = {0};
            ddb_text_base64(&again, (struct larder_bytes){out, BYTES});
            CU_ASSERT(ddb_bytes_same((struct larder_bytes){again.ptr, again.len}, raw));
            ddb_text_done(&again);
            accepted++;
        }
        CU_ASSERT_EQUAL(accepted, CHARACTERS / 2);
    }
    free(text);
    free(out);
}

static void what_is_not_base64_is_refused(void) {
    static const char *const wrong[] = {"Z",    "Zg",   "Zg=",   "====",         "Z===", "=Zm9", "Zm9v!mFy",
                                        "Zm9-", "Zm9_", "Zm\n9", "Zm9vZg==Zm9v", "Zm=v", "\\/9v"};
    uint8_t out[16];
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        size_t size;
        bool ok = ddb_base64_size(bytes(wrong[i]), &size) && size <= sizeof(out) &&
                  ddb_base64_decode(bytes(wrong[i]), out);
        if (ok)
            printf("    %s\n", wrong[i]);
        CU_ASSERT_FALSE(ok);
    }
}

/* ---- JSON ------------------------------------------------------------------------------------------- */

static void escapes_are_undone(void) {
    uint8_t out[64];
    size_t len = 0;
    CU_ASSERT(ddb_json_unescape(bytes("\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\n\\\"\\\\\\/\\u0000."), out,
                                sizeof(out), &len));
    static const char want[] = "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\n\"\\/\0.";
    CU_ASSERT(ddb_bytes_same((struct larder_bytes){out, len},
                             (struct larder_bytes){(const uint8_t *)want, sizeof(want) - 1}));
}

static void escapes_that_are_none_are_refused(void) {
    static const char *const wrong[] = {"\\",      "\\x",     "\\u12",          "\\u12g4",
                                        "\\ud800", "\\udc00", "\\ud800\\u0041", "\\ud800\\udbff",
                                        "\\ud800x"};
    uint8_t out[16];
    size_t len;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        CU_ASSERT_FALSE(ddb_json_unescape(bytes(wrong[i]), out, sizeof(out), &len));
}

static void a_text_longer_than_its_room_is_refused(void) {
    uint8_t out[4];
    size_t len;
    CU_ASSERT(ddb_json_unescape(bytes("abcd"), out, 4, &len));
    CU_ASSERT_FALSE(ddb_json_unescape(bytes("abcde"), out, 4, &len));
    CU_ASSERT_FALSE(ddb_json_unescape(bytes("abc\\u00e9"), out, 4, &len));
}

static void what_is_no_json_is_bad_and_ends(void) {
    static const char *const wrong[] = {"",           "{",         "{\"a\"", "{\"a\":",   "{\"a\":1",
                                        "{\"a\":1,}", "{1:1}",     "[1 2]",  "[1,",       "\"abc",
                                        "\"abc\\\"",  "{\"a\":}",  "{,}",    "[\"\\",     "}",
                                        "{\"a\" 1}",  "nul\xff l", "[]x",    "{\"a\":1}]"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct ddb_json j = ddb_json_of(bytes(wrong[i]));
        bool ok = ddb_json_skip(&j, NULL) && ddb_json_ended(&j);
        if (ok)
            printf("    %s\n", wrong[i]);
        CU_ASSERT_FALSE(ok);
    }
}

static void what_is_nested_too_deeply_is_bad(void) {
    char deep[200];
    for (size_t depth = 1; depth < 100; depth++) {
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        deep[2 * depth] = '\0';
        struct ddb_json j = ddb_json_of(bytes(deep));
        CU_ASSERT_EQUAL(ddb_json_skip(&j, NULL), depth <= 32);
    }
}

/* ---- replies ------------------------------------------------------------------------------------------ */

static void an_item_is_read_with_all_that_it_says(void) {
    struct ddb_item item;
    bool there = false;
    CU_ASSERT(ddb_reply_item(bytes(" {\"ConsumedCapacity\": {\"x\": [1, true, null]}, \"Item\": {"
                                   "\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"#\\u0041\"},\"v\":{\"B\":\"Zm8=\"},"
                                   "\"m\":{\"N\":\"-5\"},\"e\":{\"N\":\"7\"},\"x\":{\"N\":\"9\"},"
                                   "\"other\":{\"M\":{\"a\":{\"L\":[]}}}}}\n"),
                             "Item", &item, &there));
    CU_ASSERT(there && item.has_value);
    CU_ASSERT(is(item.value, "Zm8="));
    CU_ASSERT(is(item.sk, "#\\u0041"));
    CU_ASSERT_EQUAL(item.modified_ms, -5);
    CU_ASSERT_EQUAL(item.epoch, 7);
    CU_ASSERT_EQUAL(item.expires_ms, 9);
    CU_ASSERT_EQUAL(item.stale_epoch, LARDER_UNSET);
    CU_ASSERT(ddb_item_expired(&item, 9));
    CU_ASSERT_FALSE(ddb_item_expired(&item, 8));
}

static void no_item_is_an_answer(void) {
    struct ddb_item item;
    bool there = true;
    CU_ASSERT(ddb_reply_item(bytes("{}"), "Item", &item, &there));
    CU_ASSERT_FALSE(there);
}

static void an_attribute_of_another_type_is_refused(void) {
    static const char *const wrong[] = {"{\"Item\":{\"v\":{\"S\":\"Zm8=\"}}}",
                                        "{\"Item\":{\"m\":{\"S\":\"5\"}}}",
                                        "{\"Item\":{\"m\":{\"N\":\"5.5\"}}}",
                                        "{\"Item\":{\"m\":{\"N\":5}}}",
                                        "{\"Item\":{\"m\":{}}}",
                                        "{\"Item\":{\"m\":{\"N\":\"5\",\"N\":\"6\"}}}",
                                        "{\"Item\":{\"sk\":{\"L\":[]}}}",
                                        "{\"Item\":[]}",
                                        "{\"Item\":{\"m\":{\"N\":\"5\"}}",
                                        "{\"Item\":null}"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct ddb_item item;
        bool there;
        CU_ASSERT_FALSE(ddb_reply_item(bytes(wrong[i]), "Item", &item, &there));
    }
}

static void a_page_has_items_and_a_place_where_it_ended(void) {
    struct ddb_page page;
    CU_ASSERT(ddb_reply_page(bytes("{\"Count\":1,\"Items\":[{\"gs\":{\"S\":\"#a\"}}],"
                                   "\"LastEvaluatedKey\":{\"gs\":{\"S\":\"#a\"}}}"),
                             &page));
    CU_ASSERT(page.has_more);
    CU_ASSERT(is(page.last.gs, "#a"));
    CU_ASSERT(is(page.items, "[{\"gs\":{\"S\":\"#a\"}}]"));
    CU_ASSERT(ddb_reply_page(bytes("{\"Items\":[]}"), &page));
    CU_ASSERT_FALSE(page.has_more);
}

static void a_batch_says_what_is_left(void) {
    struct ddb_batch_reply batch;
    CU_ASSERT(ddb_reply_batch(bytes("{\"Responses\":{\"t\":[{}]},\"UnprocessedKeys\":{\"t\":{"
                                    "\"ConsistentRead\":true,\"Keys\":[{\"pk\":{\"S\":\"x\"}}]}}}"),
                              &batch));
    CU_ASSERT(is(batch.items, "[{}]"));
    CU_ASSERT(is(batch.left, "[{\"pk\":{\"S\":\"x\"}}]"));
    CU_ASSERT(ddb_array_has_any(batch.left));
    CU_ASSERT(ddb_reply_batch(bytes("{\"UnprocessedItems\":{\"t\":[1, 2]}}"), &batch));
    CU_ASSERT(is(batch.left, "[1, 2]"));
    CU_ASSERT(ddb_reply_batch(bytes("{\"Responses\":{},\"UnprocessedKeys\":{}}"), &batch));
    CU_ASSERT_FALSE(ddb_array_has_any(batch.left));
    CU_ASSERT_FALSE(ddb_array_has_any(batch.items));
    CU_ASSERT_FALSE(ddb_reply_batch(bytes("{\"Responses\":{\"t\":[],\"other\":[]}}"), &batch));
}

/* ---- names ------------------------------------------------------------------------------------------- */

static void names_of_items_are_as_the_readme_has_them(void) {
    const struct ddb_names names = {.table = "t", .prefix = "shop", .shards = 8, .pk = "pk", .sk = "sk"};
    const struct ddb_name entry = {.kind = DDB_ENTRY, .key = bytes("ns/x")};
    const struct ddb_name link = {.kind = DDB_LINK, .key = bytes("ns/x"), .tag = bytes("posts")};
    struct ddb_text t = {0};
    ddb_text_key(&t, &names, &entry);
    CU_ASSERT(text_is(&t, "\"pk\":{\"S\":\"shop#e#ns/x\"},\"sk\":{\"S\":\"#\"}"));
    t.len = 0;
    ddb_text_key(&t, &names, &link);
    CU_ASSERT(text_is(&t, "\"pk\":{\"S\":\"shop#l#ns/x\"},\"sk\":{\"S\":\"#posts\"}"));
    t.len = 0;
    ddb_text_index_key(&t, &names, &link, 11, ":");
    CU_ASSERT(text_is(&t, "\":gk\":{\"S\":\"shop#l#0b#posts\"},\":gs\":{\"S\":\"#ns/x\"}"));
    ddb_text_done(&t);
}

/* What is stored under a shard is looked for there for ever: these numbers must not change. */
static void a_key_stays_in_its_shard(void) {
    const struct ddb_names eight = {.shards = 8}, many = {.shards = 256};
    CU_ASSERT_EQUAL(ddb_shard_of(&eight, bytes("")), 2166136261u % 8);
    CU_ASSERT_EQUAL(ddb_shard_of(&many, bytes("a")), 0xe40c292cu % 256);
    CU_ASSERT_EQUAL(ddb_shard_of(&many, bytes("foobar")), 0xbf9cf968u % 256);
}

static void utf8_is_told_from_what_is_none(void) {
    static const struct {
        const char *text;
        size_t len, good;
    } rows[] = {{"", 0, 0},
                {"a\0b", 3, 3},
                {"\xc3\xa9", 2, 2},
                {"a\xc3", 2, 1},
                {"\xc0\x80", 2, 0},     /* overlong */
                {"\xe0\x9f\xbf", 3, 0}, /* overlong */
                {"\xed\xa0\x80", 3, 0}, /* a surrogate */
                {"\xf0\x9f\x98\x80", 4, 4},
                {"\xf4\x8f\xbf\xbf", 4, 4},
                {"\xf4\x90\x80\x80", 4, 0}, /* beyond U+10FFFF */
                {"ok\xf0\x9f\x98", 5, 2},
                {"\x80", 1, 0},
                {"\xff", 1, 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CU_ASSERT_EQUAL(ddb_utf8_len((struct larder_bytes){(const uint8_t *)rows[i].text, rows[i].len}),
                        rows[i].good);
}

/* ---- the checksum -------------------------------------------------------------------------------------------- */

/* As it is defined, bit by bit. */
static uint32_t crc_of(const uint8_t *p, size_t len) {
    uint32_t value = ~0u;
    for (size_t i = 0; i < 8 * len; i++) {
        uint32_t bit = (value ^ (uint32_t)p[i / 8] >> i % 8) & 1;
        value = value >> 1 ^ (bit ? 0xEDB88320u : 0);
    }
    return ~value;
}

static void a_checksum_is_that_of_zlib_at_every_length(void) {
    static uint8_t text[700];
    struct ddb_crc crc;
    ddb_crc_init(&crc);
    CU_ASSERT_EQUAL(ddb_crc32(&crc, ddb_bytes_of("123456789")), 0xCBF43926u); /* the check of the standard */
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(i * 167 + i / 7);
    for (size_t len = 0; len < sizeof(text) - 15; len++) {
        const struct larder_bytes bytes = {text + len % 16, len};
        CU_ASSERT_EQUAL(ddb_crc32(&crc, bytes), crc_of(bytes.ptr, len));
        CU_ASSERT_EQUAL(ddb_crc32_by_table(&crc, bytes), crc_of(bytes.ptr, len));
    }
}

UNIT_MAIN("dynamodb: forms", UNIT(a_checksum_is_that_of_zlib_at_every_length),
          UNIT(what_json_does_not_take_in_a_string_is_escaped),
          UNIT(apostrophes_of_a_template_are_quotes_and_those_of_data_are_not),
          UNIT(every_number_is_written_and_read_exactly), UNIT(what_is_no_64_bit_integer_is_refused),
          UNIT(base64_of_rfc_4648), UNIT(every_byte_survives_base64_at_every_place),
          UNIT(what_is_not_base64_is_refused), UNIT(a_wrong_character_is_found_at_every_place),
          UNIT(escapes_are_undone), UNIT(escapes_that_are_none_are_refused),
          UNIT(a_text_longer_than_its_room_is_refused), UNIT(what_is_no_json_is_bad_and_ends),
          UNIT(what_is_nested_too_deeply_is_bad), UNIT(an_item_is_read_with_all_that_it_says),
          UNIT(no_item_is_an_answer), UNIT(an_attribute_of_another_type_is_refused),
          UNIT(a_page_has_items_and_a_place_where_it_ended), UNIT(a_batch_says_what_is_left),
          UNIT(names_of_items_are_as_the_readme_has_them), UNIT(a_key_stays_in_its_shard),
          UNIT(utf8_is_told_from_what_is_none))
