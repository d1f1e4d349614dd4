/* As little as can be around curl_multi_socket_action(): epoll, and its time-out as libcurl's timer. */
#include <curl/curl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "contender.h"

enum { MOST = 64 };

static CURLM *multi;
static CURL *handles[MOST];
static struct curl_slist *headers;
static char body[BODY], sink[MOST][BODY];
static size_t got[MOST];
static int poller;
static long time_out_ms;

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known) {
    struct epoll_event event = {.data.fd = fd};
    (void)easy;
    (void)arg;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(poller, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    epoll_ctl(poller, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    curl_multi_assign(multi, fd, &poller);
    return 0;
}

static int on_time(CURLM *m, long ms, void *arg) {
    (void)m;
    (void)arg;
    time_out_ms = ms;
    return 0;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *arg) {
    const size_t i = (size_t)(uintptr_t)arg;
    (void)one;
    if (got[i] + len <= BODY)
        memcpy(sink[i] + got[i], bytes, len);
    got[i] += len;
    return len;
}

void bare_curl_begin(const char *url) {
    must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK, "curl_global_init");
    multi = curl_multi_init();
    poller = epoll_create1(EPOLL_CLOEXEC);
    must(multi != NULL && poller >= 0, "curl_multi_init");
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_time);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)MOST);
    headers = curl_slist_append(curl_slist_append(NULL, "content-type: application/x-amz-json-1.0"),
                                "Expect:");
    for (size_t i = 0; i < MOST; i++) {
        CURL *easy = handles[i] = curl_easy_init();
        must(easy != NULL, "curl_easy_init");
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)BODY);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, (void *)(uintptr_t)i);
        curl_easy_setopt(easy, CURLOPT_PRIVATE, (void *)(uintptr_t)i);
    }
}

static void add(size_t i) {
    got[i] = 0;
    must(curl_multi_add_handle(multi, handles[i]) == CURLM_OK, "curl_multi_add_handle");
}

void bare_curl_run(size_t requests, size_t at_once) {
    struct epoll_event events[MOST];
    size_t begun = 0, ended = 0;
    CURLMsg *message;
    int running, left;
    for (; begun < at_once && begun < requests; begun++)
        add(begun);
    while (ended < requests) {
        const int n = time_out_ms == 0 ? 0 : epoll_wait(poller, events, MOST, (int)time_out_ms);
        if (n <= 0) {
            time_out_ms = -1; /* one shot */
            curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
        for (int i = 0; i < n; i++)
            curl_multi_socket_action(multi, events[i].data.fd,
                                     (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                                         (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0),
                                     &running);
        while ((message = curl_multi_info_read(multi, &left))) {
            char *private = NULL;
            must(message->data.result == CURLE_OK, "a request of bare curl");
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
            const size_t i = (size_t)(uintptr_t) private;
            must(got[i] == BODY, "an answer of bare curl");
            curl_multi_remove_handle(multi, handles[i]);
            ended++;
            if (begun < requests) {
                begun++;
                add(i);
            }
        }
    }
}

void bare_curl_end(void) {
    for (size_t i = 0; i < MOST; i++)
        curl_easy_cleanup(handles[i]);
    curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
    close(poller);
}
