/*
 * libcurl's multi interface on the reactor of the host: its sockets as watches, its time-out as a timer.
 * https://curl.se/libcurl/c/curl_multi_socket_action.html
 */
#ifndef AWS_LOOP_H
#define AWS_LOOP_H

#include <curl/curl.h>

#include "larder/driver.h"

enum { AWS_LOOP_BUCKETS = 64 };

struct aws_loop {
    const struct larder_host *host;
    struct larder_home *home;
    larder_fn *moved; /* something has happened: transfers may have ended */
    void *arg;
    CURLM *multi;
    struct larder_timer *timer;
    struct aws_socket *sockets[AWS_LOOP_BUCKETS];
};

/* LARDER_OK or LARDER_NOMEM, and then nothing is left.  curl_global_init() has been called. */
int32_t aws_loop_init(struct aws_loop *loop, const struct larder_host *host, struct larder_home *home,
                      larder_fn *moved, void *arg);
/* All handles have been removed.  Does nothing to one that is all zero. */
void aws_loop_done(struct aws_loop *loop);
/* Makes a new handle open its sockets here. */
void aws_loop_attach(struct aws_loop *loop, CURL *easy);

#endif
