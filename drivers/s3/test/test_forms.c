/* Names of objects, answers of S3, checksums: pure functions. */
#include "../sum.h"
#include "../xml.h"
#include "rig.h"

static const char *name_of(const char *bytes, size_t len) {
    static struct aws_text text;
    aws_text_clear(&text);
    s3_name_add_key(&text, (struct larder_bytes){(const uint8_t *)bytes, len});
    aws_text_adds(&text, "~");
    return text.ptr;
}

static void a_name_is_made_of_what_every_server_takes(void) {
    static const struct {
        const char *key, *name;
        size_t len;
    } cases[] = {{"", "~", 0},
                 {"ns/b/page/blog", "ns/b/page/blog~", 14},
                 {"/index", "=2Findex~", 6},
                 {"a//b", "a/=2Fb~", 4},
                 {"a/../b/./c", "a/=2E./b/=2E/c~", 10},
                 {".next/a.b", "=2Enext/a.b~", 9},
                 {"a/", "a/~", 2},
                 {"~a=b%20 +", "=7Ea=3Db=2520=20=2B~", 9},
                 {"caf\xc3\xa9\0", "caf=C3=A9=00~", 6},
                 {"$/[id]", "$/=5Bid=5D~", 6}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CU_ASSERT_STRING_EQUAL(name_of(cases[i].key, cases[i].len), cases[i].name);
}

static void every_key_is_read_back_from_its_name(void) {
    uint64_t state = 1;
    for (unsigned n = 0; n < 20000; n++) {
        static const char telling[] = "/.~=%a";
        char key[40];
        uint8_t back[256];
        size_t len, back_len = 0;
        state = state * 6364136223846793005u + 1442695040888963407u;
        len = state >> 59;
        for (size_t i = 0; i < len; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            key[i] = state >> 63 ? telling[(state >> 40) % 6] : (char)(state >> 32);
        }
        const char *name = name_of(key, len);
        CU_ASSERT_TRUE_FATAL(s3_name_read_key(aws_bytes(name), back, &back_len));
        CU_ASSERT_FATAL(back_len == len && memcmp(back, key, len) == 0);
        /* What begins a key begins its name. */
        char whole[256];
        snprintf(whole, sizeof(whole), "%s", name);
        const char *begin = name_of(key, len / 2);
        CU_ASSERT_FATAL(strncmp(whole, begin, strlen(begin) - 1) == 0);
        CU_ASSERT_FATAL(!strstr(whole, "//") && !strstr(whole, "/./") && whole[0] != '/');
    }
}

static void a_name_of_another_form_is_nobodys_key(void) {
    static const char *const names[] = {"",       "a",     "a=2~", "a=~",  "a=zz~", "=61~",
                                        "a=2fb~", "a//~",  "/a~",  ".a~",  "a/.b~", "a b~",
                                        "a+~",    "a~~b~", "a~b~", "=2e~", "a=2E~", "a=2Fb~"};
    uint8_t key[64];
    size_t len;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (s3_name_read_key(aws_bytes(names[i]), key, &len))
            printf("%s\n", names[i]);
        CU_ASSERT_FALSE(s3_name_read_key(aws_bytes(names[i]), key, &len));
    }
}

static void the_longest_key_fits_whatever_its_bytes(void) {
    static char key[400];
    memset(key, '\xff', sizeof(key));
    CU_ASSERT(strlen("prefix/e/") + strlen(name_of(key, s3_max_key(6))) <= S3_MAX_NAME);
    CU_ASSERT(strlen("prefix/e/") + strlen(name_of(key, s3_max_key(6) + 1)) > S3_MAX_NAME - 3);
}

/* ---- answers --------------------------------------------------------------------------------------------- */

static void a_page_tells_its_names_decoded(void) {
    struct s3_page page;
    struct aws_text name = {0};
    CU_ASSERT_TRUE_FATAL(s3_page_read(
        aws_bytes("<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"x\"><EncodingType>url</EncodingType>"
                  "<IsTruncated>true</IsTruncated><Contents><Key>p%2Fe/a%20b+c%2Bd%zz&apos;</"
                  "Key><ETag>&quot;e&quot;"
                  "</ETag></Contents><Contents><Size>1</Size></Contents><Contents><Key>z</Key></Contents>"
                  "</ListBucketResult>"),
        &page));
    CU_ASSERT_TRUE(page.is_truncated);
    CU_ASSERT_TRUE(s3_page_next(&page, &name));
    CU_ASSERT_STRING_EQUAL(name.ptr, "p/e/a b c+d%zz'");
    CU_ASSERT_TRUE(s3_page_next(&page, &name));
    CU_ASSERT_STRING_EQUAL(name.ptr, "z");
    CU_ASSERT_FALSE(s3_page_next(&page, &name));
    CU_ASSERT_TRUE(s3_page_read(
        aws_bytes("<ListBucketResult><Contents><Key>a%20+b</Key></Contents></ListBucketResult>"), &page));
    CU_ASSERT_FALSE(page.is_truncated);
    CU_ASSERT_TRUE(s3_page_next(&page, &name));
    CU_ASSERT_STRING_EQUAL(name.ptr, "a%20+b");
    aws_text_done(&name);
}

static void what_is_no_page_or_a_part_of_one_is_none(void) {
    static const char *const texts[] = {"", "<html>", "<ListBucketResult>",
                                        "<ListBucketResult><Contents><Key>a", "</ListBucketResult>"};
    struct s3_page page;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        CU_ASSERT_FALSE(s3_page_read(aws_bytes(texts[i]), &page));
    CU_ASSERT_FALSE(s3_deleted_read(aws_bytes("<html/>")));
    CU_ASSERT_TRUE(s3_deleted_read(aws_bytes("<DeleteResult/>")));
    CU_ASSERT_TRUE(s3_deleted_read(aws_bytes("<DeleteResult xmlns=\"x\"></DeleteResult>")));
}

static const struct s3_rule rule = {.id = "larder-p", .prefix = "p/", .days = 9};

static bool with_rule(const char *old, struct aws_text *out) {
    bool changed = false;
    aws_text_clear(out);
    CU_ASSERT_TRUE(s3_lifecycle_with(aws_bytes(old), &rule, out, &changed));
    return changed;
}

/* Rules of others stay as they are. */
static void a_lifecycle_gets_the_rule_once(void) {
    static const char others[] = "<LifecycleConfiguration><Rule><ID>x</ID><Filter><Prefix>q</Prefix></Filter>"
                                 "</Rule></LifecycleConfiguration>";
    struct aws_text first = {0}, second = {0};
    CU_ASSERT_TRUE(with_rule("", &first));
    CU_ASSERT_FALSE(with_rule(first.ptr, &second));
    CU_ASSERT_EQUAL(second.len, 0);
    CU_ASSERT_TRUE(with_rule(others, &first));
    CU_ASSERT_PTR_NOT_NULL(strstr(first.ptr, "<Rule><ID>x</ID><Filter><Prefix>q</Prefix></Filter></Rule>"));
    CU_ASSERT_FALSE(with_rule(first.ptr, &second));
    /* As a server writes it, which has its own order. */
    CU_ASSERT_FALSE(with_rule(
        "<LifecycleConfiguration><Rule><Expiration><Days>9</Days></Expiration><ID>larder-p</ID>"
        "<Filter><Prefix>p/</Prefix></Filter><Status>Enabled</Status></Rule></LifecycleConfiguration>",
        &second));
    /* One that differs is replaced. */
    CU_ASSERT_TRUE(with_rule(
        "<LifecycleConfiguration><Rule><ID>larder-p</ID><Expiration><Days>8</Days></Expiration>"
        "<Filter><Prefix>p/</Prefix></Filter><Status>Enabled</Status></Rule></LifecycleConfiguration>",
        &second));
    CU_ASSERT_PTR_NULL(strstr(second.ptr, "<Days>8"));
    CU_ASSERT_PTR_NOT_NULL(strstr(second.ptr, "<Days>9"));
    bool changed;
    CU_ASSERT_FALSE(s3_lifecycle_with(aws_bytes("<html/>"), &rule, &second, &changed));
    aws_text_done(&first);
    aws_text_done(&second);
}

/* ---- sums and numbers --------------------------------------------------------------------------------------- */

static void sums_are_those_that_others_compute(void) {
    static struct s3_crc crc;
    char md5[S3_MD5_SIZE], sum[S3_CRC_SIZE];
    s3_crc_init(&crc);
    s3_md5(aws_bytes(""), md5);
    CU_ASSERT_STRING_EQUAL(md5, "1B2M2Y8AsgTpgAmY7PhCfg==");
    s3_md5(aws_bytes("abc"), md5);
    CU_ASSERT_STRING_EQUAL(md5, "kAFQmDzST7DWlj99KOF/cg==");
    s3_crc_of(&crc, aws_bytes(""), sum);
    CU_ASSERT_STRING_EQUAL(sum, "AAAAAA==");
    s3_crc_of(&crc, aws_bytes("123456789"), sum); /* CBF43926 */
    CU_ASSERT_STRING_EQUAL(sum, "y/Q5Jg==");
    s3_crc_of(&crc, aws_bytes("The quick brown fox jumps over the lazy dog"), sum); /* 414FA339 */
    CU_ASSERT_STRING_EQUAL(sum, "QU+jOQ==");
}

static void a_number_is_all_of_its_text(void) {
    static const char *const wrong[] = {
        "", "-", "+1", "1 ", "0x1", "9223372036854775808", "-9223372036854775809", "1.0"};
    int64_t number;
    CU_ASSERT_TRUE(s3_number(aws_bytes("9223372036854775807"), &number) && number == INT64_MAX);
    CU_ASSERT_TRUE(s3_number(aws_bytes("-9223372036854775808"), &number) && number == INT64_MIN);
    CU_ASSERT_TRUE(s3_number(aws_bytes("0"), &number) && number == 0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        CU_ASSERT_FALSE(s3_number(aws_bytes(wrong[i]), &number));
}

UNIT_MAIN("s3 forms", UNIT(a_name_is_made_of_what_every_server_takes),
          UNIT(every_key_is_read_back_from_its_name), UNIT(a_name_of_another_form_is_nobodys_key),
          UNIT(the_longest_key_fits_whatever_its_bytes), UNIT(a_page_tells_its_names_decoded),
          UNIT(what_is_no_page_or_a_part_of_one_is_none), UNIT(a_lifecycle_gets_the_rule_once),
          UNIT(sums_are_those_that_others_compute), UNIT(a_number_is_all_of_its_text))
