/*
 * The life of a request: it waits until libcurl and the addresses are there (aws_ready, aws_name) and
 * one of the connections is free; then libcurl has it; then its answer is handed on.  One timer per
 * request is over all of that.
 *
 * The waiting is done here and not in libcurl: what waits there for a free connection is not under any
 * time-out, and does not see the addresses that have been found meanwhile.
 */
#include "aws_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws_error.h"
#include "aws_loop.h"
#include "aws_name.h"
#include "aws_ready.h"

struct place { /* a host and a port, as a URL names them */
    char name[256], port[8];
};

enum {
    FIRST_ROOM = 16 << 10, /* of an answer whose length is not told */
    READ_AT_ONCE = 64 << 10,
    MOST_HEADER_BYTES = 64 << 10,
    SUPPRESSED = 3, /* of libcurl's own headers */
    IDLE_S = 50     /* a connection that was unused for longer is not used again */
};

struct calls {
    struct aws_http_call *first, *last;
};

enum call_state { CALL_FREE, CALL_WAITS, CALL_RUNS, CALL_FAILED };

struct aws_http_call {
    struct aws_http_call *prev, *next; /* among those that wait or run; next alone: free */
    struct calls *list;                /* that it is in */
    struct aws_http *http;
    enum call_state state;
    CURL *easy; /* while it runs */
    struct larder_timer *timer;
    aws_http_done *done;
    void *arg;

    char method[8];
    struct aws_text url;
    struct aws_text lines; /* the headers, one behind the other */
    struct curl_slist headers[AWS_MOST_HEADERS + SUPPRESSED], *resolve;
    struct larder_bytes body;
    struct place place;
    size_t max_body;
    bool tls, direct, is_late; /* is_late: the timer is the request's own deadline */

    struct aws_text answer_headers;
    struct larder_slice answer; /* its buffer and the room in it */
    uint8_t *answer_bytes;
    size_t answer_len;
    int32_t refused; /* FAILED: the status.  Else why the reading was stopped; 0: it was not */
    char reason[CURL_ERROR_SIZE];
};

struct aws_http {
    const struct larder_host *host;
    struct larder_home *home;
    uint32_t max_running, connect_timeout_ms, longest_ms;
    char *http_proxy, *https_proxy, *no_proxy; /* NULL: none */
    struct aws_ready *ready;
    struct aws_names *names;
    struct aws_loop loop; /* multi NULL: not started */
    struct calls waiting, running, failed;
    struct aws_http_call *free;
    CURL **idle; /* handles that have run: n_idle of at most max_running */
    uint32_t n_running, n_idle, n_free;
};

static void list_add(struct calls *list, struct aws_http_call *call) {
    call->list = list;
    call->prev = list->last;
    call->next = NULL;
    *(list->last ? &list->last->next : &list->first) = call;
    list->last = call;
}

static void list_remove(struct aws_http_call *call) {
    *(call->prev ? &call->prev->next : &call->list->first) = call->next;
    *(call->next ? &call->next->prev : &call->list->last) = call->prev;
}

/* ---- what libcurl hands us ------------------------------------------------------------------------ */

/* A longer buffer for the answer, of which the length is not known. */
static bool grow(struct aws_http_call *call, size_t need) {
    const struct larder_host *host = call->http->host;
    struct larder_slice larger;
    curl_off_t told = -1;
    size_t room = call->answer.len ? call->answer.len * 2 : FIRST_ROOM;
    if (!call->answer.owner)
        curl_easy_getinfo(call->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &told);
    if (told > 0)
        room = (uint64_t)told > call->max_body ? call->max_body : (size_t)told;
    if (room < need)
        room = need;
    if (room > call->max_body)
        room = call->max_body;
    uint8_t *bytes = host->buf_new(room, &larger);
    if (!bytes)
        return false;
    if (call->answer_len > 0)
        memcpy(bytes, call->answer_bytes, call->answer_len);
    host->buf_unref(call->answer.owner);
    call->answer = larger;
    call->answer_bytes = bytes;
    return true;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *arg) {
    struct aws_http_call *call = arg;
    (void)one;
    if (len > call->max_body - call->answer_len)
        call->refused = LARDER_TOO_BIG;
    else if (call->answer_len + len > call->answer.len && !grow(call, call->answer_len + len))
        call->refused = LARDER_NOMEM;
    if (call->refused)
        return 0;
    if (len > 0)
        memcpy(call->answer_bytes + call->answer_len, bytes, len);
    call->answer_len += len;
    return len;
}

static size_t on_header(char *line, size_t one, size_t len, void *arg) {
    struct aws_http_call *call = arg;
    (void)one;
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) /* those of "100 Continue" are of no use */
        aws_text_clear(&call->answer_headers);
    aws_text_add(&call->answer_headers, line, len);
    if (call->answer_headers.len > MOST_HEADER_BYTES)
        call->refused = LARDER_TOO_BIG;
    else if (call->answer_headers.failed)
        call->refused = LARDER_NOMEM;
    return call->refused ? 0 : len;
}

/* ---- the end of a request --------------------------------------------------------------------------- */

/* Takes it out of wherever it is.  It is not free yet: its answer may still be looked at. */
static void leave(struct aws_http_call *call) {
    struct aws_http *http = call->http;
    list_remove(call);
    if (call->state == CALL_RUNS) {
        /* Besides what was set it forgets how often it met a dead connection: at the sixth time in its life
         * libcurl (7.88) would fail the request instead of making a new connection. */
        curl_multi_remove_handle(http->loop.multi, call->easy);
        curl_easy_reset(call->easy);
        http->idle[http->n_idle++] = call->easy;
        http->n_running--;
        call->easy = NULL;
    }
    http->host->timer_set(call->timer, UINT64_MAX);
    call->state = CALL_FREE;
}

static void call_free(struct aws_http_call *call) {
    if (call->timer)
        call->http->host->timer_free(call->timer);
    aws_text_done(&call->url);
    aws_text_done(&call->lines);
    aws_text_done(&call->answer_headers);
    free(call);
}

static void give_back(struct aws_http_call *call) {
    struct aws_http *http = call->http;
    http->host->buf_unref(call->answer.owner);
    call->answer = (struct larder_slice){0};
    call->answer_len = 0;
    if (call->lines.ptr)
        explicit_bzero(call->lines.ptr, call->lines.len); /* tokens */
    curl_slist_free_all(call->resolve);
    call->resolve = NULL;
    if (http->n_free >= http->max_running) {
        call_free(call);
        return;
    }
    call->next = http->free;
    http->free = call;
    http->n_free++;
}

static void finish(struct aws_http_call *call, int32_t status, const char *why) {
    char detail[LARDER_ERROR_SIZE], line[160];
    struct aws_http_answer answer = {.status = status};
    if (status == LARDER_OK) {
        long code = 0;
        curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &code);
        answer.code = (int32_t)code;
        answer.headers = (struct larder_bytes){(const uint8_t *)call->answer_headers.ptr,
                                               call->answer_headers.len};
        answer.body = (struct larder_slice){call->answer.ptr, call->answer_len, call->answer.owner};
    } else {
        aws_one_line(line, sizeof(line), aws_bytes(why));
        snprintf(detail, sizeof(detail), "%.80s: %s", call->place.name, line);
        answer.detail = detail;
    }
    leave(call);
    call->done(call->arg, &answer);
    give_back(call);
}

static void pump(void *arg);

static void on_timer(void *arg) {
    struct aws_http_call *call = arg;
    struct aws_http *http = call->http;
    if (call->state == CALL_FAILED)
        finish(call, call->refused, call->reason);
    else
        finish(call, call->is_late ? LARDER_DEADLINE : LARDER_RETRY,
               call->state == CALL_RUNS ? "no answer in time" : "not even a connection in time");
    pump(http);
}

static int32_t status_of_curl(const struct aws_http_call *call, CURLcode code) {
    switch (code) {
    case CURLE_OK: return LARDER_OK;
    case CURLE_WRITE_ERROR: return call->refused ? call->refused : LARDER_RETRY;
    case CURLE_OUT_OF_MEMORY: return LARDER_NOMEM;
    case CURLE_PEER_FAILED_VERIFICATION: return LARDER_DENIED;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return LARDER_INVALID;
    default: return LARDER_RETRY;
    }
}

static const char *reason_of(const struct aws_http_call *call, CURLcode code) {
    if (call->refused == LARDER_TOO_BIG)
        return "the answer is larger than it may be";
    return call->reason[0] ? call->reason : curl_easy_strerror(code);
}

/* Ends what libcurl says has ended, and fills the connections that are free now. */
static void on_moved(void *arg) {
    struct aws_http *http = arg;
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(http->loop.multi, &left))) {
        struct aws_http_call *call = NULL;
        const CURLcode code = message->data.result; /* the message does not outlive its handle */
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        for (struct curl_slist *told = call->resolve; told && code == CURLE_OK; told = told->next)
            aws_names_told(http->names, told->data);
        if (code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT)
            aws_names_doubt(http->names, call->place.name);
        finish(call, status_of_curl(call, code), reason_of(call, code));
    }
    pump(http);
}

/* ---- the beginning ------------------------------------------------------------------------------------ */

static const char *proxy_of(const struct aws_http_call *call) {
    if (call->direct)
        return "";
    return aws_or_empty(call->tls ? call->http->https_proxy : call->http->http_proxy);
}

static void set_up(struct aws_http_call *call, CURL *easy) {
    struct aws_http *http = call->http;
    const bool is_get = strcmp(call->method, "GET") == 0, is_head = strcmp(call->method, "HEAD") == 0;
    const bool has_body = call->body.len > 0 || strcmp(call->method, "PUT") == 0 ||
                          strcmp(call->method, "POST") == 0;
    aws_loop_attach(&http->loop, easy);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)READ_AT_ONCE);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, -1L); /* aws_name.c knows better */
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)IDLE_S);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)http->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, aws_or_empty(http->no_proxy));
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->reason);
    curl_easy_setopt(easy, CURLOPT_URL, call->url.ptr);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, proxy_of(call)); /* never NULL: libcurl would ask the environment */
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
    curl_easy_setopt(easy, CURLOPT_RESOLVE, call->resolve);
    if (is_head)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (has_body) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body.len > 0 ? (const char *)call->body.ptr : "");
    }
    if (!is_get && !is_head)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
    if (call->tls)
        aws_ready_trust(http->ready, easy);
}

/* from: what stands behind "//".  False: there is no host, or it is too long. */
static bool read_place(struct place *place, const char *from, const char *default_port) {
    const size_t all = strcspn(from, "/?#");
    const char *at = memrchr(from, '@', all), *end = from + all;
    if (at)
        from = at + 1;
    const size_t name_len = from[0] == '[' ? strcspn(from, "]") + 1 : strcspn(from, ":/?#");
    const char *port = from + name_len < end && from[name_len] == ':' ? from + name_len + 1 : NULL;
    const struct larder_bytes number =
        port ? (struct larder_bytes){(const uint8_t *)port, (size_t)(end - port)} : aws_bytes(default_port);
    if (name_len == 0 || name_len > (size_t)(end - from) || name_len >= sizeof(place->name) ||
        number.len >= sizeof(place->port))
        return false;
    aws_one_line(place->name, sizeof(place->name), (struct larder_bytes){(const uint8_t *)from, name_len});
    aws_one_line(place->port, sizeof(place->port), number);
    return true;
}

/* What is new about the name goes to libcurl with this request. */
static enum aws_name_state look_up(struct aws_http_call *call, const struct place *place,
                                   const char **ret_reason) {
    const char *entry = NULL;
    const enum aws_name_state state = aws_names_look(call->http->names, place->name, place->port, &entry);
    if (state == AWS_NAME_FAILED)
        *ret_reason = entry;
    if (state != AWS_NAME_READY || !entry)
        return state;
    struct curl_slist *list = curl_slist_append(call->resolve, entry);
    if (!list) {
        *ret_reason = "out of memory";
        return AWS_NAME_FAILED;
    }
    call->resolve = list;
    return state;
}

/* The name of the proxy; and that of the server, which may be an exception.  Where a lookup fails here,
 * libcurl is left to find out whether it matters. */
static enum aws_name_state look_up_by_proxy(struct aws_http_call *call, const char *proxy,
                                            const char **ret_reason) {
    struct place place;
    const char *behind = strstr(proxy, "://");
    enum aws_name_state first = AWS_NAME_PLAIN, second = AWS_NAME_PLAIN;
    if (read_place(&place, behind ? behind + 3 : proxy, "1080"))
        first = look_up(call, &place, ret_reason);
    if (call->http->no_proxy)
        second = look_up(call, &call->place, ret_reason);
    return first == AWS_NAME_PENDING || second == AWS_NAME_PENDING ? AWS_NAME_PENDING : AWS_NAME_READY;
}

/* LARDER_OK: all is there.  LARDER_MISS: something is not yet.  Else it will not be: *ret_reason. */
static int32_t look_around(struct aws_http_call *call, const char **ret_reason) {
    struct aws_http *http = call->http;
    const char *proxy = proxy_of(call);
    const enum aws_ready_state ready = aws_ready_look(http->ready, call->tls, ret_reason);
    if (ready != AWS_READY)
        return ready == AWS_READY_PENDING ? LARDER_MISS : LARDER_INVALID;
    curl_slist_free_all(call->resolve); /* of an earlier look */
    call->resolve = NULL;
    const enum aws_name_state name = proxy[0] ? look_up_by_proxy(call, proxy, ret_reason)
                                              : look_up(call, &call->place, ret_reason);
    return name == AWS_NAME_PENDING ? LARDER_MISS : name == AWS_NAME_FAILED ? LARDER_RETRY : LARDER_OK;
}

static int32_t start(struct aws_http_call *call) {
    struct aws_http *http = call->http;
    if (!http->loop.multi) {
        if (aws_loop_init(&http->loop, http->host, http->home, on_moved, http) != LARDER_OK)
            return LARDER_NOMEM;
        curl_multi_setopt(http->loop.multi, CURLMOPT_MAXCONNECTS, (long)http->max_running);
    }
    CURL *easy = http->n_idle > 0 ? http->idle[--http->n_idle] : curl_easy_init();
    if (!easy)
        return LARDER_NOMEM;
    set_up(call, easy);
    if (curl_multi_add_handle(http->loop.multi, easy) != CURLM_OK) {
        curl_easy_reset(easy);
        http->idle[http->n_idle++] = easy;
        return LARDER_NOMEM;
    }
    list_remove(call);
    list_add(&http->running, call);
    call->easy = easy;
    call->state = CALL_RUNS;
    http->n_running++;
    return LARDER_OK;
}

/* Where it can, and where there is a connection for it.  No done function is called from here: what fails
 * does so on its timer, now. */
static void try_to_run(struct aws_http_call *call) {
    struct aws_http *http = call->http;
    const char *reason = "out of memory";
    int32_t status = look_around(call, &reason);
    if (status == LARDER_OK)
        status = start(call);
    if (status >= 0)
        return;
    list_remove(call);
    list_add(&http->failed, call);
    call->state = CALL_FAILED;
    call->refused = status;
    aws_one_line(call->reason, sizeof(call->reason), aws_bytes(reason));
    http->host->timer_set(call->timer, http->host->now_ns());
}

/* Something has come that requests wait for. */
static void pump(void *arg) {
    struct aws_http *http = arg;
    struct aws_http_call *call, *next;
    for (call = http->waiting.first; call && http->n_running < http->max_running; call = next) {
        next = call->next;
        try_to_run(call);
    }
}

static struct aws_http_call *call_new(struct aws_http *http) {
    struct aws_http_call *call = http->free;
    if (call) {
        http->free = call->next;
        http->n_free--;
        return call;
    }
    call = calloc(1, sizeof(*call));
    if (!call)
        return NULL;
    call->http = http;
    call->timer = http->host->timer(http->home, on_timer, call);
    if (!call->timer) {
        free(call);
        return NULL;
    }
    return call;
}

static void add_line(struct aws_text *lines, const char *name, const char *value) {
    aws_text_adds(lines, name);
    aws_text_adds(lines, value[0] ? ": " : ":"); /* without a value: libcurl's own is left out */
    aws_text_add(lines, value, strlen(value) + 1);
}

/* The list is made here and not by curl_slist_append(), which copies line by line into new memory. */
static bool set_headers(struct aws_http_call *call, const struct aws_http_request *request) {
    bool has_type = false;
    size_t n = request->n_headers + SUPPRESSED;
    aws_text_clear(&call->lines);
    for (size_t i = 0; i < request->n_headers; i++) {
        add_line(&call->lines, request->headers[i].name, request->headers[i].value);
        has_type |= strcasecmp(request->headers[i].name, "content-type") == 0;
    }
    add_line(&call->lines, "Accept", "");
    add_line(&call->lines, "Expect", ""); /* else libcurl asks before it sends 1 MB, and waits a second */
    if (has_type)
        n--;
    else
        add_line(&call->lines, "Content-Type", "");
    if (call->lines.failed)
        return false;
    char *at = call->lines.ptr; /* it does not move any more */
    for (size_t i = 0; i < n; at += strlen(at) + 1, i++)
        call->headers[i] = (struct curl_slist){at, i + 1 < n ? &call->headers[i + 1] : NULL};
    return true;
}

static bool has_line_break(const struct aws_http_request *request) {
    for (size_t i = 0; i < request->n_headers; i++)
        if (strpbrk(request->headers[i].name, "\r\n:") || strpbrk(request->headers[i].value, "\r\n"))
            return true;
    return false;
}

int32_t aws_http_send(struct aws_http *http, const struct aws_http_request *request, aws_http_done *done,
                      void *arg, struct aws_http_call **ret_call) {
    const bool tls = strncasecmp(request->url, "https://", 8) == 0;
    struct place place;
    if ((!tls && strncasecmp(request->url, "http://", 7) != 0) || has_line_break(request) ||
        request->n_headers > AWS_MOST_HEADERS ||
        strlen(request->method) >= sizeof(((struct aws_http_call *)0)->method) ||
        !read_place(&place, request->url + (tls ? 8 : 7), tls ? "443" : "80"))
        return LARDER_INVALID;
    struct aws_http_call *call = call_new(http);
    if (!call)
        return LARDER_NOMEM;
    aws_text_clear(&call->url);
    aws_text_clear(&call->answer_headers);
    aws_text_adds(&call->url, request->url);
    if (call->url.failed || !set_headers(call, request)) {
        give_back(call);
        return LARDER_NOMEM;
    }
    const uint64_t longest_ns = http->host->now_ns() + http->longest_ms * UINT64_C(1000000);
    snprintf(call->method, sizeof(call->method), "%s", request->method);
    call->place = place;
    call->tls = tls;
    call->direct = request->direct;
    call->body = request->body;
    call->max_body = request->max_body;
    call->is_late = request->deadline_ns <= longest_ns;
    call->refused = 0;
    call->reason[0] = '\0';
    call->done = done;
    call->arg = arg;
    call->state = CALL_WAITS;
    list_add(&http->waiting, call);
    http->host->timer_set(call->timer, call->is_late ? request->deadline_ns : longest_ns);
    if (http->n_running < http->max_running) /* the others wait for something else */
        try_to_run(call);
    if (ret_call)
        *ret_call = call;
    return LARDER_OK;
}

void aws_http_cancel(struct aws_http_call *call) {
    struct aws_http *http = call->http;
    leave(call);
    give_back(call);
    pump(http);
}

/* ---- an instance ------------------------------------------------------------------------------------ */

struct aws_http *aws_http_new(const struct aws_http_options *options) {
    const struct aws_environment *env = options->environment;
    const char *all = aws_variable(env, AWS_VAR_ALL_PROXY);
    const char *of_http = aws_variable(env, AWS_VAR_HTTP_PROXY),
               *of_https = aws_variable(env, AWS_VAR_HTTPS_PROXY);
    const char *ca_file = aws_given(options->ca_file) ? options->ca_file
                                                      : aws_variable(env, AWS_VAR_CA_BUNDLE);
    struct aws_http *http = calloc(1, sizeof(*http));
    if (!http)
        return NULL;
    http->host = options->host;
    http->home = options->home;
    http->max_running = options->max_connections;
    http->connect_timeout_ms = options->connect_timeout_ms;
    http->longest_ms = options->longest_ms;
    http->idle = calloc(http->max_running, sizeof(CURL *));
    http->ready = aws_ready_new(http->host, http->home, ca_file, pump, http);
    http->names = aws_names_new(http->host, http->home, pump, http);
    if (!http->idle || !http->ready || !http->names ||
        !aws_copy(&http->http_proxy, of_http ? of_http : all) ||
        !aws_copy(&http->https_proxy, of_https ? of_https : all) ||
        !aws_copy(&http->no_proxy, aws_variable(env, AWS_VAR_NO_PROXY))) {
        aws_http_free(http);
        return NULL;
    }
    return http;
}

void aws_http_free(struct aws_http *http) {
    if (!http)
        return;
    struct calls *const lists[] = {&http->running, &http->waiting, &http->failed};
    for (size_t i = 0; i < 3; i++)
        for (struct aws_http_call *call = lists[i]->first, *next; call; call = next) {
            next = call->next;
            leave(call);
            give_back(call);
        }
    while (http->free) {
        struct aws_http_call *call = http->free;
        http->free = call->next;
        call_free(call);
    }
    while (http->idle && http->n_idle > 0)
        curl_easy_cleanup(http->idle[--http->n_idle]);
    aws_loop_done(&http->loop);
    aws_names_free(http->names);
    aws_ready_free(http->ready);
    aws_wipe(&http->http_proxy); /* it may name a password */
    aws_wipe(&http->https_proxy);
    aws_wipe(&http->no_proxy);
    free(http->idle);
    free(http);
}
