/* Requests and what can become of them, against the server of server.js. */
#include "../aws_http.h"

#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../aws_error.h"
#include "../aws_json.h"
#include "rig.h"
#include "unit.h"

enum { MB = 1 << 20 };

static struct aws_http *http;
static uint64_t deadline_ns = UINT64_MAX;

struct got { /* an answer, kept */
    int n;   /* how often done was called */
    int32_t status, code;
    struct larder_slice body;
    char headers[1024], detail[256];
};

static void on_done(void *arg, const struct aws_http_answer *answer) {
    struct got *got = arg;
    got->n++;
    got->status = answer->status;
    got->code = answer->code;
    got->body = answer->body;
    if (got->body.owner)
        rig_host.buf_ref(got->body.owner);
    aws_one_line(got->headers, sizeof(got->headers), answer->headers);
    aws_one_line(got->detail, sizeof(got->detail), aws_bytes(aws_or_empty(answer->detail)));
    CU_ASSERT_EQUAL(answer->status == LARDER_OK, answer->detail == NULL);
}

static void got_done(struct got *got) {
    rig_host.buf_unref(got->body.owner);
    got->body = (struct larder_slice){0};
}

static void begin(const char *ca_file, uint32_t max_connections, uint32_t longest_ms) {
    rig_begin();
    http = aws_http_new(&(struct aws_http_options){.host = &rig_host,
                                                   .home = &rig_home,
                                                   .environment = &rig_environment,
                                                   .ca_file = ca_file,
                                                   .max_connections = max_connections,
                                                   .connect_timeout_ms = 5000,
                                                   .longest_ms = longest_ms});
    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    deadline_ns = UINT64_MAX;
}

static void end(void) {
    aws_http_free(http);
    rig_end();
}

static char *url_of(const char *which, const char *path) {
    static char url[4][256];
    static unsigned turn;
    char *out = url[turn++ % 4];
    snprintf(out, sizeof(url[0]), "%s://%s%s", strcmp(which, "https") == 0 ? "https" : "http",
             rig_server(which), path);
    return out;
}

static struct aws_http_call *ask(struct got *got, const char *method, const char *path,
                                 struct larder_bytes body) {
    const struct aws_header headers[] = {{"x-one", "1"}, {"content-type", "text/x-test"}};
    struct aws_http_call *call = NULL;
    *got = (struct got){0};
    const struct aws_http_request request = {.method = method,
                                             .url = strstr(path, "://") ? path : url_of("http", path),
                                             .headers = headers,
                                             .n_headers = 2,
                                             .body = body,
                                             .deadline_ns = deadline_ns,
                                             .max_body = (size_t)32 * MB};
    CU_ASSERT_EQUAL_FATAL(aws_http_send(http, &request, on_done, got, &call), LARDER_OK);
    CU_ASSERT_EQUAL(got->n, 0); /* never inside the call */
    return call;
}

static void get(struct got *got, const char *path) {
    ask(got, "GET", path, (struct larder_bytes){0});
    rig_run(&got->n, 1);
}

/* A member of an answer in JSON; good until the next call. */
static const char *member(const struct got *got, const char *name) {
    static struct aws_text text;
    aws_text_done(&text);
    aws_json_member((struct larder_bytes){got->body.ptr, got->body.len}, name, &text);
    static char out[4096];
    snprintf(out, sizeof(out), "%s", aws_or_empty(text.ptr));
    aws_text_done(&text);
    return out;
}

static long stat_of(const char *name) {
    struct got got;
    get(&got, "/stats");
    const long value = strtol(member(&got, name), NULL, 10);
    got_done(&got);
    return value;
}

static bool is_pattern(const struct larder_slice *body, size_t len) {
    bool ok = body->len == len;
    for (size_t i = 0; ok && i < len; i++)
        ok = body->ptr[i] == (uint8_t)(i * 7 + (i >> 8));
    return ok;
}

static void a_request_arrives_as_it_was_given(void) {
    static const char *const methods[] = {"POST", "PUT", "DELETE", "GET", "POST"};
    struct got got;
    begin(NULL, 4, 60000);
    for (size_t i = 0; i < 5; i++) {
        const bool has_body = i < 2;
        ask(&got, methods[i], "/echo/a%20b/../c?x=%2F",
            has_body ? aws_bytes("hello") : (struct larder_bytes){0});
        rig_run(&got.n, 1);
        CU_ASSERT_EQUAL(got.code, 200);
        CU_ASSERT_STRING_EQUAL(member(&got, "method"), methods[i]);
        CU_ASSERT_STRING_EQUAL(member(&got, "url"), "/echo/a%20b/../c?x=%2F");
        CU_ASSERT_STRING_EQUAL(member(&got, "length"), has_body ? "5" : "0");
        const char *headers = member(&got, "headers");
        CU_ASSERT_PTR_NOT_NULL(strstr(headers, "\"x-one\":\"1\""));
        CU_ASSERT_PTR_NOT_NULL(strstr(headers, "\"content-type\":\"text/x-test\""));
        CU_ASSERT_PTR_NULL(strstr(headers, "\"accept\""));
        CU_ASSERT_PTR_NULL(strstr(headers, "\"expect\""));
        got_done(&got);
    }
    end();
}

static void a_connection_is_used_again(void) {
    struct got got;
    begin(NULL, 4, 60000);
    const long before = stat_of("connections");
    for (int i = 0; i < 20; i++) {
        get(&got, "/bytes/1000");
        CU_ASSERT_TRUE(is_pattern(&got.body, 1000));
        got_done(&got);
    }
    CU_ASSERT_EQUAL(stat_of("connections"), before);
    end();
}

static void no_more_connections_than_allowed(void) {
    struct got got[50];
    int n = 0;
    begin(NULL, 3, 60000);
    const long before = stat_of("connections");
    for (size_t i = 0; i < 50; i++)
        ask(&got[i], "GET", "/bytes/100000", (struct larder_bytes){0});
    for (size_t i = 0; i < 50; i++) {
        rig_run(&got[i].n, 1);
        n += is_pattern(&got[i].body, 100000);
        got_done(&got[i]);
    }
    CU_ASSERT_EQUAL(n, 50);
    CU_ASSERT_EQUAL(stat_of("connections"), before + 2);
    end();
}

/* Between the answer and the next request, and in the moment of the next request. */
static void a_server_that_hangs_up_costs_no_request(void) {
    struct got got;
    begin(NULL, 1, 60000);
    for (int i = 0; i < 5; i++) {
        get(&got, "/leave");
        CU_ASSERT_EQUAL(got.status, LARDER_OK);
        got_done(&got);
        rig_settle();
    }
    for (int i = 0; i < 5; i++) {
        ask(&got, "POST", "/stale", aws_bytes("body"));
        rig_run(&got.n, 1);
        CU_ASSERT_EQUAL(got.status, LARDER_OK);
        CU_ASSERT_EQUAL(got.code, 200);
        got_done(&got);
    }
    end();
}

static void large_answers_come_whole_with_and_without_a_length(void) {
    struct got got[2];
    begin(NULL, 4, 60000);
    ask(&got[0], "GET", "/bytes/20000000", (struct larder_bytes){0});
    ask(&got[1], "GET", "/chunked/3000000", (struct larder_bytes){0});
    rig_run(&got[0].n, 1);
    rig_run(&got[1].n, 1);
    CU_ASSERT_TRUE(is_pattern(&got[0].body, 20000000));
    CU_ASSERT_TRUE(is_pattern(&got[1].body, 3000000));
    got_done(&got[0]);
    got_done(&got[1]);
    get(&got[0], "/bytes/33554433"); /* one more than allowed */
    CU_ASSERT_EQUAL(got[0].status, LARDER_TOO_BIG);
    get(&got[0], "/chunked/34000000");
    CU_ASSERT_EQUAL(got[0].status, LARDER_TOO_BIG);
    CU_ASSERT_PTR_NULL(got[0].body.owner);
    end();
}

static void a_large_body_is_sent_at_once(void) {
    static uint8_t bytes[20 * MB];
    struct got got;
    char hash[AWS_HASH_HEX];
    for (size_t i = 0; i < (size_t)20 * MB; i++)
        bytes[i] = (uint8_t)(i * 31 + (i >> 12));
    begin(NULL, 4, 60000);
    ask(&got, "PUT", "/echo", (struct larder_bytes){bytes, (size_t)20 * MB});
    rig_run(&got.n, 1);
    CU_ASSERT_STRING_EQUAL(member(&got, "length"), "20971520");
    CU_ASSERT_PTR_NULL(
        strstr(member(&got, "headers"), "\"expect\"")); /* that would cost a second where it is ignored */
    aws_hash_hex(hash, (struct larder_bytes){bytes, (size_t)20 * MB});
    CU_ASSERT_STRING_EQUAL(member(&got, "hash"), hash);
    got_done(&got);
    end();
}

static void answers_without_a_body_and_early_ones(void) {
    struct got got;
    begin(NULL, 4, 60000);
    get(&got, "/status/204");
    CU_ASSERT_EQUAL(got.code, 204);
    CU_ASSERT_EQUAL(got.body.len, 0);
    CU_ASSERT_PTR_NULL(got.body.owner);
    ask(&got, "HEAD", "/bytes/1000", (struct larder_bytes){0});
    rig_run(&got.n, 1);
    CU_ASSERT_EQUAL(got.code, 200);
    CU_ASSERT_EQUAL(got.body.len, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(got.headers, "content-length: 1000"));
    get(&got, "/continue");
    CU_ASSERT_EQUAL(got.code, 200);
    CU_ASSERT_EQUAL(got.body.len, 5);
    CU_ASSERT_PTR_NULL(strstr(got.headers, "x-early"));
    got_done(&got);
    ask(&got, "POST", "/status/400", aws_bytes("x"));
    rig_run(&got.n, 1);
    CU_ASSERT_EQUAL(got.status, LARDER_OK);
    CU_ASSERT_EQUAL(got.code, 400);
    CU_ASSERT_PTR_NOT_NULL(strstr(got.headers, "x-what: this"));
    CU_ASSERT_STRING_EQUAL(member(&got, "message"), "no 400");
    got_done(&got);
    end();
}

static void an_answer_that_is_cut_is_to_be_asked_for_again(void) {
    struct got got;
    begin(NULL, 4, 60000);
    get(&got, "/cut/100000");
    CU_ASSERT_EQUAL(got.status, LARDER_RETRY);
    CU_ASSERT_PTR_NULL(got.body.owner);
    CU_ASSERT_PTR_NOT_NULL(strstr(got.detail, "127.0.0.1: "));
    end();
}

static void nobody_listens(void) {
    struct got got;
    begin(NULL, 4, 60000);
    get(&got, "http://127.0.0.1:1/");
    CU_ASSERT_EQUAL(got.status, LARDER_RETRY);
    CU_ASSERT_PTR_NOT_NULL(strstr(got.detail, "connect"));
    end();
}

/* One that runs, and one that waits for the only connection. */
static void a_request_ends_at_its_deadline(void) {
    struct got got[2];
    begin(NULL, 1, 60000);
    deadline_ns = rig_host.now_ns() + UINT64_C(50000000);
    ask(&got[0], "GET", "/hang", (struct larder_bytes){0});
    ask(&got[1], "GET", "/hang", (struct larder_bytes){0});
    rig_run(&got[0].n, 1);
    rig_run(&got[1].n, 1);
    CU_ASSERT_EQUAL(got[0].status, LARDER_DEADLINE);
    CU_ASSERT_EQUAL(got[1].status, LARDER_DEADLINE);
    CU_ASSERT_TRUE(rig_host.now_ns() >= deadline_ns);
    end();
}

static void a_request_without_a_deadline_ends_too(void) {
    struct got got;
    begin(NULL, 1, 50);
    get(&got, "/hang");
    CU_ASSERT_EQUAL(got.status, LARDER_RETRY);
    end();
}

static void a_cancelled_request_is_never_answered(void) {
    struct got got[3];
    begin(NULL, 1, 60000);
    struct aws_http_call *runs = ask(&got[0], "GET", "/hang", (struct larder_bytes){0});
    struct aws_http_call *waits = ask(&got[1], "GET", "/hang", (struct larder_bytes){0});
    rig_settle();
    aws_http_cancel(waits);
    aws_http_cancel(runs);
    get(&got[2], "/bytes/10"); /* the connection is free again */
    CU_ASSERT_EQUAL(got[2].code, 200);
    CU_ASSERT_EQUAL(got[0].n + got[1].n, 0);
    got_done(&got[2]);
    end();
}

static void closing_with_requests_under_way_leaves_nothing(void) {
    struct got got[6];
    begin(NULL, 4, 60000);
    get(&got[5], "/bytes/10");
    got_done(&got[5]);
    ask(&got[0], "GET", "/hang", (struct larder_bytes){0});
    ask(&got[1], "GET", "/bytes/20000000", (struct larder_bytes){0});
    ask(&got[2], "GET", "http://name.invalid/", (struct larder_bytes){0});
    ask(&got[3], "GET", "https://127.0.0.1:1/", (struct larder_bytes){0});
    ask(&got[4], "GET", "/bytes/5", (struct larder_bytes){0});
    rig_run(&got[4].n, 1);
    for (size_t i = 0; i < 5; i++)
        got_done(&got[i]); /* the large one may have come as well */
    end();                 /* looks at watches, timers, buffers, descriptors and threads */
    CU_ASSERT_EQUAL(got[0].n, 0);
}

static void closing_before_anything_was_sent_leaves_nothing(void) {
    struct got got;
    begin(NULL, 4, 60000);
    ask(&got, "GET", "/hang", (struct larder_bytes){0});
    end();
    CU_ASSERT_EQUAL(got.n, 0);
}

static void a_name_without_an_address_is_named(void) {
    struct got got;
    begin(NULL, 4, 60000);
    get(&got, "http://name.invalid:99/");
    CU_ASSERT_EQUAL(got.status, LARDER_RETRY);
    CU_ASSERT_PTR_NOT_NULL(strstr(got.detail, "name.invalid: "));
    end();
}

/* ---- names: "test.example" is known here alone, so libcurl gets there by what aws_name.c tells it ------------ */

static atomic_int n_lookups;
static atomic_bool names_fail;
static const char *_Atomic test_address = "127.0.0.1";

int __real_getaddrinfo(const char *name, const char *port, const struct addrinfo *hints,
                       struct addrinfo **ret);
int __wrap_getaddrinfo(const char *name, const char *port, const struct addrinfo *hints,
                       struct addrinfo **ret);
int __wrap_getaddrinfo(const char *name, const char *port, const struct addrinfo *hints,
                       struct addrinfo **ret) {
    if (strcmp(name, "test.example") != 0)
        return __real_getaddrinfo(name, port, hints, ret);
    n_lookups++;
    return names_fail ? EAI_AGAIN : __real_getaddrinfo(test_address, port, hints, ret);
}

static void get_by_name(int32_t status) {
    char url[96];
    struct got got;
    snprintf(url, sizeof(url), "http://test.example%s/leave",
             strchr(rig_server("http"), ':')); /* no connection stays */
    get(&got, url);
    CU_ASSERT_EQUAL(got.status, status);
    got_done(&got);
    rig_settle();
}

/* Requests go on, and time passes, until the name is looked up again. */
static void get_until_looked_up(void) {
    const int before = n_lookups;
    for (int i = 0; i < 10000 && n_lookups == before; i++) {
        rig_pass_ms(1000);
        get_by_name(LARDER_OK);
    }
    CU_ASSERT_TRUE(n_lookups > before);
}

static void a_name_is_looked_up_once_and_kept_fresh(void) {
    begin(NULL, 2, 60000);
    n_lookups = 0;
    names_fail = true;
    get_by_name(LARDER_RETRY);
    get_by_name(LARDER_RETRY); /* within a second: the same answer */
    CU_ASSERT_EQUAL(n_lookups, 1);
    names_fail = false;
    rig_pass_ms(1100);
    get_by_name(LARDER_OK);
    get_by_name(LARDER_OK);
    CU_ASSERT_EQUAL(n_lookups, 2);
    get_until_looked_up();
    names_fail = true;
    get_until_looked_up();
    get_until_looked_up(); /* what worked is kept */
    end();
    names_fail = false;
}

/* 127.0.0.2 is this machine as well, but the server does not listen there. */
static void addresses_at_which_nobody_listens_are_looked_up_again(void) {
    begin(NULL, 2, 60000);
    n_lookups = 0;
    test_address = "127.0.0.2";
    get_by_name(LARDER_RETRY);
    test_address = "127.0.0.1";
    get_by_name(LARDER_OK);
    CU_ASSERT_EQUAL(n_lookups, 2);
    end();
}

static void malformed_requests_are_refused(void) {
    static const char *const urls[] = {"ftp://x/", "127.0.0.1", "http://", "http:///x"};
    const struct aws_header broken[] = {{"a", "b\r\nc: d"}};
    struct got got = {0};
    begin(NULL, 1, 60000);
    struct aws_http_request request = {.method = "GET", .deadline_ns = UINT64_MAX, .max_body = 1};
    for (size_t i = 0; i < 4; i++) {
        request.url = urls[i];
        CU_ASSERT_EQUAL(aws_http_send(http, &request, on_done, &got, NULL), LARDER_INVALID);
    }
    request.url = "http://x/";
    request.headers = broken;
    request.n_headers = 1;
    CU_ASSERT_EQUAL(aws_http_send(http, &request, on_done, &got, NULL), LARDER_INVALID);
    end();
    CU_ASSERT_EQUAL(got.n, 0);
}

static void a_proxy_is_used_where_the_environment_says_so(void) {
    char proxy[96], tls_url[96], ca[128];
    struct got got;
    rig_begin(); /* for the server's folder */
    rig_end();
    snprintf(proxy, sizeof(proxy), "http://%s", rig_server("proxy"));
    snprintf(tls_url, sizeof(tls_url), "https://localhost%s/bytes/10", strchr(rig_server("https"), ':'));
    snprintf(ca, sizeof(ca), "%s/ca.pem", rig_folder());
    rig_set(AWS_VAR_ALL_PROXY, proxy);
    begin(ca, 4, 60000);
    get(&got, "/bytes/10");
    CU_ASSERT_EQUAL(got.code, 200);
    got_done(&got);
    get(&got, tls_url); /* by CONNECT */
    CU_ASSERT_EQUAL(got.code, 200);
    CU_ASSERT_PTR_NULL(strstr(got.headers, "200 OK\r\n\r\n"));
    got_done(&got);
    CU_ASSERT_EQUAL(stat_of("proxied"), 3); /* the question itself is the third */
    end();

    rig_set(AWS_VAR_ALL_PROXY, proxy);
    rig_set(AWS_VAR_NO_PROXY, "127.0.0.1,localhost");
    begin(ca, 4, 60000);
    CU_ASSERT_EQUAL(stat_of("proxied"), 3);
    end();

    rig_set(AWS_VAR_ALL_PROXY, proxy);
    begin(ca, 4, 60000);
    const struct aws_http_request direct = {.method = "GET",
                                            .url = url_of("http", "/stats"),
                                            .deadline_ns = UINT64_MAX,
                                            .max_body = MB,
                                            .direct = true};
    got = (struct got){0};
    CU_ASSERT_EQUAL(aws_http_send(http, &direct, on_done, &got, NULL), LARDER_OK);
    rig_run(&got.n, 1);
    CU_ASSERT_STRING_EQUAL(member(&got, "proxied"), "3");
    got_done(&got);
    end();
}

static void tls_trusts_the_given_authority_and_the_right_name_alone(void) {
    char by_name[96], by_address[96], ca[128];
    struct got got;
    rig_begin();
    rig_end();
    snprintf(by_name, sizeof(by_name), "https://localhost%s/bytes/70000", strchr(rig_server("https"), ':'));
    snprintf(by_address, sizeof(by_address), "https://%s/bytes/70000", rig_server("https"));
    snprintf(ca, sizeof(ca), "%s/ca.pem", rig_folder());

    begin(ca, 4, 60000);
    for (int i = 0; i < 3; i++) {
        get(&got, by_name);
        CU_ASSERT_EQUAL(got.status, LARDER_OK);
        CU_ASSERT_TRUE(is_pattern(&got.body, 70000));
        got_done(&got);
    }
    get(&got, by_address); /* the certificate is for localhost */
    CU_ASSERT_EQUAL(got.status, LARDER_DENIED);
    CU_ASSERT_PTR_NOT_NULL(strstr(got.detail, "127.0.0.1: "));
    end();

    begin(NULL, 4, 60000); /* what the system trusts does not include our authority */
    get(&got, by_name);
    CU_ASSERT_EQUAL(got.status, LARDER_DENIED);
    end();

    rig_set(AWS_VAR_CA_BUNDLE, ca);
    begin(NULL, 4, 60000);
    get(&got, by_name);
    CU_ASSERT_EQUAL(got.status, LARDER_OK);
    got_done(&got);
    end();
}

static void certificates_that_cannot_be_read_are_named(void) {
    struct got got[2];
    begin("/nowhere/ca.pem", 4, 60000);
    ask(&got[0], "GET", "https://localhost:1/", (struct larder_bytes){0});
    ask(&got[1], "GET", "https://localhost:1/", (struct larder_bytes){0});
    for (size_t i = 0; i < 2; i++) {
        rig_run(&got[i].n, 1);
        CU_ASSERT_EQUAL(got[i].status, LARDER_INVALID);
        CU_ASSERT_PTR_NOT_NULL(strstr(got[i].detail, "/nowhere/ca.pem"));
    }
    get(&got[0], "/bytes/10"); /* without TLS they are not missed */
    CU_ASSERT_EQUAL(got[0].status, LARDER_OK);
    got_done(&got[0]);
    end();
}

int main(void) {
    static const struct unit_test tests[] = {UNIT(a_request_arrives_as_it_was_given),
                                             UNIT(a_connection_is_used_again),
                                             UNIT(no_more_connections_than_allowed),
                                             UNIT(a_server_that_hangs_up_costs_no_request),
                                             UNIT(large_answers_come_whole_with_and_without_a_length),
                                             UNIT(a_large_body_is_sent_at_once),
                                             UNIT(answers_without_a_body_and_early_ones),
                                             UNIT(an_answer_that_is_cut_is_to_be_asked_for_again),
                                             UNIT(nobody_listens),
                                             UNIT(a_request_ends_at_its_deadline),
                                             UNIT(a_request_without_a_deadline_ends_too),
                                             UNIT(a_cancelled_request_is_never_answered),
                                             UNIT(closing_with_requests_under_way_leaves_nothing),
                                             UNIT(closing_before_anything_was_sent_leaves_nothing),
                                             UNIT(a_name_without_an_address_is_named),
                                             UNIT(a_name_is_looked_up_once_and_kept_fresh),
                                             UNIT(addresses_at_which_nobody_listens_are_looked_up_again),
                                             UNIT(malformed_requests_are_refused),
                                             UNIT(a_proxy_is_used_where_the_environment_says_so),
                                             UNIT(tls_trusts_the_given_authority_and_the_right_name_alone),
                                             UNIT(certificates_that_cannot_be_read_are_named)};
    return rig_main(unit_main("aws http", tests, sizeof(tests) / sizeof(tests[0])));
}
