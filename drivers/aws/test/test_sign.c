/* Signatures, by the cases of AWS's own test suite for Signature Version 4 (aws-sig-v4-test-suite,
 * Apache-2.0): the request, and the signature that AWS computed for it. */
#include "../aws_sign.h"

#include <string.h>

#include "../aws_uri.h"
#include "unit.h"

#define STAMP "20150830T123600Z"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define LETTERS "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define LONG_TOKEN                                                                                        \
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYR" \
    "qTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp7" \
    "5YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9F" \
    "X9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="

struct vector {
    const char *name, *method, *path, *params[3][2];
    struct aws_header headers[4]; /* besides host and x-amz-date */
    const char *token, *body;     /* body: its hash is sent and signed */
    bool as_sent;
    const char *signature;
};

static const struct vector vectors[] = {
    {.name = "get-vanilla", .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "get-header-key-duplicate",
     .headers = {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}},
     .signature = "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
    {.name = "get-header-value-multiline",
     .headers = {{"My-Header1", "value1\n  value2\n     value3"}},
     .signature = "cfd34249e4b1c8d6b91ef74165d41a32e5fab3306300901bb65a51a73575eefd"},
    {.name = "get-header-value-order",
     .headers = {{"My-Header1", "value4"},
                 {"My-Header1", "value1"},
                 {"My-Header1", "value3"},
                 {"My-Header1", "value2"}},
     .signature = "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
    {.name = "get-header-value-trim",
     .headers = {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}},
     .signature = "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {.name = "get-relative-normalized",
     .path = "/example/..",
     .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "get-relative-relative-normalized",
     .path = "/example1/example2/../..",
     .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "get-relative-relative-unnormalized",
     .path = "/example1/example2/../..",
     .as_sent = true,
     .signature = "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b"},
    {.name = "get-relative-unnormalized",
     .path = "/example/..",
     .as_sent = true,
     .signature = "eca7ead57bb5aa5c8e28007acd4ff04e1ff9a0ff3b237ec1554a184887ff9282"},
    {.name = "get-slash-dot-slash-normalized",
     .path = "/./",
     .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "get-slash-dot-slash-unnormalized",
     .path = "/./",
     .as_sent = true,
     .signature = "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145"},
    {.name = "get-slash-normalized",
     .path = "//",
     .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "get-slash-pointless-dot-normalized",
     .path = "/./example",
     .signature = "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
    {.name = "get-slash-pointless-dot-unnormalized",
     .path = "/./example",
     .as_sent = true,
     .signature = "beb03f223f7deae4146464f06e29eebbee9c8afbe15c290cf07aa8b119e14cff"},
    {.name = "get-slash-unnormalized",
     .path = "//",
     .as_sent = true,
     .signature = "c88bcd3d312d75078c0cd961d6deae3f4c754924b01669efcfcb439fd5e5b76e"},
    {.name = "get-slashes-normalized",
     .path = "//example//",
     .signature = "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
    {.name = "get-slashes-unnormalized",
     .path = "//example//",
     .as_sent = true,
     .signature = "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5"},
    {.name = "get-space-normalized",
     .path = "/example space/",
     .signature = "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
    {.name = "get-space-unnormalized",
     .path = "/example%20space/",
     .as_sent = true,
     .signature = "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
    {.name = "get-unreserved",
     .path = "/" LETTERS,
     .signature = "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {.name = "get-utf8",
     .path = "/\xe1\x88\xb4",
     .signature = "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {.name = "get-vanilla-empty-query-key",
     .params = {{"Param1", "value1"}},
     .signature = "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
    {.name = "get-vanilla-query-order-encoded",
     .params = {{"Param-3", "Value3"}, {"Param", "Value2"}, {"\xe1\x88\xb4", "Value1"}},
     .signature = "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
    {.name = "get-vanilla-query-order-key-case",
     .params = {{"Param2", "value2"}, {"Param1", "value1"}},
     .signature = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {.name = "get-vanilla-query-unreserved",
     .params = {{LETTERS, LETTERS}},
     .signature = "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
    {.name = "get-vanilla-utf8-query",
     .params = {{"\xe1\x88\xb4", "bar"}},
     .signature = "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
    {.name = "get-vanilla-with-session-token",
     .token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267",
     .signature = "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
    {.name = "post-vanilla",
     .method = "POST",
     .signature = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {.name = "post-header-key-sort",
     .method = "POST",
     .headers = {{"My-Header1", "value1"}},
     .signature = "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
    {.name = "post-header-value-case",
     .method = "POST",
     .headers = {{"My-Header1", "VALUE1"}},
     .signature = "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
    {.name = "post-sts-header-before",
     .method = "POST",
     .token = LONG_TOKEN,
     .signature = "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
    {.name = "post-vanilla-query",
     .method = "POST",
     .params = {{"Param1", "value1"}},
     .signature = "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
    {.name = "post-x-www-form-urlencoded",
     .method = "POST",
     .headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Content-Length", "13"}},
     .body = "Param1=value1",
     .signature = "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"},
    {.name = "post-x-www-form-urlencoded-parameters",
     .method = "POST",
     .headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
                 {"Content-Length", "13"}},
     .body = "Param1=value1",
     .signature = "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422"},
};

static void sign_vector(struct aws_signer *signer, const struct vector *v, struct aws_text *out) {
    char id[] = "AKIDEXAMPLE", secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
         hash[AWS_HASH_HEX] = EMPTY;
    const struct aws_keys keys = {.id = id, .secret = secret};
    struct aws_header headers[8] = {{"Host", "example.amazonaws.com"}};
    struct aws_param params[3];
    struct aws_text query = {0};
    size_t n = 1, n_params = 0;
    for (size_t i = 0; i < 4 && v->headers[i].name; i++)
        headers[n++] = v->headers[i];
    headers[n++] = (struct aws_header){"X-Amz-Date", STAMP};
    if (v->token)
        headers[n++] = (struct aws_header){"X-Amz-Security-Token", v->token};
    if (v->body) {
        aws_hash_hex(hash, aws_bytes(v->body));
        headers[n++] = (struct aws_header){"x-amz-content-sha256", hash};
    }
    for (size_t i = 0; i < 3 && v->params[i][0]; i++)
        params[n_params++] = (struct aws_param){aws_bytes(v->params[i][0]), aws_bytes(v->params[i][1])};
    CU_ASSERT_TRUE(aws_uri_add_query(&query, params, n_params));
    const struct aws_to_sign r = {.method = v->method ? v->method : "GET",
                                  .path = v->path ? v->path : "/",
                                  .query = query.ptr,
                                  .headers = headers,
                                  .n_headers = n,
                                  .payload_hash = hash,
                                  .stamp = STAMP,
                                  .path_as_sent = v->as_sent};
    CU_ASSERT_TRUE(aws_sign(signer, &keys, &r, out));
    aws_text_done(&query);
}

static void signatures_are_those_that_aws_publishes(void) {
    struct aws_signer signer = {.region = "us-east-1", .service = "service"};
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct aws_text out = {0};
        sign_vector(&signer, &vectors[i], &out);
        const char *signature = out.ptr ? strstr(out.ptr, "Signature=") : NULL;
        const bool right = signature && strcmp(signature + 10, vectors[i].signature) == 0;
        if (!right)
            printf("%s: %s\n", vectors[i].name, aws_or_empty(out.ptr));
        CU_ASSERT_TRUE(right);
        aws_text_done(&out);
    }
}

static void the_header_names_key_scope_and_headers(void) {
    struct aws_signer signer = {.region = "us-east-1", .service = "service"};
    struct aws_text out = {0};
    sign_vector(&signer, &vectors[0], &out);
    CU_ASSERT_STRING_EQUAL(out.ptr,
                           "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                           "SignedHeaders=host;x-amz-date, Signature="
                           "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    aws_text_done(&out);
}

/* A day's key must not sign another day, nor outlive the secret that it came from: what a signer that has
 * signed before says is what a new one says. */
static void the_derived_key_is_made_anew_for_another_day_and_another_secret(void) {
    static const char *const stamps[] = {"20150830T000000Z", "20150831T000000Z", "20150831T000000Z",
                                         "20150830T000000Z"};
    char id[] = "AKID", one[] = "one", two[] = "two";
    char *const secrets[] = {one, one, two, two};
    const struct aws_header headers[] = {{"host", "h"}, {"x-amz-date", STAMP}};
    struct aws_to_sign r = {
        .method = "GET", .path = "/", .headers = headers, .n_headers = 2, .payload_hash = EMPTY};
    struct aws_signer used = {.region = "us-east-1", .service = "service"};
    for (size_t i = 0; i < 4; i++) {
        struct aws_signer fresh = {.region = "us-east-1", .service = "service"};
        const struct aws_keys keys = {.id = id, .secret = secrets[i]};
        struct aws_text by_used = {0}, by_fresh = {0};
        r.stamp = stamps[i];
        if (i > 0 && secrets[i] != secrets[i - 1])
            aws_signer_forget(&used);
        CU_ASSERT_TRUE(aws_sign(&used, &keys, &r, &by_used));
        CU_ASSERT_TRUE(aws_sign(&fresh, &keys, &r, &by_fresh));
        CU_ASSERT_STRING_EQUAL(by_used.ptr, by_fresh.ptr);
        aws_text_done(&by_used);
        aws_text_done(&by_fresh);
    }
}

static void too_many_headers_are_refused(void) {
    struct aws_signer signer = {.region = "us-east-1", .service = "service"};
    struct aws_header headers[AWS_MOST_HEADERS + 1];
    char id[] = "a", secret[] = "b";
    struct aws_text out = {0};
    for (size_t i = 0; i <= AWS_MOST_HEADERS; i++)
        headers[i] = (struct aws_header){"x", "y"};
    const struct aws_to_sign r = {.method = "GET",
                                  .path = "/",
                                  .headers = headers,
                                  .n_headers = AWS_MOST_HEADERS + 1,
                                  .payload_hash = EMPTY,
                                  .stamp = STAMP};
    CU_ASSERT_FALSE(aws_sign(&signer, &(struct aws_keys){.id = id, .secret = secret}, &r, &out));
    aws_text_done(&out);
}

UNIT_MAIN("aws sign", UNIT(signatures_are_those_that_aws_publishes),
          UNIT(the_header_names_key_scope_and_headers),
          UNIT(the_derived_key_is_made_anew_for_another_day_and_another_secret),
          UNIT(too_many_headers_are_refused))
