/*
 * The core's log on its way to JavaScript.
 *
 * The process has one log.  It goes to one environment: the one that asked for it last
 * (log_lines_choose()), else the main thread's, else the oldest that there is.  Lines come on any
 * thread, wait with the client for the next wake-up, at most MOST_LINES of them, and keep no
 * process alive.
 *
 * Locks: the one in here, then a client's.
 */
#ifndef NODE_LOG_LINES_H
#define NODE_LOG_LINES_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct log_line;

struct log_lines { /* of one client, under its lock */
    struct log_line *first, **last;
    size_t n;
    size_t n_dropped; /* because there were too many */
};

struct log_member { /* the client's place among those that can be told; under the lock in here */
    struct client *older;
    bool is_in;
    bool is_main;
};

/* On the client's JavaScript thread, once it can be woken; and when it no longer can: after that
 * nothing is added to it. */
void log_lines_join(struct client *client);
void log_lines_leave(struct client *client);
/* This environment, or as if none had asked. */
void log_lines_choose(struct client *client, bool chosen);

/* Gives what waits to js_deliver(-2, dropped, level, line, level, line ...).  JavaScript thread. */
void log_lines_deliver(struct client *client, napi_value js_deliver);
/* Frees what waits; the client is dead. */
void log_lines_drop(struct client *client);

#endif
