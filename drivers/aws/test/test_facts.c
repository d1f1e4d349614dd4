/* The pure functions besides signing: times, URIs, JSON, XML, errors, endpoints, the environment. */
#include <string.h>

#include "../aws_endpoint.h"
#include "../aws_environment.h"
#include "../aws_error.h"
#include "../aws_json.h"
#include "../aws_time.h"
#include "../aws_uri.h"
#include "../aws_xml.h"
#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void times_are_written_and_read(void) {
    static const struct {
        const char *text;
        int64_t ms;
    } iso[] = {{"2026-01-02T03:04:05Z", 1767323045000},
               {"2026-01-02T03:04:05.678901Z", 1767323045000},
               {"2026-01-02T05:04:05+02:00", 1767323045000},
               {"2026-01-01T21:34:05-05:30", 1767323045000}};
    static const char *const wrong[] = {"",
                                        "2026-01-02",
                                        "2026-01-02T03:04:05",
                                        "2026-13-02T03:04:05Z",
                                        "2026-01-02T24:00:00Z",
                                        "2026-01-02T03:04:05X",
                                        "2026-01-02T03:04:05ZZ",
                                        "2026-01-02T03:04:05+0200"};
    char stamp[AWS_STAMP_SIZE];
    int64_t ms = 0;
    for (size_t i = 0; i < COUNT(iso); i++) {
        CU_ASSERT_TRUE(aws_time_iso(aws_bytes(iso[i].text), &ms));
        CU_ASSERT_EQUAL(ms, iso[i].ms);
    }
    for (size_t i = 0; i < COUNT(wrong); i++)
        CU_ASSERT_FALSE(aws_time_iso(aws_bytes(wrong[i]), &ms));
    CU_ASSERT_TRUE(aws_time_http(aws_bytes("Fri, 02 Jan 2026 03:04:05 GMT"), &ms));
    CU_ASSERT_EQUAL(ms, 1767323045000);
    CU_ASSERT_FALSE(aws_time_http(aws_bytes("Friday, 02-Jan-26 03:04:05 GMT"), &ms));
    CU_ASSERT_FALSE(aws_time_http(aws_bytes("Fri, 02 Jax 2026 03:04:05 GMT"), &ms));
    aws_stamp(stamp, 1767323045999);
    CU_ASSERT_STRING_EQUAL(stamp, "20260102T030405Z");
    aws_stamp(stamp, INT64_MAX);
    CU_ASSERT_STRING_EQUAL(stamp, "99991231T235959Z");
    aws_stamp(stamp, -1);
    CU_ASSERT_STRING_EQUAL(stamp, "19700101T000000Z");
}

/* Against the rule as it is written down, for each of the 256 bytes. */
static void every_byte_of_a_key_is_encoded_by_the_rule(void) {
    static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (unsigned c = 0; c < 256; c++) {
        const uint8_t byte = (uint8_t)c;
        char wanted[4] = {(char)c};
        struct aws_text value = {0}, path = {0};
        if (c == 0 || !strchr(kept, (int)c))
            snprintf(wanted, sizeof(wanted), "%%%02X", c);
        aws_uri_add(&value, (struct larder_bytes){&byte, 1});
        aws_uri_add_path(&path, (struct larder_bytes){&byte, 1});
        CU_ASSERT_STRING_EQUAL(value.ptr, wanted);
        CU_ASSERT_STRING_EQUAL(path.ptr, c == '/' ? "/" : wanted);
        aws_text_done(&value);
        aws_text_done(&path);
    }
}

static void a_query_is_sorted_by_name_and_then_by_value(void) {
    const struct aws_param params[] = {{aws_bytes("b"), aws_bytes("2")},
                                       {aws_bytes("b"), aws_bytes("10")},
                                       {aws_bytes("a-"), aws_bytes("")},
                                       {aws_bytes("a"), aws_bytes("x y/z+")},
                                       {aws_bytes("B"), aws_bytes("=&?#")}};
    struct aws_text out = {0};
    CU_ASSERT_TRUE(aws_uri_add_query(&out, params, COUNT(params)));
    CU_ASSERT_STRING_EQUAL(out.ptr, "B=%3D%26%3F%23&a=x%20y%2Fz%2B&a-=&b=10&b=2");
    aws_text_done(&out);
    CU_ASSERT_TRUE(aws_uri_add_query(&out, NULL, 0));
    CU_ASSERT_EQUAL(out.len, 0);
    aws_text_done(&out);
}

static void check_json(const char *json, const char *name, const char *wanted) {
    struct aws_text out = {0};
    const bool found = aws_json_member(aws_bytes(json), name, &out);
    CU_ASSERT_EQUAL(found, wanted != NULL);
    if (found && wanted)
        CU_ASSERT_STRING_EQUAL(aws_or_empty(out.ptr), wanted);
    aws_text_done(&out);
}

static void members_of_json_are_found_past_whatever_stands_before_them(void) {
    check_json("{\"a\": \"x\"}", "a", "x");
    check_json(" {\"deep\":{\"a\":\"no\",\"l\":[1,{\"a\":\"no\"}]},\"s\":\"}\\\"{\",\"a\":\"yes\"}", "a",
               "yes");
    check_json("{\"n\":-1.5e3,\"t\":true,\"z\":null,\"a\":\"\"}", "a", "");
    check_json("{\"n\":-1.5e3,\"a\":1}", "n", "-1.5e3");
    check_json("{\"\\u0061\":\"\\u00e9\\ud83d\\ude00\\n\\/\"}", "a", "\xc3\xa9\xf0\x9f\x98\x80\n/");
    check_json("{\"a\":null}", "a", NULL);
    check_json("{\"a\":{\"b\":1}}", "a", NULL);
    check_json("{\"a\":\"cut", "a", NULL);
    check_json("{\"a\":\"\\ud83dx\"}", "a", NULL);
    check_json("{\"b\":\"\\", "a", NULL);
    check_json("[\"a\"]", "a", NULL);
    check_json("", "a", NULL);
    check_json("{}", "a", NULL);
}

static void texts_of_xml_are_found_and_decoded(void) {
    struct aws_text out = {0};
    const struct larder_bytes xml = aws_bytes(
        "<?xml version=\"1.0\"?>\n<R><Code>a&amp;b&lt;&apos;&bad;&#39;&#x2F;&#0;&#300;&#x;&</Code><E/></R>");
    CU_ASSERT_TRUE(aws_xml_text(xml, "Code", &out));
    CU_ASSERT_STRING_EQUAL(out.ptr, "a&b<'&bad;'/&#0;&#300;&#x;&");
    CU_ASSERT_FALSE(aws_xml_text(xml, "R", &out));
    CU_ASSERT_FALSE(aws_xml_text(xml, "Missing", &out));
    CU_ASSERT_FALSE(aws_xml_text(aws_bytes("<Code>cut"), "Code", &out));
    CU_ASSERT_FALSE(aws_xml_text(aws_bytes("<Code>cut<"), "Code", &out));
    aws_text_done(&out);
}

struct error_case {
    int http;
    const char *headers, *body;
    int32_t status;
    enum aws_cure cure;
    const char *code;
    uint32_t retry_after_ms;
};

static void errors_of_aws_become_statuses(void) {
    static const struct error_case cases[] = {
        {400, "",
         "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException\","
         "\"message\":\"slow\"}",
         LARDER_THROTTLED, AWS_CURE_NONE, "ProvisionedThroughputExceededException", 0},
        {400, "", "{\"__type\":\"com.amazon.coral.service#ExpiredTokenException\",\"Message\":\"old\"}",
         LARDER_DENIED, AWS_CURE_KEYS, "ExpiredTokenException", 0},
        {400, "", "{\"__type\":\"com.amazon.coral.service#UnrecognizedClientException\"}", LARDER_DENIED,
         AWS_CURE_KEYS, "UnrecognizedClientException", 0},
        {400, "",
         "{\"__type\":\"com.amazon.coral.service#InvalidSignatureException\",\"message\":\"Signature "
         "expired: x\"}",
         LARDER_DENIED, AWS_CURE_CLOCK, "InvalidSignatureException", 0},
        {400, "",
         "{\"__type\":\"com.amazon.coral.validate#ValidationException\",\"message\":\"Item size has exceeded "
         "the "
         "maximum allowed size\"}",
         LARDER_TOO_BIG, AWS_CURE_NONE, "ValidationException", 0},
        {400, "", "{\"__type\":\"com.amazon.coral.validate#ValidationException\",\"message\":\"wrong\"}",
         LARDER_INVALID, AWS_CURE_NONE, "ValidationException", 0},
        {400, "", "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException\"}",
         LARDER_INVALID, AWS_CURE_NONE, "ResourceNotFoundException", 0},
        {400, "", "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException\"}",
         LARDER_INVALID, AWS_CURE_NONE, "ConditionalCheckFailedException", 0},
        {400, "", "{\"__type\":\"com.amazonaws.dynamodb.v20120810#UnknownOperationException\"}",
         LARDER_UNSUPPORTED, AWS_CURE_NONE, "UnknownOperationException", 0},
        {400, "", "{\"__type\":\"com.amazonaws.dynamodb.v20120810#AccessDeniedException\"}", LARDER_DENIED,
         AWS_CURE_NONE, "AccessDeniedException", 0},
        {500, "", "{\"__type\":\"com.amazonaws.dynamodb.v20120810#InternalServerError\"}", LARDER_RETRY,
         AWS_CURE_NONE, "InternalServerError", 0},
        {400, "x-amzn-ErrorType: ThrottlingException:http://internal.amazon.com/\r\n", "", LARDER_THROTTLED,
         AWS_CURE_NONE, "ThrottlingException", 0},
        {503, "Retry-After: 7\r\n", "<Error><Code>SlowDown</Code><Message>Reduce</Message></Error>",
         LARDER_THROTTLED, AWS_CURE_NONE, "SlowDown", 7000},
        {503, "Date: Fri, 02 Jan 2026 03:04:05 GMT\r\nRetry-After: Fri, 02 Jan 2026 03:04:15 GMT\r\n", "",
         LARDER_RETRY, AWS_CURE_NONE, "", 10000},
        {429, "Retry-After: 999999999999999999999\r\n", "", LARDER_THROTTLED, AWS_CURE_NONE, "", 3600000},
        {403, "", "<?xml version=\"1.0\"?>\n<Error><Code>RequestTimeTooSkewed</Code></Error>", LARDER_DENIED,
         AWS_CURE_CLOCK, "RequestTimeTooSkewed", 0},
        {403, "", "<Error><Code>InvalidAccessKeyId</Code></Error>", LARDER_DENIED, AWS_CURE_KEYS,
         "InvalidAccessKeyId", 0},
        {404, "", "<Error><Code>NoSuchKey</Code></Error>", LARDER_INVALID, AWS_CURE_NONE, "NoSuchKey", 0},
        {412, "", "<Error><Code>PreconditionFailed</Code></Error>", LARDER_INVALID, AWS_CURE_NONE,
         "PreconditionFailed", 0},
        {400, "", "<Error><Code>EntityTooLarge</Code></Error>", LARDER_TOO_BIG, AWS_CURE_NONE,
         "EntityTooLarge", 0},
        {400, "",
         "<ErrorResponse><Error><Type>Sender</Type><Code>IDPCommunicationError</Code></Error></"
         "ErrorResponse>",
         LARDER_RETRY, AWS_CURE_NONE, "IDPCommunicationError", 0},
        {501, "", "", LARDER_UNSUPPORTED, AWS_CURE_NONE, "", 0},
        {502, "", "<html>Bad Gateway</html>", LARDER_RETRY, AWS_CURE_NONE, "", 0},
        {403, "", "", LARDER_DENIED, AWS_CURE_NONE, "", 0},
        {413, "", "", LARDER_TOO_BIG, AWS_CURE_NONE, "", 0},
        {301, "", "<Error><Code>PermanentRedirect</Code></Error>", LARDER_INVALID, AWS_CURE_NONE,
         "PermanentRedirect", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct error_case *c = &cases[i];
        struct aws_error error;
        aws_error_read(&error, c->http, aws_bytes(c->headers), aws_bytes(c->body));
        const bool right = error.status == c->status && error.cure == c->cure &&
                           strcmp(error.code, c->code) == 0 && error.retry_after_ms == c->retry_after_ms;
        if (!right)
            printf("%d %s: %d %d %s %u\n", c->http, c->body, error.status, (int)error.cure, error.code,
                   error.retry_after_ms);
        CU_ASSERT_TRUE(right);
    }
}

/* S3 explains a wrong signature with the canonical request, in which the session token stands. */
static void the_detail_of_an_error_is_one_line_without_the_canonical_request(void) {
    struct aws_error error;
    aws_error_read(
        &error, 403, (struct larder_bytes){0},
        aws_bytes("<Error><Code>SignatureDoesNotMatch</Code><Message>They differ.\n\nThe Canonical String "
                  "was x-amz-security-token:SECRET</Message></Error>"));
    CU_ASSERT_STRING_EQUAL(error.detail, "HTTP 403 SignatureDoesNotMatch: They differ.");
    aws_error_read(&error, 400, (struct larder_bytes){0},
                   aws_bytes("{\"__type\":\"X\\u0007\",\"message\":\"caf\\u00e9\\tand\"}"));
    CU_ASSERT_STRING_EQUAL(error.detail, "HTTP 400 X : caf   and");
}

static void the_last_header_of_a_name_is_found_in_any_case(void) {
    const struct larder_bytes headers = aws_bytes(
        "HTTP/1.1 200 OK\r\nA: 1\r\nETag:  \"x\" \r\na: 2\r\nAb: 3\r\n\r\n");
    CU_ASSERT_TRUE(aws_is(aws_header_of(headers, "etag"), "\"x\""));
    CU_ASSERT_TRUE(aws_is(aws_header_of(headers, "A"), "2"));
    CU_ASSERT_EQUAL(aws_header_of(headers, "b").len, 0);
    CU_ASSERT_EQUAL(aws_header_of((struct larder_bytes){0}, "b").len, 0);
}

static void check_region(const char *service, const char *region, bool fips, const char *origin) {
    struct aws_endpoint e = {0};
    char error[LARDER_ERROR_SIZE];
    CU_ASSERT_EQUAL(aws_endpoint_of_region(&e, service, region, fips, error),
                    origin ? LARDER_OK : LARDER_INVALID);
    if (origin)
        CU_ASSERT_STRING_EQUAL(aws_or_empty(e.origin), origin);
    aws_endpoint_done(&e);
}

static void a_region_has_the_endpoints_of_its_partition(void) {
    check_region("dynamodb", "eu-west-1", false, "https://dynamodb.eu-west-1.amazonaws.com");
    check_region("s3", "us-east-1", true, "https://s3-fips.us-east-1.amazonaws.com");
    check_region("sts", "cn-north-1", false, "https://sts.cn-north-1.amazonaws.com.cn");
    check_region("dynamodb", "us-gov-west-1", true, "https://dynamodb.us-gov-west-1.amazonaws.com");
    check_region("dynamodb", "us-iso-east-1", false, "https://dynamodb.us-iso-east-1.c2s.ic.gov");
    check_region("dynamodb", "us-isob-east-1", false, "https://dynamodb.us-isob-east-1.sc2s.sgov.gov");
    check_region("s3", "eusc-de-east-1", false, "https://s3.eusc-de-east-1.amazonaws.eu");
    check_region("s3", "", false, NULL);
    check_region("s3", "evil.example/", false, NULL);
    check_region("s3", "EU-WEST-1", false, NULL);
}

static void check_url(const char *url, const char *origin, const char *host, const char *path) {
    struct aws_endpoint e = {0};
    char error[LARDER_ERROR_SIZE] = "";
    CU_ASSERT_EQUAL(aws_endpoint_of_url(&e, url, error), origin ? LARDER_OK : LARDER_INVALID);
    CU_ASSERT_EQUAL(error[0] == '\0', origin != NULL);
    if (origin) {
        CU_ASSERT_STRING_EQUAL(aws_or_empty(e.origin), origin);
        CU_ASSERT_STRING_EQUAL(aws_or_empty(e.host), host);
        CU_ASSERT_STRING_EQUAL(aws_or_empty(e.path), path);
    }
    aws_endpoint_done(&e);
}

static void an_endpoint_url_is_taken_apart(void) {
    check_url("http://127.0.0.1:8000", "http://127.0.0.1:8000", "127.0.0.1:8000", "");
    check_url("https://x.example/", "https://x.example", "x.example", "");
    check_url("https://x.example:443/a/b//", "https://x.example", "x.example", "/a/b");
    check_url("http://x.example:443", "http://x.example:443", "x.example:443", "");
    check_url("http://[::1]:80/", "http://[::1]", "[::1]", "");
    static const char *const wrong[] = {
        "",           "x.example",        "ftp://x",    "http://",      "http://u:p@x/",
        "http://x?",  "http://x:/",       "http://x:a", "http://[::1",  "http://x/ y",
        "https://x#", "http://x:1234567", "http://[]x", "http://x\r\ny"};
    for (size_t i = 0; i < COUNT(wrong); i++)
        check_url(wrong[i], NULL, NULL, NULL);
}

static void a_bucket_stands_before_the_host(void) {
    struct aws_endpoint e = {0};
    char error[LARDER_ERROR_SIZE];
    CU_ASSERT_EQUAL(aws_endpoint_of_url(&e, "https://s3.example:8443/p", error), LARDER_OK);
    CU_ASSERT_TRUE(aws_endpoint_prefix(&e, "bucket."));
    CU_ASSERT_STRING_EQUAL(e.origin, "https://bucket.s3.example:8443");
    CU_ASSERT_STRING_EQUAL(e.host, "bucket.s3.example:8443");
    CU_ASSERT_STRING_EQUAL(e.path, "/p");
    CU_ASSERT_FALSE(e.is_own);
    aws_endpoint_done(&e);
}

static void or_behind_it(void) {
    struct aws_endpoint e = {0};
    char error[LARDER_ERROR_SIZE];
    CU_ASSERT_EQUAL(aws_endpoint_of_region(&e, "s3", "eu-west-1", false, error), LARDER_OK);
    CU_ASSERT_TRUE(e.is_own);
    CU_ASSERT_TRUE(aws_endpoint_below(&e, "/a.bucket"));
    CU_ASSERT_STRING_EQUAL(e.origin, "https://s3.eu-west-1.amazonaws.com");
    CU_ASSERT_STRING_EQUAL(e.path, "/a.bucket");
    CU_ASSERT_TRUE(aws_endpoint_prefix(&e, "b."));
    CU_ASSERT_TRUE(e.is_own);
    aws_endpoint_done(&e);
}

static char empty[] = "", upper[] = "http://upper:1", truth[] = "TRUE";
static char *look(const char *name) {
    if (strcmp(name, "https_proxy") == 0)
        return empty;
    if (strcmp(name, "HTTPS_PROXY") == 0)
        return upper;
    return strcmp(name, "AWS_USE_FIPS_ENDPOINT") == 0 ? truth : NULL;
}

static void an_empty_variable_is_one_that_is_not_set(void) {
    struct aws_environment e;
    CU_ASSERT_TRUE(aws_environment_read(&e, look));
    CU_ASSERT_STRING_EQUAL(aws_or_empty(aws_variable(&e, AWS_VAR_HTTPS_PROXY)), "http://upper:1");
    CU_ASSERT_PTR_NULL(aws_variable(&e, AWS_VAR_HTTP_PROXY));
    CU_ASSERT_TRUE(aws_variable_is_true(&e, AWS_VAR_USE_FIPS));
    CU_ASSERT_FALSE(aws_variable_is_true(&e, AWS_VAR_USE_DUALSTACK));
    aws_environment_done(&e);
}

UNIT_MAIN("aws facts", UNIT(times_are_written_and_read), UNIT(every_byte_of_a_key_is_encoded_by_the_rule),
          UNIT(a_query_is_sorted_by_name_and_then_by_value),
          UNIT(members_of_json_are_found_past_whatever_stands_before_them),
          UNIT(texts_of_xml_are_found_and_decoded), UNIT(errors_of_aws_become_statuses),
          UNIT(the_detail_of_an_error_is_one_line_without_the_canonical_request),
          UNIT(the_last_header_of_a_name_is_found_in_any_case),
          UNIT(a_region_has_the_endpoints_of_its_partition), UNIT(an_endpoint_url_is_taken_apart),
          UNIT(a_bucket_stands_before_the_host), UNIT(or_behind_it),
          UNIT(an_empty_variable_is_one_that_is_not_set))
