#include "aws_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws_credentials.h"
#include "aws_endpoint.h"
#include "aws_error.h"
#include "aws_signed.h"
#include "aws_time.h"
#include "aws_xml.h"

enum {
    MOST_OWN_HEADERS = AWS_MOST_HEADERS - AWS_OWN_HEADERS,
    LONGEST_MS = 120000, /* of a request without a deadline */
    MOST_FREE = 64,
    /* A clock that is off by less is not why a signature was refused: AWS allows 5 minutes, S3 15. */
    SKEW_MS = 240000,
    /* An op that waited brings an older time than one that did not; one that is older still tells of a
     * clock that was set back. */
    SET_BACK_MS = 60000
};

enum call_state { CALL_FREE, CALL_FOR_KEYS, CALL_SENT, CALL_FAILED };

struct aws_call {
    struct aws_call *prev, *next; /* among those under way; next alone: free */
    struct aws_client *client;
    enum call_state state;
    struct aws_waiter waiter;        /* FOR_KEYS */
    struct larder_timer *timer;      /* FOR_KEYS: the deadline.  FAILED: now */
    struct aws_http_call *http_call; /* SENT */
    aws_client_done *done;
    void *arg;

    struct aws_text texts; /* of the request, one behind the other */
    struct aws_header headers[MOST_OWN_HEADERS];
    struct aws_request request; /* its pointers lead into texts */
    char method[8], payload_hash[AWS_HASH_HEX];
    uint64_t generation; /* of the keys it was signed with */
    int64_t signed_ms;   /* the time in that signature */
    uint32_t n_told;     /* of the client, then */
    bool keys_tried, clock_tried, region_tried;
    int32_t failure; /* FAILED */
    char detail[LARDER_ERROR_SIZE];
};

struct aws_client {
    const struct larder_host *host;
    struct larder_home *home;
    const struct aws_settings *settings;
    struct aws_environment environment;
    char *service, *bucket;
    enum aws_addressing addressing;
    bool is_s3;
    struct aws_http *http;
    struct aws_credentials *credentials;

    uint64_t generation; /* that endpoint, region and signer are for; 0: none */
    struct aws_endpoint endpoint;
    char *region;
    char *told_region; /* of the bucket, by an answer; NULL: none has said that it is another */
    uint32_t n_told;   /* how often one has */
    struct aws_signer signer;

    int64_t then_ms; /* the time of day when the monotonic clock was then_ns */
    uint64_t then_ns;
    int64_t offset_ms; /* what the service's clock is ahead of ours, where that mattered */

    struct aws_call *first, *free;
    unsigned n_free;
};

/* ---- the time of day ----------------------------------------------------------------------------------------- */

static int64_t clock_ms(const struct aws_client *client) {
    return client->then_ms + (int64_t)((client->host->now_ns() - client->then_ns) / 1000000);
}

/* Drivers know the time from their ops alone. */
static void clock_set(struct aws_client *client, int64_t op_ms) {
    const int64_t ahead_ms = op_ms - clock_ms(client);
    if (ahead_ms <= 0 && ahead_ms > -SET_BACK_MS)
        return;
    client->then_ms = op_ms;
    client->then_ns = client->host->now_ns();
}

/* ---- the end of a call --------------------------------------------------------------------------------------- */

/* Out of whatever it is in. */
static void leave(struct aws_call *call) {
    struct aws_client *client = call->client;
    aws_credentials_leave(client->credentials, &call->waiter);
    if (call->http_call)
        aws_http_cancel(call->http_call);
    client->host->timer_set(call->timer, UINT64_MAX);
    *(call->prev ? &call->prev->next : &client->first) = call->next;
    if (call->next)
        call->next->prev = call->prev;
    call->http_call = NULL;
    call->state = CALL_FREE;
}

static void call_free(struct aws_call *call) {
    call->client->host->timer_free(call->timer);
    aws_text_done(&call->texts);
    free(call);
}

static void give_back(struct aws_call *call) {
    struct aws_client *client = call->client;
    if (client->n_free >= MOST_FREE) {
        call_free(call);
        return;
    }
    call->next = client->free;
    client->free = call;
    client->n_free++;
}

static void finish(struct aws_call *call, const struct aws_answer *answer) {
    leave(call);
    call->done(call->arg, answer);
    give_back(call);
}

/* Soon, on its timer: never inside the function that sends, nor while others are told of new keys. */
static void fail(struct aws_call *call, int32_t status, const char *detail) {
    struct aws_client *client = call->client;
    call->state = CALL_FAILED;
    call->failure = status;
    aws_one_line(call->detail, sizeof(call->detail), aws_bytes(detail));
    client->host->timer_set(call->timer, client->host->now_ns());
}

static void on_timer(void *arg) {
    struct aws_call *call = arg;
    const bool failed = call->state == CALL_FAILED;
    const struct aws_answer answer = {.status = failed ? call->failure : LARDER_DEADLINE,
                                      .code = "",
                                      .detail = failed ? call->detail
                                                       : "the credentials did not come in time"};
    finish(call, &answer);
}

/* ---- sending ---------------------------------------------------------------------------------------------------- */

static void go_on(struct aws_call *call);

/* Where the bucket is, in the answer of a region that has not got it: a header, or an element of the
 * error.  `EU` is what the oldest buckets of Ireland say.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html#Redirects */
static bool learn_region(const struct aws_call *call, const struct aws_http_answer *answer) {
    struct aws_client *client = call->client;
    struct larder_bytes header = aws_header_of(answer->headers, "x-amz-bucket-region");
    struct aws_text region = {0};
    if (!client->is_s3 || (answer->code != 400 && answer->code != 403 && answer->code / 100 != 3))
        return false;
    if (header.len > 0)
        aws_text_add(&region, header.ptr, header.len);
    else
        aws_xml_text((struct larder_bytes){answer->body.ptr, answer->body.len}, "Region", &region);
    const char *name = region.len == 2 && memcmp(region.ptr, "EU", 2) == 0 ? "eu-west-1" : region.ptr;
    const bool is_one = region.len > 0 && region.len <= 32 && !region.failed &&
                        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
    bool learned = is_one && call->n_told != client->n_told; /* another call was told meanwhile */
    char *copy = NULL;
    if (is_one && !learned && (!client->region || strcmp(client->region, name) != 0) &&
        aws_copy(&copy, name)) {
        free(client->told_region);
        client->told_region = copy;
        client->n_told++;
        client->generation = 0; /* what follows from the region is made anew */
        learned = true;
    }
    aws_text_done(&region);
    return learned;
}

/* An answer to HEAD has no body that says why: old keys are 400 to S3, and a wrong clock is 403. */
static enum aws_cure cure_of(const struct aws_call *call, const struct aws_error *error,
                             int32_t http_status) {
    if (error->code[0] != '\0' || strcmp(call->method, "HEAD") != 0)
        return error->cure;
    return http_status == 400 ? AWS_CURE_KEYS : http_status == 403 ? AWS_CURE_CLOCK : AWS_CURE_NONE;
}

/* Whether the same request may succeed now, for what we have learned from the answer. */
static bool cured(struct aws_call *call, const struct aws_error *error,
                  const struct aws_http_answer *answer) {
    struct aws_client *client = call->client;
    const enum aws_cure cure = cure_of(call, error, answer->code);
    int64_t server_ms;
    if (!call->region_tried && learn_region(call, answer)) {
        call->region_tried = true;
        return true;
    }
    if (cure == AWS_CURE_KEYS && !call->keys_tried) {
        call->keys_tried = true;
        return aws_credentials_refused(client->credentials, call->generation);
    }
    if (cure == AWS_CURE_CLOCK && !call->clock_tried &&
        aws_time_http(aws_header_of(answer->headers, "date"), &server_ms)) {
        const int64_t off_ms = server_ms - call->signed_ms;
        call->clock_tried = true;
        if (off_ms < SKEW_MS && off_ms > -SKEW_MS)
            return false;
        client->offset_ms = server_ms - clock_ms(client);
        return true;
    }
    return false;
}

static void on_answer(void *arg, const struct aws_http_answer *from) {
    struct aws_call *call = arg;
    struct aws_error error;
    struct aws_answer answer = {.status = from->status,
                                .http_status = from->code,
                                .code = "",
                                .detail = from->detail,
                                .headers = from->headers,
                                .body = from->body};
    call->http_call = NULL;
    if (from->status == LARDER_OK && (from->code < 200 || from->code > 299)) {
        aws_error_read(&error, from->code, from->headers,
                       (struct larder_bytes){from->body.ptr, from->body.len});
        if (cured(call, &error, from)) {
            go_on(call);
            return;
        }
        answer.status = error.status;
        answer.retry_after_ms = error.retry_after_ms;
        answer.code = error.code;
        answer.detail = error.detail;
    }
    finish(call, &answer);
}

/* The bucket is a part of the host, or the first of each path. */
static bool address(struct aws_client *client) {
    char part[300];
    const char *bucket = client->bucket;
    if (!bucket)
        return true;
    const bool in_host = client->addressing == AWS_ADDRESS_VIRTUAL ||
                         (client->addressing == AWS_ADDRESS_AUTO && client->endpoint.is_own &&
                          !strchr(bucket, '.'));
    snprintf(part, sizeof(part), in_host ? "%.255s." : "/%.255s", bucket);
    return in_host ? aws_endpoint_prefix(&client->endpoint, part)
                   : aws_endpoint_below(&client->endpoint, part);
}

/* Other keys: perhaps another profile with another region, so all that follows from them is made anew. */
static int32_t adopt(struct aws_client *client, const struct aws_identity *identity,
                     char error[LARDER_ERROR_SIZE]) {
    const char *region = NULL;
    if (client->generation == identity->generation)
        return LARDER_OK;
    client->generation = 0;
    aws_signer_forget(&client->signer);
    int32_t status = aws_plan_endpoint(
        identity->plan, client->told_region ? client->told_region : identity->region,
        client->settings->endpoint, &client->environment, client->service, &client->endpoint, &region, error);
    if (status != LARDER_OK)
        return status;
    aws_wipe(&client->region);
    if (!aws_copy(&client->region, region) || !address(client)) {
        snprintf(error, LARDER_ERROR_SIZE, "out of memory");
        return LARDER_NOMEM;
    }
    client->signer.region = client->region;
    client->signer.service = client->service;
    client->generation = identity->generation;
    return LARDER_OK;
}

/* Signs and sends, or waits for keys.  Ends in a state of its own either way. */
static void go_on(struct aws_call *call) {
    struct aws_client *client = call->client;
    struct aws_identity identity;
    const char *detail = NULL;
    char error[LARDER_ERROR_SIZE];
    const int64_t now_ms = clock_ms(client) + client->offset_ms;
    int32_t status = aws_credentials_get(client->credentials, now_ms, &call->waiter, &identity, &detail);
    if (status == LARDER_MISS) {
        call->state = CALL_FOR_KEYS;
        client->host->timer_set(call->timer, call->request.deadline_ns);
        return;
    }
    client->host->timer_set(call->timer, UINT64_MAX);
    if (status == LARDER_OK) {
        status = adopt(client, &identity, error);
        detail = error;
    }
    if (status != LARDER_OK) {
        fail(call, status, detail);
        return;
    }
    const struct aws_request *r = &call->request;
    const struct aws_signed_request request = {.method = r->method,
                                               .endpoint = &client->endpoint,
                                               .path = r->path,
                                               .query = r->query,
                                               .headers = r->headers,
                                               .n_headers = r->n_headers,
                                               .body = r->body,
                                               .payload_hash = r->payload_hash,
                                               .time_ms = now_ms,
                                               .deadline_ns = r->deadline_ns,
                                               .max_body = r->max_body,
                                               .is_s3 = client->is_s3};
    call->generation = identity.generation;
    call->signed_ms = now_ms;
    call->n_told = client->n_told;
    status = aws_send_signed(client->http, &client->signer, identity.keys, &request, on_answer, call,
                             &call->http_call);
    if (status == LARDER_OK)
        call->state = CALL_SENT;
    else
        fail(call, status,
             status == LARDER_NOMEM ? "out of memory" : "a header or the endpoint cannot be sent");
}

static void on_keys(void *arg) {
    go_on(arg);
}

static struct aws_call *call_new(struct aws_client *client) {
    struct aws_call *call = client->free;
    if (call) {
        client->free = call->next;
        client->n_free--;
        return call;
    }
    call = calloc(1, sizeof(*call));
    if (!call)
        return NULL;
    call->client = client;
    call->waiter = (struct aws_waiter){.ready = on_keys, .arg = call};
    call->timer = client->host->timer(client->home, on_timer, call);
    if (!call->timer) {
        free(call);
        return NULL;
    }
    return call;
}

static void add_text(struct aws_call *call, const char *text) {
    if (text)
        aws_text_add(&call->texts, text, strlen(text) + 1);
}

static const char *take_text(const char **at) {
    const char *text = *at;
    *at += strlen(text) + 1;
    return text;
}

static bool keep(struct aws_call *call, const struct aws_request *r) {
    aws_text_clear(&call->texts);
    add_text(call, r->path);
    add_text(call, r->query);
    for (size_t i = 0; i < r->n_headers; i++) {
        add_text(call, r->headers[i].name);
        add_text(call, r->headers[i].value);
    }
    if (call->texts.failed)
        return false;
    const char *at = call->texts.ptr;
    snprintf(call->method, sizeof(call->method), "%s", r->method);
    snprintf(call->payload_hash, sizeof(call->payload_hash), "%s", aws_or_empty(r->payload_hash));
    call->request = *r;
    call->request.method = call->method;
    call->request.payload_hash = r->payload_hash ? call->payload_hash : NULL;
    call->request.path = take_text(&at);
    call->request.query = r->query ? take_text(&at) : NULL;
    call->request.headers = call->headers;
    for (size_t i = 0; i < r->n_headers; i++) {
        call->headers[i].name = take_text(&at);
        call->headers[i].value = take_text(&at);
    }
    return true;
}

int32_t aws_client_send(struct aws_client *client, const struct aws_request *request, aws_client_done *done,
                        void *arg, struct aws_call **ret_call) {
    if (request->n_headers > MOST_OWN_HEADERS)
        return LARDER_INVALID;
    struct aws_call *call = call_new(client);
    if (!call)
        return LARDER_NOMEM;
    if (!keep(call, request)) {
        give_back(call);
        return LARDER_NOMEM;
    }
    call->done = done;
    call->arg = arg;
    call->keys_tried = call->clock_tried = call->region_tried = false;
    call->prev = NULL;
    call->next = client->first;
    if (client->first)
        client->first->prev = call;
    client->first = call;
    clock_set(client, request->now_ms);
    go_on(call);
    if (ret_call)
        *ret_call = call;
    return LARDER_OK;
}

const char *aws_client_region(const struct aws_client *client, bool *ret_is_own) {
    *ret_is_own = client->generation != 0 && client->endpoint.is_own;
    return client->generation != 0 ? client->region : NULL;
}

void aws_client_cancel(struct aws_call *call) {
    leave(call);
    give_back(call);
}

/* ---- an instance ------------------------------------------------------------------------------------------------- */

static bool copy_environment(struct aws_environment *to, const struct aws_environment *from) {
    bool ok = true;
    for (size_t i = 0; i < AWS_N_VARIABLES; i++)
        ok = ok && aws_copy(&to->values[i], from->values[i]);
    return ok;
}

int32_t aws_client_new(const struct aws_client_options *options, struct aws_client **ret_client,
                       char error[LARDER_ERROR_SIZE]) {
    const struct aws_settings *settings = options->settings;
    struct aws_endpoint endpoint = {0};
    snprintf(error, LARDER_ERROR_SIZE, "out of memory");
    if (aws_given(settings->endpoint)) { /* a mistake in a setting is told at once */
        const int32_t wrong = aws_endpoint_of_url(&endpoint, settings->endpoint, error);
        aws_endpoint_done(&endpoint);
        if (wrong != LARDER_OK)
            return wrong;
    }
    struct aws_client *client = calloc(1, sizeof(*client));
    if (!client)
        return LARDER_NOMEM;
    client->host = options->host;
    client->home = options->home;
    client->settings = settings;
    client->is_s3 = options->is_s3;
    client->addressing = options->addressing;
    const bool ok = (options->environment ? copy_environment(&client->environment, options->environment)
                                          : aws_environment_read(&client->environment, getenv)) &&
                    aws_copy(&client->service, options->service) &&
                    aws_copy(&client->bucket, options->bucket);
    const struct aws_http_options http = {.host = client->host,
                                          .home = client->home,
                                          .environment = &client->environment,
                                          .ca_file = settings->ca_file,
                                          .max_connections = (uint32_t)settings->connections,
                                          .connect_timeout_ms = (uint32_t)settings->connect_timeout_ms,
                                          .longest_ms = LONGEST_MS};
    if (ok)
        client->http = aws_http_new(&http);
    if (client->http)
        client->credentials = aws_credentials_new(client->host, client->home, client->http, settings,
                                                  &client->environment);
    if (client->credentials) {
        *ret_client = client;
        return LARDER_OK;
    }
    aws_client_free(client);
    return LARDER_NOMEM;
}

void aws_client_free(struct aws_client *client) {
    if (!client)
        return;
    for (struct aws_call *call = client->first, *next; call; call = next) {
        next = call->next;
        aws_client_cancel(call);
    }
    while (client->free) {
        struct aws_call *call = client->free;
        client->free = call->next;
        call_free(call);
    }
    aws_credentials_free(client->credentials); /* before http: it has a request there */
    aws_http_free(client->http);
    aws_environment_done(&client->environment);
    aws_endpoint_done(&client->endpoint);
    aws_signer_forget(&client->signer);
    free(client->service);
    free(client->bucket);
    free(client->region);
    free(client->told_region);
    free(client);
}
