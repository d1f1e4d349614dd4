/*
 * Marks that a driver heard of without asking (host->mark_seen), on their way from its thread to the
 * store.  Bounded: where more wait than MARK_FEED_ROOM, or there is no memory, the store is told that
 * it has missed some, and trusts nothing that it remembers.  What comes after the store has stopped
 * listening, or is gone, is dropped.
 */
#ifndef CORE_MARK_FEED_H
#define CORE_MARK_FEED_H

#include "backend.h"

enum { MARK_FEED_ROOM = 10000 };

struct mark_feed;

/* On the reactor's thread, for each mark of the namespace, its tag without that; NULL: some were
 * missed. */
typedef void mark_feed_fn(void *arg, const struct larder_mark *mark);

/* One reference.  NULL: no memory. */
struct mark_feed *mark_feed_new(struct reactor *r, const char *ns, mark_feed_fn *fn, void *arg);
/* What a driver's backend is given. */
struct mark_sink *mark_feed_sink(struct mark_feed *feed);
/* fn is not called any more.  Reactor's thread. */
void mark_feed_stop(struct mark_feed *feed);
/* The driver is closed: nothing comes any more.  NULL is allowed; returns NULL. */
struct mark_feed *mark_feed_free(struct mark_feed *feed);

#endif
