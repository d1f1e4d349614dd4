/* Requests that are signed with credentials from everywhere, against servers that verify and hand out. */
#include "../aws_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../aws_http.h"
#include "../aws_json.h"
#include "../aws_uri.h"
#include "rig.h"
#include "unit.h"

#define NOW_MS INT64_C(1767323045000) /* of server.js as well */
#define MINUTE_MS INT64_C(60000)

enum { MB = 1 << 20 };

static struct aws_client *client;
static struct aws_settings settings;
static const char *bucket;
static enum aws_addressing addressing;
static int64_t now_ms;
static uint64_t deadline_ns;
static char error[LARDER_ERROR_SIZE];

struct got {
    int n;
    int32_t status, http_status;
    char code[64], detail[256], body[2048];
};

static void on_done(void *arg, const struct aws_answer *answer) {
    struct got *got = arg;
    got->n++;
    got->status = answer->status;
    got->http_status = answer->http_status;
    snprintf(got->code, sizeof(got->code), "%s", answer->code);
    aws_one_line(got->detail, sizeof(got->detail), aws_bytes(aws_or_empty(answer->detail)));
    aws_one_line(got->body, sizeof(got->body), (struct larder_bytes){answer->body.ptr, answer->body.len});
    CU_ASSERT_EQUAL(answer->status == LARDER_OK, answer->detail == NULL);
}

/* Settings and environment as a test wants them, before open_client(). */
static void begin(void) {
    static char endpoint[96];
    rig_begin();
    snprintf(endpoint, sizeof(endpoint), "http://%s", rig_server("http"));
    settings = (struct aws_settings){.endpoint = endpoint, .connections = 8, .connect_timeout_ms = 5000};
    now_ms = NOW_MS;
    deadline_ns = UINT64_MAX;
    client = NULL;
    bucket = NULL;
    addressing = AWS_ADDRESS_AUTO;
    rig_set(AWS_VAR_HOME, rig_folder());
    rig_set(AWS_VAR_REGION, "eu-west-1");
}

static void open_client(const char *service) {
    const struct aws_client_options options = {.host = &rig_host,
                                               .home = &rig_home,
                                               .settings = &settings,
                                               .service = service,
                                               .is_s3 = strcmp(service, "s3") == 0,
                                               .bucket = bucket,
                                               .addressing = addressing,
                                               .environment = &rig_environment};
    CU_ASSERT_EQUAL_FATAL(aws_client_new(&options, &client, error), LARDER_OK);
}

static void end(void) {
    aws_client_free(client);
    rig_end();
}

static struct aws_call *ask(struct got *got, struct aws_request request) {
    struct aws_call *call = NULL;
    *got = (struct got){0};
    request.now_ms = now_ms;
    request.deadline_ns = deadline_ns;
    request.max_body = MB;
    CU_ASSERT_EQUAL_FATAL(aws_client_send(client, &request, on_done, got, &call), LARDER_OK);
    CU_ASSERT_EQUAL(got->n, 0);
    return call;
}

static void send(struct got *got, struct aws_request request) {
    ask(got, request);
    rig_run(&got->n, 1);
}

static const struct aws_request simple = {.method = "POST", .path = "/"};

static void expect_ok(void) {
    struct got got;
    send(&got, simple);
    if (got.status != LARDER_OK)
        printf("%d %s\n", got.status, got.detail);
    CU_ASSERT_EQUAL(got.status, LARDER_OK);
    CU_ASSERT_EQUAL(got.http_status, 200);
}

static void expect_failure(int32_t status, const char *detail) {
    struct got got;
    send(&got, simple);
    if (got.status != status || !strstr(got.detail, detail))
        printf("%d %s\n", got.status, got.detail);
    CU_ASSERT_EQUAL(got.status, status);
    CU_ASSERT_PTR_NOT_NULL(strstr(got.detail, detail));
}

/* ---- the server's state, by a client of its own ---------------------------------------------------------- */

static void on_plain(void *arg, const struct aws_http_answer *answer) {
    struct got *got = arg;
    got->n++;
    aws_one_line(got->body, sizeof(got->body), (struct larder_bytes){answer->body.ptr, answer->body.len});
    CU_ASSERT_EQUAL(answer->code, 200);
}

static void plain(struct got *got, const char *path, const char *body) {
    char url[128];
    struct aws_environment none = {0};
    struct aws_http *http = aws_http_new(&(struct aws_http_options){.host = &rig_host,
                                                                    .home = &rig_home,
                                                                    .environment = &none,
                                                                    .max_connections = 1,
                                                                    .connect_timeout_ms = 5000,
                                                                    .longest_ms = 60000});
    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    *got = (struct got){0};
    snprintf(url, sizeof(url), "http://%s%s", rig_server("http"), path);
    const struct aws_http_request request = {
        .method = "POST", .url = url, .body = aws_bytes(body), .deadline_ns = UINT64_MAX, .max_body = MB};
    CU_ASSERT_EQUAL(aws_http_send(http, &request, on_plain, got, NULL), LARDER_OK);
    rig_run(&got->n, 1);
    aws_http_free(http);
}

/* See set() of credentials.js. */
static void server_is(const char *json) {
    struct got got;
    plain(&got, "/set", json);
}

static long stat_of(const char *name) {
    struct got got;
    struct aws_text text = {0};
    plain(&got, "/stats", "");
    aws_json_member(aws_bytes(got.body), name, &text);
    const long value = strtol(aws_or_empty(text.ptr), NULL, 10);
    aws_text_done(&text);
    return value;
}

static void use_keys(void) {
    settings.access_key = "AKIDEXAMPLE";
    settings.secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
}

static void use_container(void) {
    char url[96];
    snprintf(url, sizeof(url), "http://%s/v2/credentials/x", rig_server("http"));
    rig_set(AWS_VAR_CONTAINER_FULL_URI, url);
}

static void use_imds(void) {
    char url[96];
    snprintf(url, sizeof(url), "http://%s/", rig_server("http"));
    rig_set(AWS_VAR_IMDS_ENDPOINT, url);
}

static void use_sts(void) {
    char url[96];
    snprintf(url, sizeof(url), "http://%s/sts", rig_server("http"));
    rig_set(AWS_VAR_ENDPOINT_URL_STS, url);
}

static void use_profile(const char *config) {
    rig_set(AWS_VAR_CONFIG_FILE, rig_file("config", config));
    rig_set(AWS_VAR_PROFILE, "p");
}

/* ---- signatures ------------------------------------------------------------------------------------------------ */

static void a_post_is_verified(void) {
    const struct aws_header headers[] = {{"x-amz-target", "DynamoDB_20120810.GetItem"},
                                         {"content-type", "application/x-amz-json-1.0"}};
    struct got got;
    begin();
    server_is("{}");
    use_keys();
    open_client("dynamodb");
    send(&got, (struct aws_request){.method = "POST",
                                    .path = "/",
                                    .headers = headers,
                                    .n_headers = 2,
                                    .body = aws_bytes("{\"a\":1}")});
    CU_ASSERT_EQUAL(got.status, LARDER_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(got.body, "\"region\":\"eu-west-1\",\"service\":\"dynamodb\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(got.body, "\"length\":7"));
    send(&got, (struct aws_request){.method = "GET",
                                    .path = "/a%20b/./c//d/../e/"}); /* encoded once more, normalized */
    CU_ASSERT_EQUAL(got.status, LARDER_OK);
    end();
}

/* Each byte in a key and in a query of S3, each method, each way to say what the payload is. */
static void keys_and_queries_of_s3_are_verified(void) {
    static const char *const keys[] = {"a b+c",       "x/../y",    "//a",     "[id]/%5B",
                                       "caf\xc3\xa9", "a?b#c&d=e", "./~!*'()"};
    struct got got;
    begin();
    server_is("{}");
    use_keys();
    open_client("s3");
    for (unsigned c = 0; c < 256 + 7; c++) {
        const uint8_t bytes[] = {'k', (uint8_t)c, 'z'};
        const struct larder_bytes key = c < 256 ? (struct larder_bytes){bytes, 3} : aws_bytes(keys[c - 256]);
        const struct aws_param params[] = {
            {aws_bytes("prefix"), key}, {aws_bytes("list-type"), aws_bytes("2")}, {key, key}};
        struct aws_text path = {0}, query = {0};
        aws_text_adds(&path, "/bucket/");
        aws_uri_add_path(&path, key);
        CU_ASSERT_TRUE(aws_uri_add_query(&query, params, 3));
        send(&got,
             (struct aws_request){.method = c % 2 ? "GET" : "DELETE", .path = path.ptr, .query = query.ptr});
        if (got.status != LARDER_OK)
            printf("byte %u: %s\n", c, got.body);
        CU_ASSERT_EQUAL(got.status, LARDER_OK);
        aws_text_done(&path);
        aws_text_done(&query);
    }
    send(&got, (struct aws_request){.method = "PUT", .path = "/b/k", .body = aws_bytes("value")});
    CU_ASSERT_EQUAL(got.status, LARDER_OK);
    send(&got, (struct aws_request){.method = "PUT",
                                    .path = "/b/k",
                                    .body = aws_bytes("value"),
                                    .payload_hash = "UNSIGNED-PAYLOAD"});
    CU_ASSERT_EQUAL(got.status, LARDER_OK);
    send(&got, (struct aws_request){
                   .method = "PUT",
                   .path = "/b/k",
                   .body = aws_bytes("value"),
                   .payload_hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"});
    CU_ASSERT_STRING_EQUAL(got.code, "XAmzContentSHA256Mismatch"); /* that the server does look */
    end();
}

/* What the verifier was asked for. */
static void expect_path(const char *path) {
    char wanted[64];
    struct got got;
    snprintf(wanted, sizeof(wanted), "\"path\":\"%s\"", path);
    send(&got, (struct aws_request){.method = "GET", .path = "/k"});
    CU_ASSERT_EQUAL(got.status, LARDER_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(got.body, wanted));
}

/* At AWS it is in the host, which is looked up here in vain: what matters is the name. */
static void expect_host(const char *host) {
    struct got got;
    deadline_ns = rig_host.now_ns() + UINT64_C(20000000000);
    rig_set(AWS_VAR_HTTPS_PROXY, "http://127.0.0.1:1");
    settings.endpoint = "";
    open_client("s3");
    send(&got, (struct aws_request){.method = "GET", .path = "/k"});
    CU_ASSERT_NOT_EQUAL(got.status, LARDER_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(got.detail, host));
    end();
}

static void a_bucket_is_in_the_path_where_the_endpoint_is_somebodys_own(void) {
    begin();
    server_is("{}");
    use_keys();
    bucket = "a-bucket";
    open_client("s3");
    expect_path("/a-bucket/k");
    end();
}

static void a_bucket_is_in_the_host_at_aws_unless_it_has_a_dot(void) {
    begin();
    use_keys();
    bucket = "a-bucket";
    expect_host("a-bucket.s3.eu-west-1.amazonaws.com");
    begin();
    use_keys();
    bucket = "a.bucket";
    expect_host("s3.eu-west-1.amazonaws.com");
    begin();
    use_keys();
    bucket = "a.bucket";
    addressing = AWS_ADDRESS_VIRTUAL;
    expect_host("a.bucket.s3.eu-west-1.amazonaws.com");
}

/* All that are under way learn of it, and whoever comes later knows. */
static void a_bucket_of_another_region_is_asked_there_from_then_on(void) {
    enum { CALLS = 5 };
    struct got got[CALLS];
    bool is_own;
    begin();
    server_is("{\"region\":\"ap-south-1\"}");
    use_keys();
    bucket = "elsewhere";
    open_client("s3");
    CU_ASSERT_PTR_NULL(aws_client_region(client, &is_own));
    const long before = stat_of("elsewhere");
    for (size_t i = 0; i < CALLS; i++)
        ask(&got[i], (struct aws_request){.method = i % 2 ? "HEAD" : "GET", .path = "/k"});
    for (size_t i = 0; i < CALLS; i++) {
        rig_run(&got[i].n, 1);
        CU_ASSERT_EQUAL(got[i].status, LARDER_OK);
    }
    const long told = stat_of("elsewhere");
    CU_ASSERT(told > before && told <= before + CALLS);
    expect_path("/elsewhere/k");
    CU_ASSERT_EQUAL(stat_of("elsewhere"), told);
    CU_ASSERT_STRING_EQUAL(aws_client_region(client, &is_own), "ap-south-1");
    CU_ASSERT_FALSE(is_own);
    end();
}

static void a_region_that_is_no_name_of_one_is_not_believed(void) {
    struct got got;
    begin();
    server_is("{\"region\":\"evil/../x\"}");
    use_keys();
    bucket = "elsewhere";
    open_client("s3");
    send(&got, (struct aws_request){.method = "GET", .path = "/k"});
    CU_ASSERT_EQUAL(got.status, LARDER_INVALID);
    CU_ASSERT_STRING_EQUAL(got.code, "AuthorizationHeaderMalformed");
    end();
}

static void a_wrong_secret_is_denied_without_telling_it(void) {
    begin();
    server_is("{}");
    use_keys();
    settings.secret_key = "wrong-SECRET";
    open_client("s3");
    expect_failure(LARDER_DENIED, "SignatureDoesNotMatch");
    end();
}

/* The second request knows: it is sent once. */
static void a_clock_that_is_wrong_is_set_by_the_answer(void) {
    begin();
    server_is("{}");
    use_keys();
    open_client("s3");
    now_ms = NOW_MS - 60 * MINUTE_MS;
    const long before = stat_of("requests");
    expect_ok();
    const long between = stat_of("requests");
    expect_ok();
    CU_ASSERT_EQUAL(between - before, 3); /* refused, repeated, and the question */
    CU_ASSERT_EQUAL(stat_of("requests") - between, 2);
    end();
}

/* ---- sources ----------------------------------------------------------------------------------------------------- */

static void a_container_gives_keys_for_its_token(void) {
    begin();
    server_is("{\"auth\":\"Bearer abc\"}");
    use_container();
    rig_set(AWS_VAR_CONTAINER_TOKEN, "wrong");
    rig_set(AWS_VAR_CONTAINER_TOKEN_FILE, rig_file("token", "Bearer abc\n"));
    open_client("s3");
    expect_ok();
    end();

    begin();
    server_is("{\"auth\":\"Bearer abc\"}");
    use_container();
    rig_set(AWS_VAR_CONTAINER_TOKEN, "wrong");
    open_client("s3");
    expect_failure(LARDER_DENIED, "AWS_CONTAINER_CREDENTIALS_*");
    end();

    begin();
    use_container();
    rig_set(AWS_VAR_CONTAINER_TOKEN_FILE, "/nowhere");
    open_client("s3");
    expect_failure(LARDER_DENIED, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    end();
}

static void an_instance_gives_keys_and_region_for_a_token(void) {
    struct got got;
    begin();
    server_is("{}");
    use_imds();
    rig_set(AWS_VAR_REGION, NULL);
    open_client("dynamodb");
    send(&got, simple);
    CU_ASSERT_PTR_NOT_NULL(strstr(got.body, "\"region\":\"ap-south-1\""));
    CU_ASSERT_EQUAL(stat_of("token"), 1);
    CU_ASSERT_EQUAL(stat_of("imds"), 3);
    end();
}

static void the_first_version_of_metadata_is_used_where_that_is_allowed_alone(void) {
    begin();
    server_is("{\"fail\":{\"token\":403},\"v1\":true}");
    use_imds();
    open_client("s3");
    expect_failure(LARDER_DENIED, "metadata service");
    CU_ASSERT_EQUAL(stat_of("imds"), 0);
    end();

    begin();
    use_imds();
    rig_set(AWS_VAR_IMDS_V1_DISABLED, "false");
    open_client("s3");
    expect_ok();
    end();
}

static void a_machine_that_is_no_instance_is_told_what_to_set(void) {
    begin();
    rig_set(AWS_VAR_IMDS_ENDPOINT, "http://127.0.0.1:1");
    open_client("s3");
    expect_failure(LARDER_RETRY, "Not on EC2? Set AWS_ACCESS_KEY_ID");
    end();
}

static void a_web_identity_gives_keys_and_is_read_anew(void) {
    begin();
    server_is("{}");
    use_sts();
    rig_set(AWS_VAR_WEB_IDENTITY_TOKEN_FILE, rig_file("jwt", "a.web/identity+token\n"));
    rig_set(AWS_VAR_ROLE_ARN, "arn:aws:iam::123456789012:role/web");
    open_client("s3");
    expect_ok();
    rig_file("jwt", "another");
    server_is("{\"expire\":true}");
    expect_failure(LARDER_DENIED, "InvalidIdentityToken");
    CU_ASSERT_EQUAL(stat_of("AssumeRoleWithWebIdentity"), 2);
    end();
}

static void roles_are_assumed_one_with_the_other(void) {
    begin();
    server_is("{}");
    use_sts();
    use_profile(
        "[profile p]\nrole_arn=arn:aws:iam::123456789012:role/a\nsource_profile=q\nexternal_id=a b\n"
        "[profile q]\nrole_arn=arn:aws:iam::123456789012:role/b\nsource_profile=r\nduration_seconds=900\n"
        "[profile r]\naws_access_key_id=AKIDEXAMPLE\n"
        "aws_secret_access_key=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\n");
    open_client("dynamodb");
    expect_ok();
    CU_ASSERT_EQUAL(stat_of("AssumeRole"), 2);
    end();
}

static void a_process_gives_keys(void) {
    begin();
    server_is("{}");
    use_profile(
        "[profile p]\ncredential_process = printf '{\"Version\": 1, \"AccessKeyId\": \"AKIDEXAMPLE\", "
        "\"SecretAccessKey\": \"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\"}'\n");
    open_client("s3");
    expect_ok();
    end();
}

static void a_process_that_fails_is_named(void) {
    static const char *const cases[][2] = {
        {"exit 3", "status 3"},
        {"echo '{}'", "\"Version\": 1"},
        {"/nowhere/at/all", "status 127"},
        {"printf '{\"Version\":1,\"AccessKeyId\":\"a\"}'", "SecretAccessKey"},
        {"printf '{\"Version\":1,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\","
         "\"Expiration\":\"2020-01-01T00:00:00Z\"}'",
         "expired already"},
        {"kill -9 $$", "cannot be run"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char config[256];
        begin();
        snprintf(config, sizeof(config), "[profile p]\ncredential_process = %s\n", cases[i][0]);
        use_profile(config);
        open_client("s3");
        expect_failure(i >= 4 ? LARDER_RETRY : LARDER_DENIED, cases[i][1]);
        end();
    }
}

/* The pool must be free again when an instance is closed. */
static void a_process_that_hangs_ends_with_the_instance(void) {
    char config[256], started[128];
    struct got got;
    begin();
    snprintf(started, sizeof(started), "%s/started", rig_folder());
    snprintf(config, sizeof(config), "[profile p]\ncredential_process = touch %s; sleep 1000\n", started);
    use_profile(config);
    open_client("s3");
    ask(&got, simple);
    rig_run_until_file(started);
    const time_t before_s = time(NULL);
    end(); /* joins the pool's threads */
    CU_ASSERT_EQUAL(got.n, 0);
    CU_ASSERT_TRUE(time(NULL) - before_s < 50); /* and not at the limit that a process has anyway */
}

static void without_region_and_endpoint_there_is_no_service(void) {
    begin();
    use_keys();
    rig_set(AWS_VAR_REGION, NULL);
    settings.endpoint = "";
    open_client("dynamodb");
    expect_failure(LARDER_INVALID, "AWS_REGION");
    end();
}

static void a_wrong_endpoint_is_told_at_once(void) {
    begin();
    settings.endpoint = "127.0.0.1:8000";
    const struct aws_client_options options = {.host = &rig_host,
                                               .home = &rig_home,
                                               .settings = &settings,
                                               .service = "dynamodb",
                                               .environment = &rig_environment};
    CU_ASSERT_EQUAL(aws_client_new(&options, &client, error), LARDER_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "http://"));
    end();
}

/* ---- their life --------------------------------------------------------------------------------------------------- */

static void many_requests_ask_for_keys_once(void) {
    struct got got[20];
    begin();
    server_is("{\"delay\":20}");
    use_container();
    open_client("s3");
    for (size_t i = 0; i < 20; i++)
        ask(&got[i], simple);
    for (size_t i = 0; i < 20; i++) {
        rig_run(&got[i].n, 1);
        CU_ASSERT_EQUAL(got[i].status, LARDER_OK);
    }
    CU_ASSERT_EQUAL(stat_of("container"), 1);
    end();
}

static void pass_minutes(int64_t minutes) {
    const int64_t ms = minutes * MINUTE_MS;
    char json[64];
    now_ms += ms;
    rig_pass_ms((uint64_t)ms);
    snprintf(json, sizeof(json), "{\"pass\":%" PRId64 "}", ms);
    server_is(json);
}

/* What goes on in the background is done. */
static void wait_for_asked(long times) {
    long asked = 0;
    for (int i = 0; i < 100000 && asked < times; i++)
        asked = stat_of("container");
    CU_ASSERT_EQUAL(asked, times);
}

/* Of an hour's life: not after 53 minutes, but after 56; and nobody waits for it, or the delay of the
 * server would be noticed at the deadline. */
static void keys_are_replaced_before_they_expire(void) {
    struct got got;
    begin();
    server_is("{\"life\":3600}");
    use_container();
    open_client("s3");
    expect_ok();
    pass_minutes(53);
    expect_ok();
    CU_ASSERT_EQUAL(stat_of("container"), 1);
    pass_minutes(3);
    ask(&got, simple);
    CU_ASSERT_EQUAL(got.n, 0);
    rig_run(&got.n, 1);
    CU_ASSERT_EQUAL(got.status, LARDER_OK);
    wait_for_asked(2);
    pass_minutes(10); /* the first ones have expired, and nothing needs to be asked for */
    expect_ok();
    CU_ASSERT_EQUAL(stat_of("container"), 2);
    end();
}

static void expired_keys_are_not_used(void) {
    begin();
    server_is("{\"life\":3600}");
    use_container();
    open_client("s3");
    expect_ok();
    pass_minutes(61);
    expect_ok();
    CU_ASSERT_EQUAL(stat_of("container"), 2);
    end();
}

static void keys_that_are_good_outlive_a_source_that_is_not(void) {
    begin();
    server_is("{\"life\":3600}");
    use_container();
    open_client("s3");
    expect_ok();
    server_is("{\"failing\":{\"container\":500}}");
    pass_minutes(57);
    expect_ok();
    wait_for_asked(2);
    expect_ok();
    pass_minutes(4);
    expect_failure(LARDER_RETRY, "HTTP 500");
    server_is("{\"failing\":{}}");
    rig_pass_ms(1100); /* a failure is not asked about again for a second */
    expect_ok();
    end();
}

static void keys_that_are_refused_are_replaced_once(void) {
    begin();
    server_is("{}");
    use_container();
    open_client("s3");
    expect_ok();
    server_is("{\"expire\":true}");
    expect_ok();
    CU_ASSERT_EQUAL(stat_of("container"), 2);
    server_is("{\"expire\":true}");
    expect_failure(LARDER_DENIED, "ExpiredToken"); /* again so soon: a storm is no cure */
    CU_ASSERT_EQUAL(stat_of("container"), 2);
    rig_pass_ms(6000);
    expect_ok();
    CU_ASSERT_EQUAL(stat_of("container"), 3);
    end();
}

static void a_failure_answers_everybody_who_waits(void) {
    struct got got[5];
    begin();
    server_is("{\"fail\":{\"container\":503},\"delay\":20}");
    use_container();
    open_client("s3");
    for (size_t i = 0; i < 5; i++)
        ask(&got[i], simple);
    for (size_t i = 0; i < 5; i++) {
        rig_run(&got[i].n, 1);
        CU_ASSERT_EQUAL(got[i].status, LARDER_RETRY);
        CU_ASSERT_PTR_NOT_NULL(strstr(got[i].detail, "container's endpoint"));
    }
    expect_failure(LARDER_RETRY, "HTTP 503");
    CU_ASSERT_EQUAL(stat_of("container"), 1);
    end();
}

static void a_request_waits_for_keys_until_its_deadline(void) {
    begin();
    server_is("{\"delay\":500}");
    use_container();
    open_client("s3");
    deadline_ns = rig_host.now_ns() + UINT64_C(50000000);
    expect_failure(LARDER_DEADLINE, "credentials");
    deadline_ns = UINT64_MAX;
    expect_ok(); /* the attempt went on */
    CU_ASSERT_EQUAL(stat_of("container"), 1);
    end();
}

static void closing_while_keys_are_asked_for_leaves_nothing(void) {
    struct got got[3];
    begin();
    server_is("{\"delay\":500}");
    use_container();
    open_client("s3");
    ask(&got[0], simple);
    aws_client_cancel(ask(&got[1], simple));
    rig_settle();
    end();
    CU_ASSERT_EQUAL(got[0].n + got[1].n, 0);

    begin();
    use_keys();
    open_client("s3");
    struct aws_call *call = ask(&got[0], (struct aws_request){.method = "GET", .path = "/hang"});
    ask(&got[1], (struct aws_request){.method = "GET", .path = "/hang"});
    ask(&got[2], (struct aws_request){.method = "GET", .path = "/bytes/5"});
    rig_run(&got[2].n, 1);
    aws_client_cancel(call);
    end();
    CU_ASSERT_EQUAL(got[0].n + got[1].n, 0);
}

static void too_many_headers_are_refused(void) {
    struct aws_header headers[60];
    begin();
    use_keys();
    open_client("s3");
    for (size_t i = 0; i < 60; i++)
        headers[i] = (struct aws_header){"x-a", "b"};
    const struct aws_request request = {.method = "GET", .path = "/", .headers = headers, .n_headers = 60};
    CU_ASSERT_EQUAL(aws_client_send(client, &request, on_done, NULL, NULL), LARDER_INVALID);
    end();
}

int main(void) {
    static const struct unit_test tests[] = {
        UNIT(a_post_is_verified),
        UNIT(keys_and_queries_of_s3_are_verified),
        UNIT(a_bucket_is_in_the_path_where_the_endpoint_is_somebodys_own),
        UNIT(a_bucket_is_in_the_host_at_aws_unless_it_has_a_dot),
        UNIT(a_bucket_of_another_region_is_asked_there_from_then_on),
        UNIT(a_region_that_is_no_name_of_one_is_not_believed),
        UNIT(a_wrong_secret_is_denied_without_telling_it),
        UNIT(a_clock_that_is_wrong_is_set_by_the_answer),
        UNIT(a_container_gives_keys_for_its_token),
        UNIT(an_instance_gives_keys_and_region_for_a_token),
        UNIT(the_first_version_of_metadata_is_used_where_that_is_allowed_alone),
        UNIT(a_machine_that_is_no_instance_is_told_what_to_set),
        UNIT(a_web_identity_gives_keys_and_is_read_anew),
        UNIT(roles_are_assumed_one_with_the_other),
        UNIT(a_process_gives_keys),
        UNIT(a_process_that_fails_is_named),
        UNIT(a_process_that_hangs_ends_with_the_instance),
        UNIT(without_region_and_endpoint_there_is_no_service),
        UNIT(a_wrong_endpoint_is_told_at_once),
        UNIT(many_requests_ask_for_keys_once),
        UNIT(keys_are_replaced_before_they_expire),
        UNIT(expired_keys_are_not_used),
        UNIT(keys_that_are_good_outlive_a_source_that_is_not),
        UNIT(keys_that_are_refused_are_replaced_once),
        UNIT(a_failure_answers_everybody_who_waits),
        UNIT(a_request_waits_for_keys_until_its_deadline),
        UNIT(closing_while_keys_are_asked_for_leaves_nothing),
        UNIT(too_many_headers_are_refused)};
    return rig_main(unit_main("aws client", tests, sizeof(tests) / sizeof(tests[0])));
}
