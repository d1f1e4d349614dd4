/*
 * A running store tells its counters to whoever of the same user asks: a socket in a folder (the
 * setting `live`; live_folder.h), a line in, larder_metrics_json() out, the end.  For people who look
 * at a process from outside: `larder stats`, `larder top`.
 *
 * Nothing depends on it.  Where there is no socket, that is logged and the store works; a store opens
 * it some time after it was opened, so that processes of a moment never do.  Everything is bounded:
 * LIVE_CLIENTS at a time, the others wait; each has LIVE_CLIENT_MS.  There are no keys, no tags and no
 * settings in what is told.  Reactor's thread only.
 */
#ifndef CORE_LIVE_H
#define CORE_LIVE_H

#include "reactor.h"

struct larder_store;

enum {
    LIVE_CLIENTS = 4,
    LIVE_LINE = 32,        /* of a question */
    LIVE_DELAY_MS = 1000,  /* from the opening of the store to that of its socket */
    LIVE_CLIENT_MS = 2000, /* from being let in to having all of the answer */
    LIVE_LEFTOVERS = 64    /* sockets that an opening store looks at, and removes where they are dead */
};

struct live;
struct live_client {
    struct live *live;
    int fd;
    struct larder_watch *watch; /* NULL: nobody is here */
    struct larder_timer timer;
    char line[LIVE_LINE];
    size_t n_line;
    char *answer; /* NULL: the question is not here yet */
    size_t n_answer, n_sent;
};

struct live {
    struct larder_store *store; /* NULL: never begun */
    char *path;                 /* of the socket; NULL: there is none */
    int fd;
    struct larder_watch *watch;
    struct larder_timer timer; /* until the socket is opened; or until it is listened to again */
    struct live_client clients[LIVE_CLIENTS];
};

void live_init(struct live *live, struct larder_store *store);
/* Takes the socket away and drops who is connected.  One that never began is allowed. */
void live_done(struct live *live);

#endif
