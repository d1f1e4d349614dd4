/*
 * A signed POST of 1 KB by drivers/aws, beside bare libcurl, in one run on one machine.
 *
 *     bench_http [--rounds N]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aws_client.h"
#include "aws_http.h"
#include "contender.h"
#include "reactor.h"
#include "test/rig.h"

enum { MOST_ROUNDS = 101, REQUESTS = 4000 };

static struct aws_http *http;
static struct aws_client *client;
static char url[72];
static uint8_t body[BODY];
static size_t to_begin;
static int ended;

void must(int ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "bench_http: %s failed\n", what);
        exit(1);
    }
}

static double clock_us(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* ---- the contenders ------------------------------------------------------------------------------------------- */

static const struct aws_header headers[] = {{"content-type", "application/x-amz-json-1.0"},
                                            {"x-amz-target", "DynamoDB_20120810.GetItem"}};
static const struct larder_bytes body_bytes = {body, BODY};

static void http_send(void);
static void on_http(void *arg, const struct aws_http_answer *answer) {
    (void)arg;
    must(answer->code == 200 && answer->body.len == BODY, "a request of aws_http");
    ended++;
    http_send();
}

static void http_send(void) {
    const struct aws_http_request request = {.method = "POST",
                                             .url = url,
                                             .headers = headers,
                                             .n_headers = 2,
                                             .body = body_bytes,
                                             .deadline_ns = rig_host.now_ns() + UINT64_C(10000000000),
                                             .max_body = 1 << 20};
    if (to_begin > 0 && to_begin--)
        must(aws_http_send(http, &request, on_http, NULL, NULL) == LARDER_OK, "aws_http_send");
}

static void client_send(void);
static void on_client(void *arg, const struct aws_answer *answer) {
    (void)arg;
    must(answer->status == LARDER_OK && answer->body.len == BODY, "a request of aws_client");
    ended++;
    client_send();
}

static void client_send(void) {
    const struct aws_request request = {.method = "POST",
                                        .path = "/",
                                        .headers = headers,
                                        .n_headers = 2,
                                        .body = body_bytes,
                                        .now_ms = 1767323045000,
                                        .deadline_ns = rig_host.now_ns() + UINT64_C(10000000000),
                                        .max_body = 1 << 20};
    if (to_begin > 0 && to_begin--)
        must(aws_client_send(client, &request, on_client, NULL, NULL) == LARDER_OK, "aws_client_send");
}

static void run_ours(void (*send)(void), size_t requests, size_t at_once) {
    to_begin = requests;
    ended = 0;
    while (at_once-- > 0)
        send();
    while (ended < (int)requests)
        reactor_step(rig_home.reactor, true, UINT64_MAX);
}

static void run_http(size_t requests, size_t at_once) {
    run_ours(http_send, requests, at_once);
}

static void run_client(size_t requests, size_t at_once) {
    run_ours(client_send, requests, at_once);
}

/* ---- the run ---------------------------------------------------------------------------------------------------- */

static const struct contender {
    const char *name;
    void (*run)(size_t requests, size_t at_once);
} contenders[] = {{"bare curl", bare_curl_run}, {"aws_http", run_http}, {"aws_client, signed", run_client}};
enum { N_CONTENDERS = 3 };
static const size_t at_once[] = {1, 32};

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(size_t rounds, size_t n) {
    static double cpu_us[N_CONTENDERS][MOST_ROUNDS], wall_us[N_CONTENDERS][MOST_ROUNDS];
    for (size_t c = 0; c < N_CONTENDERS; c++)
        contenders[c].run(200, n); /* connections are made, pools are filled */
    for (size_t round = 0; round < rounds; round++)
        for (size_t c = 0; c < N_CONTENDERS; c++) {
            const double cpu = clock_us(CLOCK_THREAD_CPUTIME_ID), wall = clock_us(CLOCK_MONOTONIC);
            contenders[c].run(REQUESTS, n);
            cpu_us[c][round] = (clock_us(CLOCK_THREAD_CPUTIME_ID) - cpu) / REQUESTS;
            wall_us[c][round] = (clock_us(CLOCK_MONOTONIC) - wall) / REQUESTS;
        }
    for (size_t c = 0; c < N_CONTENDERS; c++) {
        qsort(cpu_us[c], rounds, sizeof(double), by_value);
        qsort(wall_us[c], rounds, sizeof(double), by_value);
        printf("%-20s %3zu at once: %6.1f us CPU, %8.0f requests/s\n", contenders[c].name, n,
               cpu_us[c][rounds / 2], 1e6 / wall_us[c][rounds / 2]);
    }
}

int main(int argc, char **argv) {
    size_t rounds = 9;
    char error[LARDER_ERROR_SIZE], endpoint[64];
    if (argc == 3 && strcmp(argv[1], "--rounds") == 0)
        rounds = strtoul(argv[2], NULL, 10);
    if (argc == 2 || argc > 3 || rounds < 1 || rounds > MOST_ROUNDS) {
        fprintf(stderr, "usage: bench_http [--rounds N]\n");
        return 2;
    }
    const int port = stub_server_start();
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", port);
    snprintf(url, sizeof(url), "%s/", endpoint);
    bare_curl_begin(url);
    rig_home.reactor = reactor_new(NULL);
    must(rig_home.reactor != NULL, "reactor_new");
    http = aws_http_new(&(struct aws_http_options){.host = &rig_host,
                                                   .home = &rig_home,
                                                   .environment = &rig_environment,
                                                   .max_connections = 64,
                                                   .connect_timeout_ms = 5000,
                                                   .longest_ms = 60000});
    must(http != NULL, "aws_http_new");
    const struct aws_settings settings = {.endpoint = endpoint,
                                          .region = "eu-west-1",
                                          .access_key = "AKIDEXAMPLE",
                                          .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                          .connections = 64,
                                          .connect_timeout_ms = 5000};
    const struct aws_client_options options = {.host = &rig_host,
                                               .home = &rig_home,
                                               .settings = &settings,
                                               .service = "dynamodb",
                                               .environment = &rig_environment};
    must(aws_client_new(&options, &client, error) == LARDER_OK, "aws_client_new");
    for (size_t i = 0; i < sizeof(at_once) / sizeof(at_once[0]); i++)
        measure(rounds, at_once[i]);
    aws_client_free(client);
    aws_http_free(http);
    reactor_free(rig_home.reactor);
    bare_curl_end();
    stub_server_stop();
    return 0;
}
